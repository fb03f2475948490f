//! A bad network between clients and servers, and the same one again from the same seed: it takes
//! its time, stalls, falls silent, cuts, and leaves links that one end believes in.
//!
//! What it does by itself is drawn from the seed, connection by connection; when a byte passes is up
//! to the machine.

mod link;
mod pipe;
mod weather;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, ensure};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::Instant,
};

use self::link::Link;
pub use self::weather::{Fault, Faults, Weather};

/// See the module. Dropping it cuts everything.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    blows: watch::Sender<Option<Fault>>,
    _listening: JoinSet<()>,
}

struct Shared {
    /// Where connections go, in turns.
    upstreams: Vec<String>,
    weather: Weather,
    seed: u64,
    /// Connections are refused until then.
    down_until: Mutex<Instant>,
}

impl Proxy {
    /// Listens on a port of its own, and passes on to `upstreams` (`host:port`), in turns.
    pub async fn start(
        upstreams: Vec<String>,
        weather: Weather,
        seed: u64,
    ) -> anyhow::Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into(), upstreams, weather, seed).await
    }

    /// The same, at an address.
    pub async fn start_at(
        at: SocketAddr,
        upstreams: Vec<String>,
        weather: Weather,
        seed: u64,
    ) -> anyhow::Result<Self> {
        ensure!(!upstreams.is_empty(), "there is nowhere to go");
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let down_until = Mutex::new(Instant::now());
        let shared = Arc::new(Shared { upstreams, weather, seed, down_until });
        let blows = watch::Sender::new(None);
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, Arc::clone(&shared), blows.clone()));
        Ok(Self { address, shared, blows, _listening: listening })
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// This happens to all connections that there are; later ones know nothing of it. Answers how
    /// many that were.
    pub fn strike(&self, fault: Fault) -> usize {
        self.blows.send_replace(Some(fault));
        self.blows.receiver_count()
    }

    /// Connections are refused until then. Those that there are stay.
    pub fn be_down_until(&self, until: Instant) {
        *self.shared.down_until() = until;
    }
}

impl Shared {
    fn down_until(&self) -> MutexGuard<'_, Instant> {
        self.down_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of a server, as a proxy takes it.
pub fn upstream(url: &str) -> anyhow::Result<String> {
    let host = url.trim_end_matches('/').strip_prefix("http://");
    Ok(host.with_context(|| format!("{url} is no address without TLS"))?.to_owned())
}

async fn listen(listener: TcpListener, shared: Arc<Shared>, blows: watch::Sender<Option<Fault>>) {
    let mut links = JoinSet::new();
    for number in 0_u64.. {
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = links.join_next() => {}
            }
        };
        let Ok((client, _)) = accepted else { continue };
        if Instant::now() < *shared.down_until() {
            client.set_zero_linger().ok();
            continue;
        }
        let (shared, blows) = (Arc::clone(&shared), blows.subscribe());
        links.spawn(async move {
            if let Ok(server) = connect(&shared.upstreams, number).await {
                let link = Link::new(client, server, shared.weather, (shared.seed, number));
                link.carry(blows).await;
            } else {
                client.set_zero_linger().ok();
            }
        });
    }
}

async fn connect(upstreams: &[String], number: u64) -> anyhow::Result<TcpStream> {
    let turn = usize::try_from(number)? % upstreams.len();
    // Who is not there is passed over.
    for address in upstreams.iter().cycle().skip(turn).take(upstreams.len()) {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    anyhow::bail!("nobody is there")
}

#[cfg(test)]
mod tests;
