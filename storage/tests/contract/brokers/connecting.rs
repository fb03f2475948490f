//! What is said when there is no connection: one line that names the address.

use storage::nats::{Nats, Options};

async fn words(options: Options) -> String {
    let words = Nats::connect(options).await.err().expect("nobody is there").to_string();
    assert!(!words.contains('\n'), "{words}");
    words
}

fn options(url: &str) -> Options {
    Options::new(url, "test".parse().unwrap())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let words = words(options("nats://127.0.0.1:1")).await;
    assert!(words.starts_with("NATS at 127.0.0.1:1: cannot be reached: "), "{words}");
}

#[tokio::test]
async fn a_password_in_an_address_is_refused_and_not_shown() {
    let words = words(options("nats://me:secret@127.0.0.1:1")).await;
    assert!(words.contains("127.0.0.1:1") && words.contains("a file"), "{words}");
    assert!(!words.contains("secret"), "{words}");
}

#[tokio::test]
async fn what_is_no_address_is_said_to_be_none() {
    let words = words(options("http://127.0.0.1:1")).await;
    assert!(words.contains("not an address"), "{words}");
}
