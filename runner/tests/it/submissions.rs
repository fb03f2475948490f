//! Submissions that are refused before anything runs.

use std::fs;

use domain::{
    content::{FILE_BYTES_MAX, FILES_MAX, Language::C, Limits},
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

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_the_reason() {
    let (dots, long) = ("a".repeat(4096), "d/".repeat(2048));
    let ten_thousand: Vec<String> = (0..10_000).map(|i| format!("f{i}.c")).collect();
    let ten_thousand: Vec<_> = ten_thousand.iter().map(|name| (name.as_str(), "")).collect();
    let limits = |change: fn(&mut Limits)| {
        let mut job = job(C, "int main(){}");
        change(&mut job.limits);
        job
    };
    let cases = [
        (job_of(C, &[]), "there is no main.c"),
        (job_of(C, &[("main.c", ""), (&dots, "")]), "a file may not be called"),
        (job_of(C, &[("main.c", ""), (&long, "")]), "a file may not be called"),
        (job_of(C, &[("main.c", ""), ("main.c", "")]), "two files are called main.c"),
        (job_of(C, &ten_thousand), "10000 files; 16 are the most"),
        (limits(|l| l.cpu_ms = 0), "its limits"),
        (limits(|l| l.cpu_ms = 60_001), "its limits"),
        (limits(|l| l.wall_ms = 0), "its limits"),
        (limits(|l| l.wall_ms = u32::MAX), "its limits"),
        (limits(|l| l.memory_bytes = 0), "its limits"),
        (limits(|l| l.memory_bytes = u64::MAX), "its limits"),
        (limits(|l| l.processes = 0), "its limits"),
        (limits(|l| l.processes = 257), "its limits"),
        (limits(|l| l.output_bytes = u32::MAX), "its limits"),
        (limits(|l| l.disk_bytes = u32::MAX), "its limits"),
    ];
    let sandbox = sandbox().await;
    for (job, why) in cases {
        let told = std::sync::Mutex::new(0);
        let outcome = sandbox.run(&job, &|_| *told.lock().unwrap() += 1).await;
        assert!(!outcome.compiled && outcome.results.is_empty(), "{outcome:?}");
        assert!(outcome.compiler_output.starts_with(why), "{why}: {outcome:?}");
        assert_eq!(*told.lock().unwrap(), 0, "nothing was begun: {why}");
    }
}
