//! A function's files and settings in, a version of it that answers calls on this machine out: its home,
//! its metadata service, and at most one warm instance that takes new calls.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use walkdir::WalkDir;

use super::debugger::Debugger;
use super::home::{self, Home, Packages};
use super::identity::Identity;
use super::install::Installing;
use super::instance::{Instance, Start};
use super::interpreter::{Interpreter, name};
use super::metadata::{Fault, Metadata};
use super::output::Output;
use super::reply::{Failure, Reply};
use super::{Call, Called, FOLDER_ID, FUNCTION_ID, Function, Route, Settings, VERSION_ID, Way};
use crate::model::finding::Result;
use crate::model::limits;
use crate::model::manifest::Version;
use crate::model::options::Switch;
use crate::model::runtime::Runtime;
use crate::model::settings::parse_memory;

/// A version that is ready to be called, in an instance that is started by the first call and after each
/// call that ended it.
pub struct Deployed {
    // Dropped in this order: the process before the directory that it runs in.
    instance: Mutex<Option<Arc<Instance>>>,
    metadata: Metadata,
    home: Home,
    packages: Packages,
    interpreter: Interpreter,
    runtime: &'static Runtime,
    version: Version,
    memory: u64,
    identity: Identity,
    timeout: Duration,
    debugger: Option<Debugger>,
    route: Route,
    way: OnceLock<Way>,
    output: Output,
}

impl Deployed {
    /// Unpacks the function, installs its dependencies and opens the metadata service. It takes its time,
    /// so call it where nothing waits.
    ///
    /// # Errors
    /// What is wrong with this machine, or with the values of the manifest.
    pub fn prepare(function: &Function<'_>, settings: Settings<'_>, tokio: &Handle) -> Result<Self> {
        let mut version = function.manifest.version.clone();
        version.environment.extend(settings.given.variables(&function.manifest.version));
        let memory = parse_memory(&version.memory)?;
        let mut home = Home::new()?;
        let installing = Installing {
            interpreter: function.interpreter,
            offline: settings.offline,
            wheels_for: None,
            progress: settings.progress,
        };
        let packages = home.furnish(&function.code, &installing)?;
        // What the version has switched off answers no other fault either.
        let options = version.metadata_options.as_ref();
        let is_off = options.and_then(|options| options.gce_http_endpoint) == Some(Switch::Disabled);
        let fault = if is_off { Some(Fault::Disabled) } else { settings.fault };
        let metadata = {
            let _inside = tokio.enter();
            Metadata::open(settings.identity.clone(), fault)?
        };
        home.set_port(metadata.port())?;
        Ok(Self {
            instance: Mutex::default(),
            metadata,
            home,
            packages,
            interpreter: function.interpreter.clone(),
            runtime: function.runtime,
            version,
            memory,
            identity: settings.identity,
            timeout: settings.timeout,
            debugger: settings.debugger,
            route: settings.route,
            way: OnceLock::new(),
            output: settings.output,
        })
    }

    /// Starts an instance and loads the entry point within `limit`, or says why it cannot be loaded.
    ///
    /// # Errors
    /// What keeps this machine from trying.
    pub async fn load(&self, limit: Duration) -> Result<std::result::Result<(), Failure>> {
        let mut held = self.instance.lock().await;
        *held = None;
        Ok(self.start(limit).await?.map(|instance| *held = Some(instance)))
    }

    async fn start(&self, limit: Duration) -> Result<std::result::Result<Arc<Instance>, Failure>> {
        let facts = json!({
            "function_id": FUNCTION_ID,
            "version_id": VERSION_ID,
            "folder_id": FOLDER_ID,
            "memory": self.memory >> 20,
            "token": self.identity.document(1),
        });
        let start = Start {
            interpreter: &self.interpreter,
            runtime: self.runtime,
            preloaded: limits::is_preloaded(&self.version, self.runtime),
            entrypoint: &self.version.entrypoint,
            calls_at_once: self.calls_at_once(),
            memory: self.memory,
            environment: &self.version.environment,
            packages: &self.packages,
            metadata: &self.metadata,
            route: self.route,
            way: &self.way,
            facts: &facts,
            limit,
            debugger: self.debugger.as_ref(),
            output: Arc::clone(&self.output),
        };
        Ok(Instance::start(&self.home, &start).await?.map(Arc::new))
    }

    /// Calls the handler with `event`, the first argument's text.
    ///
    /// # Errors
    /// What keeps this machine from trying; that the function fails is a result.
    pub async fn call(&self, event: &str, call: &Call<'_>) -> Result<Called> {
        let began = Instant::now();
        let mut initialisation = None;
        let mut held = self.instance.lock().await;
        // One that ended between two calls is no fault of the next one.
        let instance = match held.as_ref().filter(|instance| instance.is_running()) {
            Some(instance) => Ok(Arc::clone(instance)),
            None => {
                *held = None;
                let started = self.start(self.timeout).await?;
                initialisation = Some(began.elapsed());
                started.map(|instance| Arc::clone(held.insert(instance)))
            }
        };
        // Others may call it meanwhile.
        drop(held);
        let Reply { result, peak_memory } = match instance {
            Ok(instance) => {
                let left = self.timeout.saturating_sub(began.elapsed());
                instance.call(event, call, left, self.timeout).await
            }
            Err(failure) => failure.into(),
        };
        Ok(Called { result, peak_memory, duration: began.elapsed(), initialisation })
    }

    /// How many calls an instance takes at the same time.
    pub fn calls_at_once(&self) -> u32 {
        limits::calls_at_once(&self.version, self.runtime.lang)
    }

    /// Bytes of what was installed for it.
    pub fn installed_size(&self) -> u64 {
        let (Packages::InCode(place) | Packages::Beside(place)) = &self.packages else { return 0 };
        let entries = WalkDir::new(place).into_iter().filter_map(std::result::Result::ok);
        entries
            .filter_map(|entry| entry.metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|file| file.len())
            .sum()
    }

    /// Ends the instance when its calls have ended; the next call starts another.
    pub async fn stop(&self) {
        *self.instance.lock().await = None;
    }

    /// What `-v` tells: each line a fact of how the function is run here.
    pub fn facts(&self) -> Vec<String> {
        let interpreter = &self.interpreter;
        let packages = match &self.packages {
            Packages::None => "none to install".to_owned(),
            Packages::InCode(place) | Packages::Beside(place) => format!("in `{}`", place.display()),
        };
        vec![
            format!(
                "interpreter: {} {} at `{}`",
                name(interpreter.lang),
                interpreter.version,
                interpreter.path.display()
            ),
            format!("code: `{}`, called {} in messages", self.home.code.display(), home::CODE),
            format!("dependencies: {packages}"),
            format!("calls at once: {}", self.calls_at_once()),
            format!("metadata service: port {} of 127.0.0.1", self.metadata.port()),
        ]
    }

    /// One more, when there has been an instance.
    pub fn way(&self) -> Option<String> {
        self.way.get().map(|way| format!("169.254.169.254: {way}"))
    }
}
