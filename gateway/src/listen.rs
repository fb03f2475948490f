//! Connections, until the server is told to stop. The framework's own loop waits for the head of a
//! request for ever; here whoever does not come to the point is let go.

use std::{io, time::Duration};

use axum::Router;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

/// How long the first byte of a connection may take, and the head of a request from its first byte on.
const HEAD: Duration = Duration::from_secs(15);
/// How long it waits when the system has no room for another connection.
const FULL: Duration = Duration::from_millis(100);

/// Serves `router` on what comes to `listener` until `stop`; then ends what has begun.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    let (mut connections, graceful) = (JoinSet::new(), GracefulShutdown::new());
    let (say_stop, stopping) = watch::channel(false);
    let service = TowerToHyperService::new(router.into_service::<Incoming>());
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            stream = next(&listener) => {
                let (builder, service, watcher) = (builder.clone(), service.clone(), graceful.watcher());
                let stopping = stopping.clone();
                connections.spawn(async move {
                    if !begins(&stream, stopping).await {
                        return;
                    }
                    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                    if let Err(error) = watcher.watch(served.into_owned()).await {
                        tracing::debug!(%error, "a connection was cut");
                    }
                });
            }
        }
    }
    drop(listener);
    say_stop.send_replace(true);
    graceful.shutdown().await;
}

/// Whether anything comes; the library's own time for the head begins with its first byte.
async fn begins(stream: &TcpStream, mut stopping: watch::Receiver<bool>) -> bool {
    let mut first = [0];
    tokio::select! {
        read = timeout(HEAD, stream.peek(&mut first)) => matches!(read, Ok(Ok(1))),
        _ = stopping.wait_for(|stopping| *stopping) => false,
    }
}

async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Frames are small and each counts: none waits for the acknowledgement of the one
                // before.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection is slower than it could be");
                }
                return stream;
            }
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken");
                tokio::time::sleep(FULL).await;
            }
        }
    }
}

/// Whether only the connection that would have come is concerned (accept(2)).
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
