//! The live protocol at the edge of the real program: parts of walls, who is there, and what is too
//! much.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::{
    at::Ms,
    campaign::{Settings, WallNames},
    frame::close,
};
use loadtests::{
    candidate::{Candidate, PATIENCE},
    monitor::Monitor,
    socket::{Heard, Socket},
    view::View,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::setting::{Done, Setting, settings};

fn with_wall() -> Settings {
    Settings { wall: WallNames::Aliases, shows_place: true, ..settings() }
}

/// The rows of a topic on a socket, once they are as `is_so` says.
async fn until(
    socket: &mut Socket,
    topic: &str,
    view: &mut View,
    is_so: impl Fn(&View) -> bool,
) -> Done {
    let seen = async {
        while !view.is_whole() || !is_so(view) {
            match socket.next().await {
                Heard::Rows(rows) => {
                    if rows.topic == topic {
                        view.take(&rows).map_err(|wrong| anyhow::anyhow!(wrong))?;
                    }
                }
                Heard::Pong { .. } => {}
                other @ (Heard::Done { .. }
                | Heard::Refused { .. }
                | Heard::Unwatched { .. }
                | Heard::Untyped { .. }
                | Heard::Bye { .. }
                | Heard::Closed(_)) => anyhow::bail!("{other:?}"),
            }
        }
        Ok(())
    };
    timeout(PATIENCE, seen).await.with_context(|| format!("still {:?}", view.rows))?
}

#[tokio::test]
async fn a_wall_is_looked_at_by_windows_that_follow_what_happens() -> Done {
    let mut setting = Setting::with(&with_wall(), 4).await?;
    let mut candidates = setting.all_started().await?;
    let mut socket = Socket::open(&setting.creator.browser).await?;
    let wall = format!("wall.{}", setting.campaign);
    let watch = |from: u32, count: u32| {
        let window = json!({ "from": from, "count": count });
        json!({ "type": "watch", "topic": wall, "window": window })
    };
    for (from, count) in [(0, 0), (0, 201)] {
        socket.send(&watch(from, count)).await?;
        let heard = socket.next().await;
        ensure!(matches!(&heard, Heard::Unwatched { why, .. } if why.code == "bad_window"));
    }
    socket.send(&watch(1, 2)).await?;
    let mut view = View::default();
    until(&mut socket, &wall, &mut view, |view| view.rows.len() == 4).await?;
    ensure!(
        view.row("window") == &json!({ "from": 1, "rank": 1, "rules": "points" }),
        "{:?}",
        view.rows
    );
    ensure!(view.row("about")["people"] == 4, "{:?}", view.rows);
    // A window is in no pong, and the whole wall is.
    socket.send(&json!({ "type": "ping", "sent_ms": 1 })).await?;
    let heads = heads(&mut socket).await?;
    ensure!(heads == json!({}), "{heads}");
    let score = |view: &View| {
        view.rows.values().filter_map(|row| row["score"].as_f64()).any(|score| score > 0.0)
    };
    // Two solve it: the second of them comes to stand in second place.
    for candidate in &mut candidates[..2] {
        let change = candidate.text.appended("right = 1\n");
        candidate.edit(change).await?.map_err(|why| anyhow::anyhow!(why.text))?;
        let hand_in = json!({ "type": "hand_in", "seat": candidate.seat });
        candidate.ask(hand_in).await?.map_err(|why| anyhow::anyhow!(why.text))?;
    }
    until(&mut socket, &wall, &mut view, score).await?;
    ensure!(view.resets == 1, "it began anew");
    socket.watch(&wall, (0, 0)).await?;
    let mut whole = View::default();
    until(&mut socket, &wall, &mut whole, |view| view.rows.len() == 6).await?;
    socket.send(&json!({ "type": "ping", "sent_ms": 1 })).await?;
    ensure!(self::heads(&mut socket).await?[&wall].is_array());
    setting.post("pause", json!({})).await?;
    Ok(())
}

/// The heads of the next pong.
async fn heads(socket: &mut Socket) -> anyhow::Result<Value> {
    loop {
        let text = socket.next_text().await.map_err(|code| anyhow::anyhow!("closed: {code:?}"))?;
        let frame: Value = serde_json::from_str(&text)?;
        if frame["type"] == "pong" {
            return Ok(frame["heads"].clone());
        }
    }
}

#[tokio::test]
async fn a_candidate_sees_their_place_while_their_campaign_shows_it() -> Done {
    let mut setting = Setting::with(&with_wall(), 3).await?;
    let mut candidates = setting.all_started().await?;
    let first = candidates.first_mut().context("somebody")?;
    let campaign = setting.campaign;
    first.until("where", |view| view.row("session")["place"] == json!(campaign)).await?;
    let mut socket = Socket::open(&first.browser).await?;
    let topic = format!("place.{campaign}");
    socket.watch(&topic, (0, 0)).await?;
    let mut view = View::default();
    until(&mut socket, &topic, &mut view, |view| view.row("you")["of"] == 3).await?;
    let own = view.row("you")["key"].as_str().context("a key")?.to_owned();
    ensure!(view.rows.len() == 5 && view.row(&own)["name"].is_string(), "{:?}", view.rows);
    // Nobody else's, not even the creator's, who see the wall.
    let other = "place.00000000-0000-4000-8000-000000000009";
    let mut creator = Socket::open(&setting.creator.browser).await?;
    for (socket, topic) in [(&mut socket, other), (&mut creator, topic.as_str())] {
        socket.watch(topic, (0, 0)).await?;
        let mut heard = socket.next().await;
        while matches!(heard, Heard::Rows(_)) {
            heard = socket.next().await;
        }
        let Heard::Unwatched { why, .. } = &heard else { anyhow::bail!("{heard:?}") };
        ensure!(why.code == "not_found", "{why:?}");
    }
    let hidden = Settings { shows_place: false, ..with_wall() };
    setting.creator.configure(campaign, &hidden).await?;
    until(&mut socket, &topic, &mut view, |view| view.rows.is_empty()).await?;
    first.until("nowhere", |view| view.row("session")["place"].is_null()).await?;
    Setting::all_well(first)
}

#[tokio::test]
async fn who_says_nothing_any_more_is_shown_as_gone() -> Done {
    let setting = Setting::new(1).await?;
    let candidate = setting.first().await?;
    let mut monitor = Monitor::open(&setting.creator.browser, setting.campaign).await?;
    let key = format!("p.{}", candidate.session);
    monitor.until(|view| view.row(&key)["connected"] == true).await?;
    // Nobody reads from this socket, so that nothing answers; the connection stays as it is.
    let until = timeout(PATIENCE, monitor.until(|view| view.row(&key)["connected"] == false));
    until.await.context("it is still shown as there")??;
    let mut again = candidate;
    again.connect().await?;
    monitor.until(|view| view.row(&key)["connected"] == true).await?;
    again.cut();
    monitor.until(|view| view.row(&key)["connected"] == false).await?;
    Ok(())
}

#[tokio::test]
async fn a_pause_and_more_time_come_with_their_reason_to_those_they_are_for() -> Done {
    let mut setting = Setting::new(0).await?;
    let invited = json!([
        { "name": "Ada", "email": "a@example.org", "tags": ["Lyon"] },
        { "name": "Bob", "email": "b@example.org", "tags": ["Lyon", "Remote"] },
        { "name": "Eve", "email": "c@example.org", "tags": ["Remote"] },
    ]);
    let added = setting.post("candidates", json!({ "candidates": invited })).await?;
    let mut people: Vec<Candidate> = vec![];
    for one in added["added"].as_array().context("people")? {
        let code = one["link"]["code"].as_str().context("a link")?;
        let mut candidate = Candidate::open(&setting.creator.browser, code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        candidate.start(1).await?;
        people.push(candidate);
    }
    let ends = |one: &Candidate| one.view.row("session")["ends_at"].as_i64().unwrap_or(0);
    let before: Vec<i64> = people.iter().map(ends).collect();
    let give =
        |reason: &str| json!({ "session": null, "tag": "Lyon", "by_ms": 60_000, "reason": reason });
    setting.post("time", give("The lights went out.")).await?;
    for candidate in &mut people[..2] {
        let told = |view: &View| view.row("session")["gift"]["reason"] == "The lights went out.";
        candidate.until("the gift", told).await?;
    }
    setting.post("pause", json!({ "reason": " Fire drill " })).await?;
    for candidate in &mut people {
        let is_told = |view: &View| {
            let row = view.row("session");
            row["pause_reason"] == "Fire drill" && row["paused_at"].is_i64()
        };
        candidate.until("the pause", is_told).await?;
    }
    let given: Vec<i64> =
        people.iter().zip(before).map(|(one, before)| ends(one) - before).collect();
    ensure!(given == [60_000, 60_000, 0], "{given:?}");
    setting.post("resume", json!({})).await?;
    for candidate in &mut people {
        let goes_on = |view: &View| view.row("session")["paused_at"].is_null();
        candidate.until("the resumption", goes_on).await?;
        ensure!(candidate.view.row("session")["pause_reason"].is_null());
    }
    let long = "x".repeat(201);
    for (path, body) in [("pause", json!({ "reason": long })), ("time", give(&long))] {
        let path = format!("/api/v1/campaigns/{}/{path}", setting.campaign);
        let refused = setting.creator.browser.post(&path, &body).await?;
        ensure!(refused.code() == "bad_reason", "{refused:?}");
    }
    let path = format!("/api/v1/campaigns/{}/time", setting.campaign);
    let nobody = json!({ "session": null, "tag": "Oslo", "by_ms": 60_000 });
    ensure!(setting.creator.browser.post(&path, &nobody).await?.code() == "no_such_tag");
    Ok(())
}

/// How a socket is sent away.
async fn sent_away(socket: &mut Socket) -> anyhow::Result<(u16, Option<u64>)> {
    let heard = timeout(PATIENCE, socket.next()).await?;
    let Heard::Bye { code, retry_after_ms } = heard else { anyhow::bail!("{heard:?}") };
    let closed = timeout(PATIENCE, socket.next()).await?;
    ensure!(matches!(closed, Heard::Closed(Some(with)) if with == code), "{closed:?}");
    Ok((code, retry_after_ms))
}

#[tokio::test]
async fn a_candidate_has_so_many_sockets_and_another_version_is_sent_away() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    let mut sockets = vec![];
    for _ in 0..15 {
        let mut socket = Socket::open(&candidate.browser).await?;
        socket.send(&json!({ "type": "ping", "sent_ms": 1 })).await?;
        ensure!(matches!(socket.next().await, Heard::Pong { .. }));
        sockets.push(socket);
    }
    let mut one_more = Socket::open(&candidate.browser).await?;
    let (code, retry_after_ms) = sent_away(&mut one_more).await?;
    ensure!(code == close::TOO_MANY && retry_after_ms.is_some(), "{code}");
    sockets.clear();
    let mut newer = Socket::open_at(&candidate.browser, "/ws?v=2").await?;
    ensure!(sent_away(&mut newer).await? == (close::OTHER_VERSION, None));
    candidate.start(1).await?;
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn pings_and_pieces_without_end_close_their_socket_only() -> Done {
    let setting = Setting::new(1).await?;
    let mut candidate = setting.first().await?;
    candidate.cut();
    // Control frames count as all others do.
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    // The first piece of a text, then pieces of nothing.
    let (begin, piece) = ([0x01, 0x81, 0, 0, 0, 0, b'"'], [0x00, 0x80, 0, 0, 0, 0]);
    for (begin, flood) in [(&[][..], ping.repeat(10_000)), (&begin[..], piece.repeat(10_000))] {
        let mut raw = upgraded(&candidate, "").await?.1;
        raw.write_all(begin).await?;
        let flooded = async {
            let (mut read, mut write) = raw.split();
            let sent = async {
                for _ in 0..1_000 {
                    if write.write_all(&flood).await.is_err() {
                        break;
                    }
                }
            };
            let mut all = vec![];
            tokio::join!(sent, read.read_to_end(&mut all)).1.ok();
            all
        };
        let all = timeout(PATIENCE, flooded).await.context("it is taken for ever")?;
        let bye = format!(r#""code":{}"#, close::TOO_FAST);
        let all = String::from_utf8_lossy(&all);
        ensure!(all.contains(&bye), "{all}");
    }
    candidate.connect().await?;
    candidate.start(1).await?;
    Setting::all_well(&candidate)
}

/// A socket as bytes, and the head of the answer to its request.
pub(crate) async fn upgraded(
    candidate: &Candidate,
    more: &str,
) -> anyhow::Result<(String, TcpStream)> {
    let host = candidate.browser.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await?;
    let cookies = candidate.browser.cookies();
    let head = format!(
        "GET /ws?v=1 HTTP/1.1\r\nhost: {host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         cookie: {cookies}\r\n{more}\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = vec![];
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    Ok((String::from_utf8(answer)?.to_lowercase(), stream))
}

#[tokio::test]
async fn nothing_is_compressed_whoever_offers_it() -> Done {
    let setting = Setting::new(1).await?;
    let candidate = setting.first().await?;
    let offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
    let (head, _) = upgraded(&candidate, offer).await?;
    ensure!(head.starts_with("http/1.1 101 ") && !head.contains("extensions"), "{head}");
    Ok(())
}

#[tokio::test]
async fn who_does_not_finish_a_request_is_let_go_and_holds_up_nobody() -> Done {
    let setting = Setting::new(1).await?;
    let host = setting.server.url.trim_start_matches("http://").to_owned();
    let mut slow = vec![];
    for begun in ["", "GET /ws?v=1 HTTP/1.1\r\nhost: x\r\n"] {
        for _ in 0..50 {
            let mut stream = TcpStream::connect(&host).await?;
            stream.write_all(begun.as_bytes()).await?;
            slow.push(stream);
        }
    }
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    candidate.cut();
    for stream in &mut slow {
        let mut rest = vec![];
        timeout(2 * PATIENCE, stream.read_to_end(&mut rest)).await.context("it is kept")?.ok();
    }
    Setting::all_well(&candidate)
}

#[tokio::test]
async fn a_client_that_lies_about_its_way_is_given_no_more_time() -> Done {
    const LATE: Duration = Duration::from_millis(600);
    let short = Settings { time_allowed: Ms(4_000), ..settings() };
    let setting = Setting::with(&short, 1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    let (_, mut raw) = upgraded(&candidate, "").await?;
    // Answers to pings that nobody sent, as if each had taken an hour.
    let mut pong = vec![0x8A, 0x88, 0, 0, 0, 0];
    pong.extend(0_i64.to_be_bytes());
    for _ in 0..50 {
        raw.write_all(&pong).await?;
    }
    for rtt_ms in [-1.0, 1e300, 3_600_000.0] {
        candidate.send_frame(&json!({ "type": "ping", "sent_ms": 0, "rtt_ms": rtt_ms })).await;
    }
    candidate.until("the end", |view| view.row("session")["time_up_at"].is_i64()).await?;
    tokio::time::sleep(LATE).await;
    let change = candidate.text.appended("too = 'late'\n");
    let answer = candidate.edit(change).await?.map_err(|why| anyhow::anyhow!(why.text))?;
    ensure!(answer["late"].is_u64(), "it counted: {answer}");
    Ok(())
}
