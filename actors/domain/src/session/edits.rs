//! Edits: what a candidate types is kept, rebased where it must be, and never thrown away.

use super::{Event, File, FileKey, LATE_MAX, Refusal, Running, Session, Stage};
use crate::{
    aggregate::Times,
    at::At,
    content::{FILE_BYTES_MAX, FILES_MAX, file_name_is_allowed},
    ids::SeatId,
    text::Changes,
};

/// An edit, as it was sent.
pub(super) struct Edit {
    pub(super) seat: SeatId,
    pub(super) file: FileKey,
    pub(super) base_rev: u32,
    pub(super) changes: Changes,
    pub(super) caret: u32,
}

/// Why an edit cannot be rebased.
enum Lost {
    /// Its base is further back than the changes that are kept.
    TooOld,
    /// It never fitted its base.
    DoesNotFit,
}

/// Keeps an edit: as the next revision of its file, or apart if it came too late.
pub(super) fn edit(run: &Running, edit: Edit, times: Times) -> Result<Vec<Event>, Refusal> {
    // A device that lost its seat may still bring what was typed on it before.
    if !run.seats.contains(&edit.seat) {
        return Err(Refusal::SeatTaken);
    }
    if edit.changes.inserted_bytes() > FILE_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    let answer = run.questions.get(usize::from(edit.file.question));
    let stage = answer.ok_or(Refusal::NoSuchQuestion)?.stage;
    if stage == Stage::Locked {
        return Err(Refusal::QuestionNotOpen);
    }
    let in_time = run.is_in_time(edit.file.question, times.received_at)
        && stage != Stage::Sealed
        && run.paused_at.is_none_or(|paused_at| times.received_at <= paused_at);
    if !in_time {
        return keep_apart(run, edit, times.received_at);
    }
    let file = run.file(&edit.file).ok_or(Refusal::NoSuchFile)?;
    match rebased(file, edit.base_rev, &edit.changes) {
        Ok(changes) => {
            let text = changes.apply(&file.text).map_err(|_| Refusal::DoesNotFit)?;
            if text.len() > FILE_BYTES_MAX {
                return Err(Refusal::TooLong);
            }
            let (rev, caret) = (file.rev + 1, edit.caret);
            Ok(vec![Event::Edited { file: edit.file, rev, changes, caret }])
        }
        Err(Lost::TooOld) => keep_apart(run, edit, times.received_at),
        Err(Lost::DoesNotFit) => Err(Refusal::DoesNotFit),
    }
}

impl Session {
    pub(super) fn add_file(&self, run: &Running, file: FileKey) -> Result<Vec<Event>, Refusal> {
        self.allowed(file.question, file.language)?;
        if !file_name_is_allowed(&file.name) {
            return Err(Refusal::BadFileName);
        }
        if run.file(&file).is_some() {
            return Err(Refusal::FileExists);
        }
        if run.sources(file.question, file.language).len() >= FILES_MAX {
            return Err(Refusal::TooManyFiles);
        }
        Ok(vec![Event::FileAdded { file }])
    }

    /// The creator lets a late edit count: it is applied, and the text is judged again.
    pub(super) fn accept_late(&self, late: u32, _now: At) -> Result<Vec<Event>, Refusal> {
        let run = self.run.as_ref().ok_or(Refusal::NotRunning)?;
        let kept = run.lates.get(late as usize).filter(|late| !late.accepted);
        let kept = kept.ok_or(Refusal::NoSuchEdit)?;
        let file = run.file(&kept.file).ok_or(Refusal::NoSuchFile)?;
        let Ok(changes) = rebased(file, kept.base_rev, &kept.changes) else {
            return Err(Refusal::DoesNotFit);
        };
        let text = changes.apply(&file.text).map_err(|_| Refusal::DoesNotFit)?;
        if text.len() > FILE_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let accepted = Event::LateAccepted { late, rev: file.rev + 1, changes };
        let mut events = vec![accepted];
        events.extend(self.judged_again(run, file, text));
        Ok(events)
    }
}

fn rebased(file: &File, base_rev: u32, changes: &Changes) -> Result<Changes, Lost> {
    let behind = file.rev.checked_sub(base_rev).ok_or(Lost::DoesNotFit)? as usize;
    let mut since = file.history.last(behind).ok_or(Lost::TooOld)?;
    since.try_fold(changes.clone(), |changes, earlier| {
        changes.rebase(&earlier.ok_or(Lost::DoesNotFit)?).map_err(|_| Lost::DoesNotFit)
    })
}

/// Received after the end: kept, unscored, shown to both.
fn keep_apart(run: &Running, edit: Edit, received_at: At) -> Result<Vec<Event>, Refusal> {
    if run.lates.len() >= LATE_MAX {
        return Err(Refusal::TimeIsUp);
    }
    let late = u32::try_from(run.lates.len()).expect("at most LATE_MAX");
    let Edit { file, base_rev, changes, .. } = edit;
    Ok(vec![Event::EditKeptApart { late, file, base_rev, changes, received_at }])
}
