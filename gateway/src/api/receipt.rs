//! The receipt: what was handed in, to be printed or downloaded.

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{
    at::Ms,
    blob::sha256_hex,
    content::SourceFile,
    ids::SessionId,
    session::{Answering, Running, Session},
};
use serde_json::{Value, json};

use super::sit::{candidate_or_maker, look};
use crate::{app::Shared, caller::Caller, error::Refusal};

pub(crate) async fn read(
    State(app): State<Shared>,
    caller: Caller,
    Path(session): Path<SessionId>,
) -> Result<Json<Value>, Refusal> {
    candidate_or_maker(&app, &caller, session).await?;
    let mut receipt = look(&app, session, move |state| receipt(session, state)).await?;
    let Some(receipt) = receipt.as_mut() else {
        return Err(Refusal::invalid("not_sealed", "the receipt is made when the test has ended"));
    };
    let contact = app.node.deps.people.contact(session).await?;
    receipt["candidate_name"] = json!(contact.as_ref().map(|contact| contact.name.clone()));
    if let Some(contact) = contact {
        let links = app.node.deps.people.links(contact.campaign).await?;
        let opens = domain::people::Opens::Session(session);
        let live = links.iter().rev().find(|link| link.opens == opens && link.revoked_at.is_none());
        receipt["link_until"] = json!(live.and_then(|link| link.expires_at));
    }
    Ok(Json(receipt.take()))
}

/// `None` until the session is sealed.
fn receipt(session: SessionId, state: &Session) -> Option<Value> {
    let run = state.run.as_ref()?;
    let sealed_at = run.sealed_at?;
    // Time is up at `ends_at`, not when the last text in transit was awaited.
    let ended_at = if run.handed_in { sealed_at } else { sealed_at.min(run.ends_at) };
    let answers = run.questions.iter().zip(0_u16..);
    let questions: Vec<Value> =
        answers.map(|(answer, n)| question(state, run, answer, n)).collect();
    Some(json!({
        "code": code(session),
        "campaign_title": state.terms.title,
        "test_title": state.plan.title,
        "test_version": state.plan.version,
        "started_at": run.started_at,
        "ended_at": ended_at,
        "handed_in": run.handed_in,
        "time_used_ms": ended_at - run.started_at,
        "time_allowed_ms": (run.ends_at - run.started_at).max(Ms(0)),
        "credits": run.credits,
        "edits": run.edits,
        "last_edit_at": run.last_edit_at,
        "zone": state.terms.zone,
        "link_until": null,
        "questions": questions,
    }))
}

fn question(state: &Session, run: &Running, answer: &Answering, n: u16) -> Value {
    let best = answer.best;
    let sources = answer.language.map(|language| run.sources(n, language)).unwrap_or_default();
    let is_code = answer.language.is_some();
    json!({
        "n": n,
        "title": state.question(n).map(|plan| plan.title.clone()),
        "passed": best.map(|best| best.passed),
        "total": best.map(|best| best.total),
        "answered": answer.is_answered(),
        "revision": answer.revision,
        "sha256": (is_code && answer.is_answered()).then(|| fingerprint(sources)),
    })
}

/// SHA-256 (FIPS 180-4) over the files in order of name: of each its name, a NUL, its text, a NUL.
fn fingerprint(mut sources: Vec<SourceFile>) -> String {
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let files = sources.iter().flat_map(|file| [file.name.as_str(), "\0", &file.text, "\0"]);
    sha256_hex(files.collect::<String>().as_bytes())
}

/// A short code that both sides can read out to each other.
fn code(session: SessionId) -> String {
    let hash = sha256_hex(session.uuid().as_bytes());
    let (a, b) = (hash.get(..4).unwrap_or_default(), hash.get(4..8).unwrap_or_default());
    format!("pc-{a}-{b}")
}
