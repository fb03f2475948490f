//! What must be true at the end.

use anyhow::Context;
use loadtests::{
    creator::Creator,
    socket::{Heard, Socket},
    view::View,
};
use serde_json::json;
use tokio::time::{Duration, timeout};

use super::client::Client;

/// How long a reading may take.
const READING: Duration = Duration::from_secs(30);

/// Compares what each candidate has with what the server has: the rows of the topic, the text, and
/// how many edits there were.
pub(super) async fn check(
    clients: &mut [Client],
    creator: &Creator,
    gateways: &[String],
) -> anyhow::Result<Vec<String>> {
    let gateway = gateways.first().context("a server")?;
    let browser = creator.browser.to(gateway);
    let mut problems = vec![];
    for client in clients {
        let candidate = &mut client.candidate;
        let read = read(&browser, &candidate.topic).await?;
        for (key, row) in &read.rows {
            let known = candidate.view.row(key);
            if known != row {
                candidate.problem(format!("{key} is {row}, known as {known}"));
            }
        }
        if let Some(key) = candidate.view.rows.keys().find(|key| read.row(key).is_null()) {
            candidate.problem(format!("{key} is known and not there"));
        }
        candidate.compare_files().await?;
        let edits = candidate.acknowledged.load(std::sync::atomic::Ordering::Relaxed);
        if read.row("session")["edits"] != json!(edits) {
            let stored = &read.row("session")["edits"];
            candidate.problem(format!("{stored} edits are stored, {edits} acknowledged"));
        }
        problems.append(&mut candidate.report.problems);
    }
    Ok(problems)
}

/// Everything of a topic, on a socket of its own.
async fn read(browser: &loadtests::http::Http, topic: &str) -> anyhow::Result<View> {
    let mut socket = Socket::open(browser).await?;
    socket.watch(topic, (0, 0)).await?;
    let mut view = View::default();
    let whole = async {
        while !view.is_whole() {
            match socket.next().await {
                Heard::Rows(rows) => view.take(&rows).map_err(anyhow::Error::msg)?,
                Heard::Closed(code) => anyhow::bail!("closed with {code:?}"),
                Heard::Unwatched { why, .. } => anyhow::bail!("not to be watched: {}", why.text),
                Heard::Done { .. }
                | Heard::Refused { .. }
                | Heard::Untyped { .. }
                | Heard::Pong { .. }
                | Heard::Bye { .. } => {}
            }
        }
        Ok(())
    };
    timeout(READING, whole).await.context("a topic was not to be read")??;
    Ok(view)
}
