//! A command on its way to the owner of a stream.

use domain::{at::At, command::Answer, frame::Why, ids::CommandId, stream::Origin};
use tokio::sync::oneshot;

/// Who asks, under which id, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    pub origin: Origin,
    pub command_id: CommandId,
    /// When it was read off the socket; `None` for what has no deadline, and what nodes ask.
    pub received_at: Option<At>,
    /// The sender says that it never sent this id before.
    pub is_first: bool,
}

impl Meta {
    /// A command of the node itself.
    pub fn of_node() -> Self {
        let command_id = CommandId::random();
        Self { origin: Origin::Node, command_id, received_at: None, is_first: true }
    }
}

/// One command and where its answer goes. Dropping it tells the sender to try again.
pub(crate) struct Ask<C> {
    pub(crate) meta: Meta,
    pub(crate) command: C,
    pub(crate) reply: oneshot::Sender<Answer>,
}

impl<C> Ask<C> {
    /// Tells a person that nothing can be saved until there is room on the disk. What streams and
    /// the clock ask is asked again without that.
    pub(crate) fn refuse_as_full(self) {
        if matches!(self.meta.origin, Origin::Person(_) | Origin::Candidate(_)) {
            self.reply.send(Answer::Refused(Why::disk_full())).ok();
        }
    }

    /// Answers that its stream was erased.
    pub(crate) fn refuse_as_gone(self) {
        self.reply.send(Answer::Refused(Why::new("gone", "this was erased"))).ok();
    }
}
