//! A team that sends what it sent, when it sent it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context;
use loadtests::{candidate::Candidate, typist::Text};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep_until};

use super::contest::{Run, Verdict};

/// How many runs may wait for their verdicts at once.
const WAITING_MAX: usize = 2;

/// See the module.
pub(super) struct Team {
    candidate: Candidate,
    runs: Vec<Run>,
    speed: f64,
    /// The file of each question: its name, and its text as it is acknowledged.
    files: Vec<(Value, Text)>,
    /// What the text of a question comes to, if it is ours.
    written: HashMap<u16, Verdict>,
    /// Runs that wait, by submission, and since when.
    waiting: HashMap<String, Instant>,
    /// When each run was asked for by the server's clock, in the order of `runs`; and its submission.
    pub(super) asked: Vec<Asked>,
    /// How late each run was asked for.
    pub(super) late: Vec<Duration>,
    pub(super) verdicts: Vec<Duration>,
    number: usize,
}

/// One run that the server took.
pub(super) struct Asked {
    pub(super) run: Run,
    /// In ms of the server's clock.
    pub(super) at_ms: i64,
}

impl Team {
    /// A candidate who has started, and connects when it plays.
    pub(super) async fn new(
        mut candidate: Candidate,
        runs: Vec<Run>,
        speed: f64,
    ) -> anyhow::Result<Self> {
        let mut files = vec![];
        for file in candidate.files().await? {
            let name = json!({
                "question": file["question"], "language": file["language"], "name": file["name"],
            });
            let rev = serde_json::from_value(file["rev"].clone())?;
            files.push((name, Text::new(file["text"].as_str().context("a text")?, rev)));
        }
        files.sort_by_key(|(name, _)| name["question"].as_u64());
        let number = runs.first().map_or(usize::MAX, |run| run.team);
        let (written, waiting) = (HashMap::new(), HashMap::new());
        let (asked, late, verdicts) = (vec![], vec![], vec![]);
        Ok(Self { candidate, runs, speed, files, written, waiting, asked, late, verdicts, number })
    }

    /// Its place in the contest's list.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn started_at(&self) -> Option<i64> {
        self.candidate.view.row("session")["started_at"].as_i64()
    }

    pub(super) fn problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.candidate.report.problems)
    }

    /// Sends everything, counts it in `sent`, and waits for every verdict.
    pub(super) async fn play(
        mut self,
        begin: Instant,
        sent: Arc<AtomicUsize>,
    ) -> anyhow::Result<Self> {
        self.candidate.resume().await?;
        for run in std::mem::take(&mut self.runs) {
            let at_ms = f64::from(u32::try_from(run.at_ms)?);
            let due = begin + Duration::from_secs_f64(at_ms / 1_000.0 / self.speed);
            self.listen_until(due).await?;
            while WAITING_MAX <= self.waiting.len() {
                self.step().await?;
            }
            self.late.push(due.elapsed());
            self.send(run).await?;
            sent.fetch_add(1, Ordering::Relaxed);
        }
        while !self.waiting.is_empty() {
            self.step().await?;
        }
        Ok(self)
    }

    async fn listen_until(&mut self, due: Instant) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = sleep_until(due) => return Ok(()),
                stepped = self.candidate.step() => stepped?,
            }
            self.look();
        }
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        self.candidate.step().await?;
        self.look();
        Ok(())
    }

    /// Writes the program, if it is another one, and runs it.
    async fn send(&mut self, run: Run) -> anyhow::Result<()> {
        if self.written.get(&run.question) != Some(&run.verdict) {
            self.write(run.question, run.verdict).await?;
        }
        let ask = json!({
            "type": "run", "seat": self.candidate.seat, "question": run.question, "kind": "all",
        });
        let began = Instant::now();
        let answer = self.candidate.ask(ask).await?;
        let answer = answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        let submission = answer["submission"].as_str().context("a submission")?.to_owned();
        let key = format!("run.{submission}");
        self.candidate.until("the run", |view| !view.row(&key).is_null()).await?;
        let at_ms = self.candidate.view.row(&key)["at"].as_i64().context("a moment")?;
        self.asked.push(Asked { run, at_ms });
        self.waiting.insert(key, began);
        self.look();
        Ok(())
    }

    async fn write(&mut self, question: u16, verdict: Verdict) -> anyhow::Result<()> {
        let place = usize::from(question);
        let (name, text) = self.files.get(place).context("a file for each question")?.clone();
        (self.candidate.file, self.candidate.text) = (name, text);
        let change = self.candidate.text.replaced(verdict.program());
        let answer = self.candidate.edit(change).await?;
        answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        if let Some((_, text)) = self.files.get_mut(place) {
            text.clone_from(&self.candidate.text);
        }
        self.written.insert(question, verdict);
        Ok(())
    }

    /// Which of the runs that waited have their verdict.
    fn look(&mut self) {
        let (view, verdicts) = (&self.candidate.view, &mut self.verdicts);
        self.waiting.retain(|key, began| {
            let waits = view.row(key)["state"] != "judged";
            if !waits {
                verdicts.push(began.elapsed());
            }
            waits
        });
    }
}
