//! The demonstration: a campaign of three problems and a quiz, to look around in.

use domain::{
    at::Ms,
    campaign::{Command, Settings, WallNames},
    content::{Choice, Code, Component, Content, Language, Limits, Quiz, Validator},
    ids::{ContentId, PersonId, TestId},
    people::{Contact, Person, Role},
    plan::{Question, Test},
    points::Points,
    stream::Stream,
};
use rust_embed::RustEmbed;

use crate::{
    api::{campaigns, documents, links},
    app::App,
    error::Refusal,
};

/// Statements and validators' data: `<problem>/statement.md`, `<problem>/<n> <shown|hidden> <name>.in`
/// and `.ans`.
#[derive(RustEmbed)]
#[folder = "demo"]
struct Files;

/// Who owns it. Nobody can sign in with this address; administrators see everything.
const EMAIL: &str = "demonstration@polycode.invalid";
/// Folder, title, tag, points.
const PROBLEMS: [(&str, &str, &str, f64); 3] = [
    ("ledger", "Ledger lines", "parsing", 20.0),
    ("ferry", "The night ferry", "queues, heaps", 30.0),
    ("caches", "Two caches", "caching", 40.0),
];
const CANDIDATES: [(&str, &str); 3] =
    [("Ioana Ștefănescu", "Lyon"), ("Mateusz Wiśniewski", "Lyon"), ("Haruka Tanabe", "Remote")];

/// Adds the demonstration, once.
pub(crate) async fn add(app: &App) -> anyhow::Result<()> {
    if app.node.deps.people.person_by_email(EMAIL).await?.is_some() {
        return Ok(());
    }
    make(app).await.map_err(|refusal| anyhow::anyhow!("the demonstration: {}", refusal.why().text))
}

async fn make(app: &App) -> Result<(), Refusal> {
    let owner = Person {
        id: PersonId::random(),
        email: EMAIL.to_owned(),
        name: "Demonstration".to_owned(),
        role: Role::Creator,
        password_hash: String::new(),
        welcome: None,
        disabled_at: None,
    };
    app.node.deps.people.add_person(owner.clone()).await?;
    let mut questions = vec![];
    for (folder, title, tag, points) in PROBLEMS {
        let content = problem(app, folder, title, tag).await?;
        questions.push(question(app, owner.id, content, points).await?);
    }
    questions.push(question(app, owner.id, quiz(), 10.0).await?);
    let title = "Back-end engineers, autumn".to_owned();
    let test = Test { title: title.clone(), time_allowed: Ms(60 * 60_000), questions };
    let plan = freeze(app, owner.id, test).await?;
    let settings = Settings {
        title,
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms(60 * 60_000),
        wall: WallNames::Aliases,
        ..Settings::default()
    };
    let campaign = campaigns::create_as(app, owner.id, settings, plan).await?;
    for (name, tag) in CANDIDATES {
        let session = domain::ids::SessionId::random();
        let word = name.split(' ').next().unwrap_or(name).to_lowercase();
        let (email, alias) = (format!("{word}@polycode.invalid"), format!("Candidate {word}"));
        let contact = Contact { session, campaign, email, name: name.to_owned(), alias };
        app.node.deps.people.save_contact(contact).await?;
        let command = Command::Add { session, tags: vec![tag.to_owned()] };
        campaigns::ask(app, owner.id, campaign, command).await?;
        let expires_at = links::expiry(app, campaign, None).await?;
        links::issue(app, campaign, session, expires_at).await?;
    }
    Ok(())
}

async fn question(
    app: &App,
    owner: PersonId,
    content: Content,
    points: f64,
) -> Result<Question, Refusal> {
    let id = documents::create_as(app, owner, content).await?.into_id();
    let content: ContentId = id.parse().map_err(|_| Refusal::not_found())?;
    Ok(Question { content, version: 1, points: Points::from(points), limit: None })
}

async fn freeze(app: &App, owner: PersonId, test: Test) -> Result<domain::plan::Plan, Refusal> {
    let id = documents::create_as(app, owner, test.clone()).await?.into_id();
    let id: TestId = id.parse().map_err(|_| Refusal::not_found())?;
    for question in &test.questions {
        documents::freeze::<Content>(app, owner, Stream::Content(question.content), 1).await?;
    }
    documents::freeze::<Test>(app, owner, Stream::Test(id), 1).await?;
    campaigns::plan_of(app, id, 1, &test).await
}

async fn problem(app: &App, folder: &str, title: &str, tag: &str) -> Result<Content, Refusal> {
    let prefix = format!("{folder}/");
    let mut names: Vec<String> = Files::iter()
        .filter_map(|path| Some(path.strip_prefix(&prefix)?.strip_suffix(".in")?.to_owned()))
        .collect();
    names.sort_unstable();
    let mut validators = vec![];
    for name in names {
        let mut words = name.splitn(3, ' ').skip(1);
        let shown = words.next() == Some("shown");
        validators.push(Validator {
            name: words.next().unwrap_or_default().to_owned(),
            input: blob(app, &format!("{prefix}{name}.in")).await?,
            expected: blob(app, &format!("{prefix}{name}.ans")).await?,
            shown,
            weight: if shown { 1 } else { 2 },
            ..Validator::default()
        });
    }
    let code = Code {
        languages: Language::general(),
        limits: Limits::default(),
        validators,
        ..Code::default()
    };
    Ok(Content {
        title: title.to_owned(),
        statement: text(&format!("{prefix}statement.md")),
        tags: tag.split(", ").map(str::to_owned).collect(),
        component: Component::Code(Box::new(code)),
        ..Content::default()
    })
}

fn quiz() -> Content {
    let choice = |(text, right): (&str, bool)| Choice { text: text.to_owned(), right };
    let choices = [
        ("Sending it twice does no more than sending it once.", true),
        ("Nothing is changed on the server that the client asked for.", true),
        ("The answer is never taken from a cache.", false),
    ];
    let choices = choices.into_iter().map(choice).collect();
    Content {
        title: "What does HTTP promise?".to_owned(),
        statement: text("http/statement.md"),
        tags: vec!["HTTP".to_owned()],
        component: Component::Quiz(Quiz { choices, several: true, partial: false }),
        ..Content::default()
    }
}

async fn blob(app: &App, path: &str) -> Result<domain::blob::Blob, Refusal> {
    let bytes = Files::get(path).map(|file| file.data.into_owned()).unwrap_or_default();
    Ok(app.node.deps.blobs.put(bytes.into()).await?)
}

fn text(path: &str) -> String {
    let bytes = Files::get(path).map(|file| file.data.into_owned()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
