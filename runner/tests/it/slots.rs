//! Slots: how many jobs run at once, and that a job nobody waits for is stopped.

use std::sync::Mutex;

use domain::{
    content::Language::Python,
    ports::Sandbox,
    run::{Progress, Verdict},
};
use tokio::{
    sync::Notify,
    time::{Duration, timeout},
};

use crate::stage::{alive, helpers, input, job, sandbox, sandbox_of};

#[tokio::test]
async fn dropping_the_future_kills_the_run() {
    let sandbox = sandbox().await;
    let running = Notify::new();
    let forever = job(Python, "import os, time\nos.fork()\nprint('up')\ntime.sleep(60)");
    let tell = |progress: Progress| {
        if matches!(progress, Progress::Output { .. }) {
            running.notify_one();
        }
    };
    let mut run = sandbox.run(&forever, &tell);
    tokio::select! {
        _ = &mut run => panic!("it sleeps for a minute"),
        () = running.notified() => assert_ne!(alive().len(), 0),
    }
    drop(run);
    until_nothing_is_alive().await;
    let outcome = sandbox.run(&job(Python, "print(1)"), &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "the slot is free again");
}

#[tokio::test]
async fn a_helper_that_dies_takes_its_run_along_and_is_replaced() {
    let sandbox = sandbox().await;
    let job = job(Python, "import os, time\nos.fork()\nprint('up')\ntime.sleep(60)");
    let tell = |progress: Progress| {
        if matches!(progress, Progress::Output { .. }) {
            for helper in helpers() {
                kill(&helper);
            }
        }
    };
    let outcome = sandbox.run(&job, &tell).await;
    assert_eq!(outcome.results[0].verdict, Verdict::InternalError);
    until_nothing_is_alive().await;
    let next = crate::stage::job(Python, "print(1)");
    let outcome = sandbox.run(&next, &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
    for helper in helpers() {
        kill(&helper);
    }
    let outcome = sandbox.run(&next, &|_| ()).await;
    assert_eq!(outcome.results[0].verdict, Verdict::Accepted, "{outcome:?}");
}

fn kill(helper: &str) {
    let pid = helper.parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // Killed is not yet dead; the next job must meet a dead one.
    let died = rustix::process::waitid(
        rustix::process::WaitId::Pid(pid),
        rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
    );
    assert!(died.is_ok());
}

async fn until_nothing_is_alive() {
    let gone = async {
        while !alive().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(2), gone).await.expect("nothing is alive soon after");
}

#[tokio::test]
async fn no_more_jobs_run_than_there_are_slots() {
    for slots in [1, 2] {
        let sandbox = sandbox_of(slots).await;
        let at_once = Mutex::new((0, 0));
        let tell = |progress: Progress| {
            let mut at_once = at_once.lock().unwrap();
            match progress {
                Progress::Running { .. } => at_once.0 += 1,
                Progress::Judged(_) => at_once.0 -= 1,
                Progress::Compiling | Progress::Output { .. } => {}
            }
            at_once.1 = at_once.1.max(at_once.0);
        };
        let job = job(Python, "import time; time.sleep(0.3)");
        tokio::join!(sandbox.run(&job, &tell), sandbox.run(&job, &tell), sandbox.run(&job, &tell));
        assert_eq!(at_once.into_inner().unwrap(), (0, slots));
    }
}

#[tokio::test]
async fn a_run_leaves_nothing_for_the_next() {
    let mut job = job(
        Python,
        "import os\n\
         for d in ('.', '/tmp', '/dev/shm', '/box'):\n\
         \x20 print(d, [n for n in os.listdir(d) if n.startswith('left')])\n\
         \x20 open(d + '/left', 'w').write('x')\n\
         os.symlink('/etc', 'left-link'); os.mkfifo('left-pipe')",
    );
    let empty = ". []\n/tmp []\n/dev/shm []\n/box []\n";
    job.inputs = vec![input("", Some(empty)); 3];
    let outcome = sandbox().await.run(&job, &|_| ()).await;
    for result in &outcome.results {
        assert_eq!(result.verdict, Verdict::Accepted, "{result:?}");
    }
    assert_eq!(outcome.results.len(), 3);
}
