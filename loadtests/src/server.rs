//! A server process of one's own, on a free port, on a directory of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{creator::Creator, http::Http};

pub const EMAIL: &str = "ada@example.org";
pub const PASSWORD: &str = "correct horse battery";

/// How long a server may take to start.
const START: Duration = Duration::from_mins(1);

/// What is started as a server.
#[derive(Clone, Debug)]
pub struct Launch {
    binary: PathBuf,
    /// Stands before the program: somebody who watches it, or a way into a namespace.
    before: Vec<String>,
    /// Besides the address.
    arguments: Vec<String>,
    /// What it finds in its environment.
    environment: Vec<(String, String)>,
}

impl Launch {
    /// `binary`, without runs if `fake_runs`.
    pub fn new(binary: &Path, fake_runs: bool) -> Self {
        let arguments = fake_runs.then(|| "--fake-runs".to_owned()).into_iter().collect();
        Self { binary: binary.to_owned(), before: vec![], arguments, environment: vec![] }
    }

    /// The same, started by `before`; it must become the program, so that its process is that.
    pub fn behind(self, before: Vec<String>) -> Self {
        Self { before, ..self }
    }

    /// The same, with one more argument of `serve`.
    pub fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// The same, with something in its environment.
    pub fn knowing(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, data: &Path) -> Command {
        let binary = self.binary.as_os_str();
        let mut words = self.before.iter().map(AsRef::as_ref).chain([binary]);
        let mut command = Command::new(words.next().unwrap_or(binary));
        command.args(words).arg("--data").arg(data).kill_on_drop(true);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// See the module. Dropping it kills it.
pub struct Server {
    pub url: String,
    launch: Launch,
    listen: String,
    data: PathBuf,
    child: Child,
    /// Another version of the program.
    other: Option<PathBuf>,
    /// Goes with the server.
    scratch: Option<TempDir>,
}

impl Server {
    /// Starts one with a new administrator and without anything else; without runs, too, if
    /// `fake_runs`.
    pub async fn start(binary: &Path, fake_runs: bool) -> anyhow::Result<Self> {
        let scratch = tempfile::tempdir()?;
        let data = scratch.path().join("data");
        create_admin(binary, &data).await?;
        let mut server = Self::start_on(binary, &data, fake_runs).await?;
        server.scratch = Some(scratch);
        Ok(server)
    }

    /// Starts one on a directory that is there, and waits until it answers.
    pub async fn start_on(binary: &Path, data: &Path, fake_runs: bool) -> anyhow::Result<Self> {
        Self::launch(Launch::new(binary, fake_runs), data).await
    }

    /// Starts anything else on a directory that is there, and waits until it answers.
    pub async fn launch(launch: Launch, data: &Path) -> anyhow::Result<Self> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let child = spawn(&launch, data, &listen)?;
        let (url, data) = (format!("http://{listen}"), data.to_owned());
        let mut server = Self { url, launch, listen, data, child, other: None, scratch: None };
        server.ready().await?;
        Ok(server)
    }

    /// Waits until it answers.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        let mut browser = self.browser();
        while Instant::now() < until {
            if browser.get("/healthz").await.is_ok_and(|reply| reply.status.is_success()) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}: {}", self.log());
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("the server does not answer: {}", self.log())
    }

    /// Kills it, as a power cut would.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Tells it to stop, as an administrator does, and waits until it has.
    pub async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        let pid = self.child.id().context("it goes on")?.to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await?;
        anyhow::ensure!(told.success(), "it could not be told");
        Ok(tokio::time::timeout(START, self.child.wait()).await.context("it does not stop")??)
    }

    /// Whenever it is started again it is the other one of its program and `other`.
    pub fn take_turns_with(&mut self, other: &Path) {
        self.other = Some(other.to_owned());
    }

    /// Starts it again at the same address, on the same data.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        if let Some(other) = &mut self.other {
            std::mem::swap(other, &mut self.launch.binary);
        }
        self.child = spawn(&self.launch, &self.data, &self.listen)?;
        Ok(())
    }

    /// Runs another server on the same data; how that ended, and what it said.
    pub async fn second(&self) -> anyhow::Result<(ExitStatus, String)> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--fake-runs"];
        let output = self.launch.command(&self.data).args(arguments).output();
        let output = tokio::time::timeout(START, output).await.context("it goes on")??;
        Ok((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    pub fn browser(&self) -> Http {
        Http::new(&self.url)
    }

    /// Its administrator, signed in.
    pub async fn creator(&self) -> anyhow::Result<Creator> {
        Creator::sign_in(&self.browser(), EMAIL, PASSWORD).await
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.data)).unwrap_or_default()
    }
}

/// Makes an administrator, with [`EMAIL`] and [`PASSWORD`].
pub async fn create_admin(binary: &Path, data: &Path) -> anyhow::Result<()> {
    create_admin_by(&Launch::new(binary, false), data).await
}

/// The same, as `launch` starts programs.
pub async fn create_admin_by(launch: &Launch, data: &Path) -> anyhow::Result<()> {
    let mut child = launch
        .command(data)
        .args(["admin", "create", "--email", EMAIL, "--name", "Ada"])
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", launch.binary.display()))?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    stdin.write_all(PASSWORD.as_bytes()).await?;
    drop(stdin);
    let status = child.wait().await?;
    anyhow::ensure!(status.success(), "creating an administrator ended with {status}");
    Ok(())
}

fn spawn(launch: &Launch, data: &Path, listen: &str) -> anyhow::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(log_path(data))?;
    launch
        .command(data)
        .args(["serve", "--listen", listen])
        .args(&launch.arguments)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", launch.binary.display()))
}

fn log_path(data: &Path) -> PathBuf {
    data.with_extension("log")
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What `/proc/<pid>` says of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Memory in use, in MiB, now and at most.
    pub rss_mib: f64,
    pub rss_max_mib: f64,
    /// Processor time so far, in seconds.
    pub cpu_s: f64,
}

/// How much of the machine process `pid` takes (`proc_pid_status(5)`, `proc_pid_stat(5)`).
pub fn usage(pid: u32) -> anyhow::Result<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.map_or(0.0, |kib| kib / 1024.0)
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, behind_name) = stat.rsplit_once(')').context("no name")?;
    let fields: Vec<f64> =
        behind_name.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state is no number; of what is left, user and system time are the 11th and 12th.
    let ticks = fields.get(10).copied().unwrap_or(0.0) + fields.get(11).copied().unwrap_or(0.0);
    Ok(Usage { rss_mib: mib("VmRSS"), rss_max_mib: mib("VmHWM"), cpu_s: ticks / 100.0 })
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Census {
    pub usage: Usage,
    pub threads: f64,
    pub descriptors: f64,
    /// Of the descriptors.
    pub sockets: f64,
}

/// Counts what process `pid` holds (`proc_pid_task(5)`, `proc_pid_fd(5)`).
pub fn census(pid: u32) -> anyhow::Result<Census> {
    let threads = u32::try_from(std::fs::read_dir(format!("/proc/{pid}/task"))?.count())?;
    let (mut descriptors, mut sockets) = (0_u32, 0_u32);
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        descriptors += 1;
        let target = std::fs::read_link(entry?.path()).unwrap_or_default();
        sockets += u32::from(target.to_string_lossy().starts_with("socket:"));
    }
    let (threads, descriptors) = (f64::from(threads), f64::from(descriptors));
    Ok(Census { usage: usage(pid)?, threads, descriptors, sockets: f64::from(sockets) })
}
