//! Bad input: refused in a sentence, and the server goes on.

use std::io::{Cursor, Write};

use anyhow::ensure;
use hyper::{Method, StatusCode, header};
use loadtests::{
    http::{Ask, Http},
    server::{EMAIL, Server},
    socket::{Heard, Socket},
};
use serde_json::json;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::setting::{Done, Setting, binary};

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
    ensure!(matches!(code, Some(4_500) | None), "a long frame ended with {code:?}");
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
    ensure!(code == Some(4_003) || code.is_none(), "{code:?}");
    candidate.start(1).await?;
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn what_is_not_theirs_is_refused_to_a_candidate() -> Done {
    let setting = Setting::new(2).await?;
    let mut first = setting.first().await?;
    let second = setting.open(&setting.added[1]).await?;
    let mut socket = Socket::open(&first.browser).await?;
    let theirs = format!("session.{}", second.session);
    let monitor = format!("monitor.{}", setting.campaign);
    for (topic, code) in [
        ("nonsense", "no_such_topic"),
        ("session.1", "no_such_topic"),
        ("contents", "forbidden"),
        (&theirs, "forbidden"),
        (&monitor, "forbidden"),
    ] {
        socket.watch(topic, (0, 0)).await?;
        let heard = socket.next().await;
        let Heard::Unwatched { why, .. } = &heard else { anyhow::bail!("{topic}: {heard:?}") };
        ensure!(why.code == code, "{topic}: {why:?}");
    }
    let id = "00000000-0000-4000-8000-000000000001";
    for (to, command, code) in [
        (theirs.as_str(), json!({ "type": "accept" }), "forbidden"),
        (&format!("session.{}", first.session), json!({ "type": "pause" }), "forbidden"),
        (&format!("session.{}", first.session), json!({ "type": "dance" }), "bad_command"),
        (&format!("campaign.{}", setting.campaign), json!({ "type": "pause" }), "forbidden"),
        ("nowhere", json!({}), "no_such_stream"),
    ] {
        let ask = json!({ "type": "do", "command_id": id, "to": to, "command": command });
        socket.send(&ask).await?;
        let heard = socket.next().await;
        let Heard::Refused { why, .. } = &heard else { anyhow::bail!("{to}: {heard:?}") };
        ensure!(why.code == code, "{to} {command}: {why:?}");
    }
    let files = format!("/api/v1/sit/{}/files", second.session);
    let refused = first.browser.get(&files).await?;
    ensure!(refused.status == StatusCode::UNAUTHORIZED, "{refused:?}");
    let refused = first.browser.get(&format!("/api/v1/campaigns/{}", setting.campaign)).await?;
    ensure!(refused.status == StatusCode::UNAUTHORIZED, "{refused:?}");
    first.start(1).await?;
    Setting::all_well(&second)
}

#[tokio::test]
async fn another_sites_page_can_change_nothing() -> Done {
    let mut setting = Setting::new(1).await?;
    let path = format!("/api/v1/campaigns/{}/pause", setting.campaign);
    let headers =
        vec![(header::CONTENT_TYPE, "application/json"), (header::ORIGIN, "https://evil.example")];
    let ask = Ask { method: Method::POST, path: &path, headers, body: "{}".into() };
    let refused = setting.creator.browser.ask(ask).await?;
    ensure!(refused.status == StatusCode::FORBIDDEN, "{refused:?}");
    ensure!(refused.code() == "other_origin", "{refused:?}");
    let socket = Socket::open_from(&setting.creator.browser, Some("https://evil.example")).await;
    ensure!(socket.is_err(), "a socket was opened");
    let own = setting.server.url.clone();
    Socket::open_from(&setting.creator.browser, Some(&own)).await?;
    Ok(())
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_in_words() -> Done {
    let mut setting = Setting::new(1).await?;
    let json = "application/json";
    let huge = format!(r#"{{"document":"{}"}}"#, "x".repeat(5 << 20));
    for (kind, body, status) in [
        (json, huge, StatusCode::PAYLOAD_TOO_LARGE),
        (json, "{".to_owned(), StatusCode::BAD_REQUEST),
        (json, "{}".to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        ("text/plain", "{}".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        // Refused before it is read: the connection may be closed under who still writes.
        let mut tries = 0;
        let refused = loop {
            let headers = vec![(header::CONTENT_TYPE, kind)];
            let path = "/api/v1/contents";
            let ask = Ask { method: Method::POST, path, headers, body: body.clone().into() };
            match setting.creator.browser.ask(ask).await {
                Ok(refused) => break refused,
                Err(error) => ensure!(tries < 20, "{error:#}"),
            }
            tries += 1;
        };
        ensure!(refused.status == status, "{} {:?}", refused.status, refused.body);
        ensure!(!refused.code().is_empty(), "{} {:?}", refused.status, refused.body);
    }
    setting.creator.read(setting.campaign).await?;
    Ok(())
}

#[tokio::test]
async fn a_package_that_climbs_out_is_refused() -> Done {
    let mut setting = Setting::new(1).await?;
    for name in ["../../climbed.txt", "/climbed.txt", "a/../../climbed.txt"] {
        let mut zip = ZipWriter::new(Cursor::new(vec![]));
        for (name, text) in [("problem.yaml", "name: Climber\n"), (name, "out")] {
            zip.start_file(name, SimpleFileOptions::default())?;
            zip.write_all(text.as_bytes())?;
        }
        let headers = vec![(header::CONTENT_TYPE, "application/zip")];
        let body = zip.finish()?.into_inner().into();
        let path = "/api/v1/contents/import";
        let ask = Ask { method: Method::POST, path, headers, body };
        let refused = setting.creator.browser.ask(ask).await?;
        ensure!(refused.status == StatusCode::UNPROCESSABLE_ENTITY, "{name}: {refused:?}");
        ensure!(refused.code() == "bad_package", "{name}: {refused:?}");
    }
    setting.creator.read(setting.campaign).await?;
    Ok(())
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() -> Done {
    let server = Server::start(binary()?, true).await?;
    let mut browser = server.browser();
    let mut refusals = vec![];
    for _ in 0..12 {
        let guess = json!({ "email": EMAIL, "password": "not this one" });
        refusals.push(browser.post("/api/v1/sign-in", &guess).await?.code());
    }
    ensure!(refusals[0] == "wrong_password", "{refusals:?}");
    ensure!(refusals.contains(&"slow_down".to_owned()), "{refusals:?}");
    let unknown = json!({ "email": "nobody@example.org", "password": "not this one" });
    let refused = browser.post("/api/v1/sign-in", &unknown).await?;
    ensure!(refused.code() == "wrong_password", "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_why_it_ends() -> Done {
    let server = Server::start(binary()?, true).await?;
    let (status, said) = server.second().await?;
    ensure!(!status.success(), "{status}");
    ensure!(said.contains("another Polycode is running on"), "{said}");
    server.browser().get("/healthz").await?.done()?;
    Ok(())
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
