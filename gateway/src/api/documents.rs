//! Contents and tests: listed, read, saved in versions.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use domain::{
    command::AnyCommand,
    content::{Component, Content, Language},
    document::{Command, Document, ListRow, VersionRow},
    ids::{ContentId, PersonId, TestId},
    people::Role,
    plan::Test,
    rows::Topic,
    stream::{Origin, Stream},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    app::{App, Shared},
    caller::Caller,
    error::Refusal,
};

/// A kind of document, as it is named on the wire.
pub(crate) trait Kind: Document {
    const PLURAL: &'static str;

    fn stream(id: &str) -> Option<Stream>;
    fn new_stream() -> Stream;
    fn command(command: Command<Self>) -> AnyCommand;
    fn missing(&self) -> Vec<&'static str>;

    /// Whether this machine can do what it asks for.
    fn can_be_kept(&self, app: &App) -> Result<(), Refusal>;
}

impl Kind for Content {
    const PLURAL: &'static str = "contents";

    fn stream(id: &str) -> Option<Stream> {
        id.parse().ok().map(Stream::Content)
    }

    fn new_stream() -> Stream {
        Stream::Content(ContentId::random())
    }

    fn command(command: Command<Self>) -> AnyCommand {
        AnyCommand::Content(Box::new(command))
    }

    fn missing(&self) -> Vec<&'static str> {
        Self::missing(self)
    }

    fn can_be_kept(&self, app: &App) -> Result<(), Refusal> {
        let Component::Code(code) = &self.component else { return Ok(()) };
        code.judging.program().map_or(Ok(()), |program| offered(app, program.language))
    }
}

/// `Ok` if programs in `language` can be run here.
pub(crate) fn offered(app: &App, language: Language) -> Result<(), Refusal> {
    if app.languages.iter().any(|(known, _)| *known == language) {
        return Ok(());
    }
    let text = format!("{language:?} is not installed here");
    Err(Refusal::invalid("language_not_offered", &text))
}

impl Kind for Test {
    const PLURAL: &'static str = "tests";

    fn stream(id: &str) -> Option<Stream> {
        id.parse().ok().map(Stream::Test)
    }

    fn new_stream() -> Stream {
        Stream::Test(TestId::random())
    }

    fn command(command: Command<Self>) -> AnyCommand {
        AnyCommand::Test(Box::new(command))
    }

    fn missing(&self) -> Vec<&'static str> {
        if self.questions.is_empty() { vec!["questions"] } else { vec![] }
    }

    fn can_be_kept(&self, _app: &App) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A document with all that its editor needs.
#[derive(Serialize)]
pub(crate) struct DocumentView<D> {
    id: String,
    #[serde(flatten)]
    row: VersionRow<D>,
    missing: Vec<&'static str>,
}

/// Where a save has led.
#[derive(Serialize)]
pub(crate) struct Saved {
    id: String,
    version: u32,
    edition: u32,
}

pub(crate) async fn list<D: Kind>(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<Value>, Refusal> {
    let person = caller.person()?;
    let rows = app.rows(D::LIST).await?;
    let rows = rows.iter().filter_map(|(_, row)| serde_json::from_slice::<ListRow>(row).ok());
    let mut rows: Vec<ListRow> =
        rows.filter(|row| person.role == Role::Administrator || row.owner == person.id).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.saved_at));
    Ok(Json(json!({ D::PLURAL: rows })))
}

#[derive(Deserialize)]
#[serde(bound = "D: Kind")]
pub(crate) struct New<D: Kind> {
    document: D,
}

pub(crate) async fn create<D: Kind>(
    State(app): State<Shared>,
    caller: Caller,
    Json(New { document }): Json<New<D>>,
) -> Result<(StatusCode, Json<Saved>), Refusal> {
    document.can_be_kept(&app)?;
    let saved = create_as(&app, caller.person()?.id, document).await?;
    Ok((StatusCode::CREATED, Json(saved)))
}

/// Creates a document that belongs to `owner`.
pub(crate) async fn create_as<D: Kind>(
    app: &App,
    owner: PersonId,
    document: D,
) -> Result<Saved, Refusal> {
    let stream = D::new_stream();
    let command = D::command(Command::Create { owner, document });
    app.ask(Origin::Person(owner), stream, command).await?;
    Ok(Saved { id: id_of(stream), version: 1, edition: 0 })
}

impl Saved {
    /// The new document's id.
    pub(crate) fn into_id(self) -> String {
        self.id
    }
}

#[derive(Deserialize)]
pub(crate) struct Version {
    version: Option<u32>,
}

pub(crate) async fn read<D: Kind>(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(Version { version }): Query<Version>,
) -> Result<Json<DocumentView<D>>, Refusal> {
    let stream = D::stream(&id).ok_or_else(Refusal::not_found)?;
    let row = version_row::<D>(&app, stream, version).await?;
    caller.maker(row.owner)?;
    let missing = row.document.missing();
    Ok(Json(DocumentView { id, row, missing }))
}

#[derive(Deserialize)]
#[serde(bound = "D: Kind")]
pub(crate) struct Save<D: Kind> {
    edition: u32,
    document: D,
}

pub(crate) async fn save<D: Kind>(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Json(Save { edition, document }): Json<Save<D>>,
) -> Result<Json<Saved>, Refusal> {
    document.can_be_kept(&app)?;
    ask(&app, &caller, &id, Command::<D>::Save { edition, document }).await?;
    let stream = D::stream(&id).ok_or_else(Refusal::not_found)?;
    let row = version_row::<D>(&app, stream, None).await?;
    Ok(Json(Saved { id, version: row.version, edition: row.edition }))
}

pub(crate) async fn archive<D: Kind>(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    ask(&app, &caller, &id, Command::<D>::Archive).await
}

pub(crate) async fn restore<D: Kind>(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    ask(&app, &caller, &id, Command::<D>::Restore).await
}

async fn ask<D: Kind>(
    app: &App,
    caller: &Caller,
    id: &str,
    command: Command<D>,
) -> Result<StatusCode, Refusal> {
    let stream = D::stream(id).ok_or_else(Refusal::not_found)?;
    let person = caller.maker(version_row::<D>(app, stream, None).await?.owner)?;
    app.ask(Origin::Person(person), stream, D::command(command)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A version of a document, or its latest.
pub(crate) async fn version_row<D: Kind>(
    app: &App,
    stream: Stream,
    version: Option<u32>,
) -> Result<VersionRow<D>, Refusal> {
    let key = version.map_or_else(|| "latest".to_owned(), |version| format!("v{version}"));
    app.row(Topic::Of(stream), &key).await?.ok_or_else(Refusal::not_found)
}

/// Puts a version of a document in use.
pub(crate) async fn freeze<D: Kind>(
    app: &App,
    person: PersonId,
    stream: Stream,
    version: u32,
) -> Result<(), Refusal> {
    let command = D::command(Command::Freeze { version });
    app.ask(Origin::Person(person), stream, command).await.map(drop)
}

fn id_of(stream: Stream) -> String {
    stream.to_string().split_once('.').map(|(_, id)| id.to_owned()).unwrap_or_default()
}
