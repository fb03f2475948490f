//! The last commands of a stream with their answers, so that asking again is answered alike. Kept
//! small: every stream that is awake has its own.

use std::collections::VecDeque;

use domain::{
    at::{At, Ms},
    command::Answer,
    frame::Why,
    ids::CommandId,
    stream::Origin,
};

/// How many commands are remembered: about what a client has under way when its link breaks. The
/// store knows the ones before.
const REMEMBERED_MAX: usize = 16;
/// A command that is older than this is carried out only if it is certain that it was not refused. In
/// less nobody asks again elsewhere, and for more than this people are given their time back.
const OLD: Ms = Ms(3_000);

/// Who asked, and under which id.
pub(crate) type Id = (Origin, CommandId);

/// See the module.
pub(crate) struct Answered {
    answers: VecDeque<(Id, Remembered)>,
    /// What was refused before may have been forgotten.
    knows_since: At,
    /// What is to be asked again, and when it came first: that is what counts of it.
    again: VecDeque<(Id, At)>,
}

/// An answer as text: a tenth of what it takes as a tree.
enum Remembered {
    Done { epoch: u64, seq: u64, answer: Option<Box<str>> },
    Refused(Box<(Why, At)>),
}

impl Answered {
    /// Nothing is remembered of what was before `now`.
    pub(crate) fn since(now: At) -> Self {
        Self { answers: VecDeque::new(), knows_since: now, again: VecDeque::new() }
    }

    /// When a command that is not remembered, and that came at `received_at`, came first; `None` if it
    /// is to be asked again, because it may have been refused: its sender may believe that it did not
    /// happen, and this be a copy that was on a broken link.
    pub(crate) fn came(&mut self, id: &Id, received_at: At, now: At) -> Option<At> {
        let known = self.again.iter().find(|(known, _)| known == id).map(|(_, came)| *came);
        if self.knows_since <= received_at || now - received_at < OLD {
            return Some(known.unwrap_or(received_at));
        }
        if known.is_none() {
            if self.again.len() == REMEMBERED_MAX {
                self.again.pop_front();
            }
            self.again.push_back((*id, received_at));
        }
        None
    }

    /// The answer to `id`, if it is remembered.
    pub(crate) fn get(&self, id: &Id) -> Option<Answer> {
        let (_, known) = self.answers.iter().find(|(known, _)| known == id)?;
        Some(known.to_answer())
    }

    /// Remembers the first answer to `id` that stands, and forgets the oldest one if there are too
    /// many.
    pub(crate) fn keep(&mut self, id: Id, answer: &Answer, now: At) {
        let stands = !matches!(answer, Answer::Refused(why) if why.retry_after_ms.is_some());
        if !stands || self.answers.iter().any(|(known, _)| *known == id) {
            return;
        }
        if self.answers.len() == REMEMBERED_MAX
            && let Some((_, Remembered::Refused(forgotten))) = self.answers.pop_front()
        {
            self.knows_since = self.knows_since.max(forgotten.1);
        }
        self.answers.push_back((id, Remembered::of(answer, now)));
    }
}

impl Remembered {
    fn of(answer: &Answer, now: At) -> Self {
        match answer {
            Answer::Done { epoch, seq, answer } => {
                let answer = answer.as_ref().map(|answer| answer.to_string().into());
                Self::Done { epoch: *epoch, seq: *seq, answer }
            }
            Answer::Refused(why) => Self::Refused(Box::new((why.clone(), now))),
        }
    }

    fn to_answer(&self) -> Answer {
        match self {
            Self::Done { epoch, seq, answer } => {
                let read = |text: &str| serde_json::from_str(text).expect("it was written here");
                let answer = answer.as_deref().map(read);
                Answer::Done { epoch: *epoch, seq: *seq, answer }
            }
            Self::Refused(refused) => Answer::Refused(refused.0.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Id {
        (Origin::Node, CommandId::from_u128(n))
    }

    #[test]
    fn the_first_answer_stays_until_there_are_too_many() {
        let (mut answered, now) = (Answered::since(At(0)), At(0));
        let done = Answer::Done { epoch: 2, seq: 7, answer: Some(serde_json::json!({ "rev": 3 })) };
        answered.keep(id(0), &Answer::Refused(Why::later("busy", "", 50)), now);
        answered.keep(id(0), &done, now);
        answered.keep(id(0), &Answer::Refused(Why::new("paused", "")), now);
        assert_eq!(answered.get(&id(0)), Some(done));
        for n in 1..=16 {
            let paused = Answer::Refused(Why::new("paused", "the clocks are paused"));
            answered.keep(id(n), &paused, now);
        }
        assert_eq!(answered.get(&id(0)), None);
        assert!(matches!(answered.get(&id(1)), Some(Answer::Refused(why)) if why.code == "paused"));
    }

    #[test]
    fn an_old_command_is_asked_again_and_counts_from_when_it_came_first() {
        let mut answered = Answered::since(At(10_000));
        assert_eq!(answered.came(&id(0), At(9_999), At(12_998)), Some(At(9_999)), "it is not old");
        assert_eq!(answered.came(&id(0), At(9_999), At(12_999)), None);
        assert_eq!(answered.came(&id(0), At(9_998), At(13_050)), None, "another copy");
        assert_eq!(answered.came(&id(0), At(13_060), At(13_070)), Some(At(9_999)));
        let remembered = answered.came(&id(1), At(10_000), At(20_000));
        assert_eq!(remembered, Some(At(10_000)), "a refusal would be remembered");
    }

    #[test]
    fn an_old_command_is_asked_again_when_a_refusal_since_was_forgotten() {
        let mut answered = Answered::since(At(0));
        let done = Answer::Done { epoch: 2, seq: 7, answer: None };
        answered.keep(id(0), &Answer::Refused(Why::new("paused", "")), At(5_000));
        for n in 1..=15 {
            answered.keep(id(n), &done, At(6_000));
        }
        assert_eq!(answered.came(&id(90), At(4_000), At(9_000)), Some(At(4_000)));
        answered.keep(id(16), &done, At(6_000));
        assert_eq!(answered.came(&id(91), At(4_000), At(9_000)), None);
        answered.keep(id(17), &done, At(6_000));
        let done = answered.came(&id(92), At(5_000), At(9_000));
        assert_eq!(done, Some(At(5_000)), "what was done is stored");
    }
}
