//! Every kind of person, every relation, every command.

use domain::{
    aggregate::Outage,
    at::{At, Ms},
    content::{Content, Language},
    document,
    ids::{CampaignId, ContentId, PersonId, SeatId, SessionId, SubmissionId, TestId},
    plan::Test,
    session::{Command, FileKey, RunKind, Terms},
    submission,
    text::Changes,
};

use super::*;

const ME: PersonId = PersonId::from_u128(1);
const SEAT: SeatId = SeatId::from_u128(1);

fn everybody() -> [Who; 4] {
    [
        Who::Person(ME, Role::Administrator),
        Who::Person(ME, Role::Creator),
        Who::Candidate(SessionId::from_u128(1)),
        Who::Viewer(CampaignId::from_u128(1)),
    ]
}

fn candidates_commands() -> Vec<Command> {
    let file = FileKey { question: 0, language: Language::C, name: "main.c".to_owned() };
    let seat = SEAT;
    vec![
        Command::Accept,
        Command::Decline { reason: None },
        Command::Open,
        Command::Start { seat },
        Command::TakeSeat { seat },
        Command::Edit {
            seat,
            file: file.clone(),
            base_rev: 0,
            changes: Changes::default(),
            caret: 0,
        },
        Command::AddFile { seat, file: file.clone() },
        Command::DeleteFile { seat, file: file.clone() },
        Command::ChooseLanguage { seat, question: 0, language: Language::C },
        Command::Answer { seat, question: 0, choices: vec![] },
        Command::Caret { seat, file, caret: 0 },
        Command::GoTo { seat, question: 0 },
        Command::Run { seat, question: 0, kind: RunKind::All, stdin: None },
        Command::NextQuestion { seat },
        Command::HandIn { seat },
    ]
}

fn makers_commands() -> Vec<Command> {
    let invite = Command::Invite {
        session: SessionId::from_u128(1),
        campaign: None,
        terms: Terms::default(),
        plan: std::sync::Arc::default(),
    };
    vec![Command::MarkSent, Command::AcceptLate { late: 0 }, invite]
}

fn nobodys_commands() -> Vec<Command> {
    vec![
        Command::ChangeTerms { terms: Terms::default() },
        Command::Repin { plan: std::sync::Arc::default() },
        Command::GiveTime { by: Ms(1), reason: None },
        Command::Pause { reason: None },
        Command::Resume,
        Command::Announce { text: String::new() },
        Command::Cancel,
        Command::RecordVerdict {
            submission: SubmissionId::from_u128(1),
            compiled: true,
            compiler_output: String::new(),
            results: vec![],
        },
        Command::Expire,
        Command::Credit { outage: Outage { from: At(0), to: At(1) } },
    ]
}

/// Who of [`everybody`] may, as `[own, other]` each.
fn rights(command: &AnyCommand) -> [[bool; 2]; 4] {
    everybody().map(|who| [Relation::Own, Relation::Other].map(|it| may_do(who, it, command)))
}

const NO: [bool; 2] = [false, false];
const OWN: [bool; 2] = [true, false];
const ANY: [bool; 2] = [true, true];

#[test]
fn only_the_candidate_acts_in_their_own_session() {
    for command in candidates_commands() {
        let command = AnyCommand::Session(Box::new(command));
        assert_eq!(rights(&command), [NO, NO, OWN, NO], "{command:?}");
    }
}

#[test]
fn makers_do_what_is_theirs_and_administrators_everything() {
    for command in makers_commands() {
        let command = AnyCommand::Session(Box::new(command));
        assert_eq!(rights(&command), [ANY, OWN, NO, NO], "{command:?}");
    }
    for command in [campaign::Command::Pause { reason: None }, campaign::Command::Archive] {
        assert_eq!(rights(&AnyCommand::Campaign(command)), [ANY, OWN, NO, NO]);
    }
}

#[test]
fn nobody_asks_what_only_streams_and_the_clock_may() {
    for command in nobodys_commands() {
        let command = AnyCommand::Session(Box::new(command));
        assert_eq!(rights(&command), [NO; 4], "{command:?}");
    }
    let judge = submission::Command::Judge {
        outcome: Box::new(domain::run::Outcome {
            compiled: true,
            compiler_output: String::new(),
            results: vec![],
            isolation: String::new(),
        }),
        validators: vec![],
        attempts: 1,
    };
    assert_eq!(rights(&AnyCommand::Submission(judge)), [NO; 4]);
}

#[test]
fn what_is_created_belongs_to_who_creates_it() {
    let create = |owner| {
        AnyCommand::Content(Box::new(document::Command::Create {
            owner,
            document: Content::default(),
        }))
    };
    assert_eq!(rights(&create(ME)), [ANY, ANY, NO, NO]);
    assert_eq!(rights(&create(PersonId::from_u128(2))), [NO; 4]);
    let save = document::Command::Save { edition: 0, document: Test::default() };
    assert_eq!(rights(&AnyCommand::Test(Box::new(save))), [ANY, OWN, NO, NO]);
}

#[test]
fn topics_are_seen_by_those_they_are_for() {
    let watch = |topic| {
        everybody().map(|who| [Relation::Own, Relation::Other].map(|it| may_watch(who, it, topic)))
    };
    let campaign = CampaignId::from_u128(1);
    let session = Topic::Of(Stream::Session(SessionId::from_u128(1)));
    assert_eq!(watch(session), [ANY, OWN, OWN, NO]);
    assert_eq!(watch(Topic::Output(SubmissionId::from_u128(1))), [ANY, OWN, OWN, NO]);
    assert_eq!(watch(Topic::Monitor(campaign)), [ANY, OWN, NO, NO]);
    assert_eq!(watch(Topic::Wall(campaign)), [ANY, OWN, NO, OWN]);
    assert_eq!(watch(Topic::Place(campaign)), [NO, NO, OWN, NO]);
    let nobodys = [
        Topic::Of(Stream::Campaign(campaign)),
        Topic::Of(Stream::Submission(SubmissionId::from_u128(1))),
        Topic::Of(Stream::Content(ContentId::from_u128(1))),
        Topic::Of(Stream::Test(TestId::from_u128(1))),
        Topic::Candidates(campaign),
        Topic::Contents,
        Topic::Tests,
        Topic::Campaigns,
        Topic::Queue,
        Topic::Unfiled,
        Topic::Gateways,
    ];
    for topic in nobodys {
        assert_eq!(watch(topic), [NO; 4], "{topic}");
    }
}

#[test]
fn administrators_manage_accounts_and_shut_out_anybody_but_themselves() {
    let manage = |act| {
        everybody().map(|who| [Relation::Own, Relation::Other].map(|it| may_manage(who, it, act)))
    };
    for act in [AccountAct::List, AccountAct::Add, AccountAct::Renew, AccountAct::Enable] {
        assert_eq!(manage(act), [ANY, NO, NO, NO], "{act:?}");
    }
    assert_eq!(manage(AccountAct::Disable), [[false, true], NO, NO, NO]);
}

#[test]
fn a_run_is_typed_into_by_its_own_candidate_only() {
    for who in everybody() {
        let is_candidate = matches!(who, Who::Candidate(_));
        assert_eq!(may_type(who, Relation::Own), is_candidate, "{who:?}");
        assert!(!may_type(who, Relation::Other), "{who:?}");
    }
}
