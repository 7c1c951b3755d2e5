//! Rows of the answer's part of the contract, each in a test named after it.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn origin() -> Origin {
    Origin { function_id: "d4e-f".to_owned(), version_id: "d4e-v".to_owned(), request_id: "r-1".to_owned() }
}

fn answer(outcome: &Outcome, integration: Integration) -> Answer {
    respond(outcome, integration, &origin(), &Redactor::default())
}

fn http(result: &str) -> Answer {
    answer(&Outcome::Answered(result.as_bytes().to_vec()), Integration::Http)
}

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

/// The headers of the handler, without those that the platform adds.
fn own_headers(answer: &Answer) -> Vec<(&str, &str)> {
    let own = &answer.response.headers[..answer.response.headers.len() - 4];
    own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn malformed_because(result: &str) -> String {
    let answer = http(result);
    assert_eq!(answer.response.status, 502, "{result}");
    assert_eq!(
        body(&answer.response),
        json!({
            "errorMessage": "Malformed serverless function response: not a valid json",
            "errorType": "ProxyIntegrationError",
            "payload": result,
        })
    );
    let trouble = answer.trouble.unwrap();
    assert_eq!(trouble.rule.id, "FN0701");
    trouble.message.strip_prefix("the function's answer is malformed: ").unwrap().to_owned()
}

// 6.2 Modes

#[test]
fn mode_raw_is_the_result_verbatim_with_200() {
    for result in [r#"{"statusCode":404,"headers":{"Via":"x"}}"#, "\"text\"", "null", "", "[1"] {
        let answer = answer(&Outcome::Answered(result.as_bytes().to_vec()), Integration::Raw);
        assert_eq!((answer.response.status, answer.response.body.as_slice()), (200, result.as_bytes()));
        assert_eq!(own_headers(&answer), []);
        assert_eq!(answer.trouble, None);
    }
}

#[test]
fn mode_async_is_202_whatever_becomes_of_the_call() {
    let raised = Outcome::Raised(Failure::default());
    for (outcome, is_trouble) in
        [(Outcome::Answered(b"1".to_vec()), false), (raised, true), (Outcome::TimedOut(3), true)]
    {
        let answer = answer(&outcome, Integration::Async);
        assert_eq!((answer.response.status, answer.response.body.as_slice()), (202, &b""[..]));
        assert_eq!(answer.trouble.is_some(), is_trouble);
    }
}

// 6.5 Response envelope

#[test]
fn envelope_keys_make_the_answer() {
    let answer = http(
        r#"{"statusCode":201,"headers":{"content-type":"text/plain"},"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"body":"ы"}"#,
    );
    assert_eq!((answer.response.status, answer.response.body.as_slice()), (201, "ы".as_bytes()));
    assert_eq!(
        own_headers(&answer),
        [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    );
    assert_eq!(answer.trouble, None);
}

#[test]
fn envelope_status_code_defaults_to_200() {
    for result in ["{}", r#" {"body":"x"}"#, r#"{"message":"Lucky one!"}"#] {
        assert_eq!(http(result).response.status, 200, "{result}");
    }
}

#[test]
fn envelope_unknown_keys_are_ignored() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let result = format!(r#"{{"code":404,"statuscode":500,"deep":{deep},"body":"x"}}"#);
    let answer = http(&result);
    assert_eq!((answer.response.status, answer.response.body.as_slice()), (200, &b"x"[..]));
}

#[test]
fn envelope_multi_value_headers_win() {
    let answer = http(r#"{"headers":{"x-a":"single","X-B":"b"},"multiValueHeaders":{"X-A":["1","2"]}}"#);
    assert_eq!(own_headers(&answer), [("X-A", "1"), ("X-A", "2"), ("X-B", "b")]);
    assert_eq!(own_headers(&http(r#"{"headers":{"X-A":"1"},"multiValueHeaders":{"X-A":[]}}"#)), []);
}

#[test]
fn envelope_base64_body_is_decoded() {
    let answer = http(r#"{"isBase64Encoded":true,"body":"AAEC/w=="}"#);
    assert_eq!(answer.response.body, [0, 1, 2, 255]);
    assert_eq!(http(r#"{"isBase64Encoded":false,"body":"AAEC/w=="}"#).response.body, b"AAEC/w==");
    assert_eq!(http(r#"{"isBase64Encoded":true}"#).response.body, b"");
}

#[test]
fn envelope_of_another_structure_is_502_with_the_payload() {
    let deep = format!(r#"{{"body":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (result, why) in [
        ("", "it is empty; the handler returned nothing"),
        ("null", "it is null; the handler returned nothing"),
        ("not json", "it is not an object"),
        ("\"text\"", "it is a string, not an object"),
        ("[200,{},{},\"x\",false]", "it is a list, not an object"),
        ("17", "it is not an object"),
        (r#"{"body":"x""#, "it is not valid JSON: EOF"),
        (r#"{"body":NaN}"#, "it is not valid JSON: expected value"),
        (r#"{"body":"\ud800"}"#, "it is not valid JSON: "),
        (r#"{"body":"a","body":"b"}"#, "it is not valid JSON: duplicate field `body`"),
        (&deep, "it is not valid JSON: recursion limit"),
        (r#"{"body":{"a":1}}"#, "`body` is an object, not a string"),
        (r#"{"body":5}"#, "`body` is a number, not a string"),
        (r#"{"body":null}"#, "`body` is null, not a string"),
        (r#"{"statusCode":"200"}"#, "`statusCode` is a string, not a whole number"),
        (r#"{"statusCode":200.0}"#, "`statusCode` is a number, not a whole number"),
        (r#"{"statusCode":-1}"#, "`statusCode` is a number, not a whole number"),
        (r#"{"statusCode":0}"#, "`statusCode` is 0; it goes from 200 to 599"),
        (r#"{"statusCode":101}"#, "`statusCode` is 101; it goes"),
        (r#"{"statusCode":65736}"#, "`statusCode` is 65736; it goes"),
        (r#"{"headers":[]}"#, "`headers` is a list, not an object"),
        (r#"{"headers":{"X-A":1}}"#, "`headers.X-A` is a number, not a string"),
        (r#"{"headers":{"X A":"1"}}"#, "`X A` cannot be the name of a header"),
        (r#"{"headers":{"X-A":"1\r\nX-B: 2"}}"#, "the header `X-A` has a line end"),
        (
            r#"{"multiValueHeaders":{"X-A":"1"}}"#,
            "`multiValueHeaders.X-A` is a string, not a list of strings",
        ),
        (r#"{"multiValueHeaders":{"X-A":[1]}}"#, "`multiValueHeaders.X-A` is a number, not a string"),
        (r#"{"isBase64Encoded":"true"}"#, "`isBase64Encoded` is a string, not true or false"),
        (
            r#"{"isBase64Encoded":true,"body":"AAEC/w"}"#,
            "`isBase64Encoded` is true, but `body` is not base64: ",
        ),
    ] {
        let message = malformed_because(result);
        assert!(message.starts_with(why), "{message}");
    }
}

#[test]
fn envelope_with_too_many_headers_is_502() {
    let headers = |count: usize| {
        let lines: Vec<_> = (0..count).map(|index| format!(r#""X-{index}":"1""#)).collect();
        format!(r#"{{"headers":{{{}}}}}"#, lines.join(","))
    };
    assert_eq!(http(&headers(1_000)).response.status, 200);
    assert_eq!(malformed_because(&headers(1_001)), "it has more than 1000 headers");
}

#[test]
fn envelope_without_room_for_a_body_has_none() {
    for status in [204, 304] {
        assert_eq!(http(&format!(r#"{{"statusCode":{status},"body":"x"}}"#)).response.body, b"");
    }
}

// 6.4 Response headers

#[test]
fn response_headers_that_are_removed() {
    for name in [
        "Host",
        "Authorization",
        "User-Agent",
        "Connection",
        "Max-Forwards",
        "Cookie",
        "X-Request-Id",
        "X-Function-Id",
        "X-Function-Version-Id",
        "X-Content-Type-Options",
        "Content-Length",
    ] {
        let lower = name.to_lowercase();
        let answer = http(&format!(
            r#"{{"headers":{{"{lower}":"mine","X-Kept":"y"}},"multiValueHeaders":{{"{name}":["mine"]}}}}"#
        ));
        assert_eq!(own_headers(&answer), [("X-Kept", "y")], "{name}");
    }
}

#[test]
fn response_headers_that_are_renamed() {
    for name in ["Content-Md5", "Date", "Server", "Www-Authenticate"] {
        let lower = name.to_lowercase();
        let renamed = format!("X-Yf-Remapped-{name}");
        let answer = http(&format!(r#"{{"headers":{{"{lower}":"mine"}}}}"#));
        assert_eq!(own_headers(&answer), [(renamed.as_str(), "mine")]);
    }
}

#[test]
fn response_headers_that_are_errors() {
    for name in ["Proxy-Authenticate", "Transfer-Encoding", "Via"] {
        for result in [
            format!(r#"{{"headers":{{"{}":"x"}}}}"#, name.to_lowercase()),
            format!(r#"{{"multiValueHeaders":{{"{name}":[]}}}}"#),
        ] {
            let answer = http(&result);
            assert_eq!(answer.response.status, 502);
            assert_eq!(body(&answer.response)["errorType"], "ProxyIntegrationError");
            assert_eq!(body(&answer.response)["payload"], result);
            assert!(answer.trouble.unwrap().message.contains(name));
        }
    }
}

#[test]
fn response_headers_that_the_platform_adds() {
    let died = Outcome::Died("exited with code 1".to_owned());
    for (outcome, integration) in [
        (Outcome::Answered(b"{}".to_vec()), Integration::Http),
        (Outcome::Answered(b"{}".to_vec()), Integration::Raw),
        (Outcome::Answered(b"{}".to_vec()), Integration::Async),
        (Outcome::TimedOut(3), Integration::Http),
        (died, Integration::Raw),
    ] {
        let response = answer(&outcome, integration).response;
        for (name, expected) in [
            ("X-Request-Id", "r-1"),
            ("X-Function-Id", "d4e-f"),
            ("x-function-version-id", "d4e-v"),
            ("X-Content-Type-Options", "nosniff"),
        ] {
            assert_eq!(response.values(name).collect::<Vec<_>>(), [expected]);
        }
    }
}

// 6.6 Status codes, and 4.3 and 5: the languages' errors

#[test]
fn status_502_of_a_raised_error_in_the_languages_shape() {
    for document in [
        json!({
            "errorMessage": "not so lucky",
            "errorType": "Error",
            "stackTrace": [{ "function": "handler", "file": "/function/code/index.js", "line": 2, "column": 9 }, { "line": "x" }],
        }),
        json!({
            "errorMessage": "'missing'",
            "errorType": "KeyError",
            "stackTrace": ["  File \"/function/code/index.py\", line 4, in handler\n    event['missing']\n"],
        }),
        json!({}),
        json!({ "errorMessage": { "odd": 1 }, "errorType": 5 }),
    ] {
        let failure: Failure = serde_json::from_value(document.clone()).unwrap();
        for integration in [Integration::Http, Integration::Raw] {
            let answer = answer(&Outcome::Raised(failure.clone()), integration);
            assert_eq!(answer.response.status, 502);
            assert_eq!(body(&answer.response), document);
            assert_eq!(answer.response.values("X-Function-Error").collect::<Vec<_>>(), ["true"]);
            assert_eq!(answer.trouble.unwrap().rule.id, "FN0701");
        }
    }
}

#[test]
fn a_raised_error_is_told_in_one_line_without_tokens() {
    for (failure, expected) in [
        (
            json!({ "errorMessage": "no\n\u{1b}[2Jluck", "errorType": "Error" }),
            "the function raised Error: no  [2Jluck",
        ),
        (json!({ "errorType": "KeyError" }), "the function raised KeyError"),
        (json!({ "errorMessage": "x" }), "the function raised an error: x"),
        (json!({}), "the function raised something that is no error"),
        (
            json!({ "errorMessage": "{\"access_token\":\"abc\"}", "errorType": "E" }),
            "the function raised E: {\"access_token\":\"<redacted>\"}",
        ),
    ] {
        let failure: Failure = serde_json::from_value(failure).unwrap();
        let answer = answer(&Outcome::Raised(failure), Integration::Http);
        assert_eq!(answer.trouble.unwrap().message, expected);
    }
}

#[test]
fn status_502_of_a_process_that_died() {
    let answer = answer(&Outcome::Died("was killed by SIGKILL".to_owned()), Integration::Http);
    assert_eq!(answer.response.status, 502);
    assert_eq!(
        body(&answer.response),
        json!({
            "errorMessage": "the function's process was killed by SIGKILL before it answered",
            "errorType": "FunctionDied",
        })
    );
    assert_eq!(answer.response.values("X-Function-Error").count(), 1);
    assert_eq!(answer.trouble.unwrap().rule.id, "FN0701");
}

#[test]
fn status_504_of_a_timeout() {
    let answer = answer(&Outcome::TimedOut(3), Integration::Http);
    assert_eq!(answer.response.status, 504);
    assert_eq!(
        body(&answer.response),
        json!({ "errorCode": 504, "errorMessage": "the function did not answer within 3 s", "errorType": "FunctionTimeout" })
    );
    assert_eq!(answer.response.values("X-Function-Error").count(), 0);
    assert_eq!(answer.trouble.unwrap().rule.id, "FN0702");
}

#[test]
fn status_413_of_an_answer_over_the_limit() {
    let result = |length: usize| {
        let body = "a".repeat(length - r#"{"body":""}"#.len());
        Outcome::Answered(format!(r#"{{"body":"{body}"}}"#).into_bytes())
    };
    for integration in [Integration::Http, Integration::Raw] {
        assert_eq!(answer(&result(PAYLOAD_LIMIT), integration).response.status, 200);
        let answer = answer(&result(PAYLOAD_LIMIT + 1), integration);
        assert_eq!(answer.response.status, 413);
        assert_eq!(body(&answer.response)["errorCode"], 413);
        assert_eq!(answer.trouble.unwrap().message, "the function's answer has 3670017 bytes");
    }
}

#[test]
fn x_function_error_marks_only_failures() {
    for result in [r#"{"statusCode":500}"#, "null", r#"{"headers":{"Via":"x"}}"#] {
        assert_eq!(http(result).response.values("X-Function-Error").count(), 0, "{result}");
    }
    assert_eq!(http(r#"{"statusCode":500}"#).trouble, None);
}

proptest! {
    #[test]
    fn no_result_is_too_odd(result in prop::collection::vec(any::<u8>(), 0..80)) {
        for integration in [Integration::Http, Integration::Raw, Integration::Async] {
            let answer = answer(&Outcome::Answered(result.clone()), integration);
            prop_assert!((200..600).contains(&answer.response.status));
        }
    }

    #[test]
    fn an_answer_can_always_be_sent(
        status in 0_u16..700,
        names in prop::collection::vec("[ -~]{0,12}|[a-z-]{1,12}", 0..5),
        value in ".{0,12}",
        text in ".{0,40}",
    ) {
        let headers: serde_json::Map<_, _> = names.into_iter().map(|name| (name, json!(value))).collect();
        let result = json!({ "statusCode": status, "headers": headers, "body": text });
        let answer = http(&result.to_string());
        prop_assert!((200..600).contains(&answer.response.status));
        for (name, value) in &answer.response.headers {
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!value.contains(['\r', '\n', '\0']));
        }
        if answer.trouble.is_none() && !matches!(status, 204 | 304) {
            prop_assert_eq!(answer.response.body, text.into_bytes());
        }
    }

    #[test]
    fn bytes_come_back_through_base64(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let answer = http(&json!({ "body": text, "isBase64Encoded": true }).to_string());
        prop_assert_eq!(answer.response.body, bytes);
    }
}
