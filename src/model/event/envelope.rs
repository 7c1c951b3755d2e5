//! The text of a handler's result in; status, headers and body of the answer, or why it is no envelope, out.
//! What no source tells is marked with its entry in [`choices`](super::choices).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::model::event::headers::{self, Fate};

/// Header fields that an answer may have. choice `header-count`
const HEADERS_MAX: usize = 1_000;

pub struct Envelope {
    pub status: u16,
    /// By canonical name, so that the order is the same for every language.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why a result is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Defect {
    /// Not of the documented structure; what and where.
    Shape(String),
    ForbiddenHeader(String),
    /// Its length in bytes.
    TooLarge(usize),
}

/// The documented keys; others are skipped, however deep they are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    #[serde(default, deserialize_with = "present")]
    status_code: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    headers: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    multi_value_headers: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    is_base64_encoded: Option<Value>,
}

/// Keeps `null` apart from a key that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub fn read(result: &[u8]) -> Result<Envelope, Defect> {
    let keys = read_keys(result)?;
    let status = read_status(keys.status_code)?;
    let headers = read_headers(keys.headers, keys.multi_value_headers)?;
    let is_base64 = read_flag(keys.is_base64_encoded)?;
    let mut body = read_body(keys.body, is_base64)?;
    // HTTP has no place for a body behind these.
    if matches!(status, 204 | 304) {
        body.clear();
    }
    Ok(Envelope { status, headers, body })
}

fn read_keys(result: &[u8]) -> Result<Keys, Defect> {
    let begins_with = result.iter().find(|byte| !byte.is_ascii_whitespace());
    match begins_with {
        Some(b'{') => {}
        // choice `no-result`
        None => return Err(shape("it is empty; the handler returned nothing")),
        // serde would read a list as the keys in sequence.
        Some(b'[') => return Err(shape("it is a list, not an object")),
        Some(_) if result.trim_ascii() == b"null" => {
            return Err(shape("it is null; the handler returned nothing"));
        }
        Some(b'"') => return Err(shape("it is a string, not an object")),
        Some(_) => return Err(shape("it is not an object")),
    }
    serde_json::from_slice(result).map_err(|error| shape(&format!("it is not valid JSON: {error}")))
}

/// choices `status-default`, `status-range`
fn read_status(value: Option<Value>) -> Result<u16, Defect> {
    let Some(value) = value else { return Ok(200) };
    let number = value.as_u64().ok_or_else(|| wrong("statusCode", &value, "a whole number"))?;
    match u16::try_from(number) {
        Ok(status @ 200..=599) => Ok(status),
        _ => Err(shape(&format!("`statusCode` is {number}; it goes from 200 to 599"))),
    }
}

fn read_flag(value: Option<Value>) -> Result<bool, Defect> {
    match value {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(other) => Err(wrong("isBase64Encoded", &other, "true or false")),
    }
}

/// choices `body-object`, `base64-strict`
fn read_body(value: Option<Value>, is_base64: bool) -> Result<Vec<u8>, Defect> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if is_base64 => STANDARD.decode(text).map_err(|error| {
            let why = error.to_string().to_lowercase();
            shape(&format!(
                "`isBase64Encoded` is true, but `body` is not base64: {}",
                why.trim_end_matches('.')
            ))
        }),
        Some(Value::String(text)) => Ok(text.into_bytes()),
        Some(other) => Err(wrong("body", &other, "a string")),
    }
}

fn read_headers(single: Option<Value>, multi: Option<Value>) -> Result<Vec<(String, String)>, Defect> {
    let mut kept = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in object("headers", single)? {
        let value = text(&format!("headers.{name}"), value)?;
        // choice `header-spelt-twice`: the last one wins
        if let Some(name) = fate(&name, std::slice::from_ref(&value))? {
            kept.insert(name, vec![value]);
        }
    }
    for (name, values) in object("multiValueHeaders", multi)? {
        let place = format!("multiValueHeaders.{name}");
        let Value::Array(values) = values else { return Err(wrong(&place, &values, "a list of strings")) };
        let values = values.into_iter().map(|value| text(&place, value)).collect::<Result<Vec<_>, _>>()?;
        if let Some(name) = fate(&name, &values)? {
            kept.insert(name, values);
        }
    }
    if kept.values().map(Vec::len).sum::<usize>() > HEADERS_MAX {
        return Err(shape(&format!("it has more than {HEADERS_MAX} headers")));
    }
    let lines = kept
        .into_iter()
        .flat_map(|(name, values)| values.into_iter().map(move |value| (name.clone(), value)));
    Ok(lines.collect())
}

/// The name that a header reaches the client under, if it does.
fn fate(name: &str, values: &[String]) -> Result<Option<String>, Defect> {
    // choice `header-invalid`
    if !headers::is_name(name) {
        return Err(shape(&format!("`{name}` cannot be the name of a header")));
    }
    if !values.iter().all(|value| headers::is_value(value)) {
        return Err(shape(&format!("the header `{name}` has a line end or a control character")));
    }
    match headers::fate(headers::canonical(name)) {
        Fate::Kept(name) => Ok(Some(name)),
        Fate::Removed => Ok(None),
        Fate::Forbidden => Err(Defect::ForbiddenHeader(headers::canonical(name))),
    }
}

fn object(key: &str, value: Option<Value>) -> Result<Map<String, Value>, Defect> {
    match value {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(other) => Err(wrong(key, &other, "an object")),
    }
}

fn text(place: &str, value: Value) -> Result<String, Defect> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(place, &other, "a string")),
    }
}

/// choice `null-value`: null is of no documented type either.
fn wrong(place: &str, value: &Value, expected: &str) -> Defect {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    shape(&format!("`{place}` is {found}, not {expected}"))
}

fn shape(what: &str) -> Defect {
    Defect::Shape(what.to_owned())
}
