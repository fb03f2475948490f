use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use super::{
    weather::{Delays, Fate, random},
    *,
};

const JITTERY: Weather =
    Weather { delay: Duration::from_millis(300), jitter: Duration::from_millis(100), faults: None };

/// A server that nobody speaks for, and a way to it.
async fn network(weather: Weather) -> (TcpListener, Proxy) {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    (server, Proxy::start(vec![address], weather, 7).await.unwrap())
}

/// Both ends of a connection through it.
async fn connection(weather: Weather) -> (Proxy, TcpStream, TcpStream) {
    let (server, proxy) = network(weather).await;
    let client = TcpStream::connect(proxy.address).await.unwrap();
    let (server, _) = server.accept().await.unwrap();
    (proxy, client, server)
}

async fn said(to: &mut TcpStream) -> Vec<u8> {
    let mut heard = [0; 5];
    to.read_exact(&mut heard).await.unwrap();
    heard.to_vec()
}

#[test]
fn the_same_seed_makes_the_same_weather_and_another_makes_another() {
    let faults = Faults { every: Duration::from_secs(3), kinds: &[Fault::Cut, Fault::Silent] };
    let draw = |seed, number| {
        let mut fate = Fate::new(Some(faults), random((seed, number), 2));
        (0..8).map(|_| fate.next().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(draw(7, 3), draw(7, 3));
    assert_ne!(draw(7, 3), draw(7, 4));
    assert_ne!(draw(7, 3), draw(8, 3));
}

#[test]
fn what_is_sent_later_arrives_later_and_takes_as_long_as_the_weather_says() {
    let mut delays = Delays::new(JITTERY, random((7, 0), 0));
    let begin = Instant::now();
    let mut before = begin;
    let mut took = vec![];
    for n in 0..1_000 {
        let now = begin + Duration::from_millis(n * 250);
        let arrival = delays.arrival(now);
        assert!(before <= arrival);
        before = arrival;
        took.push((arrival - now).as_millis());
    }
    assert!(took.iter().all(|ms| (200..=400).contains(ms)));
    assert!(took.iter().any(|ms| *ms < 220) && took.iter().any(|ms| 380 < *ms));
}

#[tokio::test]
async fn what_is_said_arrives_whole_in_both_directions_through_jitter_and_a_stall() {
    let short = Duration::from_millis(2);
    let weather = Weather { delay: short, jitter: short, faults: None };
    let (proxy, mut client, mut server) = connection(weather).await;
    let all: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let (sent, mut heard) = (all.clone(), vec![0; all.len()]);
    proxy.strike(Fault::Stall(short));
    tokio::join!(async { client.write_all(&sent).await.unwrap() }, async {
        server.read_exact(&mut heard).await.unwrap();
    });
    assert!(heard == all);
    server.write_all(b"hello").await.unwrap();
    assert_eq!(said(&mut client).await, b"hello");
    drop(server);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "a goodbye passes as well");
}

#[tokio::test]
async fn a_cut_is_known_to_both_and_half_a_link_to_the_client_only() {
    let (proxy, mut client, mut server) = connection(Weather::default()).await;
    proxy.strike(Fault::Cut);
    client.read(&mut [0]).await.unwrap_err();
    server.read(&mut [0]).await.unwrap_err();

    let (proxy, mut client, mut server) = connection(Weather::default()).await;
    proxy.strike(Fault::HalfOpen);
    client.read(&mut [0]).await.unwrap_err();
    // It goes on to take in what the server says.
    server.write_all(&vec![0; 1 << 20]).await.unwrap();
    drop(proxy);
    server.read(&mut [0]).await.unwrap_err();
}

#[tokio::test]
async fn a_silent_link_tells_nobody_and_the_next_one_is_well() {
    let (server, proxy) = network(Weather::default()).await;
    let client = TcpStream::connect(proxy.address).await.unwrap();
    let (mut old, _) = server.accept().await.unwrap();
    proxy.strike(Fault::Silent);
    old.write_all(&vec![0; 1 << 20]).await.unwrap();
    let mut next = TcpStream::connect(proxy.address).await.unwrap();
    let (mut well, _) = server.accept().await.unwrap();
    well.write_all(b"hello").await.unwrap();
    assert_eq!(said(&mut next).await, b"hello");
    let heard = client.try_read(&mut [0]);
    assert_eq!(heard.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_way_that_is_down_refuses_and_keeps_what_there_is() {
    let (proxy, mut client, mut server) = connection(Weather::default()).await;
    proxy.be_down_until(Instant::now() + Duration::from_hours(1));
    let mut refused = TcpStream::connect(proxy.address).await.unwrap();
    refused.read(&mut [0]).await.unwrap_err();
    server.write_all(b"hello").await.unwrap();
    assert_eq!(said(&mut client).await, b"hello");
}
