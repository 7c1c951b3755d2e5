//! What the cloud's hosts answer: a request in, the state changed, status and body out.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::server::{Asked, Course, State, TOKEN};

pub fn error(code: u32, message: &str) -> Value {
    json!({ "code": code, "message": message, "details": [{ "@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "request-42" }] })
}

pub fn answer(asked: &Asked, state: &mut State) -> (u16, Vec<u8>) {
    if asked.path == "/computeMetadata/v1/instance/service-accounts/default/token" {
        assert_eq!(asked.headers["metadata-flavor"], "Google");
        let lifetime = state.lifetime.as_secs();
        let token = json!({ "access_token": TOKEN, "expires_in": lifetime, "token_type": "Bearer" });
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
        let key = ring::signature::RsaKeyPair::from_pkcs8(&crate::scene::key_der()).unwrap();
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
            // A list that leads nowhere.
            (200, json!({ "functions": found, "nextPageToken": if found.is_empty() { "again" } else { "" } }))
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
            let Some(version) = state.versions.iter_mut().find(|version| version["id"] == id) else {
                return missing();
            };
            let now = version.clone();
            if version["status"] == "CREATING" {
                version["status"] = json!("ACTIVE");
            }
            (200, now)
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
    body["status"] = json!(match state.course {
        Course::Obsolete => "OBSOLETE",
        Course::VanishesEarly => "CREATING",
        _ => "ACTIVE",
    });
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
        Course::Vanishes | Course::VanishesEarly | Course::VanishesWithAll => {
            state.operations.remove(&operation_id);
            return (200, begun);
        }
        Course::Well | Course::Obsolete => {}
    }
    let answer = json!({ "id": begun["id"], "done": false, "metadata": begun["metadata"] });
    state.operations.insert(operation_id, begun);
    (200, answer)
}
