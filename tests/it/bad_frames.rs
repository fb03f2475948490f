//! Bad frames: refused in a sentence, and the server goes on.

use anyhow::{Context, ensure};
use domain::ids::CommandId;
use hyper::StatusCode;
use loadtests::{
    http::Http,
    socket::{Heard, Socket},
};
use serde_json::{Value, json};

use crate::setting::{Done, Setting};

/// How a socket ended after `text` was sent.
async fn ending(browser: &Http, text: String) -> anyhow::Result<Option<u16>> {
    let mut socket = Socket::open(browser).await?;
    // It may be closed before all of it is taken.
    socket.send_text(text).await.ok();
    Ok(end_of(&mut socket).await)
}

async fn end_of(socket: &mut Socket) -> Option<u16> {
    loop {
        if let Heard::Closed(code) = socket.next().await {
            return code;
        }
    }
}

#[tokio::test]
async fn a_frame_that_is_none_closes_its_socket_only() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    let browser = candidate.browser.clone();
    for text in
        ["{", "[]", "\"ping\"", r#"{"type":"ping"}"#, r#"{"type":"ping","sent_ms":1,"x":1}"#]
    {
        let code = ending(&browser, text.to_owned()).await?;
        ensure!(code == Some(4_500), "{text} ended with {code:?}");
    }
    let long = format!(r#"{{"type":"unwatch","topic":"{}"}}"#, "x".repeat(600 * 1024));
    let code = ending(&browser, long).await?;
    ensure!(code == Some(4_500), "a long frame ended with {code:?}");
    candidate.start(1).await?;
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_flood_of_frames_closes_its_socket_only() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    let mut socket = Socket::open(&candidate.browser).await?;
    for _ in 0..5_000 {
        let ping = json!({ "type": "ping", "sent_ms": 1 });
        if socket.send(&ping).await.is_err() {
            break;
        }
    }
    let code = end_of(&mut socket).await;
    ensure!(code == Some(4_003), "{code:?}");
    candidate.start(1).await?;
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_socket_watches_so_many_topics_and_others_once_it_lets_go_of_some() -> Done {
    let setting = Setting::new(0).await?;
    let mut socket = Socket::open(&setting.creator.browser).await?;
    // An administrator may look at any session, also before there is one.
    let session = |n: u32| format!("session.00000000-0000-4000-8000-0000000000{n:02}");
    let mut watch = async |n: u32, before: Option<u32>| {
        if let Some(before) = before {
            socket.send(&json!({ "type": "unwatch", "topic": session(before) })).await?;
        }
        socket.watch(&session(n), (0, 0)).await?;
        anyhow::Ok(socket.next().await)
    };
    for n in 0..32 {
        ensure!(matches!(watch(n, None).await?, Heard::Rows(_)), "topic {n}");
    }
    let heard = watch(32, None).await?;
    let Heard::Unwatched { why, .. } = &heard else { anyhow::bail!("{heard:?}") };
    ensure!(why.code == "too_many_topics" && why.text.contains(' '), "{why:?}");
    ensure!(matches!(watch(32, Some(0)).await?, Heard::Rows(_)));
    Ok(())
}

#[tokio::test]
async fn what_is_not_theirs_is_refused_to_a_candidate() -> Done {
    let setting = Setting::new(2).await?;
    let mut first = setting.first().await?;
    let second = setting.open(&setting.added[1]).await?;
    let mut socket = Socket::open(&first.browser).await?;
    let theirs = format!("session.{}", second.session);
    let monitor = format!("monitor.{}", setting.campaign);
    let nobodys = "session.00000000-0000-4000-8000-000000000009";
    let mut texts = std::collections::BTreeSet::new();
    for (topic, code) in [
        ("nonsense", "not_found"),
        ("session.1", "not_found"),
        ("contents", "not_found"),
        ("gateways", "not_found"),
        (nobodys, "not_found"),
        (&theirs, "not_found"),
        (&monitor, "not_found"),
    ] {
        socket.watch(topic, (0, 0)).await?;
        let heard = socket.next().await;
        let Heard::Unwatched { why, .. } = &heard else { anyhow::bail!("{topic}: {heard:?}") };
        ensure!(why.code == code, "{topic}: {why:?}");
        texts.insert(format!("{why:?}"));
    }
    ensure!(texts.len() == 1, "what is not there is told from what is not theirs: {texts:?}");
    let id = "00000000-0000-4000-8000-000000000001";
    for (to, command, code) in [
        (theirs.as_str(), json!({ "type": "accept" }), "not_found"),
        (nobodys, json!({ "type": "accept" }), "not_found"),
        (&format!("session.{}", first.session), json!({ "type": "pause" }), "not_found"),
        (&format!("session.{}", first.session), json!({ "type": "dance" }), "bad_command"),
        (&format!("campaign.{}", setting.campaign), json!({ "type": "pause" }), "not_found"),
        ("campaign.00000000-0000-4000-8000-000000000009", json!({ "type": "pause" }), "not_found"),
        ("nowhere", json!({}), "not_found"),
    ] {
        let ask = json!({ "type": "do", "command_id": id, "to": to, "command": command });
        socket.send(&ask).await?;
        let heard = socket.next().await;
        let Heard::Refused { why, .. } = &heard else { anyhow::bail!("{to}: {heard:?}") };
        ensure!(why.code == code && why.text.contains(' '), "{to} {command}: {why:?}");
    }
    let files = format!("/api/v1/sit/{}/files", second.session);
    let refused = first.browser.get(&files).await?;
    ensure!(refused.status == StatusCode::UNAUTHORIZED, "{refused:?}");
    let refused = first.browser.get(&format!("/api/v1/campaigns/{}", setting.campaign)).await?;
    ensure!(refused.status == StatusCode::UNAUTHORIZED, "{refused:?}");
    first.start(1).await?;
    Setting::all_well(&second)
}

/// What is answered to one command on a socket that watches nothing.
async fn told(
    socket: &mut Socket,
    to: &str,
    id: CommandId,
    command: Value,
) -> anyhow::Result<Heard> {
    socket.send(&json!({ "type": "do", "command_id": id, "to": to, "command": command })).await?;
    Ok(socket.next().await)
}

#[tokio::test]
async fn frames_out_of_order_are_refused_in_words_and_change_nothing() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    let mut socket = Socket::open(&candidate.browser).await?;
    let (to, seat) = (format!("session.{}", candidate.session), candidate.seat);
    let file = json!({ "question": 1, "language": "python", "name": "main.py" });
    let edit = |base_rev: u32, changes: Value| {
        json!({
            "type": "edit", "seat": seat, "file": file, "base_rev": base_rev, "changes": changes,
            "caret": 0,
        })
    };
    let refused = |heard: &Heard, code: &str| {
        let Heard::Refused { why, .. } = heard else { anyhow::bail!("{code}: {heard:?}") };
        ensure!(why.code == code && why.text.contains(' '), "{code}: {why:?}");
        Ok(())
    };
    // Before the start, of what comes after it.
    for command in [
        edit(0, json!([[0, "x"]])),
        json!({ "type": "take_seat", "seat": seat }),
        json!({ "type": "hand_in", "seat": seat }),
    ] {
        let heard = told(&mut socket, &to, CommandId::random(), command).await?;
        refused(&heard, "not_running")?;
    }
    socket.send(&json!({ "type": "unwatch", "topic": to })).await?;
    candidate.start(1).await?;
    // After the start, of what comes before it; and edits of revisions that are still to come.
    let (text, length) = (candidate.text.text(), candidate.text.text().len());
    for (command, code) in [
        (json!({ "type": "start", "seat": seat }), "wrong_stage"),
        (json!({ "type": "accept" }), "wrong_stage"),
        (edit(7, json!([length, [0, "x"]])), "does_not_fit"),
        (edit(0, json!([length + 1, [0, "x"]])), "does_not_fit"),
        (json!({ "type": "next_question", "seat": seat }), "wrong_stage"),
    ] {
        let heard = told(&mut socket, &to, CommandId::random(), command.clone()).await?;
        refused(&heard, code).with_context(|| command.to_string())?;
    }
    // An id that was answered is answered alike, whatever comes with it.
    let id = CommandId::random();
    let change = candidate.text.appended("x = 1\n");
    let first = told(&mut socket, &to, id, edit(0, change.json.clone())).await?;
    let hand_in = json!({ "type": "hand_in", "seat": seat });
    let again = told(&mut socket, &to, id, hand_in).await?;
    let (Heard::Done { seq, .. }, Heard::Done { seq: same, .. }) = (&first, &again) else {
        anyhow::bail!("{first:?} {again:?}")
    };
    ensure!(seq == same, "{first:?} {again:?}");
    candidate.text.take(change, 1);
    ensure!(candidate.stored_text().await? == candidate.text, "another text than {text}");
    ensure!(candidate.view.row("session")["sealed_at"].is_null(), "it was handed in");
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_candidates_own_clock_changes_nothing() -> Done {
    const HOUR_MS: i64 = 3_600_000;
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let before = candidate.view.row("session").clone();
    for off in [-HOUR_MS, HOUR_MS] {
        let sent_ms = before["started_at"].as_i64().unwrap_or(0) + off;
        candidate.send_frame(&json!({ "type": "ping", "sent_ms": sent_ms, "rtt_ms": off })).await;
        let change = candidate.text.appended("x = 1\n");
        let answer = candidate.edit(change).await?;
        ensure!(answer.as_ref().is_ok_and(|it| it["rev"].is_u64()), "{answer:?}");
    }
    ensure!(candidate.view.row("session")["ends_at"] == before["ends_at"], "the end moved");
    candidate.compare_files().await?;
    Setting::all_well(&candidate)
}
