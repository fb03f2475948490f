//! What is true of a session, folded from its events.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{FileKey, History, LastVerdict, MARKS_MAX, RunKind, Terms};
use crate::{
    at::{At, Ms},
    content::{Language, SourceFile},
    ids::{CampaignId, SeatId, SessionId, SubmissionId},
    plan::{Plan, Task},
    points::Points,
    status::Status,
    text::Changes,
};

/// The state, folded from events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Set by the invitation; `None` before it.
    pub id: Option<SessionId>,
    /// `None` for a creator's preview.
    pub campaign: Option<CampaignId>,
    pub status: Status,
    pub decline_reason: Option<String>,
    /// The candidate said that they take part.
    pub has_accepted: bool,
    pub terms: Terms,
    pub plan: Arc<Plan>,
    /// Given by the creator to this candidate, before or after the start.
    pub given: Ms,
    pub announcement: Option<Announcement>,
    /// The campaign is paused: nobody starts.
    #[serde(default)]
    pub is_held: bool,
    /// Why it is held or paused, in its creator's words.
    #[serde(default)]
    pub pause_reason: Option<String>,
    /// The last time that was given.
    #[serde(default)]
    pub gift: Option<Gift>,
    /// What has been true since the start.
    pub run: Option<Running>,
}

/// What the creator told everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Announcement {
    pub text: String,
    #[cfg_attr(test, ts(type = "number"))]
    pub at: At,
}

/// Time that the creator gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Gift {
    #[cfg_attr(test, ts(type = "number"))]
    pub by: Ms,
    #[cfg_attr(test, ts(type = "number"))]
    pub at: At,
    pub reason: Option<String>,
}

/// A started session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Running {
    pub started_at: At,
    /// Moved later only, and only by events that say so.
    pub ends_at: At,
    pub time_up_at: Option<At>,
    pub sealed_at: Option<At>,
    pub handed_in: bool,
    #[serde(default)]
    pub is_filed: bool,
    pub paused_at: Option<At>,
    /// By how much credits, pauses and gifts moved `ends_at`.
    pub shift: Ms,
    pub credits: Vec<Credit>,
    /// When the clocks stood still.
    #[serde(default)]
    pub pauses: Vec<Pause>,
    /// All that ever held it; the last one does now.
    pub seats: Vec<SeatId>,
    pub current: u16,
    pub questions: Vec<Answering>,
    pub files: BTreeMap<u16, Vec<Arc<File>>>,
    /// The last runs with a verdict, the newest last.
    pub judged: Vec<(SubmissionId, Waiting)>,
    /// Runs without a verdict.
    pub waiting: BTreeMap<SubmissionId, Waiting>,
    pub runs_asked: u32,
    pub edits: u32,
    pub last_edit_at: Option<At>,
    /// Edits in each minute since the start.
    pub minutes: Vec<u16>,
    pub last_verdict: Option<LastVerdict>,
    pub lates: Vec<Late>,
}

/// An outage of ours, given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Credit {
    #[cfg_attr(test, ts(type = "number"))]
    pub from: At,
    #[cfg_attr(test, ts(type = "number"))]
    pub to: At,
    /// How much was given back, in ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub ms: Ms,
}

/// A pause that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Pause {
    #[cfg_attr(test, ts(type = "number"))]
    pub from: At,
    #[cfg_attr(test, ts(type = "number"))]
    pub to: At,
}

/// One question, as far as it is answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answering {
    pub stage: Stage,
    /// When its own time began.
    #[serde(default)]
    pub opened_at: Option<At>,
    /// Its own end, where questions come one after the other.
    pub ends_at: Option<At>,
    pub time_up_at: Option<At>,
    /// Counts every edit, file and language change.
    pub revision: u32,
    /// The revision that the last counting run judged.
    pub run_revision: Option<u32>,
    pub language: Option<Language>,
    pub choices: Vec<u16>,
    pub runs: u32,
    pub best: Option<Best>,
    /// When it was first solved in full, or came to its best.
    pub best_at: Option<At>,
    /// What it was worth when; at most [`MARKS_MAX`], oldest first.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

/// What a counting run, or an answer to a quiz, was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Mark {
    /// When it was asked for.
    #[cfg_attr(test, ts(type = "number"))]
    pub at: At,
    #[cfg_attr(test, ts(type = "number"))]
    pub score: Points,
    /// Whether everything passed.
    pub all: bool,
    /// It was not compiled, and so not rejected either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub uncompiled: bool,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its time has not come; nothing of it is sent.
    #[default]
    Locked,
    Open,
    TimeUp,
    Sealed,
}

/// The best counting run of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Best {
    pub passed: u32,
    pub total: u32,
    #[cfg_attr(test, ts(type = "number"))]
    pub score: Points,
}

/// One file of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct File {
    pub key: FileKey,
    pub text: String,
    /// Grows by one with each edit.
    pub rev: u32,
    pub caret: u32,
    pub deleted: bool,
    /// The changes that led to `rev`.
    pub history: History,
}

/// A run without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub question: u16,
    pub kind: RunKind,
    pub language: Language,
    pub revision: u32,
    pub at: At,
}

/// An edit that came too late, kept apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Late {
    pub file: FileKey,
    pub base_rev: u32,
    pub changes: Changes,
    pub received_at: At,
    pub accepted: bool,
}

impl Session {
    /// The questions of the pinned test.
    pub fn question(&self, question: u16) -> Option<&crate::plan::QuestionPlan> {
        self.plan.questions.get(usize::from(question))
    }

    /// The score of the whole test, as it stands.
    pub fn score(&self) -> Points {
        let answered = self.run.iter().flat_map(|run| &run.questions);
        answered.zip(&self.plan.questions).map(|(answer, plan)| answer.score(plan)).sum()
    }
}

impl Running {
    /// The file, unless it is deleted.
    pub fn file(&self, key: &FileKey) -> Option<&Arc<File>> {
        let files = self.files.get(&key.question)?;
        files.iter().find(|file| file.key == *key && !file.deleted)
    }

    /// The device that may write.
    pub fn seat(&self) -> Option<SeatId> {
        self.seats.last().copied()
    }

    /// The files of `question` in its chosen language.
    pub fn sources(&self, question: u16, language: Language) -> Vec<SourceFile> {
        let files = self.files.get(&question).into_iter().flatten();
        files
            .filter(|file| file.key.language == language && !file.deleted)
            .map(|file| SourceFile { name: file.key.name.clone(), text: file.text.clone() })
            .collect()
    }
}

impl Answering {
    /// The score as it stands: of a quiz from what is picked, of code from the best run.
    pub fn score(&self, plan: &crate::plan::QuestionPlan) -> Points {
        match &plan.task {
            Task::Quiz { right, partial, .. } => {
                crate::scoring::quiz(plan.points, right, *partial, &self.choices)
            }
            Task::Code { .. } => self.best.map(|best| best.score).unwrap_or_default(),
        }
    }

    /// Keeps a mark. When there are too many, the first one goes that was no better than those before it.
    pub(super) fn note(&mut self, mark: Mark) {
        if self.marks.len() == MARKS_MAX {
            let mut best = None;
            let no_better = |mark: &Mark| {
                let is_better = best < Some(mark.score);
                best = best.max(Some(mark.score));
                !is_better
            };
            let at = self.marks.iter().position(no_better).unwrap_or(0);
            self.marks.remove(at);
        }
        // Verdicts come in any order.
        let at = self.marks.partition_point(|before| before.at <= mark.at);
        self.marks.insert(at, mark);
    }

    /// Whether the text is another than the one that was last judged.
    pub fn changed_since_run(&self) -> bool {
        self.run_revision.unwrap_or(0) != self.revision
    }
}
