//! Reads LaTeX source piece by piece. What is never closed reaches to the end.

use std::borrow::Cow;

/// How many characters a formula has at most, so that a lone `$` costs little.
const FORMULA_CHARS_MAX: usize = 2_000;
/// How many characters an argument in brackets has at most, likewise.
const OPTION_CHARS_MAX: usize = 500;
/// Environments whose text is taken as it stands.
pub(super) const VERBATIM: [&str; 3] = ["verbatim", "lstlisting", "alltt"];

#[derive(Debug)]
pub(super) struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    pub(super) fn rest(&self) -> &'t str {
        self.rest
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    pub(super) fn eat(&mut self, start: &str) -> bool {
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next `bytes`, or all that is left.
    pub(super) fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()))
    }

    /// Skips white space, but no blank line: that begins a paragraph.
    pub(super) fn skip_blanks(&mut self) {
        let text = self.rest.trim_start();
        let (blanks, _) = self.rest.split_at(self.rest.len() - text.len());
        if blanks.matches('\n').count() < 2 {
            self.rest = text;
        }
    }

    /// The name of a command after its backslash: letters, or one other character.
    pub(super) fn command(&mut self) -> &'t str {
        let name = self.take_while(|c| c.is_ascii_alphabetic());
        if name.is_empty() {
            let size = self.rest.chars().next().map_or(0, char::len_utf8);
            return self.take(size);
        }
        self.eat("*");
        self.skip_blanks();
        name
    }

    /// An argument: `{…}`, or the next character or command.
    pub(super) fn argument(&mut self) -> &'t str {
        self.skip_blanks();
        if self.eat("{") {
            return self.rest_of_group();
        }
        let start = self.rest;
        if self.eat("\\") {
            self.command();
        } else {
            self.next();
        }
        start.strip_suffix(self.rest).unwrap_or("")
    }

    pub(super) fn skip_arguments(&mut self, count: usize) {
        for _ in 0..count {
            self.argument();
        }
    }

    /// An argument in brackets, if there is one.
    pub(super) fn option(&mut self) -> Option<&'t str> {
        let inside = self.rest.strip_prefix('[')?;
        let mut braces = 0_usize;
        for (at, c) in inside.char_indices().take(OPTION_CHARS_MAX) {
            match c {
                '{' => braces += 1,
                '}' => braces = braces.saturating_sub(1),
                ']' if braces == 0 => {
                    self.rest = inside;
                    let option = self.take(at);
                    self.eat("]");
                    return Some(option);
                }
                _ => {}
            }
        }
        None
    }

    /// What stands before the brace that closes the one already read.
    pub(super) fn rest_of_group(&mut self) -> &'t str {
        let end = closing(self.rest, usize::MAX, |rest| rest.starts_with('}'));
        let group = self.take(end.unwrap_or(self.rest.len()));
        self.eat("}");
        group
    }

    /// A formula up to `close`; none when it is not closed before the paragraph ends.
    pub(super) fn math(&mut self, close: &str) -> Option<&'t str> {
        let end = closing(self.rest, FORMULA_CHARS_MAX, |rest| {
            rest.starts_with(close) || (close == "$" && rest.starts_with("\n\n"))
        })?;
        if !self.rest.get(end..)?.starts_with(close) {
            return None;
        }
        let body = self.take(end);
        self.eat(close);
        Some(body)
    }

    /// The body of the environment `name`, after its `\begin{name}`.
    pub(super) fn environment(&mut self, name: &str) -> &'t str {
        let (open, close) = (format!("\\begin{{{name}}}"), format!("\\end{{{name}}}"));
        let nests = !VERBATIM.contains(&name);
        let (mut depth, mut from) = (0_usize, 0);
        while let Some(found) = self.rest.get(from..).and_then(|ahead| ahead.find('\\')) {
            let at = from + found;
            let ahead = self.rest.get(at..).unwrap_or("");
            if ahead.starts_with(&close) && depth == 0 {
                let body = self.take(at);
                self.eat(&close);
                return body;
            }
            depth = depth.saturating_sub(usize::from(ahead.starts_with(&close)));
            depth += usize::from(nests && ahead.starts_with(&open));
            from = at + 1;
        }
        self.take(self.rest.len())
    }
}

/// Where `is_end` first holds outside of braces and escapes, within `chars`.
fn closing(text: &str, chars: usize, is_end: impl Fn(&str) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut reader = Reader::new(text);
    for _ in 0..chars {
        if depth == 0 && is_end(reader.rest) {
            return Some(text.len() - reader.rest.len());
        }
        match reader.next()? {
            // A brace or a dollar after a backslash is only a character.
            '\\' => drop(reader.next()),
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The source without `% …`, and without the line's end and the indentation that go with it.
pub(super) fn without_comments(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut reader = Reader::new(source);
    while let Some(c) = reader.next() {
        match c {
            '%' => {
                reader.take_while(|c| c != '\n');
                reader.eat("\n");
                reader.take_while(|c| c == ' ' || c == '\t');
                if reader.rest.starts_with('\n') {
                    out.push('\n');
                }
            }
            '\\' => {
                out.push('\\');
                copy_literally(&mut reader, &mut out);
            }
            c => out.push(c),
        }
    }
    out
}

/// Copies what follows a backslash and is no comment: `\%`, `\verb|%|`, a listing.
fn copy_literally(reader: &mut Reader<'_>, out: &mut String) {
    let start = reader.rest;
    let listing = VERBATIM.iter().find(|name| start.starts_with(&format!("begin{{{name}}}")));
    if let Some(name) = listing {
        reader.eat("begin");
        reader.argument();
        reader.environment(name);
    } else if reader.eat("verb") && !reader.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        reader.eat("*");
        let mark = reader.next();
        reader.take_while(|c| Some(c) != mark && c != '\n');
    } else {
        reader.rest = start;
        // Addresses have `%20` in them.
        if (reader.eat("url") || reader.eat("href")) && reader.rest.starts_with('{') {
            reader.argument();
        } else {
            reader.rest = start;
            reader.next();
        }
    }
    out.push_str(start.strip_suffix(reader.rest).unwrap_or(""));
}

/// A formula in one line, with `\text{for $x$}` taken apart: a dollar would end it in Markdown.
pub(super) fn plain_math(body: &str) -> String {
    let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut escaped = false;
    let mut opens = true;
    let pieces = line.chars().map(|c| {
        let dollar = c == '$' && !escaped;
        escaped = c == '\\' && !escaped;
        if !dollar {
            return Cow::Owned(c.to_string());
        }
        opens = !opens;
        Cow::Borrowed(if opens { "\\text{" } else { "}" })
    });
    pieces.collect()
}
