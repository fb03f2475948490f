//! The results as a file: one line for each candidate.

use std::fmt::Write;

use axum::{
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use domain::{campaign::CampaignRow, ids::CampaignId, status::Status};

use super::campaigns::{self, CandidateView, theirs};
use crate::{app::Shared, caller::Caller, error::Refusal};

pub(crate) async fn csv(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<CampaignId>,
) -> Result<impl IntoResponse, Refusal> {
    let (campaign, _) = theirs(&app, &caller, id).await?;
    let links = app.node.deps.people.links(id).await?;
    let candidates = campaigns::candidates(&app, id, &links).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"results.csv\""),
    ];
    Ok((headers, table(&campaign, &candidates)))
}

/// RFC 4180, with a byte order mark, without which spreadsheets take accents for something else.
fn table(campaign: &CampaignRow, candidates: &[CandidateView]) -> String {
    let mut heads: Vec<String> =
        ["name", "email", "tags", "status", "started_at", "ended_at", "score"]
            .map(str::to_owned)
            .into();
    heads.extend(
        campaign.questions.iter().zip(1..).map(|(question, n)| format!("{n}. {}", question.title)),
    );
    let mut text = "\u{feff}".to_owned();
    line(&mut text, &heads);
    for candidate in candidates {
        line(&mut text, &cells(candidate));
    }
    text
}

fn cells(candidate: &CandidateView) -> Vec<String> {
    let row = candidate.row.as_ref();
    let moment = |at: Option<domain::at::At>| at.map(|at| at.0.to_string()).unwrap_or_default();
    let status = row.map_or(Status::ConfirmationPending, |row| row.status);
    let status = serde_json::to_value(status).ok();
    let has_started = row.is_some_and(|row| row.started_at.is_some());
    let score = |points: domain::points::Points| {
        if has_started { f64::from(points).to_string() } else { String::new() }
    };
    let mut cells = vec![
        candidate.name.clone(),
        candidate.email.clone(),
        candidate.tags.join("; "),
        status.as_ref().and_then(|it| it.as_str()).unwrap_or_default().to_owned(),
        moment(row.and_then(|row| row.started_at)),
        moment(row.and_then(|row| row.sealed_at)),
        row.map(|row| score(row.score)).unwrap_or_default(),
    ];
    cells.extend(row.iter().flat_map(|row| row.questions.iter().map(|one| score(one.score))));
    cells
}

fn line(text: &mut String, cells: &[String]) {
    for (n, cell) in cells.iter().enumerate() {
        text.push_str(if n == 0 { "" } else { "," });
        write!(text, "\"{}\"", harmless(cell).replace('"', "\"\""))
            .expect("a String takes everything");
    }
    text.push_str("\r\n");
}

/// A cell that a spreadsheet would take for a formula gets a quote before it (OWASP, "CSV
/// Injection").
fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn us_100_a_name_is_never_a_formula() {
        let mut text = String::new();
        line(&mut text, &["=1+1".to_owned(), "say \"hi\"".to_owned()]);
        assert_eq!(text, "\"'=1+1\",\"say \"\"hi\"\"\"\r\n");
    }
}
