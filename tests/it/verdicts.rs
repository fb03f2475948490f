//! Runs, and what they tell.

use anyhow::{Context, ensure};
use loadtests::{candidate::Candidate, server::Server, typist::Text, view::View};
use serde_json::{Value, json};

use crate::setting::{Done, Setting, binary, settings};

/// Replaces the whole text.
async fn write(candidate: &mut Candidate, new: &str) -> Done {
    let change = candidate.text.replaced(new);
    let answer = candidate.edit(change).await?;
    ensure!(answer.is_ok(), "{answer:?}");
    ensure!(candidate.text == Text::new(new, candidate.text.rev));
    Ok(())
}

/// Runs everything; the row of the run once it is judged.
async fn run(candidate: &mut Candidate, kind: &str) -> anyhow::Result<Value> {
    let run = json!({ "type": "run", "seat": candidate.seat, "question": 1, "kind": kind });
    let answer = candidate.ask(run).await?.map_err(|why| anyhow::anyhow!("{}", why.text))?;
    let key = format!("run.{}", answer["submission"].as_str().context("a submission")?);
    candidate.until("the verdict", |view: &View| view.row(&key)["state"] == "judged").await?;
    Ok(candidate.view.row(&key).clone())
}

/// Of a hidden validator only passed or failed is told.
fn is_hidden(result: &Value, verdict: &str) -> Done {
    let told = |field: &str| result[field].as_str().is_some_and(|text| !text.is_empty());
    ensure!(result["shown"] == false && result["verdict"] == verdict, "{result}");
    ensure!(!told("detail") && !told("stdout") && !told("stderr"), "{result}");
    Ok(())
}

#[tokio::test]
async fn a_hidden_validator_tells_only_whether_it_passed() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    for (text, shown, hidden) in [
        ("# anything\n", "accepted", "accepted"),
        ("# print 4\n", "accepted", "rejected"),
        ("# wrong\n", "wrong_answer", "rejected"),
        ("# time limit\n", "time_limit", "rejected"),
    ] {
        write(&mut candidate, text).await?;
        let row = run(&mut candidate, "all").await?;
        ensure!(row["results"][0]["verdict"] == shown, "{text} {row}");
        is_hidden(&row["results"][1], hidden)?;
        ensure!(!row["results"][1].to_string().contains("42"), "{row}");
    }
    let examples = run(&mut candidate, "examples").await?;
    ensure!(examples["results"].as_array().map(Vec::len) == Some(1), "{examples}");
    let best = &candidate.view.row("question.1")["best"];
    ensure!(best["passed"] == 2 && best["score"] == 9.0, "{best}");
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn python_is_run_and_judged_for_real() -> Done {
    let server = Server::start(binary()?, false).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let setting = Setting::on(server, creator, &settings(), questions, 1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    write(&mut candidate, "a, b = map(int, input().split())\nprint(a + b)\n").await?;
    let right = run(&mut candidate, "all").await?;
    ensure!(right["results"][0]["verdict"] == "accepted", "{right}");
    ensure!(right["results"][0]["stdout"] == "4\n", "{right}");
    is_hidden(&right["results"][1], "accepted")?;
    write(&mut candidate, "print('😀', input())\n").await?;
    let wrong = run(&mut candidate, "all").await?;
    ensure!(wrong["results"][0]["verdict"] == "wrong_answer", "{wrong}");
    ensure!(wrong["results"][0]["stdout"] == "😀 2 2\n", "{wrong}");
    is_hidden(&wrong["results"][1], "rejected")?;
    write(&mut candidate, "raise SystemExit(3)\n").await?;
    let failed = run(&mut candidate, "all").await?;
    ensure!(failed["results"][0]["verdict"] == "runtime_error", "{failed}");
    Setting::all_well(&candidate)
}
