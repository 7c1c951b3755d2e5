//! Rows of the request's part of the contract, each in a test named after it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The documentation's sample: `curl -d "hello, world!" "https://HOST/ID?a=1&a=2&b=1"`.
fn sample() -> Request {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        method: "POST".to_owned(),
        route: Route::Direct,
        path: String::new(),
        query: "a=1&a=2&b=1".to_owned(),
        headers: vec![
            header("accept", "*/*"),
            header("content-length", "13"),
            header("content-type", "application/x-www-form-urlencoded"),
            header("host", "functions.yandexcloud.net"),
            header("user-agent", "curl/7.58.0"),
        ],
        body: b"hello, world!".to_vec(),
        source: "88.99.0.24:37310".parse().unwrap(),
        request_id: "cd0d12cd-c5f1-4348-9dff-c50a78f1eb79".to_owned(),
        trace_id: "92c5ad34-54f7-41df-a368-d4361bf376eb".to_owned(),
        epoch_seconds: 1_577_370_127,
    }
}

fn with_headers(headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request { headers, ..sample() }
}

fn with_query(query: &str) -> Request {
    Request { query: query.to_owned(), ..sample() }
}

fn refused(request: Request) -> (u16, Value) {
    let response = receive(request).unwrap_err();
    assert!(response.values("X-Request-Id").next().is_some());
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

// 6.2 Modes

#[test]
fn mode_default_hands_over_the_event() {
    let call = receive(sample()).unwrap();
    assert_eq!(call.integration, Integration::Http);
    assert_eq!(serde_json::from_slice::<Value>(&call.payload).unwrap(), sample().event());
}

#[test]
fn mode_raw_hands_over_the_body_untouched() {
    let body = b"\xff{not json".to_vec();
    let call = receive(Request { body: body.clone(), ..with_query("integration=raw") }).unwrap();
    assert_eq!(call, Call { integration: Integration::Raw, payload: body });
}

#[test]
fn mode_async_hands_over_the_body_untouched() {
    let call = receive(with_query("x=1&integration=async")).unwrap();
    assert_eq!(call, Call { integration: Integration::Async, payload: sample().body });
}

#[test]
fn mode_of_any_other_value_is_400() {
    for query in [
        "integration=http",
        "integration=RAW",
        "integration=",
        "integration",
        "integration=raw&integration=x",
    ] {
        let (status, body) = refused(with_query(query));
        assert_eq!((status, &body["errorCode"]), (400, &json!(400)), "{query}");
        assert_eq!(body["errorType"], "ProxyIntegrationError");
    }
    assert!(receive(with_query("integration=x&integration=raw")).is_ok());
    assert!(receive(with_query("Integration=x")).is_ok());
}

#[test]
fn path_of_a_direct_call_is_400() {
    let (status, body) = refused(Request { path: "/stuff/23".to_owned(), ..sample() });
    assert_eq!(status, 400);
    assert_eq!(body["errorMessage"], "Invalid functionID: /stuff/23");
    assert!(receive(Request { path: "/".to_owned(), ..sample() }).is_ok());
}

#[test]
fn path_through_a_gateway_reaches_the_handler() {
    let event = Request { path: "/stuff/23".to_owned(), route: Route::Gateway, ..sample() }.event();
    assert_eq!((&event["url"], &event["path"]), (&json!("/stuff/23"), &json!("/stuff/23")));
}

// 6.3 HTTP event

#[test]
fn event_is_that_of_the_documented_sample() {
    let headers = json!({
        "Accept": "*/*",
        "Content-Length": "13",
        "Content-Type": "application/x-www-form-urlencoded",
        "Host": "functions.yandexcloud.net",
        "User-Agent": "curl/7.58.0",
        "X-Forwarded-For": "88.99.0.24",
        "X-Real-Remote-Address": "[88.99.0.24]:37310",
        "X-Request-Id": "cd0d12cd-c5f1-4348-9dff-c50a78f1eb79",
        "X-Trace-Id": "92c5ad34-54f7-41df-a368-d4361bf376eb",
    });
    let lists: serde_json::Map<_, _> =
        headers.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    assert_eq!(
        sample().event(),
        json!({
            "httpMethod": "POST",
            "headers": headers,
            "multiValueHeaders": lists,
            "url": "",
            "path": "",
            "params": {},
            "multiValueParams": {},
            "pathParams": {},
            "queryStringParameters": { "a": "2", "b": "1" },
            "multiValueQueryStringParameters": { "a": ["1", "2"], "b": ["1"] },
            "requestContext": {
                "identity": { "sourceIp": "88.99.0.24", "userAgent": "curl/7.58.0" },
                "httpMethod": "POST",
                "requestId": "cd0d12cd-c5f1-4348-9dff-c50a78f1eb79",
                "requestTime": "26/Dec/2019:14:22:07 +0000",
                "requestTimeEpoch": 1_577_370_127,
            },
            "body": "aGVsbG8sIHdvcmxkIQ==",
            "isBase64Encoded": true,
        })
    );
}

#[test]
fn headers_have_the_last_value_and_canonical_names() {
    let event = with_headers(&[("x-TAG", "1"), ("X-Tag", "2"), ("x-tag", "3")]).event();
    assert_eq!(event["headers"]["X-Tag"], "3");
    assert_eq!(event["multiValueHeaders"]["X-Tag"], json!(["1", "2", "3"]));
}

#[test]
fn query_parameters_are_decoded() {
    for (query, name, values) in [
        ("a=1&a=2", "a", json!(["1", "2"])),
        ("empty=", "empty", json!([""])),
        ("flag", "flag", json!([""])),
        ("q=hello%20world+x", "q", json!(["hello world x"])),
        ("q=%D1%82%D0%B5%D1%81%D1%82", "q", json!(["тест"])),
        ("q=%2F%3F%26%3D%25%23%2B", "q", json!(["/?&=%#+"])),
        ("%D1%82=1", "т", json!(["1"])),
        ("q=100%", "q", json!(["100%"])),
        ("q=%FF", "q", json!(["\u{fffd}"])),
        ("q=a;b", "q", json!(["a;b"])),
        ("tag=beta", "tag", json!(["beta"])),
    ] {
        let event = with_query(query).event();
        assert_eq!(event["multiValueQueryStringParameters"], json!({ name: values }), "{query}");
        assert_eq!(event["queryStringParameters"][name], values[values.as_array().unwrap().len() - 1]);
    }
    assert_eq!(with_query("").event()["queryStringParameters"], json!({}));
}

#[test]
fn headers_that_the_platform_adds_replace_the_clients() {
    let event = with_headers(&[
        ("X-Request-Id", "mine"),
        ("X-Trace-Id", "mine"),
        ("X-Real-Remote-Address", "mine"),
        ("X-Forwarded-For", "192.0.2.1"),
    ])
    .event();
    assert!(!event.to_string().contains("mine"));
    assert_eq!(event["headers"]["X-Forwarded-For"], "192.0.2.1, 88.99.0.24");
    assert_eq!(event["headers"]["X-Request-Id"], event["requestContext"]["requestId"]);
}

#[test]
fn remote_address_has_brackets_in_both_versions_of_ip() {
    for (source, expected) in [("127.0.0.1:80", "[127.0.0.1]:80"), ("[2001:db8::1]:443", "[2001:db8::1]:443")]
    {
        let event = Request { source: source.parse().unwrap(), ..sample() }.event();
        assert_eq!(event["headers"]["X-Real-Remote-Address"], expected);
    }
}

#[test]
fn host_is_the_clients_or_the_platforms() {
    assert_eq!(with_headers(&[("host", "127.0.0.1:8080")]).event()["headers"]["Host"], "127.0.0.1:8080");
    assert_eq!(with_headers(&[]).event()["headers"]["Host"], HOST);
}

#[test]
fn user_agent_may_be_missing() {
    assert_eq!(with_headers(&[]).event()["requestContext"]["identity"]["userAgent"], "");
}

#[test]
fn body_encoding() {
    for (kind, body, expected, is_base64) in [
        (Some("application/json"), &br#"{"a":"\u044b"}"#[..], r#"{"a":"\u044b"}"#, false),
        (Some("application/json"), "[\"ы\"]".as_bytes(), "[\"ы\"]", false),
        (Some("application/json"), b"not json", "not json", false),
        (Some("application/json"), b"\xff", "\u{fffd}", false),
        (Some("application/json"), b"", "", false),
        (Some("application/json; charset=utf-8"), b"{}", "e30=", true),
        (Some("Application/JSON"), b"{}", "e30=", true),
        (Some("text/plain"), b"Hello", "SGVsbG8=", true),
        (Some("application/x-www-form-urlencoded"), b"a=1", "YT0x", true),
        (Some("application/octet-stream"), b"\x00\x01\x02\x03w\x80\xff", "AAECA3eA/w==", true),
        (Some("application/custom+json"), b"{}", "e30=", true),
        (None, b"{}", "e30=", true),
        (None, b"", "", true),
    ] {
        let headers: Vec<_> = kind.iter().map(|kind| ("content-type", *kind)).collect();
        let event = Request { body: body.to_vec(), ..with_headers(&headers) }.event();
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!(expected), &json!(is_base64)),
            "{kind:?}"
        );
    }
}

// 6.4 Request headers

#[test]
fn request_headers_that_are_removed() {
    for name in [
        "Expect",
        "Te",
        "Trailer",
        "Upgrade",
        "Proxy-Authenticate",
        "Authorization",
        "Connection",
        "Content-Md5",
        "Max-Forwards",
        "Server",
        "Transfer-Encoding",
        "Www-Authenticate",
        "Cookie",
    ] {
        for spelt in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            let event = with_headers(&[(&spelt, "x"), ("X-Kept", "y")]).event();
            assert_eq!(event["headers"].get(name), None, "{spelt}");
            assert_eq!(event["multiValueHeaders"].get(name), None, "{spelt}");
            assert_eq!(event["headers"]["X-Kept"], "y");
        }
    }
}

// 6.6 Status codes

#[test]
fn status_413_of_a_request_over_the_limit() {
    let json_call = |length: usize| Request {
        body: vec![b'a'; length],
        ..with_headers(&[("content-type", "application/json")])
    };
    let overhead = json_call(0).event().to_string().len();
    let fitting = receive(json_call(PAYLOAD_LIMIT - overhead)).unwrap();
    assert_eq!(fitting.payload.len(), PAYLOAD_LIMIT);
    assert_eq!(refused(json_call(PAYLOAD_LIMIT - overhead + 1)).0, 413);
    // Base64 is longer than the body.
    assert_eq!(refused(Request { body: vec![0; PAYLOAD_LIMIT / 4 * 3], ..sample() }).0, 413);
    let raw = |length: usize| Request { body: vec![0; length], ..with_query("integration=raw") };
    assert!(receive(raw(PAYLOAD_LIMIT)).is_ok());
    assert_eq!(
        refused(raw(PAYLOAD_LIMIT + 1)),
        (
            413,
            json!({
                "errorCode": 413,
                "errorMessage": "the request's JSON structure is larger than 3670016 bytes",
                "errorType": "ProxyIntegrationError",
            })
        )
    );
}

proptest! {
    #[test]
    fn event_is_always_json_and_the_body_comes_back(
        method in ".{0,10}",
        query in ".{0,40}",
        headers in prop::collection::vec((".{0,12}", ".{0,12}"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..100),
        epoch_seconds: u64,
    ) {
        let request = Request { method: method.clone(), query, headers, body: body.clone(), epoch_seconds, ..sample() };
        let event: Value = serde_json::from_str(&request.event().to_string()).unwrap();
        prop_assert_eq!(event["httpMethod"].as_str(), Some(method.as_str()));
        if event["isBase64Encoded"] == json!(true) {
            prop_assert_eq!(STANDARD.decode(event["body"].as_str().unwrap()).unwrap(), body);
        }
        for (lists, last) in [("multiValueHeaders", "headers"), ("multiValueQueryStringParameters", "queryStringParameters")] {
            let (lists, last) = (event[lists].as_object().unwrap(), event[last].as_object().unwrap());
            prop_assert_eq!(lists.len(), last.len());
            for (name, values) in lists {
                prop_assert_eq!(values.as_array().unwrap().last(), last.get(name));
            }
        }
    }

    #[test]
    fn a_json_body_comes_back(text in ".{0,60}") {
        let request = Request { body: text.clone().into_bytes(), ..with_headers(&[("content-type", "application/json")]) };
        let event: Value = serde_json::from_str(&request.event().to_string()).unwrap();
        prop_assert_eq!(event["body"].as_str(), Some(text.as_str()));
    }

    #[test]
    fn no_query_is_too_odd(query in "[integrao=&%0-9a-f+;]{0,40}") {
        let _ = receive(with_query(&query));
    }
}
