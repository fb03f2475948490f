//! `polycode status`: how a cluster stands, asked of its nodes.

use std::{sync::Arc, time::Duration};

use actors::{
    placement::{Members, NodeCard},
    queue::{self, QueueCard},
    report::{self, Report},
};
use domain::{cluster::Wire, ids::NodeId};
use storage::nats::wire::NatsWire;

use crate::{
    cluster::{self, wrong},
    config,
};

/// How long it listens: each node speaks once a second.
const LISTEN: Duration = Duration::from_millis(1_500);

/// Prints a table, or one JSON object. Fails with exit code 2 when nobody can be asked.
pub(crate) async fn run(config: &config::Cluster, json: bool) -> anyhow::Result<()> {
    let Some(nats) = cluster::connect(config).await? else {
        let text = "there is nobody to ask: give --nats; a program that is alone shows how it \
            stands on its page \"Server\"";
        return Err(wrong(text.to_owned()));
    };
    let wire: Arc<dyn Wire> = Arc::new(NatsWire::new(&nats));
    let members = Members::default();
    tokio::time::timeout(LISTEN, members.listen(&*wire)).await.ok();
    let nodes = members.all();
    if nodes.is_empty() {
        return Err(wrong(format!("no node of the cluster \"{}\" is heard", config.name)));
    }
    let reports = report::all(&wire, &nodes).await;
    let queue = queue::card(&wire).await.ok();
    say(&nodes, &reports, queue.as_ref(), json)
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn say(
    nodes: &[NodeCard],
    reports: &[(NodeId, Report)],
    queue: Option<&QueueCard>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        let all = serde_json::json!({ "nodes": nodes, "reports": reports, "queue": queue });
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    let heads = ["node", "roles", "shards", "awake", "sockets", "runs", "state"];
    println!("{}", line(heads.map(str::to_owned)));
    for node in nodes {
        println!("{}", line(row(node)));
    }
    println!("{}", queue.map_or("the queue does not answer".to_owned(), queue_line));
    for (_, Report { broken, .. }) in reports {
        for one in broken {
            println!("out of order: {}: {}", one.stream, one.why);
        }
    }
    Ok(())
}

fn queue_line(queue: &QueueCard) -> String {
    let QueueCard { waiting, running, runners, .. } = queue;
    let runners: Vec<String> =
        runners.iter().map(|(name, runs)| format!("{name} ({runs})")).collect();
    let by = if runners.is_empty() { "nobody".to_owned() } else { runners.join(", ") };
    format!("queue: {waiting} wait, {running} run; run by {by}")
}

fn row(node: &NodeCard) -> [String; 7] {
    let roles: Vec<String> =
        node.roles.iter().map(|role| format!("{role:?}").to_lowercase()).collect();
    let state = match &node.trouble {
        Some(why) => format!("takes no shards: {why}"),
        None if node.is_leaving => "leaving".to_owned(),
        None => "well".to_owned(),
    };
    let [shards, awake, sockets, runs] =
        [node.shards, node.awake, node.sockets, node.runs].map(|n| n.to_string());
    [node.name.clone(), roles.join(","), shards, awake, sockets, runs, state]
}

fn line([node, roles, shards, awake, sockets, runs, state]: [String; 7]) -> String {
    format!("{node:<20} {roles:<22} {shards:>6} {awake:>7} {sockets:>7} {runs:>5}  {state}")
}
