//! Given what was decided, when this is asked, then that happens.

use proptest::prelude::*;

use super::*;
use crate::{ids::ContentId, plan::QuestionPlan, points::Points};

#[test]
fn us_075_a_campaign_is_created_once() {
    let owner = PersonId::from_u128(1);
    let create = Command::Create { owner, settings: settings() };
    assert_eq!(when(&[], create.clone()), Ok(vec![created()]));
    assert_eq!(when(&[created()], create), Err(Refusal::AlreadyCreated));
}

#[test]
fn us_083_a_deadline_comes_after_the_start() {
    let settings = Settings { opens_at: Some(At(2)), closes_at: Some(At(2)), ..settings() };
    let asked = Command::Configure { settings };
    assert_eq!(when(&[created()], asked), Err(Refusal::DeadlineBeforeStart));
}

#[test]
fn us_076_a_candidate_who_is_added_is_invited_to_a_session() {
    let session = SessionId::from_u128(5);
    let add = Command::Add { session, tags: vec!["Lyon".to_owned()] };
    assert_eq!(when(&[created()], add.clone()), Err(Refusal::NoTest));
    let past = [created(), pinned()];
    let added = when(&past, add.clone()).unwrap();
    let campaign = fold(&[&past[..], &added].concat());
    let stream = Stream::Campaign(CampaignId::from_u128(3));
    let reactions = campaign.reactions(stream, &added[0], 0);
    assert_eq!(reactions[0].to, Stream::Session(session));
    assert_eq!(reactions[0].command["type"], "invite");
    assert!(campaign.reactions(stream, &added[0], 1).is_empty());
    assert_eq!(campaign.decide(add, TIMES), Err(Refusal::AlreadyAdded));
}

#[test]
fn us_077_a_removed_candidate_is_cancelled() {
    let session = SessionId::from_u128(5);
    let added = Event::CandidateAdded { session, tags: vec![] };
    let past = [created(), pinned(), added];
    let removed = when(&past, Command::Remove { session }).unwrap();
    assert_eq!(removed, vec![Event::CandidateRemoved { session }]);
    let past = [&past[..], &removed].concat();
    assert_eq!(when(&past, Command::Remove { session }), Err(Refusal::NoSuchCandidate));
}

#[test]
fn us_090_new_settings_reach_all_candidates_in_pages() {
    let added = |n: u128| Event::CandidateAdded { session: SessionId::from_u128(n), tags: vec![] };
    let past: Vec<_> = [created(), pinned()].into_iter().chain((0..250).map(added)).collect();
    let event = Event::Configured { settings: settings() };
    let campaign = fold(&past);
    let stream = Stream::Campaign(CampaignId::from_u128(3));
    let page = |cursor| campaign.reactions(stream, &event, cursor).len();
    assert_eq!([page(0), page(100), page(200), page(300)], [100, 100, 50, 0]);
}

#[test]
fn an_archived_campaign_changes_no_more_until_it_is_restored() {
    let past = [created(), Event::Archived];
    assert_eq!(when(&past, Command::Pause { reason: None }), Err(Refusal::Archived));
    assert_eq!(when(&past, Command::Restore), Ok(vec![Event::Restored]));
}

proptest! {
    #[test]
    fn a_snapshot_and_the_rest_are_all_events(
        asked in prop::collection::vec((0_usize..13, 0_u128..6), 1..60),
        cut in 0_usize..60,
    ) {
        let mut log = vec![created()];
        for (which, n) in asked {
            let decided = fold(&log).decide(any_command(which, n), TIMES);
            for event in decided.unwrap_or_default() {
                // What is stored is what is read.
                let json = serde_json::to_string(&event).unwrap();
                log.push(serde_json::from_str(&json).unwrap());
            }
        }
        let (before, rest) = log.split_at(cut.min(log.len()));
        let snapshot = serde_json::to_string(&fold(before)).unwrap();
        let mut state: Campaign = serde_json::from_str(&snapshot).unwrap();
        for event in rest {
            state.evolve(event, At(0));
        }
        let all = fold(&log);
        prop_assert_eq!(&state, &all);
        // Telling ends, and tells nobody twice.
        let stream = Stream::Campaign(CampaignId::from_u128(3));
        for event in &log {
            let (mut cursor, mut told) = (0, std::collections::BTreeSet::new());
            loop {
                let page = all.reactions(stream, event, cursor);
                cursor += page.len();
                if page.is_empty() {
                    break;
                }
                for reaction in page {
                    prop_assert!(told.insert(reaction.command_id(stream, 1)));
                }
            }
            prop_assert!(told.len() <= all.candidates.len().max(2));
        }
    }
}

fn any_command(which: usize, n: u128) -> Command {
    let session = SessionId::from_u128(n);
    let Event::Pinned { plan } = pinned() else { unreachable!("that is what it is") };
    match which {
        0 => Command::Create { owner: PersonId::from_u128(n), settings: settings() },
        1 => Command::Configure { settings: Settings { title: n.to_string(), ..settings() } },
        2 => Command::Pin { plan },
        3 | 4 => Command::Add { session, tags: vec![] },
        5 => Command::Tag { session, tags: vec![n.to_string()] },
        6 => Command::Remove { session },
        7 => Command::GiveTime { to: Gifted::One(session), by: Ms(1), reason: None },
        8 => Command::GiveTime { to: Gifted::All, by: Ms(1), reason: None },
        9 => Command::Pause { reason: None },
        10 => Command::Resume,
        11 => Command::Announce { text: n.to_string() },
        _ => {
            if n == 0 {
                Command::Archive
            } else {
                Command::Restore
            }
        }
    }
}

const TIMES: Times = Times { received_at: At(0), now: At(0) };

fn when(past: &[Event], command: Command) -> Result<Vec<Event>, Refusal> {
    fold(past).decide(command, TIMES)
}

fn fold(past: &[Event]) -> Campaign {
    let mut campaign = Campaign::default();
    for event in past {
        campaign.evolve(event, At(0));
    }
    campaign
}

fn created() -> Event {
    Event::Created { owner: PersonId::from_u128(1), settings: settings() }
}

fn settings() -> Settings {
    Settings {
        title: "Autumn".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms(3_600_000),
        ..Settings::default()
    }
}

fn pinned() -> Event {
    let question = QuestionPlan {
        content: ContentId::from_u128(1),
        version: 1,
        title: "A".to_owned(),
        tags: vec![],
        points: Points::from_hundredths(100),
        limit: None,
        task: crate::plan::Task::Quiz { right: vec![true], several: false, partial: false },
    };
    Event::Pinned { plan: Arc::new(Plan { questions: vec![question], ..Plan::default() }) }
}
