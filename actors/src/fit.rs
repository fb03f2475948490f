//! Outcomes that go anywhere: what a broker carries at once has an end.

use domain::run::Outcome;

/// How many bytes each text of an outcome has at most.
pub(crate) const TEXT_MAX: usize = 16 * 1024;
/// How many bytes an outcome has at most, as JSON: what is carried between nodes at once is 1 MiB.
const OUTCOME_MAX: usize = 512 * 1024;

/// `outcome`, with its texts cut alike so that it fits.
pub(crate) fn fit(mut outcome: Outcome) -> Outcome {
    let mut text_max = TEXT_MAX;
    while OUTCOME_MAX < size(&outcome) && text_max > 0 {
        text_max /= 2;
        cut(&mut outcome, text_max);
    }
    outcome
}

fn size(outcome: &Outcome) -> usize {
    let texts = outcome.results.iter().map(|one| {
        one.detail.len() + one.stdout.len() + one.stderr.len() + one.judge_message.len()
    });
    // As JSON a byte may take six; then it is counted.
    let at_most = 6 * (outcome.compiler_output.len() + texts.sum::<usize>());
    if at_most + 256 * outcome.results.len() <= OUTCOME_MAX {
        return at_most;
    }
    serde_json::to_vec(outcome).map_or(0, |json| json.len())
}

/// Cuts each text to `text_max` bytes.
pub(crate) fn cut(outcome: &mut Outcome, text_max: usize) {
    let cut = |text: &mut String| text.truncate(text.floor_char_boundary(text_max));
    cut(&mut outcome.compiler_output);
    cut(&mut outcome.isolation);
    for one in &mut outcome.results {
        cut(&mut one.detail);
        cut(&mut one.stdout);
        cut(&mut one.stderr);
        cut(&mut one.judge_message);
    }
}

#[cfg(test)]
mod tests {
    use domain::run::{ValidatorResult, Verdict};

    use super::*;

    #[test]
    fn an_outcome_of_many_long_texts_fits_and_a_short_one_stays() {
        let result = |n, text: &str| ValidatorResult {
            stdout: text.to_owned(),
            ..ValidatorResult::unmeasured(n, Verdict::WrongAnswer, "wrong on line 3".to_owned())
        };
        let outcome = |n: u16, text: &str| Outcome {
            compiled: true,
            compiler_output: String::new(),
            results: (0..n).map(|n| result(n, text)).collect(),
            isolation: "walls".to_owned(),
        };
        let short = outcome(10, "short");
        assert_eq!(fit(short.clone()), short);
        for text in ["\u{1}".repeat(TEXT_MAX), "é".repeat(TEXT_MAX / 2)] {
            let long = fit(outcome(100, &text));
            assert!(serde_json::to_vec(&long).unwrap().len() <= OUTCOME_MAX);
            assert!(
                long.results.iter().all(|one| !one.stdout.is_empty() && !one.detail.is_empty())
            );
        }
    }
}
