//! Compares an output with the expected one, as the ICPC default output validator does.
//! Pure: the same bytes and flags always give the same answer.

use std::fmt;

use domain::content::Comparison;

/// Where an output first differs from the expected one, in words that give no answer away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Line of the output, counted from 1.
    pub line: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wrong { token: usize },
    NotANumber { token: usize },
    TooFar { token: usize },
    Spacing,
    Short,
    Long,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.kind {
            Kind::Wrong { token } => write!(f, "wrong on line {line}, word {token}"),
            Kind::NotANumber { token } => {
                write!(f, "not a number on line {line}, word {token}")
            }
            Kind::TooFar { token } => {
                write!(f, "number too far off on line {line}, word {token}")
            }
            Kind::Spacing => write!(f, "wrong spacing on line {line}"),
            Kind::Short => write!(f, "output ends too early, on line {line}"),
            Kind::Long => write!(f, "too much output, from line {line} on"),
        }
    }
}

/// Compares `output` with `expected`. Fails with the first difference.
pub fn compare(output: &[u8], expected: &[u8], how: &Comparison) -> Result<(), Difference> {
    let mut output = Words::new(output);
    let mut expected = Words::new(expected);
    loop {
        let space = expected.space();
        if !output.skip(space, how.space_change_sensitive) {
            return Err(output.differs(Kind::Spacing));
        }
        match (output.word(), expected.word()) {
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(output.differs(Kind::Short)),
            (Some(_), None) => return Err(output.differs(Kind::Long)),
            (Some(word), Some(wanted)) => {
                let token = output.token;
                word_matches(word, wanted, how).map_err(|kind| output.differs(kind(token)))?;
            }
        }
    }
}

type KindOf = fn(usize) -> Kind;

fn word_matches(word: &[u8], wanted: &[u8], how: &Comparison) -> Result<(), KindOf> {
    let floats = how.float_absolute.is_some() || how.float_relative.is_some();
    if let Some(wanted) = number(wanted).filter(|_| floats) {
        let Some(got) = number(word) else {
            return Err(|token| Kind::NotANumber { token });
        };
        let off = (got - wanted).abs();
        // Infinities and NaN have no distance, and match nothing.
        let within = off <= how.float_absolute.unwrap_or(-1.0)
            || off <= how.float_relative.unwrap_or(-1.0) * wanted.abs();
        return if off.is_finite() && within {
            Ok(())
        } else {
            Err(|token| Kind::TooFar { token })
        };
    }
    let same = if how.case_sensitive { word == wanted } else { word.eq_ignore_ascii_case(wanted) };
    if same { Ok(()) } else { Err(|token| Kind::Wrong { token }) }
}

fn number(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Reads words and the space between them, and knows on which line it is.
struct Words<'a> {
    rest: &'a [u8],
    line: usize,
    token: usize,
}

impl<'a> Words<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, line: 1, token: 0 }
    }

    fn space(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !is_space(b)).unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Skips space. When `exactly`, it must be `space`, and `false` tells that it is not.
    fn skip(&mut self, space: &[u8], exactly: bool) -> bool {
        let end = self.rest.iter().position(|&b| !is_space(b)).unwrap_or(self.rest.len());
        let (found, _) = self.rest.split_at(end);
        if exactly && found != space {
            let same = found.iter().zip(space).take_while(|(a, b)| a == b).count();
            self.take(same);
            return false;
        }
        self.take(end);
        true
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&b| is_space(b)).unwrap_or(self.rest.len());
        self.token += 1;
        Some(self.take(end)).filter(|word| !word.is_empty())
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len);
        let lines = taken.split(|&b| b == b'\n').count() - 1;
        if lines > 0 {
            self.token = 0;
        }
        self.line += lines;
        self.rest = rest;
        taken
    }

    fn differs(&self, kind: Kind) -> Difference {
        Difference { line: self.line, kind }
    }
}

/// What C's `isspace` takes for space.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Why validator flags cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagRefusal {
    /// Nobody knows this flag.
    Unknown(String),
    /// This flag needs a number of at least 0 after it.
    NoNumber(String),
}

impl fmt::Display for FlagRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(flag) => write!(f, "the validator flag `{flag}` is not known"),
            Self::NoNumber(flag) => write!(f, "the validator flag `{flag}` needs a number"),
        }
    }
}

impl std::error::Error for FlagRefusal {}

/// Reads the flags of the ICPC default output validator, as they stand in a package.
pub fn parse_flags(flags: &str) -> Result<Comparison, FlagRefusal> {
    let mut how = Comparison::default();
    let mut words = flags.split_whitespace();
    while let Some(flag) = words.next() {
        match flag {
            "case_sensitive" => how.case_sensitive = true,
            "space_change_sensitive" => how.space_change_sensitive = true,
            "float_absolute_tolerance" => how.float_absolute = Some(tolerance(flag, words.next())?),
            "float_relative_tolerance" => how.float_relative = Some(tolerance(flag, words.next())?),
            "float_tolerance" => {
                let both = tolerance(flag, words.next())?;
                (how.float_absolute, how.float_relative) = (Some(both), Some(both));
            }
            unknown => return Err(FlagRefusal::Unknown(unknown.to_owned())),
        }
    }
    Ok(how)
}

fn tolerance(flag: &str, word: Option<&str>) -> Result<f64, FlagRefusal> {
    let number = word.and_then(|word| word.parse::<f64>().ok());
    number
        .filter(|n| n.is_finite() && *n >= 0.0)
        .ok_or_else(|| FlagRefusal::NoNumber(flag.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spacing_do_not_matter_unless_asked() {
        assert_eq!(judge("Yes  no\n\n", "YES NO", ""), Ok(()));
        assert_eq!(judge("yes", "YES", "case_sensitive").unwrap_err(), "wrong on line 1, word 1");
        let spacing = judge("a  b", "a b", "space_change_sensitive");
        assert_eq!(spacing.unwrap_err(), "wrong spacing on line 1");
    }

    #[test]
    fn a_difference_names_line_and_word_of_the_output() {
        assert_eq!(judge("1\n2 3\n4 5", "1\n2 3\n4 6", "").unwrap_err(), "wrong on line 3, word 2");
        assert_eq!(judge("1\n", "1\n2\n", "").unwrap_err(), "output ends too early, on line 2");
        assert_eq!(judge("1\n2\n", "1\n", "").unwrap_err(), "too much output, from line 2 on");
    }

    #[test]
    fn numbers_may_be_off_by_either_tolerance() {
        assert_eq!(judge("1.0009", "1", "float_tolerance 1e-3"), Ok(()));
        assert_eq!(judge("1009", "1000", "float_relative_tolerance 0.01"), Ok(()));
        assert_eq!(judge("1e0", "1", "float_absolute_tolerance 0"), Ok(()));
        let far = judge("1011", "1000", "float_relative_tolerance 0.01");
        assert_eq!(far.unwrap_err(), "number too far off on line 1, word 1");
        let none = judge("x", "1", "float_tolerance 1");
        assert_eq!(none.unwrap_err(), "not a number on line 1, word 1");
        for (output, expected) in [("nan", "nan"), ("1", "inf"), ("inf", "inf")] {
            assert!(judge(output, expected, "float_tolerance 1").is_err());
        }
    }

    #[test]
    fn bytes_that_are_no_text_compare_as_bytes() {
        assert_eq!(compare(b"\xff\x00", b"\xff\x00", &Comparison::default()), Ok(()));
        assert!(compare(b"\xff\x01", b"\xff\x00", &Comparison::default()).is_err());
        assert_eq!(compare(b"", b" \n", &Comparison::default()), Ok(()));
    }

    #[test]
    fn flags_that_make_no_sense_are_refused_by_name() {
        assert_eq!(parse_flags("fast"), Err(FlagRefusal::Unknown("fast".to_owned())));
        for flags in ["float_tolerance", "float_tolerance x", "float_tolerance -1"] {
            assert_eq!(
                parse_flags(flags),
                Err(FlagRefusal::NoNumber("float_tolerance".to_owned()))
            );
        }
    }

    fn judge(output: &str, expected: &str, flags: &str) -> Result<(), String> {
        let how = parse_flags(flags).unwrap();
        compare(output.as_bytes(), expected.as_bytes(), &how).map_err(|why| why.to_string())
    }
}
