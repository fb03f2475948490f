//! Uploads: validators' data, and whole problem packages.

use std::io::Cursor;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use domain::{blob::Blob, ids::PersonId};
use package::Imported;
use serde_json::{Value, json};

use super::documents;
use crate::{
    app::{App, Shared},
    caller::Caller,
    error::Refusal,
};

/// How large one validator's input or output is at most.
const BLOB_MAX: usize = 16 << 20;

pub(crate) async fn put_blob(
    State(app): State<Shared>,
    caller: Caller,
    bytes: Bytes,
) -> Result<Json<Blob>, Refusal> {
    caller.person()?;
    if BLOB_MAX < bytes.len() {
        return Err(Refusal::invalid("too_long", "a file has 16 MiB at most"));
    }
    Ok(Json(app.node.deps.blobs.put(bytes).await?))
}

pub(crate) async fn get_blob(
    State(app): State<Shared>,
    caller: Caller,
    Path(sha256): Path<String>,
) -> Result<impl IntoResponse, Refusal> {
    caller.person()?;
    let bytes = app.node.deps.blobs.get(&sha256).await?.ok_or_else(Refusal::not_found)?;
    // What somebody uploaded is never a page of ours.
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes))
}

pub(crate) async fn import(
    State(app): State<Shared>,
    caller: Caller,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let person = caller.person()?.id;
    let read = tokio::task::spawn_blocking(move || package::read_zip(Cursor::new(bytes))).await;
    let imported = read.map_err(|error| {
        tracing::error!(%error, "an import panicked");
        Refusal::invalid("unreadable", "this package could not be read")
    })?;
    let imported =
        imported.map_err(|refusal| Refusal::invalid("bad_package", &refusal.to_string()))?;
    Ok((StatusCode::CREATED, Json(keep(&app, person, imported).await?)))
}

/// Keeps what was read of a package as a content of `person`.
pub(crate) async fn keep(
    app: &App,
    person: PersonId,
    imported: Imported,
) -> Result<Value, Refusal> {
    for (_, bytes) in imported.blobs {
        app.node.deps.blobs.put(bytes).await?;
    }
    let content = imported.content;
    let (title, repairs) = (content.title.clone(), content.repairs.clone());
    let assumed = content.assumed.clone();
    let id = documents::create_as(app, person, content).await?.into_id();
    let report = json!({ "id": id, "title": title, "repairs": repairs, "assumed": assumed });
    Ok(report)
}
