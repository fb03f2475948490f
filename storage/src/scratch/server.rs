//! A NATS or a Redis for once: one process that listens on a free port, in a directory that goes with
//! it.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use tokio::time::{Instant, sleep};

/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// With JetStream.
    Nats,
    /// Without a disk.
    Redis,
}

/// See the module. Dropping it ends the process, also when a test panics, and deletes everything; if
/// we are killed ourselves, it ends with us.
#[derive(Debug)]
pub struct Server {
    program: Program,
    dir: tempfile::TempDir,
    port: u16,
    more: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// Starts a new one with `more` arguments, in which `{dir}` is its directory; `None` where it is
    /// not installed.
    pub async fn start(program: Program, more: &[&str]) -> anyhow::Result<Option<Self>> {
        if !Path::new(program.path()).exists() {
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("polycode-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let here = dir.path().display().to_string();
        let more = more.iter().map(|argument| argument.replace("{dir}", &here)).collect();
        let mut server = Self { program, dir, port, more, child: None };
        server.start_again().await?;
        Ok(Some(server))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        match self.program {
            Program::Nats => format!("nats://127.0.0.1:{}", self.port),
            Program::Redis => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it says in its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Starts it again after [`Self::kill`], on the same port.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", self.program.path()]);
        command.args(self.program.arguments(self.port, self.dir.path())).args(&self.more);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.current_dir(self.dir.path()).spawn()?);
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).is_err() {
            if let Some(child) = &mut self.child {
                ensure!(child.try_wait()?.is_none(), "{:?} ended: {}", self.program, self.log());
            }
            ensure!(Instant::now() < until, "{:?} does not listen: {}", self.program, self.log());
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Deletes what it keeps; to be called while it does not run.
    pub fn wipe(&self) -> anyhow::Result<()> {
        let store = self.dir.path().join("store");
        if store.exists() {
            std::fs::remove_dir_all(store)?;
        }
        Ok(())
    }

    /// Has it stand still, as a machine that hangs, until [`Self::go_on`].
    pub fn stand_still(&self) -> anyhow::Result<()> {
        self.signal("-STOP")?;
        // The last of its threads may still be about to.
        while !self.stands_still()? {
            std::thread::yield_now();
        }
        Ok(())
    }

    fn stands_still(&self) -> anyhow::Result<bool> {
        let tasks = format!("/proc/{}/task", self.pid().unwrap_or_default());
        for task in std::fs::read_dir(tasks)? {
            let stat = std::fs::read_to_string(task?.path().join("stat"))?;
            // The state is behind the name, which is in parentheses.
            if !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn go_on(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    /// Has a NATS read its configuration again.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.signal("-HUP")
    }

    /// The number of its process, for measurements.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid().unwrap_or_default().to_string();
        let told = Command::new("kill").args([signal, &pid]).status()?;
        ensure!(told.success(), "{:?} could not be told {signal}", self.program);
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

impl Program {
    fn path(self) -> &'static str {
        match self {
            Self::Nats => "/usr/sbin/nats-server",
            Self::Redis => "/usr/bin/redis-server",
        }
    }

    fn arguments(self, port: u16, dir: &Path) -> Vec<String> {
        let port = port.to_string();
        let store = dir.join("store").display().to_string();
        let words: &[&str] = match self {
            Self::Nats => &["-a", "127.0.0.1", "-p", &port, "-js", "-sd", &store],
            Self::Redis => &["--bind", "127.0.0.1", "--port", &port, "--save", ""],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its directory goes by itself.
        if let Err(error) = self.kill() {
            tracing::warn!(%error, "a server for once was not ended");
        }
    }
}
