//! How soon everybody is told: of a pause on each screen, and of who has gone on the monitor.

use std::time::Duration;

use domain::{at::Ms, campaign::Settings, ids::CampaignId};
use futures_util::future::try_join_all;
use loadtests::{
    candidate::Candidate, creator::Creator, figures::Figure, monitor::Monitor, server::Server,
    view::View,
};
use serde_json::json;
use tokio::time::Instant;

use super::Config;

/// How many screens there are, and how many of their candidates leave in each way.
const SCREENS: usize = 100;
const LEAVING: usize = 20;

pub(super) async fn measure(config: &Config) -> anyhow::Result<Vec<Figure>> {
    let server = Server::start(&config.spawn, true).await?;
    let mut creator = server.creator().await?;
    let settings = Settings {
        title: "Told".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms::from_secs(3_600),
        ..Settings::default()
    };
    let questions = vec![creator.code(9, None).await?];
    let campaign = creator.campaign(&settings, questions).await?;
    let mut screens = vec![];
    for added in creator.add(campaign, SCREENS).await? {
        let mut candidate = Candidate::open(&creator.browser, &added.code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        candidate.start(0).await?;
        screens.push(candidate);
    }
    let pause = pause(&mut creator, campaign, &mut screens).await?;
    // Who is not read for from now on answers no ping, and the connection stays as it is.
    let quiet = Instant::now();
    let mut monitor = Monitor::open(&creator.browser, campaign).await?;
    let leaving: Vec<_> = screens.drain(..LEAVING).collect();
    let staying: Vec<_> = screens.drain(..LEAVING).collect();
    let (left, stayed) = (keys(&leaving), keys(&staying));
    monitor.until(|view| are(view, &left, true) && are(view, &stayed, true)).await?;
    let cut = Instant::now();
    drop(leaving);
    monitor.until(|view| are(view, &left, false)).await?;
    let closed = cut.elapsed();
    monitor.until(|view| are(view, &stayed, false)).await?;
    let silent = quiet.elapsed();
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    Ok(vec![
        Figure::at_most("pause to the last of 100 screens", ms(pause), "ms", 1_000.0),
        Figure::at_most("socket closed to the monitor, max of 20", ms(closed), "ms", 2_000.0),
        Figure::at_most("silent since to the monitor, max of 20", ms(silent), "ms", 10_000.0),
    ])
}

/// Pauses the campaign. Answers after how long the last screen shows it.
async fn pause(
    creator: &mut Creator,
    campaign: CampaignId,
    screens: &mut [Candidate],
) -> anyhow::Result<Duration> {
    let path = format!("/api/v1/campaigns/{campaign}/pause");
    let began = Instant::now();
    let body = json!({ "reason": "Fire drill" });
    let told = screens.iter_mut().map(|candidate| {
        candidate.until("the pause", |view| view.row("session")["pause_reason"] == "Fire drill")
    });
    let (paused, told) = tokio::join!(creator.browser.post(&path, &body), try_join_all(told));
    paused?.done()?;
    told?;
    Ok(began.elapsed())
}

fn keys(candidates: &[Candidate]) -> Vec<String> {
    candidates.iter().map(|one| format!("p.{}", one.session)).collect()
}

/// Whether all of `keys` are there, or are not.
fn are(view: &View, keys: &[String], there: bool) -> bool {
    keys.iter().all(|key| view.row(key)["connected"] == there)
}
