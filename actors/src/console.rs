//! What people do with their own runs while they go on: type into them, end their input, stop them.
//! Nothing of it is kept; who types into a run that is gone is told so.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{frame::Why, ids::SubmissionId, ports::Typing, run::Typed};
use tokio::sync::mpsc;

use crate::output::Told;

/// How many bytes may be typed at once…
pub const TYPED_MAX: usize = 4 * 1024;
/// …and into one run altogether.
const TYPED_OF_RUN_MAX: usize = 64 * 1024;
/// How many lines may wait for a program that does not read them.
const WAITING_MAX: usize = 64;

/// The runs that go on here and listen to their person.
#[derive(Default)]
pub(crate) struct Consoles {
    open: Mutex<HashMap<SubmissionId, Console>>,
    opened: AtomicU64,
}

/// The person's end.
struct Console {
    number: u64,
    typed: mpsc::Sender<Typed>,
    told: Told,
    /// Whether more may be typed.
    is_open: bool,
    bytes: usize,
}

/// The program's end. Dropping it ends the console.
pub(crate) struct Listening {
    consoles: Arc<Consoles>,
    submission: SubmissionId,
    number: u64,
    is_open: bool,
    typed: mpsc::Receiver<Typed>,
}

impl Consoles {
    /// A run begins that its person can stop and, if `is_open`, type into.
    pub(crate) fn listen(
        self: &Arc<Self>,
        submission: SubmissionId,
        told: Told,
        is_open: bool,
    ) -> Listening {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        // One place more than lines may take: for the stop.
        let (sender, typed) = mpsc::channel(WAITING_MAX + 1);
        told.tell_input(is_open);
        let console = Console { number, typed: sender, told, is_open, bytes: 0 };
        self.consoles().insert(submission, console);
        Listening { consoles: Arc::clone(self), submission, number, is_open, typed }
    }

    /// Passes on what the person did, or says why not.
    pub(crate) fn pass(&self, submission: SubmissionId, typed: Typed) -> Result<(), Why> {
        match self.consoles().get_mut(&submission) {
            Some(console) => console.pass(typed),
            None => Err(over()),
        }
    }

    /// Whether a run listens here.
    pub(crate) fn has(&self, submission: SubmissionId) -> bool {
        self.consoles().contains_key(&submission)
    }

    fn consoles(&self) -> MutexGuard<'_, HashMap<SubmissionId, Console>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing reaches a run that is nowhere.
pub(crate) fn over() -> Why {
    Why::new("run_over", "this run is over, or has not begun")
}

impl Console {
    fn pass(&mut self, typed: Typed) -> Result<(), Why> {
        let bytes = if let Typed::Text(text) = &typed { text.len() } else { 0 };
        let is_stop = typed == Typed::Stop;
        if !is_stop && !self.is_open {
            return Err(Why::new("input_ended", "this run takes no more input"));
        }
        if TYPED_MAX < bytes || TYPED_OF_RUN_MAX < self.bytes + bytes {
            return Err(Why::new("typed_too_much", "this is more than may be typed into one run"));
        }
        if !is_stop && self.typed.capacity() <= 1 {
            return Err(Why::new(
                "not_read_yet",
                "the program has not read yet what was typed before",
            ));
        }
        self.bytes += bytes;
        match &typed {
            Typed::Text(text) => self.told.tell_typed(&String::from_utf8_lossy(text)),
            Typed::End => {
                self.is_open = false;
                self.told.tell_input(false);
            }
            Typed::Stop => {}
        }
        // Full only by stops, of which one is enough.
        self.typed.try_send(typed).ok();
        Ok(())
    }
}

#[async_trait]
impl Typing for Listening {
    fn is_open(&self) -> bool {
        self.is_open
    }

    async fn next(&mut self) -> Typed {
        match self.typed.recv().await {
            Some(typed) => typed,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut open = self.consoles.consoles();
        if open.get(&self.submission).is_some_and(|console| console.number == self.number) {
            open.remove(&self.submission);
        }
    }
}

/// A line as the wire has it.
pub fn text(text: &str) -> Typed {
    Typed::Text(Bytes::copy_from_slice(text.as_bytes()))
}
