//! Many candidates of one campaign, and whoever looks at its wall.

use anyhow::Context;
use domain::{
    at::Ms,
    campaign::{Settings, WallNames},
    ids::CampaignId,
    plan::Question,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use crate::{candidate::Candidate, creator::Creator, http::Http};

/// How many do the same thing at the same time.
const ABREAST: usize = 64;

/// See the module.
pub struct Crowd {
    pub campaign: CampaignId,
    /// In the order of their names, `Candidate 00000` first; started, without a socket.
    pub candidates: Vec<Candidate>,
}

impl Crowd {
    /// A new campaign with a day's time and names on its wall, which everybody has started.
    pub async fn begin(
        creator: &mut Creator,
        title: &str,
        questions: Vec<Question>,
        count: usize,
    ) -> anyhow::Result<Self> {
        let settings = Settings {
            title: title.to_owned(),
            zone: "Europe/Paris".to_owned(),
            time_allowed: Ms::from_secs(24 * 3_600),
            wall: WallNames::Names,
            ..Settings::default()
        };
        let campaign = creator.campaign(&settings, questions).await?;
        let added = creator.add(campaign, count).await?;
        let browser = &creator.browser;
        let begun = added.into_iter().map(|added| begin(browser, added.code));
        let candidates = stream::iter(begun).buffered(ABREAST).try_collect().await?;
        Ok(Self { campaign, candidates })
    }

    /// A browser that has opened the wall's link.
    pub async fn viewer(&self, creator: &mut Creator) -> anyhow::Result<Http> {
        let made = creator.post(self.campaign, "wall", &json!({})).await?;
        let code = made["code"].as_str().context("a wall has a link")?;
        let mut viewer = creator.browser.without_cookies();
        viewer.get(&format!("/api/v1/walls/{code}")).await?.done()?;
        Ok(viewer)
    }
}

async fn begin(browser: &Http, code: String) -> anyhow::Result<Candidate> {
    let mut candidate = Candidate::open(browser, &code).await?;
    candidate.connect().await?;
    candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
    let start = json!({ "type": "start", "seat": candidate.seat });
    candidate.ask(start).await?.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
    candidate.until("the start", |view| !view.row("session")["started_at"].is_null()).await?;
    candidate.cut();
    Ok(candidate)
}
