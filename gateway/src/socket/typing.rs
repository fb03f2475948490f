//! What a person does with their own run while it goes on.

use domain::{
    frame::{ServerFrame, Why},
    ids::SubmissionId,
    rows::Topic,
    run::Typed,
};

use super::{Connection, outbox::Overflow};
use crate::{
    access::{self, Relation},
    app::Shared,
    caller::{Caller, relation},
};

impl Connection {
    /// Passes it on to the run. What does not reach it is answered; what does is seen in its output.
    pub(super) async fn pass(
        &mut self,
        submission: SubmissionId,
        typed: Typed,
    ) -> Result<(), Overflow> {
        let passed = if may_type(&self.app, &self.caller, submission).await {
            self.app.node.pass(submission, typed).await
        } else {
            Err(Why::new("forbidden", "this is not your run"))
        };
        match passed {
            Ok(()) => Ok(()),
            Err(why) => self.outbox.frame(&ServerFrame::Untyped { submission, why }),
        }
    }
}

async fn may_type(app: &Shared, caller: &Caller, submission: SubmissionId) -> bool {
    for who in caller.all() {
        let relation = relation(app, who, Topic::Output(submission)).await;
        if access::may_type(who, relation.unwrap_or(Relation::Other)) {
            return true;
        }
    }
    false
}
