//! Who may do what: one pure table. What it does not name is refused.

use domain::{
    campaign,
    command::AnyCommand,
    people::{Role, Who},
    rows::Topic,
    session,
    stream::Stream,
};

/// How somebody stands to the thing that they ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// A candidate to their session, a creator to what they made or what belongs to it, somebody
    /// with a wall's link to that wall.
    Own,
    Other,
}

/// Whether `who`, standing so to the stream, may ask this of it.
pub(crate) fn may_do(who: Who, relation: Relation, command: &AnyCommand) -> bool {
    let is_admin = matches!(who, Who::Person(_, Role::Administrator));
    let is_creator = is_admin || matches!(who, Who::Person(_, Role::Creator));
    let is_maker = is_admin || (is_creator && relation == Relation::Own);
    let is_candidate = matches!(who, Who::Candidate(_)) && relation == Relation::Own;
    match command {
        AnyCommand::Session(command) => match session_right(command) {
            Right::Candidate => is_candidate,
            Right::Maker => is_maker,
            Right::Nobody => false,
        },
        AnyCommand::Campaign(campaign::Command::Create { owner, .. }) => {
            is_creator && matches!(who, Who::Person(id, _) if id == *owner)
        }
        AnyCommand::Campaign(_) => is_maker,
        AnyCommand::Content(command) => may_edit(who, is_creator, is_maker, command),
        AnyCommand::Test(command) => may_edit(who, is_creator, is_maker, command),
        // Only streams and runners speak to submissions.
        AnyCommand::Submission(_) => false,
    }
}

/// Whether `who`, standing so to the topic, may see its rows.
pub(crate) fn may_watch(who: Who, relation: Relation, topic: Topic) -> bool {
    let is_admin = matches!(who, Who::Person(_, Role::Administrator));
    let is_maker = is_admin || (matches!(who, Who::Person(..)) && relation == Relation::Own);
    let is_candidate = matches!(who, Who::Candidate(_)) && relation == Relation::Own;
    let is_viewer = matches!(who, Who::Viewer(_)) && relation == Relation::Own;
    match topic {
        Topic::Of(Stream::Session(_)) | Topic::Output(_) => is_candidate || is_maker,
        Topic::Wall(_) => is_viewer || is_maker,
        Topic::Place(_) => is_candidate,
        Topic::Monitor(_) => is_maker,
        // Lists are read over HTTP, filtered; the others are for the program itself.
        Topic::Of(
            Stream::Campaign(_) | Stream::Submission(_) | Stream::Content(_) | Stream::Test(_),
        )
        | Topic::Candidates(_)
        | Topic::Contents
        | Topic::Tests
        | Topic::Campaigns
        | Topic::Queue
        | Topic::Unfiled
        | Topic::Gateways => false,
    }
}

/// What is done with accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountAct {
    List,
    Add,
    /// Issue a link with which a password is chosen.
    Renew,
    Disable,
    Enable,
}

/// Whether `who` may do this to accounts: their own, or another.
pub(crate) fn may_manage(who: Who, relation: Relation, act: AccountAct) -> bool {
    let is_admin = matches!(who, Who::Person(_, Role::Administrator));
    match act {
        AccountAct::List | AccountAct::Add | AccountAct::Renew | AccountAct::Enable => is_admin,
        // So that there is always an administrator.
        AccountAct::Disable => is_admin && relation == Relation::Other,
    }
}

/// Whether `who`, standing so to a run, may type into it and stop it.
pub(crate) fn may_type(who: Who, relation: Relation) -> bool {
    matches!(who, Who::Candidate(_)) && relation == Relation::Own
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    Candidate,
    Maker,
    Nobody,
}

fn session_right(command: &session::Command) -> Right {
    use session::Command;
    match command {
        Command::Accept
        | Command::Decline { .. }
        | Command::Open
        | Command::Start { .. }
        | Command::TakeSeat { .. }
        | Command::Edit { .. }
        | Command::AddFile { .. }
        | Command::DeleteFile { .. }
        | Command::ChooseLanguage { .. }
        | Command::Answer { .. }
        | Command::Caret { .. }
        | Command::GoTo { .. }
        | Command::Run { .. }
        | Command::NextQuestion { .. }
        | Command::HandIn { .. } => Right::Candidate,
        Command::MarkSent | Command::AcceptLate { .. } | Command::Invite { .. } => Right::Maker,
        Command::ChangeTerms { .. }
        | Command::Repin { .. }
        | Command::GiveTime { .. }
        | Command::Pause { .. }
        | Command::Resume
        | Command::Announce { .. }
        | Command::Cancel
        | Command::RecordVerdict { .. }
        | Command::Expire
        | Command::Credit { .. } => Right::Nobody,
    }
}

fn may_edit<D>(
    who: Who,
    is_creator: bool,
    is_maker: bool,
    command: &domain::document::Command<D>,
) -> bool {
    match command {
        domain::document::Command::Create { owner, .. } => {
            is_creator && matches!(who, Who::Person(id, _) if id == *owner)
        }
        domain::document::Command::Save { .. }
        | domain::document::Command::Freeze { .. }
        | domain::document::Command::Archive
        | domain::document::Command::Restore => is_maker,
    }
}

#[cfg(test)]
mod tests;
