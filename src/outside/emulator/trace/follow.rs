//! A process in, its connections to 169.254.169.254 and those of all its descendants, led to a port of this
//! machine, out. They run as if nobody followed them, and end when this process does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::Duration;

use nix::libc::{self, c_long};
use nix::sys::ptrace::{self, AddressType, Options};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus, wait};

pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

const LOCALHOST: [u8; 4] = Ipv4Addr::LOCALHOST.octets();

/// Bytes of what is read of a process at once.
const WORD: u64 = 8;

/// How often a process that was stopped is asked whether it may go on. No report tells.
const STOPPED_WATCH: Duration = Duration::from_millis(10);

/// Follows the process at the other end of `gate` when it says that it may be, and tells it so or why not.
/// Returns when neither it nor anything that it started is left.
///
/// # Errors
/// What the operating system says.
pub fn follow(child: i32, port: u16, mut gate: &UnixStream) -> io::Result<()> {
    // What is sent to the function's group is not meant for this process.
    SigSet::all().thread_block()?;
    gate.read_exact(&mut [0])?;
    let options = Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_EXITKILL;
    if let Err(error) = ptrace::seize(Pid::from_raw(child), options) {
        return writeln!(gate, "it may not be followed: {}", io::Error::from(error));
    }
    gate.write_all(b"\n")?;
    let mut followed = Followed { port, led: BTreeMap::new(), stopped: BTreeMap::new() };
    loop {
        let mut how = WaitOptions::from_bits_retain(libc::__WALL.cast_unsigned());
        how.set(WaitOptions::NOHANG, !followed.stopped.is_empty());
        match wait(how) {
            Ok(Some((pid, status))) => followed.answer(Pid::from_raw(pid.as_raw_nonzero().get()), status),
            Ok(None) => {
                sleep(STOPPED_WATCH);
                followed.wake();
            }
            Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Threads, each by its number.
struct Followed {
    port: u16,
    /// Connecting to what they did not name; with what stood there before, by its place.
    led: BTreeMap<Pid, Vec<(u64, c_long)>>,
    /// Stopped by a signal, with the processes that they are of.
    stopped: BTreeMap<Pid, String>,
}

impl Followed {
    /// Lets a thread go on that has a report to make. One that was killed meanwhile does not, which is as
    /// good: its end is reported.
    fn answer(&mut self, pid: Pid, status: WaitStatus) {
        if !status.stopped() {
            self.led.remove(&pid);
            self.stopped.remove(&pid);
            return;
        }
        let (event, signal) = (status.as_raw() >> 16, (status.as_raw() >> 8) & 0xff);
        let _ = match event {
            libc::PTRACE_EVENT_SECCOMP if self.lead(pid).is_ok_and(|led| led) => ptrace::syscall(pid, None),
            0 if signal == libc::SIGTRAP | 0x80 => {
                self.restore(pid);
                ptrace::cont(pid, None)
            }
            libc::PTRACE_EVENT_STOP if is_stop(signal) => {
                self.stopped.insert(pid, process_of(pid));
                Ok(())
            }
            0 => {
                if signal == libc::SIGCONT {
                    self.go_on(&[process_of(pid)].into());
                }
                // Of those above 31 nix knows none; they are lost.
                ptrace::cont(pid, Signal::try_from(signal).ok())
            }
            _ => ptrace::cont(pid, None),
        };
    }

    /// Names another address to a `connect` that has not begun, if it is about the one.
    fn lead(&mut self, pid: Pid) -> nix::Result<bool> {
        let place = second_argument(pid)?;
        let at = |place| ptrace::read(pid, place as AddressType).map(c_long::to_ne_bytes);
        // The family, the port, and IPv4's address.
        let first = at(place)?;
        let [family, family_end, _, _, ip @ ..] = first;
        let [port, port_end] = self.port.to_be_bytes();
        let start = [family, family_end, port, port_end];
        let changes = match i32::from(u16::from_ne_bytes([family, family_end])) {
            libc::AF_INET if ip == ADDRESS.octets() => vec![(place, joined(start, LOCALHOST))],
            libc::AF_INET6
                if [at(place + WORD)?, at(place + 2 * WORD)?].as_flattened()
                    == ADDRESS.to_ipv6_mapped().octets() =>
            {
                vec![(place, joined(start, ip)), (place + 2 * WORD, joined([0, 0, 0xff, 0xff], LOCALHOST))]
            }
            _ => return Ok(false),
        };
        let mut before = Vec::new();
        for (place, new) in changes {
            before.push((place, ptrace::read(pid, place as AddressType)?));
            ptrace::write(pid, place as AddressType, c_long::from_ne_bytes(new))?;
        }
        self.led.insert(pid, before);
        Ok(true)
    }

    /// Puts back what a program named, as it may name it again.
    fn restore(&mut self, pid: Pid) {
        for (place, old) in self.led.remove(&pid).unwrap_or_default() {
            let _ = ptrace::write(pid, place as AddressType, old);
        }
    }

    /// Lets those go on that were told to.
    fn wake(&mut self) {
        let told = self.stopped.iter().filter(|(pid, _)| is_told_to_go_on(**pid));
        self.go_on(&told.map(|(_, process)| process.clone()).collect());
    }

    fn go_on(&mut self, processes: &BTreeSet<String>) {
        self.stopped.retain(|pid, process| {
            let stays = !processes.contains(process);
            if !stays {
                let _ = ptrace::cont(*pid, None);
            }
            stays
        });
    }
}

const fn joined([a, b, c, d]: [u8; 4], [e, f, g, h]: [u8; 4]) -> [u8; 8] {
    [a, b, c, d, e, f, g, h]
}

const fn is_stop(signal: i32) -> bool {
    matches!(signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// The address that a thread gives to `connect`.
fn second_argument(pid: Pid) -> nix::Result<u64> {
    let registers = ptrace::getregs(pid)?;
    #[cfg(target_arch = "x86_64")]
    return Ok(registers.rsi);
    #[cfg(target_arch = "aarch64")]
    return Ok(registers.regs[1]);
}

fn process_of(pid: Pid) -> String {
    said(pid, "Tgid:").unwrap_or_default()
}

/// Whether a signal waits that ends a stop, or began another one after that.
fn is_told_to_go_on(pid: Pid) -> bool {
    const MASK: u64 = 1 << (libc::SIGCONT - 1) | 1 << (libc::SIGSTOP - 1);
    ["SigPnd:", "ShdPnd:"].into_iter().any(|name| {
        let waiting = said(pid, name).and_then(|mask| u64::from_str_radix(&mask, 16).ok());
        waiting.is_some_and(|waiting| waiting & MASK != 0)
    })
}

/// What Linux says of a thread under a name.
fn said(pid: Pid, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}
