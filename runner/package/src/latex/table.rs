//! Tables of LaTeX as tables of Markdown. The first row is the head, since Markdown wants one.

use super::{Converter, reader::Reader};

/// Columns at most; what is wider was no table.
const COLUMNS_MAX: usize = 40;

impl Converter {
    pub(super) fn table(&mut self, environment: &str, body: &str) -> String {
        let mut reader = Reader::new(body);
        reader.option();
        if environment.starts_with("tabularx") || environment == "tabular*" {
            reader.argument();
        }
        let columns = alignments(reader.argument());
        let outer = std::mem::replace(&mut self.in_table, true);
        let mut rows: Vec<Vec<String>> =
            rows(reader.rest()).iter().map(|cells| self.row(cells)).collect();
        self.in_table = outer;
        rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
        drawn(&rows, &columns)
    }

    fn row(&mut self, cells: &[&str]) -> Vec<String> {
        let mut row = Vec::new();
        for cell in cells {
            let (text, span) = spanned(cell);
            let text = self.blocks(text).split_whitespace().collect::<Vec<_>>().join(" ");
            row.push(text);
            row.extend(std::iter::repeat_n(String::new(), span.saturating_sub(1)));
        }
        row.truncate(COLUMNS_MAX);
        row
    }
}

/// The text of a cell, and over how many columns it goes.
fn spanned(cell: &str) -> (&str, usize) {
    let mut reader = Reader::new(cell.trim());
    if reader.eat("\\multicolumn") {
        let span = reader.argument().trim().parse().unwrap_or(1);
        reader.argument();
        return (reader.argument(), std::cmp::min(span, COLUMNS_MAX));
    }
    if reader.eat("\\multirow") {
        reader.option();
        reader.argument();
        reader.option();
        reader.argument();
        return (reader.argument(), 1);
    }
    (cell, 1)
}

/// The cells of each row, without lines between rows.
fn rows(body: &str) -> Vec<Vec<&str>> {
    let (mut rows, mut cells, mut start) = (Vec::new(), Vec::new(), body);
    let mut reader = Reader::new(body);
    let until = |start: &'_ str, end: &str| start.len() - end.len();
    loop {
        let here = reader.rest();
        let Some(c) = reader.next() else { break };
        match c {
            '{' => drop(reader.rest_of_group()),
            '&' => {
                cells.push(start.get(..until(start, here)).unwrap_or(""));
                start = reader.rest();
            }
            '\\' => match reader.command() {
                "begin" => {
                    let name = reader.argument();
                    reader.environment(name);
                }
                "\\" | "tabularnewline" => {
                    cells.push(start.get(..until(start, here)).unwrap_or(""));
                    rows.push(std::mem::take(&mut cells));
                    reader.eat("*");
                    reader.option();
                    start = reader.rest();
                }
                _ => {}
            },
            _ => {}
        }
    }
    cells.push(start);
    rows.push(cells);
    rows.into_iter().map(|cells| cells.into_iter().map(without_rules).collect()).collect()
}

/// A cell without the lines above it.
fn without_rules(cell: &str) -> &str {
    let mut reader = Reader::new(cell.trim());
    loop {
        let before = reader.rest();
        let rule = reader.eat("\\").then(|| reader.command());
        match rule {
            Some("hline" | "toprule" | "midrule" | "bottomrule") => {}
            Some("cline" | "cmidrule") => drop(reader.argument()),
            _ => return before,
        }
        reader.take_while(char::is_whitespace);
    }
}

/// How each column is aligned, from `|l|c r|p{3cm}|`.
fn alignments(columns: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut reader = Reader::new(columns);
    while let Some(c) = reader.next() {
        match c {
            'l' | 'X' | 'L' => found.push("---"),
            'c' | 'C' => found.push(":-:"),
            'r' | 'R' | 'S' => found.push("--:"),
            'p' | 'm' | 'b' => {
                reader.argument();
                found.push("---");
            }
            '{' => drop(reader.rest_of_group()),
            '@' | '!' | '>' | '<' => drop(reader.argument()),
            _ => {}
        }
    }
    found
}

fn drawn(rows: &[Vec<String>], columns: &[&'static str]) -> String {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<_> = cells.chain(std::iter::repeat("")).take(width).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut table = String::new();
    for (index, row) in rows.iter().enumerate() {
        table.push_str(&line(&mut row.iter().map(String::as_str)));
        if index == 0 {
            table.push_str(&line(&mut columns.iter().copied().chain(std::iter::repeat("---"))));
        }
    }
    table
}
