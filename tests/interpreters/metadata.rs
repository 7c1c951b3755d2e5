//! A metadata service on loopback that answers as it is told, to requests such as the platform's takes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What the platform's documentation gives.
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Status and body.
    Answer(u16, String),
    /// Takes the request and says nothing.
    Silence,
    /// Status, headers and half of the body, then nothing.
    Stall(String),
    /// Headers after a second and a half, then nothing.
    LateStall,
}

pub struct Metadata {
    pub port: u16,
    served: Arc<AtomicUsize>,
    refused: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Metadata {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (served, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let over = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&served), Arc::clone(&refused), Arc::clone(&over));
        let listening = thread::spawn(move || {
            let (served, refused, over) = shared;
            let mut answering = Vec::new();
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let (served, refused, over) = (Arc::clone(&served), Arc::clone(&refused), Arc::clone(&over));
                let behaviour = behaviour.clone();
                answering.push(thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    // The other side hangs up when it has waited long enough.
                    let _ = if is_allowed(&mut stream) {
                        served.fetch_add(1, Ordering::SeqCst);
                        answer(&mut stream, &behaviour, &over)
                    } else {
                        refused.fetch_add(1, Ordering::SeqCst);
                        respond(&mut stream, 403, "forbidden")
                    };
                }));
            }
            answering.into_iter().for_each(|thread| thread.join().unwrap());
        });
        Self { port, served, refused, over, listening: Some(listening) }
    }

    /// Requests that were as they should be, and requests that were not.
    pub fn requests(&self) -> (usize, usize) {
        (self.served.load(Ordering::SeqCst), self.refused.load(Ordering::SeqCst))
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// A port of this machine that nobody listens on.
pub fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Whether the request is a GET of the token with the header that the service asks for.
fn is_allowed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return false,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let mut lines = request.split("\r\n");
    let asks = lines.next() == Some(&format!("GET {PATH} HTTP/1.1"));
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let has = |name: &str, value: &str| {
        headers.iter().any(|header| header.0.eq_ignore_ascii_case(name) && header.1 == value)
    };
    asks && has("Metadata-Flavor", "Google") && has("Host", "169.254.169.254")
}

fn answer(stream: &mut TcpStream, behaviour: &Behaviour, over: &AtomicBool) -> std::io::Result<()> {
    let wait = |time: Duration| {
        let step = Duration::from_millis(20);
        (0..time.as_millis() / step.as_millis())
            .take_while(|_| !over.load(Ordering::SeqCst))
            .for_each(|_| thread::sleep(step));
    };
    let long = Duration::from_secs(20);
    match behaviour {
        Behaviour::Answer(status, body) => return respond(stream, *status, body),
        Behaviour::Silence => wait(long),
        Behaviour::Stall(body) => {
            write!(stream, "{}{}", head(200, body.len()), &body[..body.len() / 2])?;
            wait(long);
        }
        Behaviour::LateStall => {
            wait(Duration::from_millis(1500));
            write!(stream, "{}", head(200, 100))?;
            wait(long);
        }
    }
    Ok(())
}

fn respond(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    write!(stream, "{}{body}", head(status, body.len()))
}

fn head(status: u16, length: usize) -> String {
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )
}
