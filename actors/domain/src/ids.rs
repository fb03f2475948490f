//! Identifiers. One type each, so that a test can never be passed where a campaign is meant.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes an id from its number; ids in tests are small.
            pub const fn from_u128(n: u128) -> Self {
                Self(Uuid::from_u128(n))
            }

            /// A new id that nobody can guess (UUID version 4, RFC 9562).
            pub fn random() -> Self {
                #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
                Self(Uuid::new_v4())
            }

            /// The id that always follows from `of` (UUID version 5, RFC 9562).
            pub fn derived(of: &str) -> Self {
                Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, of.as_bytes()))
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id!(/// A test put before a chosen group of candidates, from a start date to a deadline.
    CampaignId);
id!(/// One candidate's run through one test. A candidate has one session in a campaign, so this
    /// also names the candidate there.
    SessionId);
id!(/// One answer handed in, or one trial run.
    SubmissionId);
id!(/// An exercise or a quiz, in all its versions.
    ContentId);
id!(/// An ordered, scored group of contents, in all its versions.
    TestId);
id!(/// Somebody with an account.
    PersonId);
id!(/// One press of a button: chosen by the sender, so that a retry is the same command.
    CommandId);
id!(/// One start of one program of a cluster.
    NodeId);
id!(/// One runner's hold on one submission.
    LeaseId);
id!(/// One device's hold on a session, chosen by the device.
    SeatId);
