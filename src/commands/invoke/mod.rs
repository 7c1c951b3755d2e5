//! `invoke`: a call in, what the platform would answer out, from the real interpreter on this machine.

mod remote;
mod request;
mod speech;

use std::io::{Read, Seek};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::commands::Context;
use crate::commands::access::Place;
use crate::commands::running::RunArgs;
use crate::model::archive::{self, Archive};
use crate::model::event::choices::CHOICES;
use crate::model::event::expect::Expectation;
use crate::model::event::http::{Call as Payload, judge_integration};
use crate::model::event::redact::Redactor;
use crate::model::event::response::{Answer, Origin, Outcome, respond};
use crate::model::finding::{self, Exit, Finding, Result, Severity};
use crate::model::manifest::{Manifest, Version};
use crate::model::package::DIST;
use crate::model::rules;
use crate::model::runtime::Runtime;
use crate::model::settings::{parse_memory, parse_runtime, parse_timeout};
use crate::model::sources::Sources;
use crate::model::vendor;
use crate::outside::clock;
use crate::outside::disk::{self, Files, SourceFile};
use crate::outside::emulator::{
    Call, Code, Emulator, FUNCTION_ID, Failure, Function, Identity, Interpreter, Settings, VERSION_ID,
    find_interpreter,
};
use crate::outside::terminal::Terminal;

#[derive(Debug, Args)]
pub struct Invoke {
    #[command(flatten)]
    request: request::RequestArgs,
    /// Call it N times in one instance: the first call is cold, the others are warm
    #[arg(long, value_name = "N", env = "FNSCAFFOLD_REPEAT", hide_env = true, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Fail unless every answer is so: status=CODE, body=TEXT, header:NAME[=VALUE], json:POINTER[=VALUE]
    #[arg(long, value_name = "EXPECTATION", env = "FNSCAFFOLD_EXPECT", hide_env = true)]
    expect: Vec<String>,
    /// Run the function directory itself, not what the archive holds
    #[arg(long)]
    source: bool,
    #[command(flatten)]
    run: RunArgs,
    /// Call what is deployed instead; --token-file and the like are then for the cloud
    #[arg(long, help_heading = "The cloud")]
    remote: bool,
    /// With --remote: the version that has this tag, instead of the newest
    #[arg(long, value_name = "TAG", env = "FNSCAFFOLD_TAG", hide_env = true, help_heading = "The cloud")]
    tag: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// One call and what came of it.
struct Done {
    request_id: String,
    answer: Answer,
    unmet: Vec<Box<Finding>>,
    duration: Duration,
    initialisation: Option<Duration>,
    peak_memory: Option<u64>,
}

impl Invoke {
    pub fn run(self, context: &Context) -> Result<Exit> {
        if self.remote {
            return self.call_remote(context);
        }
        let terminal = &context.terminal;
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let runtime = parse_runtime(&manifest.version.runtime)?;
        let expectations =
            self.expect.iter().map(|text| Expectation::parse(text)).collect::<Result<Vec<_>>>()?;
        let identity = self.run.identity(context, &manifest)?;
        let mut given = self.run.given(context)?;
        given.take(&manifest.version);
        for difference in given.judge(&manifest.version) {
            terminal.warn(&difference);
        }
        let redactor = match identity.secret() {
            _ if self.run.show_token => Redactor::off(),
            secret => Redactor::new(secret.map(str::to_owned)),
        };
        let redactor = redactor.hiding(given.secrets());
        let interpreter = self.run.interpreter(terminal, runtime)?;
        let speech =
            Arc::new(speech::Speech::new(terminal, &manifest, self.run.log_format, redactor.clone()));
        let hearing = Arc::clone(&speech);
        let settings = Settings {
            identity,
            given,
            fault: self.run.metadata,
            route: self.run.metadata_route,
            offline: self.run.offline,
            timeout: Duration::from_secs(parse_timeout(&manifest.version.timeout)?),
            debugger: None,
            output: Arc::new(move |line| hearing.hear(&line)),
            progress: &|text| terminal.note(text),
        };
        let files = code_files(context, &manifest)?;
        let stored = if self.source { None } else { stored(context, runtime, &files)? };
        let of_sources = Files::from(files.as_slice());
        let code = match &stored {
            Some(archive) => Code::Archive(archive),
            None if self.source => Code::Directory(&context.directory, &of_sources),
            None => Code::Archive(&of_sources),
        };
        let function = Function { code, manifest: &manifest, runtime, interpreter: &interpreter };
        let emulator = Emulator::new(&function, settings)?;
        explain(terminal, &emulator);
        let mut done = Vec::new();
        for _ in 0..self.repeat {
            done.push(self.call(context, &emulator, &speech, &redactor, &expectations, &manifest.version)?);
            if let (1, Some(way)) = (done.len(), emulator.way()) {
                terminal.detail(&way);
            }
        }
        speech.say(&done, Some(&interpreter))
    }

    /// Makes one call and tells of it.
    fn call(
        &self,
        context: &Context,
        emulator: &Emulator,
        speech: &speech::Speech,
        redactor: &Redactor,
        expectations: &[Expectation],
        version: &Version,
    ) -> Result<Done> {
        let (request_id, trace_id) = (clock::request_id(), clock::request_id());
        let origin = Origin {
            function_id: FUNCTION_ID.to_owned(),
            version_id: VERSION_ID.to_owned(),
            request_id: request_id.clone(),
        };
        let setup = version.async_invocation.as_ref();
        let payload = self
            .request
            .payload(context, &request_id, &trace_id)?
            .and_then(|payload| judge_integration(payload.integration, setup, &request_id).map(|()| payload));
        let payload = match payload {
            Ok(payload) => payload,
            // The platform answers without calling the function.
            Err(response) => {
                let refused =
                    format!("the platform answers {} without calling the function", response.status);
                let why = redactor.text(&String::from_utf8_lossy(&response.body)).into_owned();
                let trouble = Some(finding::FUNCTION_FAILED.finding(refused).why(why));
                let answer = Answer { response, trouble };
                let unmet = judge(&answer, expectations, redactor);
                let (duration, initialisation, peak_memory) = (Duration::ZERO, None, None);
                let done = Done { request_id, answer, unmet, duration, initialisation, peak_memory };
                speech.answer(&done)?;
                return Ok(done);
            }
        };
        let Payload { integration, payload } = payload;
        speech.begin(&request_id);
        let called = emulator.call(
            &String::from_utf8_lossy(&payload),
            &Call { request_id: &request_id, trace_id: &trace_id },
        )?;
        let outcome = match called.result {
            Ok(text) => Outcome::Answered(text.into_bytes()),
            Err(failure) => {
                if let Failure::Raised(raised) = &failure {
                    speech.trace(&raised.text);
                }
                failure.into()
            }
        };
        let answer = respond(&outcome, integration, &origin, redactor);
        let unmet = judge(&answer, expectations, redactor);
        let done = Done {
            request_id,
            answer,
            unmet,
            duration: called.duration,
            initialisation: called.initialisation,
            peak_memory: called.peak_memory,
        };
        speech.end(&done, parse_memory(&version.memory)? >> 20);
        speech.answer(&done)?;
        Ok(done)
    }
}

impl RunArgs {
    fn identity(&self, context: &Context, manifest: &Manifest) -> Result<Identity> {
        let account = manifest.version.service_account_id.as_deref();
        if self.token_file.is_some() && account.is_none_or(str::is_empty) {
            context.terminal.note("the token is not used: function.toml names no service account");
        }
        let file = self.token_file.as_ref().map(|file| context.directory.join(file));
        Identity::of(account, file.as_deref())
    }

    fn interpreter(&self, terminal: &Terminal, runtime: &'static Runtime) -> Result<Interpreter> {
        let interpreter = find_interpreter(runtime, &self.interpreter)?;
        if let Some(mut problem) = interpreter.judge(runtime) {
            if self.strict_runtime {
                problem.severity = Severity::Error;
                return Err(problem);
            }
            terminal.warn(&problem);
        }
        Ok(interpreter)
    }
}

/// The files that `pack` would take.
fn code_files(context: &Context, manifest: &Manifest) -> Result<Vec<SourceFile>> {
    let selection = disk::selection(&context.directory, manifest)?;
    Ok(disk::collect(&context.directory, &selection)?.files)
}

/// The archive in `dist/`, with a warning when the directory holds something else meanwhile.
fn stored(
    context: &Context,
    runtime: &'static Runtime,
    files: &[SourceFile],
) -> Result<Option<impl Sources + use<>>> {
    let path = format!("{DIST}/{}", runtime.lang.archive_name());
    let Some(file) = disk::open_if_there(&context.directory.join(&path))? else {
        context.terminal.note(&format!("`{path}` does not exist: what `pack` would put into it is run"));
        return Ok(None);
    };
    let archive = Archive::open(file).map_err(|problem| problem.at(path.clone()))?;
    if let Some(mut problem) = judge_freshness(&path, &archive, files, runtime)? {
        problem.severity = Severity::Warning;
        let fix = "rebuild it with `fnscaffold pack`, or run the directory with --source";
        context.terminal.warn(&problem.fix(fix));
    }
    Ok(Some(archive))
}

fn judge_freshness(
    path: &str,
    archive: &Archive<impl Read + Seek>,
    files: &[SourceFile],
    runtime: &'static Runtime,
) -> Result<Option<Box<Finding>>> {
    let own = Files::from(files);
    let records: Vec<_> = own.names().into_iter().map(|name| archive::record(&own, name)).collect();
    let gives_way = |name: &str| vendor::gives_way(name, &own, runtime.lang);
    let vendored = vendor::packages(archive, runtime.lang);
    Ok(rules::judge_freshness(path, &archive.records()?, &records, &vendored, gives_way))
}

fn judge(answer: &Answer, expectations: &[Expectation], redactor: &Redactor) -> Vec<Box<Finding>> {
    expectations.iter().filter_map(|expectation| expectation.judge(&answer.response, redactor)).collect()
}

fn explain(terminal: &Terminal, emulator: &Emulator) {
    for fact in emulator.facts() {
        terminal.detail(&fact);
    }
    for choice in CHOICES {
        terminal.detail(&format!("not known: {}; here: {}", choice.unknown, choice.here));
    }
}
