//! Who is connected, as a monitor shows it.

use actors::board::Board;
use domain::{at::Ms, rows::Topic};

use super::{MONITOR, OF, Page, tell, world};
use crate::{kit::id, world::sleep};

/// Who is connected, by what the monitor shows; and how many, by what it counts.
async fn connected(board: &Board) -> (Vec<u128>, u64) {
    let page = Page::read(board, MONITOR).await;
    let is_here = |n: &u128| {
        let row = page.rows.get(&format!("p.{}", id(*n)));
        row.is_some_and(|row| row["connected"] == true)
    };
    let count = page.rows["present"]["connected"].as_u64().unwrap();
    ((1_000..1_010).filter(is_here).collect(), count)
}

#[tokio::test(start_paused = true)]
async fn who_is_connected_is_right_within_two_seconds_and_counted_once_over_all_gateways() {
    let world = world(3).await;
    let board = world.node().board(OF).await.unwrap();
    tell(&world, "one", 1, false, &[1_000, 1_001], &[]);
    tell(&world, "two", 1, false, &[1_001], &[]);
    sleep(Ms(500)).await;
    assert_eq!(connected(&board).await, (vec![1_000, 1_001], 2));
    tell(&world, "one", 2, false, &[], &[1_000, 1_001]);
    sleep(Ms(500)).await;
    assert_eq!(connected(&board).await, (vec![1_001], 1));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_died_is_forgotten_with_its_people_and_a_lost_message_is_made_up_for() {
    let world = world(3).await;
    let board = world.node().board(OF).await.unwrap();
    tell(&world, "one", 1, true, &[1_000], &[]);
    tell(&world, "two", 1, true, &[1_001], &[]);
    sleep(Ms(500)).await;
    world.bus.lose(true);
    tell(&world, "two", 2, false, &[1_002], &[1_001]);
    world.bus.lose(false);
    for n in 3..6 {
        sleep(Ms(5_000)).await;
        tell(&world, "two", n, true, &[1_002], &[]);
    }
    sleep(Ms(500)).await;
    assert_eq!(connected(&board).await, (vec![1_002], 1), "one has died, two was heard again");
}

#[tokio::test(start_paused = true)]
async fn a_board_that_begins_asks_all_gateways_who_is_there() {
    let world = world(1).await;
    let mut asked = world.deps.bus.subscribe(Topic::Gateways);
    let board = world.node().board(OF).await.unwrap();
    let frame = asked.next().await.unwrap().frame().unwrap();
    assert_eq!(frame.frame.rows[0].0, format!("roll_call.{OF}"));
    tell(&world, "one", 7, true, &[1_000], &[]);
    sleep(Ms(500)).await;
    assert_eq!(connected(&board).await, (vec![1_000], 1));
}
