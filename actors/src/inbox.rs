//! Commands that wait for one owner: those of people, and those of streams and the clock. A session
//! that is awake waits most of its life, so nothing is kept for commands while there are none.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::ask::Ask;

/// How many commands of people wait for one stream at most.
const PEOPLE_MAX: usize = 64;
/// Places of their own for timers, reactions and results, so that people cannot starve the clock.
const SYSTEM_MAX: usize = 32;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    People,
    /// Streams and the clock.
    System,
}

/// Why a command does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    /// Its owner takes no more.
    Closed,
}

/// Both ends of the way to a new owner.
pub(crate) fn inbox<C>() -> (Sender<C>, Receiver<C>) {
    let shared = Shared::<C>::default();
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

/// The end of who asks. Nobody finds the owner any more once it is dropped.
pub(crate) struct Sender<C>(Shared<C>);

/// The owner's end. With it go all that wait.
pub(crate) struct Receiver<C>(Shared<C>);

type Shared<C> = Arc<Mutex<Waiting<C>>>;

struct Waiting<C> {
    people: VecDeque<Ask<C>>,
    system: VecDeque<Ask<C>>,
    is_closed: bool,
}

impl<C> Default for Waiting<C> {
    fn default() -> Self {
        Self { people: VecDeque::new(), system: VecDeque::new(), is_closed: false }
    }
}

impl<C> Sender<C> {
    pub(crate) fn send(&self, line: Line, ask: Ask<C>) -> Result<(), NotTaken> {
        let mut waiting = lock(&self.0);
        if waiting.is_closed {
            return Err(NotTaken::Closed);
        }
        let (line, most) = match line {
            Line::People => (&mut waiting.people, PEOPLE_MAX),
            Line::System => (&mut waiting.system, SYSTEM_MAX),
        };
        if most <= line.len() {
            return Err(NotTaken::Full);
        }
        line.push_back(ask);
        Ok(())
    }
}

impl<C> Drop for Sender<C> {
    fn drop(&mut self) {
        lock(&self.0).is_closed = true;
    }
}

impl<C> Receiver<C> {
    /// The oldest, `most` of them at most; the clock's before people's.
    pub(crate) fn take(&self, most: usize) -> Vec<Ask<C>> {
        let mut waiting = lock(&self.0);
        let Waiting { people, system, .. } = &mut *waiting;
        let mut taken = vec![];
        for line in [system, people] {
            taken.extend(line.drain(..line.len().min(most - taken.len())));
            if line.is_empty() {
                *line = VecDeque::new();
            }
        }
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        let waiting = lock(&self.0);
        waiting.people.is_empty() && waiting.system.is_empty()
    }

    /// Whether nothing more comes: nobody finds the owner, or it takes no more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.0).is_closed
    }

    /// Takes nothing more. Answers what still waits.
    pub(crate) fn close(&self) -> Vec<Ask<C>> {
        lock(&self.0).is_closed = true;
        self.take(PEOPLE_MAX + SYSTEM_MAX)
    }
}

impl<C> Drop for Receiver<C> {
    fn drop(&mut self) {
        // Outside the lock: whoever waits for an answer is told by the drop.
        drop(self.close());
    }
}

fn lock<C>(shared: &Shared<C>) -> MutexGuard<'_, Waiting<C>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use domain::command::Answer;
    use tokio::sync::oneshot;

    use super::*;
    use crate::ask::Meta;

    fn ask(command: usize) -> (Ask<usize>, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        (Ask { meta: Meta::of_node(), command, reply }, answer)
    }

    fn taken(receiver: &Receiver<usize>, most: usize) -> Vec<usize> {
        receiver.take(most).iter().map(|ask| ask.command).collect()
    }

    #[test]
    fn the_clock_comes_before_people_and_both_in_their_order() {
        let (sender, receiver) = inbox();
        for (command, line) in
            [(1, Line::People), (2, Line::System), (3, Line::People), (4, Line::System)]
        {
            assert_eq!(sender.send(line, ask(command).0), Ok(()));
        }
        assert_eq!(taken(&receiver, 3), [2, 4, 1]);
        assert!(!receiver.is_empty());
        assert_eq!(taken(&receiver, 3), [3]);
        assert!(receiver.is_empty() && taken(&receiver, 3).is_empty());
    }

    #[test]
    fn people_in_their_crowd_leave_the_clock_its_places() {
        let (sender, receiver) = inbox();
        let sent = |line| (0..100).map_while(|n| sender.send(line, ask(n).0).ok()).count();
        assert_eq!(sent(Line::People), PEOPLE_MAX);
        assert_eq!(sender.send(Line::People, ask(0).0), Err(NotTaken::Full));
        assert_eq!(sent(Line::System), SYSTEM_MAX);
        receiver.take(SYSTEM_MAX + 1);
        assert_eq!(sent(Line::People), 1);
    }

    #[test]
    fn an_owner_that_ends_takes_what_waits_with_it() {
        let (sender, receiver) = inbox();
        let (waits, mut answer) = ask(1);
        assert_eq!(sender.send(Line::People, waits), Ok(()));
        assert_eq!(answer.try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty);
        drop(receiver);
        assert_eq!(answer.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
        assert_eq!(sender.send(Line::People, ask(2).0), Err(NotTaken::Closed));
    }

    #[test]
    fn an_owner_that_nobody_finds_is_told_and_has_what_waits() {
        let (sender, receiver) = inbox();
        assert!(!receiver.is_closed());
        assert_eq!(sender.send(Line::System, ask(1).0), Ok(()));
        drop(sender);
        assert!(receiver.is_closed());
        assert_eq!(receiver.close().len(), 1);
    }
}
