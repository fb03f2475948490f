//! What is measured while the program serves, in the format of Prometheus, on a listener of its own
//! so that nobody reads it by mistake.

use std::{sync::Arc, time::Duration};

use actors::queue::QueueCard;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::command::Answer;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::net::TcpListener;

use crate::app::Shared;

/// Upper bounds of a command's time, in seconds: what one commit takes, and what a person feels.
const BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum How {
    Done,
    Refused,
    /// To be asked again.
    Later,
}

/// What is counted where it happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    commands: Family<Answered, Counter>,
    seconds: Option<Histogram>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self { commands: Family::default(), seconds: Some(Histogram::new(BUCKETS)) }
    }

    /// A command of a socket was answered after so long.
    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        let how = match answer {
            Answer::Done { .. } => How::Done,
            Answer::Refused(why) if why.retry_after_ms.is_some() => How::Later,
            Answer::Refused(_) => How::Refused,
        };
        self.commands.get_or_create(&Answered { how }).inc();
        if let Some(seconds) = &self.seconds {
            seconds.observe(took.as_secs_f64());
        }
    }
}

/// Serves `/metrics`, `/healthz` and `/readyz` until the program ends.
pub(crate) async fn serve(listener: TcpListener, app: Shared) {
    let router = Router::new()
        .route("/metrics", get(read))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(app);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are served no more");
    }
}

/// Whether people may be sent here: not while it leaves, nor while the store is away.
pub(crate) async fn ready(State(app): State<Shared>) -> Response {
    let is_leaving = app.node.card.borrow().is_leaving || *app.stopping.borrow();
    if is_leaving {
        return (StatusCode::SERVICE_UNAVAILABLE, "leaving").into_response();
    }
    match tokio::time::timeout(Duration::from_secs(2), app.node.deps.shards.clock()).await {
        Ok(Ok(_)) => "ok".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database is away").into_response(),
    }
}

async fn read(State(app): State<Shared>) -> Response {
    let mut text = String::new();
    let written = encode(&mut text, &registry(&app, &app.node.queue().await.unwrap_or_default()));
    if written.is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn registry(app: &Shared, queue: &QueueCard) -> Registry {
    let mut registry = Registry::with_prefix("polycode");
    let Metrics { commands, seconds } = app.metrics.clone();
    registry.register("commands", "Commands of sockets, by how they were answered", commands);
    if let Some(seconds) = seconds {
        let help = "From the receipt of a command to its answer";
        registry.register_with_unit("command", help, Unit::Seconds, seconds);
    }
    let card = app.node.card.borrow().clone();
    let mut gauge = |name: &str, help: &str, value: usize| {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge("shards_owned", "Shards that this node owns", card.shards);
    gauge("streams_awake", "Streams whose owners are awake here", app.node.directory.awake());
    gauge("streams_broken", "Streams that this node gave up on", card.broken);
    gauge("sockets", "Sockets that are open here", app.stopping.receiver_count());
    gauge("runs", "Runs that go on here", card.runs);
    gauge("queue_waiting", "Submissions that wait for a runner, anywhere", queue.waiting);
    gauge("queue_running", "Submissions that are being run, anywhere", queue.running);
    gauge("runners", "Nodes that run what waits", queue.runners.len());
    gauge("nodes", "Nodes that this node hears", app.node.members.all().len());
    gauge("leaving", "1 while this node hands over what it has", usize::from(card.is_leaving));
    gauge("unfit", "1 while this node takes no shards", usize::from(card.trouble.is_some()));
    gauge("resident_bytes", "Memory of this process", resident());
    registry
}

/// The memory of this process, in bytes (`proc(5)`, statm, in pages of 4 KiB).
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// Keeps the node's card true about sockets.
pub(crate) async fn count_sockets(app: std::sync::Weak<crate::app::App>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        let sockets = app.stopping.receiver_count();
        app.node.card.send_if_modified(|card| {
            let is_other = card.sockets != sockets;
            card.sockets = sockets;
            is_other
        });
    }
}

/// Starts what is measured.
pub(crate) async fn start(
    app: &Shared,
    listen: Option<std::net::SocketAddr>,
) -> anyhow::Result<()> {
    app.tasks.spawn(count_sockets(Arc::downgrade(app)));
    let Some(listen) = listen else { return Ok(()) };
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| crate::cluster::wrong(format!("--metrics {listen}: {error}")))?;
    let (app, tasks) = (Arc::clone(app), app.tasks.clone());
    tasks.spawn(serve(listener, app));
    Ok(())
}
