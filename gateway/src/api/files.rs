//! Uploads: validators' data, and whole problem packages.

use std::{collections::HashMap, io::Cursor};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use domain::{
    blob::Blob,
    content::{Component, Content},
    ids::{ContentId, PersonId},
    stream::Stream,
};
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

/// How many bytes of validators' data a package has at most: all of it is in memory at once.
const EXPORT_MAX: u64 = 256 << 20;

/// The latest version of a content as a problem package.
pub(crate) async fn export(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<ContentId>,
) -> Result<impl IntoResponse, Refusal> {
    let row = documents::version_row::<Content>(&app, Stream::Content(id), None).await?;
    caller.maker(row.owner)?;
    let named = blobs_of(&row.document);
    if named.values().sum::<u64>() > EXPORT_MAX {
        return Err(Refusal::invalid("too_long", "its data are more than 256 MiB"));
    }
    let mut blobs = HashMap::new();
    for sha256 in named.into_keys() {
        if let Some(bytes) = app.node.deps.blobs.get(&sha256).await? {
            blobs.insert(sha256, bytes);
        }
    }
    let content = row.document;
    let write = move || package::write_zip(&content, &|sha256| blobs.get(sha256).cloned());
    let written = tokio::task::spawn_blocking(write).await.map_err(|error| {
        tracing::error!(%error, "an export panicked");
        Refusal::invalid("unwritable", "this content could not be written as a package")
    })?;
    let zip = written.map_err(|why| Refusal::invalid("unwritable", &why.to_string()))?;
    let name = format!("attachment; filename=\"{id}.zip\"");
    let kind = "application/zip".to_owned();
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], zip))
}

/// The data of validators, and what the statement shows, each with its size in bytes.
fn blobs_of(content: &Content) -> HashMap<String, u64> {
    let mut named = HashMap::new();
    for shown in content.statement.split("blob:").skip(1) {
        // A picture is part of a package that was imported, which has its own limit.
        named.extend(shown.get(..64).map(|sha256| (sha256.to_owned(), 0)));
    }
    if let Component::Code(code) = &content.component {
        let data = code.validators.iter().flat_map(|one| [&one.input, &one.expected]);
        named.extend(data.map(|blob| (blob.sha256.clone(), blob.size)));
    }
    named
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
