//! `templates test`: combinations of language, mode and runtime in, which of them render, parse, pack,
//! pass `check` and answer as they should out.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Combination, Filter};
use crate::commands::Context;
use crate::model::archive::Archive;
use crate::model::finding::{self, Exit, Finding, Result, Severity};
use crate::model::manifest;
use crate::model::mode::Mode;
use crate::model::package::DIST;
use crate::model::project::Project;
use crate::model::rules;
use crate::model::runtime::Lang;
use crate::model::template::Templates;
use crate::outside::emulator::{
    self, Call, Code, Emulator, Failure, Fault, Function, Given, Identity, Interpreter, Route, Settings,
    find_interpreter, is_for_want_of_network,
};
use crate::outside::packing;
use crate::outside::terminal::{Format, Terminal};

/// How long a call may take here: the platform starts instances on a quieter machine.
const LIMIT: Duration = Duration::from_secs(30);

/// A service account that no cloud has.
const ACCOUNT: &str = "ajelocalfnscaffold00";

/// Render, parse, pack, check and run combinations: all, or those of one language, mode or runtime
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    filter: Filter,
    /// Leave out running: no interpreter is started and nothing is installed
    #[arg(long)]
    no_run: bool,
    /// An interpreter to run with, instead of those on PATH; may be repeated
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    interpreter: Vec<PathBuf>,
    /// Take dependencies from the cache and fetch none
    #[arg(long, conflicts_with = "no_run")]
    offline: bool,
}

/// What became of one combination.
#[derive(Debug, Serialize)]
struct Outcome {
    combination: String,
    passed: Vec<&'static str>,
    /// What it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    interpreter: Option<String>,
    /// Why it was not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Box<Finding>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Box<Finding>>,
    #[serde(skip)]
    warning: Option<Box<Finding>>,
}

impl Test {
    /// Handlers of a person's own templates need not answer with a token.
    pub fn run(self, context: &Context, templates: &Templates, is_own: bool) -> Result<Exit> {
        let terminal = &context.terminal;
        let combinations = self.filter.combinations(templates)?;
        let test_all = |lang: Lang| -> Vec<Outcome> {
            let of_lang = combinations.iter().filter(|combination| combination.runtime.lang == lang);
            of_lang.map(|combination| self.test(terminal, combination, is_own)).collect()
        };
        // Languages share no dependencies, so neither waits for what the other installs.
        let outcomes: Vec<_> = thread::scope(|scope| {
            let workers = Lang::ALL.map(|lang| scope.spawn(move || test_all(lang)));
            workers.into_iter().flat_map(|worker| worker.join().expect("testing does not panic")).collect()
        });
        self.say(terminal, &outcomes)?;
        let failed: Vec<_> = outcomes.into_iter().filter_map(|outcome| outcome.failed).collect();
        Ok(if failed.is_empty() { Exit::Done } else { finding::exit_of(&failed) })
    }

    fn say(&self, terminal: &Terminal, outcomes: &[Outcome]) -> Result<()> {
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let (failed, skipped) =
            (count(|outcome| outcome.failed.is_some()), count(|outcome| outcome.skipped.is_some()));
        if terminal.format != Format::Text {
            let first = outcomes.iter().find_map(|outcome| outcome.failed.as_deref());
            return terminal.say_verdict(json!({ "ok": failed == 0, "combinations": outcomes }), first);
        }
        let width = outcomes.iter().map(|outcome| outcome.combination.len()).max().unwrap_or(0);
        for outcome in outcomes {
            let verdict = match (&outcome.failed, &outcome.skipped) {
                (Some(_), _) => terminal.bad("failed "),
                (None, Some(_)) => terminal.faint("skipped"),
                (None, None) => terminal.good("ok     "),
            };
            let on = outcome.interpreter.as_deref().map_or(String::new(), |on| format!(" on {on}"));
            terminal.say(&format!(
                "{verdict} {:<width$}  {}{on}",
                outcome.combination,
                outcome.passed.join(" ")
            ))?;
        }
        let mut said: Vec<&Finding> = Vec::new();
        for outcome in outcomes {
            // The line above names the interpreter already.
            let warning = outcome.warning.as_ref().filter(|_| terminal.verbose);
            let findings = [warning, outcome.skipped.as_ref(), outcome.failed.as_ref()];
            for problem in findings.into_iter().flatten() {
                // Many combinations lack the same interpreter.
                if !said.contains(&&**problem) {
                    terminal.warn(problem);
                    said.push(problem);
                }
            }
        }
        let elsewhere = count(|outcome| outcome.warning.is_some());
        if elsewhere > 0 {
            let on = "on another version than their runtime's (-v says which)";
            terminal.note(&format!("{} ran {on}", combinations(elsewhere)));
        }
        let verdict = if failed == 0 { terminal.good("ok") } else { terminal.bad("failed") };
        terminal
            .say(&format!("{verdict}: {}, {failed} failed, {skipped} not run", combinations(outcomes.len())))
    }

    fn test(&self, terminal: &Terminal, combination: &Combination<'_>, is_own: bool) -> Outcome {
        let mut outcome = Outcome {
            combination: combination.path(),
            passed: Vec::new(),
            interpreter: None,
            skipped: None,
            failed: None,
            warning: None,
        };
        if let Err(problem) = self.take_steps(terminal, combination, is_own, &mut outcome) {
            if problem.rule == &finding::IO {
                // This machine's, not the template's.
                outcome.failed = Some(problem);
                return outcome;
            }
            let why = match problem.why {
                Some(why) => format!("{}\n{why}", problem.message),
                None => problem.message,
            };
            let step = STEPS[outcome.passed.len()];
            let failure = finding::TEMPLATE_TEST.finding(format!("{}: {step} failed", outcome.combination));
            let failure = failure.why(why).at(combination.template.name.as_str());
            outcome.failed = Some(match problem.fix {
                Some(fix) => failure.fix(fix),
                None => failure,
            });
        }
        outcome
    }

    fn take_steps(
        &self,
        terminal: &Terminal,
        combination: &Combination<'_>,
        is_own: bool,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let runtime = combination.runtime;
        let mut project = combination.project()?;
        outcome.passed.push("render");
        let entrypoint = project.manifest.version.entrypoint.clone();
        worst(rules::judge_entrypoint(&project.files, runtime, &entrypoint))?;
        outcome.passed.push("parse");
        packing::in_memory(&mut project)?;
        outcome.passed.push("pack");
        let packed = project.files.get(&format!("{DIST}/{}", runtime.lang.archive_name()));
        let archive = Archive::open(Cursor::new(packed.map_or(&[][..], Vec::as_slice)))?;
        let text = project.files.get(manifest::FILE).map_or(&[][..], Vec::as_slice);
        let (read, lines) = manifest::parse(&String::from_utf8_lossy(text))?;
        worst(rules::judge_manifest(&read, &lines))?;
        worst(rules::judge_code(&archive, runtime, &entrypoint))?;
        outcome.passed.push("check");
        if self.no_run {
            return Ok(());
        }
        let interpreter = match find_interpreter(runtime, &self.interpreter) {
            Ok(interpreter) => interpreter,
            Err(problem) => {
                outcome.skipped = Some(problem);
                return Ok(());
            }
        };
        outcome.interpreter =
            Some(format!("{} {}", emulator::language_name(runtime.lang), interpreter.version));
        outcome.warning = interpreter.judge(runtime);
        let run = Run {
            project: &project,
            archive: &archive,
            combination,
            is_own,
            interpreter: &interpreter,
            offline: self.offline,
            terminal,
        };
        match run.all() {
            Err(problem) if is_for_want_of_network(&problem) => outcome.skipped = Some(problem),
            result => {
                result?;
                outcome.passed.push("run");
            }
        }
        Ok(())
    }
}

/// In order; each needs the one before.
const STEPS: [&str; 5] = ["render", "parse", "pack", "check", "run"];

/// The first error among the findings.
fn worst(findings: Vec<Box<Finding>>) -> Result<()> {
    match findings.into_iter().find(|finding| finding.severity == Severity::Error) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// A packed combination with its interpreter.
struct Run<'a> {
    project: &'a Project,
    archive: &'a Archive<Cursor<&'a [u8]>>,
    combination: &'a Combination<'a>,
    is_own: bool,
    interpreter: &'a Interpreter,
    offline: bool,
    terminal: &'a Terminal,
}

impl Run<'_> {
    /// With a token, without one, and where the handler asks for it, with a service that fails.
    fn all(&self) -> Result<()> {
        let account = Identity::Fake;
        let expected = account.document(1).unwrap_or_default();
        let (status, body) = self.call(Some(ACCOUNT), None)?;
        if status != 200 || body != expected {
            if self.is_own && status < 500 {
                return Ok(());
            }
            return Err(unexpected("with a service account", "200 and the token document", status, &body));
        }
        let refused = "an error status and a JSON reason";
        let (status, body) = self.call(None, None)?;
        if status < 400 || body.get("error").is_none() {
            return Err(unexpected("without a service account", refused, status, &body));
        }
        if self.combination.mode == Mode::Api {
            let (status, body) = self.call(Some(ACCOUNT), Some(Fault::Status(500)))?;
            if status != 502 || body.get("error").is_none() {
                return Err(unexpected(
                    "while the metadata service answers 500",
                    "502 and a JSON reason",
                    status,
                    &body,
                ));
            }
        }
        Ok(())
    }

    /// Status and body of one call in a fresh instance.
    fn call(&self, account: Option<&str>, fault: Option<Fault>) -> Result<(u64, Value)> {
        let mut manifest = self.project.manifest.clone();
        manifest.version.service_account_id = account.map(str::to_owned);
        let function = Function {
            code: Code::Archive(self.archive),
            manifest: &manifest,
            runtime: self.combination.runtime,
            interpreter: self.interpreter,
        };
        let settings = Settings {
            identity: account.map_or(Identity::None, |_| Identity::Fake),
            given: Given::default(),
            fault,
            route: Route::Auto,
            offline: self.offline,
            timeout: LIMIT,
            debugger: None,
            output: Arc::new(|_| ()),
            progress: &|text| self.terminal.note(&format!("{}: {text}", self.combination.path())),
        };
        let emulator = Emulator::new(&function, settings)?;
        let (request_id, trace_id) = ("00000000-0000-4000-8000-000000000000", "0");
        let called = emulator.call(EVENT, &Call { request_id, trace_id })?;
        let answer = called.result.map_err(|failure| failed(&failure))?;
        let envelope: Value = serde_json::from_str(&answer).unwrap_or_default();
        let body = envelope.get("body").and_then(Value::as_str).unwrap_or_default();
        let status = envelope.get("statusCode").and_then(Value::as_u64).unwrap_or_default();
        Ok((status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body))))
    }
}

/// The least that an HTTP call carries.
const EVENT: &str = r#"{"httpMethod":"GET","headers":{},"multiValueHeaders":{},"queryStringParameters":{},"multiValueQueryStringParameters":{},"requestContext":{},"body":"","isBase64Encoded":true}"#;

fn failed(failure: &Failure) -> Box<Finding> {
    match failure {
        Failure::Raised(raised) => {
            finding::FUNCTION_FAILED.finding("the function raised an error").why(raised.text.clone())
        }
        Failure::Ended(how) => finding::FUNCTION_FAILED.finding(format!("the function's process {how}")),
        Failure::TimedOut(limit) => {
            finding::FUNCTION_TIMEOUT.finding(format!("no answer within {} s", limit.as_secs()))
        }
    }
}

fn unexpected(when: &str, wanted: &str, status: u64, body: &Value) -> Box<Finding> {
    finding::FUNCTION_FAILED
        .finding(format!("{when} it should answer {wanted}"))
        .why(format!("it answered {status} and {body}"))
}

fn combinations(count: usize) -> String {
    if count == 1 { "1 combination".to_owned() } else { format!("{count} combinations") }
}
