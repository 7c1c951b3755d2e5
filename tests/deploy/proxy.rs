//! A proxy on a port of this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A proxy that tunnels (RFC 9110, CONNECT), and how often it did.
pub fn start() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let tunnels = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tunnels);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = stream.unwrap();
            let mut head = BufReader::new(client.try_clone().unwrap());
            let mut first = String::new();
            head.read_line(&mut first).unwrap();
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                head.read_line(&mut line).unwrap();
            }
            let target = first.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
            let mut there = TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let (mut from, mut to) = (client.try_clone().unwrap(), there.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut there, &mut client));
        }
    });
    (format!("http://{address}"), tunnels)
}
