//! `key=value` and an event in, the event with that value out; an unknown key is an error that names the
//! nearest one.

use serde_json::Value;

use crate::model::finding::{self, Finding, Result};

/// One `--set`.
#[derive(Debug, PartialEq)]
pub struct Setting {
    /// As it was written, for messages.
    key: String,
    steps: Vec<String>,
    value: String,
}

impl Setting {
    /// `messages.0.details.payload=text`, `messages[0].details.payload=text` or
    /// `/messages/0/details/payload=text`.
    ///
    /// # Errors
    /// `ANSWER_INVALID`.
    pub fn parse(text: &str) -> Result<Self> {
        let (key, value) = text.split_once('=').ok_or_else(|| unreadable(text))?;
        let steps = if key.starts_with('/') {
            key.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
        } else {
            key.replace('[', ".").replace(']', "").split('.').map(str::to_owned).collect::<Vec<_>>()
        };
        if key.is_empty() {
            return Err(unreadable(text));
        }
        Ok(Self { key: key.to_owned(), steps, value: value.to_owned() })
    }

    /// Puts the value into `event`: as JSON if it parses, else as a string. What is a string stays one, as a
    /// queue's message does whose text is JSON. A key that `event` does not have is taken where the platform's
    /// own keys end: `open` has the paths of those objects.
    ///
    /// # Errors
    /// `ANSWER_INVALID`, with the nearest key there is.
    pub fn apply(&self, event: &mut Value, open: &[&str]) -> Result<()> {
        let Some((last, parents)) = self.steps.split_last() else { return Err(self.unknown(event)) };
        let is_open = open.contains(&parents.join(".").as_str());
        let Some(parent) = find(event, parents) else { return Err(self.unknown(event)) };
        let place = match parent {
            Value::Object(map) if is_open => Some(map.entry(last.as_str()).or_insert(Value::Null)),
            parent => step_into(parent, last),
        };
        match place {
            Some(place) => {
                let value = json_or_string(&self.value);
                let stays = place.is_string() && !value.is_string();
                *place = if stays { Value::String(self.value.clone()) } else { value };
                Ok(())
            }
            None => Err(self.unknown(event)),
        }
    }

    fn unknown(&self, event: &Value) -> Box<Finding> {
        let mut known = Vec::new();
        list(event, String::new(), &mut known);
        let problem = finding::ANSWER_INVALID
            .finding(format!("the event has no `{}`", self.key))
            .why("--set changes what the template has, so that a misspelt key is not lost in silence");
        match nearest(&self.steps.join("."), &known) {
            Some(nearest) => problem.fix(format!("the nearest key is `{nearest}`")),
            None => problem,
        }
    }
}

/// Replaces values of `event` in sequence.
///
/// # Errors
/// The first setting that cannot be read or applied.
pub fn apply_all(event: &mut Value, settings: &[String], open: &[&str]) -> Result<()> {
    settings.iter().try_for_each(|text| Setting::parse(text)?.apply(event, open))
}

/// What `--set` and `--expect` take for a value.
pub(super) fn json_or_string(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn unreadable(text: &str) -> Box<Finding> {
    finding::ANSWER_INVALID
        .finding(format!("--set `{text}` cannot be read"))
        .why("it is a key, `=` and a value")
        .fix("`--set messages.0.details.payload=text` or `--set /messages/0/details/payload=text`")
}

fn find<'a>(event: &'a mut Value, steps: &[String]) -> Option<&'a mut Value> {
    steps.iter().try_fold(event, |place, step| step_into(place, step))
}

fn step_into<'a>(place: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match place {
        Value::Object(map) => map.get_mut(step),
        // `01` and `+1` are no indices.
        Value::Array(list) => {
            let index = step.parse::<usize>().ok().filter(|index| index.to_string() == step)?;
            list.get_mut(index)
        }
        _ => None,
    }
}

/// All keys of a template's event, dotted. It is as deep as its author and serde let it be: 128.
fn list(value: &Value, path: String, known: &mut Vec<String>) {
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| list(value, below(key), known)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| list(value, below(&index.to_string()), known));
        }
        _ => {}
    }
    if !path.is_empty() {
        known.push(path);
    }
}

/// The key that a person meant, if one is near: `payload` means `messages.0.details.payload`.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    const NEAR: f64 = 0.6;
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |path: &String| {
        let whole = strsim::normalized_damerau_levenshtein(key, path);
        // The last word tells most; the whole path tells two equal ones apart.
        let word = strsim::normalized_damerau_levenshtein(&last(key), &last(path));
        whole.max(0.9 * word + 0.1 * whole)
    };
    known
        .iter()
        .map(|path| (likeness(path), path))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "messages": [{ "details": { "payload": "", "trigger_id": "a1s" } }],
            "headers": { "X.Y/Z": "1" },
        })
    }

    fn set(text: &str) -> Result<Value> {
        let mut event = event();
        Setting::parse(text)?.apply(&mut event, &["headers"])?;
        Ok(event)
    }

    #[test]
    fn three_ways_to_write_a_key() {
        for text in
            ["messages.0.details.payload=7", "messages[0].details.payload=7", "/messages/0/details/payload=7"]
        {
            assert_eq!(set(text).unwrap()["messages"][0]["details"]["payload"], "7", "{text}");
        }
        assert_eq!(set("/headers/X.Y~1Z=2").unwrap()["headers"]["X.Y/Z"], "2");
    }

    #[test]
    fn a_value_is_json_if_it_parses_else_a_string() {
        for (text, expected) in [
            ("true", json!(true)),
            ("{\"a\": [1]}", json!({ "a": [1] })),
            ("\"5\"", json!("5")),
            ("", json!("")),
            ("a=b", json!("a=b")),
            ("{", json!("{")),
        ] {
            assert_eq!(set(&format!("messages={text}")).unwrap()["messages"], expected);
        }
    }

    #[test]
    fn a_string_stays_a_string() {
        for (text, expected) in
            [("true", "true"), ("7", "7"), ("{\"a\": [1]}", "{\"a\": [1]}"), ("\"5\"", "5"), ("null", "null")]
        {
            let event = set(&format!("messages.0.details.payload={text}")).unwrap();
            assert_eq!(event["messages"][0]["details"]["payload"], expected);
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest() {
        for (text, nearest) in [
            ("messages.0.details.paylod=1", "`messages.0.details.payload`"),
            ("payload=1", "`messages.0.details.payload`"),
            ("message.0.details=1", "`messages.0.details`"),
            ("messages.1.details.payload=1", "`messages.0.details.payload`"),
            ("messages.00.details.payload=1", "`messages.0.details.payload`"),
        ] {
            let finding = set(text).unwrap_err();
            assert_eq!(finding.rule.id, "FN0103");
            assert!(finding.fix.unwrap().contains(nearest), "{text}");
        }
        assert_eq!(set("zzzzzzzz=1").unwrap_err().fix, None);
    }

    #[test]
    fn a_new_key_is_taken_only_where_keys_are_free() {
        assert_eq!(set("headers.New=1").unwrap()["headers"]["New"], 1);
        assert!(set("headers.New.deeper=1").is_err());
        assert!(set("messages.0.details.new=1").is_err());
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for text in ["payload", "", "=1"] {
            assert_eq!(Setting::parse(text).unwrap_err().rule.id, "FN0103", "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_setting_is_too_odd(key in r"[/.\[\]~a-z0-9]{0,20}", value in ".{0,20}") {
            let _ = set(&format!("{key}={value}"));
        }
    }
}
