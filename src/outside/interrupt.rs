//! The only room that hears signals: Ctrl-C takes back what was begun and ends the process with 130.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::model::finding::{self, Exit, Finding};
use crate::outside::permissions::{Access, set_modes};

/// Directories that exist only while a verb is at work.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static ARMED: Once = Once::new();
/// What a person who stops a verb now should know.
static STANDING: Mutex<String> = Mutex::new(String::new());
/// What the first signal does instead of ending the process.
static STOP: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

pub fn finding() -> Box<Finding> {
    finding::INTERRUPTED.finding("interrupted").why("nothing was changed")
}

/// Hears signals from now on. Verbs that neither ask nor write never pay for the thread.
pub fn arm() {
    ARMED.call_once(|| {
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        keep_from_hanging_up();
        // Without a handler a signal still ends the process; only leftovers stay.
        let _ = ctrlc::set_handler(hear_signal);
    });
}

/// `nohup` has the terminal's end ignored by what is to outlive it, which a handler would undo.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn keep_from_hanging_up() {
    use nix::sys::signal::{SigSet, Signal};
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    if ignored & (1 << (Signal::SIGHUP as u64 - 1)) != 0 {
        let _ = SigSet::from(Signal::SIGHUP).thread_block();
    }
}

/// The next signal runs `stop`; the one after it ends the process as ever.
pub fn hear(stop: impl FnOnce() + Send + 'static) {
    arm();
    *STOP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(stop));
}

fn hear_signal() {
    match STOP.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(stop) => stop(),
        None => take_back(),
    }
}

/// Removes what is there of directories that nobody finishes any more.
pub fn sweep() {
    for directory in unfinished().drain(..) {
        remove(&directory);
    }
}

/// Ends the process. Of the thread that hears signals and one that was waiting at a prompt, the first says
/// how; the other waits for it.
#[expect(clippy::exit, reason = "the main thread may be waiting at a prompt")]
pub fn take_back() -> ! {
    // Holding the lock keeps a writer from committing what is being taken back.
    let unfinished = unfinished();
    for directory in unfinished.iter() {
        remove(directory);
    }
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        // A prompt hides the cursor while it waits.
        let _ = err.write_all(b"\x1b[?25h\n");
    }
    let standing = STANDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !standing.is_empty() {
        let _ = writeln!(err, "interrupted: {standing}");
    }
    std::process::exit(Exit::Interrupted as i32);
}

/// From now on a signal ends the process with this on standard error: how things stand elsewhere, where
/// nothing can be taken back.
pub fn stand(standing: &str) {
    arm();
    standing.clone_into(&mut STANDING.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Makes a directory that is removed when a signal comes, until [`release`]. A signal waits meanwhile, so
/// none finds a directory that nobody has told it of.
///
/// # Errors
/// What `make` gave.
pub fn guarded<E>(make: impl FnOnce() -> Result<TempDir, E>) -> Result<TempDir, E> {
    arm();
    let mut unfinished = unfinished();
    let directory = make()?;
    unfinished.push(directory.path().to_owned());
    Ok(directory)
}

/// Runs the step that makes `directory` permanent, with signals held off meanwhile.
pub fn release<T>(directory: &Path, commit: impl FnOnce() -> T) -> T {
    let mut unfinished = unfinished();
    let result = commit();
    unfinished.retain(|other| other != directory);
    result
}

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A writer may add a file while its directory is being removed, so once may not be enough.
pub fn remove(directory: &Path) {
    for _ in 0..10 {
        if fs::remove_dir_all(directory).is_ok() || !directory.exists() {
            return;
        }
        // The code of a function that runs is read-only.
        let _ = set_modes(directory, Access::Remove);
        if cfg!(windows) {
            // There a process holds the directory that it runs in, and for a moment longer than it lives.
            thread::sleep(Duration::from_millis(50));
        }
    }
}
