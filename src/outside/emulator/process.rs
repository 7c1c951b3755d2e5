//! A command in, a process out that ends with all its children: when it is dropped, and when this
//! process is killed by whatever means.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// A process group. Dropped, it is killed.
pub struct Group {
    leader: u32,
    guardian: Option<Child>,
    killed: AtomicBool,
    /// The leader's number may belong to others.
    finished: AtomicBool,
}

/// A process that outlives this one, to end a group and take a directory away.
pub struct Guardian(Option<Child>);

impl Guardian {
    /// Starts it. What it guards may start before it or after it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(home: &Path) -> io::Result<Self> {
        guardian(home).map(Self)
    }

    /// Guards the group that `leader` leads.
    ///
    /// # Errors
    /// When the guardian has gone.
    pub fn guard(mut self, leader: u32) -> io::Result<Group> {
        if let Some(input) = self.0.as_mut().and_then(|guardian| guardian.stdin.as_mut()) {
            writeln!(input, "{leader}")?;
        }
        let (killed, finished) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Group { leader, guardian: self.0.take(), killed, finished })
    }
}

impl Group {
    /// Whether it has no future.
    pub fn was_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    pub fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        if !self.finished.load(Ordering::Relaxed) {
            kill(self.leader);
        }
    }

    /// Kills what is left when the leader has been waited for.
    pub fn finish(&self) {
        self.kill();
        self.finished.store(true, Ordering::Relaxed);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut guardian) = self.guardian.take() {
            // The leader's number may belong to others soon.
            let _ = guardian.kill();
            let _ = guardian.wait();
        }
    }
}

/// Waits until fnscaffold lets go of its standard input, by whatever death, then ends the group and takes
/// its directory away.
#[cfg(unix)]
fn guardian(home: &Path) -> io::Result<Option<Child>> {
    use std::os::unix::process::CommandExt;
    const GUARD: &str =
        r#"read -r leader; read -r _; kill -s KILL -- "-$leader"; chmod -R u+w "$1"; rm -rf "$1""#;
    const SHELL: &str = "/bin/sh";
    let mut command = Command::new(SHELL);
    command.args(["-c", GUARD, "fnscaffold-guard"]).arg(home);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // A signal from the terminal must not reach it before its work is done.
    let started = command.process_group(0).spawn();
    // Some images of containers have none.
    started.map(Some).map_err(|error| io::Error::new(error.kind(), format!("`{SHELL}`: {error}")))
}

/// The bootstraps end by themselves when fnscaffold does; no shell there outlives it for certain.
#[cfg(not(unix))]
fn guardian(_: &Path) -> io::Result<Option<Child>> {
    Ok(None)
}

/// What is killed may have ended by itself.
#[cfg(unix)]
fn kill(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(leader: u32) {
    let mut command = Command::new("taskkill");
    command.args(["/F", "/T", "/PID", &leader.to_string()]);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}
