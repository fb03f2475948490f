//! How a lost frame is noticed: its publisher numbers frames, each names the one before it in its
//! topic, and every 2 s the publisher says which was the last one of each topic of late.

use std::{collections::HashMap, fmt::Write, time::Duration};

use domain::{ids::NodeId, rows::Topic};
use tokio::time::Instant;

use super::frames::Nth;

/// How long a topic is among the heads after its last frame: five times, so that a lost one is made up
/// for.
pub(super) const TOLD_FOR: Duration = Duration::from_secs(10);

/// How many topics one publisher keeps the last number of. Beyond it, it says that of all topics
/// something may be missing.
const TOPICS_MAX: usize = 64 * 1024;

/// How many publishers one watcher keeps the last number of; nodes that were started again are new
/// ones. At the limit it forgets them all, and reads again once.
const PUBLISHERS_MAX: usize = 64;

/// How many topics are in one message: about 250 KB.
const LINES_MAX: usize = 4_096;

/// What one node has published.
pub(super) struct Said {
    publisher: NodeId,
    n: u64,
    last: HashMap<Topic, (u64, Instant)>,
    /// Topics are kept at least until then, since heads from before may not have arrived.
    kept_from: Instant,
    is_over: bool,
}

impl Said {
    pub(super) fn new(publisher: NodeId) -> Self {
        let (last, kept_from) = (HashMap::new(), Instant::now());
        Self { publisher, n: 0, last, kept_from, is_over: false }
    }

    /// Counts one more frame of `topic`.
    pub(super) fn count(&mut self, topic: Topic) -> Nth {
        self.n += 1;
        let before = if self.last.len() < TOPICS_MAX || self.last.contains_key(&topic) {
            self.last.insert(topic, (self.n, Instant::now())).map_or(0, |(before, _)| before)
        } else {
            self.is_over = true;
            0
        };
        Nth { publisher: self.publisher, n: self.n, before }
    }

    /// The connection is back: nothing is forgotten for a while.
    pub(super) fn is_back(&mut self) {
        self.kept_from = Instant::now();
    }

    /// What there is to say of the topics that `among` picks, as messages.
    pub(super) fn heads(&mut self, among: impl Fn(&Topic) -> bool) -> Vec<String> {
        let now = Instant::now();
        let mut lines = vec![];
        for (topic, (n, at)) in self.last.iter().filter(|(topic, _)| among(topic)) {
            lines.push(format!("{topic} {n} {}\n", (now - *at).as_millis()));
        }
        if self.is_over {
            lines.push(format!("* {} 0\n", self.n));
        }
        let messages = lines.chunks(LINES_MAX).map(|lines| {
            let mut text = String::new();
            writeln!(text, "{}", self.publisher).expect("a String takes everything");
            text.extend(lines.iter().map(String::as_str));
            text
        });
        messages.collect()
    }

    /// Forgets what was said often enough.
    pub(super) fn forget(&mut self) {
        self.is_over = false;
        let kept_from = self.kept_from;
        self.last.retain(|_, (_, at)| (*at).max(kept_from).elapsed() < TOLD_FOR);
        if self.last.capacity() > 4 * self.last.len() + 1_024 {
            self.last.shrink_to_fit();
        }
    }
}

/// One line of heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// `None`: whatever the topic.
    pub topic: Option<Topic>,
    pub n: u64,
    /// How long ago its frame was published.
    pub age: Duration,
}

/// Reads what [`Said::heads`] has written; lines that mean nothing here are left out.
pub(super) fn read(text: &str) -> Option<(NodeId, Vec<Head>)> {
    let (publisher, lines) = text.split_once('\n')?;
    let head = |line: &str| {
        let mut words = line.split(' ');
        let topic = match words.next()? {
            "*" => None,
            topic => Some(topic.parse().ok()?),
        };
        let (n, age) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Head { topic, n, age: Duration::from_millis(age) })
    };
    Some((publisher.parse().ok()?, lines.lines().filter_map(head).collect()))
}

/// What one node has heard of one topic.
pub(super) struct Known {
    since: Instant,
    last: HashMap<NodeId, u64>,
}

impl Known {
    /// As of now, when the topic is about to be read for the first time.
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), last: HashMap::new() }
    }

    /// Notes a frame; whether one before it is missing.
    pub(super) fn misses_before(&mut self, nth: Nth) -> bool {
        if self.last.len() >= PUBLISHERS_MAX && !self.last.contains_key(&nth.publisher) {
            self.last.clear();
        }
        let known = self.last.insert(nth.publisher, nth.n).unwrap_or(0);
        nth.before != 0 && nth.before > known
    }

    /// Whether the frame that a head names was never heard, though it was published after this
    /// began.
    pub(super) fn misses(&self, publisher: NodeId, head: &Head) -> bool {
        match self.last.get(&publisher) {
            Some(known) => *known < head.n,
            None => head.age <= self.since.elapsed(),
        }
    }

    /// Notes that the gap was told.
    pub(super) fn is_told(&mut self, publisher: NodeId, n: u64) {
        let known = self.last.entry(publisher).or_default();
        *known = n.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::CampaignId;

    use super::*;

    const TOPIC: Topic = Topic::Contents;
    const PUBLISHER: NodeId = NodeId::from_u128(1);

    fn heads_of(said: &mut Said) -> Vec<Head> {
        said.heads(|_| true).iter().flat_map(|text| read(text).unwrap().1).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_frame_names_the_one_before_it_in_its_topic() {
        let (mut said, mut known) = (Said::new(PUBLISHER), Known::new());
        let first = said.count(TOPIC);
        let other = said.count(Topic::Tests);
        let second = said.count(TOPIC);
        assert_eq!((first.before, other.before, second.before), (0, 0, first.n));
        assert!(!known.misses_before(first));
        assert!(!known.misses_before(second));
        let lost = said.count(TOPIC);
        assert!(known.misses_before(said.count(TOPIC)), "{lost:?} was lost");
        assert!(!known.misses_before(said.count(TOPIC)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_last_frame_is_found_by_its_head() {
        let (mut said, mut known) = (Said::new(PUBLISHER), Known::new());
        known.misses_before(said.count(TOPIC));
        assert!(!known.misses(PUBLISHER, &heads_of(&mut said)[0]));
        let lost = said.count(TOPIC);
        let head = heads_of(&mut said)[0];
        assert!(known.misses(PUBLISHER, &head));
        known.is_told(PUBLISHER, head.n);
        assert!(!known.misses(PUBLISHER, &head));
        assert_eq!(head.n, lost.n);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_published_before_anybody_watched_is_no_gap() {
        let mut said = Said::new(PUBLISHER);
        said.count(TOPIC);
        tokio::time::advance(Duration::from_secs(1)).await;
        let known = Known::new();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!known.misses(PUBLISHER, &heads_of(&mut said)[0]));
        said.count(TOPIC);
        assert!(known.misses(PUBLISHER, &heads_of(&mut said)[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn heads_are_told_for_ten_seconds_and_longer_after_an_absence() {
        let mut said = Said::new(PUBLISHER);
        said.count(TOPIC);
        tokio::time::advance(Duration::from_secs(9)).await;
        said.forget();
        said.is_back();
        tokio::time::advance(Duration::from_secs(9)).await;
        said.forget();
        assert_eq!(heads_of(&mut said).len(), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        said.forget();
        assert_eq!(heads_of(&mut said), []);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_topics_are_told_as_all() {
        let mut said = Said::new(PUBLISHER);
        for n in 0..=TOPICS_MAX {
            said.count(Topic::Candidates(CampaignId::from_u128(n as u128)));
        }
        let messages = said.heads(|_| true);
        assert!(messages.iter().all(|text| text.len() < 512 * 1024));
        let heads = heads_of(&mut said);
        assert_eq!(heads.len(), TOPICS_MAX + 1);
        assert!(heads.iter().any(|head| head.topic.is_none()));
    }
}
