//! A function directory in, the answers of the function that it holds at the moment out; another takes its
//! place when its files change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::manner::{Manner, Place, Told};
use super::reply::Failure;
use super::running::{Running, Turn};
use super::source::Source;
use super::watch::Watch;
use super::{Call, Called, FUNCTION_ID, VERSION_ID};
use crate::model::event::http::{Call as Payload, judge_integration};
use crate::model::event::integration::Integration;
use crate::model::event::response::{Answer, Origin, Outcome, Response, respond};
use crate::model::finding::{Finding, Result};
use crate::model::log::Report;
use crate::outside::{clock, disk};

/// A function whose directory is watched.
pub struct Served {
    pub name: String,
    place: Place,
    manner: Arc<Manner>,
    current: Mutex<Arc<Running>>,
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
        let source = Source::read(&place, &manner, None)?;
        let name = source.manifest.name.clone();
        for problem in differences(&source, &manner) {
            (manner.tell)(&name, Told::Problem(&problem));
        }
        let running = Running::prepare(&name, &place, &manner, source, tokio)?;
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

    /// # Errors
    /// The platform's answer when it does not call the version of the moment so.
    pub fn admit(&self, call: Payload, ids: &Ids) -> std::result::Result<Payload, Response> {
        let current = self.current();
        let setup = current.source.manifest.version.async_invocation.as_ref();
        judge_integration(call.integration, setup, &ids.request).map(|()| call)
    }

    /// The platform's answer to a call.
    pub async fn answer(self: Arc<Self>, call: Payload, ids: Ids) -> Response {
        let began = Instant::now();
        let Payload { integration, payload } = call;
        if integration == Integration::Async {
            let mut response = Response::accepted();
            response.stamp(&origin(&ids));
            tokio::spawn(async move {
                let turn = self.turn(began).await;
                self.perform(turn, &payload, integration, &ids).await;
            });
            return response;
        }
        // Who waits may leave. A call that has begun goes on, as its process does.
        let turn = self.turn(began).await;
        let request_id = ids.request.clone();
        let performing = tokio::spawn(async move { self.perform(turn, &payload, integration, &ids).await });
        performing.await.unwrap_or_else(|_| Response::refusal(500, "the emulator failed", &request_id))
    }

    /// Waits until the version of the moment takes another call. Who waits for one that another takes the
    /// place of goes there.
    async fn turn(&self, since: Instant) -> Turn {
        loop {
            if let Some(turn) = self.current().turn(since).await {
                return turn;
            }
        }
    }

    async fn perform(&self, turn: Turn, payload: &[u8], integration: Integration, ids: &Ids) -> Response {
        self.tell(Told::Began { request_id: &ids.request });
        let call = Call { request_id: &ids.request, trace_id: &ids.trace };
        match turn.call(&String::from_utf8_lossy(payload), &call).await {
            Ok(called) => self.conclude(&turn, called, integration, ids),
            Err(problem) => {
                self.tell(Told::Problem(&problem));
                Response::refusal(500, &problem.message, &ids.request)
            }
        }
    }

    fn conclude(&self, turn: &Turn, called: Called, integration: Integration, ids: &Ids) -> Response {
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
            queuing: milliseconds(turn.queuing),
            initialisation: initialisation.map(milliseconds),
            memory_size: turn.running.memory,
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
            let source = Source::read(&served.place, &served.manner, Some(&latest.source))?;
            if source.is(&latest.source) {
                return Ok(None);
            }
            let told = differences(&latest.source, &served.manner);
            for problem in differences(&source, &served.manner) {
                if !told.contains(&problem) {
                    served.tell(Told::Problem(&problem));
                }
            }
            Running::prepare(&served.name, &served.place, &served.manner, source, &handle).map(Some)
        });
        match renewing.await {
            Ok(Ok(running)) => running.map(Arc::new),
            Ok(Err(problem)) => {
                self.tell(Told::Problem(&problem));
                self.tell(Told::Progress("calls are answered as before until it is mended"));
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
        if again && (debugged || !old.is_loaded()) {
            self.replace(running);
            if debugged {
                // Its port must be free first.
                old.stop().await;
            }
        }
        let loaded = running.load().await;
        if let Some(way) = running.way() {
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
        std::mem::replace(&mut *current, Arc::clone(running)).retire();
    }
}

/// What the function finds here otherwise than on the platform.
fn differences(source: &Source, manner: &Manner) -> Vec<Box<Finding>> {
    let interpreter = source.interpreter.judge(source.runtime);
    interpreter.into_iter().chain(manner.given.judge(&source.manifest.version)).collect()
}

fn origin(ids: &Ids) -> Origin {
    Origin {
        function_id: FUNCTION_ID.to_owned(),
        version_id: VERSION_ID.to_owned(),
        request_id: ids.request.clone(),
    }
}

/// Ids that nobody else has.
pub fn ids() -> Ids {
    Ids { request: clock::request_id(), trace: clock::request_id() }
}
