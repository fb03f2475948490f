//! The cache of one process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{at::Ms, cluster::Cache};
use tokio::time::Instant;

/// How many values, and how many rates, are kept. At the limit what is over goes; when nothing is,
/// everything: it is a cache.
const KEPT_MAX: usize = 64 * 1024;

/// See the module.
#[derive(Default)]
pub struct LocalCache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: HashMap<String, (Bytes, Instant)>,
    /// When the next one of each name is due.
    due: HashMap<String, Instant>,
}

impl LocalCache {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Cache for LocalCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        let mut kept = self.kept();
        let (value, until) = kept.values.get(key)?;
        if *until > Instant::now() {
            return Some(value.clone());
        }
        kept.values.remove(key);
        None
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Ms) {
        let mut kept = self.kept();
        let Some(ttl) = length(ttl) else {
            kept.values.remove(key);
            return;
        };
        let now = Instant::now();
        make_room(&mut kept.values, |(_, until)| *until > now);
        kept.values.insert(key.to_owned(), (value, now + ttl));
    }

    async fn forget(&self, key: &str) {
        self.kept().values.remove(key);
    }

    async fn allow(&self, name: &str, burst: i64, every: Ms) -> Option<bool> {
        let (Ok(burst @ 1..), Some(every)) = (u32::try_from(burst), length(every)) else {
            return Some(burst >= 1);
        };
        let now = Instant::now();
        let mut kept = self.kept();
        let due = kept.due.get(name).map_or(now, |due| (*due).max(now));
        if due - now > every * (burst - 1) {
            return Some(false);
        }
        make_room(&mut kept.due, |due| *due > now);
        kept.due.insert(name.to_owned(), due + every);
        Some(true)
    }
}

/// `None` for none at all.
fn length(ms: Ms) -> Option<Duration> {
    u64::try_from(ms.0).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

fn make_room<T>(kept: &mut HashMap<String, T>, matters: impl Fn(&T) -> bool) {
    if kept.len() >= KEPT_MAX {
        kept.retain(|_, entry| matters(entry));
    }
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_never_keeps_more_than_it_may() {
        let cache = LocalCache::default();
        for n in 0..=KEPT_MAX {
            cache.put(&n.to_string(), Bytes::new(), Ms(10)).await;
            cache.allow(&n.to_string(), 1, Ms(10)).await;
            if n == 0 {
                tokio::time::advance(Duration::from_millis(5)).await;
            }
            if n + 1 == KEPT_MAX {
                tokio::time::advance(Duration::from_millis(6)).await;
            }
        }
        assert_eq!(cache.get("0").await, None);
        assert!(cache.get("1").await.is_some(), "only what is over went");
        for n in 0..KEPT_MAX {
            cache.put(&format!("x{n}"), Bytes::new(), Ms(10)).await;
        }
        assert!(cache.kept().values.len() <= KEPT_MAX);
    }
}
