//! Deadlines, gifts, pauses: they reach those who sit, at once, and alike for everybody.

use anyhow::ensure;
use domain::{
    at::{At, Ms},
    campaign::Settings,
    ports::Clock,
};
use loadtests::{candidate::Candidate, monitor::Monitor, player::moment};
use serde_json::{Value, json};
use storage::SystemClock;

use crate::setting::{Done, Setting, settings};

fn closing(closes_at: At) -> Settings {
    Settings { closes_at: Some(closes_at), ..settings() }
}

fn ends_at(of: &Candidate) -> At {
    At(moment(of.view.row("session"), "ends_at").unwrap_or(0))
}

async fn ends(candidate: &mut Candidate, at: At) -> Done {
    candidate.until("another end", |view| view.row("session")["ends_at"] == json!(at)).await
}

#[tokio::test]
async fn us_083_a_deadline_moved_later_reaches_who_sits() -> Done {
    let soon = SystemClock.now() + Ms::from_secs(600);
    let mut setting = Setting::with(&closing(soon), 1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    ensure!(ends_at(&candidate) == soon, "{:?}", ends_at(&candidate));
    let later = soon + Ms::from_secs(600);
    setting.creator.configure(setting.campaign, &closing(later)).await?;
    ends(&mut candidate, later).await?;
    let mut monitor = Monitor::open(&setting.creator.browser, setting.campaign).await?;
    let key = format!("c.{}", candidate.session);
    monitor.until(|view| view.row(&key)["candidate"]["ends_at"] == json!(later)).await?;
    // Moved earlier, it takes nothing from who sits already.
    setting.creator.configure(setting.campaign, &closing(soon)).await?;
    candidate.until("the terms", |view| view.row("session")["closes_at"] == json!(soon)).await?;
    ensure!(ends_at(&candidate) == later, "{:?}", ends_at(&candidate));
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn us_091_nobody_starts_before_the_start_or_after_the_deadline() -> Done {
    let now = SystemClock.now();
    let opens_at = Some(now + Ms::from_secs(3_600));
    let mut setting = Setting::with(&Settings { opens_at, ..settings() }, 1).await?;
    let mut candidate = setting.first().await?;
    let start = json!({ "type": "start", "seat": candidate.seat });
    let refused = candidate.ask(start.clone()).await?;
    ensure!(refused.is_err_and(|why| why.code == "not_open_yet"), "it was started");
    let question = format!("/api/v1/sit/{}/questions/0", candidate.session);
    let refused = candidate.browser.get(&question).await?;
    ensure!(refused.code() == "question_not_open", "{refused:?}");
    let (opens_at, closes_at) = (Some(now + Ms(-2_000)), Some(now + Ms(-1_000)));
    let over = Settings { opens_at, closes_at, ..settings() };
    setting.creator.configure(setting.campaign, &over).await?;
    candidate
        .until("the terms", |view| view.row("session")["closes_at"] == json!(closes_at))
        .await?;
    let refused = candidate.ask(start).await?;
    ensure!(refused.is_err_and(|why| why.code == "closed"), "it was started");
    setting.creator.configure(setting.campaign, &settings()).await?;
    candidate.until("the terms", |view| view.row("session")["closes_at"].is_null()).await?;
    candidate.start(1).await
}

#[tokio::test]
async fn us_083_time_is_given_to_one_and_to_all() -> Done {
    let mut setting = Setting::new(2).await?;
    let mut all = setting.all_started().await?;
    let before: Vec<At> = all.iter().map(ends_at).collect();
    let session = all[0].session;
    setting.post("time", json!({ "session": session, "by_ms": 60_000 })).await?;
    ends(&mut all[0], before[0] + Ms(60_000)).await?;
    setting.post("time", json!({ "session": null, "by_ms": 30_000 })).await?;
    ends(&mut all[0], before[0] + Ms(90_000)).await?;
    ends(&mut all[1], before[1] + Ms(30_000)).await?;
    all.iter().try_for_each(Setting::all_well)
}

#[tokio::test]
async fn us_083_a_pause_stops_the_clock_and_gives_it_back() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let before = ends_at(&candidate);
    setting.post("pause", json!({})).await?;
    candidate.until("the pause", |view| !view.row("session")["paused_at"].is_null()).await?;
    let seat = candidate.seat;
    let run = json!({ "type": "run", "seat": seat, "question": 1, "kind": "all" });
    let refused = candidate.ask(run).await?;
    ensure!(refused.is_err_and(|why| why.code == "paused"), "it was run");
    let typed = candidate.text.appended("# in the pause\n");
    let answer = candidate.edit(typed).await?;
    ensure!(answer.as_ref().is_ok_and(|it| it["late"] == 0), "{answer:?}");
    setting.post("resume", json!({})).await?;
    candidate.until("the end of it", |view| view.row("session")["paused_at"].is_null()).await?;
    let row = candidate.view.row("session").clone();
    let shift = Ms(moment(&row, "shift_ms").unwrap_or(0));
    ensure!(Ms(0) < shift && ends_at(&candidate) == before + shift, "{row}");
    let typed = candidate.text.appended("# after the pause\n");
    let answer = candidate.edit(typed).await?;
    ensure!(answer.as_ref().is_ok_and(|it| it["rev"] == 1), "{answer:?}");
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn who_waits_sees_a_pause_before_they_press_start() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    ensure!(candidate.view.row("session")["held"] == false);
    setting.post("pause", json!({})).await?;
    candidate.until("the pause", |view| view.row("session")["held"] == true).await?;
    let refused = candidate.ask(json!({ "type": "start", "seat": candidate.seat })).await?;
    ensure!(refused.is_err_and(|why| why.code == "paused"), "it was started");
    setting.post("resume", json!({})).await?;
    candidate.until("the end of it", |view| view.row("session")["held"] == false).await?;
    candidate.start(1).await
}

#[tokio::test]
async fn time_is_up_for_everybody_at_the_same_moment_and_never_before() -> Done {
    let mut setting = Setting::new(5).await?;
    let closes_at = SystemClock.now() + Ms::from_secs(8);
    setting.creator.configure(setting.campaign, &closing(closes_at)).await?;
    let mut all = vec![];
    for added in &setting.added {
        let mut candidate = setting.open(added).await?;
        let told =
            |view: &loadtests::view::View| view.row("session")["closes_at"] == json!(closes_at);
        candidate.until("the deadline", told).await?;
        candidate.start(1).await?;
        all.push(candidate);
    }
    for candidate in &mut all {
        let is_sealed = |row: &Value| !row["sealed_at"].is_null();
        candidate.until("the seal", |view| is_sealed(view.row("session"))).await?;
        let row = candidate.view.row("session");
        ensure!(row["ends_at"] == json!(closes_at) && row["status"] == "test_finished", "{row}");
        let up_at = moment(row, "time_up_at").unwrap_or(0);
        ensure!(closes_at.0 <= up_at, "{} ms early", closes_at.0 - up_at);
        let typed = candidate.text.appended("# too late\n");
        let answer = candidate.edit(typed).await?;
        ensure!(answer.as_ref().is_ok_and(|it| it["late"] == 0), "{answer:?}");
        Setting::all_well(candidate)?;
    }
    Ok(())
}
