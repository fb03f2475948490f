//! A server of one's own, and a campaign on it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, ensure};
use domain::{at::Ms, campaign::Settings, ids::CampaignId, plan::Question};
use futures_util::{StreamExt, TryStreamExt, stream};
use loadtests::{
    candidate::Candidate,
    creator::{Added, Creator},
    server::Server,
};
use serde_json::Value;

/// How a test ends.
pub(crate) type Done = anyhow::Result<()>;

/// How many candidates start at the same time.
const ABREAST: usize = 32;

/// See the module.
pub(crate) struct Setting {
    pub(crate) server: Server,
    pub(crate) creator: Creator,
    pub(crate) campaign: CampaignId,
    pub(crate) added: Vec<Added>,
}

/// An hour, without a deadline.
pub(crate) fn settings() -> Settings {
    Settings {
        title: "Snakes".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms::from_secs(3_600),
        ..Settings::default()
    }
}

impl Setting {
    /// A campaign of a quiz (1 point) and a program (9 points), and `count` candidates; programs
    /// are judged without being run.
    pub(crate) async fn new(count: usize) -> anyhow::Result<Self> {
        Self::with(&settings(), count).await
    }

    /// The same, with other settings.
    pub(crate) async fn with(settings: &Settings, count: usize) -> anyhow::Result<Self> {
        let server = Server::start(binary()?, true).await?;
        let mut creator = server.creator().await?;
        let questions = vec![creator.quiz(1, None).await?, creator.code(9, None).await?];
        Self::on(server, creator, settings, questions, count).await
    }

    /// A campaign of these questions, on a server that is there.
    pub(crate) async fn on(
        server: Server,
        mut creator: Creator,
        settings: &Settings,
        questions: Vec<Question>,
        count: usize,
    ) -> anyhow::Result<Self> {
        let campaign = creator.campaign(settings, questions).await?;
        let added = creator.add(campaign, count).await?;
        Ok(Self { server, creator, campaign, added })
    }

    /// The first candidate, who has opened the link, with a socket.
    pub(crate) async fn first(&self) -> anyhow::Result<Candidate> {
        self.open(self.added.first().context("somebody was added")?).await
    }

    /// A candidate who has opened the link, with a socket.
    pub(crate) async fn open(&self, added: &Added) -> anyhow::Result<Candidate> {
        let mut candidate = Candidate::open(&self.creator.browser, &added.code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        Ok(candidate)
    }

    /// Everybody, with the test started and the program before them.
    pub(crate) async fn all_started(&self) -> anyhow::Result<Vec<Candidate>> {
        let start = |added| async move {
            let mut candidate = self.open(added).await?;
            candidate.start(1).await?;
            anyhow::Ok(candidate)
        };
        stream::iter(&self.added).map(start).buffer_unordered(ABREAST).try_collect().await
    }

    /// Asks something of the campaign.
    pub(crate) async fn post(&mut self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.creator.post(self.campaign, path, &body).await
    }

    /// The row that the creator sees of a candidate.
    pub(crate) async fn row(&mut self, of: &Candidate) -> anyhow::Result<Value> {
        Ok(self.view(of).await?["row"].take())
    }

    /// All that the creator sees of a candidate in the list.
    pub(crate) async fn view(&mut self, of: &Candidate) -> anyhow::Result<Value> {
        let read = self.creator.read(self.campaign).await?;
        let session = serde_json::to_value(of.session)?;
        let mut views = read["candidates"].as_array().into_iter().flatten();
        let view = views.find(|view| view["session"] == session);
        view.cloned().context("the candidate is in the campaign")
    }

    /// The path of one candidate below the campaign.
    pub(crate) fn path(&self, of: &Candidate, rest: &str) -> String {
        format!("/api/v1/campaigns/{}/candidates/{}{rest}", self.campaign, of.session)
    }

    /// Nothing was wrong for this candidate.
    pub(crate) fn all_well(candidate: &Candidate) -> Done {
        ensure!(candidate.report.problems.is_empty(), "{:?}", candidate.report.problems);
        Ok(())
    }
}

/// The server's program: the one that the environment names, or a new one.
pub(crate) fn binary() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let binary = BINARY.get_or_init(|| built().map_err(|error| format!("{error:#}")));
    binary.as_ref().map(PathBuf::as_path).map_err(|error| anyhow::anyhow!("{error}"))
}

fn built() -> anyhow::Result<PathBuf> {
    if let Some(binary) = std::env::var_os("POLYCODE_BIN") {
        return Ok(binary.into());
    }
    // This program is `<target>/<profile>/deps/it-…`, or somewhere near it.
    let this = std::env::current_exe()?;
    let profile = this.parent().and_then(Path::parent).context("a place to build in")?;
    let target = profile.parent().context("a place to build in")?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "gateway", "--bin", "polycode"])
        .arg("--target-dir")
        .arg(target)
        .status()?;
    ensure!(status.success(), "building the server ended with {status}");
    Ok(target.join("debug/polycode"))
}
