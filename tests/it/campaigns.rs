//! What a creator does with a campaign.

use anyhow::ensure;
use domain::at::Ms;
use hyper::StatusCode;
use loadtests::monitor::Monitor;
use serde_json::json;

use crate::setting::{Done, Setting, settings};

#[tokio::test]
async fn us_075_us_076_people_are_added_one_by_one_refused_one_by_one() -> Done {
    let mut setting = Setting::new(2).await?;
    let people = json!([
        { "name": "Aya", "email": "aya@example.org", "tags": [] },
        { "name": "Again", "email": "c00000@example.org", "tags": [] },
        { "name": "Nowhere", "email": "nowhere", "tags": [] },
        { "name": "Zoé", "email": "zoe@example.org", "tags": ["été"] },
    ]);
    let added = setting.post("candidates", json!({ "candidates": people })).await?;
    ensure!(added["added"].as_array().map(Vec::len) == Some(2), "{added}");
    let codes: Vec<_> = added["refused"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| (&it["line"], &it["code"]))
        .collect();
    ensure!(
        codes == [(&json!(2), &json!("email_taken")), (&json!(3), &json!("bad_email"))],
        "{added}"
    );
    let read = setting.creator.read(setting.campaign).await?;
    ensure!(read["candidates"].as_array().map(Vec::len) == Some(4), "{read}");
    Ok(())
}

#[tokio::test]
async fn us_077_people_are_removed_and_a_started_one_only_by_name() -> Done {
    let mut setting = Setting::new(2).await?;
    let mut first = setting.first().await?;
    first.start(1).await?;
    let mut second = setting.open(&setting.added[1]).await?;
    let path = setting.path(&second, "");
    setting.creator.browser.delete(&path, &json!({})).await?.done()?;
    second.until("the end", |view| view.row("session")["status"] == "cancelled").await?;
    let refused = second.ask(json!({ "type": "start", "seat": second.seat })).await?;
    ensure!(refused.is_err_and(|why| why.code == "wrong_stage"), "it was started");
    let read = second.browser.get(&format!("/api/v1/links/{}", setting.added[1].code)).await?;
    ensure!(read.json()["state"] == "cancelled", "{read:?}");

    let path = setting.path(&first, "");
    let refused = setting.creator.browser.delete(&path, &json!({})).await?;
    ensure!(refused.status == StatusCode::CONFLICT && refused.code() == "confirm_name");
    let name = setting.view(&first).await?["name"].take();
    setting.creator.browser.delete(&path, &json!({ "confirm": name })).await?.done()?;
    let change = first.text.appended("# still here\n");
    ensure!(first.edit(change).await?.is_ok(), "the session is kept");
    Ok(())
}

#[tokio::test]
async fn us_082_tags_are_kept_and_shown() -> Done {
    let mut setting = Setting::new(2).await?;
    let candidate = setting.first().await?;
    let view = setting.view(&candidate).await?;
    ensure!(view["tags"] == json!(["even"]), "{view}");
    let mut monitor = Monitor::open(&setting.creator.browser, setting.campaign).await?;
    let changed = json!({
        "name": "Aya", "email": "aya@example.org", "tags": ["Lyon", "2026"], "alias": null,
    });
    setting.creator.browser.put(&setting.path(&candidate, ""), &changed).await?.done()?;
    let key = format!("c.{}", candidate.session);
    let is_there = json!(["Lyon", "2026"]);
    monitor
        .until(|view| view.row(&key)["tags"] == is_there && view.row(&key)["name"] == "Aya")
        .await?;
    ensure!(setting.view(&candidate).await?["tags"] == is_there);
    Ok(())
}

#[tokio::test]
async fn us_090_who_has_not_started_takes_the_new_test() -> Done {
    let mut setting = Setting::new(2).await?;
    let mut started = setting.first().await?;
    started.start(1).await?;
    let mut waiting = setting.open(&setting.added[1]).await?;
    let questions = vec![setting.creator.code(5, None).await?];
    let (title, time_allowed) = ("Another".to_owned(), Ms::from_secs(60));
    let test = domain::plan::Test { title, time_allowed, questions };
    let test = setting.creator.test(&test).await?;
    let path = format!("/api/v1/campaigns/{}/test", setting.campaign);
    setting.creator.browser.put(&path, &json!({ "id": test })).await?.done()?;
    waiting.until("the new test", |view| view.row("session")["questions"] == 1).await?;
    waiting.start(0).await?;
    ensure!(started.view.row("session")["questions"] == 2, "a running test changed");
    let change = started.text.appended("# on\n");
    ensure!(started.edit(change).await?.is_ok());
    ensure!(started.view.row("session")["questions"] == 2, "a running test changed");
    Ok(())
}

#[tokio::test]
async fn us_090_an_announcement_reaches_everybody() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    setting.post("announce", json!({ "text": "Question 2 has a misprint." })).await?;
    let told = |view: &loadtests::view::View| {
        view.row("session")["announcement"]["text"] == "Question 2 has a misprint."
    };
    candidate.until("the announcement", told).await
}

#[tokio::test]
async fn us_094_us_100_points_are_in_the_table_of_results() -> Done {
    let mut setting = Setting::with(&settings(), 2).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let seat = candidate.seat;
    let answer = json!({ "type": "answer", "seat": seat, "question": 0, "choices": [0] });
    ensure!(candidate.ask(answer).await?.is_ok());
    let change = candidate.text.appended("# done\n");
    ensure!(candidate.edit(change).await?.is_ok());
    ensure!(candidate.ask(json!({ "type": "hand_in", "seat": seat })).await?.is_ok());
    let judged = |view: &loadtests::view::View| {
        view.rows.iter().any(|(key, row)| key.starts_with("run.") && row["state"] == "judged")
    };
    candidate.until("the verdict", judged).await?;
    let row = setting.row(&candidate).await?;
    ensure!(row["score"] == 10.0 && row["status"] == "test_finished", "{row}");
    let path = format!("/api/v1/campaigns/{}/results.csv", setting.campaign);
    let reply = setting.creator.browser.get(&path).await?;
    let text = String::from_utf8(reply.body.to_vec())?;
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
    let head = r#""name","email","tags","status","started_at","ended_at","score","1. Which one?","2. Sum""#;
    ensure!(lines.len() == 3 && lines[0] == head, "{text}");
    ensure!(
        lines[1].starts_with(r#""Candidate 00000","c00000@example.org","even","test_finished","#),
        "{text}"
    );
    ensure!(lines[1].ends_with(r#","10","1","9""#), "{text}");
    ensure!(lines[2].ends_with(r#""confirmation_pending","","","","","""#), "{text}");
    Ok(())
}
