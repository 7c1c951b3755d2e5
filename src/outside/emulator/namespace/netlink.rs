//! An IPv4 address in, a loopback interface that is up and has it out: what `ip link` and `ip address` ask
//! the kernel for, because not every machine has them.

use std::io;
use std::net::Ipv4Addr;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

// Numbers of the kernel's interface: linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h.
const ERROR: u16 = 2;
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
const UP: u32 = 0x1;
const INET: u8 = 2;
const LOCAL: u16 = 2;
const HEADER: usize = 16;

/// The loopback interface is the first one of every network.
const LOOPBACK: u32 = 1;

/// # Errors
/// What the kernel says.
pub fn own_address(address: Ipv4Addr) -> io::Result<()> {
    // Without a protocol it is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let mut link = vec![0; 4];
    for number in [LOOPBACK, UP, UP] {
        link.extend(number.to_ne_bytes());
    }
    ask(&socket, NEW_LINK, 0, &link)?;
    let mut own = vec![INET, 32, 0, 0];
    own.extend(LOOPBACK.to_ne_bytes());
    own.extend(8_u16.to_ne_bytes());
    own.extend(LOCAL.to_ne_bytes());
    own.extend(address.octets());
    ask(&socket, NEW_ADDRESS, CREATE, &own)
}

fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST | ACKNOWLEDGE | flags).to_ne_bytes());
    // Neither a number nor a sender: one request is under way at a time.
    message.extend([0; 8]);
    message.extend(body);
    send(socket, &message, SendFlags::empty())?;
    let mut answer = [0; 1024];
    let (length, _) = recv(socket, &mut answer, RecvFlags::empty())?;
    match &answer[..length] {
        // A header, and the error's number below zero; none is 0.
        [_, _, _, _, kind, kind_end, _, _, _, _, _, _, _, _, _, _, number @ ..]
            if u16::from_ne_bytes([*kind, *kind_end]) == ERROR =>
        {
            let number = number.first_chunk().map_or(0, |number| i32::from_ne_bytes(*number));
            if number == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-number)) }
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "the kernel gave no answer")),
    }
}
