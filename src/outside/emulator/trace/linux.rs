//! This program starts itself in the child's place, has the kernel report that process's connections to
//! another one of itself that follows it, and becomes the child. So the process is the one that was asked
//! for, with the same number and parent, and only what connects is ever stopped for it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use nix::libc;
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{PTracer, geteuid, set_ptracer};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use seccompiler::{apply_filter, sock_filter};

use super::follow::{ADDRESS, follow};
use crate::outside::emulator::control::CONTROL;

/// This program, also when its file has been replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// The first argument of this program when it stands in for a child or follows one; alone, when it only
/// shows that it starts.
const MARK: &str = "--leads-to-the-metadata-service";
const BECOME: &str = "become";
const FOLLOW: &str = "follow";

/// What tells files for one kind of processor from those for another: the start, and the machine.
const ELF_HEAD: usize = 20;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Does what this process was started for, if it was not started by a person; what is returned is its end.
pub fn entered() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    let done = match arguments.next() {
        None => Ok(()),
        Some(role) if role == FOLLOW => follow_child(arguments),
        Some(_) => Err(become_child(arguments)),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Of one that becomes a function these are its last words.
            let _ = writeln!(io::stderr(), "fnscaffold: {error}");
            ExitCode::FAILURE
        }
    })
}

/// The way to the other one: standard input of both.
fn gate() -> io::Result<UnixStream> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

fn follow_child(mut arguments: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut number = || arguments.next()?.to_str()?.parse::<i32>().ok();
    let (Some(child), Some(port)) = (number(), number().and_then(|port| u16::try_from(port).ok())) else {
        return Err(io::Error::other("no process was named"));
    };
    follow(child, port, &gate()?)
}

fn become_child(mut arguments: impl Iterator<Item = OsString>) -> io::Error {
    let Some(program) = arguments.next() else {
        return io::Error::other("no program was named");
    };
    let refusal = submit(Path::new(&program)).err().map(|error| error.to_string()).unwrap_or_default();
    let told = std::env::var_os(CONTROL)
        .ok_or_else(|| io::Error::other("nobody listens"))
        .and_then(UnixStream::connect)
        .and_then(|mut control| control.write_all(refusal.as_bytes()));
    // The code cannot be written on the platform, and modes would not keep root from it. Others may not and
    // need not do this. Another's code, where --source leaves it, might not even be read then.
    if fs::metadata(".").is_ok_and(|code| code.uid() == geteuid().as_raw()) {
        let _ = remove_capability_from_bounding_set(CapabilitySet::DAC_OVERRIDE);
    }
    match told {
        Ok(()) => Command::new(program).args(arguments).stdin(Stdio::null()).exec(),
        Err(error) => error,
    }
}

/// Has this process's connections reported to the one that follows it, from now on.
fn submit(program: &Path) -> io::Result<()> {
    // The filter knows the system calls of one kind of processor.
    if head(program)? != head(Path::new(SELF))? {
        return Err(io::Error::other("the interpreter is not of fnscaffold's kind"));
    }
    let mut gate = gate()?;
    // Where only ancestors may follow. A kernel that does not know this does not forbid it either.
    let _ = set_ptracer(PTracer::Any);
    gate.write_all(b"\n")?;
    let mut word = String::new();
    BufReader::new(gate).read_line(&mut word)?;
    let _ = set_ptracer(PTracer::None);
    match word.strip_suffix('\n') {
        Some("") => {}
        Some(why) => return Err(io::Error::other(why.to_owned())),
        None => return Err(io::Error::other("the process that was to follow it ended")),
    }
    apply_filter(&filter()).map_err(io::Error::other)?;
    if leads_to()?.is_loopback() {
        return Ok(());
    }
    Err(io::Error::other("its connections are not reported"))
}

/// Where a connection to the address goes. Nothing is sent.
fn leads_to() -> io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((ADDRESS, 80))?;
    Ok(socket.peer_addr()?.ip())
}

fn head(program: &Path) -> io::Result<([u8; 5], [u8; 2])> {
    let mut head = [0; ELF_HEAD];
    File::open(program)?.read_exact(&mut head)?;
    let [a, b, c, d, class, .., machine, machine_end] = head;
    Ok(([a, b, c, d, class], [machine, machine_end]))
}

/// Lets every system call pass, but has `connect` reported. The system calls of another kind of processor,
/// such as those of 32 bits, have other numbers and pass.
fn filter() -> [sock_filter; 6] {
    let load = |k| sock_filter { code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, jt: 0, jf: 0, k };
    let unless = |k, jf| sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ) as u16, jt: 0, jf, k };
    let answer = |k| sock_filter { code: libc::BPF_RET as u16, jt: 0, jf: 0, k };
    // Where the kernel puts the kind of processor, and the system call's number.
    let (architecture, number) = (4, 0);
    [
        load(architecture),
        unless(ARCHITECTURE, 3),
        load(number),
        unless(libc::SYS_connect as u32, 1),
        answer(libc::SECCOMP_RET_TRACE),
        answer(libc::SECCOMP_RET_ALLOW),
    ]
}

/// `program`, to be started with arguments of its own and then held. Before it begins it connects once to
/// where [`CONTROL`] says, and tells why it is not led, or nothing.
///
/// # Errors
/// What the operating system says.
pub fn program(program: &Path) -> io::Result<(Command, Leash)> {
    // It is not there where /proc is not.
    fs::metadata(SELF)?;
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(SELF);
    command.arg0("fnscaffold").args([MARK, BECOME]).arg(program).stdin(OwnedFd::from(theirs));
    Ok((command, Leash(ours)))
}

/// What holds a program that waits to be followed.
pub struct Leash(UnixStream);

impl Leash {
    /// Follows the process and all that it starts, in its group, which it leads. They end when the process
    /// that follows them does.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn hold(self, leader: u32, port: u16) -> io::Result<Follower> {
        let mut command = Command::new(SELF);
        command.arg0("fnscaffold").args([MARK, FOLLOW, &leader.to_string(), &port.to_string()]);
        command.stdin(OwnedFd::from(self.0)).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        command.process_group(i32::try_from(leader).map_err(io::Error::other)?).spawn().map(Follower)
    }
}

/// The process that leads others. Dropped, it is killed, and they with it.
pub struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        // What is killed may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Why this user may lead no program, or nothing where it may.
pub fn refused() -> Option<String> {
    tried().unwrap_or_else(|error| Some(error.to_string()))
}

fn tried() -> io::Result<Option<String>> {
    let place = tempfile::tempdir()?;
    let control = place.path().join("control");
    let listener = UnixListener::bind(&control)?;
    listener.set_nonblocking(true)?;
    let (mut command, leash) = program(Path::new(SELF))?;
    command.arg(MARK).env(CONTROL, control).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn()?;
    // The other end must be the child's alone.
    drop(command);
    let _follower = leash.hold(child.id(), 80)?;
    child.wait()?;
    let mut refusal = String::new();
    listener.accept()?.0.read_to_string(&mut refusal)?;
    Ok((!refusal.is_empty()).then_some(refusal))
}
