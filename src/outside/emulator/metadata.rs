//! The metadata service of 169.254.169.254: an identity and a fault to play in, tokens over HTTP on a
//! port out.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;

use super::identity::Identity;
use crate::model::event::host::is_meant;
use crate::model::event::metadata::{Found, find};
use crate::model::finding::{self, Result};

const FLAVOR: &str = "metadata-flavor";
const JSON: &str = "application/json";

/// What the service does instead of answering well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The token has no time left.
    Expired,
    /// Every answer comes late.
    Slow(Duration),
    Status(u16),
    /// Every answer has another token.
    Rotate,
    /// The version's metadata options switch the service off.
    Disabled,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "expired" => Ok(Self::Expired),
            "404" => Ok(Self::Status(404)),
            "500" => Ok(Self::Status(500)),
            "rotate" => Ok(Self::Rotate),
            "disabled" => Ok(Self::Disabled),
            _ => text
                .strip_prefix("slow=")
                .and_then(|seconds| seconds.parse().ok())
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .map(Self::Slow)
                .ok_or_else(|| "it is expired, slow=SECONDS, 404, 500, rotate or disabled".to_owned()),
        }
    }
}

/// The service of one function, at a port of this machine. Dropped, it does not answer.
pub struct Metadata {
    port: u16,
    serving: JoinHandle<()>,
}

struct Service {
    identity: Identity,
    fault: Option<Fault>,
    answers: AtomicU32,
}

impl Metadata {
    /// Call it inside a tokio runtime.
    ///
    /// # Errors
    /// [`finding::IO`] when this machine has no port left.
    pub fn open(identity: Identity, fault: Option<Fault>) -> Result<Self> {
        let service = Arc::new(Service { identity, fault, answers: AtomicU32::new(0) });
        Self::serve(service).map_err(|error| {
            finding::IO.finding("could not open a port for the metadata service").why(error.to_string())
        })
    }

    fn serve(service: Arc<Service>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let router = Router::new().fallback(answer).with_state(service);
        let serving = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, serving })
    }

    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match service.fault {
        Some(Fault::Slow(delay)) => tokio::time::sleep(delay).await,
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return reply(status, "text/plain", String::new());
        }
        _ => {}
    }
    let missing = || reply(StatusCode::NOT_FOUND, "text/plain", String::new());
    let is_here = uri.path() == "/" || uri.path().starts_with("/computeMetadata");
    if method != Method::GET || !is_here || service.fault == Some(Fault::Disabled) {
        return missing();
    }
    // A name that a web page has made lead here. Programs of the function ask for an address.
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    if host.is_some_and(|host| !is_meant(host, Ipv4Addr::UNSPECIFIED.into())) {
        return reply(StatusCode::FORBIDDEN, "text/plain", "the header `Host` is no address".to_owned());
    }
    // What the service says without this header is in no source; refusing is what the header is for.
    if headers.get(FLAVOR).is_none_or(|flavor| flavor != "Google") {
        let text = "the header `Metadata-Flavor: Google` is missing".to_owned();
        return reply(StatusCode::FORBIDDEN, "text/plain", text);
    }
    let has_account = service.identity != Identity::None;
    let Some(found) = find(uri.path(), uri.query().unwrap_or_default(), has_account) else {
        return missing();
    };
    match found {
        Found::Token => service.token().map_or_else(missing, |token| reply(StatusCode::OK, JSON, token)),
        Found::Json(text) => reply(StatusCode::OK, JSON, text),
        Found::Text(text) => reply(StatusCode::OK, "text/plain", text),
    }
}

impl Service {
    fn token(&self) -> Option<String> {
        let count = self.answers.fetch_add(1, Ordering::Relaxed);
        let mut document = match self.fault {
            Some(Fault::Rotate) if self.identity != Identity::None => Identity::Fake.document(count + 1),
            _ => self.identity.document(1),
        }?;
        if self.fault == Some(Fault::Expired) {
            document["expires_in"] = 0.into();
        }
        Some(document.to_string())
    }
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let headers = [(header::CONTENT_TYPE, content_type), (header::HeaderName::from_static(FLAVOR), "Google")];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        assert_eq!("slow=1.5".parse(), Ok(Fault::Slow(Duration::from_millis(1500))));
        assert_eq!("rotate".parse(), Ok(Fault::Rotate));
        for wrong in ["", "slow", "slow=-1", "slow=NaN", "403"] {
            assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
        }
    }
}
