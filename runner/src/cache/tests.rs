//! What the cache keeps, and what it lets go.

use std::fs;

use super::*;
use crate::frame::{Kept, Start, Walls};

#[test]
fn everything_that_goes_in_makes_another_key() {
    let blobs = [Bytes::from_static(b"int x;"), Bytes::from_static(b"")];
    let key = |identity: &str, order: &Order, blobs: &[Bytes]| Key::of(identity, order, blobs);
    let known = key("gcc 12", &order(), &blobs);
    assert_eq!(known, key("gcc 12", &order(), &blobs));
    let moved = [Bytes::from_static(b"int"), Bytes::from_static(b" x;")];
    let flag = Order { argv: vec!["gcc".to_owned(), "-O3".to_owned()], ..order() };
    let name = Order { files: vec!["b.c".to_owned(), "a.c".to_owned()], ..order() };
    let env = Order { env: vec!["A=1".to_owned()], ..order() };
    let mut limit = order();
    limit.walls.cpu_ms += 1;
    for other in [
        key("gcc 13", &order(), &blobs),
        key("gcc 12", &order(), &moved),
        key("gcc 12", &flag, &blobs),
        key("gcc 12", &name, &blobs),
        key("gcc 12", &env, &blobs),
        key("gcc 12", &limit, &blobs),
    ] {
        assert_ne!(known, other);
    }
}

#[tokio::test]
async fn what_was_kept_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (program, error) = (made(100), Made { output: "error: é".to_owned(), artefact: None });
    {
        let cache = cache(&dir, 1 << 20);
        cache.put(&name("a"), &program).await.unwrap();
        cache.put(&name("b"), &error).await.unwrap();
    }
    fs::write(dir.path().join("c.1.unfinished"), "half").unwrap();
    let cache = cache(&dir, 1 << 20);
    assert_eq!(cache.find(&name("a")).await.unwrap(), Some(program));
    assert_eq!(cache.find(&name("b")).await.unwrap(), Some(error));
    assert_eq!(cache.find(&name("c")).await.unwrap(), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "what was not finished is gone");
}

#[tokio::test]
async fn the_least_recently_used_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(&dir, 10 * 4096);
    for n in 0..10 {
        cache.put(&name(&n.to_string()), &made(2000)).await.unwrap();
        used(&dir, &n.to_string(), n);
    }
    // Which makes it the last that was used, not the first.
    assert!(cache.find(&name("0")).await.unwrap().is_some());
    cache.put(&name("more"), &made(2000)).await.unwrap();
    let mut left = Vec::new();
    for n in 0..10 {
        if cache.find(&name(&n.to_string())).await.unwrap().is_some() {
            left.push(n);
        }
    }
    assert_eq!(left, [0, 3, 4, 5, 6, 7, 8, 9]);
    assert!(cache.find(&name("more")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_larger_than_all_room_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(&dir, 8192);
    cache.put(&name("small"), &made(10)).await.unwrap();
    cache.put(&name("large"), &made(10_000)).await.unwrap();
    assert!(cache.find(&name("small")).await.unwrap().is_some());
    assert!(cache.find(&name("large")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(&dir, 1 << 20);
    let path = dir.path().join("a");
    cache.put(&name("a"), &made(100)).await.unwrap();
    let whole = fs::read(&path).unwrap();
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        assert_eq!(cache.find(&name("a")).await.unwrap(), None, "cut at {len}");
    }
    for at in 0..whole.len() {
        let mut other = whole.clone();
        other[at] ^= 1;
        fs::write(&path, other).unwrap();
        assert_eq!(cache.find(&name("a")).await.unwrap(), None, "changed at {at}");
    }
    fs::remove_file(&path).unwrap();
    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, &whole).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(cache.find(&name("a")).await.unwrap(), None, "a link is none of ours");
    cache.put(&name("a"), &made(100)).await.unwrap();
    assert_eq!(cache.find(&name("a")).await.unwrap(), Some(made(100)), "made again, it is there");
}

#[tokio::test]
async fn who_compiles_the_same_waits_for_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let cache = cache(&dir, 1 << 20);
    let key = name("a");
    let first = cache.alone(&key).await.unwrap();
    let mut second = std::pin::pin!(cache.alone(&key));
    assert!(poll_once(second.as_mut()).await.is_none());
    assert!(cache.alone(&name("b")).await.is_ok(), "others do not");
    drop(first);
    assert!(second.await.is_ok());
}

/// Polls `future` once.
async fn poll_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = std::future::ready(()) => None,
    }
}

fn cache(dir: &tempfile::TempDir, bytes_max: u64) -> Cache {
    Cache::open(dir.path().to_owned(), bytes_max).unwrap()
}

fn name(name: &str) -> Key {
    Key(name.to_owned())
}

fn made(len: usize) -> Made {
    Made { output: "warning".to_owned(), artefact: Some(vec![7; len].into()) }
}

/// Says that a file was used last `at` seconds after the start of 1970.
fn used(dir: &tempfile::TempDir, name: &str, at: u64) {
    let file = fs::File::options().write(true).open(dir.path().join(name)).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(at)).unwrap();
}

fn order() -> Order {
    Order {
        argv: vec!["gcc".to_owned(), "-O2".to_owned()],
        env: Vec::new(),
        walls: Walls {
            cpu_ms: 1,
            wall_ms: 1,
            memory_bytes: 1,
            processes: 1,
            output_bytes: 1,
            disk_bytes: 1,
        },
        files: vec!["a.c".to_owned(), "b.c".to_owned()],
        artefact: None,
        kept: Kept::Nothing,
        streamed: true,
        feedback: None,
        talks: false,
        start: Start::Exec,
        open: false,
    }
}
