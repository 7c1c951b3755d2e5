//! A server's address in, how many requests it answers and how fast out.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What Node.js's and Python's handlers answer.
pub const BODIES: [&[u8]; 2] = [br#"{"hello":"world"}"#, br#"{"hello": "world"}"#];

#[derive(Clone, Copy)]
pub enum Until {
    Elapsed(Duration),
    Answered(usize),
}

#[derive(Clone, Copy, Default)]
pub struct Figures {
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

impl Figures {
    pub fn of(mut took: Vec<Duration>, elapsed: Duration) -> Self {
        took.sort_unstable();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
        Self { per_second: took.len() as f64 / elapsed.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
    }

    /// The one of more requests a second: others use this machine too.
    pub fn better(self, other: Self) -> Self {
        if other.per_second > self.per_second { other } else { self }
    }
}

/// Asks over so many connections, each again when it was answered.
///
/// # Panics
/// At any other answer than the right one, and at none.
pub async fn load(address: SocketAddr, connections: usize, until: Until) -> Figures {
    let began = Instant::now();
    let clients: Vec<_> =
        (0..connections).map(|_| tokio::spawn(ask(address, connections, until, began))).collect();
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.unwrap());
    }
    Figures::of(took, began.elapsed())
}

async fn ask(address: SocketAddr, connections: usize, until: Until, began: Instant) -> Vec<Duration> {
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut took = Vec::new();
    let mut bytes = Vec::with_capacity(4096);
    loop {
        match until {
            Until::Elapsed(limit) if began.elapsed() >= limit => return took,
            Until::Answered(count) if took.len() >= count / connections => return took,
            _ => {}
        }
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        bytes.clear();
        let end = loop {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the connection was closed");
            if let Some(end) = whole(&bytes) {
                break end;
            }
        };
        took.push(asked.elapsed());
        assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
        assert!(BODIES.contains(&&bytes[end..]), "{}", String::from_utf8_lossy(&bytes));
    }
}

/// Where the body of an answer begins that has come in whole.
fn whole(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.parse().unwrap();
    (bytes.len() == end + length).then_some(end)
}
