//! Tests: what a creator writes, and the plan that a session is pinned to.

use serde::{Deserialize, Serialize};

use crate::{
    at::Ms,
    content::{Component, Content, Group, Language, Starter},
    ids::{ContentId, TestId},
    points::Points,
};

/// How many questions a test has at most.
pub const QUESTIONS_MAX: usize = 100;

/// One version of a test, as its creator wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Test {
    pub title: String,
    /// What a campaign offers unless it says otherwise, in ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub time_allowed: Ms,
    pub questions: Vec<Question>,
}

/// One question of a test: one version of a content, and what it is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Question {
    #[cfg_attr(test, ts(type = "string"))]
    pub content: ContentId,
    pub version: u32,
    #[cfg_attr(test, ts(type = "number"))]
    pub points: Points,
    /// Time for this question alone, in ms. If any question has one, questions come one after the
    /// other.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub limit: Option<Ms>,
}

/// What a session must know of its test to decide: no statement, no validator's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub test: Option<TestId>,
    pub version: u32,
    pub title: String,
    pub questions: Vec<QuestionPlan>,
}

/// One question of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionPlan {
    pub content: ContentId,
    pub version: u32,
    pub title: String,
    pub tags: Vec<String>,
    pub points: Points,
    pub limit: Option<Ms>,
    pub task: Task,
}

/// What decides the score of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Task {
    Quiz {
        /// Of each choice, whether it is right.
        right: Vec<bool>,
        several: bool,
        partial: bool,
    },
    Code {
        languages: Vec<Language>,
        starters: Vec<Starter>,
        validators: Vec<ValidatorPlan>,
        groups: Vec<Group>,
    },
}

/// What decides the score of a validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorPlan {
    pub name: String,
    pub shown: bool,
    pub weight: u32,
    pub group: Option<u16>,
}

impl Plan {
    /// Whether questions come one after the other.
    pub fn is_linear(&self) -> bool {
        self.questions.iter().any(|question| question.limit.is_some())
    }

    /// All points together.
    pub fn points(&self) -> Points {
        self.questions.iter().map(|question| question.points).sum()
    }
}

impl QuestionPlan {
    /// The plan of `question`, which pins `content`.
    pub fn new(question: &Question, content: &Content) -> Self {
        Self {
            content: question.content,
            version: question.version,
            title: content.title.clone(),
            tags: content.tags.clone(),
            points: question.points,
            limit: question.limit,
            task: Task::of(&content.component),
        }
    }
}

impl Task {
    fn of(component: &Component) -> Self {
        match component {
            Component::Quiz(quiz) => Self::Quiz {
                right: quiz.choices.iter().map(|choice| choice.right).collect(),
                several: quiz.several,
                partial: quiz.partial,
            },
            Component::Code(code) => Self::Code {
                languages: code.languages.clone(),
                starters: code.starters.clone(),
                validators: code.validators.iter().map(ValidatorPlan::of).collect(),
                groups: code.groups.clone(),
            },
        }
    }
}

impl ValidatorPlan {
    fn of(validator: &crate::content::Validator) -> Self {
        Self {
            name: validator.name.clone(),
            shown: validator.shown,
            weight: validator.weight,
            group: validator.group,
        }
    }
}
