//! What came out of one channel of one run, and what was typed in between: its head and its tail.

use std::collections::VecDeque;

use serde::Serialize;

/// How many bytes of a channel's beginning are kept, give or take a piece…
const HEAD_MAX: usize = 96 * 1024;
/// …and of its end.
const TAIL_MAX: usize = 96 * 1024;
/// How long a piece is at most that is read again: as JSON it may be six times as long, and has to
/// fit into what may wait for one socket.
const PIECE_MAX: usize = 32 * 1024;

/// See the module. Positions are bytes from the beginning, before they were made text.
#[derive(Default)]
pub(super) struct Transcript {
    head: Vec<Piece>,
    head_bytes: usize,
    /// The position behind the head.
    head_end: u64,
    tail: VecDeque<Piece>,
    tail_bytes: usize,
    /// The start of a character whose end has not come yet.
    rest: Vec<u8>,
    /// All bytes so far, without `rest`.
    end: u64,
}

/// Row `<validator>.<channel>`: more text, behind the `offset` bytes before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) text: String,
    /// It was typed by the person.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) typed: bool,
    /// So many bytes before it are kept no more.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) skipped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Transcript {
    /// Adds what was printed, and answers the characters that are whole now.
    pub(super) fn print(&mut self, bytes: &[u8]) -> Option<Piece> {
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(bytes);
        let cut = match std::str::from_utf8(&whole) {
            // Without a length the end is just not there yet.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => whole.len(),
        };
        self.rest = whole.split_off(cut);
        self.add(&whole, false)
    }

    /// Adds what was typed.
    pub(super) fn type_in(&mut self, text: &str) -> Option<Piece> {
        self.add(text.as_bytes(), true)
    }

    fn add(&mut self, bytes: &[u8], typed: bool) -> Option<Piece> {
        if bytes.is_empty() {
            return None;
        }
        let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
        let piece = Piece { offset: self.end, text, typed, skipped: 0 };
        self.end += bytes.len() as u64;
        if self.head_bytes < HEAD_MAX {
            self.head_bytes += piece.text.len();
            self.head_end = self.end;
            push(&mut self.head, piece.clone());
        } else {
            self.tail_bytes += piece.text.len();
            self.tail.push_back(piece.clone());
            self.cut_tail();
        }
        Some(piece)
    }

    fn cut_tail(&mut self) {
        while let Some(first) = self.tail.front()
            && TAIL_MAX <= self.tail_bytes - first.text.len()
        {
            self.tail_bytes -= first.text.len();
            self.tail.pop_front();
        }
    }

    /// All that is kept, in order.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = self.head.clone();
        let mut tail = vec![];
        for piece in &self.tail {
            push(&mut tail, piece.clone());
        }
        if let Some(first) = tail.first_mut() {
            first.skipped = first.offset - self.head_end;
        }
        pieces.extend(tail);
        pieces
    }

    /// All that is kept, as one text.
    pub(super) fn text(&self) -> String {
        self.pieces().into_iter().map(|piece| piece.text).collect()
    }
}

/// Adds a piece; printed text joins the printed text before it, up to a length.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    let joins = |last: &&mut Piece| {
        !last.typed && !piece.typed && last.text.len() + piece.text.len() <= PIECE_MAX
    };
    match pieces.last_mut().filter(joins) {
        Some(last) => last.text.push_str(&piece.text),
        None => pieces.push(piece),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(transcript: &mut Transcript, bytes: &[u8]) -> Option<String> {
        transcript.print(bytes).map(|piece| piece.text)
    }

    #[test]
    fn a_character_cut_in_two_is_shown_once_it_is_whole() {
        let mut all = Transcript::default();
        let bytes = "é€".as_bytes();
        assert_eq!(printed(&mut all, &bytes[..3]).as_deref(), Some("é"));
        assert_eq!(printed(&mut all, &bytes[3..]).as_deref(), Some("€"));
    }

    #[test]
    fn what_is_not_utf8_is_replaced_and_holds_up_nothing() {
        let mut all = Transcript::default();
        assert_eq!(printed(&mut all, b"a\xff\0b").as_deref(), Some("a\u{fffd}\u{fffd}b"));
    }

    #[test]
    fn what_is_typed_stands_where_it_was_typed() {
        let mut all = Transcript::default();
        all.print(b"name? ");
        all.type_in("Ada\n");
        all.print(b"hello ");
        all.print(b"Ada\n");
        let pieces = all.pieces();
        let seen: Vec<_> = pieces.iter().map(|p| (p.offset, &p.text[..], p.typed)).collect();
        assert_eq!(seen, [(0, "name? ", false), (6, "Ada\n", true), (10, "hello Ada\n", false)]);
        assert_eq!(all.text(), "name? Ada\nhello Ada\n");
    }

    #[test]
    fn of_a_flood_the_head_and_the_tail_are_kept_and_the_gap_is_said() {
        let mut all = Transcript::default();
        for n in 0..2_000 {
            all.print(format!("{n:01023}\n").as_bytes());
        }
        let pieces = all.pieces();
        let (head, tail) = pieces.split_at(pieces.len() / 2);
        let bytes = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.len()).sum::<usize>();
        assert_eq!((head[0].offset, bytes(head), bytes(tail)), (0, HEAD_MAX, TAIL_MAX));
        assert_eq!(tail[0].offset, 2_000 * 1_024 - TAIL_MAX as u64);
        assert_eq!(tail[0].skipped, tail[0].offset - HEAD_MAX as u64);
        assert!(tail.last().unwrap().text.ends_with("1999\n"));
        assert!(pieces.iter().all(|piece| piece.text.len() <= PIECE_MAX));
    }
}
