//! What must be true at the end.

use std::{sync::atomic::Ordering, time::Duration};

use domain::{at::At, ids::CampaignId};
use loadtests::{candidate::Candidate, creator::Creator, monitor::Monitor};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Measured;

/// How long the last runs may take.
const JUDGED: Duration = Duration::from_mins(1);

/// Compares what the server keeps with what each candidate knows.
pub(super) async fn check(
    candidates: &mut [Candidate],
    creator: &mut Creator,
    campaign: CampaignId,
    closes_at: At,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let rows = final_rows(creator, campaign, candidates.len(), measured).await?;
    for candidate in candidates {
        candidate.compare_files().await?;
        let session = json!(candidate.session);
        let row = rows.iter().find(|row| row["session"] == session).unwrap_or(&Value::Null);
        compare(candidate, row, closes_at);
        measured.problems.append(&mut candidate.report.problems);
    }
    Ok(())
}

/// The candidates' rows, once the last run has its verdict.
async fn final_rows(
    creator: &mut Creator,
    campaign: CampaignId,
    count: usize,
    measured: &mut Measured,
) -> anyhow::Result<Vec<Value>> {
    let until = Instant::now() + JUDGED;
    loop {
        let read = creator.read(campaign).await?;
        let rows: Vec<Value> = read["candidates"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| it["row"].clone())
            .collect();
        let waiting = rows.iter().filter(|row| row["waiting"] != json!([])).count();
        if waiting == 0 && rows.len() == count {
            return Ok(rows);
        }
        if until < Instant::now() {
            measured.problems.push(format!("{waiting} candidates still wait for verdicts"));
            return Ok(rows);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn compare(candidate: &mut Candidate, row: &Value, closes_at: At) {
    let mut wrong = vec![];
    let mut expect = |what: &str, found: &Value, known: Value| {
        if *found != known {
            wrong.push(format!("{what} is {found}, not {known}"));
        }
    };
    let seen = candidate.view.row("session");
    let edits = candidate.acknowledged.load(Ordering::Relaxed);
    expect("the status", &row["status"], json!("test_finished"));
    expect("the number of edits", &row["edits"], json!(edits));
    expect("the number of late edits", &row["lates"], json!(candidate.report.lates));
    expect("the end", &row["ends_at"], json!(closes_at));
    expect("the candidate's end", &seen["ends_at"], row["ends_at"].clone());
    expect("the candidate's status", &seen["status"], row["status"].clone());
    expect("the candidate's seal", &seen["sealed_at"], row["sealed_at"].clone());
    let time_up_at = row["time_up_at"].as_i64();
    if row["handed_in"] != true && time_up_at.is_none_or(|at| at < closes_at.0) {
        wrong.push(format!("the time was up at {time_up_at:?}, before the end"));
    }
    for what in wrong {
        candidate.problem(what);
    }
}

/// The monitor comes to show the same, on its own.
pub(super) async fn check_monitor(mut monitor: Monitor, measured: &mut Measured) {
    let finished = |view: &loadtests::view::View| {
        let mut rows = view.rows.iter().filter(|(key, _)| key.starts_with("c."));
        rows.all(|(_, row)| row["candidate"]["status"] == "test_finished")
    };
    let start = Instant::now();
    if monitor.until(finished).await.is_err() {
        measured.problems.push("the monitor does not show everybody as finished".to_owned());
    }
    measured.settling = start.elapsed();
}
