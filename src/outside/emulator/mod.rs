//! The only room that starts interpreters and serves the metadata service: an archive's files and a
//! manifest in, what the platform would answer out. tokio lives here and nowhere else.

mod attendant;
mod control;
mod debugger;
mod deployed;
mod elsewhere;
mod home;
mod identity;
mod install;
mod instance;
mod interpreter;
mod manner;
mod messages;
mod metadata;
mod output;
mod process;
mod recall;
mod reply;
mod running;
mod served;
mod server;
mod source;
mod survey;
mod trace;
mod unpack;
mod vendor;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use elsewhere::Given;
pub use identity::Identity;
pub use install::is_for_want_of_network;
pub use interpreter::{Interpreter, name as language_name};
pub use manner::{Manner, Place, Told};
pub use metadata::Fault;
pub use output::{Line, Output, Stream};
pub use recall::find as find_interpreter;
pub use reply::{Failure, Problem};
pub use server::serve;
pub use source::language;
pub use survey::{Candidate, Program, Survey, survey};
pub use trace::entered;
pub use vendor::vendor;

use crate::model::event::redact::Redactor;
use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::Manifest;
use crate::model::package::judge_installed_size;
use crate::model::rules;
use crate::model::runtime::{Lang, Runtime};
use crate::model::settings::parse_timeout;
use crate::model::sources::Sources;
use debugger::Debugger;
use deployed::Deployed;

/// How long `check --load` waits at least: a first start on a busy machine takes its time.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// How a program that asks 169.254.169.254 reaches the emulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Route {
    /// `trace` where it is allowed, else `preload`
    Auto,
    /// Every program is led there as it connects (only Linux; then no gdb, strace or real-time signal)
    Trace,
    /// Led there inside Node.js and Python; other programs need YC_METADATA_ADDR
    Preload,
}

/// How it does in fact.
pub enum Way {
    Traced,
    /// Connections are redirected in the interpreter, and in those that the function starts; and why so.
    Preloaded(String),
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Traced => formatter.write_str("every program of the function is led to it"),
            Self::Preloaded(why) => write!(
                formatter,
                "led to it inside Node.js and Python, any other program needs YC_METADATA_ADDR: {why}"
            ),
        }
    }
}

/// A function, and the interpreter that runs it here.
pub struct Function<'a> {
    pub code: Code<'a>,
    pub manifest: &'a Manifest,
    pub runtime: &'static Runtime,
    pub interpreter: &'a Interpreter,
}

/// What is run.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// The files of an archive, unpacked where nothing can change them.
    Archive(&'a dyn Sources),
    /// The directory itself, which holds these files.
    Directory(&'a Path, &'a dyn Sources),
}

/// How a function is run.
pub struct Settings<'a> {
    pub identity: Identity,
    pub given: Given,
    pub fault: Option<Fault>,
    pub route: Route,
    /// Dependencies come from the cache or not at all.
    pub offline: bool,
    /// How long a call may take, the start of a new instance included.
    pub timeout: Duration,
    pub debugger: Option<Debugger>,
    pub output: Output,
    /// Told what takes long.
    pub progress: &'a dyn Fn(&str),
}

/// A deployed version, with a thread that waits for each call.
pub struct Emulator {
    // Dropped in this order: what runs before what it runs in.
    deployed: Deployed,
    tokio: tokio::runtime::Runtime,
}

/// What became of a call, and what it took.
pub struct Called {
    /// What the handler gave, as JSON; empty for Node.js's `undefined`.
    pub result: std::result::Result<String, Failure>,
    /// Bytes of memory that the process has held at most so far, where the system tells.
    pub peak_memory: Option<u64>,
    /// The start of the instance included.
    pub duration: Duration,
    /// How long starting the instance took, when the call found none.
    pub initialisation: Option<Duration>,
}

/// What the handler is told of a call beside its event.
pub struct Call<'a> {
    pub request_id: &'a str,
    pub trace_id: &'a str,
}

impl Emulator {
    /// # Errors
    /// Those of [`Deployed::prepare`].
    pub fn new(function: &Function<'_>, settings: Settings<'_>) -> Result<Self> {
        let tokio = runtime()?;
        let deployed = Deployed::prepare(function, settings, tokio.handle())?;
        Ok(Self { deployed, tokio })
    }

    /// Starts an instance and loads the entry point, or says why it cannot be loaded.
    ///
    /// # Errors
    /// What keeps this machine from trying.
    pub fn load(&self, limit: Duration) -> Result<std::result::Result<(), Failure>> {
        self.tokio.block_on(self.deployed.load(limit))
    }

    /// Calls the handler with `event`, the first argument's text.
    ///
    /// # Errors
    /// What keeps this machine from trying; that the function fails is a result.
    pub fn call(&self, event: &str, call: &Call<'_>) -> Result<Called> {
        self.tokio.block_on(self.deployed.call(event, call))
    }

    /// What `-v` tells: each line a fact of how the function is run here.
    pub fn facts(&self) -> Vec<String> {
        self.deployed.facts()
    }

    /// One more, when a call has started an instance.
    pub fn way(&self) -> Option<String> {
        self.deployed.way()
    }
}

/// What all of this runs in: one thread, because most of the work is the interpreter's.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| finding::IO.finding("could not start the emulator").why(error.to_string()))
}

/// Ids of a function that is nowhere: they look like the platform's and are recognisable.
pub const FUNCTION_ID: &str = "d4elocalfnscaffold00";
pub const VERSION_ID: &str = "d4vlocalfnscaffold00";
const FOLDER_ID: &str = "b1glocalfnscaffold00";

/// Imports the entry point under the real interpreter, as the platform would when an instance starts.
///
/// # Errors
/// What keeps this machine from trying, such as [`finding::INTERPRETER_MISSING`].
pub fn load(
    archive: &dyn Sources,
    runtime: &'static Runtime,
    manifest: &Manifest,
    chosen: &[PathBuf],
    progress: &dyn Fn(&str),
) -> Result<Vec<Box<Finding>>> {
    let interpreter = match find_interpreter(runtime, chosen) {
        Ok(interpreter) => interpreter,
        Err(problem) => return Ok(vec![problem]),
    };
    let mut findings: Vec<_> = interpreter.judge(runtime).into_iter().collect();
    let timeout = Duration::from_secs(parse_timeout(&manifest.version.timeout).unwrap_or(0));
    let given = Given::of(&manifest.version);
    let redactor = Redactor::default().hiding(given.secrets());
    let said = Arc::new(Mutex::new(String::new()));
    let hearing = Arc::clone(&said);
    let settings = Settings {
        // Code that asks for a token while it is loaded gets one, as in the cloud.
        identity: manifest.version.service_account_id.as_ref().map_or(Identity::None, |_| Identity::Fake),
        given: given.clone(),
        fault: None,
        route: Route::Auto,
        offline: false,
        timeout,
        debugger: None,
        output: Arc::new(move |line| {
            let mut said = hearing.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() < 4096 {
                said.push_str(line.text);
                said.push('\n');
            }
        }),
        progress,
    };
    let function = Function { code: Code::Archive(archive), manifest, runtime, interpreter: &interpreter };
    let loaded = Emulator::new(&function, settings).and_then(|emulator| {
        let installed = emulator.deployed.installed_size();
        findings.extend(judge_installed_size(runtime.lang.dependency_file(), installed));
        emulator.load(LOAD_LIMIT.max(timeout))
    });
    match loaded {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let mut problem = judge_load(&failure, &manifest.version.entrypoint, &said);
            problem.why = problem.why.map(|why| redactor.text(&why).into_owned());
            findings.push(match what_is_missing(&failure, archive, &interpreter, runtime) {
                Some((lack, fix)) => not_tried(&problem, &lack, &fix),
                None => problem,
            });
        }
        Err(problem) if is_for_want_of_network(&problem) => findings.push(
            finding::LOAD_SKIPPED
                .finding("the entry point was not imported: its dependencies could not be fetched")
                .why(problem.why.unwrap_or_default())
                .fix("run it again with a network, or where they are in the cache already"),
        ),
        Err(problem) => findings.push(problem),
    }
    Ok(findings)
}

fn judge_load(failure: &Failure, entrypoint: &str, said: &str) -> Box<Finding> {
    match failure {
        Failure::Raised(raised) => {
            let message = raised.error.error_message.as_str().unwrap_or_default();
            match raised.problem {
                Some(Problem::Missing) => finding::ENTRYPOINT_EXPORT_MISSING.finding(lower(message)),
                Some(Problem::NotCallable) => finding::ENTRYPOINT_NOT_CALLABLE.finding(lower(message)),
                None => finding::LOAD_FAILED
                    .finding(format!("the entry point `{entrypoint}` could not be imported"))
                    .why(raised.text.clone()),
            }
        }
        Failure::Ended(how) => finding::LOAD_FAILED
            .finding(format!("the interpreter {how} while it imported `{entrypoint}`"))
            .why(if said.is_empty() { "it said nothing" } else { said.trim_end() }),
        Failure::TimedOut(limit) => finding::LOAD_FAILED
            .finding(format!("importing `{entrypoint}` did not end within {} s", limit.as_secs()))
            .why(if said.is_empty() { "it said nothing" } else { said.trim_end() }),
    }
}

/// Why loading fails here where it may not on the platform, and what to do about it: there the oldest runtimes
/// have the SDK; and another Python fails on syntax that it is too old for, or on modules that were compiled for
/// the platform's.
fn what_is_missing(
    failure: &Failure,
    archive: &dyn Sources,
    here: &Interpreter,
    runtime: &Runtime,
) -> Option<(String, String)> {
    let Failure::Raised(raised) = failure else { return None };
    if let Some(module) = raised.missing_module().filter(|module| rules::is_preinstalled(module, runtime)) {
        let lack = format!("the platform has `{module}` in {}, and it is not here", runtime.id);
        let fix = format!("name it in {} to have it here too", runtime.lang.dependency_file());
        return Some((lack, fix));
    }
    let (major, minor) = runtime.version();
    let fix = format!("name a Python {major}.{minor} with --interpreter PATH");
    let compiled = format!(".cpython-{major}{minor}");
    let version = &here.version;
    let lack = match raised.error.error_type.as_str()? {
        _ if runtime.lang != Lang::Python || here.numbers() == (major, minor) => None,
        "SyntaxError" if here.numbers() < (major, minor) => Some(format!(
            "Python {version} here is older than {}, and does not know all of its syntax",
            runtime.id
        )),
        "ImportError" | "ModuleNotFoundError"
            if archive.names().iter().any(|name| name.contains(&compiled)) =>
        {
            Some(format!("the archive has modules compiled for {}, and here is Python {version}", runtime.id))
        }
        _ => None,
    };
    lack.map(|lack| (lack, fix))
}

fn not_tried(failed: &Finding, lack: &str, fix: &str) -> Box<Finding> {
    finding::LOAD_SKIPPED
        .finding(format!("the entry point was not imported: {lack}"))
        .why(failed.why.clone().unwrap_or_default())
        .fix(fix)
}

/// A sentence as findings begin.
fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
