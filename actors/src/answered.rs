//! The last commands of a stream with their answers, so that asking again is answered alike. Kept
//! small: every stream that is awake has its own.

use std::collections::VecDeque;

use domain::{command::Answer, frame::Why, ids::CommandId, stream::Origin};

/// How many commands are remembered: about what a client has under way when its link breaks. The
/// store knows the ones before.
const REMEMBERED_MAX: usize = 16;

/// Who asked, and under which id.
pub(crate) type Id = (Origin, CommandId);

/// See the module.
#[derive(Default)]
pub(crate) struct Answered(VecDeque<(Id, Remembered)>);

/// An answer as text: a tenth of what it takes as a tree.
enum Remembered {
    Done { epoch: u64, seq: u64, answer: Option<Box<str>> },
    Refused(Box<Why>),
}

impl Answered {
    /// The answer to `id`, if it is remembered.
    pub(crate) fn get(&self, id: &Id) -> Option<Answer> {
        let (_, known) = self.0.iter().find(|(known, _)| known == id)?;
        Some(known.to_answer())
    }

    /// Remembers the first answer to `id`, and forgets the oldest one if there are too many.
    pub(crate) fn keep(&mut self, id: Id, answer: &Answer) {
        if self.0.iter().any(|(known, _)| *known == id) {
            return;
        }
        if self.0.len() == REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((id, Remembered::of(answer)));
    }
}

impl Remembered {
    fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Done { epoch, seq, answer } => {
                let answer = answer.as_ref().map(|answer| answer.to_string().into());
                Self::Done { epoch: *epoch, seq: *seq, answer }
            }
            Answer::Refused(why) => Self::Refused(Box::new(why.clone())),
        }
    }

    fn to_answer(&self) -> Answer {
        match self {
            Self::Done { epoch, seq, answer } => {
                let read = |text: &str| serde_json::from_str(text).expect("it was written here");
                let answer = answer.as_deref().map(read);
                Answer::Done { epoch: *epoch, seq: *seq, answer }
            }
            Self::Refused(why) => Answer::Refused((**why).clone()),
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
        let mut answered = Answered::default();
        let done = Answer::Done { epoch: 2, seq: 7, answer: Some(serde_json::json!({ "rev": 3 })) };
        answered.keep(id(0), &done);
        answered.keep(id(0), &Answer::Refused(Why::new("paused", "")));
        assert_eq!(answered.get(&id(0)), Some(done));
        for n in 1..=16 {
            answered.keep(id(n), &Answer::Refused(Why::new("paused", "the clocks are paused")));
        }
        assert_eq!(answered.get(&id(0)), None);
        assert!(matches!(answered.get(&id(1)), Some(Answer::Refused(why)) if why.code == "paused"));
    }
}
