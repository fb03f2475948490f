//! What must hold of a candidate's session after nothing could be saved for a while: everything
//! that was acknowledged is there, and each outage was given back once.

use anyhow::{Context, ensure};
use domain::{
    aggregate::Outage,
    at::{At, Ms},
};
use serde_json::Value;

use crate::typist::Text;

/// Checks one session: `row` is its row `session`, `acknowledged` the text that its candidate has
/// after all is answered, `stored` the text as the server has it, and `gone` are the times at which
/// nothing can have been saved, oldest first, as seen from outside.
pub fn check(
    row: &Value,
    acknowledged: &Text,
    stored: &Text,
    gone: &[Outage],
) -> anyhow::Result<()> {
    ensure!(stored == acknowledged, "another text: {stored:?}, not {acknowledged:?}");
    let credits = row["credits"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(credits.len() == gone.len(), "credits for {gone:?}: {credits:?}");
    let mut given = Ms(0);
    for (credit, gone) in credits.iter().zip(gone) {
        let (from, to) = (At(number(credit, "from")?), At(number(credit, "to")?));
        ensure!(from <= gone.from && gone.to <= to, "{credit} is not all of {gone:?}");
        ensure!(to - from == Ms(number(credit, "ms")?), "{credit} does not add up");
        given = given + (to - from);
    }
    let (from, to) = (At(number(row, "started_at")?), At(number(row, "ends_at")?));
    let moved = to - from - Ms(number(row, "time_allowed_ms")?);
    ensure!(moved == given, "the end moved by {moved:?}, not by {given:?}: {row}");
    Ok(())
}

fn number(row: &Value, field: &str) -> anyhow::Result<i64> {
    row[field].as_i64().with_context(|| format!("no {field} in {row}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(ends_at: i64, credits: &[(i64, i64)]) -> Value {
        let credit = |(from, to): &(i64, i64)| json!({ "from": from, "to": to, "ms": to - from });
        let credits: Vec<_> = credits.iter().map(credit).collect();
        json!({ "started_at": 100, "ends_at": ends_at, "time_allowed_ms": 60, "credits": credits })
    }

    #[test]
    fn a_lost_edit_a_lost_credit_and_a_doubled_one_are_seen() {
        let gone = [Outage { from: At(120), to: At(130) }];
        let text = Text::new("x", 3);
        let whole = row(175, &[(118, 133)]);
        check(&whole, &text, &text, &gone).unwrap();
        check(&whole, &text, &Text::new("x", 2), &gone).unwrap_err();
        check(&whole, &text, &Text::new("", 3), &gone).unwrap_err();
        check(&row(160, &[]), &text, &text, &gone).unwrap_err();
        check(&row(160, &[(118, 133)]), &text, &text, &gone).unwrap_err();
        check(&row(190, &[(118, 133), (118, 133)]), &text, &text, &gone).unwrap_err();
        check(&row(169, &[(121, 130)]), &text, &text, &gone).unwrap_err();
    }
}
