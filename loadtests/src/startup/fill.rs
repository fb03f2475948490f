//! Fills a data directory with campaigns: one that runs, and as many that are over as it takes.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use domain::{
    at::Ms,
    campaign::{self, CANDIDATES_MAX, Campaign, Settings},
    content::Language,
    ids::{CampaignId, ContentId, PersonId, SeatId, SessionId},
    people::Contact,
    plan::{Plan, QuestionPlan, Task, ValidatorPlan},
    points::Points,
    ports::{Clock, People, Shards},
    session::{self, FileKey, Session, Terms},
    stream::{Origin, SHARDS, Stream},
    text::Changes,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use storage::{
    SystemClock,
    sqlite::{Options, Sqlite, Sync},
};

use super::{Config, script::Script};
use loadtests::server::EMAIL;

/// How many sessions are stored at the same time.
const ABREAST: usize = 256;
/// A snapshot is kept after so many edits.
const SNAPSHOT_AFTER: u32 = 200;
/// How long a test lasts.
const ALLOWED: Ms = Ms(4 * 3_600_000);

/// Fills `data`. Answers the campaign that runs.
pub(super) async fn fill(data: &Path, config: &Config) -> anyhow::Result<CampaignId> {
    let options = Options { sync: Sync::UnsafeOff, ..Options::default() };
    let store = Sqlite::open(data, options).await?;
    let mut epoch = 0;
    for shard in 0..SHARDS {
        epoch = store.take(shard, "load", SystemClock.now()).await?;
    }
    let owner = store.person_by_email(EMAIL).await?.context("an administrator")?.id;
    let (sleeping, edits) = (config.sessions - config.awake, config.edits);
    let running = CampaignId::random();
    let over = (0..sleeping).step_by(CANDIDATES_MAX).map(|from| {
        let count = CANDIDATES_MAX.min(sleeping - from);
        (CampaignId::random(), count, true)
    });
    for (campaign, count, ends) in over.chain([(running, config.awake, false)]) {
        let filling = Filling { store: Arc::clone(&store), epoch, campaign, edits, ends };
        filling.sessions(owner, count).await?;
    }
    store.close().await;
    Ok(running)
}

struct Filling {
    store: Arc<Sqlite>,
    epoch: u64,
    campaign: CampaignId,
    edits: u32,
    /// The candidates have handed in.
    ends: bool,
}

impl Filling {
    async fn sessions(&self, owner: PersonId, count: usize) -> anyhow::Result<()> {
        let at = SystemClock.now();
        let mut script = Script::<Campaign>::new(Stream::Campaign(self.campaign), self.epoch);
        let by = Origin::Person(owner);
        let settings =
            Settings { title: "Load".to_owned(), time_allowed: ALLOWED, ..Settings::default() };
        script.play(by, at, campaign::Command::Create { owner, settings })?;
        script.play(by, at, campaign::Command::Pin { plan: Arc::new(plan()) })?;
        script.store(&self.store).await?;
        let sessions: Vec<SessionId> = (0..count).map(|_| SessionId::random()).collect();
        for sessions in sessions.chunks(500) {
            for session in sessions.iter().copied() {
                script.play(by, at, campaign::Command::Add { session, tags: vec![] })?;
            }
            script.store(&self.store).await?;
        }
        let each = sessions.into_iter().enumerate().map(|(n, session)| self.session(n, session));
        stream::iter(each).buffer_unordered(ABREAST).try_collect().await
    }

    async fn session(&self, n: usize, session: SessionId) -> anyhow::Result<()> {
        let (email, alias) = (format!("c{n:05}@example.org"), format!("{n:05}"));
        let name = format!("Candidate {n:05}");
        let contact = Contact { session, campaign: self.campaign, email, name, alias };
        self.store.save_contact(contact).await?;
        let started_at = SystemClock.now();
        let seat = SeatId::random();
        let by = Origin::Candidate(session);
        let mut script = Script::<Session>::new(Stream::Session(session), self.epoch);
        let terms = Terms { time_allowed: ALLOWED, ..Terms::default() };
        let (campaign, plan) = (Some(self.campaign), Arc::new(plan()));
        let invite = session::Command::Invite { session, campaign, terms, plan };
        script.play(Origin::Node, started_at, invite)?;
        script.play(by, started_at, session::Command::Start { seat })?;
        for rev in 0..self.edits {
            script.play(by, started_at, edit(seat, rev, &script.state)?)?;
            if rev + 1 == SNAPSHOT_AFTER {
                script.store(&self.store).await?;
                script.snapshot(&self.store, started_at).await?;
            }
        }
        if self.ends {
            script.play(by, started_at, session::Command::HandIn { seat })?;
        }
        script.store(&self.store).await
    }
}

/// A few words at the end of the text.
fn edit(seat: SeatId, base_rev: u32, session: &Session) -> anyhow::Result<session::Command> {
    let file = FileKey { question: 0, language: Language::Python, name: "main.py".to_owned() };
    let run = session.run.as_ref().context("it has started")?;
    let text = &run.file(&file).context("there is a file")?.text;
    let end = domain::text::utf16_len(text);
    let changes = Changes::insert(end, end, "x = 1; y\n");
    Ok(session::Command::Edit { seat, file, base_rev, changes, caret: end })
}

fn plan() -> Plan {
    let validator = ValidatorPlan { name: "a".to_owned(), shown: true, weight: 1, group: None };
    let (languages, starters, groups) = (vec![Language::Python], vec![], vec![]);
    let question = QuestionPlan {
        content: ContentId::derived("load"),
        version: 1,
        title: "Sum".to_owned(),
        tags: vec![],
        points: Points::from_hundredths(1_000),
        limit: None,
        task: Task::Code { languages, starters, validators: vec![validator], groups },
    };
    Plan { test: None, version: 1, title: "Load".to_owned(), questions: vec![question] }
}
