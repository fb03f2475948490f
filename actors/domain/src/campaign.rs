//! A campaign: a test put before a chosen group of candidates. Its stream holds only what its
//! creator decides; how candidates do is in their own sessions.

mod command;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::{
    command::{Command, Event, Gifted, Refusal},
    settings::{CampaignRow, InvitedRow, QuestionHead, Settings, WallNames, WallRules},
};
use crate::{
    aggregate::{Aggregate, REACTIONS_PAGE, Reaction, Times},
    at::{At, Ms},
    ids::{CampaignId, PersonId, SessionId},
    plan::Plan,
    rows::{RowChange, Topic},
    session::{self, Terms},
    stream::Stream,
};

/// How many candidates a campaign has at most.
pub const CANDIDATES_MAX: usize = 20_000;
/// How many tags a candidate has at most.
pub const TAGS_MAX: usize = 20;
/// How many characters a reason has at most: it stands beside a clock.
pub const REASON_MAX: usize = 200;
/// The longest and the shortest time that a test may be given.
const TIME_ALLOWED_MAX: Ms = Ms(7 * 24 * 3_600_000);

/// The state, folded from events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// `None` until it is created.
    pub owner: Option<PersonId>,
    pub settings: Settings,
    /// `None` until a test is pinned.
    pub plan: Option<Arc<Plan>>,
    /// In the order in which they were added; removed ones stay, so that places are kept.
    pub candidates: Vec<Candidate>,
    pub is_paused: bool,
    /// Why, in its creator's words.
    #[serde(default)]
    pub pause_reason: Option<String>,
    pub is_archived: bool,
    /// Counts the settings' changes.
    pub edition: u32,
}

/// Somebody who was invited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub session: SessionId,
    pub tags: Vec<String>,
    pub is_removed: bool,
}

impl Aggregate for Campaign {
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    const SCHEMA: u32 = 1;

    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are decided below")]
    fn decide(&self, command: Command, _times: Times) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Create { owner, settings } if self.owner.is_none() => {
                Ok(vec![Event::Created { owner, settings: settings.checked()? }])
            }
            Command::Create { .. } => Err(Refusal::AlreadyCreated),
            _ if self.owner.is_none() => Err(Refusal::NoSuchCampaign),
            Command::Restore => {
                Ok(self.is_archived.then_some(Event::Restored).into_iter().collect())
            }
            _ if self.is_archived => Err(Refusal::Archived),
            command => self.decide_created(command),
        }
    }

    fn evolve(&mut self, event: &Event, _at: At) {
        match event {
            Event::Created { owner, settings } => {
                self.owner = Some(*owner);
                self.settings = settings.clone();
            }
            Event::Configured { settings } => {
                self.settings = settings.clone();
                self.edition += 1;
            }
            Event::Pinned { plan } => self.plan = Some(Arc::clone(plan)),
            Event::CandidateAdded { session, tags } => self.candidates.push(Candidate {
                session: *session,
                tags: tags.clone(),
                is_removed: false,
            }),
            Event::CandidateTagged { session, tags } => {
                self.with(*session, |candidate| candidate.tags.clone_from(tags));
            }
            Event::CandidateRemoved { session } => {
                self.with(*session, |candidate| candidate.is_removed = true);
            }
            Event::TimeGiven { .. }
            | Event::TimeGivenToAll { .. }
            | Event::TimeGivenToSome { .. }
            | Event::Announced { .. } => {}
            Event::Paused { reason } => {
                (self.is_paused, self.pause_reason) = (true, reason.clone());
            }
            Event::Resumed => (self.is_paused, self.pause_reason) = (false, None),
            Event::Archived => self.is_archived = true,
            Event::Restored => self.is_archived = false,
        }
    }

    fn wake_at(&self) -> Option<At> {
        None
    }

    fn rows(&self, stream: Stream, events: &[(At, Event)]) -> Vec<RowChange> {
        let (Stream::Campaign(id), Some(owner)) = (stream, self.owner) else { return vec![] };
        let row = self.row(id, owner);
        let mut rows = vec![
            RowChange::put(Topic::Of(stream), "campaign", &row),
            RowChange::put(Topic::Campaigns, id.to_string(), &row),
        ];
        rows.extend(events.iter().filter_map(|(_, event)| candidate_row(stream, event)));
        rows
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the others concern everybody, or nobody")]
    fn reactions(&self, stream: Stream, event: &Event, cursor: usize) -> Vec<Reaction> {
        let Stream::Campaign(id) = stream else { return vec![] };
        let invite = |session| session::Command::Invite {
            session,
            campaign: Some(id),
            terms: self.terms(),
            plan: self.plan.clone().unwrap_or_default(),
        };
        match event {
            Event::CandidateAdded { session, .. } if cursor == 0 => {
                vec![tell(*session, "invite", &invite(*session), false)]
            }
            // Who comes into a paused campaign does not start before it goes on.
            Event::CandidateAdded { session, .. } if cursor == 1 && self.is_paused => {
                let pause = session::Command::Pause { reason: self.pause_reason.clone() };
                vec![tell(*session, "pause", &pause, true)]
            }
            Event::CandidateRemoved { session } if cursor == 0 => {
                vec![tell(*session, "cancel", &session::Command::Cancel, true)]
            }
            Event::TimeGiven { session: Some(session), by, reason } if cursor == 0 => {
                vec![tell(*session, "give_time", &gift(*by, reason.as_ref()), true)]
            }
            Event::TimeGivenToSome { sessions, by, reason, .. } => {
                let give = gift(*by, reason.as_ref());
                let page = sessions.iter().skip(cursor).take(REACTIONS_PAGE);
                page.map(|session| tell(*session, "give_time", &give, true)).collect()
            }
            event => self.tell_all(event, cursor),
        }
    }
}

impl Campaign {
    fn decide_created(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Create { .. } | Command::Restore => Ok(vec![]),
            Command::Configure { settings } => {
                let settings = settings.checked()?;
                let changed = settings != self.settings;
                Ok(changed.then_some(Event::Configured { settings }).into_iter().collect())
            }
            Command::Pin { plan } if plan.questions.is_empty() => Err(Refusal::NoQuestions),
            Command::Pin { plan } => Ok(vec![Event::Pinned { plan }]),
            Command::Add { session, tags } => self.add(session, tags),
            Command::Tag { session, tags } => {
                self.candidate(session)?;
                Ok(vec![Event::CandidateTagged { session, tags: checked_tags(tags)? }])
            }
            Command::Remove { session } => {
                self.candidate(session)?;
                Ok(vec![Event::CandidateRemoved { session }])
            }
            Command::GiveTime { by, .. } if by <= Ms(0) || TIME_ALLOWED_MAX < by => {
                Err(Refusal::BadTimeAllowed)
            }
            Command::GiveTime { to, by, reason } => self.give_time(to, by, checked_reason(reason)?),
            Command::Pause { reason } => {
                let reason = checked_reason(reason)?;
                Ok((!self.is_paused).then_some(Event::Paused { reason }).into_iter().collect())
            }
            Command::Resume => Ok(self.is_paused.then_some(Event::Resumed).into_iter().collect()),
            Command::Announce { text } => {
                let text = text.trim();
                let fits = (1..=session::WORDS_MAX).contains(&text.chars().count());
                if fits {
                    Ok(vec![Event::Announced { text: text.to_owned() }])
                } else {
                    Err(Refusal::BadAnnouncement)
                }
            }
            Command::Archive => Ok(vec![Event::Archived]),
        }
    }

    fn add(&self, session: SessionId, tags: Vec<String>) -> Result<Vec<Event>, Refusal> {
        if self.plan.is_none() {
            return Err(Refusal::NoTest);
        }
        if self.candidates.iter().any(|candidate| candidate.session == session) {
            return Err(Refusal::AlreadyAdded);
        }
        if self.candidates.len() >= CANDIDATES_MAX {
            return Err(Refusal::TooManyCandidates);
        }
        Ok(vec![Event::CandidateAdded { session, tags: checked_tags(tags)? }])
    }

    fn give_time(&self, to: Gifted, by: Ms, reason: Option<String>) -> Result<Vec<Event>, Refusal> {
        let event = match to {
            Gifted::All => Event::TimeGivenToAll { by, candidates: self.candidates.len(), reason },
            Gifted::Tag(tag) => {
                let has_it = |one: &&Candidate| !one.is_removed && one.tags.contains(&tag);
                let with_it = self.candidates.iter().filter(has_it);
                let sessions: Vec<_> = with_it.map(|one| one.session).collect();
                if sessions.is_empty() {
                    return Err(Refusal::NoSuchTag);
                }
                Event::TimeGivenToSome { sessions, tag, by, reason }
            }
            Gifted::One(session) => {
                self.candidate(session)?;
                Event::TimeGiven { session: Some(session), by, reason }
            }
        };
        Ok(vec![event])
    }

    fn candidate(&self, session: SessionId) -> Result<&Candidate, Refusal> {
        let known = |candidate: &&Candidate| candidate.session == session && !candidate.is_removed;
        self.candidates.iter().find(known).ok_or(Refusal::NoSuchCandidate)
    }

    fn with(&mut self, session: SessionId, change: impl FnOnce(&mut Candidate)) {
        if let Some(candidate) = self.candidates.iter_mut().find(|one| one.session == session) {
            change(candidate);
        }
    }

    /// What every session is told of the settings.
    pub fn terms(&self) -> Terms {
        Terms {
            title: self.settings.title.clone(),
            opens_at: self.settings.opens_at,
            closes_at: self.settings.closes_at,
            time_allowed: self.settings.time_allowed,
            zone: self.settings.zone.clone(),
            allow_small_screen: self.settings.allow_small_screen,
            shows_place: self.settings.tells_places(),
        }
    }

    /// One page of what `event` means to every candidate.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others concern one candidate or none")]
    fn tell_all(&self, event: &Event, cursor: usize) -> Vec<Reaction> {
        let (name, command) = match event {
            Event::Configured { .. } => {
                ("change_terms", session::Command::ChangeTerms { terms: self.terms() })
            }
            Event::Pinned { plan } => ("repin", session::Command::Repin { plan: Arc::clone(plan) }),
            Event::TimeGiven { session: None, by, reason }
            | Event::TimeGivenToAll { by, reason, .. } => ("give_time", gift(*by, reason.as_ref())),
            Event::Paused { reason } => {
                ("pause", session::Command::Pause { reason: reason.clone() })
            }
            Event::Resumed => ("resume", session::Command::Resume),
            Event::Announced { text } => {
                ("announce", session::Command::Announce { text: text.clone() })
            }
            _ => return vec![],
        };
        // Who was added after it is told with the invitation, or has no part in it.
        let all = match event {
            Event::TimeGivenToAll { candidates, .. } => *candidates,
            _ => self.candidates.len(),
        };
        let page = self.candidates.iter().take(all).skip(cursor).take(REACTIONS_PAGE);
        page.map(|candidate| tell(candidate.session, name, &command, true)).collect()
    }

    fn row(&self, campaign: CampaignId, owner: PersonId) -> CampaignRow {
        let questions = self.plan.iter().flat_map(|plan| &plan.questions);
        CampaignRow {
            campaign,
            owner,
            settings: self.settings.clone(),
            test: self.plan.as_ref().and_then(|plan| plan.test),
            test_version: self.plan.as_ref().map_or(0, |plan| plan.version),
            test_title: self.plan.as_ref().map(|plan| plan.title.clone()).unwrap_or_default(),
            questions: questions
                .map(|question| QuestionHead {
                    title: question.title.clone(),
                    points: question.points,
                    tags: question.tags.clone(),
                })
                .collect(),
            candidates: self.candidates.iter().filter(|one| !one.is_removed).count(),
            is_paused: self.is_paused,
            pause_reason: self.pause_reason.clone(),
            is_archived: self.is_archived,
            edition: self.edition,
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others concern no single candidate")]
fn candidate_row(stream: Stream, event: &Event) -> Option<RowChange> {
    let topic = Topic::Of(stream);
    let key = |session: &SessionId| format!("candidate.{session}");
    match event {
        Event::CandidateAdded { session, tags } | Event::CandidateTagged { session, tags } => {
            let row = InvitedRow { session: *session, tags: tags.clone() };
            Some(RowChange::put(topic, key(session), &row))
        }
        Event::CandidateRemoved { session } => Some(RowChange::remove(topic, key(session))),
        _ => None,
    }
}

fn tell(
    session: SessionId,
    name: &'static str,
    command: &session::Command,
    may_be_refused: bool,
) -> Reaction {
    let command = serde_json::to_value(command).expect("commands are plain data");
    Reaction { name, to: Stream::Session(session), command, may_be_refused }
}

/// What is given to one.
fn gift(by: Ms, reason: Option<&String>) -> session::Command {
    session::Command::GiveTime { by, reason: reason.cloned() }
}

/// A reason in words, or none.
fn checked_reason(reason: Option<String>) -> Result<Option<String>, Refusal> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let fits = reason.as_ref().is_none_or(|reason| reason.chars().count() <= REASON_MAX);
    if fits { Ok(reason) } else { Err(Refusal::BadReason) }
}

fn checked_tags(tags: Vec<String>) -> Result<Vec<String>, Refusal> {
    let fit =
        tags.len() <= TAGS_MAX && tags.iter().all(|tag| (1..=50).contains(&tag.chars().count()));
    if fit { Ok(tags) } else { Err(Refusal::BadTags) }
}
