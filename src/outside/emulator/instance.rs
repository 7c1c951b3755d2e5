//! A home and an entry point in, a warm interpreter out that answers calls until it is dropped, times
//! out or ends.

use std::collections::BTreeMap;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::control;
use super::debugger::Debugger;
use super::home::{Home, Packages};
use super::interpreter::Interpreter;
use super::metadata::{Metadata, Serving};
use super::namespace::{self, Gate};
use super::output::{LAST_WORDS, Lines, Output, Pipes};
use super::process::{Group, Guardian};
use super::{Call, Route};
use crate::model::event::response::{self, Outcome};
use crate::model::finding::{self, Finding, Result};
use crate::model::runtime::{Lang, Runtime};
use crate::model::settings;
use crate::outside::clock;

/// How long what was found of a process's memory is taken for true.
const PEAK_HOLDS: Duration = Duration::from_millis(100);

/// How often a function's memory is looked at while nothing is heard of it.
const MEMORY_WATCH: Duration = Duration::from_millis(50);

/// What an instance is started with.
pub struct Start<'a> {
    pub interpreter: &'a Interpreter,
    pub runtime: &'static Runtime,
    pub entrypoint: &'a str,
    pub calls_at_once: u32,
    /// Bytes.
    pub memory: u64,
    pub environment: &'a BTreeMap<String, String>,
    pub packages: &'a Packages,
    pub metadata: &'a Metadata,
    pub route: Route,
    /// What every call is told alike.
    pub facts: &'a Value,
    /// How long loading may take.
    pub limit: Duration,
    pub debugger: Option<&'a Debugger>,
    pub output: Output,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The code raised an error, while it was loaded or called.
    Raised(Box<Raised>),
    /// The process ended, and how: `exited with code 1`.
    Ended(String),
    TimedOut(Duration),
}

impl Failure {
    pub fn had_ended() -> Self {
        Self::Ended("had ended".to_owned())
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raised(raised) => Self::Raised(raised.error),
            Failure::Ended(how) => Self::Died(how),
            Failure::TimedOut(limit) => Self::TimedOut(limit.as_secs()),
        }
    }
}

/// An error that the code raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// As the platform answers it.
    pub error: response::Failure,
    /// As the interpreter prints it.
    pub text: String,
    pub problem: Option<Problem>,
}

/// What is wrong with an entry point whose module was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    Missing,
    NotCallable,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What the handler gave, as JSON; empty for Node.js's `undefined`.
    pub result: std::result::Result<String, Failure>,
    /// Bytes of memory that the process has held at most so far, where the system tells.
    pub peak_memory: Option<u64>,
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self { result: Err(failure), peak_memory: None }
    }
}

/// A running interpreter with the function loaded.
pub struct Instance {
    group: Arc<Group>,
    calls: mpsc::UnboundedSender<Sent>,
    next: AtomicU64,
}

struct Sent {
    message: String,
    id: u64,
    reply: oneshot::Sender<Reply>,
}

impl Instance {
    /// Starts the interpreter and loads the entry point.
    ///
    /// # Errors
    /// [`finding::IO`] when no process can be started. That the code does not load is a [`Failure`].
    pub async fn start(home: &Home, start: &Start<'_>) -> Result<std::result::Result<Self, Failure>> {
        let deadline = Instant::now() + start.limit;
        if let Some(port) = start.metadata.port() {
            home.set_port(port)?;
        }
        let failed = |what: &str, error: &io::Error| {
            finding::IO.finding(format!("could not {what}")).why(error.to_string())
        };
        let listener = control::Listener::bind(&home.control())
            .map_err(|error| failed("listen for the interpreter", &error))?;
        let gate = match start.route {
            Route::Preload => None,
            Route::Namespace => Some(Gate::bind(&home.gate()).map_err(|error| no_network(&error))?),
        };
        let mut command = command(home, start, gate.as_ref());
        listener.tell(&mut command);
        let path = start.interpreter.path.display();
        let mut child = command.spawn().map_err(|error| failed(&format!("start `{path}`"), &error))?;
        let leader = child.id().unwrap_or_default();
        let group = Guardian::start(home.root())
            .and_then(|guardian| guardian.guard(leader))
            .map_err(|error| failed("start a guard for the interpreter", &error))?;
        let group = Arc::new(group);
        let mut pipes = Pipes::of(&mut child, Arc::clone(&start.output));
        let serving = match &gate {
            Some(gate) => Some(open(gate, &mut child, start.metadata, deadline).await?),
            None => None,
        };
        let connected = tokio::select! {
            connected = timeout_at(deadline, listener.accept()) => connected,
            status = child.wait() => {
                pipes.finish().await;
                return Ok(Err(Failure::Ended(describe(status))));
            }
        };
        let (reader, mut writer) = match connected {
            Err(_) => return Ok(Err(Failure::TimedOut(start.limit))),
            Ok(connected) => connected.map_err(|error| failed("reach the interpreter", &error))?,
        };
        let hello = hello(home, start);
        writer.write_all(hello.as_bytes()).await.map_err(|error| failed("reach the interpreter", &error))?;
        let mut process = Process {
            child,
            pipes,
            reader: Lines::new(reader, usize::MAX),
            writer,
            pending: BTreeMap::new(),
            answering: None,
            peak_memory: None,
            memory: start.memory,
            over_memory: false,
            looked_at: Instant::now(),
            ready: false,
            serving: None,
        };
        match timeout_at(deadline, process.message(&group)).await {
            Err(_) => {
                group.kill();
                process.pipes.finish().await;
                Ok(Err(Failure::TimedOut(start.limit)))
            }
            Ok(None) => Ok(Err(Failure::Ended(process.end(&group).await))),
            Ok(Some(Message::Broken(raised))) => {
                group.kill();
                process.pipes.finish().await;
                Ok(Err(Failure::Raised(raised.into())))
            }
            Ok(Some(_)) => {
                process.ready = true;
                process.serving = serving;
                let (calls, received) = mpsc::unbounded_channel();
                tokio::spawn(process.run(received, Arc::clone(&group)));
                Ok(Ok(Self { group, calls, next: AtomicU64::new(1) }))
            }
        }
    }

    /// Whether the process was there when it was last heard of.
    pub fn is_running(&self) -> bool {
        !self.calls.is_closed() && !self.group.was_killed()
    }

    /// Calls the handler with `event`, a JSON text or any other. `timeout` is the version's, of which
    /// `limit` is left. After [`Failure::Ended`] and [`Failure::TimedOut`] the instance is of no more use.
    pub async fn call(&self, event: &str, call: &Call<'_>, limit: Duration, timeout: Duration) -> Reply {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let deadline = clock::epoch_milliseconds().saturating_add(limit.as_millis().try_into().unwrap_or(0));
        let (reply, answer) = oneshot::channel();
        let message = Sent { message: message(id, event, call, deadline), id, reply };
        if self.calls.send(message).is_err() {
            return Failure::had_ended().into();
        }
        match timeout_at(Instant::now() + limit, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Failure::had_ended().into()),
            Err(_) => {
                // The platform ends the instance, and with it every other call in it.
                self.group.kill();
                Failure::TimedOut(timeout).into()
            }
        }
    }
}

/// Answers at the port that the child has opened in its network.
async fn open(gate: &Gate, child: &mut Child, metadata: &Metadata, deadline: Instant) -> Result<Serving> {
    let received = tokio::select! {
        received = timeout_at(deadline, gate.receive()) => received,
        // Its last word may be on the way.
        _ = child.wait() => timeout(LAST_WORDS, gate.receive()).await,
    };
    let listener = received.unwrap_or_else(|_| Err(io::Error::other("the process gave no sign")));
    listener.and_then(|listener| metadata.serve(listener)).map_err(|error| no_network(&error))
}

fn no_network(error: &io::Error) -> Box<Finding> {
    finding::IO
        .finding("could not give the function a network of its own")
        .why(error.to_string())
        .fix("leave --metadata-route namespace out: Node.js and Python need no such network")
}

/// A call as the bootstrap reads it: a line of facts, and one of the event where it is one line.
fn message(id: u64, event: &str, call: &Call<'_>, deadline: u64) -> String {
    let is_line = memchr::memchr2(b'\n', b'\r', event.as_bytes()).is_none();
    let mut facts = json!({
        "type": "call",
        "id": id,
        "request_id": call.request_id,
        "trace_id": call.trace_id,
        "deadline": deadline,
    });
    if !is_line {
        facts["event"] = event.into();
    }
    let mut message = facts.to_string();
    message.reserve(event.len() + 2);
    message.push('\n');
    if is_line {
        message.push_str(event);
        message.push('\n');
    }
    message
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.group.kill();
    }
}

/// The interpreter with the platform's environment and nothing of this process's own.
fn command(home: &Home, start: &Start<'_>, gate: Option<&Gate>) -> Command {
    let Start { interpreter, runtime, .. } = start;
    let (code, own) = (&home.code, home.runtime());
    let mut command = match gate {
        Some(gate) => namespace::program(&interpreter.path, gate),
        None => Command::new(&interpreter.path),
    };
    match runtime.lang {
        Lang::Nodejs => {
            // What the older runtimes cannot load must not be loaded here.
            let requires_modules = (20, 17)..=(u32::MAX, 0);
            if runtime.version().0 < 22 && requires_modules.contains(&interpreter.numbers()) {
                command.arg("--no-experimental-require-module");
            }
            if let Some(Debugger::Inspector(port)) = start.debugger {
                command.arg(format!("--inspect=127.0.0.1:{port}"));
            }
            command.arg(own.join("bootstrap.js"))
        }
        // Without the packages of this machine, which the platform does not have.
        Lang::Python => {
            command.args(["-S", "-s", "-B"]);
            if let Some(Debugger::Debugpy { .. }) = start.debugger {
                // Breakpoints in modules that are part of the interpreter would be missed.
                command.args(["-X", "frozen_modules=off"]);
            }
            command.arg(own.join("bootstrap.py"))
        }
    };
    command.current_dir(code).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command.env_clear();
    let mut path = vec![code.clone(), own.join("bin"), own.clone()];
    path.extend(interpreter.path.parent().map(std::path::Path::to_owned));
    path.extend(["/usr/bin", "/usr/local/bin", "/sbin", "/bin"].map(Into::into));
    let metadata = match start.metadata.port() {
        Some(port) => format!("127.0.0.1:{port}"),
        None => "169.254.169.254".to_owned(),
    };
    command
        .env("_HANDLER", start.entrypoint)
        .env("AWS_LAMBDA_RUNTIME_API", "169.254.169.254")
        .env("LAMBDA_RUNTIME_DIR", &own)
        .env("LAMBDA_TASK_ROOT", code)
        .env("PATH", std::env::join_paths(path).unwrap_or_default())
        .env(
            "LD_LIBRARY_PATH",
            std::env::join_paths([code.join("shared-libs"), own.join("shared-libs")]).unwrap_or_default(),
        )
        .env("X_YCF_CONCURRENCY", start.calls_at_once.to_string())
        .env("X_YCF_MEMORY_SIZE", start.memory.to_string())
        .env("YC_METADATA_ADDR", metadata)
        .env("TMPDIR", home.temporary())
        .env("TZ", "UTC");
    if let (Packages::Beside(directory), Lang::Nodejs) = (start.packages, runtime.lang) {
        command.env("NODE_PATH", directory);
    }
    if runtime.preloaded {
        command.env("X_YCF_RUNTIME_POOL", "1");
    } else {
        command.envs(environment(start));
    }
    if cfg!(windows) {
        // Without these no program starts there.
        for name in ["SystemRoot", "SystemDrive", "windir"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("TEMP", home.temporary()).env("TMP", home.temporary());
    }
    command
}

/// The version's own variables, but those that are the platform's.
fn environment<'a>(start: &Start<'a>) -> impl Iterator<Item = (&'a String, &'a String)> {
    start.environment.iter().filter(|(name, _)| !settings::is_reserved_variable(name))
}

/// The first message to the bootstrap.
fn hello(home: &Home, start: &Start<'_>) -> String {
    // A preloaded runtime is running before anyone knows these.
    let environment: BTreeMap<_, _> =
        if start.runtime.preloaded { environment(start).collect() } else { BTreeMap::new() };
    let message = json!({
        "type": "start",
        "code": home.code,
        "entrypoint": start.entrypoint,
        "environment": environment,
        "packages": match start.packages {
            Packages::Beside(directory) => Some(directory),
            Packages::None | Packages::InCode(_) => None,
        },
        "places": home.places(),
        "redirect": start.route == Route::Preload,
        "facts": start.facts,
        "signs": start.calls_at_once > 1,
        "debugpy": match start.debugger {
            Some(Debugger::Debugpy { port, directory }) => json!({ "port": port, "directory": directory }),
            Some(Debugger::Inspector(_)) | None => Value::Null,
        },
        // The older runtimes load only what `require` can.
        "modules": start.runtime.lang == Lang::Nodejs && start.runtime.version().0 >= 18,
    });
    format!("{message}\n")
}

/// What the bootstrap says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Message {
    Ready,
    Broken(Told),
    /// The result is the next line.
    Answer {
        id: u64,
    },
    Raised {
        id: u64,
        #[serde(flatten)]
        told: Told,
    },
}

/// An error as the bootstrap tells it.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(flatten)]
    error: response::Failure,
    text: String,
    problem: Option<Problem>,
}

impl From<Told> for Box<Raised> {
    fn from(told: Told) -> Self {
        Self::new(Raised { error: told.error, text: told.text, problem: told.problem })
    }
}

/// The interpreter's process and everything it says.
struct Process {
    child: Child,
    pipes: Pipes,
    reader: Lines<control::Reader>,
    writer: control::Writer,
    pending: BTreeMap<u64, oneshot::Sender<Reply>>,
    /// The call whose result is the next line.
    answering: Option<u64>,
    /// As it was found, and when.
    peak_memory: Option<(u64, Instant)>,
    /// Bytes that the version gives.
    memory: u64,
    over_memory: bool,
    /// When its memory was looked at last.
    looked_at: Instant,
    /// It has loaded the function.
    ready: bool,
    /// The metadata service in its network.
    serving: Option<Serving>,
}

impl Process {
    /// Whether the process holds more memory than the version gives. What it shares with others, such as
    /// the interpreter's own code, does not count.
    fn is_over_memory(&self) -> bool {
        self.child.id().and_then(|id| process_status(id, "RssAnon:")).is_some_and(|held| held > self.memory)
    }

    /// The next message, or nothing when there will be none; output is passed on meanwhile.
    async fn message(&mut self, group: &Group) -> Option<Message> {
        loop {
            if let Some(line) = self.reader.next_line() {
                if let Some(id) = self.answering.take() {
                    let result = String::from_utf8_lossy(line).into_owned();
                    // What the function wrote before is heard before.
                    self.pipes.drain();
                    self.answer(id, Ok(result));
                    continue;
                }
                match serde_json::from_slice(line) {
                    Ok(Message::Answer { id }) => self.answering = Some(id),
                    message => {
                        self.pipes.drain();
                        return message.ok();
                    }
                }
                continue;
            }
            let busy = !self.ready || !self.pending.is_empty();
            tokio::select! {
                more = self.reader.fill() => if !more { return None },
                () = self.pipes.pass_on() => {}
                () = sleep_until(self.looked_at + MEMORY_WATCH), if busy => {
                    self.looked_at = Instant::now();
                    if self.is_over_memory() {
                        group.kill();
                        self.over_memory = true;
                        return None;
                    }
                }
            }
        }
    }

    async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Sent>, group: Arc<Group>) {
        loop {
            let call = tokio::select! {
                message = self.message(&group) => match message {
                    Some(Message::Raised { id, told }) => {
                        self.answer(id, Err(Failure::Raised(told.into())));
                        continue;
                    }
                    Some(_) => continue,
                    None => break,
                },
                call = calls.recv() => call,
            };
            // The instance was dropped.
            let Some(call) = call else { return group.kill() };
            self.pending.insert(call.id, call.reply);
            if self.writer.write_all(call.message.as_bytes()).await.is_err() {
                break;
            }
        }
        // Later ones are for another instance.
        calls.close();
        let how = self.end(&group).await;
        for (_, reply) in std::mem::take(&mut self.pending) {
            let _ = reply.send(Failure::Ended(how.clone()).into());
        }
    }

    fn answer(&mut self, id: u64, result: std::result::Result<String, Failure>) {
        if let Some(reply) = self.pending.remove(&id) {
            // The caller may have gone.
            let _ = reply.send(Reply { result, peak_memory: self.peak_memory() });
        }
    }

    /// Asking takes as long as a short call, so not every call asks.
    fn peak_memory(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.peak_memory.is_none_or(|(_, at)| now - at > PEAK_HOLDS) {
            let found = self.child.id().and_then(|process| process_status(process, "VmHWM:"));
            self.peak_memory = found.map(|peak| (peak, now));
        }
        self.peak_memory.map(|(peak, _)| peak)
    }

    /// Waits for the end, and says how it was.
    async fn end(&mut self, group: &Group) -> String {
        let status = match timeout(LAST_WORDS, self.child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                group.kill();
                self.child.wait().await
            }
        };
        group.finish();
        self.pipes.finish().await;
        if self.over_memory {
            return format!("was killed because it held more than {} MB of memory", self.memory >> 20);
        }
        describe(status)
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    match status {
        Err(error) => format!("was lost: {error}"),
        Ok(status) => {
            #[cfg(unix)]
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                return match signal {
                    6 => "was aborted (SIGABRT)".to_owned(),
                    9 => "was killed by SIGKILL".to_owned(),
                    11 => "crashed (SIGSEGV)".to_owned(),
                    signal => format!("was ended by signal {signal}"),
                };
            }
            format!("exited with code {}", status.code().unwrap_or(-1))
        }
    }
}

/// A number of bytes that Linux keeps on a process.
#[cfg(target_os = "linux")]
fn process_status(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[cfg(not(target_os = "linux"))]
fn process_status(_: u32, _: &str) -> Option<u64> {
    None
}
