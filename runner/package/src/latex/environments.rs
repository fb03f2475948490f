//! What the environments of a statement become.

use super::{
    Converter,
    page::{Page, longest_run},
    reader::{Reader, VERBATIM},
};

impl Converter {
    /// An environment, after its `\begin`.
    pub(super) fn environment(&mut self, reader: &mut Reader<'_>, page: &mut Page) {
        let name = reader.argument();
        let body = reader.environment(name);
        match name.trim_end_matches('*') {
            listing if VERBATIM.contains(&listing) => page.block(&listed(body)),
            "itemize" => self.list(body, |_| "- ".to_owned(), page),
            "enumerate" => self.list(body, |index| format!("{}. ", index + 1), page),
            "description" => self.list(body, |_| "- ".to_owned(), page),
            "quote" | "quotation" | "verse" => {
                let lines: Vec<_> =
                    self.blocks(body).lines().map(|line| format!("> {line}")).collect();
                page.block(&lines.join("\n"));
            }
            "tabular" | "tabularx" | "tabulary" | "longtable" | "array" => {
                let table = self.table(name, body);
                page.block(&table);
            }
            "equation" | "displaymath" | "math" => self.formula(body, true, page),
            "align" | "gather" | "eqnarray" | "multline" => {
                let inner = format!("\\begin{{aligned}}{body}\\end{{aligned}}");
                self.formula(&inner, true, page);
            }
            "comment" => {}
            "tikzpicture" | "asy" | "pspicture" => self.drawing(page),
            "Input" | "Output" | "Interaction" => {
                page.block(&format!("## {name}"));
                self.inside(body, page);
            }
            other => self.inside(without_arguments(other, body), page),
        }
    }

    fn inside(&mut self, body: &str, page: &mut Page) {
        let inner = self.blocks(body);
        page.block(&inner);
    }

    fn drawing(&mut self, page: &mut Page) {
        let repair = "The statement has a drawing made in LaTeX, which cannot be shown here. Add it \
                      as a picture.";
        self.repairs.push(repair.to_owned());
        page.paragraph();
    }

    fn list(&mut self, body: &str, marker: impl Fn(usize) -> String, page: &mut Page) {
        let mut list = String::new();
        for (index, item) in items(body).into_iter().enumerate() {
            let mut reader = Reader::new(item);
            reader.skip_blanks();
            let label = reader.option().map(|label| self.inline(label)).unwrap_or_default();
            let mut text = self.blocks(reader.rest().trim_start());
            if !label.is_empty() {
                text = format!("**{label}** {text}");
            }
            let marker = marker(index);
            let indent = format!("\n{}", " ".repeat(marker.len()));
            list.push_str(&marker);
            list.push_str(&text.replace('\n', &indent).replace(&format!("{indent}\n"), "\n\n"));
            list.push('\n');
        }
        page.block(&list);
    }
}

/// The items of a list, without those of the lists within it.
fn items(body: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth, mut from) = (Vec::new(), None, 0_usize, 0);
    while let Some(found) = body.get(from..).and_then(|ahead| ahead.find('\\')) {
        let at = from + found;
        let mut reader = Reader::new(body.get(at + 1..).unwrap_or(""));
        let name = reader.take_while(|c| c.is_ascii_alphabetic());
        match name {
            "begin" => depth += 1,
            "end" => depth = depth.saturating_sub(1),
            "item" if depth == 0 => {
                items.extend(start.and_then(|start| body.get(start..at)));
                start = Some(at + 1 + name.len());
            }
            _ => {}
        }
        // An escaped backslash begins no command.
        from =
            at + 1 + name.len() + usize::from(reader.rest().starts_with('\\') && name.is_empty());
    }
    items.extend(start.and_then(|start| body.get(start..)));
    items
}

/// Text that is shown as it stands.
fn listed(body: &str) -> String {
    let mut reader = Reader::new(body);
    reader.option();
    let text = reader.rest().trim_matches('\n');
    let fence = "`".repeat((longest_run(text, '`') + 1).max(3));
    format!("{fence}\n{text}\n{fence}")
}

/// The body of an environment without what only says how it is laid out.
fn without_arguments<'t>(name: &str, body: &'t str) -> &'t str {
    let mut reader = Reader::new(body);
    reader.option();
    let count = match name {
        "wrapfigure" | "wraptable" => 2,
        "minipage" | "multicols" | "adjustbox" | "adjustwidth" => 1,
        _ => 0,
    };
    reader.skip_arguments(count);
    reader.rest()
}
