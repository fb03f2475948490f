//! What gateways remember together, in Redis. It may be emptied at any moment, and be away: then
//! nobody waits for it.

mod link;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{at::Ms, cluster::Cache};
use redis::{
    AsyncCommands, ConnectionAddr, IntoConnectionInfo, RedisResult, aio::MultiplexedConnection,
};
use tokio::time::timeout;

use self::link::Link;
use crate::nats::{Cluster, Credentials};

/// How long one question may take. What takes longer than the database would is no cache.
pub const ANSWER_MAX: Duration = Duration::from_millis(50);

/// The generic cell rate algorithm: what is kept is the moment from which the next one is due. By
/// Redis' own clock, so that no two gateways differ, and in one step.
const ALLOW: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local burst, every = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if due - now > every * (burst - 1) then return 0 end
redis.call('SET', KEYS[1], due + every, 'PX', due + every - now)
return 1
";

/// Where Redis is, and who we are to it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `redis://host:port/number` or, encrypted, `rediss://…`.
    pub url: String,
    /// What all keys begin with.
    pub cluster: Cluster,
    /// From a file or the environment; a server with one password only has the user `default`.
    pub credentials: Option<Credentials>,
    /// Certificates that are trusted, as a file (PEM), when not those of the system.
    pub ca: Option<PathBuf>,
    /// How long one question may take: [`ANSWER_MAX`], but in tests.
    pub answer_max: Duration,
}

/// What is wrong with the options, in one line.
#[derive(Debug, thiserror::Error)]
#[error("Redis: {0}")]
pub struct OptionsError(String);

/// See the module.
pub struct RedisCache {
    link: Link,
    prefix: String,
    allow: redis::Script,
    answer_max: Duration,
}

impl RedisCache {
    /// Whether Redis is there or not: it is tried again for ever. To be opened where tasks can be
    /// started.
    pub fn open(options: &Options) -> Result<Self, OptionsError> {
        let (client, address) = options.client()?;
        let prefix = format!("{}:", options.cluster);
        let (link, allow) = (Link::to(client, address), redis::Script::new(ALLOW));
        Ok(Self { link, prefix, allow, answer_max: options.answer_max })
    }

    /// What `ask` answers, or nothing when Redis is away; then that is found out in the background.
    async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> Option<T> {
        let connection = self.link.connection()?;
        match timeout(self.answer_max, ask(connection)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => self.link.is_broken(&error.to_string()),
            Err(_) => self.link.is_broken("no answer"),
        }
    }
}

impl Options {
    fn client(&self) -> Result<(redis::Client, String), OptionsError> {
        let says = |what: &dyn std::fmt::Display| OptionsError(what.to_string());
        let mut info = self.url.as_str().into_connection_info().map_err(|error| says(&error))?;
        let mut settings = info.redis_settings().clone();
        if settings.password().is_some() || settings.username().is_some() {
            return Err(says(&"a password belongs into a file, not into the address"));
        }
        if let Some(Credentials { user, password }) = &self.credentials {
            settings = settings.set_username(user).set_password(password);
            info = info.set_redis_settings(settings);
        }
        let address = info.addr().to_string();
        let is_encrypted = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = match &self.ca {
            Some(ca) if is_encrypted => {
                let root_cert = std::fs::read(ca)
                    .map_err(|error| says(&format_args!("{}: {error}", ca.display())))?;
                let certificates =
                    redis::TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
                redis::Client::build_with_tls(info, certificates)
            }
            _ => redis::Client::open(info),
        };
        Ok((client.map_err(|error| says(&error))?, address))
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        let key = format!("{}k:{key}", self.prefix);
        let got = self.ask(async |mut redis| redis.get::<_, Option<Vec<u8>>>(key).await).await;
        got.flatten().map(Bytes::from)
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Ms) {
        let Some(ttl) = u64::try_from(ttl.0).ok().filter(|ttl| *ttl > 0) else {
            return self.forget(key).await;
        };
        let key = format!("{}k:{key}", self.prefix);
        self.ask(async |mut redis| redis.pset_ex::<_, _, ()>(key, &value[..], ttl).await).await;
    }

    async fn forget(&self, key: &str) {
        let key = format!("{}k:{key}", self.prefix);
        self.ask(async |mut redis| redis.del::<_, ()>(key).await).await;
    }

    async fn allow(&self, name: &str, burst: i64, every: Ms) -> Option<bool> {
        if burst < 1 || every.0 < 1 {
            return Some(burst >= 1);
        }
        let mut asks = self.allow.key(format!("{}r:{name}", self.prefix));
        asks.arg(burst).arg(every.0);
        self.ask(async |mut redis| asks.invoke_async(&mut redis).await).await
    }
}
