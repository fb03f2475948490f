//! What must be true of what is stored.

use loadtests::cluster::Cluster;
use storage::scratch::Scratch;

/// Rows that must not be there, and what they would mean.
const NEVER: [(&str, &str); 4] = [
    (
        "a stream has a gap",
        "SELECT s.stream FROM events e JOIN streams s ON s.id = e.stream
         GROUP BY s.stream HAVING count(*) <> max(e.seq)",
    ),
    (
        "a command was carried out twice",
        "SELECT origin || ' ' || command_id FROM events
         GROUP BY stream, origin, command_id, n HAVING count(*) > 1",
    ),
    (
        "a run was judged twice, or never",
        "SELECT s.stream FROM streams s JOIN events e ON e.stream = s.id
         WHERE s.stream LIKE 'submission.%'
         GROUP BY s.stream HAVING count(*) FILTER (WHERE e.kind = 'judged') <> 1",
    ),
    (
        "an outage was credited twice",
        "SELECT stream || ' ' || convert_from(body, 'UTF8') FROM events WHERE kind = 'credited'
         GROUP BY stream, body HAVING count(*) > 1",
    ),
];

pub(super) async fn of_store(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut problems = vec![];
    for (what, sql) in NEVER {
        for row in texts(&cluster.postgres, sql).await? {
            problems.push(format!("{what}: {row}"));
        }
    }
    Ok(problems)
}

async fn texts(postgres: &Scratch, sql: &'static str) -> anyhow::Result<Vec<String>> {
    use sqlx::Connection;
    let mut on = sqlx::PgConnection::connect(&postgres.url()).await?;
    let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(&mut on).await?;
    on.close().await?;
    Ok(rows.into_iter().map(|(text,)| text).collect())
}

/// What nodes say has gone wrong that no fault from outside explains.
pub(super) fn of_logs(cluster: &Cluster) -> Vec<String> {
    let is_bad = |line: &&str| line.contains("panicked") || line.contains("was refused");
    let lines = |node: &loadtests::cluster::Node| {
        let log = node.server.log();
        let bad = log.lines().filter(is_bad).map(|line| format!("{}: {line}", node.name));
        bad.collect::<Vec<_>>()
    };
    cluster.nodes.iter().flat_map(lines).collect()
}
