//! What one socket is sent, to a real connection that reads or does not.

use tokio::{io::AsyncReadExt, net::TcpListener};

use super::*;

async fn pair() -> (Outbox, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (Outbox::new(listener.accept().await.unwrap().0), client)
}

#[test]
fn what_sending_needs_is_in_one_line_of_cache() {
    use std::mem::offset_of;
    let queue = offset_of!(Inner, queue) + size_of::<Mutex<Queue>>() - size_of::<Queue>();
    let end = queue + offset_of!(Queue, state) + size_of::<State>();
    assert!(size_of::<TcpStream>() <= offset_of!(Inner, queue) && end <= 64, "{end}");
}

fn numbered(n: usize) -> Bytes {
    wire::frame(Kind::Text, format!("{n:>20000}").as_bytes())
}

/// Sends until the system's own buffers are full and something waits.
fn fill(outbox: &Outbox) -> usize {
    let waits = |n: &usize| {
        outbox.send(numbered(*n)).unwrap();
        !outbox.queue().frames.is_empty()
    };
    (0..1_000).find(waits).unwrap() + 1
}

#[tokio::test]
async fn a_backlog_has_a_limit_behind_which_only_the_last_word_is_said() {
    let (outbox, mut client) = pair().await;
    let sent = fill(&outbox);
    let more = (sent..sent + 100).find(|n| outbox.send(numbered(*n)).is_err()).unwrap() - sent;
    assert!((7..=11).contains(&more), "{more}");
    outbox.drain().await;
    assert_eq!(outbox.room().await, Err(Overflow));
    let reading = async move {
        let mut all = vec![];
        client.read_to_end(&mut all).await.unwrap();
        all
    };
    let bye = ServerFrame::Bye { code: 4_001, retry_after_ms: None };
    let (all, ()) = tokio::join!(reading, outbox.close(&bye, 4_001));
    let begun = (0..sent).map(numbered);
    let said: Vec<u8> = begun.chain([wire_of(&bye), wire::close(4_001)]).flatten().collect();
    assert!(all == said, "what was begun is finished, and what waited behind it is not sent");
    assert_eq!(outbox.queue().frames.capacity(), 0);
    assert_eq!(outbox.send(numbered(0)), Err(Overflow));
}

#[tokio::test]
async fn what_waited_arrives_whole_and_in_order() {
    let (outbox, mut client) = pair().await;
    let sent = fill(&outbox);
    for n in sent..sent + 8 {
        outbox.send(numbered(n)).unwrap();
    }
    assert_eq!(outbox.offer(numbered(0)), Ok(Offered::Slow));
    let read = async {
        let mut all = vec![0; numbered(0).len() * (sent + 8)];
        client.read_exact(&mut all).await.unwrap();
        all
    };
    let all = tokio::select! { all = read => all, () = outbox.drain() => panic!("it ended") };
    let expected: Vec<u8> = (0..sent + 8).flat_map(numbered).collect();
    assert!(all == expected);
    assert_eq!(outbox.queue().bytes, 0);
    outbox.room().await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_gone_ends_it() {
    let (outbox, client) = pair().await;
    drop(client);
    outbox.stream().readable().await.unwrap();
    while outbox.send(numbered(0)).is_ok() {
        outbox.stream().writable().await.unwrap();
    }
    outbox.drain().await;
}
