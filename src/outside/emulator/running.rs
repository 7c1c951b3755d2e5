//! What a directory holds in, a version that was made of it out: it takes as many calls at once as it may,
//! and the others wait their turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::debugger::Debugger;
use super::deployed::Deployed;
use super::identity::Identity;
use super::manner::{Manner, Place, Told};
use super::output::{Line, Output};
use super::reply::Failure;
use super::source::Source;
use super::{Call, Called, Code, Function, LOAD_LIMIT, Settings};
use crate::model::finding::Result;
use crate::model::log::SWITCH;
use crate::model::settings::{parse_memory, parse_timeout};
use crate::outside::disk::Files;

/// How long a call may take while a debugger may hold it.
const DEBUGGED: Duration = Duration::from_secs(24 * 3600);

/// A version that was made.
pub struct Running {
    pub source: Source,
    deployed: Deployed,
    /// One for each call that it takes.
    turns: Arc<Semaphore>,
    /// Another took its place.
    retired: watch::Sender<bool>,
    loaded: AtomicBool,
    calls: Arc<Calls>,
    timeout: Duration,
    /// MB.
    pub memory: u64,
}

/// The right to call a version.
pub struct Turn {
    // Dropped in this order: who waits for every turn drops the version.
    pub running: Arc<Running>,
    _turn: OwnedSemaphorePermit,
    /// How long it was waited for.
    pub queuing: Duration,
}

/// The ids of the calls that are being answered.
#[derive(Default)]
struct Calls(Mutex<Vec<String>>);

impl Running {
    /// Prepares a version. It takes its time, so call it where nothing waits.
    ///
    /// # Errors
    /// Those of [`Deployed::prepare`].
    pub fn prepare(
        name: &str,
        place: &Place,
        manner: &Arc<Manner>,
        source: Source,
        tokio: &Handle,
    ) -> Result<Self> {
        let version = &source.manifest.version;
        let debugger = place.debug_port.map(|port| Debugger::of(&source.interpreter, port)).transpose()?;
        let timeout = Duration::from_secs(parse_timeout(&version.timeout)?);
        let timeout = if debugger.is_some() { DEBUGGED } else { timeout };
        let memory = parse_memory(&version.memory)? >> 20;
        let calls = Arc::new(Calls::default());
        let structured = version.environment.get(SWITCH).is_none_or(|value| value != "false");
        let settings = Settings {
            identity: Identity::of(version.service_account_id.as_deref(), manner.token_file.as_deref())?,
            given: manner.given.clone(),
            fault: manner.fault,
            route: manner.route,
            offline: manner.offline,
            timeout,
            debugger,
            output: hearing(name.to_owned(), Arc::clone(manner), Arc::clone(&calls), structured),
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
        Ok(Self {
            source,
            turns: Arc::new(Semaphore::new(deployed.calls_at_once() as usize)),
            deployed,
            retired: watch::Sender::new(false),
            loaded: AtomicBool::new(false),
            calls,
            timeout,
            memory,
        })
    }

    /// Waits until it takes another call; nothing when another takes its place meanwhile.
    pub async fn turn(self: &Arc<Self>, since: Instant) -> Option<Turn> {
        let mut retired = self.retired.subscribe();
        tokio::select! {
            biased;
            _ = retired.wait_for(|retired| *retired) => None,
            turn = Arc::clone(&self.turns).acquire_owned() => {
                Some(Turn { running: Arc::clone(self), _turn: turn.ok()?, queuing: since.elapsed() })
            }
        }
    }

    /// Waits until no call is being answered, and keeps others waiting.
    async fn every_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_many_owned(self.deployed.calls_at_once()).await.ok()
    }

    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Relaxed)
    }

    /// Starts an instance, when no call needs the one before.
    ///
    /// # Errors
    /// What keeps this machine from trying.
    pub async fn load(&self) -> Result<std::result::Result<(), Failure>> {
        let _every_turn = self.every_turn().await;
        let loaded = self.deployed.load(LOAD_LIMIT.max(self.timeout)).await;
        self.loaded.store(matches!(loaded, Ok(Ok(()))), Ordering::Relaxed);
        loaded
    }

    /// How it reaches the metadata service, once it has been loaded.
    pub fn way(&self) -> Option<String> {
        self.deployed.way()
    }

    /// Ends the instance, when no call needs it.
    pub async fn stop(&self) {
        let _every_turn = self.every_turn().await;
        self.deployed.stop().await;
    }

    /// Sends those who wait to what took its place, and goes when the last call has ended.
    pub fn retire(self: Arc<Self>) {
        self.retired.send_replace(true);
        tokio::spawn(async move {
            let last = self.every_turn().await;
            // Ending a process and removing its directory takes its time.
            let _ = tokio::task::spawn_blocking(move || drop((last, self))).await;
        });
    }
}

impl Turn {
    /// Calls the handler with `event`.
    ///
    /// # Errors
    /// What keeps this machine from trying; that the function fails is a result.
    pub async fn call(&self, event: &str, call: &Call<'_>) -> Result<Called> {
        let Running { deployed, calls, .. } = &*self.running;
        calls.lock().push(call.request_id.to_owned());
        let called = deployed.call(event, call).await;
        calls.lock().retain(|other| other != call.request_id);
        called
    }
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that is being answered, where it is the only one.
    fn only(&self) -> Option<String> {
        match self.lock().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

/// Passes on what the function writes.
fn hearing(name: String, manner: Arc<Manner>, calls: Arc<Calls>, structured: bool) -> Output {
    Arc::new(move |line| {
        let only = if line.request_id.is_none() { calls.only() } else { None };
        let line = Line { request_id: line.request_id.or(only.as_deref()), ..line };
        (manner.tell)(&name, Told::Line { line, structured });
    })
}
