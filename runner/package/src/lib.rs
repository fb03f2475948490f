//! Reads a problem package of the ICPC and Kattis format, legacy or 2023-07, into a [`Content`].
//! What is missing or does not exist here is noted in it; only what is unreadable or unsafe is
//! refused. Runs nothing, writes nothing.

mod archive;
mod blobs;
mod cases;
mod comparison;
mod directory;
mod export;
mod groups;
mod latex;
mod limits;
mod markdown;
mod notes;
mod program;
mod refusal;
mod settings;
mod starters;
mod statement;
mod submissions;
mod tree;
mod validator;
mod yaml;

use std::{
    io::{Read, Seek},
    path::Path,
};

use bytes::Bytes;
use domain::{
    blob::Blob,
    content::{Code, Component, Content},
};

pub use export::{Unwritable, write_zip};
pub use refusal::Refusal;
pub use submissions::{Expected, Submission};

use blobs::Blobs;
use notes::Notes;
use settings::Settings;
use statement::Statement;
use tree::{Quota, Tree};

/// How many characters a title has at most.
const TITLE_CHARS_MAX: usize = 200;
/// How many tags a content has at most.
const TAGS_MAX: usize = 32;

/// What came out of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// A draft for as long as its `repairs` are not empty.
    pub content: Content,
    /// The bytes of every blob that the content or a statement names, each once. A statement
    /// names a picture as `![…](blob:<sha256>)`.
    pub blobs: Vec<(Blob, Bytes)>,
    /// A language code and the statement in it as Markdown; English first, as in the content.
    pub statements: Vec<(String, String)>,
    /// What the package knows to be right, wrong, slow or broken, in the order of their paths.
    pub submissions: Vec<Submission>,
}

/// Reads the package in the directory `root`.
pub fn read_directory(root: &Path) -> Result<Imported, Refusal> {
    imported(&directory::read(root, Quota::default())?)
}

/// Reads the package in a zip file, which may have one folder around all.
pub fn read_zip(zip: impl Read + Seek) -> Result<Imported, Refusal> {
    imported(&archive::read(zip, Quota::default())?)
}

fn imported(tree: &Tree) -> Result<Imported, Refusal> {
    let settings = Settings::read(tree)?;
    let (mut notes, mut blobs) = (Notes::default(), Blobs::default());
    let statements = statement::read(tree, &settings, &mut blobs, &mut notes);
    let title = title(tree, &settings, &statements, &mut notes);
    let code = code(tree, &settings, &mut blobs, &mut notes)?;
    let statements: Vec<_> =
        statements.into_iter().map(|one| (one.language, one.markdown)).collect();
    let content = Content {
        title,
        statement: statements.first().map(|(_, text)| text.clone()).unwrap_or_default(),
        tags: settings.tags.into_iter().take(TAGS_MAX).collect(),
        component: Component::Code(Box::new(code)),
        repairs: notes.repairs,
        assumed: notes.assumed,
    };
    let (blobs, submissions) = (blobs.into_all(), submissions::read(tree));
    Ok(Imported { content, blobs, statements, submissions })
}

fn code(
    tree: &Tree,
    settings: &Settings,
    blobs: &mut Blobs,
    notes: &mut Notes,
) -> Result<Code, Refusal> {
    let languages = starters::languages(settings, notes);
    let limits = limits::read(tree, settings, notes);
    let cases = cases::read(tree, settings, blobs, notes)?;
    Ok(Code {
        starters: starters::starters(tree, &languages),
        languages,
        solution: starters::solution(tree),
        limits,
        comparison: cases.comparison,
        validators: cases.validators,
        groups: cases.groups,
        judging: cases.judging,
    })
}

/// The name in the language of the content's statement, or the next best.
fn title(tree: &Tree, settings: &Settings, statements: &[Statement], notes: &mut Notes) -> String {
    let first = statements.first();
    let title = first
        .and_then(|first| settings.name(&first.language))
        .or_else(|| settings.name("en"))
        .or_else(|| first.and_then(|first| first.title.as_deref()))
        .or_else(|| settings.names.first().map(|(_, name)| name.as_str()))
        .unwrap_or(&tree.name);
    if title.is_empty() {
        notes.repair("The package has no name. Give it one.");
        return "Untitled".to_owned();
    }
    title.chars().take(TITLE_CHARS_MAX).collect()
}
