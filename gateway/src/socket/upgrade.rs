//! From a request to a socket (RFC 6455, section 4.2): what remains is the TCP stream itself, so that
//! everybody who has a frame can write it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::{
    frame::{VERSION, close},
    people::Role,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use tokio::{net::TcpStream, time::Instant};
use tungstenite::handshake::server::create_response_with_body;

use super::{outbox::Outbox, serve, turn_away};
use crate::{
    app::Shared,
    caller::Caller,
    error::Refusal,
    live::{Door, Key, TooMany},
};

/// Opens a socket. Who it is, is known by its cookies; while the store is away nobody is known, and
/// everybody comes back.
pub(crate) async fn open(State(app): State<Shared>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let since = Instant::now();
    let caller = match Caller::look_up(&app, &parts.headers).await {
        Ok(caller) => caller,
        Err(unavailable) => return Refusal::from(unavailable).into_response(),
    };
    let speaks_ours = speaks_ours(&parts.uri);
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let asked = axum::http::Request::from_parts(parts, ());
    match (create_response_with_body(&asked, Body::empty), upgrade) {
        (Ok(response), Some(upgrade)) => {
            let tasks = app.tasks.clone();
            tasks.spawn(begin(app, Arc::new(caller), (since, speaks_ours), upgrade));
            response
        }
        (Err(_), _) | (_, None) => {
            let text = "this address is for WebSockets";
            Refusal::new(StatusCode::UPGRADE_REQUIRED, "no_socket", text).into_response()
        }
    }
}

/// What the task of a socket is: it holds little but what [`serve`] holds.
async fn begin(
    app: Shared,
    caller: Arc<Caller>,
    (since, speaks_ours): (Instant, bool),
    upgrade: OnUpgrade,
) {
    let Some((stream, first)) = upgrade.await.ok().and_then(taken_apart) else { return };
    let outbox = Outbox::new(stream);
    if !speaks_ours {
        return Box::pin(turn_away(app, outbox, close::OTHER_VERSION)).await;
    }
    match door(&app, &caller, since, outbox.stream()) {
        Ok(door) => serve(app, caller, door, outbox, first).await,
        Err(TooMany) => Box::pin(turn_away(app, outbox, close::TOO_MANY)).await,
    }
}

/// Their places among all sockets: as each of those that they are, and from where they come.
fn door(
    app: &Shared,
    caller: &Caller,
    since: Instant,
    stream: &TcpStream,
) -> Result<Door, TooMany> {
    let address = stream.peer_addr().ok().map(|address| Key::Address(address.ip()));
    let keys = caller.all().into_iter().map(Key::from).chain(caller.tokens().map(Key::Token));
    let role = caller.person.as_ref().map(|person| person.role);
    let is_administrator = role == Some(Role::Administrator);
    app.live.doors.open(keys.chain(address).collect(), is_administrator, since)
}

/// Whether the client speaks this version, `?v=1`; who does not say speaks the first one.
fn speaks_ours(uri: &Uri) -> bool {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    let version = pairs.find_map(|pair| pair.strip_prefix("v="));
    version.is_none_or(|version| version == VERSION.to_string())
}

/// The stream, and what was read of it already.
fn taken_apart(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
    // A copy, of mostly nothing: the bytes share hyper's buffer of 16 KiB, which would live as long.
    Some((parts.io.into_inner(), Bytes::copy_from_slice(&parts.read_buf)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes what `_start` makes takes.
    fn size<A, B, C, D, E>(_start: impl FnOnce(A, B, C, D) -> E) -> usize {
        size_of::<E>()
    }

    #[test]
    fn a_socket_that_only_looks_takes_little() {
        let size = size(begin);
        assert!(size <= 2_304, "{size} bytes");
    }

    #[test]
    fn another_version_is_another_protocol_and_none_is_the_first() {
        for (uri, is_ours) in [
            ("/ws?v=1", true),
            ("/ws?x=2&v=1", true),
            ("/ws", true),
            ("/ws?v=2", false),
            ("/ws?v=", false),
            ("/ws?v=01", false),
        ] {
            assert_eq!(speaks_ours(&uri.parse().unwrap()), is_ours, "{uri}");
        }
    }
}
