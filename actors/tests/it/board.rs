//! Boards: a campaign's monitor and wall, for whoever watches.

mod monitor;
mod presence;
mod rules;

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use actors::board::{Board, Here, Roll, Watching, pass};
use domain::{
    at::Ms,
    campaign::{self, Settings, WallNames},
    ids::CampaignId,
    people::Contact,
    ports::{People, Published},
    rows::{Topic, Window},
};

use crate::{
    kit::{
        add, campaign, create_campaign, edit, hand_in, id, session, settings, sit, start,
        to_campaign,
    },
    world::{World, sleep},
};

const OF: CampaignId = CampaignId::from_u128(1);
const MONITOR: Topic = Topic::Monitor(OF);
const WALL: Topic = Topic::Wall(OF);

/// A page that watches a topic: its rows, and what it has seen.
#[derive(Default)]
struct Page {
    rows: BTreeMap<String, serde_json::Value>,
    after: (u64, u64),
    /// Whoever looks at a monitor watches it.
    _watching: Option<Watching>,
}

impl Page {
    /// Takes in frames as a page does, and checks that they follow one another.
    fn take_in(&mut self, frames: &[Arc<Published>]) {
        for published in frames {
            let frame = &published.frame;
            if frame.reset {
                self.rows.clear();
            } else if let Some(prev) = frame.prev {
                assert_eq!((frame.epoch, prev), self.after);
            }
            for (key, value) in &frame.rows {
                match value {
                    Some(value) => {
                        self.rows.insert(key.clone(), serde_json::from_slice(value).unwrap());
                    }
                    None => drop(self.rows.remove(key)),
                }
            }
            self.after = (frame.epoch, frame.seq);
        }
    }

    async fn read(board: &Board, topic: Topic) -> Self {
        let watching = (topic == MONITOR).then(|| board.watch_monitor());
        let mut page = Self { _watching: watching, ..Self::default() };
        page.take_in(&board.read(topic, (0, 0)).await.unwrap());
        page
    }

    /// The rows of a wall that are people.
    fn people(&self) -> Vec<&serde_json::Value> {
        let is_person = |key: &str| !["about", "window"].contains(&key);
        self.rows.iter().filter(|(key, _)| is_person(key)).map(|(_, row)| row).collect()
    }

    fn count(&self, prefix: &str) -> usize {
        self.rows.keys().filter(|key| key.starts_with(prefix)).count()
    }
}

/// A gateway says who is connected to it.
fn tell(world: &World, gate: &str, n: u64, whole: bool, here: &[u128], gone: &[u128]) {
    let here = here.iter().map(|n| Here(id(*n), Some(20))).collect();
    let gone = gone.iter().map(|n| id(*n)).collect();
    pass(&world.deps, OF, format!("gate.{gate}"), &Roll { n, whole, here, gone });
}

async fn contacts(world: &World, candidates: u128) {
    for n in 1_000..1_000 + candidates {
        let contact = Contact {
            session: id(n),
            campaign: OF,
            email: format!("candidate{n}@example.org"),
            name: format!("Ada Number {n}"),
            alias: format!("Heron {n}"),
        };
        world.memory.save_contact(contact).await.unwrap();
    }
}

async fn world(candidates: u128) -> World {
    let world = World::new().await;
    contacts(&world, candidates).await;
    let long = Settings {
        time_allowed: Ms(3_600_000),
        wall: WallNames::Names,
        shows_place: true,
        ..settings()
    };
    create_campaign(&world, 1, candidates, long).await;
    world
}

#[tokio::test(start_paused = true)]
async fn us_081_a_board_joins_all_sessions_and_follows_them() {
    let world = world(30).await;
    let board = world.node().board(OF).await.unwrap();
    let mut page = Page::read(&board, MONITOR).await;
    assert_eq!((page.count("c."), page.count("campaign")), (30, 1));
    assert_eq!(Page::read(&board, WALL).await.people().len(), 0);
    for n in 1_000..1_030 {
        sit(&world, n, "right").await;
        if n % 2 == 0 {
            world.done(session(n), hand_in()).await;
        }
    }
    world.until(session(1_028), "judged", 1).await;
    sleep(Ms(2_000)).await;
    page.take_in(&board.read(MONITOR, page.after).await.unwrap());
    let judged = |row: &serde_json::Value| row["candidate"]["score"] == 10.0;
    assert_eq!(page.rows.values().filter(|row| judged(row)).count(), 15);
    assert_eq!(page.rows[&format!("c.{}", id(1_000))]["name"], "Ada Number 1000");
    assert_eq!(page.count("p."), 30);
    assert_eq!(Page::read(&board, WALL).await.people().len(), 30);
    assert_eq!(world.deps.heads.get(MONITOR), Some(page.after));
}

#[tokio::test(start_paused = true)]
async fn a_page_resumes_where_it_was_and_begins_anew_on_another_epoch() {
    let world = world(3).await;
    let board = world.node().board(OF).await.unwrap();
    let mut page = Page::read(&board, MONITOR).await;
    world.done(session(1_000), start()).await;
    sleep(Ms(500)).await;
    let frames = board.read(MONITOR, page.after).await.unwrap();
    assert!(!frames.is_empty() && frames.iter().all(|frame| !frame.frame.reset));
    page.take_in(&frames);
    assert_eq!(page.rows, Page::read(&board, MONITOR).await.rows);
    // Another board, at the very same moment.
    let before = world.now();
    drop(board);
    let board = world.node().board(OF).await.unwrap();
    assert_eq!(world.now(), before);
    let _watching = board.watch_monitor();
    let frames = board.read(MONITOR, page.after).await.unwrap();
    assert!(frames[0].frame.reset && frames[0].frame.epoch > page.after.0);
    let rows = page.rows.clone();
    page.take_in(&frames);
    assert_eq!(page.count("c."), rows.keys().filter(|key| key.starts_with("c.")).count());
    sleep(Ms(1_000)).await;
    assert_eq!(world.deps.heads.get(MONITOR).map(|head| head.0), Some(page.after.0));
    drop(board);
    sleep(Ms(1_000)).await;
    assert_eq!(world.deps.heads.get(MONITOR), None);
}

#[tokio::test(start_paused = true)]
async fn us_077_a_removed_candidate_is_gone_from_the_board_unless_they_have_started() {
    let world = world(3).await;
    world.done(session(1_001), start()).await;
    let board = world.node().board(OF).await.unwrap();
    tell(&world, "one", 1, true, &[1_000], &[]);
    sleep(Ms(500)).await;
    let mut page = Page::read(&board, MONITOR).await;
    assert!(page.rows.contains_key(&format!("p.{}", id(1_000))));
    for n in [1_000, 1_001] {
        let remove = campaign::Command::Remove { session: id(n) };
        world.done(campaign(1), to_campaign(remove)).await;
    }
    sleep(Ms(2_000)).await;
    page.take_in(&board.read(MONITOR, page.after).await.unwrap());
    let shown = |n| page.rows.contains_key(&format!("c.{}", id(n)));
    assert_eq!([1_000, 1_001, 1_002].map(shown), [false, true, true]);
    assert!(!page.rows.contains_key(&format!("p.{}", id(1_000))));
    assert_eq!(Page::read(&board, WALL).await.people().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wall_names_people_as_it_was_told_and_never_shows_an_address() {
    let world = world(2).await;
    for n in [1_000, 1_001] {
        world.done(session(n), start()).await;
    }
    let mut contact = world.memory.contact(id(1_001)).await.unwrap().unwrap();
    contact.name = contact.email.clone();
    world.memory.save_contact(contact).await.unwrap();
    let board = world.node().board(OF).await.unwrap();
    let expected = [
        (WallNames::Names, vec!["Ada Number 1000", "Heron 1001"]),
        (WallNames::Initials, vec!["A. N. 1.", "c."]),
        (WallNames::Aliases, vec!["Heron 1000", "Heron 1001"]),
        (WallNames::Off, vec![]),
    ];
    for (wall, names) in expected {
        let settings = Settings { time_allowed: Ms(3_600_000), wall, ..settings() };
        let configure = campaign::Command::Configure { settings };
        world.done(campaign(1), to_campaign(configure)).await;
        sleep(Ms(1_000)).await;
        let page = Page::read(&board, WALL).await;
        let mut shown: Vec<_> =
            page.people().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        shown.sort();
        assert_eq!(shown, names, "{wall:?}");
        let text = format!("{:?}", page.rows);
        assert!(!text.contains('@') && !text.contains(&id(1_000).to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_lost_every_frame_converges_by_reading_again() {
    let world = world(3).await;
    let board = world.node().board(OF).await.unwrap();
    let mut page = Page::read(&board, MONITOR).await;
    world.bus.lose(true);
    world.done(session(1_000), start()).await;
    let remove = campaign::Command::Remove { session: id(1_001) };
    world.done(campaign(1), to_campaign(remove)).await;
    world.done(campaign(1), to_campaign(add(1_003))).await;
    world.until(session(1_003), "invited", 1).await;
    world.memory.erase_contact(id(1_002)).await.unwrap();
    sleep(Ms(16_000)).await;
    page.take_in(&board.read(MONITOR, page.after).await.unwrap());
    let row = |n| page.rows.get(&format!("c.{}", id(n)));
    assert_eq!(row(1_000).unwrap()["candidate"]["status"], "test_in_process");
    assert!(row(1_001).is_none() && row(1_003).is_some());
    assert_eq!(row(1_002).unwrap()["name"], "");
}

/// More candidates than are read at once.
#[tokio::test(start_paused = true)]
async fn a_board_reads_again_page_by_page_and_has_everybody_from_its_first_answer_on() {
    let world = world(1_100).await;
    let board = world.node().board(OF).await.unwrap();
    let mut page = Page::read(&board, MONITOR).await;
    assert_eq!(page.count("c."), 1_100);
    assert!(page.rows.iter().all(|(key, row)| !key.starts_with("c.") || row["name"] != ""));
    world.bus.lose(true);
    for n in [1_000, 2_099] {
        let remove = campaign::Command::Remove { session: id(n) };
        world.done(campaign(1), to_campaign(remove)).await;
    }
    sleep(Ms(16_000)).await;
    page.take_in(&board.read(MONITOR, page.after).await.unwrap());
    assert_eq!(page.count("c."), 1_098);
}

#[tokio::test(start_paused = true)]
async fn a_board_stops_when_nobody_holds_it_and_another_one_begins() {
    let world = world(1).await;
    let one = world.node().board(OF).await.unwrap();
    let two = world.node().board(OF).await.unwrap();
    assert!(Arc::ptr_eq(&one, &two));
    drop((one, two));
    sleep(Ms(100)).await;
    let three = world.node().board(OF).await.unwrap();
    assert_eq!(Page::read(&three, MONITOR).await.count("c."), 1);
}

/// These candidates solve it one after the other, each in another minute.
async fn solve(world: &World, candidates: impl IntoIterator<Item = u128>) {
    for n in candidates {
        sleep(Ms(57_000)).await;
        world.done(session(n), edit(0, "", "right")).await;
        world.done(session(n), hand_in()).await;
        world.until(session(n), "judged", 1).await;
    }
    sleep(Ms(1_000)).await;
}

fn name(n: u128) -> serde_json::Value {
    format!("Ada Number {n}").into()
}

/// Ranks and names, in the order of ranks and then names, as a client reckons them.
fn ranks(rows: &BTreeMap<String, serde_json::Value>) -> Vec<(u64, String)> {
    let score = |row: &serde_json::Value| Reverse(row["score"].as_f64().unwrap().to_bits());
    let standing = |row: &serde_json::Value| (score(row), row["minutes"].as_i64().unwrap());
    let people = rows.iter().filter(|(key, _)| !["about", "window", "you"].contains(&key.as_str()));
    let mut people: Vec<_> = people.map(|(_, row)| row).collect();
    people.sort_by_key(|row| (standing(row), row["since"].as_i64()));
    let window = &rows["window"];
    let mut ranks: Vec<(u64, String)> = vec![];
    for (n, row) in people.iter().enumerate() {
        let rank = match n.checked_sub(1).map(|before| people[before]) {
            None => window["rank"].as_u64().unwrap(),
            Some(before) if standing(before) == standing(row) => ranks[n - 1].0,
            Some(_) => window["from"].as_u64().unwrap() + n as u64 + 1,
        };
        ranks.push((rank, row["name"].as_str().unwrap().replace("Ada Number ", "")));
    }
    ranks.sort();
    ranks
}

#[tokio::test(start_paused = true)]
async fn a_wall_sends_two_hundred_rows_and_another_window_to_whoever_asks() {
    let world = world(203).await;
    let board = world.node().board(OF).await.unwrap();
    for n in 1_000..1_203 {
        world.done(session(n), start()).await;
    }
    solve(&world, [1_150, 1_020]).await;
    let page = Page::read(&board, WALL).await;
    assert_eq!(page.people().len(), 200, "without a window the first two hundred");
    let first: Vec<_> = ranks(&page.rows).into_iter().take(3).collect();
    assert_eq!(first, [(1, "1150".into()), (2, "1020".into()), (3, "1000".into())]);
    assert_eq!(page.rows["about"]["title"], "Autumn");

    let window = Window { from: 1, count: 3 };
    let mut page = Page::default();
    page.take_in(&board.read_window(window, page.after).await.unwrap());
    let shown: Vec<u64> = ranks(&page.rows).into_iter().map(|(rank, _)| rank).collect();
    assert_eq!(shown, [2, 3, 3]);
    solve(&world, [1_202]).await;
    let frames = board.read_window(window, page.after).await.unwrap();
    assert!(!frames.is_empty() && frames.iter().all(|frame| !frame.frame.reset));
    let sent: usize = frames.iter().map(|frame| frame.frame.rows.len()).sum();
    assert_eq!(sent, 2, "who came, and who went: none of those who were overtaken");
    page.take_in(&frames);
    let shown = ranks(&page.rows);
    assert_eq!(shown[..2], [(2, "1020".into()), (3, "1202".into())]);
    assert_eq!((shown.len(), shown[2].0), (3, 4), "the others are one further down");
    let past = Window { from: 1_000, count: u32::MAX };
    let frames = board.read_window(past, (0, 0)).await.unwrap();
    assert!(frames[0].frame.reset && frames[0].frame.rows.len() == 1, "nobody, but what it is");

    sleep(Ms(120_000)).await;
    let frames = board.read_window(window, page.after).await.unwrap();
    assert!(frames[0].frame.reset, "nobody asked for so long that it was forgotten");
    assert!(frames[0].frame.epoch > page.after.0);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_is_told_their_place_with_five_above_and_below_while_there_is_a_wall() {
    let world = world(20).await;
    let board = world.node().board(OF).await.unwrap();
    for n in 1_000..1_019 {
        world.done(session(n), start()).await;
    }
    solve(&world, 1_000..1_012).await;
    let place = async |n| {
        let rows = board.place(id(n), 0).await.unwrap().rows.unwrap();
        let rows = rows.into_iter().map(|(key, row)| (key, serde_json::from_slice(&row).unwrap()));
        let rows: BTreeMap<String, serde_json::Value> = rows.collect();
        let Some(you) = rows.get("you") else { return vec![] };
        let own = &rows[you["key"].as_str().unwrap()];
        assert_eq!((&own["name"], &you["of"]), (&name(n), &serde_json::json!(19)));
        ranks(&rows)
    };
    let around = |from: u64, to: u64| -> Vec<_> {
        (from..=to).map(|rank| (rank, (999 + rank).to_string())).collect()
    };
    assert_eq!(place(1_006).await, around(2, 12));
    assert_eq!(place(1_001).await, around(1, 7), "fewer above where there are no more");
    assert_eq!(place(1_019).await, [], "who has not started has no place");
    let version = board.place(id(1_006), 0).await.unwrap().version;
    assert!(board.place(id(1_006), version).await.unwrap().rows.is_none(), "nothing is new");
    for (wall, shows_place) in [(WallNames::Off, true), (WallNames::Names, false)] {
        let settings = Settings { wall, shows_place, ..settings() };
        let settings = Settings { time_allowed: Ms(3_600_000), ..settings };
        world.done(campaign(1), to_campaign(campaign::Command::Configure { settings })).await;
        sleep(Ms(1_000)).await;
        assert_eq!(place(1_006).await, [], "nor is there one without a wall, or if it is off");
        let shown = world.rows(Topic::Of(session(1_006))).await;
        let row = shown.iter().find(|(key, _)| key == "session").unwrap();
        assert_eq!(row.1["place"], serde_json::Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_sends_at_most_four_frames_a_second_however_much_happens() {
    let world = world(40).await;
    let _board = world.node().board(OF).await.unwrap();
    let mut changes = world.deps.bus.subscribe(WALL);
    let began_at = world.now();
    for n in 1_000..1_040 {
        world.done(session(n), start()).await;
        sleep(Ms(100)).await;
    }
    let took = world.now() - began_at;
    let mut seen = vec![];
    while let Ok(Some(heard)) =
        tokio::time::timeout(std::time::Duration::from_secs(1), changes.next()).await
    {
        seen.push(heard.frame().unwrap().frame.seq);
    }
    let most = usize::try_from(took.0 * 4 / 1_000).unwrap() + 2;
    assert!((10..=most).contains(&seen.len()), "{} of at most {most}", seen.len());
}
