//! A candidate's status, from the invitation to the end, as everybody sees it.

use anyhow::ensure;
use loadtests::{candidate::Candidate, monitor::Monitor};
use serde_json::{Value, json};

use crate::setting::{Done, Setting};

/// Waits until candidate and monitor show `status`.
async fn shows(candidate: &mut Candidate, monitor: &mut Monitor, status: &str) -> Done {
    let key = format!("c.{}", candidate.session);
    monitor.until(|view| view.row(&key)["candidate"]["status"] == status).await?;
    candidate.until(status, |view| view.row("session")["status"] == status).await
}

async fn press(candidate: &mut Candidate, command: Value) -> Done {
    let answer = candidate.ask(command.clone()).await?;
    ensure!(answer.is_ok(), "{command}: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn us_088_us_089_us_092_from_the_link_to_the_end() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut monitor = Monitor::open(&setting.creator.browser, setting.campaign).await?;
    let key = format!("c.{}", setting.added[0].session);
    monitor.until(|view| view.row(&key)["candidate"]["status"] == "confirmation_pending").await?;
    let path = format!("candidates/{}/sent", setting.added[0].session);
    setting.post(&path, json!({})).await?;
    monitor.until(|view| view.row(&key)["candidate"]["status"] == "test_sent").await?;
    let mut candidate = setting.first().await?;
    press(&mut candidate, json!({ "type": "accept" })).await?;
    candidate.until("the yes", |view| view.row("session")["accepted"] == true).await?;
    shows(&mut candidate, &mut monitor, "test_sent").await?;
    let mut candidate = setting.first().await?;
    shows(&mut candidate, &mut monitor, "test_opened").await?;
    // Sent once more, it is still opened.
    setting.post(&path, json!({})).await?;
    press(&mut candidate, json!({ "type": "decline", "reason": "I am ill" })).await?;
    shows(&mut candidate, &mut monitor, "declined").await?;
    ensure!(monitor.view.row(&key)["candidate"]["decline_reason"] == "I am ill", "no reason");
    press(&mut candidate, json!({ "type": "accept" })).await?;
    shows(&mut candidate, &mut monitor, "confirmed").await?;
    candidate.start(1).await?;
    shows(&mut candidate, &mut monitor, "test_in_process").await?;
    let refused = candidate.ask(json!({ "type": "decline" })).await?;
    ensure!(refused.is_err_and(|why| why.code == "wrong_stage"), "declined in the middle");
    let seat = candidate.seat;
    press(&mut candidate, json!({ "type": "hand_in", "seat": seat })).await?;
    shows(&mut candidate, &mut monitor, "test_finished").await?;
    let row = setting.row(&candidate).await?;
    ensure!(row["handed_in"] == true && row["status"] == "test_finished", "{row}");
    ensure!(monitor.problems.is_empty(), "{:?}", monitor.problems);
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn us_089_who_declined_is_invited_again() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    press(&mut candidate, json!({ "type": "decline" })).await?;
    let path = format!("candidates/{}/invite", candidate.session);
    setting.post(&path, json!({})).await?;
    let pending =
        |view: &loadtests::view::View| view.row("session")["status"] == "confirmation_pending";
    candidate.until("the new invitation", pending).await?;
    candidate.start(1).await
}
