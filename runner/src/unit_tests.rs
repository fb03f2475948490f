//! Answers that are judged by tests: the creator's files and the candidate's become one program.

use anyhow::Context;
use domain::run::Job;

use crate::languages::Tool;

/// `job` with the creator's tests in it, and its tool, which starts at the first of them; `None`
/// if it has no tests. A file of the candidate that is called like one of the tests is left out.
/// Fails if there are none for this language.
pub(crate) fn put_into(job: &Job, tool: &Tool) -> anyhow::Result<Option<(Job, Tool)>> {
    let domain::judging::Judging::UnitTest { .. } = &job.judging else { return Ok(None) };
    let tests = job.judging.tests(job.language).and_then(|tests| {
        let first = tests.files.first()?;
        Some((tests, first))
    });
    let (tests, first) = tests.context("there are no tests for answers in this language")?;
    let mut job = job.clone();
    job.files.retain(|file| !tests.files.iter().any(|test| test.name == file.name));
    job.files.extend(tests.files.iter().cloned());
    Ok(Some((job, tool.starting_at(&first.name))))
}
