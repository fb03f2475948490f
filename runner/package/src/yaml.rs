//! YAML as people write it: any value may be missing, a word where a list is meant, or a list.

use serde_yaml_ng::Value;

use crate::Refusal;

/// How many bytes of YAML are read; what people write by hand has a few thousand.
pub(crate) const YAML_BYTES_MAX: usize = 256 * 1024;

static NOTHING: Value = Value::Null;

/// The keys and values of a file. An empty one has none.
pub(crate) fn parse(path: &str, bytes: &[u8]) -> Result<Value, Refusal> {
    let invalid = |why: String| Refusal::Yaml { path: path.to_owned(), why };
    if bytes.len() > YAML_BYTES_MAX {
        return Err(invalid(format!("it is longer than {} KiB", YAML_BYTES_MAX / 1024)));
    }
    let value: Value = serde_yaml_ng::from_slice(bytes).map_err(|why| invalid(why.to_string()))?;
    if value.is_mapping() || value.is_null() {
        return Ok(value);
    }
    Err(invalid("it holds no keys and values".to_owned()))
}

/// What is under `key`, nothing if there is no such key.
pub(crate) fn get<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&NOTHING)
}

/// A word, a number or a truth value, as text in one line; nothing when it is empty.
pub(crate) fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A number, also when it is written in quotes; only finite ones.
pub(crate) fn number(value: &Value) -> Option<f64> {
    text(value)?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Words, from a line of them, from a list, or from the `flags` of a map.
pub(crate) fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Sequence(values) => values.iter().filter_map(text).collect(),
        Value::Mapping(_) => words(get(value, "flags")),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            text(value).map(|line| line.split(' ').map(str::to_owned).collect()).unwrap_or_default()
        }
        Value::Null | Value::Tagged(_) => Vec::new(),
    }
}

/// Words by their key.
pub(crate) fn pairs(value: &Value) -> Vec<(String, String)> {
    let Some(map) = value.as_mapping() else { return Vec::new() };
    map.iter().filter_map(|(key, value)| Some((text(key)?, text(value)?))).collect()
}
