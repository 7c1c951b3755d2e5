//! A line that a function wrote in, the log record that the platform makes of it out.
//! Source: the vendor's pages functions/concepts/logs and "structured logs", and the system lines of
//! functions/operations/function/function-logs.

use serde_json::{Map, Value};

/// The variable that switches structured logs off.
pub const SWITCH: &str = "STRUCTURED_LOGGING";

const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// One of the platform's levels, when the line names one.
    pub level: Option<&'static str>,
    pub message: String,
    pub stream_name: Option<String>,
    /// What else the line holds.
    pub payload: Map<String, Value>,
}

impl Record {
    /// A line of JSON with a message is a structured record; any other line is its own message. `\r`
    /// joins lines to one record.
    pub fn of(line: &str, structured: bool) -> Self {
        if let Some(record) = Some(line).filter(|_| structured).and_then(Self::structured) {
            return record;
        }
        Self { level: None, message: line.replace('\r', "\n"), stream_name: None, payload: Map::new() }
    }

    fn structured(line: &str) -> Option<Self> {
        let line = line.trim();
        if !line.starts_with('{') {
            return None;
        }
        let mut payload: Map<String, Value> = serde_json::from_str(line).ok()?;
        let key =
            ["message", "msg"].into_iter().find(|key| payload.get(*key).is_some_and(Value::is_string))?;
        let Some(Value::String(message)) = payload.remove(key) else { return None };
        let level = payload
            .get("level")
            .and_then(Value::as_str)
            .and_then(|name| LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(name)));
        if level.is_some() {
            payload.remove("level");
        }
        let is_name = |name: &str| (1..=63).contains(&name.chars().count());
        let stream_name = payload.get("stream_name").and_then(Value::as_str).filter(|name| is_name(name));
        let stream_name = stream_name.map(str::to_owned);
        if stream_name.is_some() {
            payload.remove("stream_name");
        }
        Some(Self { level, message, stream_name, payload })
    }

    /// For a person: `ERROR no such user (user=7)`.
    pub fn readable(&self) -> String {
        let level = self.level.map_or_else(String::new, |level| format!("{level} "));
        let rest: Vec<_> = self
            .payload
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}={text}"),
                value => format!("{key}={value}"),
            })
            .collect();
        let rest = if rest.is_empty() { String::new() } else { format!(" ({})", rest.join(", ")) };
        format!("{level}{}{rest}", self.message)
    }
}

/// What the platform reports of a call. Durations are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// All of it, the first start of an instance included.
    pub duration: f64,
    /// Before it, for want of an instance with room.
    pub queuing: f64,
    /// Of the first start, on a cold call.
    pub initialisation: Option<f64>,
    /// MB.
    pub memory_size: u64,
    /// MB, where the system tells.
    pub memory_used: Option<u64>,
}

impl Report {
    /// The system's last line on a call.
    pub fn line(&self, request_id: &str) -> String {
        // Billed in steps of 100 ms.
        let billed = (self.duration / 100.0).ceil() * 100.0;
        let memory = self.memory_used.map_or_else(String::new, |used| format!(" Max Memory Used: {used} MB"));
        let first = self
            .initialisation
            .map_or_else(String::new, |duration| format!(" Function Init Duration: {duration:.3} ms"));
        format!(
            "REPORT RequestID: {request_id} Duration: {:.3} ms Billed Duration: {billed} ms Memory Size: {} \
             MB{memory} Queuing Duration: {:.3} ms{first}",
            self.duration, self.memory_size, self.queuing
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_with_a_message_is_structured() {
        let record = Record::of(r#"{"level":"error","msg":"no such user","user":7,"stream_name":"a"}"#, true);
        assert_eq!(record.level, Some("ERROR"));
        assert_eq!(record.stream_name.as_deref(), Some("a"));
        assert_eq!(record.readable(), "ERROR no such user (user=7)");
    }

    #[test]
    fn any_other_line_is_its_own_message() {
        for line in ["plain", "{", "{}", r#"{"level":"INFO"}"#, r#"{"message":1}"#, "[1]"] {
            let record = Record::of(line, true);
            assert_eq!((record.level, record.readable().as_str()), (None, line));
        }
        let off = Record::of(r#"{"message":"m"}"#, false);
        assert_eq!(off.message, r#"{"message":"m"}"#);
        assert_eq!(Record::of("a\rb", true).message, "a\nb");
        let unknown = Record::of(r#"{"message":"m","level":"loud"}"#, true);
        assert_eq!(unknown.readable(), "m (level=loud)");
    }

    #[test]
    fn a_report_reads_as_the_platforms() {
        let report = Report {
            duration: 236.606,
            queuing: 1.5,
            initialisation: Some(225.298),
            memory_size: 128,
            memory_used: Some(22),
        };
        assert_eq!(
            report.line("r"),
            "REPORT RequestID: r Duration: 236.606 ms Billed Duration: 300 ms Memory Size: 128 MB Max Memory \
             Used: 22 MB Queuing Duration: 1.500 ms Function Init Duration: 225.298 ms"
        );
    }
}
