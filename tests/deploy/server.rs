//! The cloud, as far as `deploy` sees it: a real server on a port of this machine, with and without TLS,
//! that keeps functions, versions, tags and objects, and plays the faults that it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{answer, error};

/// What happens to a request instead of the right answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Refused with this status, nothing done. The text is the value of Retry-After, or of Location.
    Status(u16, Option<String>),
    /// 500, after it was done.
    BrokenAfter,
    /// The connection is closed before the body is read.
    ResetBefore,
    /// In the middle of the body.
    ResetDuring,
    /// After it was done, before the answer.
    ResetAfter,
    /// After it was done, in the middle of the answer.
    Truncated,
    /// After it was done, a page of some proxy's.
    Html,
    /// The token is not good any more.
    Expired,
    /// No answer at all.
    Silence,
}

/// How the operation that makes a version goes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Course {
    #[default]
    Well,
    Fails,
    Sticks,
    /// The operation is forgotten; the version is made.
    Vanishes,
    /// The operation is forgotten, and there is no version.
    VanishesWithAll,
    /// Done, but the version is not active.
    Obsolete,
    /// Forgotten, and the version takes its time.
    VanishesEarly,
}

#[derive(Default)]
pub struct State {
    pub functions: BTreeMap<String, String>,
    pub versions: Vec<Value>,
    /// Tag, version, newest last.
    pub history: Vec<(String, String)>,
    pub bindings: Vec<Value>,
    pub objects: BTreeMap<String, Vec<u8>>,
    /// Method and path of every request.
    pub requests: Vec<String>,
    /// The bodies of the requests that made versions.
    pub creates: Vec<Value>,
    pub tokens: BTreeSet<String>,
    pub exchanges: Vec<Value>,
    /// Method and path (with a star at the end: the beginning of one), how often more, and what then.
    pub faults: Vec<(String, u32, Fault)>,
    pub course: Course,
    pub ignores_keys: bool,
    /// Faults that begin once a version was begun.
    pub later: Vec<(String, u32, Fault)>,
    /// How many lists more do not have a new version yet.
    pub hides: usize,
    /// What a call gives: status and body.
    pub answer: (u16, String),
    /// How long a token lasts.
    pub lifetime: Duration,
    pub calls: Vec<String>,
    pub operations: BTreeMap<String, Value>,
    pub keys: BTreeMap<String, Value>,
    serial: u32,
}

impl State {
    pub fn tag(&self, tag: &str) -> Option<&str> {
        let has = |version: &&Value| version["tags"].as_array().unwrap().contains(&json!(tag));
        self.versions.iter().find(has).map(|version| version["id"].as_str().unwrap())
    }

    /// Requests that change something.
    pub fn changes(&self) -> Vec<&String> {
        self.requests.iter().filter(|line| !line.starts_with("GET") && !line.contains("/iam/")).collect()
    }

    pub fn id(&mut self, start: &str) -> String {
        self.serial += 1;
        format!("{start}{:017}", self.serial)
    }

    pub fn move_tag(&mut self, tag: &str, to: &str) {
        for version in &mut self.versions {
            let tags = version["tags"].as_array_mut().unwrap();
            tags.retain(|own| own != tag);
        }
        let version = self.versions.iter_mut().find(|version| version["id"] == to).unwrap();
        version["tags"].as_array_mut().unwrap().push(json!(tag));
        self.history.push((tag.to_owned(), to.to_owned()));
    }
}

pub struct Server {
    pub state: Arc<Mutex<State>>,
    pub url: String,
    /// The certificate in PEM, with TLS.
    pub certificate: Option<String>,
}

impl Server {
    pub fn start(tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            answer: (200, json!({ "statusCode": 200, "body": "{}" }).to_string()),
            lifetime: Duration::from_secs(43_200),
            tokens: BTreeSet::from([TOKEN.to_owned()]),
            ..State::default()
        }));
        let (config, certificate) = if tls {
            let made =
                rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
            let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
            let config = rustls::ServerConfig::builder_with_provider(Arc::new(
                rustls::crypto::ring::default_provider(),
            ))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
            (Some(Arc::new(config)), Some(made.cert.pem()))
        } else {
            (None, None)
        };
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, config) = (Arc::clone(&shared), config.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    match config {
                        None => converse(stream, &state),
                        Some(config) => {
                            let session = rustls::ServerConnection::new(config).unwrap();
                            converse(rustls::StreamOwned::new(session, stream), &state);
                        }
                    }
                });
            }
        });
        let scheme = if tls { "https" } else { "http" };
        Self { state, url: format!("{scheme}://{address}"), certificate }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next `times` requests of that method and path go wrong.
    pub fn fault(&self, wanted: &str, times: u32, fault: Fault) {
        self.state().faults.push((wanted.to_owned(), times, fault));
    }
}

/// The token that the server knows from the start. It looks like none on purpose.
pub const TOKEN: &str = "first-secret-of-the-test-0001";

pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// Answers requests until the connection ends or a fault ends it.
fn converse(stream: impl Read + Write, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            match stream.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => head.push_str(&line),
            }
        }
        let mut lines = head.lines();
        let first: Vec<_> = lines.next().unwrap().split(' ').map(str::to_owned).collect();
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let (path, query) = first[1].split_once('?').unwrap_or((&first[1], ""));
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let line = format!("{} {path}", first[0]);
        let fault = {
            let mut state = state.lock().unwrap();
            state.requests.push(line.clone());
            let fault = state.faults.iter_mut().find(|(wanted, times, _)| {
                let matches =
                    wanted.strip_suffix('*').map_or(line == *wanted, |start| line.starts_with(start));
                *times > 0 && matches
            });
            fault.map(|(_, times, fault)| {
                *times -= 1;
                fault.clone()
            })
        };
        if fault == Some(Fault::ResetBefore) {
            return;
        }
        if fault == Some(Fault::Silence) {
            std::thread::sleep(Duration::from_secs(30));
            return;
        }
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; if fault == Some(Fault::ResetDuring) { length / 2 } else { length }];
        stream.read_exact(&mut body).unwrap();
        if fault == Some(Fault::ResetDuring) {
            return;
        }
        let asked = Asked { method: first[0].clone(), path: path.to_owned(), query, headers, body };
        let is_head = asked.method == "HEAD";
        let mut extra = String::new();
        let (status, answer) = match &fault {
            Some(Fault::Status(status, wait)) => {
                if let Some(value) = wait {
                    let name = if (300..400).contains(status) { "Location" } else { "Retry-After" };
                    extra = format!("{name}: {value}\r\n");
                }
                (*status, error(14, "try again later").to_string().into_bytes())
            }
            Some(Fault::Expired) => {
                let mut state = state.lock().unwrap();
                let token = asked.headers["authorization"].strip_prefix("Bearer ").unwrap().to_owned();
                state.tokens.remove(&token);
                (401, error(16, "the token has expired").to_string().into_bytes())
            }
            _ => answer(&asked, &mut state.lock().unwrap()),
        };
        let mut kind = "application/json";
        let (status, answer) = match fault {
            Some(Fault::ResetAfter) => return,
            Some(Fault::BrokenAfter) => (500, error(13, "internal error").to_string().into_bytes()),
            Some(Fault::Html) => {
                kind = "text/html";
                (200, b"<html><body>Please log in to the network</body></html>".to_vec())
            }
            _ => (status, answer),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nX-Request-Id: request-42\r\nX-Server-Trace-Id: trace-42\r\n{extra}\r\n",
            answer.len()
        );
        let mut bytes = head.into_bytes();
        if !is_head {
            bytes.extend(&answer);
        }
        if fault == Some(Fault::Truncated) {
            bytes.truncate(bytes.len() - answer.len() / 2 - 1);
            let _ = stream.get_mut().write_all(&bytes);
            let _ = stream.get_mut().flush();
            return;
        }
        if stream.get_mut().write_all(&bytes).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}
