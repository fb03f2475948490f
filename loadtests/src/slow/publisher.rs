//! Publishes rows through the gateway's port for that, each with the moment of its sending.

use anyhow::ensure;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{Duration, Instant, MissedTickBehavior, interval},
};

use crate::fan_server::FanServer;

/// See the module.
pub(super) struct Publisher {
    stream: BufReader<TcpStream>,
    filling: String,
    /// Moments are counted from here.
    zero: Instant,
    /// How many were published.
    count: u64,
}

impl Publisher {
    /// Rows of so many bytes, about.
    pub(super) async fn open(server: &FanServer, bytes: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", server.port + 1)).await?;
        stream.set_nodelay(true)?;
        let (filling, zero) = ("x".repeat(bytes), Instant::now());
        let mut publisher = Self { stream: BufReader::new(stream), filling, zero, count: 0 };
        publisher.line("INFO").await?;
        Ok(publisher)
    }

    pub(super) fn zero(&self) -> Instant {
        self.zero
    }

    /// Number of the last one.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Publishes so many a second on a topic. Answers the number of the last one.
    pub(super) async fn publish(
        &mut self,
        topic: usize,
        a_second: u32,
        length: Duration,
    ) -> anyhow::Result<u64> {
        let mut ticks = interval(Duration::from_secs(1) / a_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        while began.elapsed() < length {
            ticks.tick().await;
            self.send(topic).await?;
        }
        self.stored().await?;
        Ok(self.count)
    }

    pub(super) async fn send(&mut self, topic: usize) -> anyhow::Result<()> {
        self.count += 1;
        let (n, sent_us) = (self.count, self.zero.elapsed().as_micros());
        let row = format!(r#"{{"sent_us":{sent_us},"n":{n},"filling":"{}"}}"#, self.filling);
        let frame = format!("PUB t{topic} {}\r\n{row}\r\n", row.len());
        Ok(self.stream.write_all(frame.as_bytes()).await?)
    }

    /// Waits until all are stored, and given to all sockets.
    pub(super) async fn stored(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(b"PING\r\n").await?;
        self.line("PONG").await
    }

    async fn line(&mut self, expected: &str) -> anyhow::Result<()> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        ensure!(line.starts_with(expected), "the server said {line:?}");
        Ok(())
    }
}
