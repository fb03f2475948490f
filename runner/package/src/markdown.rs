//! Markdown of others made ours: no raw HTML, no dead pictures, footnotes where they are named.
//! A Markdown parser says where these are, and the source is edited there.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// How often the source is gone through; each edit may uncover another within it.
const PASSES_MAX: usize = 6;
/// How many bytes of a footnote are taken into the line.
const FOOTNOTE_BYTES_MAX: usize = 1_000;
/// How a picture among the blobs is named in a statement.
pub(crate) const BLOB_SCHEME: &str = "blob:";

/// What to put in the place of a range of the source.
type Edit = (Range<usize>, String);

/// `source` made ours. `picture` gives the address of a picture by its name in the package.
pub(crate) fn tidy(source: &str, picture: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut text = without_samples(source);
    for _ in 0..PASSES_MAX {
        let edits = edits(&text, picture);
        if edits.is_empty() {
            return without_gaps(text.trim());
        }
        text = edited(&text, edits);
    }
    // Something keeps turning up: better an ugly statement than one that runs scripts.
    text.replace('<', "&lt;").trim().to_owned()
}

/// `text` with no more than one blank line in a row, except in code.
fn without_gaps(text: &str) -> String {
    let (mut code, mut blank) = (false, false);
    let mut lines = Vec::new();
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        if code || !blank || !line.trim().is_empty() {
            lines.push(line);
        }
        blank = line.trim().is_empty();
    }
    lines.join("\n")
}

/// `source` without the places where a judging system would put the samples.
fn without_samples(source: &str) -> String {
    let text = source.replace("\r\n", "\n").replace('\0', "");
    text.replace("{{nextsample}}", "").replace("{{remainingsamples}}", "")
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_MATH
        | Options::ENABLE_STRIKETHROUGH
}

fn edits(text: &str, picture: &mut dyn FnMut(&str) -> Option<String>) -> Vec<Edit> {
    let footnotes = footnotes(text);
    let mut named = HashSet::new();
    let mut edits = Vec::new();
    let mut open = None;
    for (event, range) in Parser::new_ext(text, options()).into_offset_iter() {
        let source = text.get(range.clone()).unwrap_or("");
        match event {
            Event::Html(_) | Event::InlineHtml(_) => edits.push((range, without_html(source))),
            Event::InlineMath(_) | Event::DisplayMath(_) => {
                edits.extend(math_without_tags(source).map(|math| (range, math)));
            }
            Event::FootnoteReference(label) => {
                let note = footnotes.get(&*label).filter(|_| !named.contains(&label));
                let before = text.get(..range.start).unwrap_or("");
                let gap = if before.ends_with(char::is_whitespace) { "" } else { " " };
                edits.push((range, note.map_or_else(String::new, |note| format!("{gap}({note})"))));
                named.insert(label);
            }
            Event::Start(Tag::FootnoteDefinition(_)) => edits.push((range, String::new())),
            Event::Start(Tag::Image { dest_url, .. }) if !dest_url.starts_with(BLOB_SCHEME) => {
                open = Some((range, Target::Picture(picture(&dest_url)), String::new()));
            }
            Event::Start(Tag::Link { dest_url, .. }) if !leads_somewhere(&dest_url) => {
                open = Some((range, Target::Nowhere, String::new()));
            }
            Event::End(TagEnd::Image | TagEnd::Link) => {
                edits.extend(open.take().map(|(range, to, words)| (range, to.shown(&words))));
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, _, shown)) = &mut open {
                    shown.push_str(&words);
                }
            }
            Event::Start(_)
            | Event::End(_)
            | Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    edits
}

/// Where a picture or a link leads.
enum Target {
    Picture(Option<String>),
    Nowhere,
}

impl Target {
    fn shown(self, words: &str) -> String {
        let words = escaped(words);
        match self {
            Self::Picture(Some(address)) => format!("![{words}]({address})"),
            Self::Picture(None) if !words.is_empty() => format!("*{words}*"),
            Self::Picture(None) => String::new(),
            Self::Nowhere => words,
        }
    }
}

/// Plain words, so that they stay plain words.
fn escaped(words: &str) -> String {
    let special = |c| matches!(c, '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '$' | '&' | '!');
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().fold(String::new(), |mut out, c| {
        if special(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// The text of each footnote, in one line.
fn footnotes(text: &str) -> BTreeMap<String, String> {
    let parser = Parser::new_ext(text, options()).into_offset_iter();
    let notes = parser.filter_map(|(event, range)| {
        let Event::Start(Tag::FootnoteDefinition(label)) = event else { return None };
        let (_, note) = text.get(range)?.split_once("]:")?;
        let note = note.split_whitespace().collect::<Vec<_>>().join(" ");
        (note.len() <= FOOTNOTE_BYTES_MAX).then(|| (label.to_string(), note))
    });
    notes.collect()
}

/// HTML as the text that it is; comments are nothing.
fn without_html(source: &str) -> String {
    if source.starts_with("<!--") && source.trim_end().ends_with("-->") {
        return String::new();
    }
    source.replace('<', "\\<")
}

/// A formula in which no `<` looks like a tag; none when there is no such one.
fn math_without_tags(source: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let tag = |next: &char| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?');
        if c == '<' && chars.peek().is_some_and(tag) {
            out.push(' ');
        }
    }
    (out != source).then_some(out)
}

/// Whether an address is one that a statement may lead to.
fn leads_somewhere(address: &str) -> bool {
    let scheme = address.split(['/', '?', '#']).next().and_then(|start| start.split_once(':'));
    scheme.is_none_or(|(scheme, _)| {
        ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// `text` with the edits made; of two that overlap, the outer one.
fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (range, replacement) in edits {
        if range.start >= done {
            out.push_str(text.get(done..range.start).unwrap_or(""));
            out.push_str(&replacement);
            done = range.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or(""));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_of_others_is_made_ours() {
        let cases = [
            ("plain $a < b$ and `<b>`", "plain $a < b$ and `<b>`"),
            ("<script>x</script>", "\\<script>x\\</script>"),
            ("a <b>c</b> d", "a \\<b>c\\</b> d"),
            ("a <!-- secret --> b", "a  b"),
            ("$x<y$", "$x< y$"),
            ("[go](javascript:alert(1))", "go"),
            ("[go](https://kattis.com)", "[go](https://kattis.com)"),
            ("![A cave](cave.png)", "![A cave](blob:1)"),
            ("![A *dark* cave](none.png) x", "*A dark cave* x"),
            ("See.[^1] Then\n\n[^1]: A note\n", "See. (A note) Then"),
            ("```\n<b>\n```", "```\n<b>\n```"),
            ("{{nextsample}}x", "x"),
            ("a\n\n![](none.png)\n\nb", "a\n\nb"),
            ("```\na\n\n\nb\n```\n\n\nc", "```\na\n\n\nb\n```\n\nc"),
        ];
        for (source, expected) in cases {
            assert_eq!(tidied(source), expected, "{source}");
        }
    }

    proptest! {
        #[test]
        fn no_html_is_left(source in r"([a-z<>!/\[\]()*`$^:&\\ \n-]|<b>|<!--|-->|\[\^1\]|\n\n|<script|```){0,60}") {
            let text = tidied(&source);
            let html = Parser::new_ext(&text, options())
                .any(|event| matches!(event, Event::Html(_) | Event::InlineHtml(_)));
            prop_assert!(!html, "{text}");
        }
    }

    fn tidied(source: &str) -> String {
        tidy(source, &mut |name| (name == "cave.png").then(|| "blob:1".to_owned()))
    }
}
