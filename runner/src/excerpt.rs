//! The start of what a program printed, as text that every store and every page can hold.

/// How much of an output is kept in a result, in bytes.
pub(crate) const EXCERPT_BYTES_MAX: usize = 16 * 1024;

/// The first 16 KiB of `bytes`. What is not UTF-8 is replaced, and so is NUL, which neither
/// databases nor C take in text. A character cut in two at the end is left out.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let head = bytes.get(..EXCERPT_BYTES_MAX).unwrap_or(bytes);
    let head = if head.len() < bytes.len() { whole_characters(head) } else { head };
    let mut text = String::from_utf8_lossy(head).replace('\0', "\u{fffd}");
    // Replacements are longer than what they replace.
    while text.len() > EXCERPT_BYTES_MAX {
        text.pop();
    }
    text
}

fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(why) if why.error_len().is_none() => bytes.split_at(why.valid_up_to()).0,
        Ok(_) | Err(_) => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_replaced() {
        assert_eq!(excerpt(b"a\0b\xffc"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(excerpt("né".as_bytes()), "né");
    }

    #[test]
    fn a_long_output_is_cut_between_characters() {
        let text = format!("x{}", "é".repeat(EXCERPT_BYTES_MAX));
        let cut = excerpt(text.as_bytes());
        assert!(cut.ends_with('é') && cut.len() == EXCERPT_BYTES_MAX - 1);
        assert!(excerpt(&[0xff; EXCERPT_BYTES_MAX]).len() <= EXCERPT_BYTES_MAX);
    }
}
