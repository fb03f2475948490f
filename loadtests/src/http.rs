//! An HTTP client that is one browser: its cookies are its own.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// See the module. Clones share connections, and go on with copies of the cookies.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    cookies: BTreeMap<String, String>,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// One request, for those that no method here makes.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    pub method: Method,
    /// Below the base, such as `/api/v1/me`.
    pub path: &'a str,
    pub headers: Vec<(header::HeaderName, &'a str)>,
    pub body: Bytes,
}

impl Http {
    /// A browser that has been nowhere yet. `base` is like `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, base: base.to_owned(), cookies: BTreeMap::new() }
    }

    /// Another browser, which shares the connections.
    pub fn without_cookies(&self) -> Self {
        Self { cookies: BTreeMap::new(), ..self.clone() }
    }

    /// A browser that was given its cookies, as they are sent.
    pub fn with_cookies(base: &str, cookies: &str) -> Self {
        let pairs = cookies.split("; ").filter_map(|pair| pair.trim().split_once('='));
        let cookies = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { cookies, ..Self::new(base) }
    }

    /// The same browser, at another address of the same site.
    pub fn to(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// All cookies, as they are sent.
    pub fn cookies(&self) -> String {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    pub async fn get(&mut self, path: &str) -> anyhow::Result<Reply> {
        self.ask(Ask { method: Method::GET, path, headers: vec![], body: Bytes::new() }).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.send(Method::POST, path, body).await
    }

    pub async fn put(&mut self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.send(Method::PUT, path, body).await
    }

    pub async fn delete(&mut self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.send(Method::DELETE, path, body).await
    }

    async fn send(&mut self, method: Method, path: &str, body: &Value) -> anyhow::Result<Reply> {
        let headers = vec![(header::CONTENT_TYPE, "application/json")];
        let body = serde_json::to_vec(body)?.into();
        self.ask(Ask { method, path, headers, body }).await
    }

    /// Sends any request, with this browser's cookies, and keeps those that it is given.
    pub async fn ask(&mut self, ask: Ask<'_>) -> anyhow::Result<Reply> {
        let mut request =
            Request::builder().method(ask.method).uri(format!("{}{}", self.base, ask.path));
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            request = request.header(header::COOKIE, self.cookies());
        }
        let request = request.body(Full::new(ask.body))?;
        let response = self.client.request(request).await.context(ask.path.to_owned())?;
        let (head, body) = response.into_parts();
        for cookie in head.headers.get_all(header::SET_COOKIE) {
            self.keep(cookie.to_str()?);
        }
        let body = body.collect().await.context("reading an answer")?.to_bytes();
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    fn keep(&mut self, cookie: &str) {
        let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
        if let Some((name, value)) = pair {
            self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
}

impl Reply {
    /// The body; `null` if it is no JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The stable word of a refusal; empty in any other answer.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body of a 2xx answer. Fails with the refusal in any other.
    pub fn done(self) -> anyhow::Result<Value> {
        if !self.status.is_success() {
            bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body));
        }
        Ok(self.json())
    }
}
