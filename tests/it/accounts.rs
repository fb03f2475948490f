//! Accounts of others: who may add them, what their link does, and what being shut out means.

use anyhow::ensure;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::setting::{Done, Setting};

const PASSWORD: &str = "a quiet harbour";

#[tokio::test]
async fn a_link_lets_somebody_choose_a_password_once() -> Done {
    let mut setting = Setting::new(0).await?;
    let (id, token) = add(&mut setting).await?;
    let path = format!("/api/v1/accounts/{id}/welcome");
    let mut tomas = setting.server.browser();
    let wrong = tomas.post(&path, &json!({ "token": "guess" })).await?;
    ensure!(wrong.code() == "welcome_ended", "{wrong:?}");
    let look = tomas.post(&path, &json!({ "token": token })).await?.done()?;
    ensure!(look["name"] == "Tomás" && look["state"] == "invited", "{look}");
    let weak = tomas.put(&path, &json!({ "token": token, "password": "short" })).await?;
    ensure!(weak.code() == "weak_password", "{weak:?}");
    let chosen = tomas.put(&path, &json!({ "token": token, "password": PASSWORD })).await?;
    ensure!(chosen.done()?["person"]["role"] == "creator");
    tomas.get("/api/v1/me").await?.done()?;
    let again = tomas.put(&path, &json!({ "token": token, "password": PASSWORD })).await?;
    ensure!(again.status == StatusCode::FORBIDDEN, "{again:?}");
    ensure!(!setting.server.log().contains(&token), "a secret is in no log");
    Ok(())
}

#[tokio::test]
async fn only_administrators_see_and_add_people() -> Done {
    let mut setting = Setting::new(0).await?;
    let (id, token) = add(&mut setting).await?;
    let mut tomas = setting.server.browser();
    ensure!(tomas.get("/api/v1/accounts").await?.status == StatusCode::UNAUTHORIZED);
    let path = format!("/api/v1/accounts/{id}/welcome");
    tomas.put(&path, &json!({ "token": token, "password": PASSWORD })).await?.done()?;
    ensure!(tomas.get("/api/v1/accounts").await?.status == StatusCode::NOT_FOUND);
    let body = json!({ "name": "Eva", "email": "eva@example.org", "role": "administrator" });
    ensure!(tomas.post("/api/v1/accounts", &body).await?.status == StatusCode::NOT_FOUND);
    for act in ["link", "disable", "enable"] {
        let path = format!("/api/v1/accounts/{id}/{act}");
        ensure!(tomas.post(&path, &json!({})).await?.status == StatusCode::NOT_FOUND, "{act}");
    }
    let twice = json!({ "name": "T", "email": "TOMAS@example.org", "role": "creator" });
    let refusal = setting.creator.browser.post("/api/v1/accounts", &twice).await?;
    ensure!(refusal.code() == "email_taken", "{refusal:?}");
    let people = setting.creator.browser.get("/api/v1/accounts").await?.done()?;
    ensure!(people["accounts"].as_array().map(Vec::len) == Some(2), "{people}");
    ensure!(!people.to_string().contains("argon2"), "hashes stay where they are");
    Ok(())
}

#[tokio::test]
async fn who_is_shut_out_is_signed_out_and_an_administrator_always_stays() -> Done {
    let mut setting = Setting::new(0).await?;
    let (id, token) = add(&mut setting).await?;
    let mut tomas = setting.server.browser();
    let path = format!("/api/v1/accounts/{id}");
    let choice = json!({ "token": token, "password": PASSWORD });
    tomas.put(&format!("{path}/welcome"), &choice).await?.done()?;
    let admin = &mut setting.creator.browser;
    admin.post(&format!("{path}/disable"), &json!({})).await?.done()?;
    ensure!(tomas.get("/api/v1/me").await?.status == StatusCode::UNAUTHORIZED);
    let sign_in = json!({ "email": "tomas@example.org", "password": PASSWORD });
    let refused = tomas.post("/api/v1/sign-in", &sign_in).await?;
    ensure!(refused.code() == "wrong_password", "{refused:?}");
    admin.post(&format!("{path}/enable"), &json!({})).await?.done()?;
    tomas.post("/api/v1/sign-in", &sign_in).await?.done()?;
    let me = admin.get("/api/v1/me").await?.done()?;
    let mine = format!("/api/v1/accounts/{}/disable", me["person"]["id"].as_str().unwrap_or(""));
    let kept = admin.post(&mine, &json!({})).await?;
    ensure!(kept.code() == "own_account", "{kept:?}");
    Ok(())
}

/// Adds a creator; their id and their link's token.
async fn add(setting: &mut Setting) -> anyhow::Result<(String, String)> {
    let body = json!({ "name": "Tomás", "email": "tomas@example.org", "role": "creator" });
    let added = setting.creator.browser.post("/api/v1/accounts", &body).await?.done()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&added["account"]["id"]), text(&added["token"])))
}
