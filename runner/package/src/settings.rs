//! `problem.yaml`, in its legacy form and in that of 2023-07.

use serde_yaml_ng::Value;

use crate::{
    Refusal,
    tree::Tree,
    yaml::{self, get, pairs, text, words},
};

/// How many bytes the value of a constant has at most.
const CONSTANT_BYTES_MAX: usize = 100;

/// What `problem.yaml` says, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Names by language code; one without a language is under `en`.
    pub(crate) names: Vec<(String, String)>,
    pub(crate) tags: Vec<String>,
    /// `pass-fail`, `scoring`, `interactive`, `multi-pass`, `submit-answer`.
    pub(crate) kinds: Vec<String>,
    /// `default` or `custom`, then what the custom one does.
    pub(crate) validation: Vec<String>,
    pub(crate) validator_flags: Vec<String>,
    pub(crate) limits: Value,
    /// Names of programming languages; empty when all are allowed.
    pub(crate) languages: Vec<String>,
    /// Values that statements and group settings name.
    pub(crate) constants: Vec<(String, String)>,
}

impl Settings {
    pub(crate) fn read(tree: &Tree) -> Result<Self, Refusal> {
        let bytes = tree.get("problem.yaml").ok_or(Refusal::NoProblemYaml)?;
        let yaml = yaml::parse("problem.yaml", bytes)?;
        let name = get(&yaml, "name");
        Ok(Self {
            names: text(name).map_or_else(|| pairs(name), |name| vec![("en".to_owned(), name)]),
            tags: words(get(&yaml, "keywords")),
            kinds: words(get(&yaml, "type")),
            validation: words(get(&yaml, "validation")),
            validator_flags: words(get(&yaml, "validator_flags")),
            limits: get(&yaml, "limits").clone(),
            languages: words(get(&yaml, "languages")),
            constants: constants(get(&yaml, "constants")),
        })
    }

    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kinds.iter().chain(&self.validation).any(|known| known == kind)
    }

    /// The name in `language`.
    pub(crate) fn name(&self, language: &str) -> Option<&str> {
        self.names.iter().find(|(code, _)| code == language).map(|(_, name)| name.as_str())
    }

    /// The keys and values of a file in which constants are named.
    pub(crate) fn yaml(&self, path: &str, bytes: &[u8]) -> Result<Value, Refusal> {
        // What is too long is refused before it grows.
        if self.constants.is_empty() || bytes.len() > yaml::YAML_BYTES_MAX {
            return yaml::parse(path, bytes);
        }
        yaml::parse(path, self.with_constants(&String::from_utf8_lossy(bytes)).as_bytes())
    }

    /// `source` with the constants put in, as `{{name}}` or as `\constant{name}`.
    pub(crate) fn with_constants(&self, source: &str) -> String {
        self.constants.iter().fold(source.to_owned(), |source, (name, value)| {
            source
                .replace(&format!("{{{{{name}}}}}"), value)
                .replace(&format!("\\constant{{{name}}}"), value)
        })
    }
}

/// The constants that are put in: short ones that name no others, so that none multiplies.
fn constants(value: &Value) -> Vec<(String, String)> {
    let mut constants = pairs(value);
    constants.retain(|(_, value)| {
        value.len() <= CONSTANT_BYTES_MAX && !value.contains(['{', '}', '\\'])
    });
    constants
}
