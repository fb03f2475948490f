//! Looking for languages on this machine.

use std::{
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use domain::content::Language;

use super::{Row, TABLE, Tool};

/// Where tools may be.
const BIN: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// Looks for all languages. A tool counts when it answers with a version; of two rows of a
/// language, the first.
pub(crate) fn detect() -> Vec<(Language, Tool)> {
    // Some take half a second to say who they are.
    let found: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = TABLE.iter().map(|row| scope.spawn(|| find(row))).collect();
        asked.into_iter().map(|thread| thread.join().expect("looking never panics")).collect()
    });
    let tool = |language| {
        let mut tools = found.iter().flatten().filter(|tool| tool.row.language == language);
        tools.next().cloned().map(|tool| (language, tool))
    };
    Language::ALL.into_iter().filter_map(tool).collect()
}

fn find(row: &'static Row) -> Option<Tool> {
    let tools = row.tools.split(' ').map(|names| {
        let (name, path) = names.split('|').find_map(|name| Some((name, real_path(name)?)))?;
        Some((names.split('|').next().unwrap_or(name), name, path))
    });
    let tools: Vec<_> = tools.collect::<Option<_>>()?;
    let (_, name, path) = tools.first()?;
    let said = ask(path, row.question)?;
    // Static programs start in half the time; not every machine has the libraries for it.
    let has = |library: &str| {
        let said = ask(path, &format!("-print-file-name={library}"));
        said.is_some_and(|place| Path::new(place.trim()).is_absolute())
    };
    let links_statically = row.compile.contains("{static}")
        && has("libc.a")
        && (!name.ends_with("++") || has("libstdc++.a"));
    let version = shown(row, name, number(&said)?);
    let paths: Vec<_> = tools.iter().map(|(first, _, path)| (*first, path.clone())).collect();
    let files = paths.iter().map(|(_, path)| identity(path)).collect::<Option<Vec<_>>>()?;
    let identity = format!("{said}\n{}", files.join("\n"));
    Some(Tool { row, paths, version, identity, links_statically, first: None })
}

fn real_path(name: &str) -> Option<PathBuf> {
    let paths = BIN.into_iter().filter_map(|dir| Path::new(dir).join(name).canonicalize().ok());
    paths.into_iter().find(|path| path.starts_with("/usr"))
}

fn shown(row: &Row, name: &str, number: &str) -> String {
    match row.name {
        // "C (gcc 12.2.0)", where more than one tool will do.
        of if of.contains("({})") => of.replace("{}", &format!("{name} {number}")),
        of if of.contains("{}") => of.replace("{}", number),
        of => format!("{of} {number}"),
    }
}

/// The first thing in a tool's answer that is a version: "12.2.0" of "gcc (Debian 12.2.0-14)".
pub(super) fn number(said: &str) -> Option<&str> {
    said.split_whitespace().find_map(|word| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        let number = word.get(..end)?.trim_end_matches('.');
        number.contains('.').then_some(number)
    })
}

/// Tells a tool from the one that an update puts in its place under the same version.
fn identity(path: &Path) -> Option<String> {
    let file = path.metadata().ok()?;
    Some(format!("{} {} {}.{}", path.display(), file.len(), file.mtime(), file.mtime_nsec()))
}

/// What `tool` says to `question`, on standard output or else on standard error.
fn ask(tool: &Path, question: &str) -> Option<String> {
    let (arguments, input) = question.split_once('<').unwrap_or((question, ""));
    let mut command = Command::new(tool);
    command.args(arguments.split_whitespace()).env_clear().env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    // One that answers without reading is content too; a pipe holds what is asked.
    child.stdin.take()?.write_all(input.as_bytes()).ok();
    let answer = child.wait_with_output().ok().filter(|answer| answer.status.success())?;
    let said = if answer.stdout.is_empty() { answer.stderr } else { answer.stdout };
    String::from_utf8(said).ok()
}
