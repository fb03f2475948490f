//! Nothing is answered before it is on the disk: the whole program, from its socket to its log,
//! seen from outside in its system calls.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, ensure};
use domain::ids::CommandId;
use futures_util::{StreamExt, stream};
use loadtests::{
    candidate::{Candidate, PATIENCE},
    server::{Launch, Server, create_admin},
    socket::{Heard, Socket},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    setting::{Done, Setting, binary, settings},
    trace::{Trace, WATCHED},
};

/// How many candidates type side by side, so that their edits share commits.
const CANDIDATES: usize = 8;
/// How many edits each makes, one after the other.
const EDITS: usize = 12;
/// How many commands one of them sends in one go, without waiting for answers.
const BURST: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_done_leaves_before_the_sync_of_the_log_that_holds_its_event() -> Done {
    let Some((ids, trace)) = watched(|launch| launch).await? else { return Ok(()) };
    ensure!(trace.syncs() > 0 && trace.answers() >= ids.len(), "{} answers", trace.answers());
    ids.into_iter().try_for_each(|id| trace.check(id))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_of_syncs_notices_a_server_that_does_not_sync() -> Done {
    let unsynced = |launch: Launch| launch.with("--unsynced");
    let Some((ids, trace)) = watched(unsynced).await? else { return Ok(()) };
    ensure!(trace.answers() >= ids.len(), "{} answers", trace.answers());
    for id in ids {
        let found = trace.check(id).err().with_context(|| format!("{id} is well"))?.to_string();
        ensure!(found.contains("without a sync between"), "{found}");
    }
    Ok(())
}

/// Plays against a server whose system calls are written down: the commands that it answered, and
/// what it did. Nothing where there is no `strace`.
async fn watched(
    how: impl FnOnce(Launch) -> Launch,
) -> anyhow::Result<Option<(Vec<CommandId>, Trace)>> {
    if Command::new("strace").arg("-V").output().is_err() {
        ensure!(std::env::var_os("CI").is_none(), "strace must be there");
        eprintln!("left out: strace is not installed");
        return Ok(None);
    }
    let scratch = TempDir::new()?;
    let (data, path) = (scratch.path().join("data"), scratch.path().join("trace"));
    create_admin(binary()?, &data).await?;
    let launch = how(Launch::new(binary()?, true).behind(strace(&path)));
    let server = Server::launch(launch, &data).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let mut setting = Setting::on(server, creator, &settings(), questions, CANDIDATES).await?;
    let ids = play(&setting).await?;
    let process = setting.server.pid().context("it runs")?;
    setting.server.kill().await?;
    Ok(Some((ids, Trace::read(&whole(&path, process).await?)?)))
}

/// Beside the program and not above it, so that the program is the process that is started.
fn strace(to: &std::path::Path) -> Vec<String> {
    let to = to.display().to_string();
    ["strace", "-D", "-f", "-yy", "-xx", "-s", "1000000", "-e", WATCHED, "-o", &to, "--"]
        .map(str::to_owned)
        .to_vec()
}

/// The trace, once `strace` has written the end of `process`.
async fn whole(path: &PathBuf, process: u32) -> anyhow::Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path)?;
        let mut ends = text.lines().rev().take_while(|line| line.contains("+++"));
        if ends.any(|line| line.split(' ').next() == Some(&process.to_string())) {
            return Ok(text);
        }
        ensure!(Instant::now() < until, "strace does not end");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Edits one by one, side by side and in a burst: the commands that were answered.
async fn play(setting: &Setting) -> anyhow::Result<Vec<CommandId>> {
    let all = stream::iter(setting.all_started().await?);
    let edits = all.map(type_on).buffer_unordered(CANDIDATES).collect::<Vec<_>>().await;
    let mut ids = vec![];
    for edited in edits {
        let (candidate, edited) = edited?;
        ids.extend(edited);
        if ids.len() == EDITS {
            ids.extend(burst(&candidate).await?);
        }
    }
    Ok(ids)
}

async fn type_on(mut candidate: Candidate) -> anyhow::Result<(Candidate, Vec<CommandId>)> {
    let mut ids = vec![];
    for _ in 0..EDITS {
        let change = candidate.text.typed(&mut candidate.random);
        let id = candidate.send_change(change, true).await;
        let answer = candidate.answer(id).await?;
        ensure!(answer.is_ok(), "{answer:?}");
        ids.push(id);
    }
    Setting::all_well(&candidate)?;
    Ok((candidate, ids))
}

/// Many answers to a question at once, each another than the one before.
async fn burst(of: &Candidate) -> anyhow::Result<Vec<CommandId>> {
    let mut socket = Socket::open(&of.browser).await?;
    let mut waiting: Vec<CommandId> = (0..BURST).map(|_| CommandId::random()).collect();
    let all = waiting.clone();
    for (n, id) in all.iter().enumerate() {
        let answer =
            json!({ "type": "answer", "seat": of.seat, "question": 0, "choices": [n % 2] });
        let to = format!("session.{}", of.session);
        let ask = json!({ "type": "do", "command_id": id, "to": to, "command": answer });
        socket.send(&ask).await?;
    }
    while !waiting.is_empty() {
        let heard = socket.next().await;
        let Heard::Done { command_id, .. } = heard else { anyhow::bail!("{heard:?}") };
        waiting.retain(|id| *id != command_id);
    }
    Ok(all)
}
