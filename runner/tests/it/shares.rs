//! Processor time is divided between the server and all runs together, whatever they start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::{
    content::Language::Python,
    ports::Sandbox,
    run::{Progress, Verdict},
};
use tokio::{
    sync::Notify,
    time::{Duration, timeout},
};

use crate::stage::{children_of, has_all_groups, helpers, inits_of, job, run, sandbox};

/// What all runs have of the server's shares, by the file that says so.
const WEIGHTS: [(&str, &str); 2] = [("cpu.shares", "512"), ("cpu.weight", "50")];

#[tokio::test]
async fn all_runs_together_have_half_of_the_servers_shares_or_else_sessions_weigh_less() {
    let sandbox = sandbox().await;
    let divides =
        sandbox.walls().iter().any(|(name, stands, _)| *stands && name == "processor shares");
    if !divides {
        assert!(!has_all_groups(), "{:?}", sandbox.walls());
        println!("no group divides the processors here");
        return its_session_has_less_weight().await;
    }
    let (up, seen) = (Notify::new(), Notify::new());
    let tell = |progress: Progress| {
        if matches!(progress, Progress::Output { .. }) {
            up.notify_one();
        }
    };
    let text =
        "import os, time\nif os.fork() == 0: os.setsid(); print('up', flush=True)\ntime.sleep(60)";
    let job = job(Python, text);
    let look = async {
        up.notified().await;
        // A helper whose run is dropped may be gone a moment later.
        let helpers = helpers();
        let inits: Vec<_> = helpers.iter().flat_map(|helper| inits_of(helper)).collect();
        let programs: Vec<_> = inits.iter().flat_map(|init| children_of(init)).collect();
        let children: Vec<_> = programs.iter().flat_map(|program| children_of(program)).collect();
        seen.notify_one();
        let groups = |of: Vec<String>| of.iter().map(|id| group_with_shares(id)).collect();
        (helpers, [inits, programs, children].map(groups))
    };
    let (helpers, found): (Vec<String>, [Vec<PathBuf>; 3]) = tokio::select! {
        outcome = sandbox.run(&job, &tell) => panic!("it sleeps for a minute: {outcome:?}"),
        found = timeout(Duration::from_secs(20), look) => found.expect("a line"),
    };
    let helper = format!("polycode-{}", helpers[0]);
    for group in found.iter().flatten() {
        let own = group.ancestors().find(|dir| dir.ends_with(&helper)).expect("a helper's group");
        let runs = own
            .parent()
            .filter(|runs| runs.to_string_lossy().contains("/polycode-runs"))
            .expect("of all runs");
        let weight = |(file, _): &(&str, &str)| fs::read_to_string(runs.join(file)).ok();
        let weights: Vec<_> = WEIGHTS.iter().map(weight).collect();
        let wanted = WEIGHTS.map(|(_, weight)| Some(format!("{weight}\n")));
        assert!(
            weights == [wanted[0].clone(), None] || weights == [None, wanted[1].clone()],
            "{weights:?}"
        );
    }
    let lens = found.each_ref().map(Vec::len);
    assert_eq!(lens, [1, 1, 1], "init, the program, and its child in a session of its own");
}

/// The group by which the processor time of `process` is divided.
fn group_with_shares(process: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("it is alive");
    let groups = text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = |controllers: &str| {
        let kind = if controllers.is_empty() { "cgroup2" } else { "cgroup" };
        let found = mounts.lines().find(|line| {
            let options = line.rsplit(' ').next().unwrap_or_default();
            line.contains(&format!(" - {kind} "))
                && (controllers.is_empty() || options.split(',').any(|option| option == "cpu"))
        });
        found.and_then(|line| line.split(' ').nth(4)).map(PathBuf::from)
    };
    let named = |wanted: &'static str| {
        groups.clone().find(|(of, _)| of.split(',').any(|name| name == wanted))
    };
    let (controllers, path) = named("cpu").or_else(|| named("")).expect("a hierarchy");
    let at = mounted(controllers).expect("it is mounted");
    at.join(Path::new(path).strip_prefix("/").unwrap())
}

async fn its_session_has_less_weight() {
    let text = "import os\nprint(os.getpriority(os.PRIO_PROCESS, 0), flush=True)\n\
        if os.fork() == 0:\n\
        \x20 try: os.setsid(); print('a session')\n\
        \x20 except PermissionError: print('no session', flush=True)\n\
        \x20 os._exit(0)\n\
        os.wait()\n\
        if os.path.exists('/proc/self/autogroup'):\n\
        \x20 print(open('/proc/self/autogroup').read().split(' ', 1)[1])";
    let result = run(&job(Python, text)).await;
    assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    let said: Vec<_> = result.stdout.lines().filter(|line| !line.is_empty()).collect();
    let weighs_sessions = Path::new("/proc/self/autogroup").exists();
    let wanted = ["10", "no session", "nice 3"];
    assert_eq!(said, wanted[..if weighs_sessions { 3 } else { 2 }], "{result:?}");
}
