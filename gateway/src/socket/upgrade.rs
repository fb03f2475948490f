//! From a request to a socket (RFC 6455, section 4.2): what remains is the TCP stream itself, so that
//! everybody who has a frame can write it.

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::{rt::TokioIo, server::conn::auto::upgrade::downcast};
use tokio::net::TcpStream;
use tungstenite::handshake::server::create_response_with_body;

use super::{outbox::Outbox, serve};
use crate::{app::Shared, caller::Caller, error::Refusal};

/// Opens a socket. Who it is, is known by its cookies; nobody may watch walls only.
pub(crate) async fn open(State(app): State<Shared>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let Ok(caller) = Caller::from_request_parts(&mut parts, &app).await;
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let asked = axum::http::Request::from_parts(parts, ());
    match (create_response_with_body(&asked, Body::empty), upgrade) {
        (Ok(response), Some(upgrade)) => {
            let tasks = app.tasks.clone();
            tasks.spawn(async move {
                if let Some((stream, first)) = upgrade.await.ok().and_then(taken_apart) {
                    serve(app, caller, Outbox::new(stream), first).await;
                }
            });
            response
        }
        (Err(_), _) | (_, None) => {
            let text = "this address is for WebSockets";
            Refusal::new(StatusCode::UPGRADE_REQUIRED, "no_socket", text).into_response()
        }
    }
}

/// The stream, and what was read of it already.
fn taken_apart(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
    // A copy, of mostly nothing: the bytes share hyper's buffer of 16 KiB, which would live as long.
    Some((parts.io.into_inner(), Bytes::copy_from_slice(&parts.read_buf)))
}
