//! One candidate who works, and whose link ends again and again; it comes back as the page does.

use std::sync::Arc;

use loadtests::{
    candidate::Candidate,
    page::{Link, PING_EVERY},
    proxy::{Fault, Proxy},
    socket::Heard,
};
use serde_json::json;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::{
    Shared,
    plan::{Blow, Plan},
};

/// How often somebody does something.
const WORK_EVERY: Duration = Duration::from_millis(500);
/// A blow that is due falls so soon after the client has begun to connect.
const SOON: Duration = Duration::from_millis(10);
/// After so long an attempt to connect is given up.
const CONNECTING: Duration = Duration::from_secs(5);
/// A client that is not up to date after so long will not be.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why a link was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// One end or both were told.
    Cut,
    /// Nobody was; found by the silence.
    Silence,
    /// The server was killed.
    Killed,
}

/// See the module.
pub(super) struct Client {
    pub(super) candidate: Candidate,
    pub(super) report: Report,
    proxy: Proxy,
    plan: Plan,
    next: Blow,
    strike_at: Instant,
    shared: Arc<Shared>,
    link: Link,
    /// The link is lost, or just back, and something may be missing.
    behind: Option<Behind>,
    /// The head that the last pong on this socket named.
    head: Option<(u64, u64)>,
    /// A frame of rows came on this socket.
    is_fed: bool,
    choice: u8,
}

struct Behind {
    why: Why,
    /// From when on it could be up to date again, as far as this client's own way goes.
    since: Instant,
    /// When it tried last.
    tried_at: Instant,
}

/// How long somebody took to be up to date again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Back {
    pub(super) why: Why,
    /// Since there was a way again.
    pub(super) took: Duration,
    /// Since it connected: without the time that the page waits before.
    pub(super) connected: Duration,
}

/// What one client has seen.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) cuts: u64,
    pub(super) stalls: u64,
    pub(super) frames: u64,
    pub(super) back: Vec<Back>,
}

impl Client {
    pub(super) fn new(
        candidate: Candidate,
        proxy: Proxy,
        mut plan: Plan,
        shared: Arc<Shared>,
    ) -> Self {
        let next = plan.next();
        let (link, strike_at) = (Link::new(plan.random().fork()), Instant::now() + next.after);
        let (report, behind, head) = (Report::default(), None, None);
        let (is_fed, choice) = (false, 0);
        Self {
            candidate,
            report,
            proxy,
            plan,
            next,
            strike_at,
            shared,
            link,
            behind,
            head,
            is_fed,
            choice,
        }
    }

    /// Plays until there are no more cuts, and then until it is up to date and all is answered.
    pub(super) async fn play(mut self) -> Self {
        let mut work = interval(WORK_EVERY);
        work.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings = interval(PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut over_since: Option<Instant> = None;
        loop {
            let is_over = self.shared.is_over();
            if is_over && over_since.is_none() {
                over_since = Some(Instant::now());
            }
            if over_since.is_some() && self.is_done() {
                return self;
            }
            if over_since.is_some_and(|since| PATIENCE < since.elapsed()) {
                self.candidate.problem("it does not come to an end");
                return self;
            }
            if !self.candidate.is_connected() {
                self.come_back().await;
                continue;
            }
            tokio::select! {
                heard = self.candidate.next() => {
                    if is_over && !matches!(heard, Heard::Pong { .. }) {
                        // What was heard of the head before is old.
                        self.head = None;
                    }
                    self.hear(heard);
                }
                _ = work.tick() => self.work(is_over).await,
                _ = pings.tick() => self.beat().await,
                () = sleep_until(self.strike_at), if !is_over => self.strike(),
            }
        }
    }

    /// Handed in, up to date, everything answered, every run judged.
    fn is_done(&self) -> bool {
        let mut rows = self.candidate.view.rows.iter();
        let waits = |(key, row): (&String, &serde_json::Value)| {
            key.starts_with("run.") && row["state"] != "judged"
        };
        self.behind.is_none()
            && self.knows_head()
            && !self.candidate.view.row("session")["sealed_at"].is_null()
            && self.candidate.is_connected()
            && self.candidate.is_quiet()
            && !rows.any(waits)
    }

    fn hear(&mut self, heard: Heard) {
        self.link.heard();
        match &heard {
            Heard::Closed(_) => {
                let why = if self.is_up() { Why::Cut } else { Why::Killed };
                self.lost(why);
            }
            Heard::Bye { retry_after_ms, .. } => {
                self.link.told_to_wait(retry_after_ms.unwrap_or(0));
            }
            Heard::Pong { heads, .. } => {
                self.link.is_well();
                self.head = Some(heads.get(&self.candidate.topic).copied().unwrap_or_default());
            }
            Heard::Rows(_) => {
                self.report.frames += 1;
                self.is_fed = true;
            }
            Heard::Done { .. }
            | Heard::Refused { .. }
            | Heard::Unwatched { .. }
            | Heard::Untyped { .. } => {}
        }
        self.candidate.hear(heard);
        self.look();
    }

    fn is_up(&self) -> bool {
        self.shared.up_since.borrow().is_some()
    }

    /// The link is gone, as far as this client knows.
    fn lost(&mut self, why: Why) {
        let now = Instant::now();
        match &mut self.behind {
            // It was on its way back: what began it counts, and time from now on.
            Some(behind) => behind.since = behind.since.max(now),
            None => self.behind = Some(Behind { why, since: now, tried_at: now }),
        }
        (self.head, self.is_fed) = (None, false);
    }

    /// Notes when it is up to date again: as far as the server says there is anything.
    fn look(&mut self) {
        if !self.is_fed || !self.knows_head() {
            return;
        }
        let Some(behind) = self.behind.take() else { return };
        let up_since = self.shared.up_since.borrow().unwrap_or_else(Instant::now);
        // Whoever was cut before the server died waited for that as well.
        let why = if behind.since < up_since { Why::Killed } else { behind.why };
        let since = behind.since.max(up_since);
        let (took, connected) = (since.elapsed(), behind.tried_at.elapsed());
        self.report.back.push(Back { why, took, connected });
    }

    /// Has all that there was when the last pong came.
    fn knows_head(&self) -> bool {
        let view = &self.candidate.view;
        view.is_whole() && self.head.is_some_and(|head| head <= (view.epoch, view.seq))
    }

    /// Waits as the page does, and tries once.
    async fn come_back(&mut self) {
        let Self { candidate, link, proxy, next, strike_at, shared, behind, .. } = self;
        if let Some(behind) = behind {
            sleep(link.wait()).await;
            behind.tried_at = Instant::now();
        }
        link.heard();
        // A link may end again before it is well. What was due while there was none falls now.
        *strike_at = (*strike_at).max(Instant::now() + next.after.min(SOON));
        let mut struck = None;
        let resumed = {
            let mut resume = std::pin::pin!(timeout(CONNECTING, candidate.resume()));
            tokio::select! {
                resumed = &mut resume => resumed,
                () = sleep_until(*strike_at), if !shared.is_over() => {
                    if next.fault == Fault::Silent {
                        // Nobody would find it out before the socket is there.
                        next.fault = Fault::Cut;
                    }
                    struck = Some(proxy.strike(next.fault));
                    resume.await
                }
            }
        };
        let is_open = matches!(resumed, Ok(Ok(())));
        if let Some(links) = struck {
            self.note_blow(links);
        }
        if is_open {
            self.ping().await;
        } else {
            let why = if self.is_up() { Why::Cut } else { Why::Killed };
            self.candidate.cut();
            if self.behind.is_none() {
                self.lost(why);
            }
        }
    }

    fn strike(&mut self) {
        let links = self.proxy.strike(self.next.fault);
        self.note_blow(links);
    }

    /// A blow has fallen on so many links: what follows of it, and when the next one falls.
    fn note_blow(&mut self, links: usize) {
        let Blow { fault, down, .. } = self.next;
        let stalled = if let Fault::Stall(length) = fault { length } else { Duration::ZERO };
        let back_at = Instant::now() + down + stalled;
        if !stalled.is_zero() {
            self.report.stalls += 1;
        } else if links > 0 && self.shared.take_cut() {
            self.report.cuts += 1;
        }
        self.proxy.be_down_until(Instant::now() + down);
        if let (Fault::Cut | Fault::HalfOpen, None) = (fault, &self.behind) {
            self.behind = Some(Behind { why: Why::Cut, since: back_at, tried_at: back_at });
        } else if let Some(behind) = &mut self.behind {
            behind.since = behind.since.max(back_at);
        }
        if stalled.is_zero() {
            // Until it is fed again on another socket. After a stall it has the same one still: what
            // had come on it has come, and nobody asks for it again.
            (self.head, self.is_fed) = (None, false);
        }
        self.next = self.plan.next();
        self.strike_at = back_at + self.next.after;
    }

    async fn beat(&mut self) {
        if self.link.is_dead() {
            self.candidate.cut();
            return self.lost(Why::Silence);
        }
        self.ping().await;
    }

    async fn ping(&mut self) {
        self.candidate.send_frame(&json!({ "type": "ping", "sent_ms": 0 })).await;
    }

    /// Does one thing, most of which write rows.
    async fn work(&mut self, is_over: bool) {
        self.candidate.ask_again().await;
        if is_over {
            self.ping().await;
        }
        if !self.candidate.is_quiet() {
            return;
        }
        let seat = self.candidate.seat;
        if is_over {
            let is_sealed = !self.candidate.view.row("session")["sealed_at"].is_null();
            if !is_sealed {
                let hand_in = json!({ "type": "hand_in", "seat": seat });
                self.candidate.send(hand_in, None, false).await;
            }
            return;
        }
        match self.plan.random().u8(..10) {
            0..5 => self.candidate.type_once().await,
            5..8 => {
                self.choice = 1 - self.choice;
                let choices = [self.choice];
                let answer =
                    json!({ "type": "answer", "seat": seat, "question": 0, "choices": choices });
                self.candidate.send(answer, None, false).await;
            }
            _ => {
                let run = json!({ "type": "run", "seat": seat, "question": 1, "kind": "all" });
                self.candidate.send(run, None, false).await;
            }
        }
    }
}
