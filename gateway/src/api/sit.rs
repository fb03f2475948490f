//! What a candidate's page reads besides the live rows: questions in their time, and the files.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header::HeaderName},
};
use domain::{
    command::AnyCommand,
    content::{Code, Component, Content, Language},
    ids::{ContentId, SessionId, TestId},
    people::Who,
    plan::Test,
    session::{self, Session, Stage, Terms},
    stream::{Origin, Stream},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{campaigns, documents};
use crate::{
    app::{App, Shared},
    caller::{self, Caller, relation},
    error::Refusal,
};

/// How large a shown input or output may be to be sent with its question.
const SHOWN_MAX: u64 = 16 * 1024;

/// One file of an answer, as it stands.
#[derive(Serialize)]
pub(crate) struct FileView {
    question: u16,
    language: Language,
    name: String,
    rev: u32,
    text: String,
    caret: u32,
    deleted: bool,
}

/// `Ok` if the caller is the session's candidate.
pub(crate) fn candidate(caller: &Caller, session: SessionId) -> Result<(), Refusal> {
    if caller.candidate == Some(session) { Ok(()) } else { Err(Refusal::not_signed_in()) }
}

/// `Ok` if the caller is the candidate or the one who invited them.
pub(crate) async fn candidate_or_maker(
    app: &App,
    caller: &Caller,
    session: SessionId,
) -> Result<(), Refusal> {
    let topic = domain::rows::Topic::Of(Stream::Session(session));
    for who in caller.all() {
        if crate::access::may_watch(who, relation(app, who, topic).await?, topic) {
            return Ok(());
        }
    }
    Err(Refusal::not_signed_in())
}

/// Reads from a session's state.
pub(crate) async fn look<R: Send + 'static>(
    app: &App,
    session: SessionId,
    look: impl Fn(&Session) -> R + Clone + Send + 'static,
) -> Result<R, Refusal> {
    let looked = app.node.directory.look(session, look).await;
    looked
        .ok_or_else(|| anyhow::anyhow!("a session could not be read"))
        .map_err(|error| domain::ports::Unavailable(error).into())
}

/// What a question pins, if its time has come.
struct Pinned {
    content: ContentId,
    version: u32,
    points: domain::points::Points,
}

pub(crate) async fn question(
    State(app): State<Shared>,
    caller: Caller,
    Path((session, n)): Path<(SessionId, u16)>,
) -> Result<Json<Value>, Refusal> {
    candidate_or_maker(&app, &caller, session).await?;
    let pinned = look(&app, session, move |session| {
        let plan = session.question(n)?;
        let answer = session.run.as_ref()?.questions.get(usize::from(n))?;
        let is_open = answer.stage != Stage::Locked;
        is_open.then_some(Pinned {
            content: plan.content,
            version: plan.version,
            points: plan.points,
        })
    });
    let Some(pinned) = pinned.await? else {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "question_not_open",
            "this question is not open",
        ));
    };
    let stream = Stream::Content(pinned.content);
    let row = documents::version_row::<Content>(&app, stream, Some(pinned.version)).await?;
    let component = component(&app, &row.document.component).await?;
    Ok(Json(json!({
        "n": n,
        "title": row.document.title,
        "statement": row.document.statement,
        "points": pinned.points,
        "tags": row.document.tags,
        "component": component,
    })))
}

/// A component without anything that would give its answer away.
async fn component(app: &App, component: &Component) -> Result<Value, Refusal> {
    Ok(match component {
        Component::Quiz(quiz) => {
            let choices = quiz.choices.iter().map(|choice| json!({ "text": choice.text }));
            let choices: Vec<Value> = choices.collect();
            json!({ "type": "quiz", "choices": choices, "several": quiz.several })
        }
        Component::Code(code) => json!({
            "type": "code",
            "languages": languages(app, code),
            "limits": code.limits,
            "validators": validators(app, code).await?,
        }),
    })
}

fn languages(app: &App, code: &Code) -> Vec<Value> {
    let version = |language: &Language| {
        let known = app.languages.iter().find(|(known, _)| known == language);
        known.map_or_else(String::new, |(_, version)| version.clone())
    };
    let view = |language: &Language| json!({ "language": language, "version": version(language) });
    // What this server does not have is no choice, unless there is none at all.
    let offered = |language: &&Language| app.languages.iter().any(|(known, _)| known == *language);
    let any = code.languages.iter().any(|language| offered(&language));
    code.languages.iter().filter(|language| !any || offered(language)).map(view).collect()
}

async fn validators(app: &App, code: &Code) -> Result<Vec<Value>, Refusal> {
    let mut views = vec![];
    for validator in &code.validators {
        let (mut input, mut expected) = (None, None);
        if validator.shown {
            input = Some(shown_text(app, &validator.input).await?);
            expected = Some(shown_text(app, &validator.expected).await?);
        }
        let view = json!({
            "name": validator.name, "shown": validator.shown, "weight": validator.weight,
            "input": input, "expected": expected,
        });
        views.push(view);
    }
    Ok(views)
}

async fn shown_text(app: &App, blob: &domain::blob::Blob) -> Result<String, Refusal> {
    if SHOWN_MAX < blob.size {
        return Ok(format!("{}…", blob.head));
    }
    let bytes = app.node.deps.blobs.get(&blob.sha256).await?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) async fn files(
    State(app): State<Shared>,
    caller: Caller,
    Path(session): Path<SessionId>,
) -> Result<Json<Value>, Refusal> {
    candidate(&caller, session)?;
    let languages = look(&app, session, |session| {
        let answers = session.run.iter().flat_map(|run| run.questions.iter()).enumerate();
        answers.filter_map(|(n, answer)| Some((n, answer.language?))).collect::<BTreeMap<_, _>>()
    });
    let languages = languages.await?;
    Ok(Json(json!({ "files": all_files(&app, session).await?, "languages": languages })))
}

/// All files of a session whose question's time has come.
pub(crate) async fn all_files(app: &App, session: SessionId) -> Result<Vec<FileView>, Refusal> {
    look(app, session, |session| {
        let Some(run) = &session.run else { return vec![] };
        let is_open = |question: u16| {
            let answer = run.questions.get(usize::from(question));
            answer.is_some_and(|answer| answer.stage != Stage::Locked)
        };
        let files = run.files.values().flatten().filter(|file| !file.deleted);
        let files = files.filter(|file| is_open(file.key.question));
        files.map(FileView::of).collect()
    })
    .await
}

impl FileView {
    fn of(file: &Arc<session::File>) -> Self {
        Self {
            question: file.key.question,
            language: file.key.language,
            name: file.key.name.clone(),
            rev: file.rev,
            text: file.text.clone(),
            caret: file.caret,
            deleted: file.deleted,
        }
    }
}

type SignedIn = ([(HeaderName, HeaderValue); 1], Json<Value>);

/// A throwaway session of a test as it stands, for its creator.
pub(crate) async fn preview(
    State(app): State<Shared>,
    caller: Caller,
    Path(id): Path<TestId>,
) -> Result<SignedIn, Refusal> {
    let row = documents::version_row::<Test>(&app, Stream::Test(id), None).await?;
    let person = caller.maker(row.owner)?;
    let plan = campaigns::plan_of(&app, id, row.version, &row.document).await?;
    let terms = Terms {
        title: row.document.title.clone(),
        time_allowed: row.document.time_allowed,
        zone: "UTC".to_owned(),
        allow_small_screen: true,
        ..Terms::default()
    };
    let session = SessionId::random();
    let invite = session::Command::Invite { session, campaign: None, terms, plan: Arc::new(plan) };
    let command = AnyCommand::Session(Box::new(invite));
    app.ask(Origin::Person(person), Stream::Session(session), command).await?;
    let cookie = caller::sign_in(&app, Who::Candidate(session)).await?;
    Ok(([cookie], Json(json!({ "session": session }))))
}
