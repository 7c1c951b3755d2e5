//! The only room that starts interpreters and serves the metadata service: an archive's files and a
//! manifest in, what the platform would answer out. tokio lives here and nowhere else.

mod control;
mod home;
mod identity;
mod install;
mod instance;
mod interpreter;
mod metadata;
mod output;
mod process;
mod vendor;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

pub use identity::Identity;
pub use install::is_for_want_of_network;
pub use instance::{Answer, Failure, Problem};
pub use interpreter::{Interpreter, name as language_name};
pub use metadata::Fault;
pub use output::Output;
pub use vendor::vendor;

use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::Manifest;
use crate::model::runtime::Runtime;
use crate::model::settings::{parse_memory, parse_timeout};
use crate::model::sources::Sources;
use home::Home;
use install::Installing;
use instance::{Instance, Start};
use metadata::Metadata;

/// How long `check --load` waits at least: a first start on a busy machine takes its time.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// How a program that asks 169.254.169.254 reaches the emulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Connections are redirected inside the interpreters, and in those that the function starts.
    Preload,
}

impl Route {
    pub const fn about(self) -> &'static str {
        match self {
            Self::Preload => "redirected inside Node.js and Python; other programs use YC_METADATA_ADDR",
        }
    }
}

/// A function, and the interpreter that runs it here.
pub struct Function<'a> {
    pub archive: &'a dyn Sources,
    pub manifest: &'a Manifest,
    pub runtime: &'static Runtime,
    pub interpreter: &'a Interpreter,
}

/// How a function is run.
pub struct Settings<'a> {
    pub identity: Identity,
    pub fault: Option<Fault>,
    /// Dependencies come from the cache or not at all.
    pub offline: bool,
    /// How long loading may take.
    pub load_limit: Duration,
    pub output: Output,
    /// Told what takes long.
    pub progress: &'a dyn Fn(&str),
}

/// A function in a warm instance, or why it could not be loaded.
pub struct Emulator {
    // Dropped in this order: the process before the directory that it runs in.
    instance: std::result::Result<Instance, Failure>,
    _metadata: Metadata,
    runtime: tokio::runtime::Runtime,
    _home: Home,
    identity: Identity,
    memory: u64,
    /// How long starting the interpreter and loading took.
    pub initialised_in: Duration,
    pub route: Route,
}

impl Emulator {
    /// Unpacks the function, installs its dependencies and loads it.
    ///
    /// # Errors
    /// What is wrong with this machine, or with the values of the manifest; a function that does not
    /// load is no error here: every call says so.
    pub fn start(function: &Function<'_>, settings: Settings<'_>) -> Result<Self> {
        let version = &function.manifest.version;
        let memory = parse_memory(&version.memory)?;
        let mut home = Home::new()?;
        let installing = Installing {
            interpreter: function.interpreter,
            offline: settings.offline,
            wheels_for: None,
            progress: settings.progress,
        };
        let packages =
            home.furnish(function.archive, installing.run(function.archive)?, function.runtime.lang)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| finding::IO.finding("could not start the emulator").why(error.to_string()))?;
        let began = Instant::now();
        let (metadata, instance) = runtime.block_on(async {
            let metadata = Metadata::start(settings.identity.clone(), settings.fault).await?;
            let start = Start {
                interpreter: function.interpreter,
                runtime: function.runtime,
                entrypoint: &version.entrypoint,
                memory,
                environment: &version.environment,
                packages: packages.as_deref(),
                metadata_port: metadata.port,
                limit: settings.load_limit,
                output: settings.output,
            };
            let instance = Instance::start(&home, &start).await?;
            Ok::<_, Box<Finding>>((metadata, instance))
        })?;
        Ok(Self {
            instance,
            _metadata: metadata,
            runtime,
            _home: home,
            identity: settings.identity,
            memory,
            initialised_in: began.elapsed(),
            route: Route::Preload,
        })
    }

    /// Calls the handler with `event`, the text of the first argument.
    ///
    /// # Errors
    /// Why the function gave no answer.
    pub fn call(&mut self, event: &str, call: &Call<'_>) -> std::result::Result<Answer, Failure> {
        let instance = self.instance.as_mut().map_err(|failure| failure.clone())?;
        let deadline = epoch_milliseconds() + u64::try_from(call.limit.as_millis()).unwrap_or(u64::MAX / 2);
        let facts = json!({
            "request_id": call.request_id,
            "function_id": FUNCTION_ID,
            "version_id": VERSION_ID,
            "folder_id": FOLDER_ID,
            "memory": self.memory >> 20,
            "deadline": deadline,
            "trace_id": "0000000000000000:0000000000000000:0:0",
            "token": self.identity.document(1),
        });
        self.runtime.block_on(instance.call(event, &facts, call.limit))
    }

    /// Why the function could not be loaded.
    pub fn load_failure(&self) -> Option<&Failure> {
        self.instance.as_ref().err()
    }
}

/// What the handler is told of a call beside its event.
pub struct Call<'a> {
    pub request_id: &'a str,
    pub limit: Duration,
}

/// Ids of a function that is nowhere: they look like the platform's and are recognisable.
pub const FUNCTION_ID: &str = "d4elocalfnscaffold00";
pub const VERSION_ID: &str = "d4vlocalfnscaffold00";
const FOLDER_ID: &str = "b1glocalfnscaffold00";

fn epoch_milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}

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
    let interpreter = match Interpreter::find(runtime, chosen) {
        Ok(interpreter) => interpreter,
        Err(problem) => return Ok(vec![problem]),
    };
    let mut findings: Vec<_> = interpreter.judge(runtime).into_iter().collect();
    let timeout = Duration::from_secs(parse_timeout(&manifest.version.timeout).unwrap_or(0));
    let said = Arc::new(Mutex::new(String::new()));
    let hearing = Arc::clone(&said);
    let settings = Settings {
        // Code that asks for a token while it is loaded gets one, as in the cloud.
        identity: manifest.version.service_account_id.as_ref().map_or(Identity::None, |_| Identity::Fake),
        fault: None,
        offline: false,
        load_limit: LOAD_LIMIT.max(timeout),
        output: Arc::new(move |_, line| {
            let mut said = hearing.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() < 4096 {
                said.push_str(line);
                said.push('\n');
            }
        }),
        progress,
    };
    let function = Function { archive, manifest, runtime, interpreter: &interpreter };
    match Emulator::start(&function, settings) {
        Ok(emulator) => {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            findings.extend(
                emulator
                    .load_failure()
                    .map(|failure| judge_load(failure, &manifest.version.entrypoint, &said)),
            );
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
            let message = raised.document.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
            match raised.problem {
                Some(Problem::Missing) => finding::ENTRYPOINT_EXPORT_MISSING.finding(lower(message)),
                Some(Problem::NotCallable) => finding::ENTRYPOINT_NOT_CALLABLE.finding(lower(message)),
                None => finding::LOAD_FAILED
                    .finding(format!("the entry point `{entrypoint}` could not be imported"))
                    .why(raised.text.clone()),
            }
        }
        Failure::Ended(how) => finding::LOAD_FAILED
            .finding(format!("the interpreter ended with {how} while it imported `{entrypoint}`"))
            .why(if said.is_empty() { "it said nothing" } else { said.trim_end() }),
        Failure::TimedOut(limit) => finding::LOAD_FAILED
            .finding(format!("importing `{entrypoint}` did not end within {} s", limit.as_secs()))
            .why(if said.is_empty() { "it said nothing" } else { said.trim_end() }),
    }
}

/// A sentence as findings begin.
fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
