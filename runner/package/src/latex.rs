//! The LaTeX of problem statements, turned into Markdown with its math left as it is.
//! Takes any text and never fails: of what it does not know it keeps the words.

mod commands;
mod environments;
mod macros;
mod page;
mod reader;
mod symbols;
mod table;

use page::Page;
use reader::Reader;

/// How deep groups and environments are followed; deeper ones are read as plain text, so that the
/// work stays in proportion to the length.
const DEPTH_MAX: usize = 40;

/// What came of a statement.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    /// What `\problemname` says.
    pub(crate) name: Option<String>,
    /// Markdown; pictures are named as in the source.
    pub(crate) markdown: String,
    /// What could not be taken over, as sentences.
    pub(crate) repairs: Vec<String>,
}

/// Turns the body of a LaTeX statement into Markdown.
pub(crate) fn convert(source: &str) -> Converted {
    let mut converter = Converter::default();
    let source = macros::expand(&reader::without_comments(&source.replace("\r\n", "\n")));
    let markdown = converter.blocks(&source);
    Converted { name: converter.name, markdown, repairs: converter.repairs }
}

/// What is known while a statement is gone through.
#[derive(Debug, Default)]
struct Converter {
    name: Option<String>,
    repairs: Vec<String>,
    depth: usize,
    /// In a cell of a table, where `|` ends it.
    in_table: bool,
}

impl Converter {
    /// Paragraphs, lists and the like.
    fn blocks(&mut self, source: &str) -> String {
        let text = self.flow(source, Page::fresh());
        text.trim_end().to_owned()
    }

    /// Text within a line.
    fn inline(&mut self, source: &str) -> String {
        let text = self.flow(source, Page::within_a_line());
        text.trim().to_owned()
    }

    fn flow(&mut self, source: &str, mut page: Page) -> String {
        if self.depth >= DEPTH_MAX {
            source.chars().for_each(|c| page.text(c));
            return page.finish();
        }
        self.depth += 1;
        let mut reader = Reader::new(source);
        while let Some(c) = reader.next() {
            self.token(c, &mut reader, &mut page);
        }
        self.depth -= 1;
        page.finish()
    }

    fn token(&mut self, c: char, reader: &mut Reader<'_>, page: &mut Page) {
        match c {
            '\\' => self.command(reader, page),
            '{' => {
                let group = reader.rest_of_group();
                self.group(group, page);
            }
            '}' => {}
            '$' => self.math(reader, page),
            '~' => page.raw("\u{a0}"),
            '`' => open_quote(reader, page),
            '\'' if reader.eat("'") => page.raw("”"),
            '\'' => page.raw("’"),
            '-' if reader.eat("--") => page.raw("—"),
            '-' if reader.eat("-") => page.raw("–"),
            '<' if reader.eat("<") => page.raw("«"),
            '>' if reader.eat(">") => page.raw("»"),
            c if c.is_whitespace() => {
                let more = reader.take_while(char::is_whitespace);
                let breaks = more.matches('\n').count() + usize::from(c == '\n');
                page.space(breaks);
            }
            c => page.text(c),
        }
    }

    /// `{…}`, which may begin with a switch such as `\bf`.
    fn group(&mut self, group: &str, page: &mut Page) {
        let mut reader = Reader::new(group.trim_start());
        let style = if reader.eat("\\") { commands::switch(reader.command()) } else { None };
        if let Some(style) = style {
            self.styled(style, reader.rest(), page);
        } else {
            let text = self.flow(group, page.continued());
            page.raw(&text);
        }
    }

    fn math(&self, reader: &mut Reader<'_>, page: &mut Page) {
        let display = reader.eat("$");
        match reader.math(if display { "$$" } else { "$" }) {
            Some(body) => self.formula(body, display, page),
            None => page.text('$'),
        }
    }

    fn formula(&self, body: &str, display: bool, page: &mut Page) {
        let mut body = reader::plain_math(body);
        if self.in_table {
            body = body.replace("\\|", "\\Vert ").replace('|', "\\vert ");
        }
        match (body.trim(), display) {
            ("", _) => {}
            (body, true) => page.block(&format!("$${body}$$")),
            (body, false) => page.formula(body),
        }
    }
}

/// A quotation mark, or code by the habits of Markdown: `` `a-z` ``.
fn open_quote(reader: &mut Reader<'_>, page: &mut Page) {
    if reader.eat("`") {
        return page.raw("“");
    }
    let ahead = reader.rest();
    let end = ahead.char_indices().take(80).find(|(_, c)| matches!(c, '`' | '\'' | '\n' | '$'));
    match end {
        Some((end, '`')) if end > 0 && !ahead.get(end..).is_some_and(|s| s.starts_with("``")) => {
            page.code(reader.take(end));
            reader.eat("`");
        }
        _ => page.raw("‘"),
    }
}

#[cfg(test)]
mod tests;
