//! Watching one run from outside: its output, its limits, its end. The run is over when init is,
//! whoever still holds a pipe.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
};
use tokio::time::{Duration, Instant};

use crate::{
    cgroup::Meter,
    feed::Feed,
    frame::{self, Kind, Stop, Walls},
    tap::Tap,
};

/// How often the meter is read: a run is stopped at most this much, times its processors, after
/// its limit of processor time.
const PERIOD: Duration = Duration::from_millis(10);

/// Places in [`Watch::taps`].
const STDOUT: usize = 0;
const STDERR: usize = 1;
const REPORT: usize = 2;

/// A run, as its helper sees it.
pub(crate) struct Watch<'a> {
    pub(crate) init: &'a OwnedFd,
    pub(crate) control: &'a UnixStream,
    pub(crate) meter: &'a Meter,
    pub(crate) walls: &'a Walls,
    pub(crate) started: Instant,
    pub(crate) stop: Option<Stop>,
    /// The most memory that was seen.
    pub(crate) memory_bytes: u64,
    /// Standard input, where it comes while the program runs.
    pub(crate) feed: Option<Feed>,
    /// Standard output and standard error, which go on to the server, and what init reports,
    /// which stays here.
    pub(crate) taps: [Tap; 3],
}

impl Watch<'_> {
    /// Watches until init has ended. Fails, and leaves nothing alive, when the server is gone.
    pub(crate) fn until_end(&mut self) -> io::Result<()> {
        let watched = self.watch();
        if watched.is_err() {
            self.kill();
        }
        watched
    }

    fn watch(&mut self) -> io::Result<()> {
        let deadline = self.started + Duration::from_millis(self.walls.wall_ms.into());
        let mut next_look = self.started + PERIOD;
        loop {
            let now = Instant::now();
            if now >= deadline {
                self.stop(Stop::Wall);
            }
            if now >= next_look {
                self.look();
                next_look = now + PERIOD;
            }
            let mut wake = next_look;
            if self.stop.is_none() {
                wake = wake.min(deadline);
            }
            for tap in &self.taps {
                wake = tap.due().map_or(wake, |due| wake.min(due));
            }
            let ended = self.wait(wake.saturating_duration_since(now))?;
            if ended {
                return self.drain();
            }
        }
    }

    /// Waits for something to happen, at most for `time`, and handles output. Answers whether
    /// init has ended.
    fn wait(&mut self, time: Duration) -> io::Result<bool> {
        let now = Instant::now();
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        let mut polled =
            vec![PollFd::new(self.init, PollFlags::IN), PollFd::new(self.control, PollFlags::IN)];
        let taps = [STDOUT, STDERR, REPORT].into_iter().zip(&self.taps);
        let open: Vec<_> = taps.filter(|(_, tap)| tap.is_open(now)).collect();
        polled.extend(open.iter().map(|(_, tap)| PollFd::new(*tap, PollFlags::IN)));
        let wants = self.feed.as_ref().and_then(Feed::wants);
        polled.extend(wants.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::OUT)));
        match poll(&mut polled, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
        let mut ready = polled.iter().map(|fd| !fd.revents().is_empty());
        let (ended, said) = (ready.next() == Some(true), ready.next() == Some(true));
        let ready: Vec<_> = open.iter().zip(ready).filter(|(_, ready)| *ready).collect();
        let ready: Vec<usize> = ready.into_iter().map(|((which, _), _)| *which).collect();
        if said {
            self.hear()?;
        }
        if let Some(feed) = &mut self.feed {
            feed.pass_on();
        }
        self.pass_on(&ready)?;
        Ok(ended)
    }

    /// Does what the server says while a run lasts. Anything else is its end.
    fn hear(&mut self) -> io::Result<()> {
        match (frame::read(&mut self.control)?, &mut self.feed) {
            (Some((Kind::Halt, _)), _) => self.stop(Stop::Halted),
            (Some((Kind::Input, bytes)), Some(feed)) => feed.add(&bytes),
            (Some((Kind::Input, _)), None) => {}
            _ => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        Ok(())
    }

    fn pass_on(&mut self, ready: &[usize]) -> io::Result<()> {
        let now = Instant::now();
        for (which, tap) in self.taps.iter_mut().enumerate() {
            if ready.contains(&which) {
                tap.read(now);
            }
            if which != REPORT {
                tap.flush(now, self.control)?;
            }
        }
        if self.taps.iter().any(Tap::is_over) {
            self.stop(Stop::Output);
        }
        Ok(())
    }

    fn look(&mut self) {
        let Some(usage) = self.meter.usage() else { return };
        self.memory_bytes = self.memory_bytes.max(usage.memory_bytes);
        if usage.out_of_memory {
            self.stop(Stop::Memory);
        } else if usage.cpu_us > u64::from(self.walls.cpu_ms) * 1000 {
            self.stop(Stop::Cpu);
        }
    }

    /// Stops the run. The first reason counts.
    fn stop(&mut self, why: Stop) {
        if self.stop.is_none() {
            self.stop = Some(why);
            self.kill();
        }
    }

    fn kill(&self) {
        if let Err(why) = rustix::process::pidfd_send_signal(self.init.as_fd(), Signal::KILL) {
            tracing::debug!(%why, "init had ended before it was killed");
        }
    }

    /// Takes what is still in the pipes. Everybody who could write is dead.
    fn drain(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for (which, tap) in self.taps.iter_mut().enumerate() {
            while tap.read(now) > 0 {}
            if which != REPORT {
                tap.flush_all(self.control)?;
            }
        }
        if self.taps.iter().any(Tap::is_over) {
            self.stop = self.stop.or(Some(Stop::Output));
        }
        Ok(())
    }
}
