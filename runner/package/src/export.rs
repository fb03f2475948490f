//! Writes a content as a package of the legacy form, so that reading it again gives the same, as
//! far as the form can say it. What it cannot say is in comments at the head of `problem.yaml`.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
};

use bytes::Bytes;
use domain::{
    blob::Blob,
    content::{Code, Comparison, Component, Content, Limits, Starter, Validator},
    judging::{Judging, Program},
};
use serde_yaml_ng::{Mapping, Value};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{markdown::BLOB_SCHEME, starters};

/// Why a content cannot be written as a package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    #[error("only a question answered by a program can be a problem package")]
    Quiz,
    #[error("a problem package cannot say that answers are judged by unit tests")]
    UnitTests,
    #[error("the data of “{0}” is missing")]
    Missing(String),
}

/// Files of a package by their paths.
type Files = BTreeMap<String, Bytes>;

/// The package of `content` as a zip. `bytes` finds the bytes of a blob by its SHA-256.
pub fn write_zip(
    content: &Content,
    bytes: &dyn Fn(&str) -> Option<Bytes>,
) -> Result<Vec<u8>, Unwritable> {
    let files = files(content, bytes)?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let write = |zip: &mut ZipWriter<_>| -> zip::result::ZipResult<()> {
        for (path, bytes) in &files {
            zip.start_file(path, SimpleFileOptions::default())?;
            zip.write_all(bytes)?;
        }
        Ok(())
    };
    write(&mut zip).expect("memory takes everything, and paths are short");
    Ok(zip.finish().expect("memory takes everything").into_inner())
}

fn files(content: &Content, bytes: &dyn Fn(&str) -> Option<Bytes>) -> Result<Files, Unwritable> {
    let Component::Code(code) = &content.component else { return Err(Unwritable::Quiz) };
    if matches!(code.judging, Judging::UnitTest { .. }) {
        return Err(Unwritable::UnitTests);
    }
    let mut files = Files::new();
    statement(content, bytes, &mut files);
    let names = case_names(code);
    for (validator, name) in code.validators.iter().zip(names) {
        let data = |blob: &Blob| {
            bytes(&blob.sha256).ok_or_else(|| Unwritable::Missing(validator.name.clone()))
        };
        files.insert(format!("data/{name}.in"), data(&validator.input)?);
        files.insert(format!("data/{name}.ans"), data(&validator.expected)?);
        let arguments = arguments_of(code, validator);
        if !arguments.is_empty() {
            let yaml = one("output_validator_args", list(arguments));
            files.insert(format!("data/{name}.yaml"), text(&yaml));
        }
    }
    groups(code, &mut files);
    programs(code, &mut files);
    files.insert("problem.yaml".to_owned(), problem(content, code));
    Ok(files)
}

fn statement(content: &Content, bytes: &dyn Fn(&str) -> Option<Bytes>, files: &mut Files) {
    let mut markdown = content.statement.clone();
    let named: Vec<_> = content.statement.split(BLOB_SCHEME).skip(1).collect();
    for rest in named {
        let Some(sha256) = rest.get(..64) else { continue };
        let Some(picture) = bytes(sha256) else { continue };
        let name = format!("{}.{}", sha256.split_at(16).0, kind_of_picture(&picture));
        markdown = markdown.replace(&format!("{BLOB_SCHEME}{sha256}"), &name);
        files.insert(format!("problem_statement/{name}"), picture);
    }
    files.insert("problem_statement/problem.en.md".to_owned(), markdown.into());
}

fn kind_of_picture(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, ..] => "jpg",
        [b'G', b'I', b'F', ..] => "gif",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        _ => "svg",
    }
}

/// Where each case lies below `data`. Names stay where they are paths, in the order in which they
/// are read again; otherwise a number goes before each.
fn case_names(code: &Code) -> Vec<String> {
    let name = |(index, one): (usize, &Validator), numbered: bool| {
        let folder = folder(code, one);
        let name =
            one.name.strip_prefix(&format!("{}/", group_name(code, one))).unwrap_or(&one.name);
        let name = plain(name);
        if numbered { format!("{folder}/{index:04}-{name}") } else { format!("{folder}/{name}") }
    };
    let all = |numbered| {
        let names = code.validators.iter().enumerate().map(|one| name(one, numbered));
        names.collect::<Vec<_>>()
    };
    let names = all(false);
    let (shown, hidden): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| name.starts_with("sample/"));
    let in_order = |names: &[&String]| {
        names.windows(2).all(|pair| matches!(pair, [a, b] if a.split('/').lt(b.split('/'))))
    };
    if in_order(&shown) && in_order(&hidden) { names } else { all(true) }
}

fn folder(code: &Code, one: &Validator) -> String {
    let group = group_name(code, one);
    match (one.shown, group.is_empty()) {
        (true, _) => "sample".to_owned(),
        (false, true) => "secret".to_owned(),
        (false, false) => format!("secret/{}", plain(group)),
    }
}

fn group_name<'c>(code: &'c Code, one: &Validator) -> &'c str {
    let group = one.group.and_then(|group| code.groups.get(usize::from(group)));
    group.map_or("", |group| group.name.as_str())
}

/// `name` as one part of a path.
fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    name.chars().map(plain).collect()
}

fn arguments_of(code: &Code, one: &Validator) -> Vec<String> {
    match &one.comparison {
        Some(comparison) if code.judging == Judging::Compare => flags(comparison),
        _ => one.arguments.clone(),
    }
}

fn flags(comparison: &Comparison) -> Vec<String> {
    let mut flags = Vec::new();
    let mut flag = |is: bool, name: &str| flags.extend(is.then(|| name.to_owned()));
    flag(comparison.case_sensitive, "case_sensitive");
    flag(comparison.space_change_sensitive, "space_change_sensitive");
    for (tolerance, name) in [
        (comparison.float_absolute, "float_absolute_tolerance"),
        (comparison.float_relative, "float_relative_tolerance"),
    ] {
        flags.extend(tolerance.into_iter().flat_map(|most| [name.to_owned(), most.to_string()]));
    }
    flags
}

fn groups(code: &Code, files: &mut Files) {
    for group in &code.groups {
        let mut yaml = one("range", Value::from(format!("0 {}", group.weight)));
        let how = if group.all_or_nothing { "min" } else { "sum always_accept" };
        yaml.insert("grader_flags".into(), how.into());
        if let Some(program) = code.judging.program().filter(|one| one.full_score > 1) {
            yaml.insert("accept_score".into(), program.full_score.into());
        }
        files.insert(format!("data/secret/{}/testdata.yaml", plain(&group.name)), text(&yaml));
    }
}

fn programs(code: &Code, files: &mut Files) {
    for file in code.judging.program().into_iter().flat_map(|program| &program.files) {
        let path = format!("output_validators/validate/{}", file.name);
        files.insert(path, file.text.clone().into());
    }
    if let Some(Starter { files: sources, .. }) = &code.solution {
        for file in sources {
            let folder = if sources.len() == 1 { "" } else { "solution/" };
            let path = format!("submissions/accepted/{folder}{}", file.name);
            files.insert(path, file.text.clone().into());
        }
    }
    for starter in &code.starters {
        if let ([file], false) = (&starter.files[..], starters::is_usual(starter)) {
            files.insert(format!("attachments/{}", file.name), file.text.clone().into());
        }
    }
}

fn problem(content: &Content, code: &Code) -> Bytes {
    let mut yaml = one("name", content.title.clone().into());
    if !code.groups.is_empty() {
        yaml.insert("type".into(), "scoring".into());
    }
    if !content.tags.is_empty() {
        yaml.insert("keywords".into(), list(content.tags.clone()));
    }
    let validation = match &code.judging {
        Judging::Compare | Judging::UnitTest { .. } => "default".to_owned(),
        Judging::Custom(program) => kind("custom", program),
        Judging::Interactive(program) => kind("custom interactive", program),
    };
    yaml.insert("validation".into(), validation.into());
    let flags = code
        .judging
        .program()
        .map_or_else(|| flags(&code.comparison), |program| program.arguments.clone());
    if !flags.is_empty() {
        yaml.insert("validator_flags".into(), list(flags));
    }
    let languages: Vec<_> =
        code.languages.iter().map(|one| starters::format_name(*one).to_owned()).collect();
    yaml.insert("languages".into(), list(languages));
    yaml.insert("limits".into(), Value::Mapping(limits(code)));
    let lost = lost(code).into_iter().flat_map(|what| ["# Not said here: ", what, ".\n"]);
    let lost: String = lost.collect();
    [lost.into(), text(&yaml)].concat().into()
}

fn kind(kind: &str, program: &Program) -> String {
    let score = if program.full_score > 1 { " score" } else { "" };
    let passes = if program.passes > 1 { " multi-pass" } else { "" };
    format!("{kind}{score}{passes}")
}

fn limits(code: &Code) -> Mapping {
    let seconds = |ms: u32| Value::from(f64::from(ms) / 1000.0);
    let mib = |bytes: u64| Value::from(bytes.div_ceil(1 << 20));
    let mut limits = one("time_limit", seconds(code.limits.cpu_ms));
    limits.insert("memory".into(), mib(code.limits.memory_bytes));
    limits.insert("output".into(), mib(code.limits.output_bytes.into()));
    if let Some(program) = code.judging.program() {
        limits.insert("validation_time".into(), seconds(program.limits.cpu_ms));
        limits.insert("validation_memory".into(), mib(program.limits.memory_bytes));
        if program.passes > 1 {
            limits.insert("validation_passes".into(), program.passes.into());
        }
    }
    limits
}

/// What the form has no word for.
fn lost(code: &Code) -> Vec<&'static str> {
    let usual = Limits::default();
    let weight = |one: &Validator| one.weight == u32::from(!one.shown || code.groups.is_empty());
    let several = |one: &Starter| one.files.len() > 1;
    let cases = [
        (!code.validators.iter().all(weight), "what each case weighs"),
        (code.starters.iter().any(several), "what the editor holds at first, in several files"),
        (code.limits.processes != usual.processes, "how many processes a run may have"),
        (code.limits.disk_bytes != usual.disk_bytes, "how much a run may write"),
    ];
    cases.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect()
}

fn one(key: &str, value: Value) -> Mapping {
    Mapping::from_iter([(Value::from(key), value)])
}

fn list(words: Vec<String>) -> Value {
    Value::Sequence(words.into_iter().map(Value::from).collect())
}

fn text(yaml: &Mapping) -> Bytes {
    serde_yaml_ng::to_string(yaml).expect("words and numbers").into()
}
