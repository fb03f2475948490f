//! What compiling costs, and what is saved of it: by the precompiled header, and by keeping what
//! was compiled before.

use std::io::Write;

use bytes::Bytes;
use domain::{
    content::{Language, Limits, SourceFile},
    ids::SubmissionId,
    judging::Judging,
    ports::Sandbox,
    run::{Input, Job, Verdict},
};
use runner::{Config, NamespaceSandbox};
use tokio::time::Instant;

const INPUTS: u16 = 20;
/// With and without in turns, so that what else the machine does hits both.
const ROUNDS: u8 = 5;

fn main() -> anyhow::Result<()> {
    runner::sandbox_main_if_asked();
    tokio::runtime::Runtime::new()?.block_on(bench())
}

async fn bench() -> anyhow::Result<()> {
    let (dir, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let plain = NamespaceSandbox::new(Config::default()).await?;
    let start = Instant::now();
    let keeping = NamespaceSandbox::new(Config::default()).await?.keeping(dir.path(), 512 << 20)?;
    keeping.prepared().await;
    let making = ms(start);
    // The server leaves a processor to itself; a runner alone on two takes both.
    let two = NamespaceSandbox::new(Config { slots: 2, ..Config::default() }).await?;
    let two = two.keeping(other.path(), 512 << 20)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let (mut kept, mut kept_by_two) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        judged(&two, &job(Language::Cpp, &cpp(round), 0)).await?;
        kept_by_two.push(judged(&two, &job(Language::Cpp, &cpp(round), INPUTS)).await?);
        without.push(judged(&plain, &job(Language::Cpp, &cpp(round), 0)).await?);
        with.push(judged(&keeping, &job(Language::Cpp, &cpp(round), 0)).await?);
        kept.push(judged(&keeping, &job(Language::Cpp, &cpp(round), INPUTS)).await?);
    }
    let (without, with, kept) = (median(without), median(with), median(kept));
    let kept_by_two = median(kept_by_two);
    // Name, value, unit, goal, whether it holds.
    let mut figures = vec![
        ("header made in", making, "ms", None),
        ("C++ compiled", without, "ms", None),
        ("C++ compiled with the header", with, "ms", Some(("<= half", with <= without / 2.0))),
        ("C++ kept, 20 tests one by one", kept, "ms", Some(("<= 100", kept <= 100.0))),
        (
            "C++ kept, 20 tests by two slots",
            kept_by_two,
            "ms",
            Some(("<= 100", kept_by_two <= 100.0)),
        ),
    ];
    let java = keeping.languages().iter().any(|(language, _)| *language == Language::Java);
    if java {
        let anew = judged(&keeping, &job(Language::Java, JAVA, 1)).await?;
        let again = judged(&keeping, &job(Language::Java, JAVA, 1)).await?;
        figures.push(("Java compiled and run", anew, "ms", None));
        figures.push(("Java kept and run", again, "ms", None));
    }
    let figures: Vec<_> = figures.into_iter().map(figure).collect();
    let mut out = std::io::stdout();
    for figure in &figures {
        writeln!(out, "{figure}")?;
    }
    std::fs::create_dir_all("target/bench")?;
    std::fs::write("target/bench/compile.json", serde_json::to_vec_pretty(&figures)?)?;
    Ok(())
}

type Figure = (&'static str, f64, &'static str, Option<(&'static str, bool)>);

fn figure((name, value, unit, goal): Figure) -> serde_json::Value {
    let (goal, holds) = goal.map_or((None, None), |(goal, holds)| (Some(goal), Some(holds)));
    serde_json::json!({ "name": name, "value": value, "unit": unit, "goal": goal, "holds": holds })
}

/// Time from handing a job in to its outcome, in ms.
async fn judged(sandbox: &NamespaceSandbox, job: &Job) -> anyhow::Result<f64> {
    let start = Instant::now();
    let outcome = sandbox.run(job, &|_| ()).await;
    let taken = ms(start);
    let right = outcome.results.iter().all(|result| result.verdict == Verdict::Accepted);
    anyhow::ensure!(outcome.compiled && right, "{outcome:?}");
    Ok(taken)
}

fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().expect("there were rounds")
}

/// A program of each round's own, so that none is kept from another.
fn cpp(round: u8) -> String {
    format!(
        "#include <bits/stdc++.h>\n// {round}\nint main() {{ int a, b; std::cin >> a >> b; \
         std::map<int, std::string> m; m[a] = \"x\"; std::cout << a + b << std::endl; }}\n"
    )
}

const JAVA: &str = "import java.util.*; class Main { public static void main(String[] args) { \
    Scanner in = new Scanner(System.in); System.out.println(in.nextInt() + in.nextInt()); } }";

fn job(language: Language, text: &str, inputs: u16) -> Job {
    let input = |validator| Input {
        validator,
        stdin: Bytes::from_static(b"3 4\n"),
        expected: Some(Bytes::from_static(b"7\n")),
        ..Input::default()
    };
    Job {
        submission: SubmissionId::from_u128(1),
        language,
        files: vec![SourceFile { name: language.main_file().to_owned(), text: text.to_owned() }],
        limits: Limits::default(),
        inputs: (0..inputs).map(input).collect(),
        judging: Judging::Compare,
    }
}
