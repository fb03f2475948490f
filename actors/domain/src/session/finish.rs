//! The end: texts are submitted as they stand, and nothing changes any more.

use super::{Event, File, RunKind, Running, Session, Stage};
use crate::{aggregate::Reaction, content::SourceFile, ids::SubmissionId, stream::Stream};

impl Session {
    /// Seals the whole session; what was typed is judged even if it was never run.
    pub(super) fn seal_all(&self, run: &Running) -> Vec<Event> {
        let mut events = vec![];
        for (answer, question) in run.questions.iter().zip(0_u16..) {
            if answer.stage != Stage::Sealed {
                let number = run.runs_asked + u32::try_from(events.len()).unwrap_or(0);
                events.extend(self.final_run(run, question, number));
            }
        }
        events.push(Event::Sealed);
        events
    }

    /// Seals one question of a test where they come one after the other.
    pub(super) fn seal_question(&self, run: &Running, question: u16, number: u32) -> Vec<Event> {
        let last = self.final_run(run, question, number);
        last.into_iter().chain([Event::QuestionSealed { question }]).collect()
    }

    /// The last text, unless it was judged already or nothing was typed.
    fn final_run(&self, run: &Running, question: u16, number: u32) -> Option<Event> {
        let answer = run.questions.get(usize::from(question))?;
        let unjudged = answer.changed_since_run() && answer.revision > 0;
        unjudged.then(|| self.run_asked(run, question, RunKind::Final, None, number)).flatten()
    }

    /// A final run of `file`'s question with `text` in it.
    pub(super) fn judged_again(&self, run: &Running, file: &File, text: String) -> Option<Event> {
        let event = self.run_asked(run, file.key.question, RunKind::Final, None, run.runs_asked)?;
        let Event::RunAsked { submission, question, kind, language, revision, mut files, stdin } =
            event
        else {
            return None;
        };
        // Files of another language than the chosen one are not part of the answer.
        if language != file.key.language {
            return None;
        }
        let source = files.iter_mut().find(|source| source.name == file.key.name)?;
        *source = SourceFile { name: file.key.name.clone(), text };
        let revision = revision + 1;
        Some(Event::RunAsked { submission, question, kind, language, revision, files, stdin })
    }

    /// A run that was asked for becomes a submission.
    pub(super) fn submit(&self, stream: Stream, event: &Event) -> Option<Reaction> {
        let Event::RunAsked { submission, question, kind, language, files, stdin, .. } = event
        else {
            return None;
        };
        let Stream::Session(session) = stream else { return None };
        let plan = self.question(*question)?;
        let command = crate::submission::Command::Submit(Box::new(crate::submission::Submitted {
            session,
            campaign: self.campaign,
            question: *question,
            content: plan.content,
            version: plan.version,
            kind: *kind,
            language: *language,
            files: files.clone(),
            stdin: stdin.clone(),
        }));
        Some(submit_to(*submission, &command))
    }
}

fn submit_to(submission: SubmissionId, command: &crate::submission::Command) -> Reaction {
    Reaction {
        name: "submit",
        to: Stream::Submission(submission),
        command: serde_json::to_value(command).expect("commands are plain data"),
        may_be_refused: false,
    }
}
