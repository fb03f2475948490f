//! A campaign with a question of code, and what people do in it.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    at::Ms,
    campaign::{self, Settings},
    command::AnyCommand,
    content::{Code, Component, Content, Language, Validator},
    document,
    ids::{CampaignId, ContentId, PersonId, SeatId, SessionId, SubmissionId, TestId},
    plan::{Plan, Question, QuestionPlan, Test},
    points::Points,
    ports::Blobs,
    session::{self, FileKey, RunKind},
    stream::Stream,
    text::Changes,
};

use crate::world::World;

pub(crate) const HERE: SeatId = SeatId::from_u128(1);
pub(crate) const CREATOR: PersonId = PersonId::from_u128(1);
pub(crate) const CAMPAIGN: CampaignId = CampaignId::from_u128(3);
pub(crate) const CONTENT: ContentId = ContentId::from_u128(9);
pub(crate) const MINUTE: Ms = Ms(60_000);

pub(crate) fn id(n: u128) -> SessionId {
    SessionId::from_u128(n)
}

pub(crate) fn session(n: u128) -> Stream {
    Stream::Session(id(n))
}

pub(crate) fn campaign(n: u128) -> Stream {
    Stream::Campaign(CampaignId::from_u128(n))
}

pub(crate) fn test(n: u128) -> Stream {
    Stream::Test(TestId::from_u128(n))
}

/// The submission of a session's run number `number`.
pub(crate) fn submission(n: u128, number: u32) -> Stream {
    Stream::Submission(SubmissionId::derived(&format!("{}/{number}", id(n))))
}

pub(crate) fn to_session(command: session::Command) -> AnyCommand {
    AnyCommand::Session(Box::new(command))
}

pub(crate) fn to_campaign(command: campaign::Command) -> AnyCommand {
    AnyCommand::Campaign(command)
}

pub(crate) fn to_test(command: document::Command<Test>) -> AnyCommand {
    AnyCommand::Test(Box::new(command))
}

pub(crate) fn a_test(title: &str) -> Test {
    Test { title: title.to_owned(), time_allowed: MINUTE, questions: vec![] }
}

pub(crate) fn create_test(title: &str) -> AnyCommand {
    to_test(document::Command::Create { owner: CREATOR, document: a_test(title) })
}

pub(crate) fn save_test(edition: u32, title: &str) -> AnyCommand {
    to_test(document::Command::Save { edition, document: a_test(title) })
}

pub(crate) fn settings() -> Settings {
    Settings {
        title: "Autumn".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: MINUTE,
        ..Settings::default()
    }
}

/// A content of code with two validators, one of them hidden.
pub(crate) async fn create_content(world: &World) -> Content {
    let blob = world.memory.put(Bytes::from_static(b"1\n")).await.unwrap();
    let validator = |name: &str, shown| Validator {
        name: name.to_owned(),
        input: blob.clone(),
        expected: blob.clone(),
        shown,
        weight: 1,
        ..Validator::default()
    };
    let code = Code {
        languages: vec![Language::Python],
        validators: vec![validator("shown", true), validator("hidden", false)],
        ..Code::default()
    };
    let content = Content {
        title: "The night ferry".to_owned(),
        statement: "Read a number.".to_owned(),
        component: Component::Code(Box::new(code)),
        ..Content::default()
    };
    let create = document::Command::Create { owner: CREATOR, document: content.clone() };
    world.done(Stream::Content(CONTENT), AnyCommand::Content(Box::new(create))).await;
    content
}

pub(crate) fn plan(content: &Content) -> Arc<Plan> {
    let points = Points::from_hundredths(1_000);
    let question = Question { content: CONTENT, version: 1, points, limit: None };
    let questions = vec![QuestionPlan::new(&question, content)];
    Arc::new(Plan { title: "A test".to_owned(), questions, ..Plan::default() })
}

/// The campaign `n`, with `candidates` candidates: `n * 1000`, `n * 1000 + 1`, and so on.
pub(crate) async fn create_campaign(world: &World, n: u128, candidates: u128, settings: Settings) {
    let content = if world.log(Stream::Content(CONTENT)).await.is_empty() {
        create_content(world).await
    } else {
        content_of(world).await
    };
    let create = campaign::Command::Create { owner: CREATOR, settings };
    world.done(campaign(n), to_campaign(create)).await;
    world.done(campaign(n), to_campaign(campaign::Command::Pin { plan: plan(&content) })).await;
    for session in n * 1_000..n * 1_000 + candidates {
        world.done(campaign(n), to_campaign(add(session))).await;
    }
    for n in n * 1_000..n * 1_000 + candidates {
        world.until(session(n), "invited", 1).await;
    }
}

async fn content_of(world: &World) -> Content {
    let first = world.log(Stream::Content(CONTENT)).await.remove(0);
    let created: document::Event<Content> = serde_json::from_slice(&first.body).unwrap();
    let document::Event::Created { document, .. } = created else { panic!("{created:?}") };
    document
}

pub(crate) fn add(n: u128) -> campaign::Command {
    campaign::Command::Add { session: id(n), tags: vec![] }
}

pub(crate) fn start() -> AnyCommand {
    to_session(session::Command::Start { seat: HERE })
}

pub(crate) fn main_file() -> FileKey {
    FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() }
}

/// Replaces `old`, which is revision `base_rev`, by `new`.
pub(crate) fn edit(base_rev: u32, old: &str, new: &str) -> AnyCommand {
    let changes = Changes::replace(old, new);
    to_session(session::Command::Edit {
        seat: HERE,
        file: main_file(),
        base_rev,
        changes,
        caret: 0,
    })
}

pub(crate) fn run(kind: RunKind) -> AnyCommand {
    to_session(session::Command::Run { seat: HERE, question: 0, kind, stdin: None })
}

pub(crate) fn hand_in() -> AnyCommand {
    to_session(session::Command::HandIn { seat: HERE })
}

pub(crate) fn expire() -> AnyCommand {
    to_session(session::Command::Expire)
}

/// Starts session `n` and types `text`.
pub(crate) async fn sit(world: &World, n: u128, text: &str) {
    world.done(session(n), start()).await;
    world.done(session(n), edit(0, "", text)).await;
}
