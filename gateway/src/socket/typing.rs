//! What a person does with their own run while it goes on.

use domain::{
    frame::{ServerFrame, Why},
    ids::SubmissionId,
    rows::Topic,
    run::Typed,
};

use super::{Connection, outbox::Overflow, rights};
use crate::{
    access,
    app::Shared,
    caller::{Caller, relation},
    error::Refusal,
};

impl Connection {
    /// Passes it on to the run. What does not reach it is answered; what does is seen in its output.
    pub(super) async fn pass(
        &mut self,
        submission: SubmissionId,
        typed: Typed,
    ) -> Result<(), Overflow> {
        let passed = match may_type(&self.app, &self.caller, submission).await {
            Ok(true) => self.app.node.pass(submission, typed).await,
            Ok(false) => Err(Why::new("forbidden", "this is not your run")),
            Err(_) => Err(rights::unavailable()),
        };
        match passed {
            Ok(()) => Ok(()),
            Err(why) => self.outbox.frame(&ServerFrame::Untyped { submission, why }),
        }
    }
}

async fn may_type(
    app: &Shared,
    caller: &Caller,
    submission: SubmissionId,
) -> Result<bool, Refusal> {
    for who in caller.all() {
        if access::may_type(who, relation(app, who, Topic::Output(submission)).await?) {
            return Ok(true);
        }
    }
    Ok(false)
}
