//! `invoke`, `check --load` and `templates test`: the platform's contract under the real interpreters, one
//! test a row.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests run the program from outside and fail where they stand"
)]

#[path = "common/commands.rs"]
mod commands;
#[path = "common/fnscaffold.rs"]
mod fnscaffold;
#[path = "invoke/function.rs"]
mod function;
#[path = "common/nodes.rs"]
mod nodes;
#[path = "common/pythons.rs"]
mod pythons;
#[path = "common/tools.rs"]
mod tools;

use serde_json::{Value, json};

use function::{Function, cache, every_node, every_python};

/// A handler that answers with what `expression` gives, as JSON.
fn node(expression: &str) -> String {
    format!(
        "exports.main = async (event, context) => ({{ statusCode: 200, body: JSON.stringify({expression}) }});\n"
    )
}

fn python(expression: &str) -> String {
    format!(
        "import json, os, sys\n\ndef main(event, context):\n    return {{\"statusCode\": 200, \"body\": json.dumps({expression})}}\n"
    )
}

#[test]
fn nodejs_context_has_the_documented_members_and_types() {
    for mut function in every_node(&[(
        "index.js",
        &node(
            "Object.assign({ remaining: context.getRemainingTimeInMillis(), payload: context.getPayload().toString() }, context)",
        ),
    )]) {
        function.account();
        let context = function.body(&["--data", "text"]);
        for key in [
            "awsRequestId",
            "requestId",
            "functionName",
            "functionVersion",
            "functionFolderId",
            "invokedFunctionArn",
            "uberTraceId",
        ] {
            assert!(context[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {context}");
        }
        assert_eq!(context["awsRequestId"], context["requestId"]);
        assert_eq!(context["invokedFunctionArn"], context["functionName"]);
        assert_eq!(context["memoryLimitInMB"], "128");
        assert_eq!(context["logGroupName"], "");
        assert!(context["deadlineMs"].as_u64().unwrap() > 1_700_000_000_000);
        let remaining = context["remaining"].as_u64().unwrap();
        assert!((1..=20_000).contains(&remaining), "{remaining}");
        assert_eq!(context["payload"], "text");
        assert_eq!(context["_data"]["httpMethod"], "POST");
        assert_eq!(context["token"]["token_type"], "Bearer");
        assert_eq!(context["token"]["expires_in"], 43_200);
    }
}

#[test]
fn python_context_has_the_documented_members_and_types() {
    let expression = "dict(vars(context), remaining=context.get_remaining_time_in_millis())";
    for mut function in every_python(&[("index.py", &python(expression))]) {
        function.account();
        let context = function.body(&[]);
        for key in [
            "aws_request_id",
            "function_name",
            "function_version",
            "function_folder_id",
            "invoked_function_arn",
        ] {
            assert!(context[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {context}");
        }
        assert_eq!(context["aws_request_id"], context["request_id"]);
        assert_eq!(context["log_stream_name"], context["function_version"]);
        assert_eq!(context["memory_limit_in_mb"], 128);
        assert!(context["deadline_ms"].as_u64().unwrap() > 1_700_000_000_000);
        assert!((1..=20_000).contains(&context["remaining"].as_u64().unwrap()));
        assert_eq!(context["token"]["token_type"], "Bearer");
    }
}

#[test]
fn nodejs_takes_values_promises_and_folders() {
    let code = "exports.value = () => 1;\nexports.promise = () => Promise.resolve(1);\nexports.later = async () => { await null; return 1; };\n\
                exports.thenable = () => ({ then: (done) => done(1), kept: 1 });\nexports.nothing = () => {};\nexports.laterNothing = async () => {};\n";
    for mut function in every_node(&[("index.js", code), ("src/deep/app.js", code)]) {
        for name in ["value", "promise", "later"] {
            assert_eq!(function.entrypoint(&format!("index.{name}")).call(&["--raw"])["body"], "1", "{name}");
        }
        assert_eq!(function.entrypoint("src/deep/app.value").call(&["--raw"])["body"], "1");
        assert_eq!(function.entrypoint("index.value.dropped").call(&["--raw"])["body"], "1");
        // Only a real promise is waited for.
        assert_eq!(function.entrypoint("index.thenable").call(&["--raw"])["body"], r#"{"kept":1}"#);
        assert_eq!(function.entrypoint("index.laterNothing").call(&["--raw"])["body"], "");
        let failed = function.entrypoint("index.nothing").fails(&["--raw"]);
        assert!(failed["body"].as_str().unwrap().contains("Non-async entry point should provide a result"));
    }
}

#[test]
fn nodejs_loads_es_modules() {
    let files =
        [("index.js", "export const main = async () => 1;\n"), ("package.json", r#"{"type":"module"}"#)];
    for function in every_node(&files) {
        // The platform's old loader has only require().
        if function.runtime != "nodejs16" {
            assert_eq!(function.call(&["--raw"])["body"], "1");
        }
    }
}

#[test]
fn python_takes_functions_coroutines_and_callable_objects() {
    let code = "def value(event, context):\n    return 1\n\nasync def later(event, context):\n    return 1\n\n\
                class Callable:\n    def __call__(self, event, context):\n        return 1\n\nobject = Callable()\n";
    for mut function in every_python(&[("index.py", code), ("application/entry.py", code)]) {
        for name in ["index.value", "index.later", "index.object", "application.entry.later"] {
            assert_eq!(function.entrypoint(name).call(&["--raw"])["body"], "1", "{name}");
        }
    }
}

#[test]
fn raw_text_that_is_no_json_is_a_payload_in_nodejs_and_itself_in_python() {
    let echo = "exports.main = async (event) => event;\n";
    for function in every_node(&[("index.js", echo)]).into_iter().take(1) {
        assert_eq!(function.call(&["--raw", "--data", r#"{"a":1}"#])["body"], r#"{"a":1}"#);
        assert_eq!(function.call(&["--raw", "--data", "text"])["body"], r#"{"payload":"text"}"#);
    }
    for function in
        every_python(&[("index.py", "def main(event, context):\n    return event\n")]).into_iter().take(1)
    {
        assert_eq!(function.call(&["--raw", "--data", r#"{"a":1}"#])["body"], r#"{"a": 1}"#);
        assert_eq!(function.call(&["--raw", "--data", "text"])["body"], r#""text""#);
    }
}

#[test]
fn an_http_request_is_an_event() {
    for function in every_node(&[("index.js", &node("event"))]).into_iter().take(1) {
        let event = function.body(&[
            "--query",
            "a=1",
            "--query",
            "a=2 &",
            "--header",
            "x-one: 1",
            "--header",
            "Cookie: c",
            "--data",
            r#"{"b":1}"#,
        ]);
        assert_eq!(event["httpMethod"], "POST");
        assert_eq!(event["queryStringParameters"], json!({ "a": "2 &" }));
        assert_eq!(event["multiValueQueryStringParameters"], json!({ "a": ["1", "2 &"] }));
        assert_eq!(event["headers"]["X-One"], "1");
        assert_eq!(event["headers"]["Cookie"], Value::Null);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(r#"{"b":1}"#), &json!(false)));
        let event = function.body(&[]);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(""), &json!(true)));
        let event = function.body(&["--data", "text", "--method", "put"]);
        assert_eq!((&event["body"], &event["httpMethod"]), (&json!("dGV4dA=="), &json!("PUT")));
        let event = function.body(&["--path", "/items/7?x=1"]);
        assert_eq!(
            (&event["path"], &event["queryStringParameters"]),
            (&json!("/items/7"), &json!({ "x": "1" }))
        );
    }
}

#[test]
fn event_templates_and_files_reach_the_handler() {
    let echo = "exports.main = async (event) => event;\n";
    for function in
        every_node(&[("index.js", echo), ("event.json", r#"{"httpMethod":"GET","body":"from a file"}"#)])
            .into_iter()
            .take(1)
    {
        let answer = function.call(&["--event-template", "timer", "--set", "messages.0.details.payload=now"]);
        let event: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(event["messages"][0]["details"]["payload"], "now");
        assert_eq!(function.call(&["--event", "event.json"])["body"], "from a file");
        // What a trigger sends is no HTTP request, and neither is its answer.
        function.write("trigger.json", "\u{feff}{\"messages\":[]}");
        assert_eq!(function.call(&["--event", "trigger.json"])["body"], r#"{"messages":[]}"#);
        let mut piped = function.command(&["invoke", "--format", "json", "--event", "-", "--repeat", "2"]);
        let run =
            fnscaffold::run(piped.stdin(std::fs::File::open(function.path().join("trigger.json")).unwrap()));
        assert_eq!(run.expect(0).stdout.matches("messages").count(), 2);
        let big = format!(r#"{{"httpMethod":"POST","body":"{}"}}"#, "x".repeat(3_670_016));
        function.write("../big.json", &big);
        let refused = function.fails(&["--event", "../big.json"]);
        assert_eq!(refused["status"], 413);
        assert!(refused["body"].as_str().unwrap().contains("the request's JSON"), "{refused}");
    }
}

#[test]
fn variables_give_way_to_flags() {
    let echo = "exports.main = async (event) => ({ body: JSON.stringify([event.httpMethod, event.body, event.queryStringParameters]) });\n";
    let event = r#"{"httpMethod":"PUT"}"#;
    for function in every_node(&[("index.js", echo), ("event.json", event)]).into_iter().take(1) {
        let run = |variables: &[(&str, &str)], arguments: &[&str]| {
            let mut command = function.command(&[&["invoke", "--format", "json"], arguments].concat());
            fnscaffold::run(command.envs(variables.iter().copied()))
        };
        let by_event = ["--event", "event.json"];
        for (variables, arguments, expected) in [
            (&[("FNSCAFFOLD_QUERY", "a=b")][..], &by_event[..], r#"["PUT",null,null]"#),
            (&[("FNSCAFFOLD_HEADER", "A: b"), ("FNSCAFFOLD_DATA", "x")], &by_event, r#"["PUT",null,null]"#),
            (
                &[("FNSCAFFOLD_EVENT", "none.json"), ("FNSCAFFOLD_EVENT_TEMPLATE", "timer")],
                &["-d", "{}"],
                r#"["POST","{}",{}]"#,
            ),
            (
                &[("FNSCAFFOLD_PATH", "/a"), ("FNSCAFFOLD_EVENT", "none.json")],
                &["--event-template", "http", "--set", "body=x"],
                r#"["POST","x",{"a":"2","b":"3"}]"#,
            ),
            (&[("FNSCAFFOLD_SET", "a=b")], &["--query", "c=d"], r#"["GET","",{"c":"d"}]"#),
            (&[("FNSCAFFOLD_TAG", "stable")], &["--query", "c=d"], r#"["GET","",{"c":"d"}]"#),
            (&[("FNSCAFFOLD_DATA", "{}"), ("FNSCAFFOLD_QUERY", "c=d")], &[], r#"["POST","{}",{"c":"d"}]"#),
        ] {
            let run = run(variables, arguments).expect(0);
            let document: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(document["calls"][0]["body"], expected, "{variables:?}");
        }
        for (variables, arguments, message) in [
            (&[][..], &["--event", "event.json", "-d", "x"][..], "--event cannot be used with --data"),
            (
                &[],
                &["--event-template", "http", "--query", "a=b"],
                "--event-template cannot be used with --query",
            ),
            (&[], &["--set", "a=b"], "--set means nothing without --event-template"),
            (&[], &["--tag", "stable"], "--tag means nothing without --remote"),
            (&[], &["--header", "X Y: z"], "--header `X Y: z` cannot be read"),
            (&[], &["--header", "X: y\nZ: z"], "--header `X: y\nZ: z` cannot be read"),
            (&[], &["--folder-id", "b1g"], "--folder-id means nothing without --remote"),
            (
                &[("FNSCAFFOLD_EVENT", "event.json"), ("FNSCAFFOLD_DATA", "x")],
                &[],
                "--event cannot be used with --data",
            ),
        ] {
            let run = run(variables, arguments).expect(2);
            let document: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(document["error"]["message"], message);
        }
    }
}

#[test]
fn any_bytes_are_a_body() {
    let echo =
        "exports.main = async (event) => ({ body: event.body, isBase64Encoded: event.isBase64Encoded });\n";
    for function in every_node(&[("index.js", echo)]).into_iter().take(1) {
        let path = function.path().join("../bytes");
        std::fs::write(&path, [0xff, 0x00, 0xfe]).unwrap();
        let mut piped = function.command(&["invoke", "--format", "json", "-d", "@-"]);
        let run = fnscaffold::run(piped.stdin(std::fs::File::open(&path).unwrap())).expect(0);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(document["calls"][0]["body"], "/wD+");
    }
}

#[test]
fn an_envelope_is_a_response() {
    let code = "exports.main = async () => ({ statusCode: 201, headers: { 'X-A': '1', Server: 'mine', Host: 'h' }, multiValueHeaders: { 'Set-Cookie': ['a', 'b'] }, body: 'AP8=', isBase64Encoded: true });\n";
    for function in every_node(&[("index.js", code)]).into_iter().take(1) {
        let answer = function.call(&[]);
        assert_eq!(answer["status"], 201);
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("AP8="), &json!(true)));
        assert_eq!(answer["headers"]["Set-Cookie"], json!(["a", "b"]));
        assert_eq!(answer["headers"]["X-Yf-Remapped-Server"], json!(["mine"]));
        assert_eq!(answer["headers"]["Host"], Value::Null);
    }
}

#[test]
fn a_malformed_answer_is_502() {
    for function in
        every_node(&[("index.js", "exports.main = async () => ({ statusCode: 200, body: {} });\n")])
    {
        let answer = function.fails(&[]);
        assert_eq!(answer["status"], 502);
        assert!(answer["body"].as_str().unwrap().contains("ProxyIntegrationError"));
    }
}

#[test]
fn a_nodejs_error_has_a_stack_of_objects() {
    let code = "function inner() {\n  throw new TypeError(\"no\");\n}\nexports.main = () => inner();\n\
                exports.later = async () => { await null; throw new TypeError(\"no\"); };\n\
                exports.uncaught = () => new Promise(() => setTimeout(() => inner(), 1));\nexports.text = () => { throw \"text\"; };\n\
                exports.big = () => { throw { message: BigInt(10) }; };\n\
                exports.circle = async () => { const error = { stack: 1 }; error.message = error; throw error; };\n\
                exports.hostile = () => { throw { get message() { throw new Error(\"no\"); } }; };\n";
    for mut function in every_node(&[("index.js", code)]) {
        for name in ["main", "later", "uncaught"] {
            let answer = function.entrypoint(&format!("index.{name}")).fails(&[]);
            assert_eq!(answer["status"], 502);
            assert_eq!(answer["headers"]["X-Function-Error"], json!(["true"]));
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!((&body["errorMessage"], &body["errorType"]), (&json!("no"), &json!("TypeError")));
            let frame = &body["stackTrace"][0];
            assert_eq!(frame["file"], "/function/code/index.js", "{name}: {body}");
            assert!(frame["line"].is_u64() && frame["column"].is_u64());
            assert!(!answer["body"].as_str().unwrap().contains("bootstrap"), "{body}");
        }
        // JSON cannot hold some of what can be thrown.
        for name in ["text", "big", "circle", "hostile"] {
            let answer = function.entrypoint(&format!("index.{name}")).fails(&[]);
            assert_eq!((&answer["status"], &answer["body"]), (&json!(502), &json!("{}")), "{name}");
        }
    }
}

#[test]
fn a_python_error_has_a_stack_of_strings() {
    let code = "def inner():\n    raise KeyError('no')\n\ndef main(event, context):\n    inner()\n\nasync def later(event, context):\n    inner()\n";
    for mut function in every_python(&[("index.py", code)]) {
        for name in ["main", "later"] {
            let answer = function.entrypoint(&format!("index.{name}")).fails(&[]);
            assert_eq!(answer["status"], 502);
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!((&body["errorMessage"], &body["errorType"]), (&json!("'no'"), &json!("KeyError")));
            let frames = body["stackTrace"].as_array().unwrap();
            assert_eq!(frames.len(), 3, "{body}");
            let places = ["/function/runtime/bootstrap.py", "/function/code/index.py"];
            for (frame, place) in frames.iter().zip(places) {
                assert!(frame.as_str().unwrap().starts_with(&format!("  File \"{place}\", line ")), "{body}");
            }
        }
    }
}

#[test]
fn a_function_that_does_not_load_answers_502() {
    for function in every_node(&[("index.js", "throw new Error('early');\n")]).into_iter().take(1) {
        let answer = function.fails(&[]);
        assert!(answer["body"].as_str().unwrap().contains("early"));
    }
    for function in every_python(&[("index.py", "import nothing_of_that_name\n")]).into_iter().take(1) {
        assert!(function.fails(&[])["body"].as_str().unwrap().contains("ModuleNotFoundError"));
    }
}

#[test]
fn a_call_that_takes_too_long_is_504_and_the_next_is_cold() {
    let node_code = "exports.main = () => { for (;;); };\n";
    let python_code = "def main(event, context):\n    while True:\n        pass\n";
    let node = every_node(&[("index.js", node_code)]).into_iter().take(1);
    let python = every_python(&[("index.py", python_code)]).into_iter().take(1);
    for mut function in node.chain(python) {
        function.timeout("1s");
        let run = function.invoke(&["--repeat", "2"]).expect(6);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(document["error"]["code"], "FN0702");
        for call in document["calls"].as_array().unwrap() {
            assert_eq!((&call["status"], &call["cold"]), (&json!(504), &json!(true)));
        }
    }
}

#[test]
fn a_process_that_ends_is_502_and_the_next_call_is_cold() {
    for function in every_node(&[("index.js", "exports.main = () => process.exit(3);\n")]).into_iter().take(1)
    {
        let run = function.invoke(&["--repeat", "2"]).expect(6);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let calls = document["calls"].as_array().unwrap();
        assert!(calls.iter().all(|call| call["status"] == 502 && call["cold"] == true), "{document}");
        assert!(calls[0]["body"].as_str().unwrap().contains("exited with code 3"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_function_that_takes_all_memory_is_ended() {
    let code = "exports.main = async () => { const all = []; for (;;) { all.push(Buffer.alloc(1 << 20, 1)); await null; } };\n";
    for function in every_node(&[("index.js", code)]).into_iter().take(1) {
        assert!(function.fails(&[])["body"].as_str().unwrap().contains("memory"));
    }
}

#[test]
fn module_state_lives_from_call_to_call() {
    for function in every_node(&[(
        "index.js",
        "let calls = 0;\nexports.main = async () => ({ body: String(++calls) });\n",
    )]) {
        let run = function.invoke(&["--repeat", "3"]).expect(0);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let bodies: Vec<_> = document["calls"].as_array().unwrap().iter().map(|call| &call["body"]).collect();
        assert_eq!(bodies, ["1", "2", "3"]);
        let cold: Vec<_> = document["calls"].as_array().unwrap().iter().map(|call| &call["cold"]).collect();
        assert_eq!(cold, [true, false, false]);
    }
}

#[test]
fn the_environment_is_the_platforms() {
    let read = ["process.env", "dict(os.environ)"];
    let node = every_node(&[("index.js", &node(read[0]))]);
    let python = every_python(&[("index.py", &python(read[1]))]);
    for mut function in node.into_iter().chain(python) {
        function.variable("GREETING", "hello").variable("PATH", "/mine");
        let variables = function.body(&[]);
        assert_eq!(variables["GREETING"], "hello");
        assert_eq!(variables["_HANDLER"], "index.main");
        assert_eq!(variables["AWS_LAMBDA_RUNTIME_API"], "169.254.169.254");
        assert_eq!(variables["X_YCF_MEMORY_SIZE"], "134217728");
        assert_ne!(variables["PATH"], "/mine");
        assert!(variables["LAMBDA_TASK_ROOT"].as_str().unwrap().ends_with("/function/code"));
        assert_eq!(variables["HOME"], Value::Null, "nothing of this machine's");
        assert_eq!(variables["FNSCAFFOLD_CONTROL"], Value::Null);
    }
}

#[test]
fn a_regular_start_has_the_variables_before_the_interpreter_reads_them() {
    let files = [("lib/own.js", "module.exports = 'found';\n"), ("lib/own.py", "")];
    let read = [
        "(() => { try { return require('own') } catch { return 'missing' } })()",
        "'found' if importlib.util.find_spec('own') else 'missing'",
    ];
    let code = [node(read[0]), format!("import importlib.util\n{}", python(read[1]))];
    let files = [&files[..], &[("index.js", &code[0]), ("index.py", &code[1])]].concat();
    let node = every_node(&files).into_iter().map(|node| (node, "NODE_PATH"));
    let python = every_python(&files).into_iter().map(|python| (python, "PYTHONPATH"));
    for (mut function, variable) in node.chain(python) {
        function.variable(variable, "lib");
        let is_preloaded = function.runtime != "python311";
        let expected = if is_preloaded { "missing" } else { "found" };
        assert_eq!(function.body(&[]), expected, "{}", function.runtime);
        function.tables("memory = '1GB'\ntmpfs-size = '512MB'\n");
        assert_eq!(function.body(&[]), "found", "{}", function.runtime);
        function.tables("").variable("X_YCF_NO_RUNTIME_POOL", "1");
        assert_eq!(function.body(&[]), "found", "{}", function.runtime);
    }
}

#[test]
fn check_does_not_miss_what_a_variable_leads_to() {
    let code = format!("import own\n{}", python("1"));
    for mut function in every_python(&[("lib/own.py", ""), ("index.py", &code)]) {
        function.variable("PYTHONPATH", "lib").variable("X_YCF_NO_RUNTIME_POOL", "1").command(&[]);
        function.run(&["pack"]).expect(0);
        let run = function.run(&["check"]).expect(0);
        assert!(run.stdout.contains("warning[FN0310]") && run.stdout.contains("`PYTHONPATH`"), "{run:?}");
        function.variable("X_YCF_NO_RUNTIME_POOL", "0");
        function.run(&["pack"]).expect(0);
        if function.runtime != "python311" {
            let run = function.run(&["check"]).expect(1);
            assert!(run.stdout.contains("error[FN0310]") && run.stdout.contains("FN0225"), "{run:?}");
        }
        // Nothing else is taken for less.
        function.variable("X_YCF_NO_RUNTIME_POOL", "1").write("index.py", "import own\n");
        function.command(&[]);
        function.run(&["pack"]).expect(0);
        function.run(&["check"]).expect(1);
    }
}

#[test]
fn secrets_are_given_and_what_is_missing_is_named() {
    let tables = "[[version.secrets]]\nid = 'e6q'\nkey = 'k'\nenvironment-variable = 'FIRST'\n\
        [[version.secrets]]\nid = 'e6q'\nkey = 'k'\nenvironment-variable = 'SECOND'\n\
        [[version.mounts]]\nname = 'data'\nobject-storage = { bucket = 'bucket' }\n";
    let read = [
        "[process.env.FIRST, process.env.SECOND, process.env.THIRD]",
        "[os.environ.get(name) for name in ['FIRST', 'SECOND', 'THIRD']]",
    ];
    let code = read[0].replacen('[', "(console.log(process.env.FIRST), [", 1) + ")";
    let node = every_node(&[("index.js", &node(&code))]);
    let python = every_python(&[("index.py", &python(read[1]))]);
    for mut function in node.into_iter().chain(python) {
        function.tables(tables);
        let run = function.invoke(&[]).expect(0);
        let missing = "warning[FN0506]: the function runs without the secret `FIRST`, the secret `SECOND`, the mount `data`";
        assert!(run.stderr.contains(missing), "{}", run.stderr);
        let mut command = function.command(&["invoke", "--format", "json", "--expect", "json:/0=pa55word"]);
        let run = fnscaffold::run(
            command
                .env("FNSCAFFOLD_SECRET_FIRST", "pa55word")
                .env("FNSCAFFOLD_SECRET_THIRD", "third")
                .env("SECOND", "mine"),
        )
        .expect(0);
        assert!(run.stderr.contains("without the secret `SECOND`, the mount `data`"), "{}", run.stderr);
        assert!(run.stdout.contains("<redacted>"), "{}", run.stdout);
        // Neither what the version does not name, nor what nobody meant for it.
        assert!(!run.stdout.contains("third") && !run.stdout.contains("mine"), "{}", run.stdout);
        assert!(!format!("{run:?}").contains("pa55word"), "{run:?}");
        function.write(".env", "FIRST='of a file'\nTHIRD=third\n");
        let call =
            ["invoke", "--env-file", ".env", "--expect", "json:/0=of a file", "--expect", "json:/2=third"];
        let mut command = function.command(&call);
        let run = fnscaffold::run(command.env("FNSCAFFOLD_SECRET_FIRST", "pa55word")).expect(0);
        assert!(
            run.stderr.contains("warning[FN0507]: the function has variables only here: THIRD\n"),
            "{run:?}"
        );
        assert!(run.stderr.contains("without the secret `SECOND`, the mount"), "{run:?}");
        assert!(!format!("{run:?}").contains("of a file"), "{run:?}");
    }
}

#[test]
fn code_that_does_not_load_says_no_secret() {
    let tables =
        "[[version.secrets]]\nid = 'e6q0123456789abcdefg'\nkey = 'k'\nenvironment-variable = 'FIRST'\n";
    let node = every_node(&[("index.js", "throw new Error(`no way in with ${process.env.FIRST}`);\n")]);
    let python = every_python(&[(
        "index.py",
        "import os\nraise ValueError('no way in with ' + os.environ['FIRST'])\n",
    )]);
    for mut function in node.into_iter().chain(python) {
        function.tables(tables);
        function.run(&["pack"]).expect(0);
        let interpreter = function.interpreter.to_str().unwrap().to_owned();
        let mut command = function.command(&["check", "--load", "--interpreter", &interpreter]);
        let run = fnscaffold::run(command.env("FNSCAFFOLD_SECRET_FIRST", "pa55word")).expect(1);
        assert!(run.stdout.contains("no way in with <redacted>"), "{run:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_told() {
    for function in
        every_node(&[("index.js", "exports.main = () => ({ body: 'hello' });\n")]).into_iter().take(1)
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = function.command(&["invoke"]).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("could not write standard output"));
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = function.command(&["invoke", "--format", "json"]).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("could not write standard output"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn places_that_no_function_can_run_in_are_named() {
    use std::os::unix::ffi::OsStrExt;
    for function in every_node(&[("index.js", "exports.main = () => ({});\n")]).into_iter().take(1) {
        let place = tempfile::tempdir().unwrap();
        let odd = place.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
        let long = place.path().join("d".repeat(120));
        for directory in [&odd, &long] {
            std::fs::create_dir(directory).unwrap();
        }
        for (temporary, said) in [
            (
                place.path().join("nowhere"),
                "(os error 2)\n  fix: set TMPDIR to a directory that can be written",
            ),
            (long, "set TMPDIR to a directory with a shorter path"),
            (odd.clone(), "the path is not UTF-8"),
        ] {
            let mut command = function.command(&["invoke"]);
            let run = fnscaffold::run(command.env("TMPDIR", &temporary)).expect(3);
            assert!(run.stderr.contains(said), "{run:?}");
            // No template is to blame.
            let mut command = function.command(&["templates", "test", "--lang", "nodejs"]);
            let run = fnscaffold::run(command.env("TMPDIR", &temporary)).expect(3);
            assert!(run.stderr.contains(said) && !run.stderr.contains("FN0804"), "{run:?}");
        }
        let mut command = function.command(&["invoke", "--source"]);
        let moved = odd.join("function");
        std::fs::rename(function.path(), &moved).unwrap();
        let run = fnscaffold::run(command.current_dir(moved)).expect(3);
        assert!(run.stderr.contains("the path is not UTF-8"), "{run:?}");
    }
}

/// A colon stands between two directories of PATH.
#[cfg(unix)]
#[test]
fn code_under_a_colon_finds_the_programs_of_the_system() {
    let code = node("require('child_process').execSync('ls index.js').toString()");
    for function in every_node(&[("index.js", &code)]).into_iter().take(1) {
        let mut command = function.command(&["invoke", "--source", "--format", "json"]);
        let moved = function.path().with_file_name("a:b");
        std::fs::rename(function.path(), &moved).unwrap();
        let run = fnscaffold::run(command.current_dir(moved)).expect(0);
        assert!(run.stdout.contains("index.js"), "{run:?}");
    }
}

/// Also for root, whom modes alone do not keep from anything.
#[cfg(target_os = "linux")]
#[test]
fn the_code_cannot_be_written_and_tmp_can() {
    let write = "(path => { try { require('fs').writeFileSync(path, ''); return 'written' } catch (error) { return error.code } })";
    let paths = "['index.js', 'new.txt', 'data/a.txt', 'data/new.txt', require('os').tmpdir() + '/new.txt']";
    let files = [("index.js", &*node(&format!("{paths}.map{write}"))), ("data/a.txt", "")];
    for function in every_node(&files) {
        assert_eq!(function.body(&[]), json!(["EACCES", "EACCES", "EACCES", "EACCES", "written"]));
    }
}

#[test]
fn relative_paths_start_at_the_code() {
    let code = "exports.main = async () => ({ body: require('fs').readFileSync('data/a.txt', 'utf8') });\n";
    for function in every_node(&[("index.js", code), ("data/a.txt", "found")]).into_iter().take(1) {
        assert_eq!(function.call(&[])["body"], "found");
    }
}

#[test]
fn without_a_service_account_there_is_no_token() {
    for function in every_node(&[("index.js", &node("['token' in context, context.token === undefined]"))]) {
        assert_eq!(function.body(&[]), json!([false, true]));
    }
    for function in every_python(&[("index.py", &python("context.token"))]) {
        assert_eq!(function.body(&[]), Value::Null);
    }
}

#[test]
fn a_real_token_is_given_and_not_printed() {
    let token = "t1.9euelZqSyJ2JjM2Nyc3Nyc2KzZqZyO3rnpWa.signature-of-the-token-0123456789";
    let code = "exports.main = async (event, context) => { console.log(context.token); return { headers: { 'X-T': context.token.access_token }, body: context.token.access_token }; };\n";
    for mut function in every_node(&[("index.js", code)]).into_iter().take(1) {
        function.account();
        std::fs::write(function.path().join("../token"), format!("{token}\n")).unwrap();
        for format in ["json", "text"] {
            let run = function.invoke(&["--token-file", "../token", "--format", format]).expect(0);
            assert!(
                !run.stdout.contains(token) && !run.stderr.contains(token),
                "{}{}",
                run.stdout,
                run.stderr
            );
            let run =
                function.invoke(&["--token-file", "../token", "--show-token", "--format", format]).expect(0);
            assert!(run.stdout.contains(token));
        }
        let expected = format!("body={token}");
        function.invoke(&["--token-file", "../token", "--expect", &expected]).expect(0);
        // The token itself, where its file should be named.
        let token = format!("t1.{}.{}", "a".repeat(60), "b".repeat(86));
        let run = function.invoke(&["--token-file", &token]).expect(2);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("FN0906") && !said.contains(&token), "{said}");
    }
}

/// Asks for the token, as `program` in the function or in a program that it starts.
const ASK_NODE: &str = "const http = require('http');\nconst ask = (path, headers) => new Promise((done, failed) => http.get('http://169.254.169.254' + path, { headers }, (response) => { let body = ''; response.on('data', (piece) => (body += piece)).on('end', () => done([response.statusCode, body])); }).on('error', failed));\n";
const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

#[test]
fn the_metadata_service_answers_as_the_platforms() {
    let handler = format!(
        "{ASK_NODE}exports.main = async () => {{ const flavor = {{ 'Metadata-Flavor': 'Google' }}; return {{ body: JSON.stringify([await ask('{TOKEN}', flavor), await ask('{TOKEN}', {{}}), await ask('/latest/meta-data', flavor)]) }}; }};\n"
    );
    for mut function in every_node(&[("index.js", &handler)]) {
        let statuses = |function: &Function, arguments: &[&str]| {
            let body = function.body(arguments);
            (0..3).map(|at| body[at][0].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(statuses(&function, &[]), [404, 403, 404]);
        function.account();
        assert_eq!(statuses(&function, &[]), [200, 403, 404]);
        assert_eq!(statuses(&function, &["--metadata", "500"]), [500, 500, 500]);
        assert_eq!(statuses(&function, &["--metadata", "disabled"]), [404, 404, 404]);
        let expired = function.body(&["--metadata", "expired"]);
        assert!(expired[0][1].as_str().unwrap().contains(r#""expires_in":0"#));
        function.tables("[version.metadata-options]\ngce-http-endpoint = 'disabled'\n");
        assert_eq!(statuses(&function, &[]), [404, 404, 404]);
        assert_eq!(statuses(&function, &["--metadata", "500"]), [404, 404, 404]);
        function.tables("[version.metadata-options]\naws-v1-http-endpoint = 'disabled'\n");
        assert_eq!(statuses(&function, &[]), [200, 403, 404]);
    }
}

#[test]
fn programs_that_the_function_starts_reach_the_metadata_service() {
    let script = format!(
        "{ASK_NODE}ask('{TOKEN}', {{ 'Metadata-Flavor': 'Google' }}).then(([status]) => console.log(status));\n"
    );
    let code = "const { execFileSync } = require('child_process');\nexports.main = async () => ({ body: execFileSync(process.execPath, ['child.js']).toString().trim() });\n";
    for mut function in every_node(&[("index.js", code), ("child.js", &script)]) {
        assert_eq!(function.account().call(&[])["body"], "200");
    }
    let script = format!(
        "import urllib.request\nrequest = urllib.request.Request('http://169.254.169.254{TOKEN}', headers={{'Metadata-Flavor': 'Google'}})\nprint(urllib.request.urlopen(request).status)\n"
    );
    let code = "import subprocess, sys\n\ndef main(event, context):\n    return {'body': subprocess.check_output([sys.executable, 'child.py'], text=True).strip()}\n";
    for mut function in every_python(&[("index.py", code), ("child.py", &script)]) {
        assert_eq!(function.account().call(&[])["body"], "200");
    }
}

#[test]
fn threads_of_the_function_reach_the_metadata_service_too() {
    // What asks is the same in every thread; none of them may outlive its answer.
    let asking = format!(
        "{ASK_NODE}const tell = (value) => require('worker_threads').parentPort.postMessage(value);\nask('{TOKEN}', {{ 'Metadata-Flavor': 'Google' }}).then(([status]) => tell(status), (error) => tell(String(error)));\n"
    );
    let nested = "const { Worker, parentPort } = require('worker_threads');\nnew Worker('./asking.js').on('message', (value) => parentPort.postMessage(value));\n";
    let flagged = "const { Worker } = require('worker_threads');\nnew Worker('./asking.js').on('message', (value) => console.log(value));\n";
    let code = "const { Worker } = require('worker_threads');\nconst { execFileSync } = require('child_process');\nclass Mine extends Worker {}\n\
        const answer = (worker) => new Promise((done, failed) => worker.on('message', done).on('error', failed));\n\
        const message = (make) => { try { make(); return 'made'; } catch (error) { return error.code; } };\n\
        exports.main = async () => {\n  const { Worker: Imported } = await import('worker_threads');\n  \
        const workers = [new Worker('./asking.js'), new Mine('./asking.js', { execArgv: [] }), new Imported('./asking.js', { env: {} }), new Worker('./nested.js')];\n  \
        const kinds = [workers[0] instanceof Worker, workers[1] instanceof Mine, workers[1] instanceof Worker, workers[2] instanceof Worker, Mine.name, Worker.name];\n  \
        const refused = [message(() => new Worker()), message(() => new Worker('./asking.js', { execArgv: 'text' })), message(() => new Worker('./asking.js', { execArgv: ['--no-such-flag'] }))];\n  \
        const flagged = execFileSync(process.execPath, ['--max-old-space-size=64', 'flagged.js']).toString().trim();\n  \
        return { body: JSON.stringify({ statuses: await Promise.all(workers.map(answer)), kinds, refused, flagged }) };\n};\n";
    let files = [("index.js", code), ("asking.js", &asking), ("nested.js", nested), ("flagged.js", flagged)];
    for mut function in every_node(&files) {
        let answer = function.account().body(&["--metadata-route", "preload"]);
        assert_eq!(answer["statuses"], json!([200, 200, 200, 200]), "{}", function.runtime);
        assert_eq!(answer["kinds"], json!([true, true, true, true, "Mine", "Worker"]));
        let refused = ["ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_TYPE", "ERR_WORKER_INVALID_EXEC_ARGV"];
        assert_eq!(answer["refused"], json!(refused));
        assert_eq!(answer["flagged"], "200");
    }
}

#[test]
fn logs_are_read_line_by_line() {
    let code = "exports.main = async () => { console.log('plain'); console.error(JSON.stringify({ level: 'warn', msg: 'structured', a: 1 })); return {}; };\n";
    for function in every_node(&[("index.js", code)]) {
        let answer = function.call(&[]);
        let logs = answer["logs"].as_array().unwrap();
        let find = |message: &str| {
            logs.iter().find(|log| log["message"] == message).unwrap_or_else(|| panic!("{answer}"))
        };
        assert_eq!(find("plain")["level"], "INFO");
        assert_eq!(find("structured")["level"], "WARN");
        assert_eq!(find("structured")["jsonPayload"], json!({ "a": 1 }));
        for begin in ["START RequestID: ", "END RequestID: ", "REPORT RequestID: "] {
            assert!(logs.iter().any(|log| log["message"].as_str().unwrap().starts_with(begin)), "{answer}");
        }
    }
}

#[test]
fn no_line_is_lost_in_a_flood() {
    let code = "exports.main = async () => { for (let i = 0; i < 20000; i++) console.log('line ' + i); return {}; };\n";
    for function in every_node(&[("index.js", code)]) {
        assert_eq!(function.call(&[])["logs"].as_array().unwrap().len(), 20_003);
    }
}

#[test]
fn expectations_are_judged() {
    for function in every_node(&[("index.js", "exports.main = async () => ({ body: '{\"a\":1}' });\n")])
        .into_iter()
        .take(1)
    {
        function.invoke(&["--expect", "status=200", "--expect", "json:/a=1"]).expect(0);
        let run = function.invoke(&["--expect", "status=404"]).expect(6);
        assert!(run.stdout.contains("FN0703"), "{}", run.stdout);
        function.invoke(&["--expect", "nonsense"]).expect(2);
        let run =
            function.invoke(&["--format", "junit", "--repeat", "2", "--expect", "status=404"]).expect(6);
        assert!(run.stdout.contains("tests=\"2\" failures=\"2\""), "{}", run.stdout);
    }
}

#[test]
fn the_archive_is_run_and_the_directory_with_source() {
    for function in
        every_node(&[("index.js", "exports.main = async () => ({ body: 'old' });\n")]).into_iter().take(1)
    {
        function.run(&["pack"]).expect(0);
        function.write("index.js", "exports.main = async () => ({ body: 'new' });\n");
        assert_eq!(function.call(&[])["body"], "old");
        assert_eq!(function.call(&["--source"])["body"], "new");
        for format in ["text", "json", "junit"] {
            let run = function.invoke(&["--format", format]).expect(0);
            assert!(run.stderr.contains("warning[FN0602]"), "{format}: {}", run.stderr);
            assert_eq!(function.invoke(&["--format", format, "-q"]).expect(0).stderr, "", "{format}");
        }
        // What the document says is not said twice.
        let run = function.invoke(&["--expect", "status=404", "-q"]).expect(6);
        assert_eq!((run.stdout.contains("FN0703"), run.stderr.as_str()), (true, ""));
    }
}

#[test]
fn another_version_of_the_interpreter_is_a_warning_or_with_strict_runtime_an_error() {
    for mut function in every_node(&[("index.js", &node("1"))]).into_iter().take(1) {
        function.runtime = "nodejs12";
        let run = function.invoke(&["--format", "text"]).expect(0);
        assert!(run.stderr.contains("warning[FN0505]: nodejs12 runs here on Node.js "), "{}", run.stderr);
        function.invoke(&["--strict-runtime"]).expect(3);
    }
}

#[test]
fn a_missing_interpreter_is_named() {
    for mut function in every_node(&[("index.js", &node("1"))]).into_iter().take(1) {
        function.interpreter = "/nowhere/node".into();
        assert!(function.invoke(&[]).expect(3).stdout.contains("FN0503"));
    }
}

#[test]
fn check_load_tells_what_the_interpreter_says() {
    for (code, rule) in [
        ("exports.main = () => 1;\n", None),
        ("throw new Error('early');\n", Some("FN0316")),
        ("exports[['ma', 'in'].join('')] = () => 1;\n", None),
        ("exports[['ma', 'in'].join('')] = 1;\n", Some("FN0304")),
        ("exports[['m', 'n'].join('')] = 1;\n", Some("FN0303")),
        ("process.exit(5);\n", Some("FN0316")),
    ] {
        for function in every_node(&[("index.js", code)]) {
            function.run(&["pack"]).expect(0);
            let run = function.run(&[
                "check",
                "--load",
                "--format",
                "json",
                "--interpreter",
                function.interpreter.to_str().unwrap(),
            ]);
            let document: Value = serde_json::from_str(&run.stdout).unwrap();
            let rules: Vec<_> = document["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|finding| finding["code"].as_str().unwrap())
                .collect();
            assert_eq!(run.code, i32::from(rule.is_some()), "{code}: {document}");
            assert!(rule.is_none_or(|rule| rules.contains(&rule)), "{code}: {document}");
            assert!(!rules.contains(&"FN0306"), "what was guessed is known now: {document}");
        }
    }
}

#[test]
fn another_python_does_not_judge_newer_syntax_and_compiled_modules() {
    let handler = "\ndef main(event, context):\n    return {'statusCode': 200}\n";
    for (code, exit, rule) in [
        ("try:\n    x = 1\nexcept ValueError, TypeError:\n    x = 2", 0, "FN0318"),
        ("import fast", 0, "FN0318"),
        ("raise RuntimeError('early')", 1, "FN0316"),
    ] {
        let compiled = ("fast.cpython-314-x86_64-linux-gnu.so", "");
        for mut function in every_python(&[("index.py", &format!("{code}{handler}")), compiled]) {
            if function.runtime == "python314" {
                continue;
            }
            function.runtime = "python314";
            function.run(&["pack"]).expect(0);
            let interpreter = function.interpreter.to_str().unwrap();
            let run = function.run(&["check", "--load", "--interpreter", interpreter]).expect(exit);
            assert!(run.stdout.contains(rule), "{}", run.stdout);
        }
    }
}

#[test]
fn what_the_platform_has_installed_is_not_missed() {
    let node = every_node(&[("index.js", "require('yandex-cloud/api/iam/v1');\nexports.main = () => 1;\n")]);
    let python = every_python(&[("index.py", &format!("import yandexcloud\n{}", python("1")))]);
    let oldest = [("nodejs14", "nodejs16", node), ("python38", "python39", python)];
    for (has_it, lacks_it, functions) in oldest {
        for mut function in functions {
            for (runtime, exit, rule) in [(has_it, 0, "note[FN0318]"), (lacks_it, 1, "error[FN0316]")] {
                function.runtime = runtime;
                function.command(&[]);
                function.run(&["pack"]).expect(0);
                let interpreter = function.interpreter.to_str().unwrap();
                let run = function.run(&["check", "--load", "--interpreter", interpreter]).expect(exit);
                assert!(run.stdout.contains(rule), "{}", run.stdout);
            }
        }
    }
}

#[test]
fn dependencies_that_the_platform_has_no_room_for_are_told() {
    // The file has holes and takes no room here.
    let write = |bytes: u64| {
        let script = "const fs = require('fs'); fs.mkdirSync('node_modules', { recursive: true }); \
                      fs.writeFileSync('node_modules/large', ''); fs.truncateSync('node_modules/large', BYTES)";
        let script = format!("node -e \"{}\"", script.replace("BYTES", &bytes.to_string()));
        json!({ "dependencies": {}, "scripts": { "install": script } }).to_string()
    };
    for function in every_node(&[("index.js", &node("1"))]).into_iter().take(1) {
        for (bytes, is_told) in [(700 << 20, false), ((700 << 20) + 1, true)] {
            function.write("package.json", &write(bytes));
            function.command(&[]);
            function.run(&["pack"]).expect(0);
            let interpreter = function.interpreter.to_str().unwrap();
            let run = function.run(&["check", "--load", "--interpreter", interpreter]).expect(0);
            assert_eq!(run.stdout.contains("warning[FN0320]"), is_told, "{}", run.stdout);
        }
    }
}

#[test]
fn a_python_error_that_answers_to_any_name_is_one_like_others() {
    let error = "class Failed(Exception):\n    def __getattr__(self, name):\n        return self\n\n\n";
    let code = format!("{error}def main(event, context):\n    raise Failed('no')\n");
    for function in every_python(&[("index.py", &code)]) {
        let answer = function.fails(&[]);
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["errorType"], "Failed", "{body}");
    }
}

#[test]
fn a_python_entry_point_of_no_use_raises_an_error_of_python() {
    for (code, expected) in [("", "AttributeError"), ("main = 5\n", "TypeError")] {
        for function in every_python(&[("index.py", code)]) {
            let answer = function.fails(&[]);
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!(body["errorType"], expected, "{body}");
        }
    }
}

#[test]
fn asynchronous_calls_need_a_version_that_is_set_up_for_them() {
    for mut function in every_node(&[("index.js", &node("1"))]) {
        assert_eq!(function.fails(&["--query", "integration=async"])["status"], 400);
        function.tables("[version.async-invocation]\n");
        assert_eq!(function.call(&["--query", "integration=async"])["status"], 202);
    }
}

#[test]
fn every_template_runs_on_every_interpreter() {
    let interpreters: Vec<_> = nodes::nodes()
        .iter()
        .map(|node| node.program.display().to_string())
        .chain(pythons::pythons().iter().map(|python| python.program.display().to_string()))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let mut command = fnscaffold::fnscaffold(directory.path(), &["templates", "test", "--format", "json"]);
    for interpreter in &interpreters {
        command.args(["--interpreter", interpreter]);
    }
    let run = fnscaffold::run(command.env("FNSCAFFOLD_CACHE", cache())).expect(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let combinations = document["combinations"].as_array().unwrap();
    assert_eq!(combinations.len(), 24);
    for combination in combinations {
        assert_eq!(
            combination["passed"],
            json!(["render", "parse", "pack", "check", "run"]),
            "{combination}"
        );
    }
}

/// The process, all that it started and its directory.
#[cfg(target_os = "linux")]
#[test]
fn nothing_outlives_a_killed_fnscaffold() {
    use std::time::{Duration, Instant};
    let code = "require('child_process').spawn('sleep', ['987'], { stdio: 'ignore' });\nrequire('fs').writeFileSync(process.env.TMPDIR + '/../../started', String(process.pid));\nexports.main = () => { for (;;); };\n";
    for mut function in every_node(&[("index.js", code)]).into_iter().take(1) {
        function.timeout("60s");
        let temporary = tempfile::tempdir().unwrap();
        let mut command = function.command(&["invoke"]);
        let mut child =
            command.env("TMPDIR", temporary.path()).stdout(std::process::Stdio::null()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let wait = |done: &dyn Fn() -> bool| {
            while !done() {
                assert!(Instant::now() < until, "waited too long");
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let started = temporary.path().join("started");
        wait(&|| std::fs::read_to_string(&started).is_ok_and(|text| !text.is_empty()));
        let group = std::fs::read_to_string(&started).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let alive = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            processes.filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok()).any(
                |stat| {
                    // Behind the name: state, parent, process group.
                    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
                    fields[0] != "Z" && fields[2] == group
                },
            )
        };
        wait(&|| !alive());
        std::fs::remove_file(&started).unwrap();
        wait(&|| std::fs::read_dir(temporary.path()).unwrap().next().is_none());
    }
}
