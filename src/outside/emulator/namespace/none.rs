//! Nothing in, the word that this system has no networks for single processes out.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

use tokio::process::Command;

const WHY: &str = "only Linux has them";

pub const fn entered() -> Option<ExitCode> {
    None
}

pub fn refused() -> Option<String> {
    Some(WHY.to_owned())
}

pub fn program(program: &Path, _: &Gate) -> Command {
    Command::new(program)
}

pub struct Gate;

impl Gate {
    /// # Errors
    /// Always.
    pub fn bind(_: &Path) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }

    /// # Errors
    /// Always.
    pub async fn receive(&self) -> io::Result<TcpListener> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }
}
