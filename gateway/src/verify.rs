//! `polycode package verify`: whether the submissions of a package come out as it says they do.

use std::{collections::HashMap, fmt::Write, path::Path};

use domain::{
    blob::Blob,
    content::{Code, Component, Language, SourceFile},
    ids::SubmissionId,
    ports::Sandbox,
    run::{Input, Job, Outcome, Verdict},
};
use package::{Expected, Imported, Submission};
use runner::NamespaceSandbox;
use serde::Serialize;

use crate::serve;

/// The time limit is this many times what the slowest accepted submission takes, in whole seconds
/// (`time_multiplier` of the legacy format).
const TIME_MULTIPLIER: u32 = 5;

/// What was found.
#[derive(Default, Serialize)]
struct Report {
    title: String,
    cases: usize,
    submissions: Vec<Line>,
    /// Processor time of the slowest accepted submission, in ms.
    slowest_accepted_ms: Option<u32>,
    time_limit_ms: u32,
    suggested_time_limit_ms: Option<u32>,
    warnings: Vec<String>,
    errors: Vec<String>,
}

/// One submission.
#[derive(Serialize)]
struct Line {
    path: String,
    expected: Vec<&'static str>,
    /// The first verdict that is not `accepted`, in words of the wire.
    got: String,
    is_well: bool,
    /// Its slowest case, in ms of processor time, and which that is.
    slowest_ms: u32,
    slowest_case: String,
}

/// Verifies a package and prints the report. Fails if something is not as it should be.
pub(crate) async fn run(package: &Path, json: bool) -> anyhow::Result<()> {
    let imported = serve::read(package)?;
    let sandbox = NamespaceSandbox::new(runner::Config::default()).await?;
    let report = verified(&imported, &sandbox).await;
    print(&if json { serde_json::to_string_pretty(&report)? } else { report.table() });
    let errors = report.errors.len();
    anyhow::ensure!(errors == 0, "{errors} things in this package are not as they should be");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn print(text: &str) {
    println!("{text}");
}

async fn verified(imported: &Imported, sandbox: &dyn Sandbox) -> Report {
    let Component::Code(code) = &imported.content.component else { return Report::default() };
    let inputs = inputs(imported, code);
    let mut report = Report {
        title: imported.content.title.clone(),
        cases: inputs.len(),
        time_limit_ms: code.limits.cpu_ms,
        errors: imported.content.repairs.clone(),
        warnings: imported.content.assumed.clone(),
        ..Report::default()
    };
    let accepted = |one: &Submission| one.expected.contains(&Expected::Accepted);
    if !imported.submissions.iter().any(accepted) {
        report.warnings.push("There is no accepted submission.".to_owned());
    }
    for submission in &imported.submissions {
        let Some((language, files)) = submission.program.clone() else {
            let path = &submission.path;
            report.warnings.push(format!("“{path}” is in no language that can be run here."));
            continue;
        };
        let outcome = sandbox.run(&job(code, language, files, &inputs), &|_| ()).await;
        report.take(submission, code, &outcome);
    }
    report.suggested_time_limit_ms = report.slowest_accepted_ms.map(suggestion);
    report
}

fn job(code: &Code, language: Language, files: Vec<SourceFile>, inputs: &[Input]) -> Job {
    Job {
        submission: SubmissionId::random(),
        language,
        files,
        limits: code.limits,
        inputs: inputs.to_vec(),
        judging: code.judging.clone(),
    }
}

/// All cases, none of which is left out because another one failed.
fn inputs(imported: &Imported, code: &Code) -> Vec<Input> {
    let blobs: HashMap<_, _> =
        imported.blobs.iter().map(|(blob, bytes)| (blob.sha256.as_str(), bytes)).collect();
    let data = |blob: &Blob| blobs.get(&*blob.sha256).copied().cloned().unwrap_or_default();
    let input = |(one, number): (&domain::content::Validator, u16)| Input {
        stops_with: None,
        streamed: false,
        ..Input::of(code, one, number, (data(&one.input), data(&one.expected)))
    };
    code.validators.iter().zip(0..).map(input).collect()
}

fn suggestion(slowest_ms: u32) -> u32 {
    (slowest_ms * TIME_MULTIPLIER).div_ceil(1_000).max(1) * 1_000
}

impl Report {
    fn take(&mut self, submission: &Submission, code: &Code, outcome: &Outcome) {
        let path = &submission.path;
        let results = if outcome.compiled { &outcome.results[..] } else { &[] };
        let verdicts: Vec<_> = results.iter().map(|result| result.verdict).collect();
        let failed = results.iter().find(|result| result.verdict == Verdict::InternalError);
        let is_well =
            failed.is_none() && submission.expected.iter().any(|one| one.is_met(&verdicts));
        let slowest = results.iter().max_by_key(|result| result.cpu_ms);
        let slowest_ms = slowest.map_or(0, |result| result.cpu_ms);
        let named = slowest.and_then(|result| code.validators.get(usize::from(result.validator)));
        if is_well && submission.expected == [Expected::Accepted] {
            self.slowest_accepted_ms = self.slowest_accepted_ms.max(Some(slowest_ms));
        }
        let line = Line {
            path: path.clone(),
            expected: submission.expected.iter().map(|one| one.name()).collect(),
            got: got(outcome, &verdicts),
            is_well,
            slowest_ms,
            slowest_case: named.map(|one| one.name.clone()).unwrap_or_default(),
        };
        if let Some(failed) = failed {
            let why = format!("{} {}", failed.detail, failed.judge_message);
            self.errors.push(format!("“{path}” could not be judged: {}", why.trim()));
        } else if !is_well {
            let wanted = line.expected.join(" or ");
            self.errors.push(format!("“{path}” is {}, not {wanted}.", line.got));
        }
        self.submissions.push(line);
    }

    fn table(&self) -> String {
        let mut text = format!("{}: {} cases\n\n", self.title, self.cases);
        let width = self.submissions.iter().map(|line| line.path.chars().count()).max();
        let width = width.unwrap_or(0).max("submission".len());
        let mut row = |a: &str, b: &str, c: &str, d: &str, e: &str| {
            writeln!(text, "{a:2} {b:width$}  {c:32} {d:16} {e}").expect("text takes everything");
        };
        row("", "submission", "expected", "got", "slowest");
        for line in &self.submissions {
            let slowest = format!("{} ms ({})", line.slowest_ms, line.slowest_case);
            let sign = if line.is_well { "ok" } else { "!!" };
            row(sign, &line.path, &line.expected.join(", "), &line.got, &slowest);
        }
        let seconds = |ms: u32| f64::from(ms) / 1000.0;
        let limit = seconds(self.time_limit_ms);
        let suggested = self.suggested_time_limit_ms.map(seconds);
        let suggested = suggested.map_or_else(String::new, |s| format!(", {s} s is suggested"));
        write!(text, "\ntime limit {limit} s{suggested}\n").expect("text takes everything");
        for (kind, sentences) in [("warning", &self.warnings), ("error", &self.errors)] {
            for sentence in sentences {
                writeln!(text, "{kind}: {sentence}").expect("text takes everything");
            }
        }
        text
    }
}

fn got(outcome: &Outcome, verdicts: &[Verdict]) -> String {
    let first = verdicts.iter().find(|verdict| **verdict != Verdict::Accepted);
    let verdict = match (outcome.compiled, first) {
        (false, _) => Verdict::CompileError,
        (true, first) => first.copied().unwrap_or(Verdict::Accepted),
    };
    let word = serde_json::to_value(verdict).ok();
    word.as_ref().and_then(|word| word.as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use runner::FakeSandbox;

    use super::*;

    #[tokio::test]
    async fn a_submission_that_is_not_what_it_should_be_is_an_error() {
        // This sandbox accepts whatever is not a script of its own.
        let report = verified(&read("any-order"), &FakeSandbox::new()).await;
        let well: Vec<_> =
            report.submissions.iter().filter(|one| one.is_well).map(|one| &*one.path).collect();
        assert_eq!(well, ["accepted/backwards.py", "accepted/forwards.c"]);
        assert_eq!(report.errors.len(), 4, "{:?}", report.errors);
        assert_eq!(report.errors[1], "“run_time_error/crash.py” is accepted, not run_time_error.");
        assert!(report.table().contains("!! wrong_answer/twice.py"));
        assert_eq!(report.suggested_time_limit_ms, Some(1_000));
    }

    #[tokio::test]
    async fn a_package_without_accepted_submissions_is_warned_of() {
        let mut imported = read("sum");
        imported.submissions.retain(|one| !one.path.starts_with("accepted/"));
        let report = verified(&imported, &FakeSandbox::new()).await;
        assert!(report.warnings.contains(&"There is no accepted submission.".to_owned()));
    }

    #[test]
    fn a_suggested_limit_has_whole_seconds_and_room() {
        assert_eq!([0, 199, 201, 1_000].map(suggestion), [1_000, 1_000, 2_000, 5_000]);
    }

    fn read(name: &str) -> Imported {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../runner/package/fixtures");
        package::read_directory(&folder.join(name)).unwrap()
    }
}
