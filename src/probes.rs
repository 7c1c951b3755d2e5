//! Bytes that a stranger may hand us in, a panic out where a promise about them is broken. Fuzz targets and
//! `tests/probes.rs` stand on it; it is no interface of the crate.
//!
//! Where a probe needs several files, its bytes are all of them, as [`files`] reads them.

pub mod timed;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Component, Path};

use serde_json::Value;

use crate::model::archive::{Archive, UNPACKED_LIMIT, check_path};
use crate::model::event::expect::Expectation;
use crate::model::event::fixtures::{FIXTURES, Moment};
use crate::model::event::http::{Request, Route, receive};
use crate::model::event::integration::Integration;
use crate::model::event::redact::Redactor;
use crate::model::event::response::{Origin, Outcome, respond};
use crate::model::finding::{self, Finding, Severity};
use crate::model::manifest;
use crate::model::request::Request as VersionRequest;
use crate::model::rules;
use crate::model::runtime::{Lang, RUNTIMES};
use crate::model::selection::Selection;
use crate::model::sources::Sources;
use crate::model::template::{Templates, Variables};

pub type Probe = fn(&[u8]);

/// What there is to probe, by the name of its fuzz target.
pub const PROBES: &[(&str, Probe)] = &[
    ("archive", archive),
    ("event", event),
    ("javascript", javascript),
    ("manifest", manifest),
    ("python", python),
    ("template", template),
];

/// A function.toml that is taken reads back as it is written, and a version that is judged sound can be
/// asked for.
pub fn manifest(bytes: &[u8]) {
    let Ok((parsed, lines)) = manifest::parse(&String::from_utf8_lossy(bytes)) else { return };
    let text = manifest::render("schema.json", &parsed);
    let (again, _) = manifest::parse(&text).expect("what was rendered is read");
    assert_eq!(again, parsed, "the manifest changed on its way");
    let findings = rules::judge_manifest(&parsed, &lines);
    if !findings.iter().any(|finding| finding.severity == Severity::Error) {
        VersionRequest::of(&parsed.version).expect("a sound version can be asked for");
    }
    if let Ok(selection) = Selection::new(&parsed.package, None) {
        selection.takes(&parsed.name);
    }
}

/// No file that templates write leaves the directory that they write to.
pub fn template(bytes: &[u8]) {
    let Ok(templates) = Templates::from_files(files("nodejs/a.toml", bytes)) else { return };
    let variables = Variables { name: "my-app", runtime: "nodejs22", module: "index", function: "main" };
    for template in templates.iter() {
        for path in template.render(&variables).into_iter().flatten().map(|(path, _)| path) {
            assert_inside(&path);
        }
    }
}

/// An archive that is taken unpacks to what it says, within the platform's limit, inside its directory.
pub fn archive(bytes: &[u8]) {
    let Ok(archive) = Archive::open(Cursor::new(bytes)) else { return };
    let names = archive.names();
    for pair in names.windows(2) {
        assert!(pair[0] < pair[1], "`{}` stands twice", pair[0]);
    }
    for name in names {
        assert_inside(name);
    }
    let Ok(records) = archive.records() else { return };
    assert!(records.iter().map(|record| record.size).sum::<u64>() <= UNPACKED_LIMIT);
    for record in records {
        let mut content = Vec::new();
        archive.copy(&record.path, &mut content).expect("what was read once is read again");
        assert_eq!(content.len() as u64, record.size, "{}", record.path);
        assert_eq!(crate::model::digest::sha256(&content), record.sha256, "{}", record.path);
    }
}

/// Bytes as an HTTP request (its query, its headers, an empty line, its body), as a handler's answer, and
/// its first line as `--set` and `--expect`: an event is JSON and carries the body, an answer can be sent.
pub fn event(bytes: &[u8]) {
    let head_end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(head_end);
    let body = rest.get(2..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let (first, headers) = head.split_once('\n').unwrap_or((&head, ""));
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    let request = Request {
        method: "POST".to_owned(),
        route: Route::Gateway,
        path: first.split('?').next().unwrap_or_default().to_owned(),
        query: first.split_once('?').map_or(first, |(_, query)| query).to_owned(),
        headers: headers.lines().map(header).collect(),
        body: body.to_vec(),
        source: ([127, 0, 0, 1], 0).into(),
        request_id: String::new(),
        trace_id: String::new(),
        epoch_seconds: 0,
    };
    if let Ok(call) = receive(request) {
        match call.integration {
            Integration::Raw | Integration::Async => assert_eq!(call.payload, body),
            Integration::Http => {
                let event: Value = serde_json::from_slice(&call.payload).expect("an event is JSON");
                let is_text = event["isBase64Encoded"] == Value::Bool(false);
                assert!(!is_text || event["body"] == *String::from_utf8_lossy(body), "the body changed");
            }
        }
    }
    let moment = Moment { epoch_seconds: 0, id: String::new() };
    for fixture in FIXTURES {
        let settings: Vec<_> = headers.lines().map(str::to_owned).collect();
        let _ = fixture.event(&moment, &settings);
        let _ = fixture.event(&moment, &[first.to_owned()]);
    }
    let origin = Origin { function_id: String::new(), version_id: String::new(), request_id: String::new() };
    for integration in [Integration::Http, Integration::Raw, Integration::Async] {
        for result in [bytes, body] {
            let outcome = Outcome::Answered(result.to_vec());
            let response = respond(&outcome, integration, &origin, &Redactor::default()).response;
            assert!((200..600).contains(&response.status), "status {}", response.status);
            for (name, value) in &response.headers {
                assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "the header name {name:?}");
                assert!(!value.contains(['\r', '\n', '\0']), "the header value {value:?}");
            }
            if let Ok(expectation) = Expectation::parse(first) {
                let _ = expectation.judge(&response, &Redactor::default());
            }
        }
    }
}

pub fn javascript(bytes: &[u8]) {
    code(files("index.js", bytes), Lang::Nodejs);
}

pub fn python(bytes: &[u8]) {
    code(files("index.py", bytes), Lang::Python);
}

/// Code is judged without being run: each finding points at a line there is, and an entry point that is
/// proposed is in the archive.
fn code(mut files: BTreeMap<String, Vec<u8>>, lang: Lang) {
    // The names that the reader of archives lets through.
    files.retain(|name, _| check_path(name).is_ok());
    let of_lang = || RUNTIMES.iter().filter(|runtime| runtime.lang == lang);
    for runtime in of_lang().take(1).chain(of_lang().next_back()) {
        for finding in rules::judge_code(&files, runtime, "index.handler") {
            assert_points_at_something(&finding, &files);
        }
        for entrypoint in rules::handlers(&files, lang) {
            for finding in rules::judge_entrypoint(&files, runtime, &entrypoint) {
                assert_points_at_something(&finding, &files);
                let is_lost = finding.rule == &finding::ENTRYPOINT_FILE_MISSING;
                assert!(!is_lost, "`{entrypoint}` is proposed: {}", finding.message);
            }
        }
    }
}

fn assert_points_at_something(finding: &Finding, files: &BTreeMap<String, Vec<u8>>) {
    let (Some(path), Some(line)) = (&finding.path, finding.line) else { return };
    let text = files.get(path).expect("a line is a file's");
    // JavaScript has four line ends, and one may stand alone.
    let ends = text.iter().filter(|byte| matches!(byte, b'\n' | b'\r' | 0xe2)).count();
    assert!((1..=ends + 1).contains(&(line as usize)), "{}: `{path}:{line}`", finding.message);
}

fn assert_inside(path: &str) {
    let inside = |part| matches!(part, Component::Normal(_));
    assert!(!path.is_empty() && Path::new(path).components().all(inside), "`{path}` leads out");
    assert!(!path.contains(['\\', '\0', '\n']), "`{path}` is another file elsewhere");
}

/// Files as one text: what stands before the first line `-- NAME --` is the file `first`, what follows such
/// a line is the file NAME.
fn files(first: &str, bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([(first.to_owned(), Vec::new())]);
    let mut name = first.to_owned();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = std::str::from_utf8(line).unwrap_or_default().trim_end_matches('\n');
        match text.strip_prefix("-- ").and_then(|text| text.strip_suffix(" --")) {
            Some(next) => next.clone_into(&mut name),
            None => files.entry(name.clone()).or_default().extend(line),
        }
    }
    files
}
