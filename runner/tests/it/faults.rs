//! Whatever is killed, and whenever: each job ends, once, and nothing stays behind.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, mpsc},
};

use domain::{
    content::Language::{C, Python},
    ports::Sandbox,
    run::{Outcome, Progress, Verdict},
};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    sync::Semaphore,
    time::{Duration, timeout},
};

use crate::stage::{alive, children_of, helpers, inits_of, job, sandbox, sandbox_of};

const JOBS: usize = 500;
const SLOTS: usize = 3;
/// One in so many runs has something killed under it.
const ONE_IN: u64 = 6;

#[tokio::test]
async fn jobs_end_once_each_while_helpers_inits_and_programs_are_killed() {
    let seed = 20_261_121;
    println!("seed {seed}");
    let sandbox = sandbox_of(SLOTS).await;
    let (begun, heard) = mpsc::sync_channel(JOBS);
    let killer = std::thread::spawn(move || kill_now_and_then(&heard, seed));
    let judged = Mutex::new(vec![0_u32; JOBS]);
    let waiting = Semaphore::new(SLOTS);
    let one = async |nth: usize| -> Outcome {
        let _turn = waiting.acquire().await.expect("never closed");
        let tell = |progress: Progress| match progress {
            Progress::Running { .. } => begun.send(()).expect("the killer listens"),
            Progress::Judged(_) => judged.lock().unwrap()[nth] += 1,
            Progress::Compiling | Progress::Output { .. } => {}
        };
        let text = "#include <stdio.h>\nint main(void) { puts(\"hello\"); }";
        let job = if nth.is_multiple_of(10) { job(C, text) } else { job(Python, "print('hello')") };
        sandbox.run(&job, &tell).await
    };
    let outcomes = timeout(Duration::from_secs(150), join_all((0..JOBS).map(one))).await;
    let outcomes = outcomes.expect("no job hangs");
    drop(begun);
    let (kills, dead_helpers) = killer.join().unwrap();
    let count = |verdict| outcomes.iter().filter(|o| is(o, verdict)).count();
    let (well, lost, hit) =
        (count(Verdict::Accepted), count(Verdict::InternalError), count(Verdict::RuntimeError));
    let refused = outcomes.iter().filter(|o| !o.compiled).count();
    println!(
        "{kills} killed: {well} ended well, {lost} were lost, {hit} programs and {refused} compilers hit"
    );
    assert!(kills > 20 && well > JOBS / 4, "{kills} killed, {well} well");
    assert_eq!(well + lost + hit + refused, JOBS, "nothing else can come of it: {outcomes:?}");
    for (outcome, told) in outcomes.iter().zip(judged.into_inner().unwrap()) {
        let results = u32::from(outcome.compiled);
        assert_eq!((outcome.results.len(), told), (results as usize, results), "{outcome:?}");
    }
    nothing_stays(sandbox, dead_helpers).await;
}

#[tokio::test]
async fn a_server_that_is_killed_takes_its_runs_along() {
    let soak = example("soak_runner");
    let mut server = Command::new(soak).arg("100000").stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(server.stdout.take().unwrap()).lines().next();
    assert!(said.unwrap().unwrap().starts_with("before"), "it says when it starts");
    let id = server.id().to_string();
    let helpers: Vec<String> = children_of(&id);
    // At least one of two slots is busy at any moment, soon.
    let busy = async {
        while helpers.iter().all(|helper| inits_of(helper).is_empty()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), busy).await.expect("it runs something");
    server.kill().unwrap();
    server.wait().unwrap();
    let all_gone = async {
        while !helpers.iter().all(|helper| is_gone(helper)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), all_gone).await.expect("helpers end with their server");
    nothing_stays(sandbox().await, helpers.into_iter().collect()).await;
}

#[tokio::test]
async fn runs_leave_nothing_behind() {
    let soak = Command::new(example("soak_runner")).arg("300").output().unwrap();
    println!("{}", String::from_utf8_lossy(&soak.stdout));
    assert!(soak.status.success(), "{}", String::from_utf8_lossy(&soak.stderr));
}

/// An example of this crate, which is built along with its tests.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let target = own.parent().and_then(Path::parent).expect("target/<profile>/deps");
    target.join("examples").join(name)
}

fn is(outcome: &Outcome, verdict: Verdict) -> bool {
    outcome.results.iter().any(|result| result.verdict == verdict)
}

async fn join_all<F: Future<Output = Outcome>>(all: impl Iterator<Item = F>) -> Vec<Outcome> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (future, outcome) in &mut all {
            if outcome.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *outcome = Some(done);
            }
        }
        if all.iter().all(|(_, outcome)| outcome.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    all.into_iter().filter_map(|(_, outcome)| outcome).collect()
}

/// Kills a helper, an init or a program after some of the runs' beginnings; how many in all, and
/// which of them were helpers.
fn kill_now_and_then(begun: &mpsc::Receiver<()>, mut seed: u64) -> (usize, BTreeSet<String>) {
    let mut random = move |below: u64| {
        // Knuth's MMIX generator; its high bits.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let (mut killed, mut helpers_killed) = (0, BTreeSet::new());
    while begun.recv().is_ok() {
        if random(ONE_IN) != 0 {
            continue;
        }
        let helpers = helpers();
        let inits: Vec<_> = helpers.iter().flat_map(|id| children_of(id)).collect();
        let programs: Vec<_> = inits.iter().flat_map(|id| children_of(id)).collect();
        let of = [&helpers, &inits, &programs][usize::try_from(random(3)).unwrap()];
        let Some(id) = of.get(usize::try_from(random(1 + of.len() as u64)).unwrap()) else {
            continue;
        };
        let pid = id.parse().ok().and_then(Pid::from_raw).expect("an id");
        if kill_process(pid, Signal::KILL).is_ok() {
            killed += 1;
            if helpers.contains(id) {
                helpers_killed.insert(id.clone());
            }
        }
    }
    (killed, helpers_killed)
}

/// What is left of helpers that were killed goes when the next one starts; what a sandbox that is
/// dropped leaves, at once.
async fn nothing_stays(sandbox: runner::NamespaceSandbox, mut dead: BTreeSet<String>) {
    let quiet = async {
        while !alive().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), quiet).await.expect("nothing is alive soon after");
    let outcome = sandbox.run(&job(Python, "print(1)"), &|_| ()).await;
    assert!(is(&outcome, Verdict::Accepted), "the slots work: {outcome:?}");
    dead.extend(helpers());
    drop(sandbox);
    let all_gone = async {
        while !dead.iter().all(|helper| is_gone(helper)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), all_gone).await.expect("helpers end with their sandbox");
    drop(crate::stage::sandbox().await);
    let left = groups_of(&dead);
    assert!(left.is_empty(), "groups: {left:?}");
}

/// Ended, be it not yet waited for.
pub(crate) fn is_gone(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

fn groups_of(helpers: &BTreeSet<String>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let name = entry.file_name();
                let name = name.to_str().and_then(|name| name.strip_prefix("polycode-"));
                found.extend(name.is_some_and(|id| helpers.contains(id)).then(|| entry.path()));
                open.push(entry.path());
            }
        }
    }
    found
}
