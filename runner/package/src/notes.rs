//! What an import tells its person: what is to be repaired, what was assumed.

/// How many sentences of a kind a person is given; who has so many reads no more.
const SENTENCES_MAX: usize = 40;

/// Sentences for the person who imports, each once, in the order in which they came up.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) repairs: Vec<String>,
    pub(crate) assumed: Vec<String>,
}

impl Notes {
    /// Something without which no test can use the content.
    pub(crate) fn repair(&mut self, sentence: impl Into<String>) {
        add(&mut self.repairs, sentence.into());
    }

    /// Something that the package leaves open, or that was changed on the way.
    pub(crate) fn assume(&mut self, sentence: impl Into<String>) {
        add(&mut self.assumed, sentence.into());
    }
}

fn add(sentences: &mut Vec<String>, sentence: String) {
    if sentences.len() > SENTENCES_MAX || sentences.contains(&sentence) {
        return;
    }
    let last = sentences.len() == SENTENCES_MAX;
    sentences.push(if last { "There is more like this.".to_owned() } else { sentence });
}
