//! What the commands of a statement become.

use super::{
    Converter,
    page::Page,
    reader::Reader,
    symbols::{accent, accented, symbol},
};

/// A way to set text apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Strong,
    Emphasis,
    Struck,
    Code,
}

/// The style of a command with an argument.
fn style(name: &str) -> Option<Style> {
    Some(match name {
        "textbf" | "strong" => Style::Strong,
        "emph" | "textit" | "textsl" | "underline" | "uline" => Style::Emphasis,
        "sout" | "st" => Style::Struck,
        "texttt" | "t" | "lstinline" | "code" => Style::Code,
        _ => return None,
    })
}

/// The style of a command that holds to the end of its group.
pub(super) fn switch(name: &str) -> Option<Style> {
    Some(match name {
        "bf" | "bfseries" => Style::Strong,
        "it" | "itshape" | "em" | "sl" | "slshape" => Style::Emphasis,
        "tt" | "ttfamily" => Style::Code,
        _ => return None,
    })
}

/// How many arguments a command has that say nothing to a reader.
fn dropped_arguments(name: &str) -> Option<usize> {
    Some(match name {
        "label" | "vspace" | "hspace" | "pagestyle" | "thispagestyle" | "usepackage" | "input"
        | "include" | "bibliographystyle" | "lstset" | "index" | "nocite" | "vskip" | "hskip"
        | "textcolor" | "color" | "fontsize" | "raisebox" | "scalebox" => 1,
        "setlength" | "addtolength" | "setcounter" | "rule" | "definecolor" | "resizebox" => 2,
        _ => return None,
    })
}

impl Converter {
    pub(super) fn command(&mut self, reader: &mut Reader<'_>, page: &mut Page) {
        let name = reader.command();
        if let Some(markdown) = symbol(name) {
            if markdown == " " {
                page.space(0);
            } else {
                page.raw(markdown);
            }
        } else if let Some(style) = style(name) {
            reader.option();
            let text = reader.argument();
            self.styled(style, text, page);
        } else if let Some(mark) = accent(name) {
            let letter = self.inline(reader.argument());
            let mut letters = letter.chars();
            if let Some(first) = letters.next() {
                page.raw(&accented(first, mark));
                page.raw(letters.as_str());
            }
        } else if let Some(count) = dropped_arguments(name) {
            reader.option();
            reader.skip_arguments(count);
        } else {
            self.structure(name, reader, page);
        }
    }

    fn structure(&mut self, name: &str, reader: &mut Reader<'_>, page: &mut Page) {
        match name {
            "begin" => self.environment(reader, page),
            "end" => drop(reader.argument()),
            "problemname" => {
                let title = self.inline(reader.argument());
                self.name = Some(title).filter(|title| !title.is_empty());
                page.paragraph();
            }
            "section" => self.heading("##", reader, page),
            "subsection" => self.heading("###", reader, page),
            "subsubsection" => self.heading("####", reader, page),
            "paragraph" | "subparagraph" => {
                page.paragraph();
                self.styled(Style::Strong, reader.argument(), page);
                page.raw(" ");
            }
            "par" | "bigskip" | "medskip" | "smallskip" => page.paragraph(),
            "\\" | "newline" | "linebreak" => {
                reader.eat("*");
                reader.option();
                page.line_break();
            }
            "(" => self.delimited("\\)", false, reader, page),
            "[" => self.delimited("\\]", true, reader, page),
            "verb" => verbatim(reader, page),
            _ => self.reference(name, reader, page),
        }
    }

    fn reference(&mut self, name: &str, reader: &mut Reader<'_>, page: &mut Page) {
        match name {
            "href" => {
                let (url, text) = (reader.argument(), reader.argument());
                let text = self.inline(text);
                link(url, &text, page);
            }
            "url" | "path" => link(reader.argument(), "", page),
            "footnote" | "footnotetext" => {
                reader.option();
                let text = self.inline(reader.argument());
                page.space(0);
                page.raw(&format!("({text})"));
            }
            "includegraphics" => {
                reader.option();
                picture(reader.argument(), page);
            }
            "illustration" => {
                let (_width, file, caption) =
                    (reader.argument(), reader.argument(), reader.argument());
                picture(file, page);
                self.caption(caption, page);
            }
            "caption" => {
                reader.option();
                let caption = reader.argument();
                self.caption(caption, page);
            }
            // Its argument, if it has one, is a group and is read as such.
            _ => {}
        }
    }

    pub(super) fn styled(&mut self, style: Style, text: &str, page: &mut Page) {
        match style {
            Style::Code => self.code(text, page),
            Style::Strong | Style::Emphasis | Style::Struck => {
                let inner = self.flow(text, Page::within_a_line());
                let marks = match style {
                    Style::Strong => "**",
                    Style::Struck => "~~",
                    Style::Emphasis | Style::Code => "*",
                };
                page.marked(marks, &inner);
            }
        }
    }

    /// Code, with formulas in between, which Markdown cannot have within code.
    fn code(&mut self, text: &str, page: &mut Page) {
        let mut reader = Reader::new(text);
        let mut code = String::new();
        while let Some(c) = reader.next() {
            match c {
                '$' => {
                    page.code(&self.in_cell(&code));
                    code.clear();
                    self.math(&mut reader, page);
                }
                '\\' => code.push_str(&plain(&mut reader)),
                '{' | '}' => {}
                '~' => code.push(' '),
                c => code.push(c),
            }
        }
        page.code(&self.in_cell(&code));
    }

    fn in_cell(&self, code: &str) -> String {
        if self.in_table { code.replace('|', "\\|") } else { code.to_owned() }
    }

    fn heading(&mut self, marks: &str, reader: &mut Reader<'_>, page: &mut Page) {
        reader.option();
        let title = self.inline(reader.argument());
        if !title.is_empty() {
            page.block(&format!("{marks} {title}"));
        }
    }

    fn caption(&mut self, caption: &str, page: &mut Page) {
        let caption = self.inline(caption);
        let mut line = Page::within_a_line();
        line.marked("*", &caption);
        page.block(&line.finish());
    }

    fn delimited(&self, close: &str, display: bool, reader: &mut Reader<'_>, page: &mut Page) {
        if let Some(body) = reader.math(close) {
            self.formula(body, display, page);
        }
    }
}

/// What a command in code stands for: mostly an escaped character.
fn plain(reader: &mut Reader<'_>) -> String {
    match reader.command() {
        "textbackslash" | "\\" => "\\".to_owned(),
        "textasciitilde" => "~".to_owned(),
        name => match symbol(name) {
            Some(markdown) => markdown.trim_start_matches('\\').to_owned(),
            None => String::new(),
        },
    }
}

fn verbatim(reader: &mut Reader<'_>, page: &mut Page) {
    if let Some(mark) = reader.next() {
        page.code(reader.take_while(|c| c != mark && c != '\n'));
        reader.eat(mark.encode_utf8(&mut [0; 4]));
    }
}

/// A link; only its text when it leads nowhere that a statement should.
fn link(url: &str, text: &str, page: &mut Page) {
    let url: String = url.replace('\\', "").split_whitespace().collect();
    let safe = ["http://", "https://", "mailto:"].iter().any(|start| url.starts_with(start));
    let shown = if text.is_empty() { escaped(&url) } else { text.to_owned() };
    if safe && !shown.contains('\n') {
        page.raw(&format!("[{shown}](<{}>)", url.replace(['<', '>'], "")));
    } else {
        page.raw(&shown);
    }
}

fn escaped(text: &str) -> String {
    let mut page = Page::within_a_line();
    text.chars().for_each(|c| page.text(c));
    page.finish()
}

fn picture(file: &str, page: &mut Page) {
    let file = file.trim().replace(['<', '>', '\n', '\\'], "");
    page.block(&format!("![](<{file}>)"));
}
