//! One HTTP request in; the answer, or what is known of its fate, out. Nothing is repeated here.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::config::Config;
use ureq::http::{self, HeaderMap, Method};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Timeout};

use crate::model::cloud::answer::Refusal;
use crate::model::cloud::retry::retry_after;
use crate::model::cloud::token::Secret;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the other side may take not a byte.
const STALL: Duration = Duration::from_secs(30);
/// A clock cannot count on for as long as a person can ask for.
const LONGEST_PATIENCE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Answers are small; a function's is 3.5 MB at most.
const ANSWER_LIMIT: u64 = 16 << 20;

/// What to send.
pub struct Request<'a> {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(&'a str, String)>,
    pub token: Option<&'a Secret>,
    pub body: Body<'a>,
    /// How long the answer may take to begin, and from there to end.
    pub patience: Duration,
}

#[derive(Clone, Copy)]
pub enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    /// Streamed.
    File(&'a Path),
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// Why there is no success.
#[derive(Debug)]
pub enum Fault {
    /// It cannot work, however often it is tried.
    Impossible(String),
    /// The server has not seen the request.
    Unsent(String),
    /// The server may have done what was asked; its answer did not arrive whole.
    Lost(String),
    /// The server says that it did nothing yet (429).
    Busy(Refusal, Option<Duration>),
    /// The server failed (5xx), perhaps after it did what was asked.
    Broken(Refusal, Option<Duration>),
    /// The server will not do it.
    Refused(Refusal),
}

pub struct Wire {
    agent: Agent,
}

impl Wire {
    pub fn new() -> Self {
        Self { agent: agent(Config::builder()) }
    }

    /// For addresses of the machine's own, which no proxy knows.
    pub fn direct() -> Self {
        Self { agent: agent(Config::builder().proxy(None)) }
    }

    /// Sends once; anything but success is a fault.
    pub fn send(&self, request: &Request<'_>) -> Result<Answer, Fault> {
        judge(self.exchange(request)?)
    }

    /// Sends once; whatever comes back is the answer.
    pub fn exchange(&self, request: &Request<'_>) -> Result<Answer, Fault> {
        match request.body {
            Body::None => self.send_body(request, ()),
            Body::Bytes(bytes) => self.send_body(request, bytes),
            Body::File(path) => {
                let file = File::open(path).map_err(|error| {
                    Fault::Impossible(format!("could not read `{}`: {error}", path.display()))
                })?;
                self.send_body(request, &file)
            }
        }
    }

    fn send_body(&self, request: &Request<'_>, body: impl AsSendBody) -> Result<Answer, Fault> {
        let mut built = http::Request::builder().method(&request.method).uri(&request.url);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        if let Some(token) = request.token {
            built = built.header("Authorization", format!("Bearer {}", token.expose()));
        }
        let built = built.body(body).map_err(|error| Fault::Impossible(error.to_string()))?;
        let patience = request.patience.min(LONGEST_PATIENCE);
        let built = self
            .agent
            .configure_request(built)
            .timeout_recv_response(Some(patience))
            .timeout_recv_body(Some(patience))
            .build();
        let response = self.agent.run(built).map_err(|error| fault(&error))?;
        let (parts, mut body) = response.into_parts();
        let read = body.with_config().limit(ANSWER_LIMIT).read_to_vec();
        let body = read.map_err(|error| Fault::Lost(format!("the answer broke off: {}", text(&error))))?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn agent(config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>) -> Agent {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    config
        .tls_config(tls)
        .http_status_as_error(false)
        // A token follows nobody to another place.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("fnscaffold/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_send_request(Some(STALL))
        .timeout_per_write(Some(STALL))
        .build()
        .new_agent()
}

fn judge(answer: Answer) -> Result<Answer, Fault> {
    let wait = answer.header("retry-after").and_then(|value| retry_after(value, SystemTime::now()));
    let refusal = || {
        let ids = (answer.header("x-request-id"), answer.header("x-server-trace-id"));
        Refusal::of_answer(answer.status, &answer.body, ids.0, ids.1)
    };
    match answer.status {
        200..=299 => Ok(answer),
        408 => Err(Fault::Lost("the server gave up waiting for the request (HTTP 408)".to_owned())),
        429 => Err(Fault::Busy(refusal(), wait)),
        500 | 502..=504 => Err(Fault::Broken(refusal(), wait)),
        _ => Err(Fault::Refused(refusal())),
    }
}

fn fault(error: &ureq::Error) -> Fault {
    let told = text(error);
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Fault::Unsent(told),
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable => Fault::Unsent(told),
            // What rustls finds wrong with a certificate stays wrong.
            ErrorKind::InvalidData => Fault::Impossible(told),
            _ => Fault::Lost(told),
        },
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Fault::Lost(told),
        ureq::Error::ConnectProxyFailed(_) => Fault::Unsent(told),
        _ => Fault::Impossible(told),
    }
}

fn text(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => io_text(error),
        ureq::Error::Timeout(which) => format!("no answer in time ({which})"),
        ureq::Error::HostNotFound => "the host's name is not known".to_owned(),
        other => other.to_string(),
    }
}

fn io_text(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            "the connection was closed in the middle".to_owned()
        }
        _ => error.to_string(),
    }
}
