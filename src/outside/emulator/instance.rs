//! A home and an entry point in, a warm interpreter out that answers calls until it is dropped, times
//! out or ends.

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::attendant::{Attendant, Sent, describe};
use super::control;
use super::debugger::Debugger;
use super::home::{Home, Packages};
use super::interpreter::Interpreter;
use super::messages::message;
use super::metadata::{Metadata, Serving};
use super::namespace::{self, Gate};
use super::output::{LAST_WORDS, Output, Pipes};
use super::process::{Group, Guardian};
use super::reply::{Failure, Reply};
use super::{Call, Route};
use crate::model::finding::{self, Finding, Result};
use crate::model::runtime::{Lang, Runtime};
use crate::model::settings;
use crate::outside::clock;

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

/// A running interpreter with the function loaded.
pub struct Instance {
    group: Arc<Group>,
    calls: mpsc::UnboundedSender<Sent>,
    next: AtomicU64,
    /// The metadata service in its network.
    _serving: Option<Serving>,
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
        let mut attendant = Attendant::new(child, pipes, reader, writer, start.memory);
        let loaded = timeout_at(deadline, attendant.load(&group)).await;
        if let Err(failure) = loaded.unwrap_or(Err(Failure::TimedOut(start.limit))) {
            attendant.give_up(&group).await;
            return Ok(Err(failure));
        }
        let (calls, received) = mpsc::unbounded_channel();
        tokio::spawn(attendant.run(received, Arc::clone(&group)));
        Ok(Ok(Self { group, calls, next: AtomicU64::new(1), _serving: serving }))
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
