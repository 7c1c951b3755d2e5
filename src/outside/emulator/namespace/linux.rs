//! This program starts itself in the child's place, gives that process a network, opens the metadata
//! service's port there, hands it over a socket to the parent, and becomes the child. So the process is
//! the one that was asked for, with the same number, and nothing stands between.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use rustix::process::{getgid, getuid};
use tokio::io::Interest;
use tokio::net::UnixListener;
use tokio::process::Command;

use super::netlink::own_address;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Where the service listens on the platform.
const PORT: u16 = 80;

/// This program, also when its file has been replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// The first argument of this program when it stands in for a child.
const MARK: &str = "--in-a-network-of-its-own";

/// Bytes of the longest word of why there is no network.
const LONGEST_WORD: usize = 512;

/// Becomes another program, if this process was started for that; what is returned is a failure.
pub fn entered() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    Some(match arguments.next() {
        // Only to try it.
        None => match own_network() {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Some(gate) => {
            let _ = become_child(Path::new(&gate), arguments);
            ExitCode::FAILURE
        }
    })
}

/// What cannot be told over the gate ends this process, which is told too.
fn become_child(gate: &Path, mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let gate = UnixStream::connect(gate)?;
    let (listener, program) = match (own_network(), arguments.next()) {
        (Ok(listener), Some(program)) => (listener, program),
        (Err(error), _) => return hand_over(&gate, error.to_string().as_bytes(), None),
        (_, None) => return hand_over(&gate, b"no program was named", None),
    };
    hand_over(&gate, b"\n", Some(&listener))?;
    Err(std::process::Command::new(program).args(arguments).exec())
}

fn hand_over(gate: &UnixStream, word: &[u8], listener: Option<&TcpListener>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> = listener.map(AsFd::as_fd).into_iter().collect();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    sendmsg(gate, &[IoSlice::new(word)], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Moves this process, which has one thread, into a new network that owns the address.
fn own_network() -> io::Result<TcpListener> {
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    // Root keeps what it may do; anyone else may do this only among its own.
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    own_address(ADDRESS)?;
    TcpListener::bind((ADDRESS, PORT))
}

/// Why this user may make no such network, or nothing where it may.
pub fn refused() -> Option<String> {
    let tried = std::process::Command::new(SELF)
        .arg(MARK)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match tried {
        Ok(status) if status.success() => None,
        Ok(_) => Some("the kernel does not let this user make one".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// `program`, to be started in a network of its own.
pub fn program(program: &Path, gate: &Gate) -> Command {
    let mut command = Command::new(SELF);
    command.arg0("fnscaffold").arg(MARK).arg(&gate.path).arg(program);
    command
}

/// Where a new network's metadata port comes in.
pub struct Gate {
    listener: UnixListener,
    path: PathBuf,
}

impl Gate {
    /// # Errors
    /// What the operating system says.
    pub fn bind(path: &Path) -> io::Result<Self> {
        Ok(Self { listener: UnixListener::bind(path)?, path: path.to_owned() })
    }

    /// The port that the child has opened.
    ///
    /// # Errors
    /// Why it has none.
    pub async fn receive(&self) -> io::Result<TcpListener> {
        let (stream, _) = self.listener.accept().await?;
        loop {
            stream.readable().await?;
            match stream.try_io(Interest::READABLE, || take_over(stream.as_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.map(TcpListener::from),
            }
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // A next instance has the same place.
        let _ = fs::remove_file(&self.path);
    }
}

fn take_over(gate: impl AsFd) -> io::Result<OwnedFd> {
    let mut word = [0; LONGEST_WORD];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(gate, &mut [IoSliceMut::new(&mut word)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = message
            && let Some(descriptor) = descriptors.next()
        {
            return Ok(descriptor);
        }
    }
    let word = String::from_utf8_lossy(&word[..received.bytes]).into_owned();
    Err(io::Error::other(if word.is_empty() { "the process ended".to_owned() } else { word }))
}
