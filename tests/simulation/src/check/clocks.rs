//! A session's clock: its end comes neither early nor late, and each outage is given back once.

use domain::{
    aggregate::Outage,
    at::{At, Ms},
    session::{Event, Running},
    stream::{Recorded, Stream},
};

use super::{Findings, History, LATE_MAX, LATE_MAX_IN_TROUBLE, Rule};

/// By how much one node's clock may be behind that of the node that took the shard before it; nodes
/// are simulated one after the other, in steps as long.
const APART_MAX: Ms = Ms(10);

/// How long before an end something may have gone wrong that makes it late.
const AFTERMATH: Ms = Ms(15_000);
/// How much longer than what went wrong an outage may be: leases have to run out first.
const BEFORE: Ms = Ms(6_000);
const AFTER: Ms = Ms(20_000);
/// An outage this short is the hand-over itself.
const HAND_OVER: Ms = Ms(1_200);

/// See the module.
pub(super) struct Clock<'a> {
    history: &'a History,
    stream: Stream,
    /// What was given back: outages and pauses.
    given_back: Vec<(At, At)>,
    /// When the end was last moved.
    moved_at: At,
    /// Since when it ran until when, as far as was known then; `None` where it did not run. Never
    /// later than it was written: an owner's clock may be wrong, an outage's is not.
    ran: Vec<(At, Option<At>)>,
}

impl<'a> Clock<'a> {
    pub(super) fn new(history: &'a History, stream: Stream) -> Self {
        Self { history, stream, given_back: vec![], moved_at: At(0), ran: vec![] }
    }

    /// When `recorded` was written: what is stamped later than that had a wrong clock.
    fn written_at(&self, recorded: &Recorded) -> At {
        let mut wrote = self.history.wrote.iter().filter(|wrote| wrote.stream == self.stream);
        let it = wrote.find(|wrote| (wrote.from_seq..=wrote.to_seq).contains(&recorded.seq));
        it.map_or(recorded.at, |wrote| wrote.at.min(recorded.at))
    }

    fn is_troubled(&self, from: At, to: At) -> bool {
        self.history.troubles.iter().any(|(begin, end)| *begin <= to && from <= *end)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the others do not move the clock")]
    pub(super) fn tick(
        &mut self,
        (before, after): (Option<&Running>, Option<&Running>),
        event: &Event,
        recorded: &Recorded,
        findings: &mut Findings,
    ) {
        if let Some(run) = after {
            let runs = run.time_up_at.is_none() && run.sealed_at.is_none();
            let runs = runs && run.paused_at.is_none();
            let runs = runs && recorded.at < run.ends_at;
            self.ran.push((self.written_at(recorded), runs.then_some(run.ends_at)));
        }
        let Some(run) = before else { return };
        if after.is_some_and(|after| after.ends_at != run.ends_at) {
            self.moved_at = recorded.at;
        }
        match event {
            Event::TimeUp => self.time_up(run, recorded, findings),
            Event::Credited { outage, by, ends_at } => {
                self.credited(run, (*outage, *by, *ends_at), recorded, findings);
            }
            Event::Resumed { .. } => {
                self.given_back.extend(run.paused_at.map(|from| (from, recorded.at)));
            }
            _ => {}
        }
    }

    fn time_up(&self, run: &Running, recorded: &Recorded, findings: &mut Findings) {
        // Time that is given to who has none left may be over by then.
        let late = recorded.at - run.ends_at.max(self.moved_at);
        if recorded.at < run.ends_at {
            let early = run.ends_at - recorded.at;
            let what = format!("at {:?}, {} ms before its end", recorded.at, early.0);
            findings.add(Rule::NeverEarly, self.stream, what);
        }
        let troubled = self.is_troubled(run.ends_at - AFTERMATH, recorded.at);
        let most = if troubled { LATE_MAX_IN_TROUBLE } else { LATE_MAX };
        if most < late {
            let what = format!("at {:?}, {} ms after its end", recorded.at, late.0);
            findings.add(Rule::NotLate, self.stream, what);
        }
    }

    fn credited(
        &mut self,
        run: &Running,
        (outage, by, ends_at): (Outage, Ms, At),
        recorded: &Recorded,
        findings: &mut Findings,
    ) {
        let left = uncovered((outage.from, outage.to), &self.given_back);
        let mut wrong = vec![];
        if by != left {
            wrong.push(format!("{} ms were due", left.0));
        }
        if ends_at != run.ends_at + by {
            wrong.push("its end moved by something else".to_owned());
        }
        if outage.from < run.started_at || recorded.at + APART_MAX < outage.to {
            wrong.push("it is not within the session so far".to_owned());
        }
        let known = self.history.outages.get(&self.stream.shard());
        let covers = |known: &Outage| known.from <= outage.from && outage.to <= known.to;
        if known.is_some_and(|known| !known.iter().any(covers)) {
            wrong.push("its shard knows of none".to_owned());
        }
        let length = outage.to - outage.from;
        if HAND_OVER < length && !self.is_troubled(outage.from - AFTER, outage.to + BEFORE) {
            wrong.push("nothing was wrong then".to_owned());
        }
        if !wrong.is_empty() {
            let what = format!("{outage:?} gave {} ms: {}", by.0, wrong.join(", "));
            findings.add(Rule::CreditsAreOutages, self.stream, what);
        }
        self.given_back.push((outage.from, outage.to));
    }

    /// In the end everything that its shard knows is given back.
    pub(super) fn end(&self, run: Option<&Running>, findings: &mut Findings) {
        let Some(run) = run else { return };
        let Some(known) = self.history.outages.get(&self.stream.shard()) else { return };
        let until = run.time_up_at.or(run.sealed_at);
        // Due to whom it took time from, if they went on after it.
        let ran = |outage: &&Outage| {
            let from = outage.from.max(run.started_at);
            let ends_at = |moment: At| {
                let then = self.ran.iter().rfind(|(at, _)| *at <= moment);
                then.and_then(|(_, ends_at)| *ends_at)
            };
            let mut later = self.ran.iter().filter(|(at, _)| outage.to <= *at);
            let went_on = ends_at(outage.to).or(later.find_map(|(_, ends_at)| *ends_at));
            until.is_none_or(|until| outage.to < until)
                && went_on.is_some()
                && ends_at(from).is_some_and(|end| from < end)
        };
        for outage in known.iter().filter(ran) {
            let left = uncovered((outage.from.max(run.started_at), outage.to), &self.given_back);
            if Ms(0) < left {
                let what = format!("{outage:?} left {} ms", left.0);
                findings.add(Rule::OutagesAreCredited, self.stream, what);
            }
        }
    }
}

/// How much of `span` none of `spans` covers.
fn uncovered(span: (At, At), spans: &[(At, At)]) -> Ms {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let (mut reached, mut left) = (span.0, Ms(0));
    for (from, to) in spans {
        if to <= reached || span.1 <= from {
            continue;
        }
        left = left + (from - reached).max(Ms(0));
        reached = reached.max(to);
    }
    left + (span.1 - reached).max(Ms(0))
}
