//! `cluster`: one to look at. Kill nodes, stop NATS, and watch.

use std::path::PathBuf;

use clap::Args;
use loadtests::{
    cluster::Cluster,
    proxy::{Proxy, Weather, upstream},
    server::{EMAIL, PASSWORD},
};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// What a node does, for each node instead of their number: `--roles gateway --roles
    /// actors,runner`. The first one serves pages.
    #[arg(long, conflicts_with = "nodes")]
    roles: Vec<String>,
    /// Where all nodes are reached, whichever answers.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: std::net::SocketAddr,
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let nodes = config.roles.iter().map(|roles| vec!["--roles".to_owned(), roles.clone()]);
    let nodes = if config.roles.is_empty() { vec![vec![]; config.nodes] } else { nodes.collect() };
    let cluster = Cluster::start(&config.spawn, &nodes).await?;
    let serves = |n: usize| config.roles.get(n).is_none_or(|roles| roles.contains("gateway"));
    let urls = cluster.urls().into_iter().enumerate().filter(|(n, _)| serves(*n));
    let nodes = urls.map(|(_, url)| upstream(&url)).collect::<anyhow::Result<_>>()?;
    let front = Proxy::start_at(config.listen, nodes, Weather::default(), 0).await?;
    println!("Polycode, as one: {}", front.url());
    println!("sign in as {EMAIL} with \"{PASSWORD}\"; the page \"Server\" shows the nodes");
    for node in &cluster.nodes {
        let pid = node.server.pid().unwrap_or_default();
        println!("  {}: {}  (kill -9 {pid})", node.name, node.server.url);
    }
    println!("  PostgreSQL: {}", cluster.postgres.url());
    println!(
        "  NATS: {}  (process {})",
        cluster.nats.url(),
        cluster.nats.pid().unwrap_or_default()
    );
    if let Some(redis) = &cluster.redis {
        println!("  Redis: {}  (process {})", redis.url(), redis.pid().unwrap_or_default());
    }
    println!("Ctrl-C ends all of it.");
    let mut told = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended?,
        _ = told.recv() => {}
    }
    Ok(vec![])
}
