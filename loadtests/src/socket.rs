//! A live socket, as a page opens it.

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use domain::{
    frame::Why,
    ids::{CommandId, SubmissionId},
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        client::IntoClientRequest,
        http::{HeaderValue, header},
        protocol::WebSocketConfig,
    },
};

use crate::http::Http;

/// See the module. Dropping it cuts the connection without a goodbye.
pub struct Socket(WebSocketStream<TcpStream>);

/// What came from the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Heard {
    Rows(Rows),
    Done {
        command_id: CommandId,
        seq: u64,
        #[serde(default)]
        answer: Value,
    },
    Refused {
        command_id: CommandId,
        why: Why,
    },
    Unwatched {
        topic: String,
        why: Why,
    },
    Untyped {
        submission: SubmissionId,
        why: Why,
    },
    Pong {
        sent_ms: f64,
        server_ms: f64,
        /// Epoch and seq of the last frame of each watched topic.
        #[serde(default)]
        heads: BTreeMap<String, (u64, u64)>,
    },
    Bye {
        code: u16,
        retry_after_ms: Option<u64>,
    },
    /// The connection is over; with the code that the server gave.
    #[serde(skip)]
    Closed(Option<u16>),
}

/// A frame of rows.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Rows {
    pub topic: String,
    pub epoch: u64,
    pub seq: u64,
    pub prev: Option<u64>,
    #[serde(default)]
    pub reset: bool,
    #[serde(default)]
    pub more: bool,
    pub rows: Vec<KeyedRow>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct KeyedRow {
    pub key: String,
    pub value: Value,
}

impl Socket {
    /// Opens a socket with the cookies of `browser`.
    pub async fn open(browser: &Http) -> anyhow::Result<Self> {
        Self::open_as(browser, "/ws?v=1", None).await
    }

    /// Opens a socket at another path.
    pub async fn open_at(browser: &Http, path: &str) -> anyhow::Result<Self> {
        Self::open_as(browser, path, None).await
    }

    /// Opens a socket as a page of the site `origin` would.
    pub async fn open_from(browser: &Http, origin: Option<&str>) -> anyhow::Result<Self> {
        Self::open_as(browser, "/ws?v=1", origin).await
    }

    async fn open_as(browser: &Http, path: &str, origin: Option<&str>) -> anyhow::Result<Self> {
        let host = browser.base().trim_start_matches("http://");
        let stream = TcpStream::connect(host).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Self::open_on(stream, browser, path, origin).await
    }

    /// Opens a socket of which the system keeps as little as it can for who does not read.
    pub async fn open_narrow(browser: &Http) -> anyhow::Result<Self> {
        let host = browser.base().trim_start_matches("http://");
        let narrow = TcpSocket::new_v4()?;
        narrow.set_recv_buffer_size(1)?;
        let stream = narrow.connect(host.parse()?).await.context("connecting")?;
        Self::open_on(stream, browser, "/ws?v=1", None).await
    }

    async fn open_on(
        stream: TcpStream,
        browser: &Http,
        path: &str,
        origin: Option<&str>,
    ) -> anyhow::Result<Self> {
        let host = browser.base().trim_start_matches("http://");
        let mut request = format!("ws://{host}{path}").into_client_request()?;
        let cookies = HeaderValue::from_str(&browser.cookies())?;
        request.headers_mut().insert(header::COOKIE, cookies);
        if let Some(origin) = origin {
            request.headers_mut().insert(header::ORIGIN, HeaderValue::from_str(origin)?);
        }
        // The library's defaults cost 128 KiB a connection.
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(0);
        let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        Ok(Self(opened.await.context("opening a socket")?.0))
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) -> anyhow::Result<()> {
        self.send_text(frame.to_string()).await
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.0.send(Message::Text(text.into())).await?)
    }

    /// Answers a ping that may never have come.
    pub async fn send_pong(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        Ok(self.0.send(Message::Pong(Bytes::copy_from_slice(payload))).await?)
    }

    /// Says goodbye.
    pub async fn close(&mut self) -> anyhow::Result<()> {
        Ok(self.0.close(None).await?)
    }

    /// Watches `topic` from behind `after` (epoch and seq) on.
    pub async fn watch(&mut self, topic: &str, after: (u64, u64)) -> anyhow::Result<()> {
        let (epoch, after_seq) = after;
        let frame =
            json!({ "type": "watch", "topic": topic, "epoch": epoch, "after_seq": after_seq });
        self.send(&frame).await
    }

    /// The next frame. Cancelling it loses nothing. Panics if the server's frame is none of the
    /// protocol.
    pub async fn next(&mut self) -> Heard {
        match self.next_text().await {
            Ok(text) => {
                let heard = serde_json::from_str(&text);
                heard.unwrap_or_else(|error| panic!("{error}: {text}"))
            }
            Err(code) => Heard::Closed(code),
        }
    }

    /// The next frame as it is; fails with the code of the closing, if the server gave one.
    pub async fn next_text(&mut self) -> Result<Utf8Bytes, Option<u16>> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|it| it.code.into())),
                Some(Err(_)) | None => return Err(None),
                Some(Ok(_)) => {}
            }
        }
    }
}
