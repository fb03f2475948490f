//! Abbreviations that a statement defines for itself: `\newcommand{\maxn}{10^5}`.
//! Those without arguments are put in, since the formulas that use them are not read here.

use super::reader::Reader;

/// How many bytes a statement may grow to through its own abbreviations.
const EXPANDED_BYTES_MAX: usize = 512 * 1024;
/// How many abbreviations are looked at.
const MACROS_MAX: usize = 64;

/// `source` without definitions, and with what they define in its place.
pub(super) fn expand(source: &str) -> String {
    let mut macros = Vec::new();
    let mut text = String::with_capacity(source.len());
    let mut reader = Reader::new(source);
    while let Some(c) = reader.next() {
        if c == '\\' {
            match definition(&mut reader) {
                Some((name, body)) if !name.is_empty() => macros.push((name, body)),
                Some(_) => {}
                None => copy_command(&mut reader, &mut text),
            }
        } else {
            text.push(c);
        }
    }
    macros.truncate(MACROS_MAX);
    // The last first: a definition may use those before it.
    macros.iter().rev().fold(text, |text, (name, body)| put_in(&text, name, body))
}

/// A definition after its backslash. Its name is empty when it has arguments and is not put in.
fn definition<'t>(reader: &mut Reader<'t>) -> Option<(&'t str, &'t str)> {
    let mut ahead = Reader::new(reader.rest());
    let found = match ahead.command() {
        "newcommand" | "renewcommand" | "providecommand" => {
            let name = ahead.argument();
            let arguments = ahead.option();
            ahead.option();
            (name, arguments.is_none(), ahead.argument())
        }
        "def" if ahead.eat("\\") => {
            let name = ahead.command();
            let parameters = ahead.take_while(|c| c != '{' && c != '\n');
            (name, parameters.is_empty(), ahead.argument())
        }
        _ => return None,
    };
    *reader = ahead;
    let (name, plain, body) = found;
    let name = name.trim().trim_start_matches('\\');
    let letters = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic());
    Some((if plain && letters { name } else { "" }, body))
}

fn copy_command(reader: &mut Reader<'_>, text: &mut String) {
    text.push('\\');
    let name = reader.take_while(|c| c.is_ascii_alphabetic());
    text.push_str(name);
    if name.is_empty() {
        text.extend(reader.next());
    }
}

fn put_in(source: &str, name: &str, body: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut reader = Reader::new(source);
    while let Some(c) = reader.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        let mut ahead = Reader::new(reader.rest());
        let same = ahead.take_while(|c| c.is_ascii_alphabetic()) == name;
        if same && text.len() + body.len() < EXPANDED_BYTES_MAX {
            text.extend(["{", body, "}"]);
            reader = ahead;
        } else {
            copy_command(&mut reader, &mut text);
        }
    }
    text
}
