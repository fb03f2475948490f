//! A creator: makes contents, a test, a campaign, and looks after it.

use bytes::Bytes;
use domain::{
    at::Ms,
    blob::Blob,
    campaign::Settings,
    content::{
        Choice, Code, Component, Content, Language, Limits, Quiz, SourceFile, Starter, Validator,
    },
    ids::{CampaignId, ContentId, SessionId, TestId},
    plan::{Question, Test},
    points::Points,
};
use hyper::{Method, header};
use serde_json::{Value, json};

use crate::http::{Ask, Http};

/// See the module.
#[derive(Clone)]
pub struct Creator {
    pub browser: Http,
}

/// A candidate who was added.
#[derive(Clone, Debug)]
pub struct Added {
    pub session: SessionId,
    pub code: String,
}

impl Creator {
    /// Signs in.
    pub async fn sign_in(browser: &Http, email: &str, password: &str) -> anyhow::Result<Self> {
        let mut browser = browser.without_cookies();
        let who = json!({ "email": email, "password": password });
        browser.post("/api/v1/sign-in", &who).await?.done()?;
        Ok(Self { browser })
    }

    pub async fn blob(&mut self, bytes: &'static str) -> anyhow::Result<Blob> {
        let ask = Ask {
            method: Method::POST,
            path: "/api/v1/blobs",
            headers: vec![(header::CONTENT_TYPE, "application/octet-stream")],
            body: Bytes::from_static(bytes.as_bytes()),
        };
        Ok(serde_json::from_value(self.browser.ask(ask).await?.done()?)?)
    }

    pub async fn content(&mut self, content: &Content) -> anyhow::Result<ContentId> {
        let made = self.browser.post("/api/v1/contents", &json!({ "document": content })).await?;
        Ok(serde_json::from_value(made.done()?["id"].take())?)
    }

    pub async fn test(&mut self, test: &Test) -> anyhow::Result<TestId> {
        let made = self.browser.post("/api/v1/tests", &json!({ "document": test })).await?;
        Ok(serde_json::from_value(made.done()?["id"].take())?)
    }

    /// A question with choices; the first one is right.
    pub async fn quiz(&mut self, points: u32, limit: Option<Ms>) -> anyhow::Result<Question> {
        let choice = |text: &str, right| Choice { text: text.to_owned(), right };
        let choices = vec![choice("Python", true), choice("Cobol", false)];
        let quiz = Quiz { choices, several: false, partial: false };
        let content = Content {
            title: "Which one?".to_owned(),
            statement: "Which of the two is a snake?".to_owned(),
            component: Component::Quiz(quiz),
            ..Content::default()
        };
        Ok(question(self.content(&content).await?, points, limit))
    }

    /// A question of code: the sum of two numbers, with one shown and one hidden validator.
    pub async fn code(&mut self, points: u32, limit: Option<Ms>) -> anyhow::Result<Question> {
        let shown = self.validator("shown", "2 2\n", "4\n", true).await?;
        let hidden = self.validator("hidden", "40 2\n", "42\n", false).await?;
        let text = "a, b = map(int, input().split())\nprint(a + b)\n".to_owned();
        let files = vec![SourceFile { name: "main.py".to_owned(), text }];
        let code = Code {
            languages: vec![Language::Python],
            starters: vec![Starter { language: Language::Python, files }],
            limits: Limits::default(),
            validators: vec![shown, hidden],
            ..Code::default()
        };
        let content = Content {
            title: "Sum".to_owned(),
            statement: "Print the sum of the two numbers.".to_owned(),
            component: Component::Code(Box::new(code)),
            ..Content::default()
        };
        Ok(question(self.content(&content).await?, points, limit))
    }

    /// A validator of these two texts.
    pub async fn validator(
        &mut self,
        name: &str,
        input: &'static str,
        expected: &'static str,
        shown: bool,
    ) -> anyhow::Result<Validator> {
        let (input, expected) = (self.blob(input).await?, self.blob(expected).await?);
        let name = name.to_owned();
        Ok(Validator { name, input, expected, shown, weight: 1, ..Validator::default() })
    }

    /// A campaign of a new test of `questions`.
    pub async fn campaign(
        &mut self,
        settings: &Settings,
        questions: Vec<Question>,
    ) -> anyhow::Result<CampaignId> {
        let time_allowed = settings.time_allowed;
        let title = "Snakes and sums".to_owned();
        let test = self.test(&Test { title, time_allowed, questions }).await?;
        let campaign = json!({ "settings": settings, "test": { "id": test } });
        let made = self.browser.post("/api/v1/campaigns", &campaign).await?;
        Ok(serde_json::from_value(made.done()?["id"].take())?)
    }

    /// Adds `count` people.
    pub async fn add(&mut self, to: CampaignId, count: usize) -> anyhow::Result<Vec<Added>> {
        let person = |n: usize| {
            json!({
                "name": format!("Candidate {n:05}"), "email": format!("c{n:05}@example.org"),
                "tags": [if n.is_multiple_of(2) { "even" } else { "odd" }],
            })
        };
        let people: Vec<Value> = (0..count).map(person).collect();
        let mut added = vec![];
        for people in people.chunks(500) {
            let path = format!("/api/v1/campaigns/{to}/candidates");
            let made = self.browser.post(&path, &json!({ "candidates": people })).await?.done()?;
            anyhow::ensure!(made["refused"] == json!([]), "refused: {}", made["refused"]);
            for view in made["added"].as_array().into_iter().flatten() {
                let code = view["link"]["code"].as_str().unwrap_or_default().to_owned();
                let session = serde_json::from_value(view["session"].clone())?;
                added.push(Added { session, code });
            }
        }
        Ok(added)
    }

    /// The campaign with its candidates.
    pub async fn read(&mut self, campaign: CampaignId) -> anyhow::Result<Value> {
        self.browser.get(&format!("/api/v1/campaigns/{campaign}")).await?.done()
    }

    /// Posts `body` to `path` below the campaign.
    pub async fn post(
        &mut self,
        campaign: CampaignId,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        self.browser.post(&format!("/api/v1/campaigns/{campaign}/{path}"), body).await?.done()
    }

    pub async fn configure(&mut self, id: CampaignId, settings: &Settings) -> anyhow::Result<()> {
        let path = format!("/api/v1/campaigns/{id}");
        self.browser.put(&path, &json!({ "settings": settings })).await?.done()?;
        Ok(())
    }
}

fn question(content: ContentId, points: u32, limit: Option<Ms>) -> Question {
    Question { content, version: 1, points: Points::from_hundredths(points * 100), limit }
}
