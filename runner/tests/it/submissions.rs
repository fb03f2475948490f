//! Submissions that are refused before anything runs.

use std::fs;

use domain::{
    content::{FILE_BYTES_MAX, FILES_MAX, Language::C},
    ports::Sandbox,
};

use crate::stage::{job, job_of, sandbox, shared};

#[tokio::test]
async fn names_that_climb_are_refused() {
    let mut names: Vec<String> = ["../x.c", "/x.c", "a/b.c", "", ".", "..", "-o", "a b.c", "x\0.c"]
        .map(str::to_owned)
        .to_vec();
    match shared() {
        None => println!("left out: the longer list of names, no shared data"),
        Some(shared) => {
            let list = fs::read(shared.join("attacks/f05_file_names.json")).expect("the list");
            let list: Vec<String> = serde_json::from_slice(&list).expect("a list of names");
            // A plain name, which only other systems mind.
            let harmless =
                |name: &str| name == "con" || domain::content::file_name_is_allowed(name);
            names.extend(list.into_iter().filter(|name| !harmless(name)));
            assert!(names.len() > 20, "most of the list is hostile");
        }
    }
    let sandbox = sandbox().await;
    for name in names {
        let job = job_of(C, &[("main.c", "int main(){}"), (&name, "int x;")]);
        let outcome = sandbox.run(&job, &|_| ()).await;
        assert!(!outcome.compiled && outcome.results.is_empty(), "{name:?}");
        assert!(outcome.compiler_output.starts_with("a file may not be called"), "{name:?}");
    }
}

#[tokio::test]
async fn too_many_or_too_long_files_are_refused() {
    let names: Vec<String> = (0..=FILES_MAX).map(|i| format!("f{i}.c")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let long = "x".repeat(FILE_BYTES_MAX + 1);
    let sandbox = sandbox().await;
    for job in [
        job_of(C, &many),
        job(C, &long),
        job_of(C, &[("other.c", "int main(){}")]),
        job_of(C, &[("main.c", "int main(){}"), ("main.c", "int main(){}")]),
    ] {
        let outcome = sandbox.run(&job, &|_| ()).await;
        assert!(!outcome.compiled && !outcome.compiler_output.is_empty(), "{outcome:?}");
    }
}
