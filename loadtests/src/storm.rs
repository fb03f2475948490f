//! A storm: thousands of sockets are gone in one moment and come back, as the page does it, while
//! candidates are among them. Each has to be live again within seconds, and none may miss anything.

mod client;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use domain::{at::Ms, campaign::Settings};
use loadtests::{
    candidate::Candidate,
    creator::Creator,
    figures::{Figure, per_mille, report},
    http::Http,
    server::{Server, usage},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Duration, Instant, timeout},
};

use client::{Client, Live, Who};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 8_000)]
    clients: usize,
    /// How many of them sit the test; the others look at the wall.
    #[arg(long, default_value_t = 200)]
    candidates: usize,
}

/// After so long whoever is not back is counted as lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// How everybody is cut off.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Network,
    Crash,
    Restart,
}

impl Blow {
    fn name(self) -> &'static str {
        match self {
            Self::Network => "all links cut",
            Self::Crash => "server killed",
            Self::Restart => "server restarted",
        }
    }
}

/// Answers what went wrong.
pub(crate) async fn run(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut server = Server::start(&config.spawn, true).await?;
    let clients = everybody(config, &mut server.creator().await?).await?;
    let count = clients.len();
    let (live, mut lives) = mpsc::channel(config.clients.max(1));
    let cuts = watch::Sender::new(0);
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for client in clients {
        tasks.spawn(client.stay(live.clone(), cuts.subscribe()));
    }
    let mut problems = vec![];
    let mut figures = vec![Figure::plain("sockets", whole(count), "")];
    figures.extend(back(&mut lives, count, began, "arrival", &mut problems).await);
    for blow in [Blow::Network, Blow::Crash, Blow::Restart] {
        let began = strike(blow, &mut server, &cuts).await?;
        figures.extend(back(&mut lives, count, began, blow.name(), &mut problems).await);
    }
    let used = usage(server.pid().context("it runs")?)?;
    figures.push(Figure::plain("server memory, max", used.rss_max_mib, "MiB"));
    report("storm", &figures)?;
    drop(tasks);
    Ok(problems)
}

/// All clients, not yet connected: those who sit the test, and viewers of its wall.
async fn everybody(config: &Config, creator: &mut Creator) -> anyhow::Result<Vec<Client>> {
    let settings = Settings {
        title: "Storm".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms::from_secs(3_600),
        ..Settings::default()
    };
    let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
    let campaign = creator.campaign(&settings, questions).await?;
    let mut clients = vec![];
    for added in creator.add(campaign, config.candidates).await? {
        let mut candidate = Candidate::open(&creator.browser, &added.code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        candidate.start(1).await?;
        candidate.cut();
        let topic = format!("session.{}", candidate.session);
        clients.push(Client::new(Who::Candidate, candidate.browser, topic));
    }
    let viewer: Http = creator.browser.clone();
    let viewers = config.clients.saturating_sub(config.candidates);
    let topic = format!("wall.{campaign}");
    clients.extend((0..viewers).map(|_| Client::new(Who::Viewer, viewer.clone(), topic.clone())));
    Ok(clients)
}

/// Cuts everybody off. Answers since when they can come back.
async fn strike(
    blow: Blow,
    server: &mut Server,
    cuts: &watch::Sender<u32>,
) -> anyhow::Result<Instant> {
    match blow {
        Blow::Network => {
            cuts.send_modify(|cut| *cut += 1);
            return Ok(Instant::now());
        }
        Blow::Crash => server.kill().await?,
        Blow::Restart => {
            let ended = server.stop().await?;
            ensure!(ended.success(), "the server ended with {ended}");
        }
    }
    server.start_again()?;
    server.ready().await?;
    Ok(Instant::now())
}

/// Waits until all are back, and says how long that took them.
async fn back(
    lives: &mut mpsc::Receiver<Live>,
    count: usize,
    began: Instant,
    name: &str,
    problems: &mut Vec<String>,
) -> Vec<Figure> {
    let (mut all, mut candidates) = (vec![], vec![]);
    let heard = async {
        while all.len() < count {
            let Some(live) = lives.recv().await else { return };
            let took = live.at.saturating_duration_since(began).as_secs_f64();
            all.push(took);
            if live.who == Who::Candidate {
                candidates.push(took);
            }
            problems.extend(live.problem);
        }
    };
    if timeout(PATIENCE, heard).await.is_err() {
        problems.push(format!("{name}: only {} of {count} came back", all.len()));
    }
    let figure = |what: &str, value| Figure::at_most(&format!("{name}: {what}"), value, "s", 10.0);
    vec![
        Figure::plain(&format!("{name}: half are live"), per_mille(&mut all, 500), "s"),
        figure("99 % are live", per_mille(&mut all, 990)),
        Figure::plain(&format!("{name}: all are live"), per_mille(&mut all, 1_000), "s"),
        figure("99 % of candidates", per_mille(&mut candidates, 990)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts in a table")]
fn whole(of: usize) -> f64 {
    of as f64
}
