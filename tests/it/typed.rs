//! Runs that their candidate stops and types into, with a real sandbox, over the socket.

use anyhow::{Context, ensure};
use domain::at::Ms;
use loadtests::{
    candidate::{Candidate, PATIENCE},
    server::Server,
    socket::{Heard, Socket},
};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::setting::{Done, Setting, binary, settings};

/// A candidate with this program, who has asked for a run of `kind`, and what watches its output.
async fn running(
    setting: &Setting,
    program: &str,
    kind: &str,
) -> anyhow::Result<(Candidate, Socket, String)> {
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let change = candidate.text.replaced(program);
    candidate.edit(change).await?.map_err(|why| anyhow::anyhow!("{}", why.text))?;
    let run = json!({
        "type": "run", "seat": candidate.seat, "question": 1, "kind": kind, "stdin": "",
    });
    let answer = candidate.ask(run).await?.map_err(|why| anyhow::anyhow!("{}", why.text))?;
    let submission = answer["submission"].as_str().context("a submission")?.to_owned();
    let mut socket = Socket::open(&candidate.browser).await?;
    socket.watch(&format!("output.{submission}"), (0, 0)).await?;
    Ok((candidate, socket, submission))
}

/// Reads until `is_so` of all chunks of standard output since the last reset.
async fn until(
    socket: &mut Socket,
    is_so: impl Fn(&[Value]) -> bool,
) -> anyhow::Result<Vec<Value>> {
    let mut chunks = vec![];
    let read = async {
        while !is_so(&chunks) {
            let heard = socket.next().await;
            ensure!(!matches!(heard, Heard::Closed(_)), "{heard:?}");
            let Heard::Rows(rows) = heard else { continue };
            if rows.reset {
                chunks.clear();
            }
            let printed = rows.rows.into_iter().filter(|row| row.key == "0.stdout");
            chunks.extend(printed.map(|row| row.value));
        }
        Ok(())
    };
    timeout(PATIENCE, read).await.context("it was never so")??;
    Ok(chunks)
}

fn text(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["text"].as_str()).collect()
}

async fn judged(candidate: &mut Candidate, submission: &str) -> anyhow::Result<Value> {
    let key = format!("run.{submission}");
    candidate.until("the verdict", |view| view.row(&key)["state"] == "judged").await?;
    Ok(candidate.view.row(&key)["results"][0].clone())
}

async fn a_server() -> anyhow::Result<Setting> {
    let server = Server::start(binary()?, false).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    Setting::on(server, creator, &settings(), questions, 1).await
}

#[tokio::test]
async fn a_candidate_types_into_a_program_that_runs_and_loads_the_page_in_between() -> Done {
    let setting = a_server().await?;
    let program = "name = input('name? ')\nage = int(input('age? '))\nprint(name, age + 1)\n";
    let (mut candidate, mut socket, submission) = running(&setting, program, "interactive").await?;
    until(&mut socket, |chunks| text(chunks) == "name? ").await?;
    candidate
        .send_frame(&json!({ "type": "type", "submission": submission, "text": "Ada\n" }))
        .await;
    until(&mut socket, |chunks| text(chunks).ends_with("age? ")).await?;
    // The page is loaded again: everything so far is there, without a gap.
    let mut again = Socket::open(&candidate.browser).await?;
    again.watch(&format!("output.{submission}"), (0, 0)).await?;
    let chunks = until(&mut again, |chunks| text(chunks) == "name? Ada\nage? ").await?;
    let mut end = 0;
    for chunk in &chunks {
        ensure!(chunk["offset"] == end, "{chunks:?}");
        end += chunk["text"].as_str().context("text")?.len();
    }
    ensure!(chunks.iter().filter(|chunk| chunk["typed"] == true).count() == 1, "{chunks:?}");
    candidate
        .send_frame(&json!({ "type": "type", "submission": submission, "text": "36\n" }))
        .await;
    let result = judged(&mut candidate, &submission).await?;
    ensure!(result["verdict"] == "accepted", "{result}");
    ensure!(result["stdout"] == "name? Ada\nage? 36\nAda 37\n", "{result}");
    // What comes now reaches nothing, and is answered.
    again.send(&json!({ "type": "type", "submission": submission, "text": "x" })).await?;
    loop {
        let heard = timeout(PATIENCE, again.next()).await?;
        ensure!(!matches!(heard, Heard::Closed(_)), "{heard:?}");
        if let Heard::Untyped { why, .. } = heard {
            ensure!(why.code == "run_over", "{why:?}");
            break;
        }
    }
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_candidate_stops_a_run_and_keeps_what_it_printed() -> Done {
    let setting = a_server().await?;
    let program = "import time\nprint('last words', end='')\ntime.sleep(5)\n";
    let (mut candidate, mut socket, submission) = running(&setting, program, "free").await?;
    until(&mut socket, |chunks| text(chunks) == "last words").await?;
    candidate.send_frame(&json!({ "type": "stop", "submission": submission })).await;
    let result = judged(&mut candidate, &submission).await?;
    ensure!(result["verdict"] == "stopped" && result["stdout"] == "last words", "{result}");
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn nobody_types_into_the_run_of_another() -> Done {
    let server = Server::start(binary()?, false).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let settings = domain::campaign::Settings { time_allowed: Ms::from_secs(3_600), ..settings() };
    let setting = Setting::on(server, creator, &settings, questions, 2).await?;
    let (mut candidate, mut socket, submission) =
        running(&setting, "print(input('? '))\n", "interactive").await?;
    until(&mut socket, |chunks| text(chunks) == "? ").await?;
    let other = setting.open(setting.added.get(1).context("two were added")?).await?;
    let mut others = Socket::open(&other.browser).await?;
    for frame in [
        json!({ "type": "type", "submission": submission, "text": "mine\n" }),
        json!({ "type": "end_input", "submission": submission }),
        json!({ "type": "stop", "submission": submission }),
    ] {
        others.send(&frame).await?;
        let heard = timeout(PATIENCE, others.next()).await?;
        ensure!(
            matches!(&heard, Heard::Untyped { why, .. } if why.code == "forbidden"),
            "{heard:?}"
        );
    }
    candidate
        .send_frame(&json!({ "type": "type", "submission": submission, "text": "own\n" }))
        .await;
    let result = judged(&mut candidate, &submission).await?;
    ensure!(result["stdout"] == "? own\nown\n", "{result}");
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_lets_what_runs_end() -> Done {
    let mut setting = a_server().await?;
    let program = "import time\nprint('begun')\ntime.sleep(1.5)\nprint('done')\n";
    let (mut candidate, mut socket, submission) = running(&setting, program, "free").await?;
    until(&mut socket, |chunks| text(chunks) == "begun\n").await?;
    let status = setting.server.stop().await?;
    ensure!(status.success(), "{status}");
    setting.server.start_again()?;
    setting.server.ready().await?;
    // It was run once: by the server that stopped.
    let result = judged(&mut candidate, &submission).await?;
    ensure!(result["stdout"] == "begun\ndone\n", "{result}");
    let stored = setting.server.log();
    ensure!(!stored.contains("could not be given back"), "{stored}");
    Ok(())
}

#[tokio::test]
async fn what_runs_too_long_for_a_server_that_stops_is_run_by_the_next_one() -> Done {
    let mut setting = a_server().await?;
    let program = "print(input('? '))\n";
    let (mut candidate, mut socket, submission) = running(&setting, program, "interactive").await?;
    until(&mut socket, |chunks| text(chunks) == "? ").await?;
    let status = setting.server.stop().await?;
    ensure!(status.success(), "{status}");
    setting.server.start_again()?;
    setting.server.ready().await?;
    let mut again = Socket::open(&candidate.browser).await?;
    again.watch(&format!("output.{submission}"), (0, 0)).await?;
    until(&mut again, |chunks| text(chunks) == "? ").await?;
    again.send(&json!({ "type": "type", "submission": submission, "text": "x\n" })).await?;
    let result = judged(&mut candidate, &submission).await?;
    ensure!(result["stdout"] == "? x\nx\n", "{result}");
    Ok(())
}
