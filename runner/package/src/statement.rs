//! The statements of a package, one for each language, as Markdown.

use bytes::Bytes;
use domain::blob::Blob;

use crate::{
    blobs::Blobs,
    latex,
    markdown::{self, BLOB_SCHEME},
    notes::Notes,
    settings::Settings,
    tree::Tree,
};

/// Where statements are: in 2023-07, then in the legacy format.
const FOLDERS: [&str; 2] = ["statement", "problem_statement"];
/// How many bytes of a statement are read.
const STATEMENT_BYTES_MAX: usize = 256 * 1024;
/// How many bytes of Markdown a statement may become.
const MARKDOWN_BYTES_MAX: usize = 4 * STATEMENT_BYTES_MAX;
/// What a browser shows as a picture, by the end of its name.
const PICTURES: [&str; 6] = ["png", "jpg", "jpeg", "gif", "svg", "webp"];

/// A statement in one language.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) language: String,
    /// The name that the statement gives its problem.
    pub(crate) title: Option<String>,
    pub(crate) markdown: String,
}

/// A file that holds a statement.
struct Source<'t> {
    folder: &'static str,
    path: &'t str,
    language: String,
    kind: &'t str,
    bytes: &'t Bytes,
}

/// All statements, the English one first: it is the one of the content.
pub(crate) fn read(
    tree: &Tree,
    settings: &Settings,
    blobs: &mut Blobs,
    notes: &mut Notes,
) -> Vec<Statement> {
    let mut sources: Vec<_> = FOLDERS.iter().flat_map(|folder| sources(tree, folder)).collect();
    let english = |source: &Source<'_>| source.language.split(['-', '_']).next() == Some("en");
    // Text before a PDF, and Markdown, which needs the least done to it, before LaTeX.
    let order = |source: &Source<'_>| ["md", "tex", "pdf"].iter().position(|k| *k == source.kind);
    sources.sort_by_key(|source| (!english(source), source.language.clone(), order(source)));
    sources.dedup_by(|later, earlier| later.language == earlier.language);
    if sources.is_empty() {
        notes.repair("There is no statement. Write one.");
    }
    let mut statements = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let mut own = Notes::default();
        let read = statement(tree, settings, source, blobs, &mut own);
        // Only the first is the one of the content, so the others keep no test from using it.
        if index == 0 {
            own.repairs.into_iter().for_each(|repair| notes.repair(repair));
        } else if let Some(repair) = own.repairs.iter().find(|one| !notes.repairs.contains(one)) {
            let language = &source.language;
            notes.assume(format!("the statement in “{language}” as it is, though: {repair}"));
        }
        statements.extend(read);
    }
    statements
}

fn sources<'t>(tree: &'t Tree, folder: &'static str) -> Vec<Source<'t>> {
    let source = |(path, bytes): (&'t str, &'t Bytes)| {
        let name = path.strip_prefix(folder)?.strip_prefix("/problem.")?;
        let (language, kind) = name.rsplit_once('.').unwrap_or(("en", name));
        let language = language.to_owned();
        let known = matches!(kind, "tex" | "md" | "pdf") && !language.contains(['/', '.']);
        known.then_some(Source { folder, path, language, kind, bytes })
    };
    tree.below(folder).filter_map(source).collect()
}

fn statement(
    tree: &Tree,
    settings: &Settings,
    source: &Source<'_>,
    blobs: &mut Blobs,
    notes: &mut Notes,
) -> Option<Statement> {
    if source.kind == "pdf" {
        notes.repair("The statement is a PDF, which cannot be shown here. Write it as text.");
        return None;
    }
    if source.bytes.len() > STATEMENT_BYTES_MAX {
        return too_long(notes);
    }
    let text = String::from_utf8_lossy(source.bytes);
    if text.contains('\u{fffd}') {
        notes.repair(format!("“{}” is not in UTF-8. Look for the signs “\u{fffd}”.", source.path));
    }
    let text = settings.with_constants(text.trim_start_matches('\u{feff}'));
    if text.len() > STATEMENT_BYTES_MAX {
        return too_long(notes);
    }
    let (title, text) = match source.kind {
        "tex" => from_latex(&text, notes),
        _ => (None, text),
    };
    let markdown =
        markdown::tidy(&text, &mut |name| picture(tree, source.folder, name, blobs, notes));
    if markdown.len() > MARKDOWN_BYTES_MAX {
        return too_long(notes);
    }
    if markdown.is_empty() {
        notes.repair("The statement is empty. Write one.");
    }
    Some(Statement { language: source.language.clone(), title, markdown })
}

fn too_long(notes: &mut Notes) -> Option<Statement> {
    let kib = STATEMENT_BYTES_MAX / 1024;
    notes.repair(format!("The statement is longer than {kib} KiB. Shorten it."));
    None
}

fn from_latex(text: &str, notes: &mut Notes) -> (Option<String>, String) {
    let plain = text.lines().find_map(|line| line.trim().strip_prefix("%% plainproblemname:"));
    let converted = latex::convert(text);
    converted.repairs.into_iter().for_each(|repair| notes.repair(repair));
    let title = plain.map(|name| name.trim().to_owned()).or(converted.name);
    (title, converted.markdown)
}

/// The address of a picture that the statement names; a repair if there is none.
fn picture(
    tree: &Tree,
    folder: &str,
    name: &str,
    blobs: &mut Blobs,
    notes: &mut Notes,
) -> Option<String> {
    let name = name.trim_start_matches("./");
    let named = format!("{folder}/{name}");
    let ends = PICTURES.iter().map(|end| format!("{named}.{end}"));
    let known = PICTURES.iter().any(|end| name.to_ascii_lowercase().ends_with(&format!(".{end}")));
    let found = std::iter::once(named.clone())
        .filter(|_| known)
        .chain(ends)
        .find_map(|path| tree.get(&path));
    if let Some(bytes) = found {
        let Blob { sha256, .. } = blobs.add(bytes);
        return Some(format!("{BLOB_SCHEME}{sha256}"));
    }
    let pdf =
        name.to_ascii_lowercase().ends_with(".pdf") || tree.get(&format!("{named}.pdf")).is_some();
    notes.repair(if pdf {
        format!("The picture “{name}” is a PDF, which cannot be shown here. Add it as PNG or SVG.")
    } else {
        format!("The picture “{name}” is not in the package. Add it, or leave it out.")
    });
    None
}
