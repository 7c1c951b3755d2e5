//! What happens to functions in, lines on standard error out, without tokens.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::commands::running::LogFormat;
use crate::model::event::redact::Redactor;
use crate::model::finding::{Finding, Severity};
use crate::model::log::Record;
use crate::outside::emulator::{Line, Stream, Told, VERSION_ID};
use crate::outside::journal::Journal;
use crate::outside::terminal::Terminal;

pub struct Speech {
    terminal: Terminal,
    format: LogFormat,
    redactor: Redactor,
    /// There are several functions to be told apart.
    named: bool,
    journal: Journal,
}

impl Speech {
    pub fn new(terminal: &Terminal, format: LogFormat, redactor: Redactor, named: bool) -> Self {
        Self { terminal: terminal.clone(), format, redactor, named, journal: Journal::new() }
    }

    pub fn tell(&self, function: &str, told: &Told<'_>) {
        match told {
            Told::Problem(finding) => self.finding(function, finding),
            Told::Broken { finding } => {
                self.finding(function, finding);
                self.note(function, "every call is answered with 502 until it is mended");
            }
            // The rest is for who wants to read it.
            _ if self.terminal.quiet => {}
            Told::Fact(text) if self.terminal.verbose => self.note(function, text),
            Told::Fact(_) => {}
            Told::Progress(text) => self.note(function, text),
            Told::Began { request_id } => {
                let line = format!("START RequestID: {request_id} Version: {VERSION_ID}");
                self.system(function, request_id, &line);
            }
            Told::Line { line, structured } => self.hear(function, line, *structured),
            Told::Ended { request_id, report, status, trace, trouble } => {
                if let Some(trace) = trace {
                    let line = Line { stream: Stream::Err, request_id: Some(request_id), text: trace };
                    self.hear(function, &line, false);
                }
                self.system(function, request_id, &format!("END RequestID: {request_id}"));
                let report = format!("{} Status: {status}", report.line(request_id));
                self.system(function, request_id, &report);
                if let Some(finding) = trouble {
                    self.finding(function, finding);
                }
            }
            Told::Refused { method, path, status } => {
                self.note(function, &format!("{method} {path} {status}: the platform answers it itself"));
            }
            Told::Loaded { took, again } => {
                let what = if *again { "reloaded" } else { "loaded" };
                self.note(function, &format!("{what} in {} ms", took.as_millis()));
            }
        }
    }

    /// A line that the function wrote.
    fn hear(&self, function: &str, line: &Line<'_>, structured: bool) {
        let text = self.redactor.text(line.text);
        let record = Record::of(&text, structured);
        match self.format {
            LogFormat::Text => self.text(function, &record.readable()),
            LogFormat::Json => {
                let level = record.level.unwrap_or(match line.stream {
                    Stream::Out => "INFO",
                    Stream::Err => "ERROR",
                });
                self.record(function, line.request_id, level, &record);
            }
        }
    }

    /// A line of the platform's own.
    fn system(&self, function: &str, request_id: &str, line: &str) {
        match self.format {
            LogFormat::Text => self.text(function, &self.terminal.faint_err(line)),
            LogFormat::Json => self.record(function, Some(request_id), "INFO", &Record::of(line, false)),
        }
    }

    /// A line of ours.
    fn note(&self, function: &str, line: &str) {
        match self.format {
            LogFormat::Text => self.text(function, line),
            LogFormat::Json => self.record(function, None, "INFO", &Record::of(line, false)),
        }
    }

    fn finding(&self, function: &str, finding: &Finding) {
        if self.terminal.quiet && finding.severity != Severity::Error {
            return;
        }
        match self.format {
            LogFormat::Text => {
                let text = self.terminal.render_err(finding);
                self.text(function, &self.redactor.text(text.trim_end()));
            }
            LogFormat::Json => {
                let level = match finding.severity {
                    Severity::Error => "ERROR",
                    Severity::Warning => "WARN",
                    Severity::Note => "INFO",
                };
                let document = json!({
                    "function": function,
                    "level": level,
                    "message": finding.message,
                    "jsonPayload": finding,
                });
                self.journal.line(&self.redactor.text(&document.to_string()));
            }
        }
    }

    fn record(&self, function: &str, request_id: Option<&str>, level: &str, record: &Record) {
        let mut document = json!({ "function": function, "level": level, "message": record.message });
        if let Some(request_id) = request_id {
            document["requestId"] = request_id.into();
        }
        if let Some(name) = &record.stream_name {
            document["streamName"] = name.as_str().into();
        }
        if !record.payload.is_empty() {
            document["jsonPayload"] = Value::Object(record.payload.clone());
        }
        self.journal.line(&document.to_string());
    }

    fn text(&self, function: &str, line: &str) {
        let line = if self.named {
            let name = self.terminal.faint_err(&format!("{function}:"));
            Cow::Owned(format!("{name} {}", line.replace('\n', &format!("\n{name} "))))
        } else {
            Cow::Borrowed(line)
        };
        self.journal.line(&line);
    }
}
