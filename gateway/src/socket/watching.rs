//! What one socket watches.

use std::collections::BTreeMap;

use domain::{
    frame::{ServerFrame, Why},
    ranking::WINDOW_MAX,
    rows::{Topic, Window},
    stream::Stream,
};

use super::{Connection, outbox::Overflow, rights};
use crate::hub::{Hub, Part, Rank, TooManyWindows, Watched};

/// How many topics one socket watches at most.
const TOPICS_MAX: usize = 32;

impl Connection {
    pub(super) async fn watch(
        &mut self,
        name: String,
        after: (u64, u64),
        window: Option<Window>,
    ) -> Result<(), Overflow> {
        // It is watched anew, or not at all any more.
        self.unwatch(&name);
        match self.begin_to_watch(&name, after, window).await {
            Ok(()) => Ok(()),
            Err(why) => self.outbox.frame(&ServerFrame::Unwatched { topic: name, why }),
        }
    }

    pub(super) fn unwatch(&mut self, name: &str) {
        if let Ok(topic) = name.parse::<Topic>() {
            self.watched.remove(&topic);
            self.door.may_watch(self.watched.len());
        }
    }

    /// The head of each topic that is watched as a whole: a lost last frame leaves no gap otherwise.
    /// Parts are read by number, so that of those nothing gets lost.
    pub(super) fn heads(&self) -> BTreeMap<String, (u64, u64)> {
        let whole =
            self.watched.values().map(super::Watching::of).filter(|of| of.part == Part::Whole);
        let heads = &self.app.node.deps.heads;
        whole.filter_map(|of| Some((of.topic.to_string(), heads.get(of.topic)?))).collect()
    }

    async fn begin_to_watch(
        &mut self,
        name: &str,
        after: (u64, u64),
        window: Option<Window>,
    ) -> Result<(), Why> {
        if window.is_some_and(|window| window.count == 0 || WINDOW_MAX < window.count as usize) {
            return Err(Why::new("bad_window", "a window has between 1 and 200 rows"));
        }
        let topic = name.parse::<Topic>().map_err(|_| rights::not_found())?;
        if TOPICS_MAX <= self.watched.len() || !self.door.may_watch(self.watched.len() + 1) {
            let text = "this is watched from too many places at once";
            return Err(Why::new("too_many_topics", text));
        }
        match rights::may_watch(&self.app, &self.caller, topic).await {
            Ok(true) => {}
            Ok(false) => return Err(self.not_watched(rights::not_found())),
            Err(_) => return Err(self.not_watched(rights::unavailable())),
        }
        let watched = Watched { topic, part: self.part(topic, window) };
        let watching = Hub::watch(&self.app, watched, self.outbox.clone(), after, self.rank(topic));
        let too_many = |TooManyWindows| {
            let text = "too many different parts of this wall are looked at; look at its beginning";
            Why::later("too_many_windows", text, 5_000)
        };
        let watching = watching.map_err(too_many).map_err(|why| self.not_watched(why))?;
        self.watched.insert(topic, watching);
        Ok(())
    }

    fn not_watched(&mut self, why: Why) -> Why {
        self.door.may_watch(self.watched.len());
        why
    }

    /// The beginning of a wall is what everybody is sent who does not say what they look at.
    fn part(&self, topic: Topic, window: Option<Window>) -> Part {
        match (topic, window, self.caller.candidate) {
            (Topic::Wall(_), Some(window), _) if window != Window::default() => Part::Rows(window),
            (Topic::Place(_), _, Some(session)) => Part::Around(session),
            _ => Part::Whole,
        }
    }

    /// A candidate's own things come before everything else when many come back at once.
    fn rank(&self, topic: Topic) -> Rank {
        let own = self.caller.candidate;
        let is_session = own.is_some_and(|own| topic == Topic::Of(Stream::Session(own)));
        let is_beside = own.is_some() && matches!(topic, Topic::Output(_) | Topic::Place(_));
        if is_session || is_beside { Rank::Candidate } else { Rank::Other }
    }
}
