//! How a frame goes over NATS: numbers at the front, then keys and values as they are. The text for
//! pages follows from the frame and is written again where it arrives.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use domain::{frame::RowsFrame, ids::NodeId, ports::Published, rows::Topic};

/// The first byte. A node that does not know it drops the frame, and its watchers see a gap.
const VERSION: u8 = 1;

const HAS_PREV: u8 = 1;
const IS_RESET: u8 = 2;
const IS_MORE: u8 = 4;
const HAS_TEXT: u8 = 8;

/// How many bytes of rows a frame of a runner has at most.
const FOREIGN_MAX: usize = 1024 * 1024;

/// Stands for the length of a value that is gone.
const GONE: u32 = u32::MAX;

/// Who published a frame, and which one it is among theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nth {
    pub publisher: NodeId,
    pub n: u64,
    /// The number of their frame before in the same topic; 0 when there was none for long.
    pub before: u64,
}

/// What is not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame")]
pub(super) struct NoFrame;

pub(super) fn write(nth: Nth, published: &Published) -> Bytes {
    let frame = &published.frame;
    let bytes = frame.rows.iter().map(|(key, value)| key.len() + value_len(value.as_ref()) + 8);
    let mut to = BytesMut::with_capacity(64 + bytes.sum::<usize>());
    to.put_u8(VERSION);
    let mark = |is: bool, mark: u8| if is { mark } else { 0 };
    to.put_u8(
        mark(frame.prev.is_some(), HAS_PREV)
            | mark(frame.reset, IS_RESET)
            | mark(frame.more, IS_MORE)
            | mark(!published.text.is_empty(), HAS_TEXT),
    );
    to.put_u128(nth.publisher.uuid().as_u128());
    for number in [nth.n, nth.before, frame.epoch, frame.seq, frame.prev.unwrap_or(0)] {
        to.put_u64(number);
    }
    for (key, value) in &frame.rows {
        to.put_u32(length(key.len()));
        to.put_slice(key.as_bytes());
        to.put_u32(value.as_ref().map_or(GONE, |value| length(value.len())));
        to.put_slice(value.as_deref().unwrap_or_default());
    }
    to.freeze()
}

pub(super) fn read(topic: Topic, mut from: Bytes) -> Result<(Nth, Published), NoFrame> {
    if from.try_get_u8() != Ok(VERSION) {
        return Err(NoFrame);
    }
    let marks = from.try_get_u8().map_err(|_| NoFrame)?;
    let publisher = NodeId::from_u128(from.try_get_u128().map_err(|_| NoFrame)?);
    let mut number = || from.try_get_u64().map_err(|_| NoFrame);
    let nth = Nth { publisher, n: number()?, before: number()? };
    let (epoch, seq, prev) = (number()?, number()?, number()?);
    // What runs print comes from runners, of which one may be anybody's.
    let is_foreign = matches!(topic, Topic::Output(_));
    if is_foreign && FOREIGN_MAX < from.len() {
        return Err(NoFrame);
    }
    let mut rows = vec![];
    while from.has_remaining() {
        let key = take(&mut from)?.ok_or(NoFrame)?;
        let key = std::str::from_utf8(&key).map_err(|_| NoFrame)?.to_owned();
        let value = take(&mut from)?;
        if is_foreign && !value.as_deref().is_none_or(is_json) {
            return Err(NoFrame);
        }
        rows.push((key, value));
    }
    let prev = (marks & HAS_PREV > 0).then_some(prev);
    let (reset, more) = (marks & IS_RESET > 0, marks & IS_MORE > 0);
    let frame = RowsFrame { topic, epoch, seq, prev, reset, more, rows };
    let text = if marks & HAS_TEXT > 0 { frame.write().into() } else { Bytes::new() };
    Ok((nth, Published::new(frame, text)))
}

/// Whether it can stand in a frame for pages, and nowhere outside of its place.
fn is_json(value: &[u8]) -> bool {
    let text = std::str::from_utf8(value);
    text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// A length and so many bytes.
fn take(from: &mut Bytes) -> Result<Option<Bytes>, NoFrame> {
    let length = from.try_get_u32().map_err(|_| NoFrame)?;
    if length == GONE {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| NoFrame)?;
    if length > from.len() {
        return Err(NoFrame);
    }
    Ok(Some(from.split_to(length)))
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a frame is far smaller")
}

fn value_len(value: Option<&Bytes>) -> usize {
    value.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use domain::ids::SubmissionId;

    use super::*;

    fn published() -> Published {
        let rows = vec![
            ("a".to_owned(), Some(Bytes::from_static(b"{\"x\":1}"))),
            ("ü".to_owned(), None),
            (String::new(), Some(Bytes::new())),
        ];
        let topic = Topic::Contents;
        let frame =
            RowsFrame { topic, epoch: 2, seq: 9, prev: Some(7), reset: true, more: false, rows };
        let text = frame.write().into();
        Published::new(frame, text)
    }

    const NTH: Nth = Nth { publisher: NodeId::from_u128(5), n: 3, before: 2 };

    #[test]
    fn a_frame_arrives_as_it_was() {
        let sent = published();
        let (nth, read) = read(Topic::Contents, write(NTH, &sent)).unwrap();
        assert_eq!(nth, NTH);
        assert_eq!(format!("{read:?}"), format!("{sent:?}"));
    }

    #[test]
    fn a_frame_without_text_arrives_without() {
        let sent = Published { text: Bytes::new(), ..published() };
        assert!(read(Topic::Contents, write(NTH, &sent)).unwrap().1.text.is_empty());
    }

    #[test]
    fn what_a_runner_sends_stays_in_its_place() {
        let topic = Topic::Output(SubmissionId::from_u128(1));
        let sent = |value: &'static [u8]| {
            let rows = vec![("0.stdout".to_owned(), Some(Bytes::from_static(value)))];
            let frame = RowsFrame { topic, rows, ..published().frame };
            read(topic, write(NTH, &Published::new(frame, Bytes::from_static(b"{}"))))
        };
        let good = sent(b"{\"offset\":0,\"text\":\"a\"}").unwrap().1;
        assert!(serde_json::from_slice::<serde_json::Value>(&good.text).is_ok());
        for bad in [&b"1}],\"reset\":true"[..], b"1,2", b"", b"{\"a\":}", b"\"\xff\""] {
            assert_eq!(sent(bad).err(), Some(NoFrame), "{bad:?}");
        }
        let long = Box::leak(vec![b' '; FOREIGN_MAX].into_boxed_slice());
        assert_eq!(sent(long).err(), Some(NoFrame));
    }

    #[test]
    fn what_is_cut_short_is_no_frame() {
        let sent = write(NTH, &published());
        // A row may end where the bytes do; nothing else may.
        let ends = [58, 58 + 4 + 1 + 4 + 7, 58 + 16 + 4 + 2 + 4];
        for length in (0..sent.len()).filter(|length| !ends.contains(length)) {
            assert_eq!(
                read(Topic::Contents, sent.slice(..length)).err(),
                Some(NoFrame),
                "{length}"
            );
        }
        assert_eq!(read(Topic::Contents, Bytes::from_static(b"\x02")).err(), Some(NoFrame));
    }
}
