//! Links: what opens, what does not any more, and what looking at one changes.

use anyhow::ensure;
use hyper::StatusCode;
use loadtests::socket::Socket;
use serde_json::json;

use crate::setting::{Done, Setting};

#[tokio::test]
async fn a_link_that_is_unknown_or_revoked_says_so_and_opens_nothing() -> Done {
    let mut setting = Setting::new(1).await?;
    let code = setting.added[0].code.clone();
    let mut browser = setting.server.browser();
    let unknown = "00000000-0000-4000-8000-000000000000";
    let path = format!(
        "/api/v1/campaigns/{}/candidates/{}/link",
        setting.campaign, setting.added[0].session
    );
    setting.creator.browser.delete(&path, &json!({})).await?.done()?;
    for (code, state) in [(unknown, "unknown"), (code.as_str(), "revoked"), ("x", "unknown")] {
        let read = browser.get(&format!("/api/v1/links/{code}")).await?.done()?;
        ensure!(read["state"] == state, "{read}");
        let opened = browser.post(&format!("/api/v1/links/{code}/open"), &json!({})).await?;
        ensure!(opened.status == StatusCode::NOT_FOUND, "{opened:?}");
        ensure!(browser.cookies().is_empty(), "{}", browser.cookies());
    }
    let renewed = setting.creator.browser.post(&path, &json!({})).await?.done()?;
    setting.added[0].code = renewed["code"].as_str().unwrap_or_default().to_owned();
    setting.first().await?;
    Ok(())
}

#[tokio::test]
async fn looking_at_a_link_changes_nothing() -> Done {
    let setting = Setting::new(1).await?;
    let mut browser = setting.server.browser();
    let path = format!("/api/v1/links/{}", setting.added[0].code);
    for _ in 0..3 {
        let read = browser.get(&path).await?.done()?;
        ensure!(read["state"] == "ready" && read["status"] == "confirmation_pending", "{read}");
        ensure!(browser.cookies().is_empty(), "{}", browser.cookies());
    }
    ensure!(Socket::open(&browser).await.is_ok(), "a socket of nobody is good for walls");
    // Signing in asks whether they take part; who does opens the test with the next visit.
    let mut candidate = setting.first().await?;
    candidate.ask(json!({ "type": "accept" })).await?.map_err(|why| anyhow::anyhow!(why.text))?;
    candidate.until("the yes", |view| view.row("session")["status"] == "confirmed").await?;
    let mut candidate = setting.first().await?;
    candidate.until("the opening", |view| view.row("session")["status"] == "test_opened").await?;
    let read = browser.get(&path).await?.done()?;
    ensure!(read["status"] == "test_opened", "{read}");
    Ok(())
}
