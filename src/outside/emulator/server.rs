//! Functions and an address in, their answers over HTTP out, until someone asks to stop.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header, request, response};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::manner::{Manner, Place, Told};
use super::served::{Ids, Served, ids};
use super::watch::Watch;
use crate::model::event::PAYLOAD_LIMIT;
use crate::model::event::host;
use crate::model::event::http::{Request, Route, receive};
use crate::model::event::response::Response;
use crate::model::finding::{self, Finding, Result};
use crate::outside::{clock, interrupt};

/// What is read of a body that is too large, so that its sender gets to reading the answer.
const PATIENCE: usize = 64 << 20;

/// How long requests that are being answered are waited for at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Every function, and where they are reached.
struct Functions {
    served: Vec<Arc<Served>>,
    address: SocketAddr,
}

/// Serves the functions until a signal comes. `listening` is told where, and the functions' names and
/// runtimes.
///
/// # Errors
/// What keeps the server from being started.
pub fn serve(
    places: Vec<Place>,
    manner: Manner,
    address: SocketAddr,
    listening: impl FnOnce(SocketAddr, &[(&str, &str)]) -> Result<()>,
) -> Result<()> {
    let tokio = super::runtime()?;
    let (stop, mut stopping) = watch::channel(false);
    interrupt::hear(move || {
        let _ = stop.send(true);
    });
    let ended = tokio.block_on(async {
        tokio::select! {
            ended = run(places, Arc::new(manner), address, stopping.clone(), listening) => ended,
            () = asked_to_stop(&mut stopping, GRACE) => Ok(()),
        }
    });
    // npm may be at work.
    tokio.shutdown_timeout(Duration::from_secs(1));
    interrupt::sweep();
    ended
}

/// Waits for the signal, and then as long.
async fn asked_to_stop(stopping: &mut watch::Receiver<bool>, grace: Duration) {
    if stopping.wait_for(|stop| *stop).await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(grace).await;
}

async fn run(
    places: Vec<Place>,
    manner: Arc<Manner>,
    address: SocketAddr,
    mut stopping: watch::Receiver<bool>,
    listening: impl FnOnce(SocketAddr, &[(&str, &str)]) -> Result<()>,
) -> Result<()> {
    let listener = TcpListener::bind(address).await.map_err(|error| no_port(address, &error))?;
    let address = listener.local_addr().map_err(|error| no_port(address, &error))?;
    let opening = open_all(places, manner);
    let served = tokio::select! {
        served = opening => served?,
        () = asked_to_stop(&mut stopping, Duration::ZERO) => return Ok(()),
    };
    let facts: Vec<_> = served.iter().map(|served| (served.name.as_str(), served.runtime())).collect();
    listening(address, &facts)?;
    for served in &served {
        match Watch::new() {
            Ok(watch) => drop(tokio::spawn(Arc::clone(served).keep(watch))),
            Err(problem) => served.tell(Told::Problem(&problem)),
        }
    }
    let router = Router::new().fallback(answer).with_state(Arc::new(Functions { served, address }));
    // Small answers must not wait for the acknowledgement of the last one.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let asked = async move { asked_to_stop(&mut stopping, Duration::ZERO).await };
    axum::serve(listener, service)
        .with_graceful_shutdown(asked)
        .await
        .map_err(|error| finding::IO.finding("the server ended").why(error.to_string()))
}

async fn open_all(places: Vec<Place>, manner: Arc<Manner>) -> Result<Vec<Arc<Served>>> {
    let mut all = Vec::<Arc<Served>>::new();
    for place in places {
        let (manner, handle) = (Arc::clone(&manner), tokio::runtime::Handle::current());
        let opening = tokio::task::spawn_blocking(move || Served::open(place, manner, &handle));
        let served = opening.await.map_err(|error| {
            finding::IO.finding("a function could not be prepared").why(error.to_string())
        })??;
        if all.iter().any(|other| other.name == served.name) {
            return Err(finding::USAGE
                .finding(format!("two of the directories hold a function called `{}`", served.name))
                .why("each is served under its name")
                .fix("rename one of them in its function.toml"));
        }
        all.push(Arc::new(served));
    }
    Ok(all)
}

fn no_port(address: SocketAddr, error: &std::io::Error) -> Box<Finding> {
    use std::io::ErrorKind;
    let is_port = matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied);
    finding::io(format!("could not listen at {address}"), error).fix(if is_port {
        "`--port 0` takes any port that is free"
    } else {
        "`--host` takes an address that this machine has"
    })
}

impl Functions {
    /// The function that a path leads to, and the rest of the path.
    fn find<'a>(&self, path: &'a str) -> Option<(&Arc<Served>, &'a str)> {
        if let [only] = self.served.as_slice() {
            return Some((only, path));
        }
        let rest = path.strip_prefix('/').unwrap_or(path);
        let end = rest.find('/').unwrap_or(rest.len());
        let served = self.served.iter().find(|served| served.name == rest[..end])?;
        Some((served, &rest[end..]))
    }

    fn names(&self) -> String {
        self.served.iter().map(|served| format!("/{}", served.name)).collect::<Vec<_>>().join(", ")
    }
}

async fn answer(
    State(functions): State<Arc<Functions>>,
    ConnectInfo(source): ConnectInfo<SocketAddr>,
    request: request::Request<Body>,
) -> response::Response<Body> {
    let (head, body) = request.into_parts();
    let ids = ids();
    let host = asked_host(&head);
    if !host.is_some_and(|host| host::is_meant(host, functions.address.ip())) {
        let message = format!(
            "the request's host is `{}`: web pages can make names of their own lead here and read what a \
             function answers, so only this machine's are answered; call http://{}, or listen at another \
             address with --host",
            host.unwrap_or_default(),
            functions.address
        );
        return sent(Response::refusal(403, &message, &ids.request));
    }
    let path = head.uri.path();
    let Some((served, rest)) = functions.find(path) else {
        let message = format!("there is no function at `{path}`: there are {}", functions.names());
        return sent(Response::refusal(404, &message, &ids.request));
    };
    let Some(body) = read(body).await else {
        return sent(Response::refusal(400, "the request has no end", &ids.request));
    };
    let request = read_head(&head, rest, body, source, &ids);
    let response = match receive(request).and_then(|call| served.admit(call, &ids)) {
        Ok(call) => Arc::clone(served).answer(call, ids).await,
        Err(response) => {
            let status = response.status;
            served.tell(Told::Refused { method: head.method.as_str(), path, status });
            response
        }
    };
    sent(response)
}

/// The one host that the request names.
fn asked_host(head: &request::Parts) -> Option<&str> {
    // A target with a host of its own outdoes the header.
    if let Some(authority) = head.uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = head.headers.get_all(header::HOST).iter();
    hosts.next().filter(|_| hosts.next().is_none())?.to_str().ok()
}

fn read_head(head: &request::Parts, path: &str, body: Vec<u8>, source: SocketAddr, ids: &Ids) -> Request {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Request {
        method: head.method.as_str().to_owned(),
        route: Route::Direct,
        path: path.to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body,
        source,
        request_id: ids.request.clone(),
        trace_id: ids.trace.clone(),
        epoch_seconds: clock::epoch_seconds(),
    }
}

/// A body, or as much of it as shows that it is too large; nothing when its sender broke off.
async fn read(body: Body) -> Option<Vec<u8>> {
    let mut body = pin!(body);
    let mut bytes = Vec::with_capacity(body.size_hint().lower().min(PAYLOAD_LIMIT as u64) as usize);
    let mut length = 0;
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        // Trailers are dropped, as the platform does.
        let Ok(data) = frame.ok()?.into_data() else { continue };
        length += data.len();
        let room = (PAYLOAD_LIMIT + 1).saturating_sub(bytes.len());
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if length > PATIENCE {
            break;
        }
    }
    Some(bytes)
}

fn sent(response: Response) -> response::Response<Body> {
    let mut sent = response::Response::new(Body::from(response.body));
    *sent.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in response.headers {
        // Both were checked when the envelope was read.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            sent.headers_mut().append(name, value);
        }
    }
    sent
}
