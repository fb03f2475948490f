//! Where NATS is, who we are to it, and what is wrong when it does not let us in.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr};

use super::link::Link;

/// After how long without a word the server is asked whether it is there; a second time without an
/// answer, and the connection is made anew. A stopped machine says nothing of itself.
const PING_EACH: Duration = Duration::from_secs(2);

/// How long one address may take to let us in.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// How many messages one subscription may lag behind; the next one is lost, silently but for the
/// numbers in frames.
const BEHIND_MAX: usize = 16 * 1024;

/// The longest pause between two attempts to come back.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The name of a cluster: all its subjects begin with it, so that two can share a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster(String);

/// Not the name of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a cluster is 1 to 32 letters, digits and `-`")]
pub struct NoCluster;

impl FromStr for Cluster {
    type Err = NoCluster;

    fn from_str(text: &str) -> Result<Self, NoCluster> {
        let is_fine = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_fine || text.is_empty() || text.len() > 32 {
            return Err(NoCluster);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user of the server and their password. They come from a file or the environment.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl FromStr for Credentials {
    type Err = &'static str;

    /// Reads `user:password`, as it stands in a file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let line = text.trim_end_matches(['\r', '\n']);
        let (user, password) =
            line.split_once(':').ok_or("credentials are one line, `user:password`")?;
        let is_fine = !user.is_empty()
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_fine {
            return Err("a user of NATS has a name of letters, digits, `-` and `_`");
        }
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How the connection is encrypted.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificates that are trusted, as a file (PEM).
    pub ca: PathBuf,
    /// Our own certificate and its key, when the server wants one.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// See [`Nats::connect`](super::Nats::connect).
#[derive(Clone, Debug)]
pub struct Options {
    /// `nats://host:port` or `tls://host:port`, one or several of the same cluster of servers.
    pub urls: Vec<String>,
    pub cluster: Cluster,
    pub credentials: Option<Credentials>,
    pub tls: Option<Tls>,
}

/// Why there is no connection, in one line that names the address.
#[derive(Debug, thiserror::Error)]
#[error("NATS at {addresses}: {what}")]
pub struct ConnectError {
    addresses: String,
    what: String,
}

impl Options {
    /// For `cluster` at `url`, without credentials or encryption.
    pub fn new(url: &str, cluster: Cluster) -> Self {
        Self { urls: vec![url.to_owned()], cluster, credentials: None, tls: None }
    }

    /// The addresses as they may stand in a log: whatever is before an `@` is a secret.
    pub(super) fn addresses(&self) -> String {
        let shown = self.urls.iter().map(|url| match url.rsplit_once('@') {
            Some((_, address)) => address,
            None => url.split_once("://").map_or(url.as_str(), |(_, address)| address),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    pub(super) async fn connect(&self, link: Link) -> Result<Client, ConnectError> {
        let says = |what| ConnectError { addresses: self.addresses(), what };
        let mut addresses = vec![];
        for url in &self.urls {
            let address: ServerAddr =
                url.parse().map_err(|error| says(format!("not an address: {error}")))?;
            if address.has_user_pass() {
                return Err(says("a password belongs into a file, not into the address".into()));
            }
            addresses.push(address);
        }
        let mut options = self.base(link);
        if let Some(Credentials { user, password }) = &self.credentials {
            // An inbox of each user's own: whoever may hear one must not hear all.
            options = options
                .user_and_password(user.clone(), password.clone())
                .custom_inbox_prefix(format!("{}.inbox.{user}", self.cluster));
        }
        if let Some(tls) = &self.tls {
            options = options.require_tls(true).add_root_certificates(tls.ca.clone());
            if let Some((certificate, key)) = &tls.client {
                options = options.add_client_certificate(certificate.clone(), key.clone());
            }
        }
        options.connect(addresses).await.map_err(|error| says(self.what(&error)))
    }

    fn base(&self, link: Link) -> ConnectOptions {
        ConnectOptions::new()
            .name(format!("polycode {}", self.cluster))
            .custom_inbox_prefix(format!("{}.inbox.anyone", self.cluster))
            // What is said here is heard here without the server.
            .no_echo()
            .ping_interval(PING_EACH)
            .connection_timeout(CONNECT_MAX)
            .subscription_capacity(BEHIND_MAX)
            .max_reconnects(None)
            .reconnect_delay_callback(pause)
            .event_callback(move |event| {
                link.hear(&event);
                std::future::ready(())
            })
    }

    fn what(&self, error: &async_nats::ConnectError) -> String {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                match &self.credentials {
                    Some(Credentials { user, .. }) => {
                        format!("the server does not let user \"{user}\" in")
                    }
                    None => "the server wants credentials".into(),
                }
            }
            _ if is_about_tls(error) => format!("no encrypted connection: {source}"),
            ConnectErrorKind::Tls => format!("no encrypted connection: {source}"),
            ConnectErrorKind::Dns => format!("no such host: {source}"),
            ConnectErrorKind::TimedOut => "no answer".into(),
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Io
            | ConnectErrorKind::MaxReconnects => format!("cannot be reached: {source}"),
        }
    }
}

/// Errors of TLS come as errors of input and output, too.
fn is_about_tls(error: &async_nats::ConnectError) -> bool {
    let source = std::error::Error::source(error);
    let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    let tls = io.and_then(std::io::Error::get_ref);
    tls.and_then(|tls| tls.downcast_ref::<async_nats::rustls::Error>()).is_some()
}

/// Comes back soon, then seldom, and never with all others at once.
fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return Duration::from_millis(fastrand::u64(0..20));
    }
    let doubled = 25u64.saturating_mul(1 << attempt.min(10));
    let longest = Duration::from_millis(doubled).min(PAUSE_MAX);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_a_plain_name() {
        for fine in ["a", "polycode", "north-2"] {
            assert!(fine.parse::<Cluster>().is_ok(), "{fine}");
        }
        for other in ["", "a.b", "a b", "*", ">", "ü", &"a".repeat(33)] {
            assert_eq!(other.parse::<Cluster>(), Err(NoCluster), "{other}");
        }
    }

    #[test]
    fn credentials_are_one_line_and_never_shown() {
        let read: Credentials = "gateway:a:b c\n".parse().unwrap();
        assert_eq!((read.user.as_str(), read.password.as_str()), ("gateway", "a:b c"));
        assert!(!format!("{read:?}").contains("b c"));
        assert!("gateway".parse::<Credentials>().is_err());
        assert!("a.b:c".parse::<Credentials>().is_err());
    }

    #[test]
    fn pauses_grow_and_end_somewhere() {
        for attempt in 2..100 {
            assert!(pause(attempt) >= Duration::from_millis(50).min(PAUSE_MAX / 2));
            assert!(pause(attempt) <= PAUSE_MAX);
        }
    }
}
