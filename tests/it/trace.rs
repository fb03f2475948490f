//! What a server did, as `strace` saw it: what it wrote to its log, when that was synced, and when
//! it answered.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use domain::ids::CommandId;

/// One system call: the lines of the trace where it began and where it was over.
#[derive(Debug)]
struct Call {
    name: String,
    /// What its first argument is: a file's path or a connection.
    on: String,
    /// All bytes among its arguments, as `\x41\x42`: searched as text, which is fast.
    hex: String,
    began: usize,
    over: usize,
    result: i64,
}

/// What `strace -f -yy -xx -s …` has to be asked for, besides the file that it writes.
pub(crate) const WATCHED: &str =
    "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync";

/// One transaction in the write-ahead log.
#[derive(Debug, Default)]
struct Transaction {
    /// As in [`Call::hex`].
    pages: String,
    /// The line where its last page was written.
    written: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Trace {
    transactions: Vec<Transaction>,
    /// Where each sync of the log began and where it was over.
    syncs: Vec<(usize, usize)>,
    /// Where the answer to each command began to be written.
    done: BTreeMap<CommandId, usize>,
}

impl Trace {
    /// Reads what `strace` wrote.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let mut trace = Self { transactions: vec![], syncs: vec![], done: BTreeMap::new() };
        let mut frames = Frames::default();
        for call in calls(text)? {
            let is_log = call.on.contains("polycode.db-wal");
            match call.name.as_str() {
                "pwrite64" if is_log => trace.transactions.extend(frames.take(&call)?),
                "fsync" | "fdatasync" if is_log && call.result == 0 => {
                    trace.syncs.push((call.began, call.over));
                }
                _ if is_log => anyhow::bail!("the log was written by {}", call.name),
                _ if call.on.starts_with("TCP") => trace.hear(&call)?,
                _ => {}
            }
        }
        ensure!(!trace.transactions.is_empty(), "nothing was written");
        Ok(trace)
    }

    /// Notes the answers in what was sent.
    fn hear(&mut self, call: &Call) -> anyhow::Result<()> {
        let sent = unhex(&call.hex);
        let sent = String::from_utf8_lossy(&sent);
        for frame in sent.split(r#"{"type":"done","command_id":""#).skip(1) {
            let id = frame.get(..36).context("an id")?.parse()?;
            self.done.entry(id).or_insert(call.began);
        }
        Ok(())
    }

    /// How many times the log was synced.
    pub(crate) fn syncs(&self) -> usize {
        self.syncs.len()
    }

    /// How many commands were answered.
    pub(crate) fn answers(&self) -> usize {
        self.done.len()
    }

    /// Fails unless the answer to `id` was sent after a sync of the log which began after the whole
    /// transaction with the command's event was in it.
    pub(crate) fn check(&self, id: CommandId) -> anyhow::Result<()> {
        let answered = *self.done.get(&id).with_context(|| format!("{id} was not answered"))?;
        let hex: String = id.uuid().into_bytes().map(|byte| format!("\\x{byte:02x}")).concat();
        let stored = self.transactions.iter().find(|it| it.pages.contains(&hex));
        let written = stored.with_context(|| format!("{id} is not in the log"))?.written;
        let is_between = |&(began, over): &(usize, usize)| written < began && over < answered;
        ensure!(
            self.syncs.iter().any(is_between),
            "{id} was written until line {written} and answered in line {answered}, without a sync \
             between"
        );
        Ok(())
    }
}

/// Puts pages together to transactions: before each page goes a header of 24 bytes, whose second
/// number is not zero in a transaction's last page (<https://sqlite.org/fileformat2.html#walformat>).
#[derive(Default)]
struct Frames {
    so_far: Transaction,
    is_last: bool,
}

impl Frames {
    /// The transaction that ends with `call`.
    fn take(&mut self, call: &Call) -> anyhow::Result<Option<Transaction>> {
        match call.hex.len() / 4 {
            // The log's own header.
            32 => Ok(None),
            24 => {
                self.is_last = call.hex.get(16..32) != Some(r"\x00\x00\x00\x00");
                Ok(None)
            }
            4_096 => {
                self.so_far.pages.push_str(&call.hex);
                self.so_far.written = call.over;
                Ok(std::mem::take(&mut self.is_last).then(|| std::mem::take(&mut self.so_far)))
            }
            length => anyhow::bail!("{length} bytes are no part of a log"),
        }
    }
}

/// The calls of a trace, in the order in which they were over.
fn calls(text: &str) -> anyhow::Result<Vec<Call>> {
    let mut calls = vec![];
    let mut open = BTreeMap::new();
    for (line, text) in text.lines().enumerate() {
        let (thread, text) = text.split_once(' ').context("a line begins with a thread")?;
        let text = text.trim_start();
        if text.starts_with("+++") || text.starts_with("---") {
            continue;
        }
        if let Some(start) = text.strip_suffix("<unfinished ...>") {
            open.insert(thread, (line, start));
        } else if let Some(rest) = text.strip_prefix("<... ") {
            let (began, start) = open.remove(thread).context("what goes on has begun")?;
            let (_, rest) = rest.split_once("resumed>").context("what goes on says so")?;
            calls.push(call(start, rest, (began, line))?);
        } else {
            calls.push(call(text, "", (line, line))?);
        }
    }
    Ok(calls)
}

/// `start` and `rest` are one line, such as `fsync(9</a/b>) = 0`.
fn call(start: &str, rest: &str, (began, over): (usize, usize)) -> anyhow::Result<Call> {
    let line = format!("{start}{rest}");
    let (name, arguments) = line.split_once('(').with_context(|| format!("a call: {line}"))?;
    let (arguments, result) = arguments.rsplit_once(" = ").context("a result")?;
    let result = result.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(-1);
    let first = arguments.split(", ").next().unwrap_or_default();
    let on = first.split_once('<').map_or("", |(_, on)| on).trim_end_matches([')', '>', ' ']);
    let on = if on.contains("\\x") { String::from_utf8(unhex(on))? } else { on.to_owned() };
    let hex = arguments.split('"').skip(1).step_by(2).collect();
    Ok(Call { name: name.to_owned(), on, hex, began, over, result })
}

/// `\x41\x42` as bytes.
fn unhex(hex: &str) -> Vec<u8> {
    hex.split("\\x").skip(1).filter_map(|it| u8::from_str_radix(it.get(..2)?, 16).ok()).collect()
}
