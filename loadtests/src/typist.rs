//! A text that somebody types, kept as the page keeps it: in UTF-16 units. It shares no code with
//! the server, so that the two check each other.

use fastrand::Rng;
use serde_json::{Value, json};

/// One file, as its candidate has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    units: Vec<u16>,
    pub rev: u32,
}

/// A change of a text, with the text after it.
#[derive(Clone, Debug)]
pub struct Change {
    /// As CodeMirror writes it.
    pub json: Value,
    pub caret: usize,
    pub after: Vec<u16>,
}

/// From this length on more is deleted than typed.
const LONG: usize = 3_000;

const WORDS: [&str; 12] = [
    "x",
    "é",
    "😀",
    "𝒳 = 1",
    "return ",
    "for i in range(n):\n    ",
    "\n",
    "ß",
    "print(total)\n",
    "👩‍🚀",
    "漢字",
    "\t",
];

impl Text {
    pub fn new(text: &str, rev: u32) -> Self {
        Self { units: text.encode_utf16().collect(), rev }
    }

    /// Deletes a little and types a little, at one or two random places.
    pub fn typed(&self, random: &mut Rng) -> Change {
        let mut json = vec![];
        let mut after = vec![];
        let mut at = 0;
        for _ in 0..random.usize(1..=2) {
            let keep_to = self.boundary(random.usize(at..=self.units.len()));
            let delete_max = if self.units.len() > LONG { 80 } else { 3 };
            let delete_to =
                self.boundary((keep_to + random.usize(0..=delete_max)).min(self.units.len()));
            let words = (0..random.usize(0..=3)).map(|_| WORDS[random.usize(..WORDS.len())]);
            let new: String = words.collect();
            push(&mut json, keep_to - at, delete_to - keep_to, &new);
            after.extend_from_slice(&self.units[at..keep_to]);
            after.extend(new.encode_utf16());
            at = delete_to;
        }
        let caret = after.len();
        push(&mut json, self.units.len() - at, 0, "");
        after.extend_from_slice(&self.units[at..]);
        Change { json: Value::Array(json), caret, after }
    }

    /// Types `new` at the end.
    pub fn appended(&self, new: &str) -> Change {
        let mut json = vec![];
        push(&mut json, self.units.len(), 0, "");
        push(&mut json, 0, 0, new);
        let after: Vec<u16> = self.units.iter().copied().chain(new.encode_utf16()).collect();
        Change { json: Value::Array(json), caret: after.len(), after }
    }

    /// Replaces everything by `new`.
    pub fn replaced(&self, new: &str) -> Change {
        let mut json = vec![];
        push(&mut json, 0, self.units.len(), new);
        let after: Vec<u16> = new.encode_utf16().collect();
        Change { json: Value::Array(json), caret: after.len(), after }
    }

    /// The change was taken, as revision `rev`.
    pub fn take(&mut self, change: Change, rev: u32) {
        (self.units, self.rev) = (change.after, rev);
    }

    /// The text. Panics if a change has cut a character in half.
    pub fn text(&self) -> String {
        String::from_utf16(&self.units).expect("no character is cut in half")
    }

    /// The next place at or after `at` that is not within a character.
    fn boundary(&self, at: usize) -> usize {
        let is_low = self.units.get(at).is_some_and(|unit| (0xDC00..0xE000).contains(unit));
        at + usize::from(is_low)
    }
}

fn push(json: &mut Vec<Value>, keep: usize, delete: usize, new: &str) {
    if keep > 0 {
        json.push(json!(keep));
    }
    if delete > 0 || !new.is_empty() {
        let mut section = vec![json!(delete)];
        if !new.is_empty() {
            section.extend(new.split('\n').map(|line| json!(line)));
        }
        json.push(Value::Array(section));
    }
}

#[cfg(test)]
mod tests {
    use domain::text::Changes;

    use super::*;

    #[test]
    fn the_server_and_the_typist_come_to_the_same_text() {
        let mut random = Rng::with_seed(7);
        let mut text = Text::new("print('😀')\n", 0);
        for rev in 1..2_000 {
            let change = text.typed(&mut random);
            let theirs: Changes = serde_json::from_value(change.json.clone()).unwrap();
            let applied = theirs.apply(&text.text()).unwrap();
            text.take(change, rev);
            assert_eq!(applied, text.text());
        }
    }
}
