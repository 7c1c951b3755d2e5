//! Nothing in, the word that connections of programs cannot be led on this system out.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

const WHY: &str = "only Linux on x86-64 and ARM64 lets one program lead another";

pub const fn entered() -> Option<ExitCode> {
    None
}

pub fn refused() -> Option<String> {
    Some(WHY.to_owned())
}

pub enum Leash {}

pub enum Follower {}

/// # Errors
/// Always.
pub fn program(_: &Path) -> io::Result<(Command, Leash)> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}

impl Leash {
    /// # Errors
    /// There is no such leash.
    pub fn hold(self, _: u32, _: u16) -> io::Result<Follower> {
        match self {}
    }
}
