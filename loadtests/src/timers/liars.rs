//! Candidates who type after the end of their test, and say that they are far away: with each ping,
//! and by answers to pings that they never got.

use domain::{
    at::{At, Ms},
    campaign::Settings,
    ports::Clock as _,
};
use loadtests::{candidate::Candidate, figures::Figure, server::Server};
use serde_json::json;
use storage::SystemClock;
use tokio::{
    task::JoinSet,
    time::{Duration, sleep},
};

use super::Config;

/// Until the end, so that everybody is there.
const LENGTH: Ms = Ms(20_000);
/// How long before the end the lies begin.
const LYING: Duration = Duration::from_secs(8);
/// The first types so long after the end, the last so long.
const AFTER_MS: (usize, usize) = (15, 245);

/// What became of one who typed late.
struct Tried {
    is_liar: bool,
    /// It counted.
    gained: bool,
}

pub(super) async fn measure(
    config: &Config,
    problems: &mut Vec<String>,
) -> anyhow::Result<Vec<Figure>> {
    let server = Server::start(&config.spawn, true).await?;
    let mut creator = server.creator().await?;
    let closes_at = SystemClock.now() + LENGTH + Ms(i64::try_from(config.liars)? * 100);
    let settings = Settings {
        title: "Liars".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms::from_secs(3_600),
        closes_at: Some(closes_at),
        ..Settings::default()
    };
    let questions = vec![creator.code(9, None).await?];
    let campaign = creator.campaign(&settings, questions).await?;
    let mut trying = JoinSet::new();
    for (n, added) in creator.add(campaign, config.liars * 2).await?.into_iter().enumerate() {
        let mut candidate = Candidate::open(&creator.browser, &added.code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        candidate.start(0).await?;
        let spread = (AFTER_MS.1 - AFTER_MS.0) * (n / 2) / config.liars.max(1);
        let types_at = closes_at + Ms(i64::try_from(AFTER_MS.0 + spread)?);
        trying.spawn(try_it(candidate, n % 2 == 1, types_at));
    }
    anyhow::ensure!(SystemClock.now() < closes_at, "the test was over before it began");
    let mut counted = [0.0; 2];
    while let Some(tried) = trying.join_next().await {
        let Tried { is_liar, gained } = tried??;
        if let (true, Some(count)) = (gained, counted.get_mut(usize::from(is_liar))) {
            *count += 1.0;
        }
    }
    let [honest, liars] = counted;
    if liars > honest {
        problems.push(format!("{liars} liars typed after their end, {honest} honest ones"));
    }
    Ok(vec![
        Figure::plain(
            "typed after the end, of each kind",
            f64::from(u32::try_from(config.liars)?),
            "",
        ),
        Figure::at_most("  counted, of honest ones", honest, "", 0.0),
        Figure::at_most("  counted, of liars", liars, "", 0.0),
    ])
}

async fn try_it(mut candidate: Candidate, is_liar: bool, types_at: At) -> anyhow::Result<Tried> {
    while SystemClock.now() < types_at {
        let left = Ms((types_at - SystemClock.now()).0.max(0)).0;
        let left = Duration::from_millis(u64::try_from(left)?);
        if is_liar && left < LYING {
            lie(&mut candidate).await;
        }
        // Lies and what is heard take turns, and nobody is late for the end.
        let turn = sleep(left.min(Duration::from_millis(100)));
        tokio::pin!(turn);
        loop {
            tokio::select! {
                () = &mut turn => break,
                heard = candidate.next() => candidate.hear(heard),
            }
        }
    }
    let change = candidate.text.appended("# too late\n");
    let answer = candidate.edit(change).await?;
    let gained = answer.is_ok_and(|answer| answer["rev"].is_u64());
    Ok(Tried { is_liar, gained })
}

/// Says that the way is long.
async fn lie(candidate: &mut Candidate) {
    candidate.send_frame(&json!({ "type": "ping", "sent_ms": 0, "rtt_ms": 60_000 })).await;
    let long_ago = SystemClock.now() - Ms(5_000);
    candidate.send_pong(&long_ago.0.to_be_bytes()).await;
}
