//! Links: what opens, what does not any more, and what looking at one changes.

use std::time::Duration;

use anyhow::{Context, ensure};
use domain::{at::Ms, campaign::Settings, ports::Clock};
use hyper::StatusCode;
use loadtests::{http::Http, socket::Socket};
use serde_json::json;
use storage::SystemClock;
use tokio::time::sleep;

use crate::setting::{Done, Setting, settings};

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
    for (code, state, status, why) in [
        (unknown, "unknown", StatusCode::NOT_FOUND, "not_found"),
        (code.as_str(), "revoked", StatusCode::GONE, "link_revoked"),
        ("x", "unknown", StatusCode::NOT_FOUND, "not_found"),
    ] {
        let read = browser.get(&format!("/api/v1/links/{code}")).await?.done()?;
        ensure!(read["state"] == state, "{read}");
        let opened = browser.post(&format!("/api/v1/links/{code}/open"), &json!({})).await?;
        ensure!(opened.status == status && opened.code() == why, "{opened:?}");
        ensure!(browser.cookies().is_empty(), "{}", browser.cookies());
    }
    let renewed = setting.creator.browser.post(&path, &json!({})).await?.done()?;
    setting.added[0].code = renewed["code"].as_str().unwrap_or_default().to_owned();
    setting.first().await?;
    Ok(())
}

#[tokio::test]
async fn a_cookie_that_somebody_else_chose_opens_nothing_before_or_after_the_link() -> Done {
    let setting = Setting::new(1).await?;
    let chosen = "polycode_sit=chosen; polycode=chosen; polycode_wall=chosen";
    let mut browser = Http::with_cookies(&setting.server.url, chosen);
    let path = format!("/api/v1/links/{}/open", setting.added[0].code);
    browser.post(&path, &json!({})).await?.done()?;
    ensure!(!browser.cookies().contains("polycode_sit=chosen"), "{}", browser.cookies());
    let files = format!("/api/v1/sit/{}/files", setting.added[0].session);
    ensure!(browser.get(&files).await?.status == StatusCode::OK);
    let mut other = Http::with_cookies(&setting.server.url, chosen);
    ensure!(other.get(&files).await?.status == StatusCode::UNAUTHORIZED);
    Ok(())
}

#[tokio::test]
async fn a_link_expires_when_its_creator_said_and_a_new_one_opens_the_same_session() -> Done {
    let mut setting = Setting::new(1).await?;
    let mut inside = setting.first().await?;
    inside.start(1).await?;
    let link = setting.path(&inside, "/link");
    let soon = SystemClock.now() + Ms(1_500);
    let asked = json!({ "expires_at": soon });
    let renewed = setting.creator.browser.post(&link, &asked).await?.done()?;
    ensure!(renewed["expires_at"] == json!(soon), "{renewed}");
    ensure!(setting.view(&inside).await?["link"]["expires_at"] == json!(soon));
    setting.added[0].code = renewed["code"].as_str().unwrap_or_default().to_owned();
    let mut inside = setting.first().await?;
    let page = format!("/api/v1/links/{}", setting.added[0].code);
    let mut stranger = setting.server.browser();
    let expired = loop {
        let read = stranger.get(&page).await?.done()?;
        match read["state"].as_str() {
            Some("ready") => ensure!(SystemClock.now() < soon + Ms(10_000), "{read}"),
            _ => break read,
        }
        sleep(Duration::from_millis(50)).await;
    };
    ensure!(soon <= SystemClock.now(), "it expired early");
    let told = json!({
        "state": "expired", "expires_at": soon, "zone": "Europe/Paris", "campaign_title": "Snakes",
        "creator_name": "Ada",
    });
    ensure!(expired == told, "{expired}");
    let opened = stranger.post(&format!("{page}/open"), &json!({})).await?;
    ensure!(opened.status == StatusCode::GONE && opened.code() == "link_expired", "{opened:?}");
    ensure!(stranger.cookies().is_empty(), "{}", stranger.cookies());
    // Who came in before sits on.
    inside.take_seat(1).await?;
    let change = inside.text.appended("# still here\n");
    ensure!(inside.edit(change).await?.is_ok());
    let renewed = setting.creator.browser.post(&link, &json!({})).await?.done()?;
    setting.added[0].code = renewed["code"].as_str().unwrap_or_default().to_owned();
    let mut again = setting.first().await?;
    again.take_seat(1).await?;
    ensure!(again.text == inside.text, "{:?} is not {:?}", again.text, inside.text);
    Ok(())
}

#[tokio::test]
async fn an_expiry_that_cannot_be_is_refused_and_the_campaigns_own_is_for_all() -> Done {
    let mut setting = Setting::new(1).await?;
    let candidate = setting.first().await?;
    let link = setting.path(&candidate, "/link");
    let now = SystemClock.now();
    for bad in [json!(now - Ms(1)), json!(now + Ms(3 * 366 * 24 * 3_600_000))] {
        let asked = json!({ "expires_at": bad });
        let refused = setting.creator.browser.post(&link, &asked).await?;
        ensure!(refused.status == StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
        ensure!(refused.code() == "bad_expiry", "{refused:?}");
    }
    for bad in [json!({ "expires_at": "tomorrow" }), json!({ "expires": 1 })] {
        let refused = setting.creator.browser.post(&link, &bad).await?;
        ensure!(refused.status == StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
    setting.first().await.context("the old link opens as before")?;
    let links_expire_at = Some(now + Ms(86_400_000));
    let with = Settings { links_expire_at, ..settings() };
    setting.creator.configure(setting.campaign, &with).await?;
    let person = json!({ "name": "Zoé", "email": "zoe@example.org" });
    let added = setting.post("candidates", json!({ "candidates": [person] })).await?;
    let expires_at = &added["added"][0]["link"]["expires_at"];
    ensure!(*expires_at == json!(links_expire_at), "{added}");
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
