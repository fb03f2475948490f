//! How things stand, for administrators.

use std::time::Duration;

use anyhow::ensure;
use hyper::StatusCode;
use tokio::time::timeout;

use crate::setting::{Done, Setting};

#[tokio::test]
async fn administrators_see_what_waits_and_who_runs() -> Done {
    let mut setting = Setting::new(0).await?;
    let browser = &mut setting.creator.browser;
    let seen = async {
        loop {
            let status = browser.get("/api/v1/status").await?.done()?;
            if status["queue"]["runners"].as_object().is_some_and(|runners| runners.len() == 1) {
                return anyhow::Ok(status);
            }
        }
    };
    let status = timeout(Duration::from_secs(30), seen).await??;
    let queue = &status["queue"];
    ensure!(queue["waiting"] == 0 && queue["running"] == 0, "{queue}");
    ensure!(queue["runners"][status["nodes"][0]["name"].as_str().unwrap_or_default()] == 0);
    let mut nobody = setting.server.browser();
    ensure!(nobody.get("/api/v1/status").await?.status == StatusCode::UNAUTHORIZED);
    Ok(())
}
