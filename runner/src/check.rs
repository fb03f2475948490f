//! `runner check`: what this machine gives the sandbox, what is missing, and how to get it.

use domain::content::Language;

use crate::{
    languages,
    namespace::{Config, NamespaceSandbox},
};

/// Each thing looked at: its name, whether it is well, and what was found or what to do.
pub async fn check(config: Config) -> Vec<(String, bool, String)> {
    let sandbox = match NamespaceSandbox::new(config).await {
        Ok(sandbox) => sandbox,
        Err(why) => {
            let advice = format!(
                "{why:#}. User namespaces must be allowed: `sysctl user.max_user_namespaces` above \
                 0, `kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu; in a container, \
                 `--security-opt seccomp=unconfined --security-opt systempaths=unconfined`"
            );
            return vec![("sandbox".to_owned(), false, advice)];
        }
    };
    let mut report = sandbox.walls().to_vec();
    let offered = sandbox.languages();
    for language in Language::ALL {
        let found = offered.iter().find(|(other, _)| *other == language);
        report.push(match found {
            Some((_, version)) => (format!("{language:?}"), true, version.clone()),
            None => (format!("{language:?}"), false, how_to_install(language)),
        });
    }
    report
}

fn how_to_install(language: Language) -> String {
    format!("install it under /usr (`apt install {}`)", languages::package(language))
}
