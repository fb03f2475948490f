//! The test that everybody sits or looks at, and whether what they see is what the server says when
//! it is asked anew.

use std::sync::Arc;

use anyhow::ensure;
use domain::{
    ids::{CampaignId, SessionId},
    ranking::WINDOW_MAX,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use loadtests::{
    candidate::Candidate, creator::Creator, crowd::Crowd, figures::Figure, http::Http, view::View,
    wall,
};
use tokio::time::{Duration, Instant, sleep};

use super::{
    Config,
    client::{Client, Sight, Who},
    frames,
    ledger::Ledger,
    scorers::Scorers,
};

/// How long it may take until everybody has everything, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);
/// How many sessions are read at the same time.
const ABREAST: usize = 32;

/// See the module. The clients of candidates come before those of viewers, by number.
pub(super) struct Hall {
    campaign: CampaignId,
    /// A browser that has opened the wall's link.
    viewer: Http,
    sessions: Vec<(Http, SessionId)>,
    clients: usize,
    ledger: Arc<Ledger>,
}

impl Hall {
    /// A test that all candidates have started, with so many questions that score.
    pub(super) async fn open(
        config: &Config,
        creator: &mut Creator,
        questions: usize,
    ) -> anyhow::Result<(Self, Vec<Client>, Scorers)> {
        let mut plan = vec![];
        for _ in 0..questions {
            plan.push(creator.code(1, None).await?);
        }
        let mut crowd = Crowd::begin(creator, "Storm", plan, config.candidates).await?;
        let viewer = crowd.viewer(creator).await?;
        let (campaign, candidates) = (crowd.campaign, std::mem::take(&mut crowd.candidates));
        let sessions = candidates.iter().map(|one| (one.browser.clone(), one.session)).collect();
        let clients = config.clients.max(candidates.len());
        let ledger = Arc::new(Ledger::new(clients));
        let hall = Self { campaign, viewer, sessions, clients, ledger };
        let wall = hall.full_wall().await?;
        let clients = hall.clients(&candidates, wall.rows.len());
        Ok((hall, clients, Scorers::of(candidates)))
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The wall, once everybody is on it.
    async fn full_wall(&self) -> anyhow::Result<View> {
        let until = Instant::now() + PATIENCE;
        let people = self.sessions.len().min(WINDOW_MAX);
        loop {
            let wall = wall::first(&self.viewer, self.campaign).await?;
            let there = wall::rows(&wall)?.len();
            if there == people {
                return Ok(wall);
            }
            ensure!(Instant::now() < until, "{there} of {people} are on the wall");
            sleep(LOOK).await;
        }
    }

    /// All clients, not yet connected; a wall has so many rows.
    fn clients(&self, candidates: &[Candidate], rows: usize) -> Vec<Client> {
        let sits = |one: &Candidate| Sight {
            who: Who::Candidate,
            browser: one.browser.clone(),
            topic: one.topic.clone(),
            rows: one.view.rows.len(),
        };
        let looks = |_| Sight {
            who: Who::Viewer,
            browser: self.viewer.clone(),
            topic: format!("wall.{}", self.campaign),
            rows,
        };
        let viewers = (candidates.len()..self.clients).map(looks);
        let sights = candidates.iter().map(sits).chain(viewers).enumerate();
        sights.map(|(n, sight)| Client::new(n, sight, Arc::clone(&self.ledger))).collect()
    }

    /// Waits until all show the same, which is what the server says. Answers how long that took.
    pub(super) async fn settle(&self, blow: &str, scorers: &Scorers) -> anyhow::Result<Figure> {
        let began = Instant::now();
        loop {
            let wrong = self.wrong(scorers).await?;
            let took = began.elapsed();
            if wrong.is_empty() || PATIENCE < took {
                for one in wrong {
                    self.ledger.problem(format!("{blow}: {one}"));
                }
                let name = format!("{blow}: all show the same, then");
                return Ok(Figure::plain(&name, took.as_secs_f64(), "s"));
            }
            sleep(LOOK).await;
        }
    }

    /// What of all that is shown is not what the server says, or not what was done.
    async fn wrong(&self, scorers: &Scorers) -> anyhow::Result<Vec<String>> {
        let wall = wall::first(&self.viewer, self.campaign).await?;
        let mut wrong = scorers.missing(&wall)?;
        let sum = frames::sum(&wall);
        let viewers = self.sessions.len()..self.clients;
        let others = viewers.filter(|number| self.ledger.shown(*number) != sum).count();
        if others > 0 {
            wrong.push(format!("{others} viewers show another wall"));
        }
        let read = (0..self.sessions.len()).map(|number| self.is_shown(number));
        let shown: Vec<bool> = stream::iter(read).buffered(ABREAST).try_collect().await?;
        let others = shown.iter().filter(|is_shown| !**is_shown).count();
        if others > 0 {
            wrong.push(format!("{others} candidates show another session"));
        }
        Ok(wrong)
    }

    /// Whether a candidate's client shows their session as it is read anew.
    async fn is_shown(&self, number: usize) -> anyhow::Result<bool> {
        let Some((browser, session)) = self.sessions.get(number) else { return Ok(true) };
        let mut again = Candidate::signed_in(browser.clone(), *session);
        again.connect().await?;
        again.until("the rows", |_| true).await?;
        Ok(self.ledger.shown(number) == frames::sum(&again.view))
    }
}
