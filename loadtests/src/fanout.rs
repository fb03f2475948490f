//! One frame to many sockets: what a delivery costs the server, and what a connection takes, beside
//! servers that do nothing else. Client, publisher and those servers are `wsbench`'s, which knows
//! nothing of us.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use loadtests::figures::{Figure, Goal, median, ratio, report};
use serde::Deserialize;
use tempfile::TempDir;

use crate::fan_server::FanServer;

/// How many turns each server has, one after the other.
const TURNS: usize = 7;
/// How long nothing is sent, how long it is not yet counted, how long it is.
const LENGTHS: [(&str, &str); 3] = [("SETTLE", "1"), ("WARMUP", "1"), ("SECS", "3")];
/// The payload that makes our frame, with its topic and place, as long as the others' 300 bytes.
const OUR_SIZE: &str = "180";
const OURS: &str = "ours";
const PEERS: [&str; 5] = ["epoll", "bun", "nats", "node-ws", "axum"];

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// Where `wsbench` is, built.
    #[arg(long, default_value = "target/wsbench")]
    wsbench: PathBuf,
    /// Our gateway, alone.
    #[arg(long, default_value = "target/release/examples/fan_server")]
    server: PathBuf,
    #[arg(long, default_value_t = TURNS)]
    turns: usize,
}

/// How many sockets, topics and messages.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scenario {
    /// 2,000 sockets on one topic, ten messages a second.
    One2k,
    /// 8,000 sockets on one topic, ten messages a second: more than two processors carry.
    One8k,
    /// 400 topics of 20 sockets, one message a second each.
    Many8k,
}

/// What `wsbench` says of one turn; its README has the units.
#[derive(Clone, Debug, Deserialize)]
struct Turn {
    cpu_us_per_msg: f64,
    bytes_per_conn: f64,
    msgs_per_s: f64,
    latency_ms: Latency,
    failed: u32,
    lost: u32,
    gaps: u32,
    dups: u32,
}

#[derive(Clone, Debug, Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

/// The turns of one server.
struct Turns {
    name: &'static str,
    all: Vec<Turn>,
}

impl Turns {
    fn of(&self, value: fn(&Turn) -> f64) -> Vec<f64> {
        self.all.iter().map(value).collect()
    }
}

/// Answers what was lost or doubled on the way.
pub(crate) fn run(config: &Config) -> anyhow::Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let mut servers: Vec<Turns> =
        [OURS].into_iter().chain(PEERS).map(|name| Turns { name, all: vec![] }).collect();
    for turn in 0..config.turns {
        for server in &mut servers {
            match measure(config, server.name, turn, &scratch) {
                Ok(measured) => server.all.push(measured),
                Err(error) if server.name == OURS => return Err(error),
                Err(error) => eprintln!("{}: {error:#}", server.name),
            }
        }
    }
    let name = config.scenario.to_possible_value().context("a name")?;
    report(&format!("fanout-{}", name.get_name()), &figures(config.scenario, &servers))?;
    let [ours, ..] = servers.as_slice() else { return Ok(vec![]) };
    Ok(ours.all.iter().filter_map(wrong).collect())
}

fn wrong(turn: &Turn) -> Option<String> {
    let Turn { failed, lost, gaps, dups, .. } = turn;
    if failed + lost + gaps + dups > 0 {
        return Some(format!(
            "{failed} sockets failed, {lost} were lost; {gaps} frames missed, {dups} doubled"
        ));
    }
    // What is given back meanwhile would pass for what the sockets do not take.
    let is_measured = turn.bytes_per_conn > 0.0;
    (!is_measured).then(|| "the server had more memory before the sockets came".to_owned())
}

fn measure(config: &Config, name: &str, turn: usize, scratch: &TempDir) -> anyhow::Result<Turn> {
    let results = scratch.path().join(format!("{name}.{turn}"));
    let scenario = config.scenario.to_possible_value().context("a name")?;
    let scenario = scenario.get_name();
    if name == OURS {
        let topics = config.scenario.topics();
        let server = FanServer::start(&config.server, topics, scratch.path())?;
        measure_ours(&server, config, scenario, &results)?;
    } else {
        let mut run = Command::new(config.wsbench.join("run-peers.sh"));
        run.arg(name).env("REPS", "1").env("SCENARIOS", scenario).env("OUT", &results);
        quietly(run.envs(LENGTHS))?;
    }
    let line = std::fs::read_to_string(&results).context("it was not to be had")?;
    Ok(serde_json::from_str(line.trim())?)
}

fn quietly(command: &mut Command) -> anyhow::Result<()> {
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(ended.success(), "{command:?} failed");
    Ok(())
}

/// One turn of our gateway.
fn measure_ours(
    server: &FanServer,
    config: &Config,
    scenario: &str,
    results: &Path,
) -> anyhow::Result<()> {
    let (port, topics) = (server.port, server.topics());
    let cookie = server.cookie()?;
    let watch = r#"{\"type\":\"watch\",\"topic\":\"{v0}\"}"#;
    // The first frame says what there is, the others what changed; both name their place alike.
    let arguments = format!(
        r#"--vars {} --header "Cookie: {cookie}" --step "send:{watch}" --step "wait:rows" --seq 'key:"epoch":1,"seq":'"#,
        topics.display()
    );
    let publisher = format!("--url nats://127.0.0.1:{} --topic t{{t}}", port + 1);
    let mut run = Command::new(config.wsbench.join("run-one.sh"));
    run.args([&format!("ws://127.0.0.1:{port}/ws"), &server.pid().to_string()])
        .args([scenario, OURS])
        .envs(LENGTHS)
        .envs([("ARGS", arguments), ("PUB", publisher), ("SIZE", OUR_SIZE.to_owned())])
        .env("OUT", results);
    quietly(&mut run)
}

impl Scenario {
    fn topics(self) -> u32 {
        match self {
            Self::One2k | Self::One8k => 1,
            Self::Many8k => 400,
        }
    }
}

fn figures(scenario: Scenario, servers: &[Turns]) -> Vec<Figure> {
    let mut figures = vec![];
    for server in servers {
        let name = server.name;
        let plain = |what: &str, of: fn(&Turn) -> f64, unit| {
            Figure::plain(&format!("{name}: {what}"), median(&server.of(of)), unit)
        };
        figures.extend([
            plain("processor time a delivery", |turn| turn.cpu_us_per_msg, "µs"),
            plain("deliveries", |turn| turn.msgs_per_s, "1/s"),
            plain("p50", |turn| turn.latency_ms.p50, "ms"),
            plain("p99", |turn| turn.latency_ms.p99, "ms"),
            plain("memory a connection", |turn| turn.bytes_per_conn / 1024.0, "KiB"),
        ]);
    }
    let [ours, peers @ ..] = servers else { return figures };
    let kib = median(&ours.of(|turn| turn.bytes_per_conn)) / 1024.0;
    figures.push(Figure::at_most("memory a connection", kib, "KiB", 8.0));
    for peer in peers.iter().filter(|peer| !peer.all.is_empty()) {
        figures.extend(against(scenario, ours, peer));
    }
    figures
}

/// Our goals beside one other.
fn against(scenario: Scenario, ours: &Turns, peer: &Turns) -> Vec<Figure> {
    let cpu = |turns: &Turns| turns.of(|turn| turn.cpu_us_per_msg);
    let memory = |turns: &Turns| turns.of(|turn| turn.bytes_per_conn);
    let p99 = |turns: &Turns| turns.of(|turn| turn.latency_ms.p99);
    let name = peer.name;
    let goal = match name {
        "epoll" => Goal::AtMost(1.25),
        "bun" => Goal::AtMost(1.10),
        _ => Goal::AtMost(1.0 / 1.2),
    };
    let to = format!("processor time to {name}");
    let mut figures = ratio(&to, &cpu(ours), &cpu(peer), Some(goal)).to_vec();
    if name == "nats" {
        let goal = Some(Goal::AtMost(0.35));
        figures.extend(ratio("memory to nats", &memory(ours), &memory(peer), goal));
    }
    if name == "epoll" && matches!(scenario, Scenario::One8k) {
        figures.extend(ratio("p99 to epoll", &p99(ours), &p99(peer), Some(Goal::AtMost(1.3))));
    }
    figures
}
