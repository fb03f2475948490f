//! The flags of the format's default output validator.

use domain::content::Comparison;

use crate::notes::Notes;

/// What `flags` ask for; what is not known or has no number is a repair.
pub(crate) fn read(flags: &[String], notes: &mut Notes) -> Comparison {
    let mut comparison = Comparison::default();
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        match flag.as_str() {
            "case_sensitive" => comparison.case_sensitive = true,
            "space_change_sensitive" => comparison.space_change_sensitive = true,
            "float_tolerance" | "float_absolute_tolerance" | "float_relative_tolerance" => {
                tolerate(&mut comparison, flag, rest.next(), notes);
            }
            unknown => notes.repair(format!(
                "The package asks for “{unknown}” when answers are compared, which is not known \
                 here. Choose how they are to be compared."
            )),
        }
    }
    comparison
}

fn tolerate(comparison: &mut Comparison, flag: &str, value: Option<&String>, notes: &mut Notes) {
    let parsed = value.and_then(|text| text.parse::<f64>().ok());
    let Some(tolerance) = parsed.filter(|number| number.is_finite() && *number >= 0.0) else {
        notes.repair(format!("“{flag}” names no number. Say how far a number may be off."));
        return;
    };
    if flag != "float_relative_tolerance" {
        comparison.float_absolute = Some(tolerance);
    }
    if flag != "float_absolute_tolerance" {
        comparison.float_relative = Some(tolerance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_read() {
        let cases = [
            ("", Comparison::default()),
            ("case_sensitive", Comparison { case_sensitive: true, ..Comparison::default() }),
            (
                "space_change_sensitive float_tolerance 1e-6",
                Comparison {
                    space_change_sensitive: true,
                    float_absolute: Some(1e-6),
                    float_relative: Some(1e-6),
                    ..Comparison::default()
                },
            ),
            (
                "float_absolute_tolerance 0.5",
                Comparison { float_absolute: Some(0.5), ..Comparison::default() },
            ),
            (
                "float_relative_tolerance 1e-3",
                Comparison { float_relative: Some(1e-3), ..Comparison::default() },
            ),
        ];
        for (flags, expected) in cases {
            let (comparison, repairs) = read_line(flags);
            assert_eq!(comparison, expected, "{flags}");
            assert!(repairs.is_empty(), "{flags}");
        }
    }

    #[test]
    fn an_unknown_flag_is_a_repair() {
        for flags in ["sloppy", "float_tolerance", "float_tolerance many", "float_tolerance nan"] {
            let (comparison, repairs) = read_line(flags);
            assert_eq!(comparison, Comparison::default(), "{flags}");
            assert_eq!(repairs.len(), 1, "{flags}");
        }
    }

    fn read_line(line: &str) -> (Comparison, Vec<String>) {
        let flags: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let mut notes = Notes::default();
        (read(&flags, &mut notes), notes.repairs)
    }
}
