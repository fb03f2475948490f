//! Commands that stand for characters, and letters with accents.

/// The Markdown of a command that stands for characters.
pub(super) fn symbol(name: &str) -> Option<&'static str> {
    Some(match name {
        "%" => "%",
        "#" => "\\#",
        "&" => "\\&",
        "$" | "textdollar" => "\\$",
        "_" | "textunderscore" => "\\_",
        "{" | "lbrace" => "{",
        "}" | "rbrace" => "}",
        " " | "\n" | "\t" | "quad" | "qquad" | "enspace" | "space" => " ",
        "," | ";" | ":" | "thinspace" => "\u{202f}",
        "ldots" | "dots" | "textellipsis" => "…",
        "textbackslash" => "\\\\",
        "textasciitilde" => "\\~",
        "textasciicircum" => "^",
        "textgreater" => "\\>",
        "textless" => "\\<",
        "textbar" => "\\|",
        "textquotesingle" => "'",
        "textquotedbl" => "\"",
        "textendash" => "–",
        "textemdash" => "—",
        "textdegree" => "°",
        "textbullet" => "•",
        "texteuro" | "euro" => "€",
        "copyright" | "textcopyright" => "©",
        "pounds" => "£",
        "S" => "§",
        "LaTeX" => "LaTeX",
        "TeX" => "TeX",
        "ss" => "ß",
        "aa" => "å",
        "AA" => "Å",
        "ae" => "æ",
        "AE" => "Æ",
        "oe" => "œ",
        "OE" => "Œ",
        "o" => "ø",
        "O" => "Ø",
        "l" => "ł",
        "L" => "Ł",
        "i" => "ı",
        "j" => "ȷ",
        _ => return None,
    })
}

/// The combining character of an accent.
pub(super) fn accent(name: &str) -> Option<char> {
    Some(match name {
        "`" => '\u{300}',
        "'" => '\u{301}',
        "^" => '\u{302}',
        "~" => '\u{303}',
        "=" => '\u{304}',
        "u" => '\u{306}',
        "." => '\u{307}',
        "\"" => '\u{308}',
        "r" => '\u{30a}',
        "H" => '\u{30b}',
        "v" => '\u{30c}',
        "c" => '\u{327}',
        "k" => '\u{328}',
        _ => return None,
    })
}

/// Letters with accents that have a character of their own, as (letter, accent, both).
const COMPOSED: &str = "à1 á2 â3 ã4 ä5 å6 è1 é2 ê3 ë5 ì1 í2 î3 ï5 ñ4 ò1 ó2 ô3 õ4 ö5 ù1 ú2 û3 ü5 ý2 \
    À1 Á2 Â3 Ã4 Ä5 Å6 È1 É2 Ê3 Ë5 Ì1 Í2 Î3 Ï5 Ñ4 Ò1 Ó2 Ô3 Õ4 Ö5 Ù1 Ú2 Û3 Ü5 Ý2 ç7 Ç7 š8 Š8 č8 Č8 ž8 Ž8 \
    ř8 ě8 ć2 ś2 ń2 ź2 ő9 ű9";
const BASES: &str = "aaaaaaeeeeiiiinooooouuuuyAAAAAAEEEEIIIINOOOOOUUUUYcCsScCzZrecsnzou";
const MARKS: &str = "\u{300}\u{301}\u{302}\u{303}\u{308}\u{30a}\u{327}\u{30c}\u{30b}";

/// `letter` under `mark`, as one character where there is one.
pub(super) fn accented(letter: char, mark: char) -> String {
    let letter = match letter {
        'ı' => 'i',
        letter => letter,
    };
    let found = COMPOSED.split_whitespace().zip(BASES.chars()).find_map(|(entry, base)| {
        let mut chars = entry.chars();
        let both = chars.next()?;
        let index = chars.next()?.to_digit(10)? as usize;
        let same = base == letter && MARKS.chars().nth(index.checked_sub(1)?)? == mark;
        same.then_some(both)
    });
    found.map_or_else(|| format!("{letter}{mark}"), |both| both.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_composed_letter_has_its_base() {
        assert_eq!(COMPOSED.split_whitespace().count(), BASES.chars().count());
        assert_eq!(accented('a', '\u{30a}'), "å");
        assert_eq!(accented('u', '\u{30b}'), "ű");
        assert_eq!(accented('x', '\u{301}'), "x\u{301}");
    }
}
