//! By what a wall orders people.

use domain::{
    at::Ms,
    campaign::{Command, Settings, WallNames, WallRules},
    session::RunKind,
};

use super::{OF, Page, WALL, world};
use crate::{
    kit::{campaign, edit, run, session, settings, start, to_campaign},
    world::sleep,
};

#[tokio::test(start_paused = true)]
async fn a_wall_by_the_rules_of_the_icpc_counts_rejected_runs_against_whoever_solves() {
    let world = world(2).await;
    let board = world.node().board(OF).await.unwrap();
    let (hasty, calm) = (session(1_000), session(1_001));
    for who in [hasty, calm] {
        world.done(who, start()).await;
    }
    world.done(hasty, edit(0, "", "wrong")).await;
    world.done(hasty, run(RunKind::All)).await;
    world.until(hasty, "judged", 1).await;
    world.done(hasty, edit(1, "wrong", "right")).await;
    world.done(hasty, run(RunKind::All)).await;
    world.until(hasty, "judged", 2).await;
    sleep(Ms(120_000)).await;
    world.done(calm, edit(0, "", "right")).await;
    world.done(calm, run(RunKind::All)).await;
    world.until(calm, "judged", 1).await;
    sleep(Ms(1_000)).await;

    let minutes = async || {
        let page = Page::read(&board, WALL).await;
        let told = |row: &&serde_json::Value| (row["solved"].as_u64(), row["minutes"].as_u64());
        let mut told: Vec<_> = page.people().iter().map(told).collect();
        told.sort_unstable();
        (page.rows["window"]["rules"].clone(), told)
    };
    let (rules, told) = minutes().await;
    assert_eq!((rules, told), ("points".into(), vec![(Some(1), Some(0)), (Some(1), Some(2))]));
    let by_solved = Settings {
        time_allowed: Ms(3_600_000),
        wall: WallNames::Names,
        wall_rules: WallRules::Icpc,
        ..settings()
    };
    let configure = Command::Configure { settings: by_solved };
    world.done(campaign(1), to_campaign(configure)).await;
    sleep(Ms(1_000)).await;
    let (rules, told) = minutes().await;
    assert_eq!((rules, told), ("icpc".into(), vec![(Some(1), Some(2)), (Some(1), Some(20))]));
}
