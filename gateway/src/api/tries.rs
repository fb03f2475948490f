//! Runs outside a session: a creator tries validators, a candidate tries the station.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use domain::{
    content::{Component, Content, Language, Limits, SourceFile},
    ids::{SessionId, SubmissionId},
    judging::Judging,
    run::{Input, Job, Outcome, Progress, Verdict},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

use super::{documents, sit::candidate};
use crate::{
    app::{App, Shared},
    caller::Caller,
    error::Refusal,
    limits,
};

/// How many lines of progress may wait for a slow reader.
const LINES_MAX: usize = 256;

pub(crate) async fn languages(State(app): State<Shared>) -> Json<Value> {
    let view = |(language, version): &(Language, String)| json!({ "language": language, "version": version });
    let languages: Vec<Value> = app.languages.iter().map(view).collect();
    Json(json!({ "languages": languages, "isolation": app.node.deps.sandbox.isolation() }))
}

#[derive(Deserialize)]
pub(crate) struct Try {
    document: Content,
    language: Language,
    files: Vec<SourceFile>,
}

/// A line of the answer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Compiling,
    Running { validator: u16 },
    Judged { result: domain::run::ValidatorResult },
    Done { outcome: Outcome },
}

/// Runs a solution against validators that need not be saved yet, and tells how it goes, line by
/// line.
pub(crate) async fn run(
    State(app): State<Shared>,
    caller: Caller,
    Json(asked): Json<Try>,
) -> Result<impl IntoResponse, Refusal> {
    let person = caller.person()?.id;
    if !app.allow(&format!("try {person}"), limits::TRIES).await {
        return Err(Refusal::slow_down());
    }
    let job = job(&app, asked).await?;
    let (lines, read) = mpsc::channel::<Line>(LINES_MAX);
    let mut task = JoinSet::new();
    let app = Arc::clone(&app);
    task.spawn(async move {
        let tell = |progress| {
            if let Some(line) = line_of(progress) {
                lines.try_send(line).ok();
            }
        };
        let outcome = app.node.deps.sandbox.run(&job, &tell).await;
        lines.send(Line::Done { outcome }).await.ok();
    });
    // The task is held by the answer: a reader who leaves ends the run.
    let body = stream::unfold((read, task), |(mut read, task)| async move {
        let line = read.recv().await?;
        let mut text = serde_json::to_vec(&line).expect("lines are plain data");
        text.push(b'\n');
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), (read, task)))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(body)))
}

fn line_of(progress: Progress) -> Option<Line> {
    match progress {
        Progress::Compiling => Some(Line::Compiling),
        Progress::Running { validator } => Some(Line::Running { validator }),
        Progress::Judged(result) => Some(Line::Judged { result }),
        Progress::Output { .. } => None,
    }
}

async fn job(app: &App, asked: Try) -> Result<Job, Refusal> {
    domain::document::Document::check(&asked.document)
        .map_err(|refusal| Refusal::invalid("bad_content", &refusal.to_string()))?;
    documents::Kind::can_be_kept(&asked.document, app)?;
    documents::offered(app, asked.language)?;
    let Component::Code(code) = asked.document.component else {
        return Err(Refusal::invalid("no_code", "a quiz is not run"));
    };
    let mut inputs = vec![];
    for (validator, number) in code.validators.iter().zip(0_u16..) {
        let stdin = app.node.deps.blobs.get(&validator.input.sha256).await?;
        let expected = app.node.deps.blobs.get(&validator.expected.sha256).await?;
        let (Some(stdin), Some(expected)) = (stdin, expected) else {
            let text = format!("the data of “{}” is missing", validator.name);
            return Err(Refusal::invalid("no_data", &text));
        };
        let input = Input::of(&code, validator, number, (stdin, expected));
        inputs.push(Input { streamed: true, ..input });
    }
    let submission = SubmissionId::random();
    Ok(Job {
        submission,
        language: asked.language,
        files: asked.files,
        limits: code.limits,
        inputs,
        judging: code.judging,
    })
}

/// Programs that say hello, in languages that most servers have.
const HELLOS: [(Language, &str); 6] = [
    (Language::Python, "print(\"hello\")\n"),
    (Language::C, "#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n"),
    (Language::Cpp, "#include <cstdio>\nint main() { puts(\"hello\"); }\n"),
    (Language::Javascript, "console.log(\"hello\")\n"),
    (Language::Perl, "print \"hello\\n\";\n"),
    (Language::Bash, "echo hello\n"),
];

/// One real, short program, to see that runs work from this station.
pub(crate) async fn check(
    State(app): State<Shared>,
    caller: Caller,
    Path(session): Path<SessionId>,
) -> Result<Json<Value>, Refusal> {
    candidate(&caller, session)?;
    allow(&app, session).await?;
    let known = |(language, text): &(Language, &str)| {
        let offered = app.languages.iter().any(|(offered, _)| offered == language);
        offered.then(|| (*language, (*text).to_owned()))
    };
    let Some((language, text)) = HELLOS.iter().find_map(known) else {
        return Ok(Json(json!({ "ok": false, "ms": 0, "output": "no language is installed" })));
    };
    let name = language.main_file().to_owned();
    let started = app.now();
    let files = vec![SourceFile { name, text }];
    let outcome = run_once(&app, language, files, b"", Some(b"hello\n")).await;
    let ok = outcome.results.iter().any(|result| result.verdict == Verdict::Accepted);
    let output = outcome.results.first().map(|result| result.stdout.trim().to_owned());
    Ok(Json(json!({ "ok": ok, "ms": app.now() - started, "output": output })))
}

async fn allow(app: &App, session: SessionId) -> Result<(), Refusal> {
    if app.allow(&format!("try {session}"), limits::TRIES).await {
        Ok(())
    } else {
        Err(Refusal::slow_down())
    }
}

async fn run_once(
    app: &App,
    language: Language,
    files: Vec<SourceFile>,
    stdin: &'static [u8],
    expected: Option<&'static [u8]>,
) -> Outcome {
    let input = Input {
        stdin: Bytes::from_static(stdin),
        expected: expected.map(Bytes::from_static),
        streamed: true,
        ..Input::default()
    };
    let (submission, limits) = (SubmissionId::random(), Limits::default());
    let (inputs, judging) = (vec![input], Judging::Compare);
    let job = Job { submission, language, files, limits, inputs, judging };
    app.node.deps.sandbox.run(&job, &|_| {}).await
}

/// The two numbers of the practice question, and their sum.
const PRACTICE_INPUT: &str = "19 23\n";
const PRACTICE_OUTPUT: &str = "42\n";

/// A question to get to know the page with, outside the clock.
pub(crate) async fn practice(
    State(app): State<Shared>,
    caller: Caller,
    Path(session): Path<SessionId>,
) -> Result<Json<Value>, Refusal> {
    candidate(&caller, session)?;
    let general = Language::general();
    let languages = app.languages.iter().filter(|(language, _)| general.contains(language));
    let starters = languages.clone().map(|(language, _)| {
        json!({ "language": language, "files": [{ "name": language.main_file(), "text": "" }] })
    });
    let starters: Vec<Value> = starters.collect();
    let languages: Vec<Value> = languages
        .map(|(language, version)| json!({ "language": language, "version": version }))
        .collect();
    Ok(Json(json!({
        "n": 0,
        "title": "Two numbers",
        "statement": "Read two whole numbers from standard input and print their sum.\n\n\
            This question is for practice: it has no clock, and nobody sees what you write.",
        "points": 0,
        "tags": [],
        "component": {
            "type": "code",
            "languages": languages,
            "starters": starters,
            "limits": Limits::default(),
            "validators": [{
                "name": "Example", "shown": true, "weight": 1,
                "input": PRACTICE_INPUT, "expected": PRACTICE_OUTPUT,
            }],
        },
    })))
}

#[derive(Deserialize)]
pub(crate) struct PracticeRun {
    language: Language,
    files: Vec<SourceFile>,
}

pub(crate) async fn practice_run(
    State(app): State<Shared>,
    caller: Caller,
    Path(session): Path<SessionId>,
    Json(asked): Json<PracticeRun>,
) -> Result<Json<Value>, Refusal> {
    candidate(&caller, session)?;
    allow(&app, session).await?;
    let (stdin, expected) = (PRACTICE_INPUT.as_bytes(), PRACTICE_OUTPUT.as_bytes());
    let outcome = run_once(&app, asked.language, asked.files, stdin, Some(expected)).await;
    let view = |result: &domain::run::ValidatorResult| {
        json!({
            "validator": result.validator, "name": "Example", "shown": true,
            "verdict": result.verdict, "detail": result.detail,
            "cpu_ms": result.cpu_ms, "wall_ms": result.wall_ms,
            "memory_bytes": result.memory_bytes,
            "stdout": result.stdout, "stderr": result.stderr,
        })
    };
    let results: Vec<Value> = outcome.results.iter().map(view).collect();
    Ok(Json(json!({
        "results": results,
        "compiled": outcome.compiled,
        "compiler_output": outcome.compiler_output,
    })))
}
