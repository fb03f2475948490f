//! What happens in one stream reaches others: all of it, once.

use std::time::Duration;

use domain::{
    at::Ms,
    campaign,
    command::{Answer, AnyCommand},
    ids::CommandId,
    ports::EventStore,
    session::{RunKind, RunResult},
    stream::Origin,
    submission,
};
use futures_util::future::join_all;
use storage::flaky::Fault;

use crate::{
    kit::{
        add, campaign, create_campaign, edit, hand_in, id, run, session, settings, sit, start,
        submission, to_campaign, to_session,
    },
    world::{World, code, sleep},
};

#[tokio::test(start_paused = true)]
async fn us_076_all_250_candidates_are_invited_once_though_the_node_dies_while_telling() {
    let mut world = World::new().await;
    create_campaign(&world, 1, 0, settings()).await;
    // Every append takes its time, so that there is a middle to be killed in.
    let slow = || (0..2_000).map(|n| (n, Fault::Delay(Duration::from_millis(5)))).collect();
    world.restart(slow()).await;
    let world_here = &world;
    let added = (0..250).map(|n| async move {
        let world = world_here;
        loop {
            match world.ask(campaign(1), to_campaign(add(1_000 + n))).await {
                Answer::Done { .. } => return,
                Answer::Refused(why) if why.retry_after_ms.is_some() => sleep(Ms(50)).await,
                Answer::Refused(why) => panic!("{why:?}"),
            }
        }
    });
    join_all(added.collect::<Vec<_>>()).await;
    let mut invited = vec![];
    for _ in 0..3 {
        sleep(Ms(300)).await;
        world.kill().await;
        let mut count = 0;
        for n in 0..250 {
            count += world.count(session(1_000 + n), "invited").await;
        }
        invited.push(count);
        world.restart(slow()).await;
    }
    assert!(invited[0] < invited[2] && invited[2] < 250, "{invited:?}");
    assert!(!told(&world).await);
    for n in 0..250 {
        world.until(session(1_000 + n), "invited", 1).await;
    }
    for n in 0..250 {
        assert_eq!(world.kinds(session(1_000 + n)).await, ["invited"]);
    }
    sleep(Ms(2_000)).await;
    assert!(told(&world).await);
}

async fn told(world: &World) -> bool {
    world.memory.head(campaign(1)).await.unwrap().untold.is_none()
}

#[tokio::test(start_paused = true)]
async fn us_086_what_was_typed_is_judged_at_hand_in_and_makes_the_score() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "right").await;
    world.done(session(1_000), hand_in()).await;
    world.until(session(1_000), "judged", 1).await;
    assert_eq!(world.look(id(1_000), |session| session.score().hundredths()).await, 1_000);
    assert_eq!(world.kinds(submission(1_000, 0)).await, ["submitted", "taken", "judged"]);
    let rows = world.rows(domain::rows::Topic::Candidates(crate::kit::CAMPAIGN)).await;
    assert!(rows.is_empty());
    let of = domain::ids::CampaignId::from_u128(1);
    let rows = world.rows(domain::rows::Topic::Candidates(of)).await;
    assert_eq!(rows[0].1["score"], 10.0);
    assert_eq!(rows[0].1["status"], "test_finished");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_sent_twice_counts_once() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    sit(&world, 1_000, "right").await;
    world.done(session(1_000), run(RunKind::All)).await;
    world.until(session(1_000), "judged", 1).await;
    let result = RunResult {
        validator: 0,
        name: String::new(),
        shown: true,
        verdict: domain::run::Verdict::Rejected,
        cpu_ms: 1,
        wall_ms: 1,
        memory_bytes: 1,
        detail: String::new(),
        stdout: String::new(),
        stderr: String::new(),
        share: None,
    };
    let domain::stream::Stream::Submission(which) = submission(1_000, 0) else { panic!() };
    let verdict = to_session(domain::session::Command::RecordVerdict {
        submission: which,
        compiled: true,
        compiler_output: String::new(),
        results: vec![result],
    });
    let reaction_id = format!("{}/3/verdict/{}", submission(1_000, 0), session(1_000));
    let origin = Origin::Stream(submission(1_000, 0));
    let meta =
        |command_id| actors::ask::Meta { origin, command_id, received_at: None, is_first: false };
    let again = meta(CommandId::derived(&reaction_id));
    assert_eq!(code(&world.ask_as(session(1_000), again, verdict.clone()).await), "done");
    let other = meta(CommandId::random());
    assert_eq!(code(&world.ask_as(session(1_000), other, verdict).await), "no_such_run");
    // Nor does a second verdict of a runner.
    let outcome = Box::new(domain::run::Outcome {
        compiled: false,
        compiler_output: String::new(),
        results: vec![],
        isolation: String::new(),
    });
    let judge = submission::Command::Judge { outcome, validators: vec![], attempts: 1 };
    world.done(submission(1_000, 0), AnyCommand::Submission(judge)).await;
    assert_eq!(world.count(submission(1_000, 0), "judged").await, 1);
    assert_eq!(world.count(session(1_000), "judged").await, 1);
    assert_eq!(world.look(id(1_000), |session| session.score().hundredths()).await, 1_000);
}

#[tokio::test(start_paused = true)]
async fn time_for_all_is_for_those_who_were_there() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    let give =
        campaign::Command::GiveTime { to: campaign::Gifted::All, by: Ms(5_000), reason: None };
    let (give, add) = (to_campaign(give), to_campaign(add(1_001)));
    tokio::join!(world.done(campaign(1), give), world.done(campaign(1), add));
    world.until(session(1_001), "invited", 1).await;
    world.until(session(1_000), "time_given", 1).await;
    sleep(Ms(1_000)).await;
    assert_eq!(world.count(session(1_001), "time_given").await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_added_to_a_paused_campaign_starts_when_it_goes_on() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    world.done(campaign(1), to_campaign(campaign::Command::Pause { reason: None })).await;
    world.done(campaign(1), to_campaign(add(1_001))).await;
    for n in [1_000, 1_001] {
        world.until(session(n), "held", 1).await;
        assert_eq!(code(&world.ask(session(n), start()).await), "paused");
    }
    world.done(campaign(1), to_campaign(campaign::Command::Resume)).await;
    for n in [1_000, 1_001] {
        world.until(session(n), "released", 1).await;
        world.done(session(n), start()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_campaign_cannot_command_the_sessions_of_another_one() {
    let world = World::new().await;
    create_campaign(&world, 1, 1, settings()).await;
    create_campaign(&world, 2, 0, settings()).await;
    world.done(campaign(2), to_campaign(add(1_000))).await;
    let remove = campaign::Command::Remove { session: id(1_000) };
    world.done(campaign(2), to_campaign(remove)).await;
    sleep(Ms(1_000)).await;
    assert_eq!(world.kinds(session(1_000)).await, ["invited"]);
    world.done(session(1_000), start()).await;
    world.done(session(1_000), edit(0, "", "a")).await;
}
