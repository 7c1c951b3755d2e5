//! The cloud, as far as `deploy` sees it: a real server on a port of this machine, with and without TLS,
//! that keeps functions, versions, tags and objects, and plays the faults that it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What happens to a request instead of the right answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Refused with this status, nothing done. The text is the value of Retry-After.
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
    operations: BTreeMap<String, Value>,
    keys: BTreeMap<String, Value>,
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

    fn id(&mut self, start: &str) -> String {
        self.serial += 1;
        format!("{start}{:017}", self.serial)
    }

    fn move_tag(&mut self, tag: &str, to: &str) {
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

struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
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
                if let Some(wait) = wait {
                    extra = format!("Retry-After: {wait}\r\n");
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

fn error(code: u32, message: &str) -> Value {
    json!({ "code": code, "message": message, "details": [{ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "request-42" }] })
}

fn answer(asked: &Asked, state: &mut State) -> (u16, Vec<u8>) {
    if asked.path == "/computeMetadata/v1/instance/service-accounts/default/token" {
        assert_eq!(asked.headers["metadata-flavor"], "Google");
        let token = json!({ "access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer" });
        return (200, token.to_string().into_bytes());
    }
    if asked.path == "/iam/v1/tokens" {
        let (status, value) = exchange(asked, state);
        return (status, value.to_string().into_bytes());
    }
    let token = asked.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if !token.is_some_and(|token| state.tokens.contains(token)) {
        return (401, error(16, "the token is unknown").to_string().into_bytes());
    }
    if asked.path.starts_with("/bucket/") {
        return object(asked, state);
    }
    if asked.path.starts_with("/d4e") {
        state.calls.push(format!(
            "{}?{:?} {}",
            asked.path,
            asked.query,
            String::from_utf8_lossy(&asked.body)
        ));
        return (state.answer.0, state.answer.1.clone().into_bytes());
    }
    let key = asked.headers.get("idempotency-key").cloned();
    if asked.method == "POST" {
        assert!(key.as_ref().is_some_and(|key| key.len() == 36), "a change without a key");
        if let Some(operation) = key.as_ref().and_then(|key| state.keys.get(key))
            && !state.ignores_keys
        {
            return (200, operation.to_string().into_bytes());
        }
    }
    let (status, value) = api(asked, state);
    if let Some(key) = key.filter(|_| status == 200) {
        state.keys.insert(key, value.clone());
    }
    (status, value.to_string().into_bytes())
}

fn object(asked: &Asked, state: &mut State) -> (u16, Vec<u8>) {
    match asked.method.as_str() {
        "HEAD" => match state.objects.get(&asked.path) {
            Some(bytes) => (200, bytes.clone()),
            None => (404, Vec::new()),
        },
        "PUT" => {
            state.objects.insert(asked.path.clone(), asked.body.clone());
            (200, Vec::new())
        }
        _ => (405, Vec::new()),
    }
}

/// Checks the signature as the token service would, with the public half of the test's key.
fn exchange(asked: &Asked, state: &mut State) -> (u16, Value) {
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    if let Some(jwt) = body["jwt"].as_str() {
        let (message, signature) = jwt.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = ring::signature::RsaKeyPair::from_pkcs8(&super::key_der()).unwrap();
        let public = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PSS_2048_8192_SHA256,
            key.public().as_ref().to_vec(),
        );
        public.verify(message.as_bytes(), &signature).unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let part = |text| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
        assert_eq!(part(header), json!({ "typ": "JWT", "alg": "PS256", "kid": "ajekey" }));
        let claims = part(claims);
        assert_eq!(claims["aud"], "https://iam.api.cloud.yandex.net/iam/v1/tokens");
        assert_eq!(claims["iss"], "ajeaccount");
        let (from, until) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert!(from.abs_diff(now) < 60 && until > from && until - from <= 3600);
    } else {
        assert_eq!(body["yandexPassportOauthToken"], "y0_oauth-secret-of-the-test");
    }
    state.exchanges.push(body);
    let token = format!("exchanged-secret-of-the-test-{:04}", state.exchanges.len());
    state.tokens.insert(token.clone());
    (
        200,
        json!({ "iamToken": token, "expiresAt": humantime::format_rfc3339_nanos(SystemTime::now() + state.lifetime).to_string() }),
    )
}

fn api(asked: &Asked, state: &mut State) -> (u16, Value) {
    let path = asked.path.strip_prefix("/functions/v1/").unwrap_or(&asked.path).to_owned();
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let missing = || (404, error(5, "not found"));
    match (asked.method.as_str(), path.as_str()) {
        ("GET", "functions") => {
            assert_eq!(asked.query["folderId"], "b1gfolder");
            let wanted = asked.query["filter"].strip_prefix("name=\"").unwrap().trim_end_matches('"');
            let found: Vec<_> =
                state.functions.iter().filter(|(name, _)| *name == wanted).map(function).collect();
            (200, json!({ "functions": found }))
        }
        ("POST", "functions") => {
            let name = body["name"].as_str().unwrap().to_owned();
            if state.functions.contains_key(&name) {
                return (409, error(6, "a function of that name exists"));
            }
            let id = state.id("d4e");
            state.functions.insert(name, id.clone());
            (200, operation(state, json!({ "functionId": id }), true))
        }
        ("GET", "versions") => {
            // Two a page, so that pages are followed.
            let from: usize = asked.query.get("pageToken").map_or(0, |token| token.parse().unwrap());
            let hidden = state.hides > 0 && !state.creates.is_empty();
            state.hides -= usize::from(hidden);
            let known = state.versions.len() - usize::from(hidden);
            let versions: Vec<_> = state.versions[..known].iter().skip(from).take(2).collect();
            let mut answer = json!({ "versions": versions });
            if from + 2 < known {
                answer["nextPageToken"] = json!((from + 2).to_string());
            }
            (200, answer)
        }
        ("POST", "versions") => create(body, state),
        _ if path.starts_with("operations/") || path.starts_with("/operations/") => {
            let id = path.rsplit('/').next().unwrap();
            match state.operations.get_mut(id) {
                None => missing(),
                Some(operation) => {
                    let now = operation.clone();
                    if operation["sticks"].is_null() {
                        operation["done"] = json!(true);
                    }
                    (200, now)
                }
            }
        }
        ("GET", _) if path.starts_with("versions/") => {
            let id = path.rsplit('/').next().unwrap();
            state
                .versions
                .iter()
                .find(|version| version["id"] == id)
                .map_or_else(missing, |version| (200, version.clone()))
        }
        ("POST", _) if path.ends_with(":setTag") || path.ends_with(":removeTag") => {
            let (id, verb) = path.strip_prefix("versions/").unwrap().split_once(':').unwrap();
            let tag = body["tag"].as_str().unwrap();
            if verb == "setTag" {
                state.move_tag(tag, id);
            } else {
                let version = state.versions.iter_mut().find(|version| version["id"] == id).unwrap();
                version["tags"].as_array_mut().unwrap().retain(|own| own != tag);
            }
            (200, operation(state, json!({ "functionVersionId": id }), true))
        }
        ("GET", _) if path.ends_with(":tagHistory") => {
            let records: Vec<_> = state
                .history
                .iter()
                .enumerate()
                .filter(|(_, (tag, _))| *tag == asked.query["tag"])
                .map(|(at, (tag, id))| json!({ "tag": tag, "functionVersionId": id, "effectiveFrom": format!("2026-01-01T00:{at:02}:00Z") }))
                .collect();
            (200, json!({ "functionTagHistoryRecord": records }))
        }
        ("GET", _) if path.ends_with(":listAccessBindings") => {
            (200, json!({ "accessBindings": state.bindings }))
        }
        ("POST", _) if path.ends_with(":updateAccessBindings") => {
            for delta in body["accessBindingDeltas"].as_array().unwrap() {
                let binding = delta["accessBinding"].clone();
                match delta["action"].as_str().unwrap() {
                    "ADD" => state.bindings.push(binding),
                    _ => state.bindings.retain(|own| *own != binding),
                }
            }
            (200, operation(state, json!({}), true))
        }
        _ => missing(),
    }
}

fn function((name, id): (&String, &String)) -> Value {
    json!({ "id": id, "name": name, "httpInvokeUrl": format!("https://functions.yandexcloud.net/{id}"), "status": "ACTIVE" })
}

fn operation(state: &mut State, metadata: Value, done: bool) -> Value {
    let id = state.id("op");
    let operation = json!({ "id": id, "done": done, "metadata": metadata });
    state.operations.insert(id, operation.clone());
    operation
}

fn create(mut body: Value, state: &mut State) -> (u16, Value) {
    state.creates.push(body.clone());
    let later = std::mem::take(&mut state.later);
    state.faults.extend(later);
    let id = state.id("d4v");
    let fields = body.as_object_mut().unwrap();
    let tags: Vec<_> = fields.remove("tag").unwrap().as_array().unwrap().clone();
    if let Some(content) = fields.remove("content") {
        let bytes = STANDARD.decode(content.as_str().unwrap()).unwrap();
        assert!(bytes.len() <= 3_670_016 && bytes.starts_with(b"PK"));
    } else if let Some(package) = fields.remove("package") {
        assert_eq!(package["bucketName"], "bucket");
        let bytes = &state.objects[&format!("/bucket/{}", package["objectName"].as_str().unwrap())];
        let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(package["sha256"], sha256.as_str());
    } else {
        assert!(fields.remove("versionId").is_some());
    }
    body["id"] = json!(id);
    body["tags"] = json!([]);
    body["createdAt"] = json!(format!("2026-01-01T00:00:{:02}Z", state.versions.len()));
    body["status"] = json!(if state.course == Course::Obsolete { "OBSOLETE" } else { "ACTIVE" });
    let mut begun = operation(state, json!({ "functionVersionId": id }), false);
    let operation_id = begun["id"].as_str().unwrap().to_owned();
    let made = !matches!(state.course, Course::Fails | Course::VanishesWithAll | Course::Sticks);
    if made {
        state.versions.push(body);
        for tag in tags.iter().map(|tag| tag.as_str().unwrap()).chain(["$latest"]) {
            state.move_tag(tag, &id);
        }
    }
    match state.course {
        Course::Fails => {
            begun["error"] = json!({ "code": 3, "message": "npm failed. Logs: https://storage.yandexcloud.net/build-logs/abc?x=1", "details": [{ "requestId": "request-7" }] });
        }
        Course::Sticks => begun["sticks"] = json!(true),
        Course::Vanishes | Course::VanishesWithAll => {
            state.operations.remove(&operation_id);
            return (200, begun);
        }
        Course::Well | Course::Obsolete => {}
    }
    let answer = json!({ "id": begun["id"], "done": false, "metadata": begun["metadata"] });
    state.operations.insert(operation_id, begun);
    (200, answer)
}

/// A proxy that tunnels (RFC 9110, CONNECT), and how often it did.
pub fn proxy() -> (String, Arc<AtomicUsize>) {
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
