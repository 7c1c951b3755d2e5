//! The only room that talks to the cloud: requests that are repeated as far as that is safe. It prints
//! nothing; what goes on is told to whoever listens.

mod call;
mod functions;
mod identity;
mod jwt;
mod operation;
mod storage;
mod wire;

use std::cell::RefCell;
use std::env;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use ureq::http::Method;

pub use call::{Call, RAW, parse_method};
pub use functions::BindingChange;
pub use identity::Wanted;

use crate::model::cloud::answer::Refusal;
use crate::model::cloud::endpoint::{Endpoint, Service};
use crate::model::cloud::retry;
use crate::model::cloud::token::Secret;
use crate::model::event::redact::Redactor;
use crate::model::finding::{self, Finding, Result};
use crate::outside::clock;
use identity::{Identity, Renewal};
use wire::{Answer, Body, Fault, Request, Wire};

/// How to talk.
pub struct Manner<'a> {
    /// `--endpoint`; else YC_ENDPOINT, else the cloud.
    pub endpoint: Option<&'a str>,
    /// For the answer to one request.
    pub patience: Duration,
    /// For an operation of the cloud to end.
    pub wait: Duration,
    /// Told what goes on, a line that replaces the one before.
    pub progress: &'a dyn Fn(&str),
}

pub struct Cloud<'a> {
    wire: Wire,
    manner: Manner<'a>,
    endpoint: Endpoint,
    identity: RefCell<Identity>,
}

/// A request of the API.
struct Ask<'a> {
    service: Service,
    method: Method,
    path: String,
    body: Body<'a>,
    /// The same on every repetition: by it the cloud knows that it has seen the request.
    key: Option<String>,
    /// What to do, for messages: "could not ...".
    action: &'a str,
}

/// Why a request has no good answer.
enum Failure {
    Fault(Fault),
    Finding(Box<Finding>),
}

/// Why nothing came of making a version, and what is known of the cloud after it.
pub struct Setback {
    pub finding: Box<Finding>,
    pub trace: Trace,
}

/// What a request that failed left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    Nothing,
    Unknown,
    /// A version, of this id.
    Version(String),
}

impl From<Box<Finding>> for Setback {
    fn from(finding: Box<Finding>) -> Self {
        Self { finding, trace: Trace::Unknown }
    }
}

/// What became of a request that changes something.
enum Made<T> {
    Answered(Value),
    /// The answer was lost, but what it was to make is there.
    Found(T),
}

impl From<Box<Finding>> for Failure {
    fn from(finding: Box<Finding>) -> Self {
        Self::Finding(finding)
    }
}

impl<'a> Cloud<'a> {
    /// # Errors
    /// [`finding::ANSWER_INVALID`], [`finding::CREDENTIALS_MISSING`], [`finding::CREDENTIALS_INVALID`] and
    /// [`finding::IO`].
    pub fn connect(manner: Manner<'a>, wanted: &Wanted<'_>) -> Result<Self> {
        let variable = env::var("YC_ENDPOINT").unwrap_or_default();
        let endpoint = Endpoint::parse(manner.endpoint.unwrap_or(&variable))?;
        let identity = Identity::find(wanted)?;
        Ok(Self { wire: Wire::new(), manner, endpoint, identity: RefCell::new(identity) })
    }

    /// Where the credentials were found.
    pub fn caller(&self) -> String {
        self.identity.borrow().from.clone()
    }

    /// YC_FOLDER_ID, or the folder of yc's profile.
    pub fn folder_id(&self) -> Option<String> {
        let variable = env::var("YC_FOLDER_ID").ok().filter(|id| !id.is_empty());
        variable.or_else(|| self.identity.borrow().folder_id.clone())
    }

    /// Hides the credentials.
    pub fn redactor(&self) -> Redactor {
        self.identity.borrow().redactor()
    }

    fn progress(&self, text: &str) {
        (self.manner.progress)(text);
    }

    fn get(&self, service: Service, path: String, action: &str) -> Result<Value> {
        self.try_get(service, path, action).map_err(|failure| self.tell(failure, action))
    }

    fn try_get(&self, service: Service, path: String, action: &str) -> std::result::Result<Value, Failure> {
        self.repeat(&Ask { service, method: Method::GET, path, body: Body::None, key: None, action })
    }

    /// For requests that do no harm when they are done twice.
    fn post(&self, path: String, body: &Value, action: &str) -> Result<Value> {
        let bytes = body.to_string();
        let ask = Ask::post(path, bytes.as_bytes(), action);
        self.repeat(&ask).map_err(|failure| self.tell(failure, action))
    }

    /// Sends until there is an answer, or there will be none.
    fn repeat(&self, ask: &Ask<'_>) -> std::result::Result<Value, Failure> {
        let mut attempt = 1;
        loop {
            let fault = match self.attempt(ask) {
                Err(Failure::Fault(fault)) => fault,
                other => return other,
            };
            let Some(wait) = fault.wait(attempt) else { return Err(Failure::Fault(fault)) };
            self.progress(&format!("{}; once more in {}", fault.short(), seconds(wait)));
            sleep(wait);
            attempt += 1;
        }
    }

    /// As [`Self::repeat`], for a request that must not be done twice: where it may have been done, `look`
    /// is asked before it is sent again, and it is always the same request to the cloud, by its key.
    fn change<T>(
        &self,
        ask: &Ask<'_>,
        look: impl Fn() -> Result<Option<T>>,
    ) -> std::result::Result<Made<T>, Setback> {
        let mut attempt = 1;
        let mut trace = Trace::Nothing;
        loop {
            let fault = match self.attempt(ask) {
                Ok(answer) => return Ok(Made::Answered(answer)),
                Err(Failure::Fault(fault)) => fault,
                Err(Failure::Finding(finding)) => return Err(Setback { finding, trace }),
            };
            let wait = fault.wait(attempt);
            if let Some(wait) = wait {
                self.progress(&format!("{}; looking again in {}", fault.short(), seconds(wait)));
                sleep(wait);
            }
            if fault.may_be_done() {
                trace = Trace::Unknown;
                match look() {
                    Ok(Some(found)) => return Ok(Made::Found(found)),
                    Err(finding) if wait.is_some() => return Err(Setback { finding, trace }),
                    Ok(None) | Err(_) => {}
                }
            }
            if wait.is_none() {
                return Err(Setback { finding: self.tell(Failure::Fault(fault), ask.action), trace });
            }
            attempt += 1;
        }
    }

    /// Sends once, twice when the token had run out.
    fn attempt(&self, ask: &Ask<'_>) -> std::result::Result<Value, Failure> {
        let mut token = if ask.service == Service::Tokens { None } else { Some(self.token()?) };
        let mut sent = self.send(ask, token.as_ref());
        if let Err(Fault::Refused(Refusal { status: Some(401), .. })) = sent
            && token.is_some()
            && self.identity.borrow_mut().renounce()
        {
            token = Some(self.token()?);
            sent = self.send(ask, token.as_ref());
        }
        let answer = sent.map_err(Failure::Fault)?;
        if ask.service == Service::Storage {
            let length = answer.header("content-length").map(Value::from);
            return Ok(length.unwrap_or_default());
        }
        serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object).ok_or_else(|| {
            let kind = answer.header("content-type").unwrap_or("no content type");
            Failure::Fault(Fault::Lost(format!("the answer is not the API's JSON but {kind}")))
        })
    }

    fn send(&self, ask: &Ask<'_>, token: Option<&Secret>) -> std::result::Result<Answer, Fault> {
        let mut headers = Vec::new();
        if let Some(key) = &ask.key {
            headers.push(("Idempotency-Key", key.clone()));
        }
        match ask.body {
            Body::None => {}
            Body::Bytes(_) => headers.push(("Content-Type", "application/json".to_owned())),
            Body::File(_) => headers.push(("Content-Type", "application/zip".to_owned())),
        }
        self.wire.send(&Request {
            method: ask.method.clone(),
            url: self.endpoint.url(ask.service, &ask.path),
            headers,
            token,
            body: ask.body,
            patience: self.manner.patience,
        })
    }

    fn token(&self) -> Result<Secret> {
        let renewal = self.identity.borrow_mut().renew()?;
        if let Renewal::Exchange(body) = renewal {
            let action = "exchange the credentials for an IAM token";
            let bytes = body.to_string();
            let ask = Ask {
                service: Service::Tokens,
                key: None,
                ..Ask::post("/iam/v1/tokens".to_owned(), bytes.as_bytes(), action)
            };
            let answer = self.repeat(&ask).map_err(|failure| self.tell(failure, action))?;
            self.identity.borrow_mut().take(&answer)?;
        }
        let identity = self.identity.borrow();
        identity.token().cloned().ok_or_else(|| {
            finding::CREDENTIALS_INVALID
                .finding(format!("{} gave no token", identity.from))
                .fix("`export YC_IAM_TOKEN=$(yc iam create-token)`")
        })
    }

    fn tell(&self, failure: Failure, action: &str) -> Box<Finding> {
        let fault = match failure {
            Failure::Finding(finding) => return finding,
            Failure::Fault(fault) => fault,
        };
        let redactor = self.redactor();
        match fault {
            Fault::Impossible(why) | Fault::Unsent(why) => unreachable(action, &redactor.text(&why)).fix(
                "check the network, HTTPS_PROXY, --endpoint (YC_ENDPOINT), and that the system's certificates, or those of SSL_CERT_FILE, have the server's root",
            ),
            Fault::Lost(why) => {
                unreachable(action, &redactor.text(&why)).fix("run it again; it looks before it repeats anything")
            }
            Fault::Busy(refusal, _) | Fault::Broken(refusal, _) | Fault::Refused(refusal) => {
                refusal.finding(&finding::CLOUD_REFUSED, action, &redactor)
            }
        }
    }
}

fn unreachable(action: &str, why: &str) -> Box<Finding> {
    finding::CLOUD_UNREACHABLE.finding(format!("could not {action}")).why(why)
}

impl<'a> Ask<'a> {
    fn post(path: String, body: &'a [u8], action: &'a str) -> Self {
        Self {
            service: Service::Functions,
            method: Method::POST,
            path,
            body: Body::Bytes(body),
            key: Some(clock::request_id()),
            action,
        }
    }
}

impl Fault {
    /// Before the next attempt; none when there should be no other.
    fn wait(&self, attempt: u32) -> Option<Duration> {
        match self {
            Self::Impossible(_) | Self::Refused(_) => None,
            Self::Unsent(_) | Self::Lost(_) => retry::wait(attempt, None),
            Self::Busy(_, asked) | Self::Broken(_, asked) => retry::wait(attempt, *asked),
        }
    }

    fn may_be_done(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Broken(..) => true,
            // Perhaps by the attempt before.
            Self::Refused(refusal) => refusal.exists_already(),
            Self::Impossible(_) | Self::Unsent(_) | Self::Busy(..) => false,
        }
    }

    fn short(&self) -> String {
        match self {
            Self::Impossible(why) | Self::Unsent(why) | Self::Lost(why) => why.clone(),
            Self::Busy(refusal, _) | Self::Broken(refusal, _) | Self::Refused(refusal) => {
                format!("HTTP {}", refusal.status.unwrap_or_default())
            }
        }
    }
}

fn seconds(wait: Duration) -> String {
    format!("{:.1} s", wait.as_secs_f64())
}
