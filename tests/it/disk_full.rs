//! The disk is full: everybody is told so, nothing is lost, and it goes on when there is room.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use domain::{aggregate::Outage, at::Ms, ids::CommandId, ports::Clock};
use hyper::StatusCode;
use loadtests::{
    candidate::{Candidate, PATIENCE},
    kept,
    server::{Launch, Server, create_admin_by},
    socket::{Heard, Socket},
};
use serde_json::json;
use storage::SystemClock;
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::setting::{Done, Setting, binary, settings};

/// How long it stays full: longer than a silence that is no outage (3 s).
const FULL_FOR: Duration = Duration::from_secs(5);

/// A sign of life holds as of when it was begun: one that waits for its turn while room is made is
/// stored with a time before that.
const BEGUN_BEFORE: Ms = Ms(1000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_to_everybody_loses_nothing_and_is_got_over() -> Done {
    let Some(disk) = SmallDisk::mount().await? else { return Ok(()) };
    let mut setting = disk.setting(5).await?;
    let mut all = setting.all_started().await?;
    for candidate in &mut all {
        let change = candidate.text.appended("# there is room\n");
        ensure!(candidate.edit(change).await?.is_ok());
    }
    disk.fill()?;
    let mut waiting = vec![];
    for candidate in &mut all {
        waiting.push(type_until_full(candidate).await?);
        is_said(candidate).await?;
    }
    let refused = setting.creator.browser.post(&setting_path(&setting), &json!({})).await?;
    ensure!(refused.status == StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    ensure!(refused.code() == "disk_full", "{refused:?}");

    logged(&setting.server, "no sign of life").await?;
    let from = SystemClock.now();
    let until = Instant::now() + FULL_FOR;
    while Instant::now() < until {
        for candidate in &mut all {
            candidate.compare_files().await?;
            candidate.step().await?;
        }
        ensure!(setting.server.browser().get("/healthz").await?.status.is_success(), "not well");
        setting.creator.read(setting.campaign).await?;
    }
    let gone = Outage { from, to: SystemClock.now() - BEGUN_BEFORE };
    disk.make_room()?;
    for (candidate, id) in all.iter_mut().zip(waiting) {
        let answer = candidate.answer(id).await?;
        ensure!(answer.as_ref().is_ok_and(|it| it["late"].is_null()), "{answer:?}");
        let change = candidate.text.appended("# there is room again\n");
        ensure!(candidate.edit(change).await?.is_ok());
        candidate.until("the credit", |view| view.row("session")["credits"] != json!([])).await?;
        let stored = candidate.stored_text().await?;
        kept::check(candidate.view.row("session"), &candidate.text, &stored, &[gone])?;
        ensure!(candidate.report.resumes == 0, "the server went away");
        Setting::all_well(candidate)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_starts_on_a_full_disk_says_so_be_it_by_its_end() -> Done {
    let Some(disk) = SmallDisk::mount().await? else { return Ok(()) };
    let mut setting = disk.setting(1).await?;
    let mut candidate = setting.first().await?;
    candidate.start(1).await?;
    setting.server.kill().await?;
    disk.fill()?;
    setting.server.start_again()?;
    // What it has to write is little, and may find its place in the log that there is.
    if let Err(ended) = setting.server.ready().await {
        ensure!(ended.to_string().contains("the disk is full"), "{ended}");
        disk.make_room()?;
        setting.server.start_again()?;
        setting.server.ready().await?;
    } else {
        logged(&setting.server, "the disk is full").await?;
        disk.make_room()?;
    }
    let change = candidate.text.appended("# there is room again\n");
    ensure!(candidate.edit(change).await?.is_ok());
    Setting::all_well(&candidate)
}

/// Types until an edit is refused for now; that edit.
async fn type_until_full(candidate: &mut Candidate) -> anyhow::Result<CommandId> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let change = candidate.text.appended(&"# is there any room?\n".repeat(20));
        let id = candidate.send_change(change, true).await;
        while !candidate.is_quiet() {
            candidate.step().await?;
            if candidate.report.refusals.contains_key("disk_full") {
                return Ok(id);
            }
        }
        ensure!(candidate.answer(id).await?.is_ok(), "{:?}", candidate.report.refusals);
    }
    anyhow::bail!("it is never full")
}

/// What a page is told, in words.
async fn is_said(candidate: &Candidate) -> Done {
    let mut socket = Socket::open(&candidate.browser).await?;
    let command =
        json!({ "type": "answer", "seat": candidate.seat, "question": 0, "choices": [1] });
    let (id, to) = (CommandId::random(), format!("session.{}", candidate.session));
    socket.send(&json!({ "type": "do", "command_id": id, "to": to, "command": command })).await?;
    let heard = socket.next().await;
    let Heard::Refused { why, .. } = &heard else { anyhow::bail!("{heard:?}") };
    ensure!(why.code == "disk_full" && why.retry_after_ms.is_some(), "{why:?}");
    ensure!(why.text.contains("the server's disk is full"), "{why:?}");
    Ok(())
}

fn setting_path(of: &Setting) -> String {
    format!("/api/v1/campaigns/{}/pause", of.campaign)
}

async fn logged(server: &Server, what: &str) -> Done {
    let until = Instant::now() + PATIENCE;
    while !server.log().contains(what) {
        ensure!(Instant::now() < until, "never logged: {what}");
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A disk of a few MiB that only those see who are in the namespace of `holder`.
struct SmallDisk {
    holder: Child,
    at: TempDir,
}

impl SmallDisk {
    /// Nothing where this machine lets nobody mount.
    async fn mount() -> anyhow::Result<Option<Self>> {
        const MOUNT: &str = r#"mount -t tmpfs -o size=12m none "$1" && echo ready && exec cat"#;
        let at = TempDir::new()?;
        let mut holder = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", MOUNT, "sh"])
            .arg(at.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut said = [0; 6];
        let mut out = holder.stdout.take().context("a pipe")?;
        if out.read_exact(&mut said).await.is_err() {
            ensure!(std::env::var_os("CI").is_none(), "mounting must be allowed");
            eprintln!("left out: nobody may mount a disk here");
            return Ok(None);
        }
        Ok(Some(Self { holder, at }))
    }

    /// A campaign on a server whose data is on this disk.
    async fn setting(&self, candidates: usize) -> anyhow::Result<Setting> {
        let process = self.holder.id().context("it runs")?.to_string();
        let enter =
            ["nsenter", "--preserve-credentials", "--user", "--mount", "--target", &process, "--"];
        let launch = Launch::new(binary()?, true).behind(enter.map(str::to_owned).to_vec());
        let data = self.at.path().join("data");
        create_admin_by(&launch, &data).await?;
        let server = Server::launch(launch, &data).await?;
        let mut creator = server.creator().await?;
        let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
        Setting::on(server, creator, &settings(), questions, candidates).await
    }

    /// Leaves room for a few edits only.
    fn fill(&self) -> Done {
        let mut ballast = File::create(self.ballast()?)?;
        let full = loop {
            if let Err(full) = ballast.write_all(&[1; 4096]) {
                break full;
            }
        };
        ensure!(full.kind() == ErrorKind::StorageFull, "{full}");
        let length = ballast.metadata()?.len();
        Ok(ballast.set_len(length - 64 * 1024)?)
    }

    fn make_room(&self) -> Done {
        Ok(fs::remove_file(self.ballast()?)?)
    }

    /// A file on the disk, as it is seen from outside.
    fn ballast(&self) -> anyhow::Result<PathBuf> {
        let root = format!("/proc/{}/root", self.holder.id().context("it runs")?);
        Ok(Path::new(&root).join(self.at.path().strip_prefix("/")?).join("ballast"))
    }
}
