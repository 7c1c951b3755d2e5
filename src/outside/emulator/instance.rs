//! A home and an entry point in, a warm interpreter out that answers calls until it is dropped, times
//! out or ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::attendant::{Attendant, Sent, describe};
use super::control;
use super::debugger::Debugger;
use super::home::{Home, Packages};
use super::interpreter::Interpreter;
use super::messages::message;
use super::metadata::Metadata;
use super::output::{Output, Pipes};
use super::process::{Group, Guardian};
use super::reply::{Failure, Reply};
use super::trace::{self, Follower};
use super::{Call, Route, Way};
use crate::model::finding::{self, Finding, Result};
use crate::model::runtime::{Lang, Runtime};
use crate::model::settings;
use crate::outside::clock;

/// What an instance is started with.
pub struct Start<'a> {
    pub interpreter: &'a Interpreter,
    pub runtime: &'static Runtime,
    /// The interpreter runs before anyone knows the version's variables.
    pub preloaded: bool,
    pub entrypoint: &'a str,
    pub calls_at_once: u32,
    /// Bytes.
    pub memory: u64,
    pub environment: &'a BTreeMap<String, String>,
    pub packages: &'a Packages,
    pub metadata: &'a Metadata,
    pub route: Route,
    /// Becomes how the function reaches the metadata service, once that is known.
    pub way: &'a OnceLock<Way>,
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
    /// Who leads the process's connections. Without it, it ends.
    _follower: Option<Follower>,
}

impl Instance {
    /// Starts the interpreter and loads the entry point.
    ///
    /// # Errors
    /// [`finding::IO`] when no process can be started. That the code does not load is a [`Failure`].
    pub async fn start(home: &Home, start: &Start<'_>) -> Result<std::result::Result<Self, Failure>> {
        let deadline = Instant::now() + start.limit;
        judge_places(home, start)?;
        let failed = |what: &str, error: &io::Error| finding::io(format!("could not {what}"), error);
        let listener = control::Listener::bind(&home.control()).map_err(|error| {
            let problem = failed("listen for the interpreter", &error);
            // The name of a socket has some 100 bytes at most.
            let is_long = error.kind() == io::ErrorKind::InvalidInput;
            if is_long { problem.fix("set TMPDIR to a directory with a shorter path") } else { problem }
        })?;
        let program = &start.interpreter.path;
        let leashed = match start.route {
            Route::Auto | Route::Trace => trace::program(program).map_err(|error| error.to_string()),
            Route::Preload => Err("--metadata-route says so".to_owned()),
        };
        let (starting, leash) = match leashed {
            Ok((starting, leash)) => (starting.into(), Ok(leash)),
            Err(why) => (Command::new(program), Err(why)),
        };
        let mut command = command(starting, home, start);
        if leash.is_err() {
            command.stdin(Stdio::null());
        }
        listener.tell(&mut command);
        let path = program.display();
        let mut child = command.spawn().map_err(|error| failed(&format!("start `{path}`"), &error))?;
        // What the child is held by must be the child's alone.
        drop(command);
        let leader = child.id().unwrap_or_default();
        let (follower, refusal) = match leash.map(|leash| leash.hold(leader, start.metadata.port())) {
            Ok(held) => (Some(held.map_err(|error| failed("follow the interpreter", &error))?), None),
            Err(why) => (None, Some(why)),
        };
        let group = Guardian::start(home.root())
            .and_then(|guardian| guardian.guard(leader))
            .map_err(|error| failed("start a guard for the interpreter", &error))?;
        let group = Arc::new(group);
        let mut pipes = Pipes::of(&mut child, Arc::clone(&start.output));
        let reached = async {
            let refusal = match refusal {
                Some(why) => Some(why),
                None => Some(listener.hear().await?).filter(|word| !word.is_empty()),
            };
            Ok((refusal, listener.accept().await?))
        };
        let connected = tokio::select! {
            connected = timeout_at(deadline, reached) => connected,
            status = child.wait() => {
                pipes.finish().await;
                return Ok(Err(Failure::Ended(describe(status))));
            }
        };
        let (refusal, (reader, mut writer)) = match connected {
            Err(_) => return Ok(Err(Failure::TimedOut(start.limit))),
            Ok(connected) => connected.map_err(|error| failed("reach the interpreter", &error))?,
        };
        if let (Route::Trace, Some(why)) = (start.route, &refusal) {
            return Err(not_led(why));
        }
        let redirect = refusal.is_some();
        start.way.get_or_init(|| refusal.map_or(Way::Traced, Way::Preloaded));
        let hello = hello(home, start, redirect);
        writer.write_all(hello.as_bytes()).await.map_err(|error| failed("reach the interpreter", &error))?;
        let mut attendant = Attendant::new(child, pipes, reader, writer, start.memory);
        let loaded = timeout_at(deadline, attendant.load(&group)).await;
        if let Err(failure) = loaded.unwrap_or(Err(Failure::TimedOut(start.limit))) {
            attendant.give_up(&group).await;
            return Ok(Err(failure));
        }
        let (calls, received) = mpsc::unbounded_channel();
        tokio::spawn(attendant.run(received, Arc::clone(&group)));
        Ok(Ok(Self { group, calls, next: AtomicU64::new(1), _follower: follower }))
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

/// Whether the interpreter can be told where everything is, which is done in text.
fn judge_places(home: &Home, start: &Start<'_>) -> Result<()> {
    let packages = match start.packages {
        Packages::Beside(directory) | Packages::InCode(directory) => Some(directory.as_path()),
        Packages::None => None,
    };
    for place in [home.root(), &home.code].into_iter().chain(packages) {
        if place.to_str().is_none() {
            let shown = place.display().to_string();
            return Err(finding::IO
                .finding(format!("no function can run in `{shown}`"))
                .why("the path is not UTF-8, and interpreters are told of it in UTF-8")
                .fix("rename the directory; TMPDIR and FNSCAFFOLD_CACHE name others for what is not the function's own")
                .at(shown));
        }
    }
    Ok(())
}

fn not_led(why: &str) -> Box<Finding> {
    finding::IO
        .finding("the function's programs could not be led to the metadata service")
        .why(why)
        .fix("leave --metadata-route trace out: Node.js and Python find it by themselves")
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.group.kill();
    }
}

/// The interpreter with the platform's environment and nothing of this process's own.
fn command(mut command: Command, home: &Home, start: &Start<'_>) -> Command {
    let Start { interpreter, runtime, .. } = start;
    let (code, own) = (&home.code, home.runtime());
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
    command.current_dir(code).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    command.env_clear();
    let mut path = vec![code.clone(), own.join("bin"), own.clone()];
    path.extend(interpreter.path.parent().map(std::path::Path::to_owned));
    path.extend(["/usr/bin", "/usr/local/bin", "/sbin", "/bin"].map(Into::into));
    let libraries = vec![code.join("shared-libs"), own.join("shared-libs")];
    command
        .env("_HANDLER", start.entrypoint)
        .env("AWS_LAMBDA_RUNTIME_API", "169.254.169.254")
        .env("LAMBDA_RUNTIME_DIR", &own)
        .env("LAMBDA_TASK_ROOT", code)
        .env("PATH", join_paths(path))
        .env("LD_LIBRARY_PATH", join_paths(libraries))
        .env("X_YCF_CONCURRENCY", start.calls_at_once.to_string())
        .env("X_YCF_MEMORY_SIZE", start.memory.to_string())
        .env("YC_METADATA_ADDR", format!("127.0.0.1:{}", start.metadata.port()))
        .env("TMPDIR", home.temporary())
        .env("TZ", "UTC");
    if let (Packages::Beside(directory), Lang::Nodejs) = (start.packages, runtime.lang) {
        command.env("NODE_PATH", directory);
    }
    if start.preloaded {
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

/// The paths as one variable, without those that hold what stands between two.
fn join_paths(mut paths: Vec<PathBuf>) -> OsString {
    paths.retain(|path| std::env::join_paths([path]).is_ok());
    std::env::join_paths(paths).unwrap_or_default()
}

/// The version's own variables, but those that are the platform's.
fn environment<'a>(start: &Start<'a>) -> impl Iterator<Item = (&'a String, &'a String)> {
    start.environment.iter().filter(|(name, _)| !settings::is_reserved_variable(name))
}

/// The first message to the bootstrap.
fn hello(home: &Home, start: &Start<'_>, redirect: bool) -> String {
    let environment: BTreeMap<_, _> =
        if start.preloaded { environment(start).collect() } else { BTreeMap::new() };
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
        "redirect": redirect,
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
