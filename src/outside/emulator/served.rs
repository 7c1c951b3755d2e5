//! A function directory in, the function that it holds at the moment out: called one at a time, and
//! replaced when its files change.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedMutexGuard, watch};

use super::debugger::Debugger;
use super::deployed::Deployed;
use super::identity::Identity;
use super::instance::Failure;
use super::interpreter::Interpreter;
use super::metadata::Fault;
use super::output::{Output, Stream};
use super::watch::Watch;
use super::{Call, Called, Code, FUNCTION_ID, Function, LOAD_LIMIT, Route, Settings, VERSION_ID};
use crate::model::event::http::{Call as Payload, Integration};
use crate::model::event::redact::Redactor;
use crate::model::event::response::{Answer, Origin, Outcome, Response, respond};
use crate::model::finding::{Finding, Result, Severity};
use crate::model::log::{Report, SWITCH};
use crate::model::manifest::Manifest;
use crate::model::runtime::{Lang, Runtime};
use crate::model::selection::Selection;
use crate::model::settings::{parse_memory, parse_runtime, parse_timeout};
use crate::model::sources::Sources;
use crate::outside::clock;
use crate::outside::disk::{self, Files, SourceFile};

/// How long a call may take while a debugger may hold it.
const DEBUGGED: Duration = Duration::from_secs(24 * 3600);

/// Hears what happens to functions, with their names.
pub type Tell = Box<dyn Fn(&str, Told<'_>) + Send + Sync>;

/// How every function of a server is run.
pub struct Manner {
    /// Interpreters to choose from; with none, those on PATH.
    pub interpreters: Vec<PathBuf>,
    /// Another version than the runtime's is an error.
    pub strict_runtime: bool,
    pub offline: bool,
    pub token_file: Option<PathBuf>,
    pub fault: Option<Fault>,
    pub route: Route,
    pub redactor: Redactor,
    pub tell: Tell,
}

/// What happens to a function.
pub enum Told<'a> {
    /// How it is run, for who wants to know more.
    Fact(&'a str),
    /// Something takes long.
    Progress(&'a str),
    Began {
        request_id: &'a str,
    },
    /// The function wrote a line, during the request if there is one.
    Line {
        request_id: Option<&'a str>,
        stream: Stream,
        line: &'a str,
        /// Whether a line of JSON is a record.
        structured: bool,
    },
    Ended {
        request_id: &'a str,
        report: Report,
        status: u16,
        /// As the interpreter tells an error.
        trace: Option<&'a str>,
        trouble: Option<&'a Finding>,
    },
    /// A request that the platform answers without the function.
    Refused {
        method: &'a str,
        path: &'a str,
        status: u16,
    },
    Loaded {
        took: Duration,
        /// It replaces another.
        again: bool,
    },
    /// It was deployed and does not load.
    Broken {
        finding: &'a Finding,
    },
    /// What stands in the way; what was deployed before stays.
    Problem(&'a Finding),
}

/// Where a function is, and how a debugger reaches it.
pub struct Place {
    pub directory: PathBuf,
    pub debug_port: Option<u16>,
}

/// A function whose directory is watched.
pub struct Served {
    pub name: String,
    place: Place,
    manner: Arc<Manner>,
    current: Mutex<Arc<Running>>,
}

/// What a version is made of.
struct Source {
    manifest: Manifest,
    runtime: &'static Runtime,
    interpreter: Interpreter,
    files: Vec<SourceFile>,
    digest: [u8; 32],
}

/// A version that was made.
struct Running {
    source: Source,
    deployed: Arc<tokio::sync::Mutex<Deployed>>,
    /// Another took its place.
    retired: watch::Sender<bool>,
    loaded: AtomicBool,
    /// The request whose output is heard.
    request: Arc<Mutex<Option<Arc<str>>>>,
    timeout: Duration,
    /// MB.
    memory: u64,
}

/// The ids of a request.
pub struct Ids {
    pub request: String,
    pub trace: String,
}

impl Served {
    /// Reads and prepares a function. It takes its time, so call it where nothing waits.
    ///
    /// # Errors
    /// What keeps it from being deployed.
    pub fn open(place: Place, manner: Arc<Manner>, tokio: &Handle) -> Result<Self> {
        let source = read(&place, &manner, None)?;
        let name = source.manifest.name.clone();
        if let Some(difference) = source.interpreter.judge(source.runtime) {
            (manner.tell)(&name, Told::Problem(&difference));
        }
        let running = prepare(&name, &place, &manner, source, tokio)?;
        Ok(Self { name, place, manner, current: Mutex::new(Arc::new(running)) })
    }

    pub fn runtime(&self) -> &'static str {
        self.current().source.runtime.id
    }

    pub fn tell(&self, told: Told<'_>) {
        (self.manner.tell)(&self.name, told);
    }

    fn current(&self) -> Arc<Running> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The platform's answer to a call.
    pub async fn answer(self: Arc<Self>, call: Payload, ids: Ids) -> Response {
        let Payload { integration, payload } = call;
        if integration == Integration::Async {
            let mut response = Response::accepted();
            response.stamp(&origin(&ids));
            tokio::spawn(async move {
                let (running, deployed) = self.turn().await;
                self.perform(&running, deployed, &payload, integration, &ids).await;
            });
            return response;
        }
        // Who waits may leave. A call that has begun goes on, as its process does.
        let (running, deployed) = self.turn().await;
        let request_id = ids.request.clone();
        let performing =
            tokio::spawn(async move { self.perform(&running, deployed, &payload, integration, &ids).await });
        performing.await.unwrap_or_else(|_| Response::refusal(500, "the emulator failed", &request_id))
    }

    /// Waits until the version of the moment has nothing else to do. Who waits for one that another takes
    /// the place of goes there.
    async fn turn(&self) -> (Arc<Running>, OwnedMutexGuard<Deployed>) {
        loop {
            let running = self.current();
            let mut retired = running.retired.subscribe();
            tokio::select! {
                biased;
                _ = retired.wait_for(|retired| *retired) => {}
                deployed = Arc::clone(&running.deployed).lock_owned() => return (running, deployed),
            }
        }
    }

    async fn perform(
        &self,
        running: &Running,
        mut deployed: OwnedMutexGuard<Deployed>,
        payload: &[u8],
        integration: Integration,
        ids: &Ids,
    ) -> Response {
        running.hear(Some(Arc::from(ids.request.as_str())));
        self.tell(Told::Began { request_id: &ids.request });
        let call = Call { request_id: &ids.request, trace_id: &ids.trace };
        let called = deployed.call(&String::from_utf8_lossy(payload), &call).await;
        let response = match called {
            Ok(called) => self.conclude(running, called, integration, ids),
            Err(problem) => {
                self.tell(Told::Problem(&problem));
                Response::refusal(500, &problem.message, &ids.request)
            }
        };
        running.hear(None);
        response
    }

    fn conclude(&self, running: &Running, called: Called, integration: Integration, ids: &Ids) -> Response {
        let Called { result, peak_memory, duration, initialisation } = called;
        let mut trace = None;
        let outcome = match result {
            Ok(text) => Outcome::Answered(text.into_bytes()),
            Err(Failure::Raised(raised)) => {
                trace = Some(raised.text);
                Outcome::Raised(raised.error)
            }
            Err(failure) => failure.into(),
        };
        let Answer { response, trouble } =
            respond(&outcome, integration, &origin(ids), &self.manner.redactor);
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let report = Report {
            duration: milliseconds(duration),
            initialisation: initialisation.map(milliseconds),
            memory_size: running.memory,
            memory_used: peak_memory.map(|bytes| bytes.div_ceil(1 << 20)),
        };
        self.tell(Told::Ended {
            request_id: &ids.request,
            report,
            status: response.status,
            trace: trace.as_deref(),
            trouble: trouble.as_deref(),
        });
        response
    }

    /// Loads the function, and again after each change of its directory.
    pub async fn keep(self: Arc<Self>, mut watch: Watch) {
        self.cover(&mut watch);
        let mut began = Instant::now();
        let mut next = Some(self.current());
        loop {
            if let Some(running) = next.take() {
                tokio::select! {
                    () = self.load(&running, began) => watch.settled().await,
                    // What is being loaded is out of date; it may hang.
                    changed = watch.settled() => { next = Some(running); changed }
                };
            } else {
                watch.settled().await;
            }
            began = Instant::now();
            self.cover(&mut watch);
            let latest = next.clone().unwrap_or_else(|| self.current());
            next = self.renew(latest).await.or(next);
        }
    }

    fn cover(&self, watch: &mut Watch) {
        let directory = &self.place.directory;
        // A selection that cannot be read is told of when it is used.
        let selection =
            disk::read_manifest(directory).and_then(|(manifest, _)| disk::selection(directory, &manifest));
        let directories = match selection {
            Ok(selection) => disk::packed_directories(directory, &selection),
            Err(_) => vec![directory.clone()],
        };
        if let Err(problem) = watch.cover(directories) {
            self.tell(Told::Problem(&problem));
        }
    }

    /// What the directory holds now, prepared, if it is something else than what was made last.
    async fn renew(self: &Arc<Self>, latest: Arc<Running>) -> Option<Arc<Running>> {
        let served = Arc::clone(self);
        let handle = Handle::current();
        let renewing = tokio::task::spawn_blocking(move || {
            let source = read(&served.place, &served.manner, Some(&latest.source))?;
            if source.is(&latest.source) {
                return Ok(None);
            }
            prepare(&served.name, &served.place, &served.manner, source, &handle).map(Some)
        });
        match renewing.await {
            Ok(Ok(running)) => running.map(Arc::new),
            Ok(Err(problem)) => {
                self.tell(Told::Problem(&problem));
                None
            }
            Err(_) => None,
        }
    }

    /// Loads what is to be served from now on. What is served meanwhile goes on, unless it is of no use.
    async fn load(&self, running: &Arc<Running>, began: Instant) {
        let old = self.current();
        let again = !Arc::ptr_eq(&old, running);
        let debugged = self.place.debug_port.is_some();
        if again && (debugged || !old.loaded.load(Ordering::Relaxed)) {
            self.replace(running);
            if debugged {
                // Its port must be free first.
                old.deployed.lock().await.stop();
            }
        }
        let mut deployed = running.deployed.lock().await;
        let loaded = deployed.load(LOAD_LIMIT.max(running.timeout)).await;
        running.loaded.store(matches!(loaded, Ok(Ok(()))), Ordering::Relaxed);
        if let Some(way) = deployed.way() {
            self.tell(Told::Fact(&way));
        }
        self.replace(running);
        match loaded {
            Ok(Ok(())) => self.tell(Told::Loaded { took: began.elapsed(), again }),
            Ok(Err(failure)) => {
                let finding = super::judge_load(&failure, &running.source.manifest.version.entrypoint, "");
                self.tell(Told::Broken { finding: &finding });
            }
            Err(problem) => self.tell(Told::Problem(&problem)),
        }
    }

    /// Calls that have not begun go to `running`; one that has is finished where it began.
    fn replace(&self, running: &Arc<Running>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, running) {
            return;
        }
        let old = std::mem::replace(&mut *current, Arc::clone(running));
        old.retired.send_replace(true);
        tokio::spawn(async move {
            let last = Arc::clone(&old.deployed).lock_owned().await;
            // Ending a process and removing its directory takes its time.
            let _ = tokio::task::spawn_blocking(move || drop((last, old))).await;
        });
    }
}

impl Running {
    fn hear(&self, request_id: Option<Arc<str>>) {
        *self.request.lock().unwrap_or_else(PoisonError::into_inner) = request_id;
    }
}

impl Source {
    /// Whether a version made of `other` would be the same.
    fn is(&self, other: &Self) -> bool {
        self.manifest.version == other.manifest.version && self.digest == other.digest
    }
}

fn origin(ids: &Ids) -> Origin {
    Origin {
        function_id: FUNCTION_ID.to_owned(),
        version_id: VERSION_ID.to_owned(),
        request_id: ids.request.clone(),
    }
}

/// What the directory holds. What `old` holds alike is not read again.
fn read(place: &Place, manner: &Manner, old: Option<&Source>) -> Result<Source> {
    let (manifest, _) = disk::read_manifest(&place.directory)?;
    let runtime = parse_runtime(&manifest.version.runtime)?;
    let interpreter = match old.filter(|old| old.runtime == runtime) {
        Some(old) => old.interpreter.clone(),
        None => find(runtime, manner)?,
    };
    let selection: Selection = disk::selection(&place.directory, &manifest)?;
    let files = disk::collect(&place.directory, &selection)?.files;
    let stamps = |old: &Source| {
        let stamps = old.files.iter().map(SourceFile::stamp);
        stamps.eq(files.iter().map(SourceFile::stamp))
    };
    let digest = match old.filter(|old| stamps(old)) {
        Some(old) => old.digest,
        None => digest(&files),
    };
    Ok(Source { manifest, runtime, interpreter, files, digest })
}

fn find(runtime: &'static Runtime, manner: &Manner) -> Result<Interpreter> {
    let interpreter = Interpreter::find(runtime, &manner.interpreters)?;
    match interpreter.judge(runtime) {
        Some(mut problem) if manner.strict_runtime => {
            problem.severity = Severity::Error;
            Err(problem)
        }
        _ => Ok(interpreter),
    }
}

fn digest(files: &[SourceFile]) -> [u8; 32] {
    let sources = Files::from(files);
    let mut hash = Sha256::new();
    for name in sources.names() {
        // One that cannot be read is told of when it is unpacked.
        let bytes = sources.read(name).unwrap_or_default();
        for part in [name.as_bytes(), bytes.as_ref()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}

fn prepare(
    name: &str,
    place: &Place,
    manner: &Arc<Manner>,
    source: Source,
    tokio: &Handle,
) -> Result<Running> {
    let version = &source.manifest.version;
    let debugger = place.debug_port.map(|port| Debugger::of(&source.interpreter, port)).transpose()?;
    let timeout = Duration::from_secs(parse_timeout(&version.timeout)?);
    let timeout = if debugger.is_some() { DEBUGGED } else { timeout };
    let memory = parse_memory(&version.memory)? >> 20;
    let request = Arc::new(Mutex::new(None::<Arc<str>>));
    let structured = version.environment.get(SWITCH).is_none_or(|value| value != "false");
    let output = hearing(name.to_owned(), Arc::clone(manner), Arc::clone(&request), structured);
    let settings = Settings {
        identity: Identity::of(version.service_account_id.as_deref(), manner.token_file.as_deref())?,
        fault: manner.fault,
        route: manner.route,
        offline: manner.offline,
        timeout,
        debugger,
        output,
        progress: &|text| (manner.tell)(name, Told::Progress(text)),
    };
    let files = Files::from(source.files.as_slice());
    let function = Function {
        // A debugger stops where the files are that are being edited.
        code: match place.debug_port {
            Some(_) => Code::Directory(&place.directory, &files),
            None => Code::Archive(&files),
        },
        manifest: &source.manifest,
        runtime: source.runtime,
        interpreter: &source.interpreter,
    };
    let deployed = Deployed::prepare(&function, settings, tokio)?;
    for fact in deployed.facts() {
        (manner.tell)(name, Told::Fact(&fact));
    }
    Ok(Running {
        source,
        deployed: Arc::new(tokio::sync::Mutex::new(deployed)),
        retired: watch::Sender::new(false),
        loaded: AtomicBool::new(false),
        request,
        timeout,
        memory,
    })
}

/// Passes on what the function writes.
fn hearing(
    name: String,
    manner: Arc<Manner>,
    request: Arc<Mutex<Option<Arc<str>>>>,
    structured: bool,
) -> Output {
    Arc::new(move |stream, line| {
        let request_id = request.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (manner.tell)(&name, Told::Line { request_id: request_id.as_deref(), stream, line, structured });
    })
}

/// Whether a debugger of this kind can be let into the function of a directory.
pub fn language(directory: &std::path::Path) -> Result<Lang> {
    let (manifest, _) = disk::read_manifest(directory)?;
    Ok(parse_runtime(&manifest.version.runtime)?.lang)
}

/// Ids that nobody else has.
pub fn ids() -> Ids {
    Ids { request: clock::request_id(), trace: clock::request_id() }
}
