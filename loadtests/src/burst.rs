//! A burst of runs: many candidates press Run within a second, with a real sandbox. None may be lost,
//! whoever asks in another campaign must not wait for them all, and what a program prints must be
//! seen at once.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use domain::{
    at::Ms,
    campaign::Settings,
    content::{Code, Component, Content, Language, SourceFile, Starter},
    plan::Question,
    points::Points,
    ports::Clock,
};
use futures_util::future::try_join_all;
use loadtests::{
    candidate::Candidate,
    creator::Creator,
    figures::{Figure, millis, per_mille, report},
    server::Server,
    socket::{Heard, Socket},
};
use serde_json::json;
use storage::SystemClock;
use tokio::time::{Duration, Instant, sleep, timeout};

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// The server's program.
    #[arg(long)]
    spawn: PathBuf,
    #[arg(long, default_value_t = 40)]
    candidates: usize,
    #[arg(long, default_value_t = 10)]
    validators: u32,
}

/// Within this everybody has pressed Run.
const BURST: Duration = Duration::from_secs(1);
/// How long a verdict is waited for, on however slow a machine.
const VERDICT: Duration = Duration::from_mins(10);
/// How many lines a program prints whose way to the page is measured.
const LINES: usize = 50;

/// The question with the C++ program, and the one in Python.
const CPP: u16 = 0;
const PYTHON: u16 = 1;

pub(crate) async fn run(config: Config) -> anyhow::Result<Vec<String>> {
    let server = Server::start(&config.spawn, false).await?;
    let mut creator = server.creator().await?;
    let questions = vec![cpp(&mut creator, config.validators).await?, creator.code(9, None).await?];
    let mut crowd = open(&mut creator, questions.clone(), config.candidates).await?;
    // In a campaign of their own: one who asks last of all, and one who looks at an output.
    let mut others = open(&mut creator, questions, 2).await?;
    let (mut other, mut looker) = (others.pop().context("two")?, others.pop().context("two")?);
    let mut lines = lines(&mut looker).await?;
    for (n, candidate) in crowd.iter_mut().enumerate() {
        write(candidate, CPP, n).await?;
    }
    write(&mut other, CPP, crowd.len()).await?;
    let every = BURST / u32::try_from(crowd.len())?;
    let began = Instant::now();
    let all = crowd.iter_mut().zip(0_u32..).map(|(candidate, n)| async move {
        sleep(every * n).await;
        judged(candidate).await
    });
    let late = async {
        sleep(BURST).await;
        judged(&mut other).await
    };
    let (waits, late) = tokio::try_join!(try_join_all(all), late)?;
    let whole = began.elapsed();
    let lost = waits.iter().chain([&late]).filter(|(_, passed)| *passed != config.validators);
    let lost = u32::try_from(lost.count())?;
    let mut waits = millis(&waits.into_iter().map(|(wait, _)| wait).collect::<Vec<_>>());
    let ran = f64::from(u32::try_from(crowd.len())?);
    let worst = per_mille(&mut waits, 1_000) / 1_000.0;
    let seconds = late.0.as_secs_f64();
    report(
        "burst",
        &[
            Figure::plain("submissions", ran, ""),
            Figure::at_most("lost or not judged right", f64::from(lost), "", 0.0),
            Figure::plain("wait, median", per_mille(&mut waits, 500) / 1_000.0, "s"),
            Figure::plain("wait, the last one", worst, "s"),
            Figure::plain("verdicts a second", (ran + 1.0) / whole.as_secs_f64(), "1/s"),
            // It comes after the runs that go on, and shares with one campaign.
            Figure::at_most("wait in another campaign", seconds, "s", (worst / 4.0).max(2.0)),
            Figure::at_most(
                "printed line on the page, median",
                per_mille(&mut lines, 500),
                "ms",
                100.0,
            ),
            Figure::at_most(
                "printed line on the page, p98",
                per_mille(&mut lines, 980),
                "ms",
                100.0,
            ),
        ],
    )?;
    let problems = crowd.into_iter().chain([other, looker]).flat_map(|it| it.report.problems);
    Ok(problems.chain((lost > 0).then(|| format!("{lost} lost"))).collect())
}

/// Candidates of a new campaign who have started.
async fn open(
    creator: &mut Creator,
    questions: Vec<Question>,
    count: usize,
) -> anyhow::Result<Vec<Candidate>> {
    let settings = Settings {
        title: "Burst".to_owned(),
        zone: "Europe/Paris".to_owned(),
        time_allowed: Ms::from_secs(3_600),
        ..Settings::default()
    };
    let campaign = creator.campaign(&settings, questions).await?;
    let mut all = vec![];
    for added in creator.add(campaign, count).await? {
        let mut candidate = Candidate::open(&creator.browser, &added.code).await?;
        candidate.connect().await?;
        candidate.until("the invitation", |view| !view.row("session").is_null()).await?;
        candidate.start(CPP).await?;
        all.push(candidate);
    }
    Ok(all)
}

/// A question in C++ with so many validators.
async fn cpp(creator: &mut Creator, validators: u32) -> anyhow::Result<Question> {
    let mut all = vec![];
    for n in 0..validators {
        all.push(creator.validator(&format!("{n}"), "40 2\n", "42\n", n == 0).await?);
    }
    let files = vec![SourceFile { name: "main.cpp".to_owned(), text: "// Here.\n".to_owned() }];
    let code = Code {
        languages: vec![Language::Cpp],
        starters: vec![Starter { language: Language::Cpp, files }],
        validators: all,
        ..Code::default()
    };
    let content = Content {
        title: "Sum, again".to_owned(),
        statement: "Print the sum of the two numbers.".to_owned(),
        component: Component::Code(Box::new(code)),
        ..Content::default()
    };
    let content = creator.content(&content).await?;
    let points = Points::from_hundredths(1_000);
    Ok(Question { content, version: 1, points, limit: None })
}

/// Writes a program that nobody else has, so that nobody's is compiled for them.
async fn write(candidate: &mut Candidate, question: u16, n: usize) -> anyhow::Result<()> {
    let program = format!(
        "#include <iostream>\nint main() {{\n  int a, b; // {n}\n  std::cin >> a >> b;\n  \
         std::cout << a + b << '\\n';\n}}\n"
    );
    candidate.load(question).await?;
    let change = candidate.text.replaced(&program);
    candidate.edit(change).await?.map_err(|why| anyhow::anyhow!("{}", why.text))?;
    Ok(())
}

/// Presses Run. Answers how long the verdict took and how many validators passed.
async fn judged(candidate: &mut Candidate) -> anyhow::Result<(Duration, u32)> {
    let began = Instant::now();
    let submission = ask(candidate, CPP, "all").await?;
    let key = format!("run.{submission}");
    let seen = async {
        while candidate.view.row(&key)["state"] != "judged" {
            candidate.step().await?;
        }
        anyhow::Ok(())
    };
    timeout(VERDICT, seen).await.context("a run was never judged")??;
    let passed = candidate.view.row(&key)["passed"].as_u64().unwrap_or(0);
    Ok((began.elapsed(), u32::try_from(passed)?))
}

async fn ask(candidate: &mut Candidate, question: u16, kind: &str) -> anyhow::Result<String> {
    let run = json!({
        "type": "run", "seat": candidate.seat, "question": question, "kind": kind, "stdin": "",
    });
    let answer = candidate.ask(run).await?.map_err(|why| anyhow::anyhow!("{}", why.text))?;
    Ok(answer["submission"].as_str().context("a submission")?.to_owned())
}

/// How long lines take from the program that prints them to the page, in ms: a program prints what
/// time it is, and this is the same machine.
async fn lines(candidate: &mut Candidate) -> anyhow::Result<Vec<f64>> {
    candidate.load(PYTHON).await?;
    let program = format!(
        "import time\nfor _ in range({LINES}):\n    print(time.time() * 1000)\n    time.sleep(0.05)\n"
    );
    let change = candidate.text.replaced(&program);
    candidate.edit(change).await?.map_err(|why| anyhow::anyhow!("{}", why.text))?;
    let submission = ask(candidate, PYTHON, "free").await?;
    let mut socket = Socket::open(&candidate.browser).await?;
    socket.watch(&format!("output.{submission}"), (0, 0)).await?;
    let mut all = vec![];
    let read = async {
        while all.len() < LINES {
            let heard = socket.next().await;
            #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
            let now = SystemClock.now().0 as f64;
            ensure!(!matches!(heard, Heard::Closed(_)), "{heard:?}");
            let Heard::Rows(rows) = heard else { continue };
            for row in rows.rows.iter().filter(|row| row.key == "0.stdout") {
                let printed = row.value["text"].as_str().unwrap_or_default().lines();
                for line in printed {
                    all.push(now - line.parse::<f64>()?);
                }
            }
        }
        anyhow::Ok(())
    };
    timeout(VERDICT, read).await.context("the output never came")??;
    Ok(all)
}
