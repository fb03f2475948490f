//! Contents and tests are documents in versions: a version in use is frozen, and editing it makes
//! the next one.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    aggregate::{Aggregate, Refuses, Times},
    at::At,
    content::{Component, Content, file_name_is_allowed},
    ids::PersonId,
    plan::{QUESTIONS_MAX, Test},
    rows::{RowChange, Topic},
    stream::Stream,
};

/// What is kept in versions.
pub trait Document:
    Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The list of all documents of this kind.
    const LIST: Topic;

    /// Its line in the list.
    fn summary(&self) -> Summary;

    /// Whether it can be kept at all; drafts may be unfinished.
    fn check(&self) -> Result<(), Refusal>;
}

/// A document's line in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Summary {
    pub title: String,
    pub tags: Vec<String>,
    /// `quiz`, `code` or `test`.
    pub kind: String,
    /// Of a test its questions, of a program its validators, of a quiz its choices.
    pub parts: usize,
    /// How many things are to be repaired before it can be used.
    pub repairs: usize,
}

/// What is asked of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command<D> {
    Create {
        owner: PersonId,
        document: D,
    },
    /// `edition` is the one that was edited: another one in between is not overwritten.
    Save {
        edition: u32,
        document: D,
    },
    /// A campaign uses this version from now on.
    Freeze {
        version: u32,
    },
    Archive,
    Restore,
}

/// What happened to a document. The stored form: never edit a variant, add one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event<D> {
    Created { owner: PersonId, document: D },
    Saved { version: u32, document: D },
    Frozen { version: u32 },
    Archived,
    Restored,
}

/// Why something was refused. Shown to the person who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such document")]
    NotFound,
    #[error("this document exists already")]
    AlreadyCreated,
    #[error("somebody else has changed it meanwhile; reload to see how")]
    ChangedElsewhere,
    #[error("there is no such version")]
    NoSuchVersion,
    #[error("a title has between 1 and 200 characters")]
    BadTitle,
    #[error("the statement is too long")]
    TooLong,
    #[error("there are too many parts")]
    TooManyParts,
    #[error("a file name has letters, digits, dots, dashes and underscores, 64 at most")]
    BadFileName,
    #[error("limits are out of range")]
    BadLimits,
    #[error("it is archived; restore it first")]
    Archived,
}

impl Refuses for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::AlreadyCreated => "already_created",
            Self::ChangedElsewhere => "changed_elsewhere",
            Self::NoSuchVersion => "no_such_version",
            Self::BadTitle => "bad_title",
            Self::TooLong => "too_long",
            Self::TooManyParts => "too_many_parts",
            Self::BadFileName => "bad_file_name",
            Self::BadLimits => "bad_limits",
            Self::Archived => "archived",
        }
    }
}

/// A document with its last version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Versioned<D: Document> {
    /// `None` until it is created.
    pub owner: Option<PersonId>,
    pub document: D,
    pub version: u32,
    /// The last version is in use.
    pub is_frozen: bool,
    pub is_archived: bool,
    /// Counts saves.
    pub edition: u32,
}

/// Row `v<version>` of `content.<id>` or `test.<id>`, and row `latest`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionRow<D> {
    pub owner: PersonId,
    pub version: u32,
    pub edition: u32,
    pub is_frozen: bool,
    pub is_archived: bool,
    pub document: D,
}

/// A document's row in the list of its kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct ListRow {
    pub id: String,
    #[cfg_attr(test, ts(type = "string"))]
    pub owner: PersonId,
    pub version: u32,
    pub is_frozen: bool,
    pub is_archived: bool,
    pub summary: Summary,
    #[cfg_attr(test, ts(type = "number"))]
    pub saved_at: At,
}

impl<D: Document> Aggregate for Versioned<D> {
    type Command = Command<D>;
    type Event = Event<D>;
    type Refusal = Refusal;

    const SCHEMA: u32 = 1;

    fn decide(&self, command: Command<D>, _times: Times) -> Result<Vec<Event<D>>, Refusal> {
        match command {
            Command::Create { owner, document } if self.owner.is_none() => {
                document.check()?;
                Ok(vec![Event::Created { owner, document }])
            }
            Command::Create { .. } => Err(Refusal::AlreadyCreated),
            _ if self.owner.is_none() => Err(Refusal::NotFound),
            Command::Save { .. } if self.is_archived => Err(Refusal::Archived),
            Command::Save { edition, .. } if edition != self.edition => {
                Err(Refusal::ChangedElsewhere)
            }
            Command::Save { document, .. } if document == self.document => Ok(vec![]),
            Command::Save { document, .. } => {
                document.check()?;
                let version = self.version + u32::from(self.is_frozen);
                Ok(vec![Event::Saved { version, document }])
            }
            Command::Freeze { version } if version < self.version => Ok(vec![]),
            Command::Freeze { version } if version > self.version => Err(Refusal::NoSuchVersion),
            Command::Freeze { version } => {
                Ok((!self.is_frozen).then_some(Event::Frozen { version }).into_iter().collect())
            }
            Command::Archive => {
                Ok((!self.is_archived).then_some(Event::Archived).into_iter().collect())
            }
            Command::Restore => {
                Ok(self.is_archived.then_some(Event::Restored).into_iter().collect())
            }
        }
    }

    fn evolve(&mut self, event: &Event<D>, _at: At) {
        match event {
            Event::Created { owner, document } => {
                self.owner = Some(*owner);
                self.document = document.clone();
                self.version = 1;
            }
            Event::Saved { version, document } => {
                self.document = document.clone();
                self.is_frozen = self.is_frozen && *version == self.version;
                self.version = *version;
                self.edition += 1;
            }
            Event::Frozen { .. } => self.is_frozen = true,
            Event::Archived => self.is_archived = true,
            Event::Restored => self.is_archived = false,
        }
    }

    fn wake_at(&self) -> Option<At> {
        None
    }

    fn rows(&self, stream: Stream, events: &[(At, Event<D>)]) -> Vec<RowChange> {
        let (Some(owner), Some((saved_at, _))) = (self.owner, events.last()) else { return vec![] };
        let id =
            stream.to_string().split_once('.').map(|(_, id)| id.to_owned()).unwrap_or_default();
        let row = VersionRow {
            owner,
            version: self.version,
            edition: self.edition,
            is_frozen: self.is_frozen,
            is_archived: self.is_archived,
            document: &self.document,
        };
        let line = ListRow {
            id: id.clone(),
            owner,
            version: self.version,
            is_frozen: self.is_frozen,
            is_archived: self.is_archived,
            summary: self.document.summary(),
            saved_at: *saved_at,
        };
        vec![
            RowChange::put(Topic::Of(stream), format!("v{}", self.version), &row),
            RowChange::put(Topic::Of(stream), "latest", &row),
            RowChange::put(D::LIST, id, &line),
        ]
    }
}

/// How many characters a statement has at most.
const STATEMENT_MAX: usize = 256 * 1024;
/// How many validators or choices a content has at most.
const PARTS_MAX: usize = 1_000;

impl Document for Content {
    const LIST: Topic = Topic::Contents;

    fn summary(&self) -> Summary {
        let (kind, parts) = match &self.component {
            Component::Quiz(quiz) => ("quiz", quiz.choices.len()),
            Component::Code(code) => ("code", code.validators.len()),
        };
        Summary {
            title: self.title.clone(),
            tags: self.tags.clone(),
            kind: kind.to_owned(),
            parts,
            repairs: self.repairs.len() + self.missing().len(),
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        check_title(&self.title)?;
        if STATEMENT_MAX < self.statement.len() {
            return Err(Refusal::TooLong);
        }
        match &self.component {
            Component::Quiz(quiz) if PARTS_MAX < quiz.choices.len() => Err(Refusal::TooManyParts),
            Component::Quiz(_) => Ok(()),
            Component::Code(code) if PARTS_MAX < code.validators.len() => {
                Err(Refusal::TooManyParts)
            }
            Component::Code(code) => {
                let files = code.starters.iter().chain(&code.solution).flat_map(|s| &s.files);
                if !files.map(|file| &file.name).all(|name| file_name_is_allowed(name)) {
                    return Err(Refusal::BadFileName);
                }
                code.judging.check()?;
                let too_many = code.validators.iter().any(|one| one.arguments.len() > 32);
                if too_many {
                    return Err(Refusal::TooManyParts);
                }
                let fit = code.limits.are_bearable();
                if fit { Ok(()) } else { Err(Refusal::BadLimits) }
            }
        }
    }
}

impl Content {
    /// What a test cannot do without, as stable words: `statement`, `choices`, `right_choice`,
    /// `one_right_choice`, `languages`, `validators`, `weight`, `judging_program`, `unit_tests`.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = vec![];
        if self.statement.trim().is_empty() {
            missing.push("statement");
        }
        match &self.component {
            Component::Quiz(quiz) => {
                let right = quiz.choices.iter().filter(|choice| choice.right).count();
                missing.extend((quiz.choices.len() < 2).then_some("choices"));
                missing.extend((right == 0).then_some("right_choice"));
                missing.extend((right > 1 && !quiz.several).then_some("one_right_choice"));
            }
            Component::Code(code) => {
                let weight: u64 = code.validators.iter().map(|one| u64::from(one.weight)).sum();
                missing.extend(code.languages.is_empty().then_some("languages"));
                missing.extend(code.validators.is_empty().then_some("validators"));
                missing.extend((weight == 0 && !code.validators.is_empty()).then_some("weight"));
                missing.extend(code.judging.missing(&code.languages));
            }
        }
        missing
    }
}

impl Document for Test {
    const LIST: Topic = Topic::Tests;

    fn summary(&self) -> Summary {
        Summary {
            title: self.title.clone(),
            kind: "test".to_owned(),
            parts: self.questions.len(),
            ..Summary::default()
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        check_title(&self.title)?;
        if QUESTIONS_MAX < self.questions.len() { Err(Refusal::TooManyParts) } else { Ok(()) }
    }
}

fn check_title(title: &str) -> Result<(), Refusal> {
    let fits = (1..=200).contains(&title.trim().chars().count());
    if fits { Ok(()) } else { Err(Refusal::BadTitle) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::at::Ms;

    #[test]
    fn us_090_editing_a_version_in_use_makes_the_next_one() {
        let past = [created(), Event::Frozen { version: 1 }];
        let save = Command::Save { edition: 0, document: test("B") };
        assert_eq!(when(&past, save), Ok(vec![Event::Saved { version: 2, document: test("B") }]));
        let save = Command::Save { edition: 0, document: test("B") };
        let saved = when(&past[..1], save);
        assert_eq!(saved, Ok(vec![Event::Saved { version: 1, document: test("B") }]));
    }

    #[test]
    fn what_somebody_else_saved_meanwhile_is_not_overwritten() {
        let past = [created(), Event::Saved { version: 1, document: test("B") }];
        let save = Command::Save { edition: 0, document: test("C") };
        assert_eq!(when(&past, save), Err(Refusal::ChangedElsewhere));
    }

    #[test]
    fn freezing_an_earlier_version_again_changes_nothing() {
        let past = [created(), Event::Frozen { version: 1 }, saved(2)];
        assert_eq!(when(&past, Command::Freeze { version: 1 }), Ok(vec![]));
        assert_eq!(when(&past, Command::Freeze { version: 3 }), Err(Refusal::NoSuchVersion));
    }

    fn when(past: &[Event<Test>], command: Command<Test>) -> Result<Vec<Event<Test>>, Refusal> {
        let mut document = Versioned::<Test>::default();
        for event in past {
            document.evolve(event, At(0));
        }
        document.decide(command, Times { received_at: At(0), now: At(0) })
    }

    fn created() -> Event<Test> {
        Event::Created { owner: PersonId::from_u128(1), document: test("A") }
    }

    fn saved(version: u32) -> Event<Test> {
        Event::Saved { version, document: test("B") }
    }

    fn test(title: &str) -> Test {
        Test { title: title.to_owned(), time_allowed: Ms(3_600_000), questions: vec![] }
    }
}
