//! A cluster of three real nodes on a real PostgreSQL, NATS and Redis, at work, with a fault of each
//! kind: nothing that was acknowledged is lost, doubled or out of order, and everything is served
//! again.

use std::process::Stdio;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::setting::{Done, binary};

/// How many clients work meanwhile.
const CLIENTS: &str = "12";

#[tokio::test]
async fn us_084_a_cluster_at_work_survives_a_fault_of_each_kind() -> Done {
    let program = binary()?;
    let loads = program.with_file_name("loadtests");
    ensure!(loads.exists(), "{} is not built: `make rust-test` does", loads.display());
    let dir = tempfile::tempdir()?;
    let ran = Command::new(&loads)
        .args(["soak", "--each", "--clients", CLIENTS, "--spawn"])
        .arg(program)
        .arg("--ledger")
        .arg(dir.path().join("ledger.jsonl"))
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .await?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let why = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{said}\n{why}");
    let rounds = said.lines().filter(|line| line.contains(": healed")).count();
    ensure!(rounds == 11, "{rounds} faults of 11:\n{said}");
    Ok(())
}

/// What a node says that is set wrongly, and how it ends.
async fn refused(arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let dir = tempfile::tempdir()?;
    let ran = Command::new(binary()?)
        .args(["--data"])
        .arg(dir.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--fake-runs"])
        .args(arguments)
        .output();
    let ran = tokio::time::timeout(std::time::Duration::from_mins(1), ran).await;
    let ran = ran.context("it goes on")??;
    Ok((ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned()))
}

#[tokio::test]
async fn a_node_that_is_set_wrongly_says_what_in_one_line_and_ends_with_code_2() -> Done {
    let nobody = "nats://127.0.0.1:1";
    let cases: [(&[&str], &str); 5] = [
        (&["--nats", nobody], "127.0.0.1:1"),
        (&["--nats", nobody, "--cluster", "a.b"], "the name of a cluster"),
        (&["--nats", nobody, "--nats-credentials", "/nowhere/nats"], "/nowhere/nats"),
        (&["--redis", "http://127.0.0.1:1"], "Redis"),
        (&["--roles", "gateway"], "--nats"),
    ];
    for (arguments, word) in cases {
        let (code, said) = refused(arguments).await?;
        let last = said.lines().last().unwrap_or_default();
        ensure!(code == Some(2), "{arguments:?}: {code:?}: {said}");
        ensure!(last.starts_with("polycode: ") && last.contains(word), "{arguments:?}: {last}");
    }
    Ok(())
}
