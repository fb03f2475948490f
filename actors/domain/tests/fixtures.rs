//! Every event that was ever stored can be read for ever: one of each kind is kept in `fixtures/`.
//! A fixture is written once, with its event, and never changed.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use domain::{
    aggregate::Aggregate,
    at::At,
    campaign::Campaign,
    content::Content,
    document::{self, Versioned},
    plan::Test,
    session::Session,
    submission::Submission,
};

/// A test that each of these kinds has a fixture that is read as that kind. It does not compile
/// while an event is not named.
macro_rules! every_event_has_a_fixture {
    ($name:ident, $folder:literal, $aggregate:ty, $event:ty, [$($kind:ident)*]) => {
        #[test]
        fn $name() {
            type Event = $event;
            let kind = |event: &Event| match event {
                $(Event::$kind { .. } => snake(stringify!($kind)),)*
            };
            let kinds = [$(stringify!($kind)),*];
            check::<$aggregate>($folder, &kinds.map(snake).into(), kind);
        }
    };
}

every_event_has_a_fixture!(
    every_event_of_a_session_is_read_for_ever,
    "session",
    Session,
    domain::session::Event,
    [Invited InvitedAgain TermsChanged Repinned Accepted Declined Sent Opened Cancelled Started
     QuestionOpened QuestionTimeUp QuestionSealed SeatTaken Edited FileAdded FileDeleted
     LanguageChosen Answered CaretMoved WentTo RunAsked Judged TimeUp HandedIn Sealed Filed Credited
     TimeGiven Extended Paused Resumed Held Released Announced EditKeptApart LateAccepted]
);
every_event_has_a_fixture!(
    every_event_of_a_campaign_is_read_for_ever,
    "campaign",
    Campaign,
    domain::campaign::Event,
    [Created Configured Pinned CandidateAdded CandidateTagged CandidateRemoved TimeGiven
     TimeGivenToAll TimeGivenToSome Paused Resumed Announced Archived Restored]
);
every_event_has_a_fixture!(
    every_event_of_a_submission_is_read_for_ever,
    "submission",
    Submission,
    domain::submission::Event,
    [Submitted Judged Taken GivenBack]
);
every_event_has_a_fixture!(
    every_event_of_a_content_is_read_for_ever,
    "content",
    Versioned<Content>,
    document::Event<Content>,
    [Created Saved Frozen Archived Restored]
);
every_event_has_a_fixture!(
    every_event_of_a_test_is_read_for_ever,
    "test",
    Versioned<Test>,
    document::Event<Test>,
    [Created Saved Frozen Archived Restored]
);

fn check<A: Aggregate>(folder: &str, kinds: &BTreeSet<String>, kind: impl Fn(&A::Event) -> String) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/events").join(folder);
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let event: A::Event = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
        assert_eq!(kind(&event), name, "{}", path.display());
        // Nothing of it is dropped: what is written again says at least as much.
        let written = serde_json::to_value(&event).unwrap();
        let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(says(&written, &stored), "{}: {written}", path.display());
        // Whatever was stored can be applied, in whatever state.
        A::default().evolve(&event, At(0));
        there.insert(name);
    }
    assert_eq!(there, *kinds, "each kind of event has a fixture in {}", folder.display());
}

/// Whether `written` has everything that `stored` has, and perhaps more.
fn says(written: &serde_json::Value, stored: &serde_json::Value) -> bool {
    match (written, stored) {
        (serde_json::Value::Object(written), serde_json::Value::Object(stored)) => stored
            .iter()
            .all(|(key, value)| written.get(key).is_some_and(|written| says(written, value))),
        (serde_json::Value::Array(written), serde_json::Value::Array(stored)) => {
            written.len() == stored.len()
                && written.iter().zip(stored).all(|(written, stored)| says(written, stored))
        }
        _ => written == stored,
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}
