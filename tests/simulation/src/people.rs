//! What people do: a creator and their candidates.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    at::Ms,
    blob::Blob,
    campaign::{self, Settings},
    command::{Answer, AnyCommand},
    content::{Code, Component, Content, Language, Validator},
    document,
    ids::{CampaignId, ContentId, PersonId, SeatId, SessionId},
    plan::{Plan, Question, QuestionPlan},
    points::Points,
    session::{self, FileKey, RunKind},
    stream::Stream,
    text::{Changes, utf16_len},
};

use crate::{check::Typed, person::Person};

pub(crate) const CREATOR: PersonId = PersonId::from_u128(1);
pub(crate) const CONTENT: ContentId = ContentId::from_u128(9);

/// What all candidates believe to have typed, by session.
pub(crate) type Beliefs = Arc<Mutex<BTreeMap<SessionId, Typed>>>;

fn to_session(command: session::Command) -> AnyCommand {
    AnyCommand::Session(Box::new(command))
}

pub(crate) fn file() -> FileKey {
    FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() }
}

fn content(blob: &Blob) -> Content {
    let validator = Validator {
        name: "one".to_owned(),
        input: blob.clone(),
        expected: blob.clone(),
        shown: true,
        weight: 1,
        ..Validator::default()
    };
    let languages = vec![Language::Python];
    let code = Code { languages, validators: vec![validator], ..Code::default() };
    Content {
        title: "The night ferry".to_owned(),
        statement: "Read a number.".to_owned(),
        component: Component::Code(Box::new(code)),
        ..Content::default()
    }
}

/// Sets everything up. Answers when all may begin.
pub(crate) async fn prepare(
    creator: &Person,
    campaign: CampaignId,
    sessions: &[SessionId],
    time_allowed: Ms,
    blob: Blob,
) {
    let content = content(&blob);
    let create = document::Command::Create { owner: CREATOR, document: content.clone() };
    let create = AnyCommand::Content(Box::new(create));
    creator.ask(Stream::Content(CONTENT), create).await;
    let to = Stream::Campaign(campaign);
    let settings = Settings {
        title: "Autumn".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed,
        ..Settings::default()
    };
    let points = Points::from_hundredths(1_000);
    let question = Question { content: CONTENT, version: 1, points, limit: None };
    let questions = vec![QuestionPlan::new(&question, &content)];
    let plan = Arc::new(Plan { title: "A test".to_owned(), questions, ..Plan::default() });
    let create = campaign::Command::Create { owner: CREATOR, settings };
    creator.ask(to, AnyCommand::Campaign(create)).await;
    creator.ask(to, AnyCommand::Campaign(campaign::Command::Pin { plan })).await;
    for session in sessions {
        let add = campaign::Command::Add { session: *session, tags: vec![] };
        creator.ask(to, AnyCommand::Campaign(add)).await;
    }
}

/// What a creator does meanwhile.
pub(crate) async fn create(creator: Person, campaign: CampaignId, acts: usize) {
    let to = Stream::Campaign(campaign);
    for _ in 0..acts {
        creator.wait(3_000, 12_000).await;
        let act = creator.world.between(0, 3).0;
        let command = match act {
            0 => campaign::Command::GiveTime {
                to: campaign::Gifted::All,
                by: Ms(2_000),
                reason: None,
            },
            1 => campaign::Command::Announce { text: "Hello".to_owned() },
            _ => campaign::Command::Pause { reason: None },
        };
        creator.ask(to, AnyCommand::Campaign(command)).await;
        if act > 1 {
            creator.wait(500, 5_000).await;
            creator.ask(to, AnyCommand::Campaign(campaign::Command::Resume)).await;
        }
    }
}

/// One candidate, from the start to the end.
pub(crate) struct Candidate {
    pub(crate) me: Person,
    pub(crate) session: SessionId,
    pub(crate) beliefs: Beliefs,
    pub(crate) seat: SeatId,
    pub(crate) rev: u32,
    pub(crate) text: String,
    pub(crate) lates: usize,
    /// So many edits, and then they hand in; else they go on until the time is up.
    pub(crate) hands_in_after: Option<u32>,
}

/// What somebody does next.
enum Next {
    GoesOn,
    IsDone,
}

impl Candidate {
    async fn ask(&self, command: session::Command) -> Answer {
        self.me.ask(Stream::Session(self.session), to_session(command)).await
    }

    /// Sits the test.
    pub(crate) async fn sit(mut self) {
        self.me.wait(0, 5_000).await;
        loop {
            match self.ask(session::Command::Start { seat: self.seat }).await {
                Answer::Done { .. } => break,
                // Not invited yet, or the campaign is paused.
                Answer::Refused(_) => self.me.wait(200, 900).await,
            }
        }
        for n in 0.. {
            self.me.wait(200, 1_800).await;
            if self.hands_in_after.is_some_and(|after| after <= n) {
                let seat = self.seat;
                self.ask(session::Command::HandIn { seat }).await;
                return;
            }
            let next = match self.me.world.between(0, 99).0 {
                0..80 => self.types(n).await,
                80..93 => self.runs().await,
                _ => self.moves().await,
            };
            if matches!(next, Next::IsDone) {
                return;
            }
        }
    }

    async fn types(&mut self, n: u32) -> Next {
        let word = format!("w{n} ");
        let length = utf16_len(&self.text);
        let changes = Changes::insert(length, length, &word);
        let (seat, base_rev) = (self.seat, self.rev);
        let edit = session::Command::Edit { seat, file: file(), base_rev, changes, caret: 0 };
        match self.ask(edit).await {
            Answer::Done { answer, .. } => {
                let number = |name: &str| answer.as_ref()?.get(name)?.as_u64();
                if let Some(rev) = number("rev") {
                    self.rev = u32::try_from(rev).unwrap_or(u32::MAX);
                    self.text.push_str(&word);
                } else if number("late").is_some() {
                    self.lates += 1;
                }
                let (text, lates) = (self.text.clone(), self.lates);
                let mut beliefs = self.beliefs.lock().unwrap_or_else(PoisonError::into_inner);
                beliefs.insert(self.session, Typed { file: file(), text, lates });
                if self.lates < 12 { Next::GoesOn } else { Next::IsDone }
            }
            Answer::Refused(_) => Next::IsDone,
        }
    }

    async fn runs(&self) -> Next {
        let (seat, kind) = (self.seat, RunKind::All);
        let run = session::Command::Run { seat, question: 0, kind, stdin: None };
        match self.ask(run).await {
            Answer::Refused(why) if !["too_many_runs", "paused"].contains(&why.code.as_str()) => {
                Next::IsDone
            }
            Answer::Refused(_) | Answer::Done { .. } => Next::GoesOn,
        }
    }

    /// Sits down at another device.
    async fn moves(&mut self) -> Next {
        self.seat = SeatId::from_u128(self.me.world.id());
        match self.ask(session::Command::TakeSeat { seat: self.seat }).await {
            Answer::Done { .. } => Next::GoesOn,
            Answer::Refused(_) => Next::IsDone,
        }
    }
}
