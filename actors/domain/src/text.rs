//! Changes of a text, as an editor makes them: applied, and rebased over one another.
//!
//! The wire form is CodeMirror's `ChangeSet.toJSON()`: a list where a number keeps so many
//! characters and `[deleted, "line", …]` replaces so many by those lines. Positions count UTF-16
//! units, as JavaScript does.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// One step over a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Keep(u32),
    Delete(u32),
    Insert(String),
}

/// A change of a whole text, from its first character to its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Step>);

/// A change that was made for another text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the change does not fit the text")]
pub struct Misfit;

/// The length of `text` in UTF-16 units.
pub fn utf16_len(text: &str) -> u32 {
    u32::try_from(text.chars().map(char::len_utf16).sum::<usize>()).unwrap_or(u32::MAX)
}

impl Changes {
    /// Replaces the whole of `old` by `new`.
    pub fn replace(old: &str, new: &str) -> Self {
        let mut changes = Self::default();
        changes.push(Step::Delete(utf16_len(old)));
        changes.push(Step::Insert(new.to_owned()));
        changes
    }

    /// Inserts `new` at `at` of a text of `length` units. Panics if `at` is behind its end.
    pub fn insert(length: u32, at: u32, new: &str) -> Self {
        let mut changes = Self::default();
        changes.push(Step::Keep(at));
        changes.push(Step::Insert(new.to_owned()));
        changes.push(Step::Keep(length.checked_sub(at).expect("a place in the text")));
        changes
    }

    /// The text after the change. A character outside the basic plane is two units; a change that
    /// cuts one in half does not fit.
    pub fn apply(&self, text: &str) -> Result<String, Misfit> {
        let mut rest = text;
        let mut changed = String::with_capacity(text.len() + self.inserted_bytes());
        for step in &self.0 {
            match step {
                Step::Keep(units) => {
                    let (kept, after) = split_at_utf16(rest, *units)?;
                    changed.push_str(kept);
                    rest = after;
                }
                Step::Delete(units) => rest = split_at_utf16(rest, *units)?.1,
                Step::Insert(new) => changed.push_str(new),
            }
        }
        if rest.is_empty() { Ok(changed) } else { Err(Misfit) }
    }

    /// The same change for a text to which `other`, made at the same time, was applied before.
    /// Where both insert, `other`'s comes first. What `other` deleted cannot be deleted again.
    pub fn rebase(&self, other: &Self) -> Result<Self, Misfit> {
        let mut rebased = Self::default();
        let (mut ours, mut theirs) = (Walk::new(&self.0), Walk::new(&other.0));
        loop {
            match (ours.peek(), theirs.peek()) {
                (_, Some(Step::Insert(new))) => {
                    rebased.push(Step::Keep(utf16_len(new)));
                    theirs.skip();
                }
                (Some(Step::Insert(new)), _) => {
                    rebased.push(Step::Insert(new.clone()));
                    ours.skip();
                }
                (Some(our_step), Some(their_step)) => {
                    let units = ours.left().min(theirs.left());
                    match (our_step, their_step) {
                        (Step::Keep(_), Step::Keep(_)) => rebased.push(Step::Keep(units)),
                        (Step::Delete(_), Step::Keep(_)) => rebased.push(Step::Delete(units)),
                        _ => {}
                    }
                    ours.take(units);
                    theirs.take(units);
                }
                (None, None) => return Ok(rebased),
                (Some(_), None) | (None, Some(_)) => return Err(Misfit),
            }
        }
    }

    /// How many bytes it brings in.
    pub fn inserted_bytes(&self) -> usize {
        let bytes = |step: &Step| if let Step::Insert(new) = step { new.len() } else { 0 };
        self.0.iter().map(bytes).sum()
    }

    /// How many characters it brings in.
    pub fn inserted_chars(&self) -> usize {
        let chars =
            |step: &Step| if let Step::Insert(new) = step { new.chars().count() } else { 0 };
        self.0.iter().map(chars).sum()
    }

    /// Adds a step, joined to the last one where they are alike.
    fn push(&mut self, step: Step) {
        match (self.0.last_mut(), step) {
            (_, Step::Keep(0) | Step::Delete(0)) => {}
            (_, Step::Insert(new)) if new.is_empty() => {}
            (Some(Step::Keep(last)), Step::Keep(units))
            | (Some(Step::Delete(last)), Step::Delete(units)) => *last = last.saturating_add(units),
            (Some(Step::Insert(last)), Step::Insert(new)) => last.push_str(&new),
            (_, step) => self.0.push(step),
        }
    }
}

/// Walks over steps, part by part.
struct Walk<'a> {
    steps: &'a [Step],
    taken: u32,
}

impl<'a> Walk<'a> {
    fn new(steps: &'a [Step]) -> Self {
        Self { steps, taken: 0 }
    }

    fn peek(&self) -> Option<&'a Step> {
        self.steps.first()
    }

    fn skip(&mut self) {
        self.steps = self.steps.get(1..).unwrap_or_default();
        self.taken = 0;
    }

    /// What is left of a step that keeps or deletes.
    fn left(&self) -> u32 {
        match self.peek() {
            Some(Step::Keep(units) | Step::Delete(units)) => units.saturating_sub(self.taken),
            Some(Step::Insert(_)) | None => 0,
        }
    }

    fn take(&mut self, units: u32) {
        if self.left() == units {
            self.skip();
        } else {
            self.taken += units;
        }
    }
}

fn split_at_utf16(text: &str, units: u32) -> Result<(&str, &str), Misfit> {
    let mut left = units as usize;
    for (at, c) in text.char_indices() {
        if left == 0 {
            return Ok(text.split_at(at));
        }
        left = left.checked_sub(c.len_utf16()).ok_or(Misfit)?;
    }
    if left == 0 { Ok((text, "")) } else { Err(Misfit) }
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut steps = self.0.iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Keep(units) => list.serialize_element(units)?,
                Step::Delete(units) => {
                    let new = match steps.peek() {
                        Some(Step::Insert(new)) => Some(new.as_str()),
                        Some(Step::Keep(_) | Step::Delete(_)) | None => None,
                    };
                    if new.is_some() {
                        steps.next();
                    }
                    list.serialize_element(&Replaced(*units, new))?;
                }
                Step::Insert(new) => list.serialize_element(&Replaced(0, Some(new)))?,
            }
        }
        list.end()
    }
}

struct Replaced<'a>(u32, Option<&'a str>);

impl Serialize for Replaced<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element(&self.0)?;
        for line in self.1.into_iter().flat_map(|new| new.split('\n')) {
            list.serialize_element(line)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Changes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut changes = Self::default();
        for Section { kept, deleted, inserted } in Vec::<Section>::deserialize(deserializer)? {
            changes.push(Step::Keep(kept));
            changes.push(Step::Delete(deleted));
            changes.push(Step::Insert(inserted));
        }
        // They are kept, many of them, for long.
        changes.0.shrink_to_fit();
        Ok(changes)
    }
}

#[derive(Default)]
struct Section {
    kept: u32,
    deleted: u32,
    inserted: String,
}

impl<'de> Deserialize<'de> for Section {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Section;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a list of a number and lines")
            }

            fn visit_u64<E: serde::de::Error>(self, kept: u64) -> Result<Section, E> {
                let kept = u32::try_from(kept).map_err(|_| E::custom("too long"))?;
                Ok(Section { kept, ..Section::default() })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Section, A::Error> {
                let no_count = || A::Error::custom("a replacement begins with a number");
                let deleted = list.next_element()?.ok_or_else(no_count)?;
                let mut lines = Vec::<String>::new();
                while let Some(line) = list.next_element()? {
                    lines.push(line);
                }
                Ok(Section { deleted, inserted: lines.join("\n"), ..Section::default() })
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn from_json(json: &str) -> Changes {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_change_reads_as_codemirror_writes_it() {
        let changes = from_json(r#"[2,[3,"a","b"],[1],1,[0,"c"]]"#);
        assert_eq!(changes.apply("xx___-y").unwrap(), "xxa\nbyc");
        assert_eq!(serde_json::to_string(&changes).unwrap(), r#"[2,[3,"a","b"],[1],1,[0,"c"]]"#);
    }

    #[test]
    fn positions_count_utf16_units() {
        assert_eq!(from_json(r#"[2,[0,"!"],1]"#).apply("😀x").unwrap(), "😀!x");
        assert_eq!(from_json(r#"[1,[0,"!"],2]"#).apply("😀x"), Err(Misfit));
    }

    #[test]
    fn a_change_for_a_longer_or_shorter_text_does_not_fit() {
        assert_eq!(from_json("[3]").apply("ab"), Err(Misfit));
        assert_eq!(from_json("[1]").apply("ab"), Err(Misfit));
    }

    #[test]
    fn an_edit_rebased_over_another_keeps_both() {
        let theirs = from_json(r#"[0,[0,"them "],5]"#);
        let ours = from_json(r#"[5,[0," us"]]"#);
        let after = theirs.apply("hello").unwrap();
        assert_eq!(ours.rebase(&theirs).unwrap().apply(&after).unwrap(), "them hello us");
    }

    /// A text and a change that fits it.
    fn change_of(length: u32) -> impl Strategy<Value = Changes> {
        prop::collection::vec((0..=length, 0..=length, "[a-z\n]{0,4}"), 0..4).prop_map(
            move |parts| {
                let mut changes = Changes::default();
                let mut at = 0;
                for (keep, delete, new) in parts {
                    let keep = keep.min(length - at);
                    let delete = delete.min(length - at - keep);
                    at += keep + delete;
                    changes.push(Step::Keep(keep));
                    changes.push(Step::Delete(delete));
                    changes.push(Step::Insert(new));
                }
                changes.push(Step::Keep(length - at));
                changes
            },
        )
    }

    proptest! {
        #[test]
        fn a_rebased_change_fits_and_keeps_everything_inserted(
            ours in change_of(12), theirs in change_of(12)
        ) {
            let text = "abcdefghijkl";
            let after = theirs.apply(text).unwrap();
            let both = ours.rebase(&theirs).unwrap().apply(&after).unwrap();
            let inserted = ours.inserted_bytes() + theirs.inserted_bytes();
            prop_assert!(both.len() >= inserted);
            prop_assert!(ours.rebase(&theirs).is_ok());
        }

        #[test]
        fn a_change_survives_the_wire(changes in change_of(12)) {
            let json = serde_json::to_string(&changes).unwrap();
            let read: Changes = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.apply("abcdefghijkl"), changes.apply("abcdefghijkl"));
        }
    }
}
