//! One connection through a bad network.

use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::watch,
    time::{Duration, sleep},
};

use super::{
    pipe::Pipe,
    weather::{Delays, Fate, Fault, Weather, random},
};

/// See the module.
pub(super) struct Link {
    client: TcpStream,
    server: TcpStream,
    up: Pipe,
    down: Pipe,
    fate: Fate,
}

impl Link {
    /// The connection number `id.1` of the network with the seed `id.0`.
    pub(super) fn new(
        client: TcpStream,
        server: TcpStream,
        weather: Weather,
        id: (u64, u64),
    ) -> Self {
        let pipe = |purpose| Pipe::new(Delays::new(weather, random(id, purpose)));
        let (up, down, fate) = (pipe(0), pipe(1), Fate::new(weather.faults, random(id, 2)));
        client.set_nodelay(true).ok();
        server.set_nodelay(true).ok();
        Self { client, server, up, down, fate }
    }

    /// Passes on in both directions, to the end.
    pub(super) async fn carry(mut self, mut blows: watch::Receiver<Option<Fault>>) {
        loop {
            let own = self.fate.next();
            let fault = {
                let mut both = std::pin::pin!(self.pass());
                tokio::select! {
                    () = &mut both => return,
                    fault = blow(&mut blows) => fault,
                    fault = happens(own) => fault,
                }
            };
            match fault {
                Fault::Stall(length) => sleep(length).await,
                Fault::Cut => return self.cut(),
                Fault::HalfOpen => {
                    drop(blows);
                    self.client.set_zero_linger().ok();
                    drop(self.client);
                    return swallow(&mut self.server).await;
                }
                Fault::Silent => {
                    drop(blows);
                    // Whoever gives up first closes its own end; the other is never told.
                    tokio::join!(swallow(&mut self.client), swallow(&mut self.server));
                    return;
                }
            }
        }
    }

    /// Ends when both have said everything, or one is gone.
    async fn pass(&mut self) {
        let (mut client_reads, mut client_writes) = self.client.split();
        let (mut server_reads, mut server_writes) = self.server.split();
        let up = self.up.carry(&mut client_reads, &mut server_writes);
        let down = self.down.carry(&mut server_reads, &mut client_writes);
        tokio::try_join!(up, down).ok();
    }

    fn cut(self) {
        self.client.set_zero_linger().ok();
        self.server.set_zero_linger().ok();
    }
}

/// The next fault that somebody orders; never, once nobody can any more.
async fn blow(blows: &mut watch::Receiver<Option<Fault>>) -> Fault {
    loop {
        if blows.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if let Some(fault) = *blows.borrow_and_update() {
            return fault;
        }
    }
}

async fn happens(own: Option<(Duration, Fault)>) -> Fault {
    let Some((after, fault)) = own else { return std::future::pending().await };
    sleep(after).await;
    fault
}

/// Takes what is said and tells nobody, until that end is closed.
async fn swallow(end: &mut TcpStream) {
    let mut room = [0; 4096];
    while end.read(&mut room).await.is_ok_and(|read| read > 0) {}
}
