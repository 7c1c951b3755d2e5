//! The metadata service of 169.254.169.254: an identity and a fault to play in, tokens over HTTP on a
//! port of this machine out.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::identity::Identity;
use crate::model::finding::{self, Result};

const TOKEN_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const FLAVOR: &str = "metadata-flavor";

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

/// A running service. Dropped, it stops.
#[derive(Debug)]
pub struct Metadata {
    pub port: u16,
    task: JoinHandle<()>,
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
    pub async fn start(identity: Identity, fault: Option<Fault>) -> Result<Self> {
        let failed = |error: std::io::Error| {
            finding::IO.finding("could not open a port for the metadata service").why(error.to_string())
        };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let service = Arc::new(Service { identity, fault, answers: AtomicU32::new(0) });
        let router = Router::new().fallback(answer).with_state(service);
        let task = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, task })
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        self.task.abort();
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
    if method != Method::GET || uri.path() != TOKEN_PATH || service.fault == Some(Fault::Disabled) {
        return reply(StatusCode::NOT_FOUND, "text/plain", String::new());
    }
    // What the service says without this header is in no source; refusing is what the header is for.
    if headers.get(FLAVOR).is_none_or(|flavor| flavor != "Google") {
        let text = "the header `Metadata-Flavor: Google` is missing".to_owned();
        return reply(StatusCode::FORBIDDEN, "text/plain", text);
    }
    let count = service.answers.fetch_add(1, Ordering::Relaxed);
    let document = match service.fault {
        Some(Fault::Rotate) if service.identity != Identity::None => Identity::Fake.document(count + 1),
        _ => service.identity.document(1),
    };
    match document {
        None => reply(StatusCode::NOT_FOUND, "text/plain", String::new()),
        Some(mut document) => {
            if service.fault == Some(Fault::Expired) {
                document["expires_in"] = 0.into();
            }
            reply(StatusCode::OK, "application/json", document.to_string())
        }
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
