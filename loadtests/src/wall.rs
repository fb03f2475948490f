//! A wall as whoever looks at it sees it, row by row.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use domain::{frame::close, ids::CampaignId, ranking::WINDOW_MAX};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    http::Http,
    socket::{Heard, Socket},
    view::View,
};

/// How long a reading may take.
const READING: Duration = Duration::from_secs(30);

/// Somebody's row.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Row {
    /// As it follows from the order of the rows; not sent.
    #[serde(skip)]
    pub rank: usize,
    pub name: String,
    pub score: f64,
    pub solved: usize,
    pub minutes: i64,
    pub since: Option<i64>,
    pub questions: Vec<Cell>,
}

/// How they stand with a question.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Cell {
    pub score: f64,
    pub tries: u32,
    pub solved_at_min: Option<i64>,
}

/// Where the rows of a view stand.
#[derive(Deserialize)]
struct Window {
    from: usize,
    rank: usize,
}

/// The rows of a view with their ranks, by name.
pub fn rows(view: &View) -> anyhow::Result<BTreeMap<String, Row>> {
    let people = view.rows.iter().filter(|(key, _)| *key != "about" && *key != "window");
    let rows = people.map(|(_, row)| serde_json::from_value(row.clone()));
    let mut rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    rank(&mut rows, &serde_json::from_value(view.row("window").clone())?);
    Ok(rows.into_iter().map(|row| (row.name.clone(), row)).collect())
}

/// By score, minutes and moment; equals in score and minutes share a rank (`docs/live-protocol.md`).
fn rank(rows: &mut [Row], window: &Window) {
    let standing = |row: &Row| (row.score.to_bits(), row.minutes);
    rows.sort_by(|one, other| {
        let by_score = other.score.total_cmp(&one.score);
        by_score.then(one.minutes.cmp(&other.minutes)).then(one.since.cmp(&other.since))
    });
    for n in 0..rows.len() {
        rows[n].rank = match n.checked_sub(1) {
            None => window.rank,
            Some(before) if standing(&rows[before]) == standing(&rows[n]) => rows[before].rank,
            Some(_) => window.from + n + 1,
        };
    }
}

/// Everybody's row, window by window; only the first window of a server that knows no others.
pub async fn read(
    browser: &Http,
    campaign: CampaignId,
    count: usize,
) -> anyhow::Result<BTreeMap<String, Row>> {
    let mut all = BTreeMap::new();
    for from in (0..count).step_by(WINDOW_MAX) {
        match window(browser, campaign, from).await? {
            Some(view) => all.extend(rows(&view)?),
            None => break,
        }
    }
    Ok(all)
}

/// The first rows of a wall, as of their place.
pub async fn first(browser: &Http, campaign: CampaignId) -> anyhow::Result<View> {
    window(browser, campaign, 0).await?.context("a wall has a beginning")
}

/// One window; `None` if the server knows none but the first.
async fn window(browser: &Http, campaign: CampaignId, from: usize) -> anyhow::Result<Option<View>> {
    let mut socket = Socket::open(browser).await?;
    let topic = format!("wall.{campaign}");
    let mut watch = json!({ "type": "watch", "topic": topic });
    if from > 0 {
        watch["window"] = json!({ "from": from, "count": WINDOW_MAX });
    }
    socket.send(&watch).await?;
    let mut view = View::default();
    let whole = async {
        while !view.is_whole() {
            match socket.next().await {
                Heard::Rows(rows) => view.take(&rows).map_err(anyhow::Error::msg)?,
                Heard::Closed(Some(close::BAD_FRAME)) => return Ok(false),
                Heard::Closed(code) => anyhow::bail!("closed with {code:?}"),
                Heard::Unwatched { why, .. } => anyhow::bail!("not to be watched: {}", why.text),
                Heard::Done { .. }
                | Heard::Refused { .. }
                | Heard::Untyped { .. }
                | Heard::Pong { .. }
                | Heard::Bye { .. } => {}
            }
        }
        Ok(true)
    };
    let is_read = timeout(READING, whole).await.context("a wall was not to be read")??;
    Ok(is_read.then_some(view))
}
