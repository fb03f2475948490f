//! How a candidate begins and solves something, and what is stored of their files.

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::Candidate;
use crate::typist::Text;

impl Candidate {
    /// Starts the test and loads the main file of question `question`.
    pub async fn start(&mut self, question: u16) -> anyhow::Result<()> {
        let answer = self.ask(json!({ "type": "start", "seat": self.seat })).await?;
        answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        self.until("the start", |view| !view.row("session")["started_at"].is_null()).await?;
        self.load(question).await
    }

    /// Takes the seat, as a device does that comes second, and loads the file.
    pub async fn take_seat(&mut self, question: u16) -> anyhow::Result<()> {
        let answer = self.ask(json!({ "type": "take_seat", "seat": self.seat })).await?;
        answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        self.load(question).await
    }

    /// Reads the first file of `question`.
    pub async fn load(&mut self, question: u16) -> anyhow::Result<()> {
        let files = self.files().await?;
        let is_it = |file: &&Value| file["question"] == json!(question);
        let file = files.iter().find(is_it).context("the question has no file")?;
        self.file = json!({
            "question": question, "language": file["language"], "name": file["name"],
        });
        self.text = text_of(file)?;
        Ok(())
    }

    /// Loads the main file of `question` and types into it: where nothing was typed there is nothing
    /// to be had.
    pub async fn begin_on(&mut self, question: u16) -> anyhow::Result<()> {
        self.load(question).await?;
        let change = self.text.appended("# mine\n");
        self.edit(change).await?.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        Ok(())
    }

    /// Runs `question` as it is, which is right in a sandbox that runs nothing; until the verdict.
    pub async fn solve(&mut self, question: u16) -> anyhow::Result<()> {
        let run = json!({ "type": "run", "seat": self.seat, "question": question, "kind": "all" });
        let answer = self.ask(run).await?;
        let answer = answer.map_err(|why| anyhow::anyhow!("{}: {}", why.code, why.text))?;
        let key = format!("run.{}", answer["submission"].as_str().context("a submission")?);
        self.until("the verdict", |view| view.row(&key)["state"] == "judged").await
    }

    /// Hears what comes until `due`.
    pub async fn step_until(&mut self, due: Instant) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = sleep_until(due) => return Ok(()),
                stepped = self.step() => stepped?,
            }
        }
    }

    /// All files, read over HTTP.
    pub async fn files(&mut self) -> anyhow::Result<Vec<Value>> {
        let path = format!("/api/v1/sit/{}/files", self.session);
        let mut read = self.browser.get(&path).await?.done()?;
        Ok(serde_json::from_value(read["files"].take())?)
    }

    /// The file that is typed in, read over HTTP.
    pub async fn stored_text(&mut self) -> anyhow::Result<Text> {
        let files = self.files().await?;
        let is_it = |file: &&Value| {
            ["question", "language", "name"].iter().all(|part| file[part] == self.file[part])
        };
        text_of(files.iter().find(is_it).context("the file is gone")?)
    }

    /// Notes a problem unless what is stored is what was acknowledged, or one edit further.
    pub async fn compare_files(&mut self) -> anyhow::Result<()> {
        if self.file.is_null() {
            return Ok(());
        }
        let stored = self.stored_text().await?;
        let change = self.unanswered.iter().find_map(|sent| sent.change.clone());
        let further = change.map(|change| {
            let mut text = self.text.clone();
            text.take(change, self.text.rev + 1);
            text
        });
        if stored != self.text && Some(&stored) != further.as_ref() {
            let (known, found) = (self.text.rev, stored.rev);
            self.problem(format!("the text of revision {known} is another one, at {found}"));
        }
        Ok(())
    }
}

fn text_of(file: &Value) -> anyhow::Result<Text> {
    let rev = serde_json::from_value(file["rev"].clone())?;
    Ok(Text::new(file["text"].as_str().context("a file has a text")?, rev))
}
