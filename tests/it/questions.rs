//! Questions, each in its time.

use anyhow::ensure;
use domain::at::Ms;
use hyper::StatusCode;
use loadtests::{candidate::Candidate, http::Reply, server::Server};
use serde_json::json;

use crate::setting::{Done, Setting, binary, settings};

/// A test where questions come one after the other.
async fn linear(limit: Ms) -> anyhow::Result<Setting> {
    let server = Server::start(binary()?, true).await?;
    let mut creator = server.creator().await?;
    let questions = vec![creator.quiz(1, Some(limit)).await?, creator.code(9, None).await?];
    Setting::on(server, creator, &settings(), questions, 1).await
}

async fn question(of: &mut Candidate, n: u16) -> anyhow::Result<Reply> {
    of.browser.get(&format!("/api/v1/sit/{}/questions/{n}", of.session)).await
}

async fn start(candidate: &mut Candidate) -> Done {
    let answer = candidate.ask(json!({ "type": "start", "seat": candidate.seat })).await?;
    ensure!(answer.is_ok(), "{answer:?}");
    let is_open = |view: &loadtests::view::View| view.row("question.0")["state"] == "open";
    candidate.until("the first question", is_open).await
}

#[tokio::test]
async fn us_085_a_question_is_sent_in_its_time_only() -> Done {
    let setting = linear(Ms::from_secs(600)).await?;
    let mut candidate = setting.first().await?;
    ensure!(question(&mut candidate, 0).await?.status == StatusCode::FORBIDDEN);
    start(&mut candidate).await?;
    let first = question(&mut candidate, 0).await?.done()?;
    ensure!(first["title"] == "Which one?", "{first}");
    let early = question(&mut candidate, 1).await?;
    ensure!(early.status == StatusCode::FORBIDDEN, "{early:?}");
    ensure!(candidate.view.row("question.1")["title"].is_null(), "its title is told");
    ensure!(candidate.files().await?.is_empty(), "its files are told");
    let seat = candidate.seat;
    let jump = json!({ "type": "run", "seat": seat, "question": 1, "kind": "all" });
    ensure!(candidate.ask(jump).await?.is_err_and(|why| why.code == "question_not_open"));
    ensure!(candidate.ask(json!({ "type": "next_question", "seat": seat })).await?.is_ok());
    candidate.until("the next", |view| view.row("question.1")["state"] == "open").await?;
    ensure!(question(&mut candidate, 1).await?.done()?["title"] == "Sum");
    let back = json!({ "type": "answer", "seat": seat, "question": 0, "choices": [0] });
    ensure!(candidate.ask(back).await?.is_err_and(|why| why.code == "time_is_up"));
    candidate.load(1).await?;
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn us_085_the_next_question_comes_when_the_time_of_one_is_up() -> Done {
    let setting = linear(Ms(1_500)).await?;
    let mut candidate = setting.first().await?;
    start(&mut candidate).await?;
    candidate.until("the next", |view| view.row("question.1")["state"] == "open").await?;
    let row = candidate.view.row("question.0");
    ensure!(row["state"] == "time_up", "{row}");
    candidate.until("the seal", |view| view.row("question.0")["state"] == "sealed").await?;
    ensure!(candidate.view.row("session")["sealed_at"].is_null(), "everything is sealed");
    candidate.load(1).await?;
    let change = candidate.text.appended("# on\n");
    ensure!(candidate.edit(change).await?.is_ok());
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn us_086_each_question_has_its_points_and_hides_its_answer() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let quiz = question(&mut candidate, 0).await?.done()?;
    ensure!(quiz["points"] == 1.0, "{quiz}");
    ensure!(!quiz.to_string().contains("right"), "{quiz}");
    let code = question(&mut candidate, 1).await?.done()?;
    ensure!(code["points"] == 9.0, "{code}");
    let validators = &code["component"]["validators"];
    ensure!(validators[0]["input"] == "2 2\n" && validators[0]["expected"] == "4\n", "{code}");
    ensure!(validators[1]["input"].is_null() && validators[1]["expected"].is_null(), "{code}");
    ensure!(!code.to_string().contains("42"), "{code}");
    ensure!(candidate.view.row("session")["points"] == 10.0);
    Ok(())
}
