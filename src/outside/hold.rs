//! The only room that locks: a directory in, a hold on it out, which ends with its process at the latest.
//!
//! The system keeps a hold for an open file, so a killed process leaves none behind.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::outside::interrupt;

/// Kept as long as nobody else is to have the directory.
#[derive(Debug)]
pub struct Hold(#[expect(dead_code, reason = "it is the open file that holds")] File);

impl Hold {
    /// Waits until no other fnscaffold has its turn in `directory`; `waiting` is called when one has. A
    /// directory that cannot be held, as on some network file systems, is nobody's.
    pub fn wait_for(directory: &Path, waiting: impl FnOnce()) -> Option<Self> {
        match Self::on(directory) {
            Ok(None) => {
                interrupt::arm();
                waiting();
                wait(directory).ok()
            }
            hold => hold.ok().flatten(),
        }
    }

    /// The hold on `directory`, or none when another has it.
    ///
    /// # Errors
    /// When there is no such directory, or holding is not possible there.
    pub fn on(directory: &Path) -> io::Result<Option<Self>> {
        match open(directory).map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => Ok(Some(Self(file))),
            Ok((Err(TryLockError::WouldBlock), _)) => Ok(None),
            Ok((Err(TryLockError::Error(error)), _)) => Err(error),
            #[cfg(windows)]
            Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A directory can be locked itself, so that nothing new has to stand in it.
#[cfg(not(windows))]
fn open(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

#[cfg(not(windows))]
fn wait(directory: &Path) -> io::Result<Hold> {
    let file = open(directory)?;
    file.lock()?;
    Ok(Hold(file))
}

/// ERROR_SHARING_VIOLATION
#[cfg(windows)]
const SHARING_VIOLATION: i32 = 32;

/// Windows locks no directories: a file that one process at a time can open, and that goes when it is closed.
#[cfg(windows)]
fn open(directory: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    const WRITE_AND_DELETE: u32 = 0x4000_0000 | 0x0001_0000;
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .access_mode(WRITE_AND_DELETE)
        .share_mode(0)
        .custom_flags(DELETE_ON_CLOSE)
        .open(directory.join(".fnscaffold-lock"))
}

#[cfg(windows)]
fn wait(directory: &Path) -> io::Result<Hold> {
    loop {
        if let Some(hold) = Hold::on(directory)? {
            return Ok(hold);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
