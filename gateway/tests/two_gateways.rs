//! Two gateways over one store and one bus, as two nodes have them: what is done at one of them is
//! known to the sockets of the other.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]
#![expect(clippy::indexing_slicing, reason = "a field of JSON that is not there is null")]

use std::{sync::Arc, time::Duration};

use actors::deps::Deps;
use domain::{
    at::Ms,
    campaign::Settings,
    frame::close,
    ids::CampaignId,
    ports::{Bus, People},
};
use loadtests::{
    candidate::Candidate,
    creator::{Added, Creator},
    http::Http,
    monitor::Monitor,
    socket::{Heard, Socket},
};
use runner::FakeSandbox;
use serde_json::json;
use storage::{
    SystemClock,
    bus::LocalBus,
    local::{LocalLeases, LocalWire},
    memory::Memory,
};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

const EMAIL: &str = "ada@example.org";
const PASSWORD: &str = "correct horse battery";
/// Less than it takes until a socket looks again by itself.
const SOON: Duration = Duration::from_secs(15);

/// The two of them, and a campaign. Only the second one owns streams.
struct World {
    one: String,
    two: Http,
    creator: Creator,
    campaign: CampaignId,
    added: Vec<Added>,
    _gateways: JoinSet<()>,
}

impl World {
    async fn new(candidates: usize) -> Self {
        let (store, bus) = (Arc::new(Memory::new()), Arc::new(LocalBus::default()));
        let administrator = gateway::administrator("Ada", EMAIL, PASSWORD.to_owned()).await;
        store.add_person(administrator.unwrap()).await.unwrap();
        let mut gateways = JoinSet::new();
        let one = serve(&store, &bus, &mut gateways).await;
        let two = Http::new(&serve(&store, &bus, &mut gateways).await);
        let mut creator = Creator::sign_in(&two, EMAIL, PASSWORD).await.unwrap();
        let question = creator.code(10, None).await.unwrap();
        let settings = Settings {
            title: "Two".to_owned(),
            zone: "Europe/Paris".to_owned(),
            time_allowed: Ms(3_600_000),
            ..Settings::default()
        };
        let campaign = creator.campaign(&settings, vec![question]).await.unwrap();
        let added = creator.add(campaign, candidates).await.unwrap();
        Self { one, two, creator, campaign, added, _gateways: gateways }
    }

    /// A candidate who has opened their link at the second gateway; the browser is at the first.
    async fn candidate(&self, n: usize) -> (Candidate, Http) {
        let candidate = Candidate::open(&self.two, &self.added[n].code).await.unwrap();
        let browser = candidate.browser.to(&self.one);
        (candidate, browser)
    }

    fn path(&self, n: usize, rest: &str) -> String {
        let (campaign, session) = (self.campaign, self.added[n].session);
        format!("/api/v1/campaigns/{campaign}/candidates/{session}{rest}")
    }
}

async fn serve(store: &Arc<Memory>, bus: &Arc<LocalBus>, gateways: &mut JoinSet<()>) -> String {
    let deps = Deps {
        store: Arc::clone(store) as _,
        shards: Arc::clone(store) as _,
        blobs: Arc::clone(store) as _,
        people: Arc::clone(store) as _,
        bus: Arc::clone(bus) as Arc<dyn Bus>,
        clock: Arc::new(SystemClock),
        sandbox: Arc::new(FakeSandbox::new()),
        wire: Arc::new(LocalWire::default()),
        leases: Arc::new(LocalLeases::default()),
        heads: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    gateways.spawn(async move { gateway::serve_on(deps, listener).await.unwrap() });
    let mut browser = Http::new(&url);
    while browser.get("/healthz").await.is_err() {
        tokio::task::yield_now().await;
    }
    url
}

/// A socket that is let in, and hears that it is.
async fn open(browser: &Http) -> Socket {
    let mut socket = Socket::open(browser).await.unwrap();
    socket.send(&json!({ "type": "ping", "sent_ms": 1 })).await.unwrap();
    assert!(matches!(socket.next().await, Heard::Pong { .. }), "it was not let in");
    socket
}

/// How a socket ends, soon.
async fn end(socket: &mut Socket) -> Option<u16> {
    let closed = async {
        loop {
            if let Heard::Closed(code) = socket.next().await {
                return code;
            }
        }
    };
    timeout(SOON, closed).await.expect("it stays open")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_out_at_one_gateway_is_put_out_at_the_other_and_nobody_else_is() {
    let mut world = World::new(0).await;
    let mut here = open(&world.creator.browser.to(&world.one)).await;
    let elsewhere = Creator::sign_in(&world.two, EMAIL, PASSWORD).await.unwrap();
    let mut other = open(&elsewhere.browser.to(&world.one)).await;
    world.creator.browser.post("/api/v1/sign-out", &json!({})).await.unwrap().done().unwrap();
    assert_eq!(end(&mut here).await, Some(close::NOT_ALLOWED));
    other.send(&json!({ "type": "ping", "sent_ms": 1 })).await.unwrap();
    assert!(matches!(other.next().await, Heard::Pong { .. }), "another browser stays signed in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_revoked_ends_its_sockets_everywhere() {
    let mut world = World::new(2).await;
    let mut sockets = vec![];
    for n in 0..2 {
        sockets.push(open(&world.candidate(n).await.1).await);
    }
    let revoke = world.path(0, "/link");
    world.creator.browser.delete(&revoke, &json!({})).await.unwrap().done().unwrap();
    assert_eq!(end(&mut sockets[0]).await, Some(close::NOT_ALLOWED));
    sockets[1].send(&json!({ "type": "ping", "sent_ms": 1 })).await.unwrap();
    assert!(matches!(sockets[1].next().await, Heard::Pong { .. }), "the other one sits on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_disabled_or_a_wall_that_is_closed_ends_its_sockets_everywhere() {
    let mut world = World::new(0).await;
    let new = json!({ "name": "Bob", "email": "bob@example.org", "role": "creator" });
    let added = world.creator.browser.post("/api/v1/accounts", &new).await.unwrap().done().unwrap();
    let id = added["account"]["id"].as_str().unwrap().to_owned();
    let mut bob = world.two.without_cookies();
    let chosen = json!({ "token": added["token"], "password": PASSWORD });
    bob.put(&format!("/api/v1/accounts/{id}/welcome"), &chosen).await.unwrap().done().unwrap();
    let mut account = open(&bob.to(&world.one)).await;
    let disable = format!("/api/v1/accounts/{id}/disable");
    world.creator.browser.post(&disable, &json!({})).await.unwrap().done().unwrap();
    assert_eq!(end(&mut account).await, Some(close::NOT_ALLOWED));

    let wall = format!("/api/v1/campaigns/{}/wall", world.campaign);
    let made = world.creator.browser.post(&wall, &json!({})).await.unwrap().done().unwrap();
    let mut hall = world.two.without_cookies();
    let link = format!("/api/v1/walls/{}", made["code"].as_str().unwrap());
    hall.get(&link).await.unwrap().done().unwrap();
    let mut screen = open(&hall.to(&world.one)).await;
    world.creator.browser.delete(&wall, &json!({})).await.unwrap().done().unwrap();
    assert_eq!(end(&mut screen).await, Some(close::NOT_ALLOWED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_with_devices_on_two_gateways_is_there_once_and_until_the_last_one_goes() {
    let world = World::new(2).await;
    let (_, far) = world.candidate(0).await;
    let near = far.to(world.two.base());
    let key = format!("p.{}", world.added[0].session);
    // Before anybody looks, and while somebody does.
    let first = open(&far).await;
    let mut monitor = Monitor::open(&world.creator.browser, world.campaign).await.unwrap();
    let mut shows = async |connected: bool, count: u64| {
        let is_so = |view: &loadtests::view::View| {
            view.row(&key)["connected"] == connected && view.row("present")["connected"] == count
        };
        timeout(SOON, monitor.until(is_so)).await.expect("it is not shown").unwrap();
    };
    shows(true, 1).await;
    let second = open(&near).await;
    let (_, other) = world.candidate(1).await;
    let third = open(&other).await;
    shows(true, 2).await;
    drop(first);
    drop(third);
    shows(true, 1).await;
    drop(second);
    shows(false, 0).await;
}
