//! Streams, their rows and their shards, as plain maps. Knows nothing of locks or waiting, so that
//! [`Forgetful`](crate::forgetful::Forgetful) can keep two of them.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use domain::{
    at::At,
    ids::CommandId,
    ports::{Append, AppendError, Row, RowQuery, Snapshot},
    rows::{RowChange, Topic},
    stream::{Head, Recorded, Stream},
};

use super::shards;

/// What one stream left.
#[derive(Clone, Debug, Default)]
struct Kept {
    head: Head,
    events: Vec<Recorded>,
    commands: HashMap<(String, CommandId), BTreeMap<u16, u64>>,
    snapshot: Option<Snapshot>,
    erased_at: Option<At>,
}

impl Kept {
    fn duplicate(&self, event: &Recorded) -> Option<u64> {
        let ns = self.commands.get(&(event.origin.clone(), event.command_id))?;
        ns.contains_key(&event.n).then(|| ns.values().copied().max().unwrap_or_default())
    }

    fn push(&mut self, event: &Recorded) {
        let command = (event.origin.clone(), event.command_id);
        self.commands.entry(command).or_default().insert(event.n, event.seq);
        self.events.push(event.clone());
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    kept: BTreeMap<Stream, Kept>,
    rows: HashMap<Topic, BTreeMap<String, Row>>,
    pub(super) shards: HashMap<u16, shards::Kept>,
}

impl Streams {
    pub(crate) fn append(&mut self, append: &Append) -> Result<(), AppendError> {
        self.check(append)?;
        let kept = self.kept.entry(append.stream).or_default();
        append.events.iter().for_each(|event| kept.push(event));
        let seq = append.events.last().map_or(append.expected_seq, |event| event.seq);
        let own = Topic::Of(append.stream);
        if append.rows.iter().any(|row| row.topic == own) {
            kept.head.rows_seq = seq;
        }
        kept.head.seq = seq;
        kept.head.wake_at = append.wake_at;
        kept.head.untold = append.untold;
        append.rows.iter().for_each(|change| self.change(change, seq));
        Ok(())
    }

    /// In the order that the port promises: erased, fenced, conflict, duplicate.
    fn check(&self, append: &Append) -> Result<(), AppendError> {
        self.fence(append.stream, append.epoch)?;
        let Some(kept) = self.kept.get(&append.stream) else {
            return (append.expected_seq == 0).then_some(()).ok_or(AppendError::Conflict);
        };
        if kept.head.seq != append.expected_seq {
            return Err(AppendError::Conflict);
        }
        append.events.iter().try_for_each(|event| {
            kept.duplicate(event).map_or(Ok(()), |seq| {
                Err(AppendError::Duplicate { command_id: event.command_id, seq })
            })
        })
    }

    fn fence(&self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        if self.kept.get(&stream).is_some_and(|kept| kept.erased_at.is_some()) {
            return Err(AppendError::Gone);
        }
        (self.epoch(stream.shard()) == epoch).then_some(()).ok_or(AppendError::Fenced)
    }

    fn change(&mut self, change: &RowChange, seq: u64) {
        let row = Row { key: change.key.clone(), seq, value: change.value.clone() };
        self.rows.entry(change.topic).or_default().insert(change.key.clone(), row);
    }

    pub(crate) fn head(&self, stream: Stream) -> Result<Head, AppendError> {
        match self.kept.get(&stream) {
            Some(kept) if kept.erased_at.is_some() => Err(AppendError::Gone),
            Some(kept) => Ok(kept.head),
            None => Ok(Head::default()),
        }
    }

    pub(crate) fn read(&self, stream: Stream, after_seq: u64, limit: usize) -> Vec<Recorded> {
        let Some(kept) = self.kept.get(&stream) else { return vec![] };
        let later = kept.events.iter().filter(|event| event.seq > after_seq);
        later.take(limit).cloned().collect()
    }

    pub(crate) fn find(&self, stream: Stream, origin: &str, id: CommandId) -> Option<u64> {
        let ns = self.kept.get(&stream)?.commands.get(&(origin.to_owned(), id))?;
        ns.values().copied().max()
    }

    pub(crate) fn snapshot(&self, stream: Stream, schema: u32) -> Option<Snapshot> {
        let snapshot = self.kept.get(&stream)?.snapshot.as_ref()?;
        (snapshot.schema == schema).then(|| snapshot.clone())
    }

    pub(crate) fn save_snapshot(&mut self, stream: Stream, snapshot: Snapshot) {
        let Some(kept) = self.kept.get_mut(&stream) else { return };
        let newer = |there: &Snapshot| there.schema == snapshot.schema && there.seq > snapshot.seq;
        if kept.erased_at.is_none() && !kept.snapshot.as_ref().is_some_and(newer) {
            kept.snapshot = Some(snapshot);
        }
    }

    pub(crate) fn told(
        &mut self,
        stream: Stream,
        epoch: u64,
        untold: Option<u64>,
    ) -> Result<(), AppendError> {
        self.fence(stream, epoch)?;
        let kept = self.kept.get_mut(&stream).ok_or(AppendError::Conflict)?;
        kept.head.untold = untold;
        Ok(())
    }

    pub(crate) fn due(
        &self,
        until: At,
        shards: Option<&[u16]>,
        limit: usize,
    ) -> Vec<(Stream, Head)> {
        let mut due: Vec<_> = self
            .kept
            .iter()
            .filter(|(stream, _)| shards.is_none_or(|shards| shards.contains(&stream.shard())))
            .map(|(stream, kept)| (*stream, kept.head))
            .filter(|(_, head)| {
                head.untold.is_some() || head.wake_at.is_some_and(|wake_at| wake_at <= until)
            })
            .collect();
        due.sort_by_key(|(stream, head)| {
            let told = head.untold.is_none();
            (told, told.then_some(head.wake_at), stream.to_string())
        });
        due.truncate(limit);
        due
    }

    pub(crate) fn rows(&self, query: &RowQuery) -> Vec<Row> {
        let Some(rows) = self.rows.get(&query.topic) else { return vec![] };
        let from = query.after_key.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        rows.range::<str, _>((from, Bound::Unbounded))
            .map(|(_, row)| row)
            .filter(|row| query.changed_after.map_or(row.value.is_some(), |after| row.seq > after))
            .take(query.limit)
            .cloned()
            .collect()
    }

    pub(crate) fn row(&self, topic: Topic, key: &str) -> Option<Row> {
        self.rows.get(&topic)?.get(key).filter(|row| row.value.is_some()).cloned()
    }

    pub(crate) fn compact(&mut self, stream: Stream, epoch: u64) -> Result<(), AppendError> {
        self.fence(stream, epoch)?;
        if let Some(kept) = self.kept.get_mut(&stream) {
            kept.snapshot = None;
        }
        Ok(())
    }

    pub(crate) fn erase(&mut self, stream: Stream, at: At) {
        let erased_at = self.kept.get(&stream).and_then(|kept| kept.erased_at).or(Some(at));
        self.kept.insert(stream, Kept { erased_at, ..Kept::default() });
        self.rows.remove(&Topic::Of(stream));
        if let (Stream::Submission(id), Some(queue)) = (stream, self.rows.get_mut(&Topic::Queue)) {
            queue.remove(&id.to_string());
        }
    }
}
