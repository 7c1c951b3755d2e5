//! The name of an event's source in, an event of that source out: what `--event-template` starts from.
//! The shapes are those of the vendor's pages functions/concepts/trigger/* and its package
//! `@yandex-cloud/function-types`; of message queues and API gateways also what real calls were seen to
//! have. The values are made up: `example` stands in ids.

use serde_json::{Value, json};

use crate::model::calendar;
use crate::model::event::http::{HOST, Request, Route};
use crate::model::event::integration::Integration;
use crate::model::event::setting;
use crate::model::finding::{self, Result};

const CLOUD: &str = "b1gexamplecloud00000";
const FOLDER: &str = "b1gexamplefolder0000";

/// When the event happens, and its id.
#[derive(Debug, Clone)]
pub struct Moment {
    pub epoch_seconds: u64,
    /// A UUID.
    pub id: String,
}

/// One kind of event.
pub struct Fixture {
    pub name: &'static str,
    /// One line for a person who has to choose.
    pub about: &'static str,
    /// How the platform calls a function with it: triggers put the event into the body of a raw call.
    pub integration: Integration,
    make: fn(&Moment) -> Value,
    /// Objects whose keys are the sender's, so that `--set` may add to them.
    open: &'static [&'static str],
}

const HEADERS_AND_QUERY: &[&str] = &[
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "params",
    "multiValueParams",
    "pathParams",
    "requestContext",
];

pub const FIXTURES: &[Fixture] = &[
    Fixture {
        name: "http",
        about: "an HTTP request to the function's address: POST with a JSON body",
        integration: Integration::Http,
        make: http,
        open: HEADERS_AND_QUERY,
    },
    Fixture {
        name: "gateway",
        about: "an HTTP request through API Gateway, payload format 2.0",
        integration: Integration::Http,
        make: gateway,
        open: &[
            "headers",
            "queryStringParameters",
            "requestContext.authorizer",
            "requestContext.apiGateway.operationContext",
            "pathParameters",
            "parameters",
            "multiValueParameters",
        ],
    },
    Fixture {
        name: "timer",
        about: "a timer trigger; its text is `messages.0.details.payload`",
        integration: Integration::Raw,
        make: timer,
        open: &[],
    },
    Fixture {
        name: "ymq",
        about: "a message from Message Queue; the checksums are not those of a body that --set changes",
        integration: Integration::Raw,
        make: message_queue,
        open: &["messages.0.details.message.attributes", "messages.0.details.message.message_attributes"],
    },
    Fixture {
        name: "ys3",
        about: "an object that was created in an Object Storage bucket",
        integration: Integration::Raw,
        make: object_storage,
        open: &[],
    },
    Fixture {
        name: "yds",
        about: "two JSON messages from Data Streams",
        integration: Integration::Raw,
        make: data_streams,
        open: &["messages.0", "messages.1"],
    },
    Fixture {
        name: "iot",
        about: "a message of an IoT Core device; its payload is base64",
        integration: Integration::Raw,
        make: iot,
        open: &[],
    },
    Fixture {
        name: "logging",
        about: "a batch of one record from a Cloud Logging group",
        integration: Integration::Raw,
        make: logging,
        open: &["messages.0.details.messages.0.json_payload"],
    },
    Fixture {
        name: "registry",
        about: "an image that was pushed to Container Registry",
        integration: Integration::Raw,
        make: registry,
        open: &[],
    },
    Fixture {
        name: "budget",
        about: "a budget's threshold that was passed",
        integration: Integration::Raw,
        make: budget,
        open: &[],
    },
    Fixture {
        name: "mail",
        about: "an e-mail to the trigger's address",
        integration: Integration::Raw,
        make: mail,
        open: &[],
    },
    Fixture {
        name: "telegram",
        about: "a text that someone sent to a Telegram bot",
        integration: Integration::Raw,
        make: telegram,
        open: &["message", "message.from", "message.chat"],
    },
];

/// # Errors
/// `UNKNOWN_NAME`, with the names there are.
pub fn find(name: &str) -> Result<&'static Fixture> {
    FIXTURES.iter().find(|fixture| fixture.name == name).ok_or_else(|| {
        let known: Vec<_> =
            FIXTURES.iter().map(|fixture| format!("{}: {}", fixture.name, fixture.about)).collect();
        let names: Vec<_> = FIXTURES.iter().map(|fixture| fixture.name).collect();
        finding::UNKNOWN_NAME
            .finding(format!("no event template is called `{name}`"))
            .why(known.join("\n"))
            .fix(format!("take one of {}", names.join(", ")))
    })
}

impl Fixture {
    /// The event as the handler gets it, with `settings` (`key=value`) applied in sequence.
    ///
    /// # Errors
    /// `ANSWER_INVALID` when a setting cannot be read or names what the event does not have.
    pub fn event(&self, moment: &Moment, settings: &[String]) -> Result<Value> {
        let mut event = (self.make)(moment);
        setting::apply_all(&mut event, settings, self.open)?;
        Ok(event)
    }
}

/// Addresses of RFC 5737 are nobody's.
fn http(moment: &Moment) -> Value {
    let body = r#"{"hello":"world"}"#;
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = Request {
        method: "POST".to_owned(),
        route: Route::Direct,
        path: String::new(),
        query: "a=1&a=2&b=3".to_owned(),
        headers: vec![
            header("Accept", "*/*"),
            header("Content-Length", &body.len().to_string()),
            header("Content-Type", "application/json"),
            header("Host", HOST),
            header("User-Agent", "curl/8.5.0"),
        ],
        body: body.as_bytes().to_vec(),
        source: ([192, 0, 2, 24], 37310).into(),
        request_id: moment.id.clone(),
        trace_id: moment.id.clone(),
        epoch_seconds: moment.epoch_seconds,
    };
    request.event()
}

fn gateway(moment: &Moment) -> Value {
    json!({
        "version": "2.0",
        "rawPath": "/items/7",
        "rawQueryString": "color=red",
        "headers": {
            "Accept": "*/*",
            "Host": "d5dexamplegateway000.apigw.yandexcloud.net",
            "User-Agent": "curl/8.5.0",
            "X-Forwarded-For": "192.0.2.24",
            "X-Forwarded-Proto": "https",
            "X-Real-Remote-Address": "192.0.2.24:37310",
            "X-Request-Id": moment.id,
            "X-Trace-Id": moment.id,
        },
        "queryStringParameters": { "color": "red" },
        "requestContext": {
            "authorizer": {},
            "http": {
                "method": "GET",
                "path": "/items/7?color=red",
                "sourceIp": "192.0.2.24",
                "userAgent": "curl/8.5.0",
            },
            "requestId": moment.id,
            "time": calendar::clf(moment.epoch_seconds),
            "timeEpoch": moment.epoch_seconds,
            "apiGateway": { "operationContext": {} },
        },
        "body": "",
        "isBase64Encoded": true,
        "pathParameters": { "id": "7" },
        "parameters": { "id": "7", "color": "red" },
        "multiValueParameters": { "id": ["7"], "color": ["red"] },
        "operationId": "exampleOperation",
    })
}

fn metadata(moment: &Moment, kind: &str) -> Value {
    json!({
        "event_id": moment.id,
        "event_type": format!("yandex.cloud.events.{kind}"),
        "created_at": calendar::rfc3339(moment.epoch_seconds),
        "cloud_id": CLOUD,
        "folder_id": FOLDER,
    })
}

fn one(event_metadata: &Value, details: &Value) -> Value {
    json!({ "messages": [{ "event_metadata": event_metadata, "details": details }] })
}

fn timer(moment: &Moment) -> Value {
    one(
        &metadata(moment, "serverless.triggers.TimerMessage"),
        &json!({ "trigger_id": "a1sexampletrigger000", "payload": "" }),
    )
}

/// Times inside are texts of milliseconds.
fn message_queue(moment: &Moment) -> Value {
    let mut metadata = metadata(moment, "messagequeue.QueueMessage");
    metadata["tracing_context"] = Value::Null;
    let milliseconds = format!("{}000", moment.epoch_seconds);
    one(
        &metadata,
        &json!({
            "queue_id": format!("yrn:yc:ymq:ru-central1:{FOLDER}:example-queue"),
            "message": {
                "message_id": moment.id,
                "md5_of_body": "5eb63bbbe01eeed093cb22bb8f5acdc3",
                "body": "hello world",
                "attributes": {
                    "ApproximateFirstReceiveTimestamp": milliseconds,
                    "ApproximateReceiveCount": "1",
                    "SenderId": "ajeexampleaccount000",
                    "SentTimestamp": milliseconds,
                },
                "message_attributes": {},
                "md5_of_message_attributes": "",
            },
        }),
    )
}

fn object_storage(moment: &Moment) -> Value {
    let mut metadata = metadata(moment, "storage.ObjectCreate");
    metadata["tracing_context"] =
        json!({ "trace_id": "0123456789abcdef", "span_id": "", "parent_span_id": "" });
    one(&metadata, &json!({ "bucket_id": "example-bucket", "object_id": "folder/example.jpg" }))
}

/// The messages are what the producer sent, nothing round them.
fn data_streams(_: &Moment) -> Value {
    json!({ "messages": [{ "example": 1 }, { "example": 2 }] })
}

fn iot(moment: &Moment) -> Value {
    let device = "areexampledevice0000";
    one(
        &json!({
            "event_id": moment.id,
            "event_type": "yandex.cloud.events.iot.IoTMessage",
            "created_at": calendar::rfc3339(moment.epoch_seconds),
        }),
        &json!({
            "registry_id": "areexampleregistry00",
            "device_id": device,
            "mqtt_topic": format!("$devices/{device}/events"),
            "payload": "aGVsbG8gd29ybGQ=",
        }),
    )
}

fn logging(moment: &Moment) -> Value {
    let version = "d4eexampleversion000";
    one(
        &json!({
            "event_id": moment.id,
            "event_type": "yandex.cloud.events.serverless.triggers.LoggingMessageBatch",
            "created_at": { "seconds": moment.epoch_seconds, "nanos": 0 },
        }),
        &json!({
            "messages": [{
                "resource": { "type": "serverless.function", "id": "d4eexamplefunction00" },
                "timestamp": calendar::spaced(moment.epoch_seconds),
                "level": "INFO",
                "message": format!("START RequestID: {} Version: {version}", moment.id),
                "json_payload": { "request_id": moment.id, "version_id": version },
            }],
        }),
    )
}

fn registry(moment: &Moment) -> Value {
    let registry = "crpexampleregistry00";
    let mut metadata = metadata(moment, "containerregistry.CreateImage");
    metadata["tracing_context"] =
        json!({ "parent_span_id": "-1", "span_id": "-2", "trace_id": "0123456789abcdef" });
    one(
        &metadata,
        &json!({
            "image_digest": format!("sha256:{}", "0123456789abcdef".repeat(4)),
            "image_id": "crpexampleimage00000",
            "registry_id": registry,
            "repository_name": format!("{registry}/example"),
            "tag": "latest",
        }),
    )
}

fn budget(_: &Moment) -> Value {
    json!({
        "messages": [{
            "billing_account_id": "dn2exampleaccount000",
            "budget_id": "dn2examplebudget0000",
            "budget_display_name": "example-budget",
            "amount": 8_100,
            "currency": "RUB",
            "period": "2026",
            "budgeted_amount": 9_000,
            "threshold_amount": 8_000,
            "threshold_type": "amount",
        }],
    })
}

fn mail(moment: &Moment) -> Value {
    let header = |name: &str, value: &str| json!({ "name": name, "values": [value] });
    json!({
        "messages": [{
            "received_at": calendar::spaced(moment.epoch_seconds),
            "headers": [
                header("From", "Example Sender <sender@example.com>"),
                header("To", "<a1sexampletrigger000@serverless.yandexcloud.net>"),
                header("Subject", "example"),
                header("Message-Id", &format!("<{}@example.com>", moment.id)),
                header("Content-Type", "text/plain"),
                header("Mime-Version", "1.0"),
            ],
            "message": "hello world\r\n",
        }],
    })
}

/// An update as the Bot API has it, nothing round it.
fn telegram(moment: &Moment) -> Value {
    let (person, name) = (100_000_001, "Example");
    json!({
        "update_id": 100_000_000,
        "message": {
            "message_id": 1,
            "from": { "id": person, "is_bot": false, "first_name": name, "language_code": "en" },
            "chat": { "id": person, "first_name": name, "type": "private" },
            "date": moment.epoch_seconds,
            "text": "hello world",
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn moment() -> Moment {
        Moment { epoch_seconds: 1_577_370_127, id: "00000000-0000-4000-8000-000000000001".to_owned() }
    }

    fn event(name: &str) -> Value {
        find(name).unwrap().event(&moment(), &[]).unwrap()
    }

    #[test]
    fn names_are_unique_and_texts_one_line() {
        let names: BTreeSet<_> = FIXTURES.iter().map(|fixture| fixture.name).collect();
        assert_eq!(names.len(), FIXTURES.len());
        assert!(
            FIXTURES.iter().all(|fixture| !fixture.about.contains('\n') && !fixture.about.ends_with('.'))
        );
    }

    #[test]
    fn an_event_alone_tells_how_it_is_called_with() {
        for fixture in FIXTURES {
            assert_eq!(Integration::of(&event(fixture.name)), fixture.integration, "{}", fixture.name);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let finding = find("s3").err().unwrap();
        assert_eq!(finding.rule.id, "FN0105");
        assert!(finding.fix.unwrap().contains("ymq, ys3, yds"));
    }

    #[test]
    fn trigger_messages_have_the_documented_metadata() {
        for (name, kind, keys) in [
            ("timer", "serverless.triggers.TimerMessage", &["cloud_id", "folder_id"][..]),
            ("ymq", "messagequeue.QueueMessage", &["cloud_id", "folder_id", "tracing_context"]),
            ("ys3", "storage.ObjectCreate", &["cloud_id", "folder_id", "tracing_context"]),
            ("iot", "iot.IoTMessage", &[]),
            ("logging", "serverless.triggers.LoggingMessageBatch", &[]),
            ("registry", "containerregistry.CreateImage", &["cloud_id", "folder_id", "tracing_context"]),
        ] {
            let event = event(name);
            assert_eq!(event["messages"].as_array().unwrap().len(), 1, "{name}");
            let metadata = event["messages"][0]["event_metadata"].as_object().unwrap();
            assert_eq!(metadata["event_type"], format!("yandex.cloud.events.{kind}"));
            let expected = ["event_id", "event_type", "created_at"].iter().chain(keys).copied();
            let found = metadata.keys().map(String::as_str);
            assert_eq!(found.collect::<BTreeSet<_>>(), expected.collect(), "{name}");
        }
    }

    #[test]
    fn each_template_has_the_fields_that_handlers_read() {
        for (name, pointer, expected) in [
            ("http", "/requestContext/requestTime", json!("26/Dec/2019:14:22:07 +0000")),
            ("http", "/multiValueQueryStringParameters/a/1", json!("2")),
            ("http", "/body", json!(r#"{"hello":"world"}"#)),
            ("http", "/isBase64Encoded", json!(false)),
            ("gateway", "/requestContext/timeEpoch", json!(1_577_370_127)),
            ("timer", "/messages/0/event_metadata/created_at", json!("2019-12-26T14:22:07.000Z")),
            ("timer", "/messages/0/details/payload", json!("")),
            ("ymq", "/messages/0/details/message/attributes/SentTimestamp", json!("1577370127000")),
            ("ymq", "/messages/0/details/message/message_id", json!(moment().id)),
            ("ys3", "/messages/0/details/object_id", json!("folder/example.jpg")),
            ("yds", "/messages/1/example", json!(2)),
            ("iot", "/messages/0/details/mqtt_topic", json!("$devices/areexampledevice0000/events")),
            ("logging", "/messages/0/event_metadata/created_at/seconds", json!(1_577_370_127)),
            ("logging", "/messages/0/details/messages/0/level", json!("INFO")),
            ("registry", "/messages/0/details/tag", json!("latest")),
            ("budget", "/messages/0/threshold_type", json!("amount")),
            ("mail", "/messages/0/headers/2/values/0", json!("example")),
            ("telegram", "/message/text", json!("hello world")),
            ("telegram", "/message/date", json!(1_577_370_127)),
        ] {
            assert_eq!(event(name).pointer(pointer), Some(&expected), "{name} {pointer}");
        }
    }

    #[test]
    fn triggers_call_with_the_event_as_a_raw_body() {
        for fixture in FIXTURES {
            let event = event(fixture.name);
            let is_trigger = event.get("messages").is_some() || event.get("update_id").is_some();
            assert_eq!(fixture.integration == Integration::Raw, is_trigger, "{}", fixture.name);
        }
    }

    #[test]
    fn open_objects_are_objects() {
        for fixture in FIXTURES {
            let event = event(fixture.name);
            for path in fixture.open {
                let pointer = format!("/{}", path.replace('.', "/"));
                assert!(event.pointer(&pointer).is_some_and(Value::is_object), "{} {path}", fixture.name);
            }
        }
    }

    #[test]
    fn settings_are_applied_in_sequence() {
        let settings = ["messages.0.details.payload=1", "messages.0.details.payload=two"].map(str::to_owned);
        let event = find("timer").unwrap().event(&moment(), &settings).unwrap();
        assert_eq!(event["messages"][0]["details"]["payload"], "two");
        assert!(find("timer").unwrap().event(&moment(), &["payload".to_owned()]).is_err());
    }
}
