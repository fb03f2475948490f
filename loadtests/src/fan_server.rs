//! The gateway by itself (`gateway/examples/fan_server.rs`), for one turn.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, ensure};

/// See the module. Dropping it kills it.
pub(crate) struct FanServer {
    child: Child,
    directory: PathBuf,
    /// Sockets are served here, and behind it is who publishes.
    pub(crate) port: u16,
}

impl FanServer {
    /// Serves so many topics.
    pub(crate) fn start(program: &Path, topics: u32, scratch: &Path) -> anyhow::Result<Self> {
        Self::start_as(Command::new(program), topics, scratch)
    }

    /// The same, which keeps no memory that is free: what is resident is in use.
    pub(crate) fn start_frugal(
        program: &Path,
        topics: u32,
        scratch: &Path,
    ) -> anyhow::Result<Self> {
        let mut program = Command::new(program);
        program.env("MALLOC_CONF", "dirty_decay_ms:0");
        Self::start_as(program, topics, scratch)
    }

    fn start_as(mut program: Command, topics: u32, scratch: &Path) -> anyhow::Result<Self> {
        let directory = scratch.join("server");
        std::fs::create_dir_all(&directory)?;
        let cookie = directory.join("cookie");
        std::fs::remove_file(&cookie).ok();
        let port = two_free_ports()?;
        let mut child = program
            .args([&port.to_string(), &topics.to_string()])
            .arg(&directory)
            .spawn()
            .context("starting our server")?;
        while !cookie.exists() {
            ensure!(child.try_wait()?.is_none(), "our server did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { child, directory, port })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Of somebody who may see all topics.
    pub(crate) fn cookie(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.directory.join("cookie"))?)
    }

    /// A file with the names of all topics, one a line.
    pub(crate) fn topics(&self) -> PathBuf {
        self.directory.join("topics")
    }
}

impl Drop for FanServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port, with the one behind it.
fn two_free_ports() -> anyhow::Result<u16> {
    use std::net::TcpListener;
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0")?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no two ports are free side by side")
}
