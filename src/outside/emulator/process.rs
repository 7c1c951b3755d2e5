//! A command in, a process out that ends with all its children: when it is dropped, and when this
//! process is killed by whatever means.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process_group};

/// Waits until fnscaffold lets go of its standard input, by whatever death, then ends the group and takes
/// its directory away.
const GUARD: &str = r#"read -r _; kill -s KILL -- "-$1"; chmod -R u+w "$2"; rm -rf "$2""#;

/// The process group of an interpreter. Dropped, it is killed.
pub struct Group {
    leader: Option<Pid>,
    guardian: Option<Child>,
    /// The leader's number may belong to others.
    finished: AtomicBool,
}

impl Group {
    /// Guards the group that `leader` leads, and the directory that it runs in.
    ///
    /// # Errors
    /// When the shell that outlives this process does not start.
    pub fn guard(leader: u32, home: &Path) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        let guardian = Command::new("/bin/sh")
            .args(["-c", GUARD, "fnscaffold-guard", &leader.to_string()])
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal from the terminal must not reach it before its work is done.
            .process_group(0)
            .spawn()?;
        let leader = i32::try_from(leader).ok().and_then(Pid::from_raw);
        Ok(Self { leader, guardian: Some(guardian), finished: AtomicBool::new(false) })
    }

    pub fn kill(&self) {
        if let Some(leader) = self.leader.filter(|_| !self.finished.load(Ordering::Relaxed)) {
            // It may have ended by itself.
            let _ = kill_process_group(leader, Signal::KILL);
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
