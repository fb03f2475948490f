//! A PostgreSQL server of one's own for tests and measurements: in a directory that goes with it,
//! on a free port, with everything synced as in earnest. Beside it NATS and Redis, likewise.

pub mod server;

use std::{
    fs::DirBuilder,
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use sqlx::Connection;
use tokio::time::{Instant, sleep};

use crate::postgres::Address;

/// Where Debian puts the versions of the server.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The server refuses to run as root; this is whom Debian made for it.
const USER: &str = "postgres";

/// The password of [`USER`] over TCP. There is nothing behind it.
pub const PASSWORD: &str = "scratch";

/// How long the server may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module. Dropping it stops the server and deletes everything.
#[derive(Debug)]
pub struct Scratch {
    programs: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Scratch {
    /// Starts a new server; `None` where PostgreSQL is not installed.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut scratch = Self { programs, dir: make_dir()?, port, child: None };
        scratch.init()?;
        scratch.start_again().await?;
        Ok(Some(scratch))
    }

    /// Where the server's programs are, such as `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The directory of its socket, as `PGHOST` takes it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its main database by TCP, with the password.
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{USER}", self.port)
    }

    /// How many ticks of the processors the server had so far, with all its processes.
    pub fn ticks(&self) -> anyhow::Result<u64> {
        let parent = self.child.as_ref().map_or(0, Child::id);
        let mut ticks = 0;
        for entry in std::fs::read_dir("/proc")? {
            // What is no process, or none any more, has no such file.
            let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
            let (id, after) = (stat.split(' ').next(), stat.rsplit(") ").next());
            let fields: Vec<&str> = after.unwrap_or_default().split(' ').collect();
            let number = |nth: usize| fields.get(nth).and_then(|field| field.parse::<u64>().ok());
            let own = || [11, 12].into_iter().filter_map(number).sum::<u64>();
            if id == Some(&parent.to_string()) {
                // With those of its children that ended.
                ticks += own() + [13, 14].into_iter().filter_map(number).sum::<u64>();
            } else if number(1) == Some(parent.into()) {
                ticks += own();
            }
        }
        Ok(ticks)
    }

    /// A new and empty schema by its socket: as good as a database, and made at once.
    pub async fn schema(&self, name: &str) -> anyhow::Result<Address> {
        self.execute(&format!("CREATE SCHEMA {name}")).await?;
        Ok(self.url_of(name).parse()?)
    }

    /// What [`Self::schema`] made, to be connected to otherwise.
    pub fn url_of(&self, schema: &str) -> String {
        format!("{}&options=-csearch_path%3D{schema}", self.socket_url())
    }

    /// Has the server carry out `sql`.
    pub async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let mut on = sqlx::PgConnection::connect(&self.socket_url()).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut on).await?;
        Ok(on.close().await?)
    }

    /// Starts the server that [`Self::stop`] has stopped, on the same data.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::create(self.dir.join("log"))?;
        let mut server = self.command("postgres");
        server.arg("-D").arg(self.dir.join("data")).arg("-k").arg(&self.dir);
        server.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        server.args(["-c", "fsync=on", "-c", "max_connections=600"]);
        self.child = Some(server.stdout(Stdio::null()).stderr(log).spawn()?);
        let until = Instant::now() + PATIENCE;
        while sqlx::PgConnection::connect(&self.socket_url()).await.is_err() {
            if let Some(child) = &mut self.child {
                let ended = child.try_wait()?;
                ensure!(ended.is_none(), "PostgreSQL ended: {}", self.log());
            }
            ensure!(Instant::now() < until, "PostgreSQL does not answer: {}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Stops the server at once, as a crash of it would: nothing is tidied up.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let told = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status()?;
        ensure!(told.success(), "PostgreSQL could not be told to stop");
        child.wait()?;
        Ok(())
    }

    fn socket_url(&self) -> String {
        format!("postgres://{USER}@localhost/{USER}?host={}&port={}", self.dir.display(), self.port)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn init(&self) -> anyhow::Result<()> {
        let password = self.dir.join("password");
        std::fs::write(&password, PASSWORD)?;
        let output = self
            .command("initdb")
            .arg("-D")
            .arg(self.dir.join("data"))
            .args(["-U", USER, "-A", "scram-sha-256", "--auth-local=trust", "-E", "UTF8"])
            .args(["--locale=C", "--no-sync", "--pwfile"])
            .arg(password)
            .output()?;
        if !output.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// A program of the server, as somebody who is not root, that ends with us however we end.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "QUIT"]);
        if is_root() {
            command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
        }
        command.arg(self.program(name)).current_dir(&self.dir);
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let gone = self.stop().and_then(|()| Ok(std::fs::remove_dir_all(&self.dir)?));
        if let Err(error) = gone {
            tracing::warn!(%error, "a PostgreSQL for once was not tidied up");
        }
    }
}

/// The programs of the newest version that is here.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let complete = versions.filter(|dir| dir.join("initdb").exists());
    complete.max_by_key(|dir| {
        let version = dir.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    })
}

/// A directory that the server's user can write; its name is short, as names of sockets must be.
fn make_dir() -> anyhow::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("polycode-pg-{}-{nth}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    DirBuilder::new().mode(0o755).create(&dir).context("making a directory for PostgreSQL")?;
    if is_root() {
        chown(&dir, Some(id_of("-u")?), Some(id_of("-g")?))?;
    }
    Ok(dir)
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(
        &std::fs::metadata("/proc/self").expect("a process has an owner"),
    ) == 0
}

/// The number of the user (`-u`) or its group (`-g`).
fn id_of(which: &str) -> anyhow::Result<u32> {
    let output = Command::new("id").args([which, USER]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
