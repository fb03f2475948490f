//! Bad requests: refused in a sentence, and the server goes on.

use std::io::{Cursor, Write};

use anyhow::ensure;
use hyper::{Method, StatusCode, header};
use loadtests::{
    http::Ask,
    server::{EMAIL, Server},
    socket::Socket,
};
use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::setting::{Done, Setting, binary};

#[tokio::test]
async fn another_sites_page_can_change_nothing() -> Done {
    let mut setting = Setting::new(1).await?;
    let path = format!("/api/v1/campaigns/{}/pause", setting.campaign);
    let headers =
        vec![(header::CONTENT_TYPE, "application/json"), (header::ORIGIN, "https://evil.example")];
    let ask = Ask { method: Method::POST, path: &path, headers, body: "{}".into() };
    let refused = setting.creator.browser.ask(ask).await?;
    ensure!(refused.status == StatusCode::FORBIDDEN, "{refused:?}");
    ensure!(refused.code() == "other_origin", "{refused:?}");
    let socket = Socket::open_from(&setting.creator.browser, Some("https://evil.example")).await;
    ensure!(socket.is_err(), "a socket was opened");
    let own = setting.server.url.clone();
    Socket::open_from(&setting.creator.browser, Some(&own)).await?;
    Ok(())
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_in_words() -> Done {
    let mut setting = Setting::new(1).await?;
    let json = "application/json";
    let huge = format!(r#"{{"document":"{}"}}"#, "x".repeat(5 << 20));
    for (kind, body, status) in [
        (json, huge, StatusCode::PAYLOAD_TOO_LARGE),
        (json, "{".to_owned(), StatusCode::BAD_REQUEST),
        (json, "{}".to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
        ("text/plain", "{}".to_owned(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        // Refused before it is read: the connection may be closed under who still writes.
        let mut tries = 0;
        let refused = loop {
            let headers = vec![(header::CONTENT_TYPE, kind)];
            let path = "/api/v1/contents";
            let ask = Ask { method: Method::POST, path, headers, body: body.clone().into() };
            match setting.creator.browser.ask(ask).await {
                Ok(refused) => break refused,
                Err(error) => ensure!(tries < 20, "{error:#}"),
            }
            tries += 1;
        };
        ensure!(refused.status == status, "{} {:?}", refused.status, refused.body);
        ensure!(!refused.code().is_empty(), "{} {:?}", refused.status, refused.body);
    }
    setting.creator.read(setting.campaign).await?;
    Ok(())
}

/// Brings a package of these files; how that was refused.
async fn refused(setting: &mut Setting, files: &[(&str, &[u8])]) -> anyhow::Result<String> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default())?;
        zip.write_all(bytes)?;
    }
    let headers = vec![(header::CONTENT_TYPE, "application/zip")];
    let body = zip.finish()?.into_inner().into();
    let path = "/api/v1/contents/import";
    let ask = Ask { method: Method::POST, path, headers, body };
    let refused = setting.creator.browser.ask(ask).await?;
    ensure!(refused.status == StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    ensure!(refused.code() == "bad_package", "{refused:?}");
    let why: Value = serde_json::from_slice(&refused.body)?;
    Ok(why["text"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_package_that_climbs_out_is_refused() -> Done {
    let mut setting = Setting::new(1).await?;
    for name in ["../../climbed.txt", "/climbed.txt", "a/../../climbed.txt"] {
        let files: [(&str, &[u8]); 2] = [("problem.yaml", b"name: Climber\n"), (name, b"out")];
        let text = refused(&mut setting, &files).await?;
        ensure!(
            text == format!(
                "“{name}” leads out of the package. Pack it again from inside its folder."
            ),
            "{text}"
        );
    }
    setting.creator.read(setting.campaign).await?;
    Ok(())
}

#[tokio::test]
async fn a_package_that_unpacks_to_too_much_is_refused() -> Done {
    let mut setting = Setting::new(1).await?;
    let zeros = vec![0; (64 << 20) + 1];
    let files: [(&str, &[u8]); 2] = [("problem.yaml", b"name: Bomb\n"), ("data/bomb", &zeros)];
    let text = refused(&mut setting, &files).await?;
    ensure!(text == "“data/bomb” is larger than 64 MiB when it is unpacked.", "{text}");
    let many: Vec<String> = (0..10_001).map(|n| format!("data/{n}")).collect();
    let files: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let text = refused(&mut setting, &files).await?;
    ensure!(text == "The package has more than 10000 files.", "{text}");
    setting.creator.read(setting.campaign).await?;
    Ok(())
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() -> Done {
    let server = Server::start(binary()?, true).await?;
    // All at once: one after the other, a slow machine would slow them down enough.
    let guesses = (0..12).map(|_| async {
        let guess = json!({ "email": EMAIL, "password": "not this one" });
        anyhow::Ok(server.browser().post("/api/v1/sign-in", &guess).await?.code())
    });
    let refusals = futures_util::future::try_join_all(guesses).await?;
    ensure!(refusals.contains(&"wrong_password".to_owned()), "{refusals:?}");
    ensure!(refusals.contains(&"slow_down".to_owned()), "{refusals:?}");
    let unknown = json!({ "email": "nobody@example.org", "password": "not this one" });
    let refused = server.browser().post("/api/v1/sign-in", &unknown).await?;
    ensure!(refused.code() == "wrong_password", "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_data_says_why_it_ends() -> Done {
    let server = Server::start(binary()?, true).await?;
    let (status, said) = server.second().await?;
    ensure!(!status.success(), "{status}");
    ensure!(said.contains("another Polycode is running on"), "{said}");
    server.browser().get("/healthz").await?.done()?;
    Ok(())
}
