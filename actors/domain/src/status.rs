//! A candidate's status in a campaign: one table.

use serde::{Deserialize, Serialize};

/// Where a candidate stands, in order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    ConfirmationPending,
    Confirmed,
    Declined,
    Cancelled,
    TestSent,
    TestOpened,
    TestInProcess,
    TestFinished,
}

/// What may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Added, or invited again after a refusal.
    Invite,
    Accept,
    Decline,
    /// The link was copied or marked as sent.
    Send,
    /// The page was opened by a deliberate act.
    Open,
    Start,
    Seal,
    /// By the creator.
    Cancel,
}

impl Status {
    /// The status after `step`, or `None` when the step changes nothing here: a later status is
    /// never overwritten by an earlier one, and what has started only ever finishes.
    pub fn after(self, step: Step) -> Option<Self> {
        use Status::{
            Cancelled, ConfirmationPending, Confirmed, Declined, TestFinished, TestInProcess,
            TestOpened, TestSent,
        };
        match (self, step) {
            (Declined | Cancelled, Step::Invite) => Some(ConfirmationPending),
            (ConfirmationPending | Declined, Step::Accept) => Some(Confirmed),
            (ConfirmationPending | Confirmed | TestSent | TestOpened, Step::Decline) => {
                Some(Declined)
            }
            (ConfirmationPending | Confirmed, Step::Send) => Some(TestSent),
            (ConfirmationPending | Confirmed | TestSent, Step::Open) => Some(TestOpened),
            (ConfirmationPending | Confirmed | TestSent | TestOpened, Step::Start) => {
                Some(TestInProcess)
            }
            (TestInProcess, Step::Seal) => Some(TestFinished),
            (ConfirmationPending | Confirmed | Declined | TestSent | TestOpened, Step::Cancel) => {
                Some(Cancelled)
            }
            (
                ConfirmationPending | Confirmed | Declined | Cancelled | TestSent | TestOpened
                | TestInProcess | TestFinished,
                _,
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 8] = [
        Status::ConfirmationPending,
        Status::Confirmed,
        Status::Declined,
        Status::Cancelled,
        Status::TestSent,
        Status::TestOpened,
        Status::TestInProcess,
        Status::TestFinished,
    ];

    #[test]
    fn us_089_declining_can_be_taken_back_until_the_start() {
        let declined = Status::Confirmed.after(Step::Decline).unwrap();
        assert_eq!(declined, Status::Declined);
        assert_eq!(declined.after(Step::Accept), Some(Status::Confirmed));
        assert_eq!(Status::TestInProcess.after(Step::Decline), None);
    }

    #[test]
    fn what_has_started_only_ever_finishes() {
        let steps = [
            Step::Invite,
            Step::Accept,
            Step::Decline,
            Step::Send,
            Step::Open,
            Step::Start,
            Step::Cancel,
        ];
        for step in steps {
            assert_eq!(Status::TestInProcess.after(step), None);
            assert_eq!(Status::TestFinished.after(step), None);
        }
    }

    #[test]
    fn a_link_sent_again_does_not_take_back_that_it_was_opened() {
        assert_eq!(Status::TestOpened.after(Step::Send), None);
        assert_eq!(Status::Confirmed.after(Step::Send), Some(Status::TestSent));
    }

    #[test]
    fn only_a_running_test_finishes() {
        for status in ALL {
            assert_eq!(status.after(Step::Seal).is_some(), status == Status::TestInProcess);
        }
    }
}
