//! What pages saw: each frame follows the one before, or everything is sent anew; and in the end they
//! show what is stored.

use super::{Findings, History, Rule, Watched};

pub(super) fn check(history: &History, findings: &mut Findings) {
    for page in &history.pages {
        follow(page, findings);
        if history.is_over && page.shows != page.stored {
            let keys = |rows: &std::collections::BTreeMap<String, _>| {
                rows.keys().cloned().collect::<Vec<_>>()
            };
            let differ: Vec<_> = page
                .stored
                .iter()
                .filter(|(key, value)| page.shows.get(*key) != Some(value))
                .map(|(key, _)| key.clone())
                .collect();
            let what = format!(
                "{differ:?} are other ones; shown are {:?}, stored {:?}",
                keys(&page.shows),
                keys(&page.stored)
            );
            findings.add(Rule::PagesConverge, page.stream, what);
        }
    }
}

fn follow(page: &Watched, findings: &mut Findings) {
    let mut after = 0;
    for frame in &page.frames {
        let follows = frame.prev.is_none() || (frame.prev == Some(after) && after < frame.seq);
        if !follows {
            let what = format!("after {after} came {} behind {:?}", frame.seq, frame.prev);
            findings.add(Rule::FramesFollow, page.stream, what);
        }
        after = frame.seq;
    }
}
