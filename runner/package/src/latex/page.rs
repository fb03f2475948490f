//! The Markdown that is written. Escapes what Markdown or a browser would take for its own.

#[derive(Debug)]
pub(super) struct Page {
    out: String,
    /// Whether the page begins at the beginning of a line.
    fresh: bool,
    /// Whether there are only lines, so that paragraphs become spaces.
    one_line: bool,
}

impl Page {
    pub(super) fn fresh() -> Self {
        Self { out: String::new(), fresh: true, one_line: false }
    }

    pub(super) fn within_a_line() -> Self {
        Self { out: String::new(), fresh: false, one_line: true }
    }

    /// An empty page for what goes on where this one is.
    pub(super) fn continued(&self) -> Self {
        Self { out: String::new(), fresh: self.at_line_start(), one_line: self.one_line }
    }

    pub(super) fn finish(self) -> String {
        if self.one_line { self.out } else { self.out.trim_matches('\n').to_owned() }
    }

    fn at_line_start(&self) -> bool {
        if self.out.is_empty() { self.fresh } else { self.out.ends_with('\n') }
    }

    /// One character of plain text.
    pub(super) fn text(&mut self, c: char) {
        let special = match c {
            '\\' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '|' | '~' | '$' | '&' => true,
            '#' | '+' | '-' | '=' => self.at_line_start(),
            '.' | ')' => self.after_a_number(),
            _ => false,
        };
        if special {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    /// Whether the line so far is a number, as in a numbered list.
    fn after_a_number(&self) -> bool {
        let digits = self.out.bytes().rev().take(12).take_while(u8::is_ascii_digit).count();
        let before = self.out.len() - digits;
        digits > 0
            && if before == 0 {
                self.fresh
            } else {
                self.out.get(..before).is_some_and(|s| s.ends_with('\n'))
            }
    }

    /// Markdown as it is.
    pub(super) fn raw(&mut self, markdown: &str) {
        self.out.push_str(markdown);
    }

    /// White space with so many line breaks in it.
    pub(super) fn space(&mut self, breaks: usize) {
        match breaks {
            2.. if !self.one_line => self.paragraph(),
            1 if !self.one_line && !self.at_line_start() => {
                self.out.truncate(self.out.trim_end_matches(' ').len());
                self.out.push('\n');
            }
            _ if self.at_line_start() || self.out.ends_with(' ') => {}
            _ => self.out.push(' '),
        }
    }

    /// Begins a new paragraph.
    pub(super) fn paragraph(&mut self) {
        if self.one_line {
            return self.space(0);
        }
        self.out.truncate(self.out.trim_end_matches([' ', '\n']).len());
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
    }

    /// Begins a new line within the paragraph.
    pub(super) fn line_break(&mut self) {
        if self.one_line {
            self.space(0);
        } else if !self.at_line_start() {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            self.out.push_str("  \n");
        }
    }

    /// Markdown in a paragraph of its own.
    pub(super) fn block(&mut self, markdown: &str) {
        if markdown.trim().is_empty() {
            return;
        }
        self.paragraph();
        self.out.push_str(markdown.trim_matches('\n'));
        self.paragraph();
    }

    /// A formula within the line.
    pub(super) fn formula(&mut self, body: &str) {
        // Two dollars in a row would begin a formula of its own line.
        if self.out.ends_with('$') {
            self.out.push('\u{200b}');
        }
        self.out.push('$');
        self.out.push_str(body);
        self.out.push('$');
    }

    /// `text` as code.
    pub(super) fn code(&mut self, text: &str) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return;
        }
        let fence = "`".repeat(longest_run(&text, '`') + 1);
        let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
        // Two spans in a row would read as one with a longer fence.
        let apart = if self.out.ends_with('`') { "\u{200b}" } else { "" };
        self.out.extend([apart, &fence, pad, &text, pad, &fence]);
    }

    /// `text` between `marks`, which must touch it.
    pub(super) fn marked(&mut self, marks: &str, text: &str) {
        let inner = text.trim();
        if inner.is_empty() || inner.contains('\n') {
            return self.raw(text);
        }
        let (before, after) = text.split_once(inner).unwrap_or(("", ""));
        let apart = if self.out.ends_with('*') { "\u{200b}" } else { "" };
        // An emphasis within an emphasis would otherwise read as a strong one.
        let marks = if marks == "*" && inner.contains('*') { "_" } else { marks };
        self.out.extend([before, apart, marks, inner, marks, after]);
    }
}

/// How many of `wanted` stand in a row at most.
pub(super) fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or(0)
}
