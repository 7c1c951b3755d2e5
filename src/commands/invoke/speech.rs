//! What a call says in, lines for a person or documents for a program out, without tokens.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Done;
use crate::commands::running::LogFormat;
use crate::model::event::redact::Redactor;
use crate::model::finding::{Exit, Finding, Result};
use crate::model::junit;
use crate::model::log::{Record, Report, SWITCH};
use crate::model::manifest::Manifest;
use crate::outside::emulator::{Interpreter, Line, Stream, VERSION_ID};
use crate::outside::terminal::{Format, Terminal};

/// Tells of calls while they are made, and of all of them at the end.
pub struct Speech {
    terminal: Terminal,
    format: LogFormat,
    structured: bool,
    redactor: Redactor,
    function: String,
    runtime: String,
    /// The request that is running, and the log of each so far, for the one document at the end.
    logs: Mutex<(String, BTreeMap<String, Vec<Value>>)>,
}

impl Speech {
    pub fn new(terminal: &Terminal, manifest: &Manifest, format: LogFormat, redactor: Redactor) -> Self {
        let environment = &manifest.version.environment;
        let structured = environment.get(SWITCH).is_none_or(|value| value != "false");
        Self {
            terminal: terminal.clone(),
            format,
            structured,
            redactor,
            function: manifest.name.clone(),
            runtime: manifest.version.runtime.clone(),
            logs: Mutex::default(),
        }
    }

    /// A line that the function wrote.
    pub fn hear(&self, line: &Line<'_>) {
        let text = self.redactor.text(line.text);
        let record = Record::of(&text, self.structured);
        let readable = record.readable();
        let level = record.level.unwrap_or(match line.stream {
            Stream::Out => "INFO",
            Stream::Err => "ERROR",
        });
        self.log(level, &record.message, &record, &readable);
    }

    /// A system line, which is its own message.
    fn system(&self, line: &str) {
        let faint = self.terminal.faint_err(line);
        self.log("INFO", line, &Record::of(line, false), &faint);
    }

    /// The interpreter's own text on an error.
    pub fn trace(&self, text: &str) {
        let text = self.redactor.text(text);
        self.log("ERROR", &text, &Record::of(&text, false), &text);
    }

    fn log(&self, level: &str, message: &str, record: &Record, readable: &str) {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let (request_id, all) = &mut *logs;
        let mut document = json!({ "requestId": request_id, "level": level, "message": message });
        if let Some(name) = &record.stream_name {
            document["streamName"] = name.as_str().into();
        }
        if !record.payload.is_empty() {
            document["jsonPayload"] = record.payload.clone().into();
        }
        if self.format == LogFormat::Json {
            self.terminal.log(&document.to_string());
        } else if self.terminal.format == Format::Text {
            self.terminal.log(readable);
        }
        if self.terminal.format != Format::Text {
            all.entry(request_id.clone()).or_default().push(document);
        }
    }

    pub fn begin(&self, request_id: &str) {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner).0 = request_id.to_owned();
        self.system(&format!("START RequestID: {request_id} Version: {VERSION_ID}"));
    }

    pub fn end(&self, done: &Done, memory_size: u64) {
        let id = &done.request_id;
        self.system(&format!("END RequestID: {id}"));
        let report = Report {
            duration: done.duration.as_secs_f64() * 1000.0,
            queuing: 0.0,
            initialisation: done.initialisation.map(|duration| duration.as_secs_f64() * 1000.0),
            memory_size,
            memory_used: done.peak_memory.map(|bytes| bytes.div_ceil(1 << 20)),
        };
        self.system(&report.line(id));
    }

    /// What the client gets.
    ///
    /// # Errors
    /// Those of [`Terminal::say`].
    pub fn answer(&self, done: &Done) -> Result<()> {
        let response = &done.answer.response;
        self.terminal.note(&format!("{} {}", self.terminal.faint_err("status:"), response.status));
        for (name, value) in &response.headers {
            let header = format!("{name}: {}", self.redactor.text(value));
            self.terminal.detail(&self.terminal.faint_err(&header));
        }
        if self.terminal.format == Format::Text {
            self.body(&response.body)?;
        }
        for problem in done.answer.trouble.iter().chain(&done.unmet) {
            self.terminal.warn_in_text(problem);
        }
        Ok(())
    }

    fn body(&self, body: &[u8]) -> Result<()> {
        match std::str::from_utf8(body) {
            Ok("") => Ok(()),
            Ok(text) => self.terminal.say(self.redactor.text(text).trim_end_matches('\n')),
            Err(_) => self.terminal.say_bytes(&self.redactor.bytes(body)),
        }
    }

    /// The one document of `--format json`, and how it all ends.
    ///
    /// # Errors
    /// Those of [`Terminal::say_json`].
    pub fn say(&self, calls: &[Done], interpreter: Option<&Interpreter>) -> Result<Exit> {
        let problem = calls.iter().find_map(|done| done.answer.trouble.as_ref().or(done.unmet.first()));
        if self.terminal.format == Format::Junit {
            self.terminal.say_bytes(junit::report(&self.function, &self.cases(calls)).as_bytes())?;
        } else if self.terminal.format != Format::Text {
            let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
            let calls: Vec<_> = calls
                .iter()
                .map(|done| self.document(done, logs.1.remove(&done.request_id).unwrap_or_default()))
                .collect();
            let mut document = json!({ "ok": problem.is_none(), "runtime": self.runtime });
            if let Some(interpreter) = interpreter {
                document["interpreter"] =
                    json!({ "path": interpreter.path.display().to_string(), "version": interpreter.version });
            }
            document["calls"] = json!(calls);
            self.terminal.say_verdict(document, problem.map(|problem| &**problem))?;
        }
        Ok(problem.map_or(Exit::Done, |problem| problem.rule.exit))
    }

    /// Each call as a test case.
    fn cases(&self, calls: &[Done]) -> Vec<junit::Case> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let failure = |problem: &Finding| {
            (format!("{}: {}", problem.rule.id, problem.message), problem.why.clone().unwrap_or_default())
        };
        let case = |(index, done): (usize, &Done)| {
            let lines = logs.1.get(&done.request_id).into_iter().flatten();
            let lines: Vec<_> = lines.filter_map(|record| record["message"].as_str()).collect();
            junit::Case {
                name: format!("call {}", index + 1),
                seconds: done.duration.as_secs_f64(),
                failures: done
                    .answer
                    .trouble
                    .iter()
                    .chain(&done.unmet)
                    .map(|problem| failure(problem))
                    .collect(),
                log: lines.join("\n"),
            }
        };
        calls.iter().enumerate().map(case).collect()
    }

    fn document(&self, done: &Done, logs: Vec<Value>) -> Value {
        let response = &done.answer.response;
        let mut headers = BTreeMap::<&str, Vec<String>>::new();
        for (name, value) in &response.headers {
            headers.entry(name).or_default().push(self.redactor.text(value).into_owned());
        }
        let (body, is_base64) = match std::str::from_utf8(&response.body) {
            Ok(text) => (self.redactor.text(text).into_owned(), false),
            Err(_) => (STANDARD.encode(self.redactor.bytes(&response.body)), true),
        };
        let milliseconds = |duration: std::time::Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
        let findings: Vec<_> = done.answer.trouble.iter().chain(&done.unmet).collect();
        json!({
            "requestId": done.request_id,
            "status": response.status,
            "headers": headers,
            "body": body,
            "isBase64Encoded": is_base64,
            "cold": done.initialisation.is_some(),
            "durationMs": milliseconds(done.duration),
            "initDurationMs": done.initialisation.map(milliseconds),
            "peakMemoryBytes": done.peak_memory,
            "logs": logs,
            "findings": findings,
        })
    }
}
