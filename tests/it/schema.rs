//! As much of JSON Schema (draft 2020-12) as `docs/live-protocol.schema.json` uses. A word that this
//! does not know is a failure, so that nothing in the schema goes unchecked. So is a field that is
//! not named, which a client overlooks: what this server sends is all in the schema.

use serde_json::{Map, Value};

/// See the module.
pub(crate) struct Schema(Value);

/// Words that say nothing about what is valid.
const SILENT: &[&str] = &["$schema", "$id", "$defs", "title", "description", "then", "else"];

impl Schema {
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        Ok(Self(serde_json::from_str(text)?))
    }

    /// What is wrong with `value` as the definition `name`; nothing if it is valid.
    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        self.against(self.definition(name), value)
    }

    fn definition(&self, name: &str) -> &Value {
        let definition = &self.0["$defs"][name];
        assert!(definition.is_object(), "there is no definition {name}");
        definition
    }

    fn against(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let words = schema.as_object().expect("each schema here is an object");
        for (word, says) in words {
            let wrong = match word.as_str() {
                word if SILENT.contains(&word) => Ok(()),
                "$ref" => {
                    let name = says.as_str().and_then(|to| to.strip_prefix("#/$defs/"));
                    self.check(name.expect("references are to definitions"), value)
                }
                "if" => self.branch(words, says, value),
                "allOf" => all(says).try_for_each(|one| self.against(one, value)),
                "anyOf" | "oneOf" => self.one_of(word == "oneOf", says, value),
                "properties" => self.properties(says, value),
                "additionalProperties" => self.additional(words, says, value),
                "prefixItems" => self.prefix(says, value),
                "items" => self.items(words, says, value),
                word => simple(word, says, value),
            };
            wrong.map_err(|wrong| format!("{word}: {wrong}"))?;
        }
        let names_fields = words.contains_key("properties") && words.contains_key("type");
        if names_fields && !words.contains_key("additionalProperties") {
            self.additional(words, &Value::Bool(false), value)?;
        }
        Ok(())
    }

    fn branch(
        &self,
        words: &Map<String, Value>,
        says: &Value,
        value: &Value,
    ) -> Result<(), String> {
        let branch = if self.against(says, value).is_ok() { "then" } else { "else" };
        words.get(branch).map_or(Ok(()), |schema| self.against(schema, value))
    }

    fn one_of(&self, is_one: bool, says: &Value, value: &Value) -> Result<(), String> {
        let tried: Vec<_> = all(says).map(|one| self.against(one, value)).collect();
        match tried.iter().filter(|one| one.is_ok()).count() {
            0 => Err(format!("{value} is none of {tried:?}")),
            1 => Ok(()),
            many if is_one => Err(format!("{value} is {many} of them")),
            _ => Ok(()),
        }
    }

    fn properties(&self, says: &Value, value: &Value) -> Result<(), String> {
        let Some(fields) = value.as_object() else { return Ok(()) };
        for (key, schema) in says.as_object().into_iter().flatten() {
            if let Some(field) = fields.get(key) {
                self.against(schema, field).map_err(|wrong| format!("{key}: {wrong}"))?;
            }
        }
        Ok(())
    }

    fn additional(
        &self,
        words: &Map<String, Value>,
        says: &Value,
        value: &Value,
    ) -> Result<(), String> {
        let known = |key: &str| words.get("properties").is_some_and(|it| it.get(key).is_some());
        let others = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
        for (key, field) in others {
            if says == &Value::Bool(false) {
                return Err(format!("{key} is not known"));
            }
            if says != &Value::Bool(true) {
                self.against(says, field)?;
            }
        }
        Ok(())
    }

    fn prefix(&self, says: &Value, value: &Value) -> Result<(), String> {
        let items = value.as_array().into_iter().flatten();
        items.zip(all(says)).try_for_each(|(item, schema)| self.against(schema, item))
    }

    fn items(&self, words: &Map<String, Value>, says: &Value, value: &Value) -> Result<(), String> {
        let before = words.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
        let mut items = value.as_array().into_iter().flatten().skip(before);
        items.try_for_each(|item| self.against(says, item))
    }
}

fn all(says: &Value) -> impl Iterator<Item = &Value> {
    says.as_array().into_iter().flatten()
}

/// Words that need no other schema.
fn simple(word: &str, says: &Value, value: &Value) -> Result<(), String> {
    let number = |says: &Value| says.as_f64().expect("a bound is a number");
    let length = |says: &Value| usize::try_from(says.as_u64().expect("a length")).expect("short");
    let is_valid = match word {
        "type" => match says.as_array() {
            Some(any) => any.iter().any(|one| is_of(one, value)),
            None => is_of(says, value),
        },
        "const" => says == value,
        "enum" => all(says).any(|one| one == value),
        "minimum" => value.as_f64().is_none_or(|value| number(says) <= value),
        "maximum" => value.as_f64().is_none_or(|value| value <= number(says)),
        "minItems" => value.as_array().is_none_or(|items| length(says) <= items.len()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() <= length(says)),
        "required" => value.as_object().is_none_or(|fields| {
            all(says).all(|key| key.as_str().is_some_and(|key| fields.contains_key(key)))
        }),
        "pattern" => {
            // Beginnings only, such as `^wall\.`.
            let says = says.as_str().and_then(|says| says.strip_prefix('^')).expect("a beginning");
            let begin = says.strip_suffix("\\.").map(|says| format!("{says}."));
            let begin = begin.expect("a word and a dot");
            value.as_str().is_none_or(|value| value.starts_with(&begin))
        }
        word => panic!("the schema says {word}, which this does not know"),
    };
    if is_valid { Ok(()) } else { Err(format!("{value}, and not {says}")) }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        kind => panic!("there is no type {kind:?}"),
    }
}

#[test]
fn what_the_schema_does_not_say_is_not_valid() {
    let schema = serde_json::json!({ "$defs": {
        "A": { "oneOf": [{ "$ref": "#/$defs/B" }, { "type": "null" }] },
        "B": {
            "type": "object",
            "required": ["t"],
            "properties": {
                "t": { "type": "string", "pattern": "^x\\." },
                "n": { "type": "array", "prefixItems": [{ "const": 1 }], "items": { "minimum": 5 } },
            },
            "if": { "properties": { "t": { "const": "x.1" } } },
            "then": { "required": ["n"] },
        },
    } });
    let schema = Schema(schema);
    for (json, is_valid) in [
        (r"null", true),
        (r#"{"t":"x.2"}"#, true),
        (r#"{"t":"x.1"}"#, false),
        (r#"{"t":"x.1","n":[1,5,6]}"#, true),
        (r#"{"t":"x.2","n":[2]}"#, false),
        (r#"{"t":"x.2","n":[1,4]}"#, false),
        (r#"{"t":"y.2"}"#, false),
        (r#"{"t":"x.2","more":1}"#, false),
        (r"{}", false),
        (r"1", false),
    ] {
        let value = serde_json::from_str(json).expect("it is JSON");
        assert_eq!(schema.check("A", &value).is_ok(), is_valid, "{json}");
    }
}
