//! Redis's half: a server of our own, on a port and in a directory of its own, and one connection.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use domain::ids::SessionId;
use tokio::time::Instant;

use super::{BATCH, Move};

/// How long it may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Redis {
    keys: Vec<String>,
    requests: TcpStream,
    replies: BufReader<TcpStream>,
    child: Child,
    _dir: tempfile::TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

impl Redis {
    pub(crate) fn start(program: &Path, keys: &[SessionId]) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]).arg(dir.path());
        command.args(["--save", "", "--appendonly", "no"]).stdout(Stdio::null());
        let child = command.spawn().context("starting redis-server (Debian: redis-server)")?;
        let until = Instant::now() + STARTS_WITHIN;
        let requests = loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => break stream,
                Err(error) if until < Instant::now() => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        requests.set_nodelay(true)?;
        let replies = BufReader::with_capacity(64 * 1024, requests.try_clone()?);
        let keys = keys.iter().map(ToString::to_string).collect();
        Ok(Self { keys, requests, replies, child, _dir: dir })
    }

    /// `ZADD` for each; the score holds points and minutes, exactly. How long that took, without
    /// writing the commands.
    pub(crate) fn play(&mut self, moves: &[Move]) -> anyhow::Result<Duration> {
        self.in_pipelines(moves, |keys, text, one| {
            let score = i64::from(one.hundredths) * 1_000 - i64::from(one.minutes);
            command(text, &["ZADD", "board", &score.to_string(), &keys[one.contestant]]);
        })
    }

    /// `ZREVRANK` for each; how long that took.
    pub(crate) fn ask(&mut self, contestants: &[usize]) -> anyhow::Result<Duration> {
        self.in_pipelines(contestants, |keys, text, one| {
            command(text, &["ZREVRANK", "board", &keys[*one]]);
        })
    }

    /// Sends one pipeline after the other, each when the one before is answered.
    fn in_pipelines<T>(
        &mut self,
        all: &[T],
        write: impl Fn(&[String], &mut String, &T),
    ) -> anyhow::Result<Duration> {
        let (mut took, mut line, mut text) = (Duration::ZERO, vec![], String::new());
        for batch in all.chunks(BATCH) {
            text.clear();
            for one in batch {
                write(&self.keys, &mut text, one);
            }
            let start = Instant::now();
            self.requests.write_all(text.as_bytes())?;
            for _ in batch {
                line.clear();
                self.replies.read_until(b'\n', &mut line)?;
                ensure!(line.first() == Some(&b':'), "Redis: {}", String::from_utf8_lossy(&line));
            }
            took += start.elapsed();
        }
        Ok(took)
    }

    /// How many are better, and one.
    pub(crate) fn rank(&mut self, contestant: usize) -> anyhow::Result<usize> {
        let mut text = String::new();
        command(&mut text, &["ZSCORE", "board", &self.keys[contestant]]);
        self.requests.write_all(text.as_bytes())?;
        self.line()?;
        let score = self.line()?;
        text.clear();
        command(&mut text, &["ZCOUNT", "board", &format!("({score}"), "+inf"]);
        self.requests.write_all(text.as_bytes())?;
        let count: usize = self.line()?.trim_start_matches(':').parse()?;
        Ok(count + 1)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.replies.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

/// A command as the protocol has it (RESP 2).
fn command(text: &mut String, words: &[&str]) {
    write!(text, "*{}\r\n", words.len()).expect("a String takes everything");
    for word in words {
        write!(text, "${}\r\n{word}\r\n", word.len()).expect("a String takes everything");
    }
}
