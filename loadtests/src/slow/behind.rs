//! What somebody gets who has read too slowly: everything up to where they are told so, and on the
//! next socket all that came since. The topic is one of a stream, of which nothing may be left out.

use anyhow::{Context, ensure};
use domain::frame::close;
use loadtests::{
    http::Http,
    socket::{Heard, Socket},
    view::View,
};
use tokio::time::{Duration, timeout};

use super::publisher::Publisher;

/// How much is published while they read nothing: far more than may wait for them.
const BYTES: usize = 2 * 1024 * 1024;
/// How many frames come once they are back.
const MORE: usize = 20;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers what went wrong.
pub(super) async fn check(
    publisher: &mut Publisher,
    browser: &Http,
    topic: &str,
    bytes: usize,
) -> anyhow::Result<Vec<String>> {
    let mut problems = vec![];
    let mut view = View::default();
    publish(publisher, 1).await?;
    let mut slow = Socket::open_narrow(browser).await?;
    slow.watch(topic, (0, 0)).await?;
    follow(&mut slow, &mut view, publisher.count()).await?;
    publish(publisher, BYTES / bytes.clamp(1, BYTES)).await?;
    let told = end(&mut slow, &mut view).await?;
    if told != (Some(close::TOO_SLOW), Some(close::TOO_SLOW)) {
        problems.push(format!("who read nothing heard the goodbye and the code {told:?}"));
    }
    if seen(&view) == Some(publisher.count()) {
        problems.push("who read nothing was sent everything all the same".to_owned());
    }
    view.forget_reading();
    let resets = view.resets;
    let mut again = Socket::open(browser).await?;
    again.watch(topic, (view.epoch, view.seq)).await?;
    follow(&mut again, &mut view, publisher.count()).await?;
    publish(publisher, MORE).await?;
    follow(&mut again, &mut view, publisher.count()).await?;
    if view.resets != resets {
        problems.push("who came back from where they were had to begin anew".to_owned());
    }
    Ok(problems)
}

async fn publish(publisher: &mut Publisher, frames: usize) -> anyhow::Result<()> {
    for _ in 0..frames {
        publisher.send(0).await?;
    }
    publisher.stored().await
}

/// Takes in what comes, until row number `last` is there. Each frame has to follow the one before.
async fn follow(socket: &mut Socket, view: &mut View, last: u64) -> anyhow::Result<()> {
    let all = async {
        while !view.is_whole() || seen(view) != Some(last) {
            let closed = hear(socket, view).await?;
            ensure!(closed.is_none(), "closed at {:?} of {last}: {closed:?}", seen(view));
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, all).await.context("the last row never came")?
}

/// Takes in what comes, up to the end: the code of the goodbye, and that of the closing.
async fn end(socket: &mut Socket, view: &mut View) -> anyhow::Result<(Option<u16>, Option<u16>)> {
    let mut bye = None;
    let all = async {
        loop {
            match hear(socket, view).await? {
                Some(Heard::Bye { code, .. }) => bye = Some(code),
                Some(Heard::Closed(code)) => return anyhow::Ok(code),
                Some(_) | None => {}
            }
        }
    };
    let closed = timeout(PATIENCE, all).await.context("who read nothing was never closed")??;
    Ok((bye, closed))
}

/// Takes in a frame. Answers it if it is about the end.
async fn hear(socket: &mut Socket, view: &mut View) -> anyhow::Result<Option<Heard>> {
    let heard = socket.next().await;
    match &heard {
        Heard::Rows(rows) => view.take(rows).map_err(anyhow::Error::msg)?,
        Heard::Unwatched { why, .. } => anyhow::bail!("not to be watched: {}", why.text),
        Heard::Bye { .. } | Heard::Closed(_) => return Ok(Some(heard)),
        Heard::Done { .. } | Heard::Refused { .. } | Heard::Untyped { .. } | Heard::Pong { .. } => {
        }
    }
    Ok(None)
}

/// Number of the last row that came.
fn seen(view: &View) -> Option<u64> {
    view.row("session")["n"].as_u64()
}
