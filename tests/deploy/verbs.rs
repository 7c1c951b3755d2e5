//! What `deploy`, `versions`, `rollback`, `public` and `invoke --remote` do when nothing goes wrong.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::run;
use crate::proxy;
use crate::scene::{KEY, Scene, key_json, told};
use crate::server::{Course, Fault, TOKEN};

#[test]
fn a_function_is_made_and_then_left_alone() {
    let scene = Scene::small();
    let first = scene.run(&["deploy", "--smoke", "http", "--expect", "status=200"]);
    scene.expect_one(&first, "first");
    assert!(first.stdout.contains("created") && first.stdout.contains("tag `prod` moved"), "{first:?}");
    {
        let state = scene.server.state();
        let request = &state.creates[0];
        assert_eq!(request["resources"]["memory"], "134217728");
        assert_eq!(request["executionTimeout"], "3s");
        assert!(request["tag"][0].as_str().unwrap().starts_with("sha-"), "{request}");
        let call = &state.calls[0];
        assert!(call.contains(request["tag"][0].as_str().unwrap()) && call.contains("raw"), "{call}");
    }
    let again = scene.run(&["deploy"]);
    scene.expect_one(&again, "again");
    assert!(again.stdout.contains("is this already"), "{again:?}");
    let forced = scene.run(&["deploy", "--force"]);
    assert_eq!((forced.code, scene.versions()), (0, 2));
    scene.edit("two");
    let changed = scene.run(&["deploy", "--format", "json"]);
    assert_eq!((changed.code, scene.versions()), (0, 3));
    let document: Value = serde_json::from_str(&changed.stdout).unwrap();
    assert_eq!(document["version"]["created"], true);
    assert_eq!(document["movedTags"], json!(["prod"]));
    assert_eq!(document["differences"][0]["field"], "code.sha256");
}

#[test]
fn a_large_archive_goes_through_a_bucket_over_tls() {
    let scene = Scene::new(true, 20_000_000);
    let refused = scene.run(&["deploy"]).expect(4);
    assert!(refused.stderr.contains("--bucket"), "{refused:?}");
    scene.server.fault("PUT /bucket*", 1, Fault::Status(503, Some("0".to_owned())));
    scene.server.fault("PUT /bucket*", 1, Fault::ResetDuring);
    scene.server.fault("PUT /bucket*", 1, Fault::ResetAfter);
    let done = scene.run(&["deploy", "--bucket", "bucket"]);
    scene.expect_one(&done, "bucket");
    let object = scene.server.state().objects.keys().next().unwrap().clone();
    let spec: Value =
        serde_json::from_str(&fs::read_to_string(scene.function.join("dist/version.json")).unwrap()).unwrap();
    assert!(object.contains(spec["archive"]["sha256"].as_str().unwrap()), "{object}");
    scene.server.state().requests.clear();
    scene.run(&["deploy", "--bucket", "bucket", "--force"]).expect(0);
    let uploads = scene.server.state().requests.iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!((uploads, scene.versions()), (0, 2), "an object that is there is not sent again");
}

#[test]
fn a_deployed_function_is_called() {
    let scene = Scene::small();
    let nothing = scene.run(&["invoke", "--remote"]).expect(5);
    assert!(nothing.stderr.contains("FN0908"), "{nothing:?}");
    scene.run(&["deploy"]).expect(0);
    scene.server.state().answer = (200, "hello".to_owned());
    let http =
        ["invoke", "--remote", "--tag", "prod", "-d", "{}", "--query", "a=1", "--expect", "body=hello"];
    let run = scene.run(&http).expect(0);
    assert_eq!(run.stdout, "hello\n", "{run:?}");
    let envelope = json!({ "statusCode": 201, "body": json!({ "access_token": TOKEN }).to_string() });
    scene.server.state().answer = (200, envelope.to_string());
    let event = ["invoke", "--remote", "--event-template", "http", "--format", "json"];
    let run = scene.run(&event).expect(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["calls"][0]["status"], 201, "{document}");
    scene.server.state().answer = (502, json!({ "errorMessage": "boom" }).to_string());
    let run = scene.run(&["invoke", "--remote", "--event-template", "timer"]).expect(6);
    assert!(run.stderr.contains("boom"), "{run:?}");
    let calls = scene.server.state().calls.clone();
    assert!(calls[0].contains("\"tag\": \"prod\"") && calls[0].contains("\"a\": \"1\""), "{calls:?}");
    assert_eq!(calls.len(), 3);
    scene.server.fault("POST /d4e*", 1, Fault::ResetAfter);
    scene.run(&["invoke", "--remote", "--raw", "-d", "x"]).expect(5);
    for more in [&[][..], &["-n"]] {
        let no_word = scene.run(&[&["invoke", "--remote", "--method", "no word"], more].concat()).expect(2);
        assert!(no_word.stderr.contains("FN0103"), "{no_word:?}");
    }
    assert_eq!(scene.server.state().calls.len(), 4, "a call is not repeated");
}

#[test]
fn a_proxy_is_honoured() {
    let scene = Scene::new(true, 0);
    let (proxy, tunnels) = proxy::start();
    let through = |no_proxy: &str| {
        let mut command = scene.command(&["versions"]);
        told(run(command.env("HTTPS_PROXY", &proxy).env("NO_PROXY", no_proxy)))
    };
    scene.run(&["deploy"]).expect(0);
    through("").expect(0);
    let used = tunnels.load(Ordering::Relaxed);
    assert!(used > 0);
    through("127.0.0.1").expect(0);
    assert_eq!(tunnels.load(Ordering::Relaxed), used);
}

#[test]
fn credentials_are_found_where_they_are() {
    let scene = Scene::small();
    let versions = |name: &str, value: &str| {
        let mut command = scene.command(&["versions", "-v"]);
        command.env_remove("YC_IAM_TOKEN").env(name, value);
        told(run(&mut command))
    };
    scene.run(&["deploy"]).expect(0);
    let place = |name: &str, text: &str| {
        let path = scene.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let oauth = "y0_oauth-secret-of-the-test";
    // The first that is there is taken.
    let sources = [
        ("FNSCAFFOLD_TOKEN_FILE", place("token", &format!("\u{feff}{TOKEN}\n")), "token`"),
        ("FNSCAFFOLD_KEY_FILE", place("key.json", &key_json()), "key.json`"),
        ("YC_IAM_TOKEN", TOKEN.to_owned(), "YC_IAM_TOKEN"),
        ("YC_TOKEN", oauth.to_owned(), "YC_TOKEN"),
        ("YC_SERVICE_ACCOUNT_KEY_FILE", key_json(), "YC_SERVICE_ACCOUNT_KEY_FILE"),
        ("YC_METADATA_ADDR", scene.server.url.replace("http://", ""), "metadata service"),
    ];
    for (first, (name, _, from)) in sources.iter().enumerate() {
        let mut command = scene.command(&["versions", "-v"]);
        command.env_remove("YC_IAM_TOKEN");
        command.envs(sources[first..].iter().map(|(name, value, _)| (name, value)));
        let run = told(run(&mut command));
        assert!(run.code == 0 && run.stderr.contains(from), "{name}: {run:?}");
    }
    let profile =
        format!("current: work\nprofiles:\n  work:\n    token: {oauth}\n    folder-id: b1gfolder\n");
    place(".config/yandex-cloud/config.yaml", &profile);
    for secret in [KEY.to_owned(), format!("t1.{}.{}", "a".repeat(60), "b".repeat(86))] {
        for name in ["YC_SERVICE_ACCOUNT_KEY_FILE", "FNSCAFFOLD_KEY_FILE", "FNSCAFFOLD_TOKEN_FILE"] {
            let run = versions(name, &secret);
            assert!(
                run.code == 2 && run.stderr.contains("FN0906") && !run.stderr.contains(&secret),
                "{run:?}"
            );
        }
    }
    let run = versions("YC_FOLDER_ID", "");
    assert!(run.code == 0 && run.stderr.contains("profile `work`"), "{run:?}");
    let run = versions("FNSCAFFOLD_PROFILE", "other");
    assert!(run.code == 2 && run.stderr.contains("FN0906"), "{run:?}");
}

#[test]
fn no_time_is_too_long() {
    let scene = Scene::small();
    scene.run(&["deploy"]).expect(0);
    scene
        .run(&["versions", "--request-timeout", "500000000000years", "--wait", "500000000000years"])
        .expect(0);
    scene.server.state().lifetime = Duration::MAX;
    let mut command = scene.command(&["versions"]);
    let host = scene.server.url.replace("http://", "");
    told(run(command.env_remove("YC_IAM_TOKEN").env("YC_METADATA_ADDR", host))).expect(0);
}

#[test]
fn without_credentials_or_folder_nothing_is_asked() {
    let scene = Scene::small();
    let nobody = told(run(scene
        .command(&["deploy"])
        .env_remove("YC_IAM_TOKEN")
        .env("YC_METADATA_ADDR", "127.0.0.1:1")));
    assert!(nobody.code == 2 && nobody.stderr.contains("FN0905"), "{nobody:?}");
    let nowhere = told(run(scene.command(&["deploy", "--format", "json"]).env_remove("YC_FOLDER_ID")));
    assert_eq!(nowhere.code, 2);
    let document: Value = serde_json::from_str(&nowhere.stdout).unwrap();
    assert_eq!(document["error"]["code"], "FN0102");
    let clear = told(run(scene.command(&["deploy"]).env("YC_ENDPOINT", "http://example.com")));
    assert!(clear.code == 2 && clear.stderr.contains("TLS"), "{clear:?}");
    assert!(scene.server.state().requests.is_empty());
}

#[test]
fn tags_move_only_when_the_version_proved_itself() {
    let scene = Scene::small();
    scene.run(&["deploy"]).expect(0);
    let before = scene.tagged("prod");
    scene.edit("two");
    let body = json!({ "access_token": TOKEN }).to_string();
    scene.server.state().answer = (200, json!({ "statusCode": 500, "body": body }).to_string());
    let failed = scene.run(&["deploy", "--smoke", "http", "--expect", "status=200"]).expect(5);
    assert!(failed.stderr.contains("FN0907") && failed.stderr.contains("found: 500"), "{failed:?}");
    assert_eq!((scene.versions(), scene.tagged("prod")), (2, before.clone()));
    scene.run(&["deploy", "--smoke", "http", "--expect", "json:/nothing"]).expect(5);
    assert_eq!((scene.versions(), scene.tagged("prod")), (2, before.clone()), "not made again");
    assert!(failed.stderr.contains("the next `deploy` without --smoke would move them"), "{failed:?}");
    let hint = "--smoke calls it before they move";
    assert!(scene.run(&["deploy", "-n"]).stderr.contains(hint));
    assert!(!scene.run(&["deploy", "-n", "--smoke", "http"]).stderr.contains(hint));
    scene.server.state().answer = (502, json!({ "errorMessage": "boom", "errorType": "E" }).to_string());
    let failed = scene.run(&["deploy", "--smoke", "timer"]);
    assert!(failed.code == 5 && failed.stderr.contains("boom"), "{failed:?}");
    scene.server.state().answer = (200, json!({ "statusCode": 200, "body": body }).to_string());
    scene.run(&["deploy", "--smoke", "http", "--expect", "status=200"]).expect(0);
    assert_eq!(scene.versions(), 2);
    assert_ne!(scene.tagged("prod"), before);
    assert_eq!(scene.tagged("prod"), scene.tagged("$latest"));
    assert!(!scene.run(&["deploy", "-n"]).stderr.contains(hint));
}

#[test]
fn without_tags_a_version_that_failed_has_a_way_back() {
    let scene = Scene::small();
    let path = scene.function.join("function.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("[\"prod\"]", "[]")).unwrap();
    scene.pack();
    scene.server.state().answer = (502, "{}".to_owned());
    let way = "`fnscaffold rollback` goes back";
    let first = scene.run(&["deploy", "--smoke", "http"]);
    assert!(first.code == 5 && !first.stderr.contains(way), "{first:?}");
    scene.edit("two");
    let second = scene.run(&["deploy", "--smoke", "http"]);
    assert!(second.code == 5 && second.stderr.contains(way), "{second:?}");
    scene.run(&["rollback"]).expect(0);
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_would() {
    let scene = Scene::small();
    let first = scene.run(&["deploy", "-n"]).expect(0);
    assert!(
        first.stdout.contains("would be created") && first.stdout.contains("+ runtime: python312"),
        "{first:?}"
    );
    assert_eq!(scene.server.state().changes(), Vec::<&String>::new());
    scene.run(&["deploy"]).expect(0);
    scene.server.state().requests.clear();
    let path = scene.function.join("function.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        manifest
            .replace("128MB", "256MB")
            .replace("environment = {}", "environment = { KEY = \"s3cret-value\" }"),
    )
    .unwrap();
    scene.pack();
    told(run(scene.command(&["deploy", "-n"]).env("FNSCAFFOLD_EXPECT", "status=200"))).expect(0);
    scene.run(&["deploy", "-n", "--expect", "status=200"]).expect(2);
    let second = scene.run(&["deploy", "-n", "--smoke", "http"]).expect(0);
    for line in [
        "~ resources.memory: 134217728 -> 268435456",
        "+ environment.KEY: (hidden)",
        "tag `prod` would be moved",
    ] {
        assert!(second.stdout.contains(line), "{second:?}");
    }
    assert!(!second.stdout.contains("s3cret-value"));
    assert_eq!(scene.server.state().changes(), Vec::<&String>::new());
    for verb in [&["rollback", "-n"][..], &["public", "on", "-n", "--yes"]] {
        scene.run(verb);
    }
    assert_eq!(scene.server.state().changes(), Vec::<&String>::new());
}

#[test]
fn findings_stop_before_the_cloud_is_asked() {
    let scene = Scene::small();
    fs::write(scene.function.join("index.py"), "def nothing():\n    pass\n").unwrap();
    let stale = scene.run(&["deploy"]);
    assert!(stale.code == 1 && stale.stdout.contains("FN0602"), "{stale:?}");
    // As `check` ends where it cannot read.
    fs::create_dir(scene.function.join(".fnignore")).unwrap();
    for verb in ["check", "deploy"] {
        scene.run(&[verb]).expect(3);
    }
    assert!(scene.server.state().requests.is_empty());
}

#[test]
fn going_back_moves_the_tag_and_no_version() {
    let scene = Scene::small();
    scene.run(&["deploy"]).expect(0);
    let first = scene.tagged("prod").unwrap();
    let nothing = scene.run(&["rollback"]);
    assert!(nothing.code == 5 && nothing.stderr.contains("FN0908"), "{nothing:?}");
    scene.edit("two");
    scene.run(&["deploy"]).expect(0);
    let second = scene.tagged("prod").unwrap();
    scene.run(&["rollback"]).expect(0);
    assert_eq!((scene.tagged("prod").as_deref(), scene.versions()), (Some(first.as_str()), 2));
    scene.run(&["rollback", &second]).expect(0);
    assert_eq!(scene.tagged("prod"), Some(second));
    let listed = scene.run(&["versions"]);
    assert!(listed.stdout.contains(&first) && listed.stdout.contains("$latest"), "{listed:?}");
    scene.run(&["rollback", "d4vnone"]).expect(5);
    scene.server.fault("POST *", 1, Fault::Status(403, None));
    let refused = scene.run(&["rollback"]).expect(5);
    assert!(refused.stderr.contains("as things stand: of the tags prod some may"), "{refused:?}");
}

#[test]
fn going_back_without_tags_makes_a_copy() {
    let scene = Scene::small();
    let path = scene.function.join("function.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("[\"prod\"]", "[]")).unwrap();
    scene.pack();
    scene.run(&["deploy"]).expect(0);
    let first = scene.tagged("$latest").unwrap();
    scene.edit("two");
    scene.run(&["deploy"]).expect(0);
    scene.server.fault("POST /functions/v1/versions", 1, Fault::ResetAfter);
    scene.run(&["rollback"]).expect(0);
    assert_eq!(scene.versions(), 3);
    {
        let state = scene.server.state();
        assert_eq!(state.creates[2]["versionId"], first.as_str());
        assert_eq!(state.creates[2]["description"], state.creates[0]["description"]);
    }
    // What another tool made has no mark: the plan refuses what the deed would.
    for version in &mut scene.server.state().versions {
        version["description"] = "by hand".into();
    }
    for arguments in
        [&["rollback", "-n"][..], &["rollback"], &["rollback", &first, "-n"], &["rollback", &first]]
    {
        let refused = scene.run(arguments).expect(5);
        assert!(refused.stderr.contains("FN0908") && refused.stderr.contains("--tag NAME"), "{refused:?}");
    }
    scene.run(&["rollback", &first, "--tag", "prod"]).expect(0);
    assert_eq!((scene.tagged("prod"), scene.versions()), (Some(first), 3));
}

#[test]
fn old_tags_of_our_own_give_way() {
    let scene = Scene::small();
    for number in 0..6 {
        scene.edit(&number.to_string());
        scene.run(&["deploy"]).expect(0);
    }
    let state = scene.server.state();
    let own = |version: &Value| {
        version["tags"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|tag| tag.as_str().unwrap().starts_with("sha-"))
            .count()
    };
    assert_eq!(state.versions.iter().map(own).sum::<usize>(), 4);
}

#[test]
fn public_changes_one_binding_and_guards_tokens() {
    let scene = Scene::small();
    scene.run(&["deploy"]).expect(0);
    let other = json!({ "roleId": "functions.functionInvoker", "subject": { "id": "aje", "type": "serviceAccount" } });
    scene.server.state().bindings.push(other.clone());
    let refused = scene.run(&["public", "on"]);
    assert!(refused.code == 4 && refused.stderr.contains("FN0909"), "{refused:?}");
    assert_eq!(scene.server.state().bindings.len(), 1);
    let path = scene.function.join("index.py");
    let code = |body: &str| format!("import json\n\n\ndef main(event, c):\n    return {{'body': {body}}}\n");
    fs::write(&path, code("json.dumps(c.token)")).unwrap();
    let refused = scene.run(&["public", "on"]).expect(4);
    assert!(refused.stderr.contains("`c.token` is in its code"), "{refused:?}");
    fs::write(&path, code("c.request_id")).unwrap();
    let said = scene.run(&["public", "on", "-n", "--format", "json"]).expect(0);
    assert!(said.stderr.contains("warning[FN0910]"), "{said:?}");
    scene.run(&["public", "on", "--yes"]).expect(0);
    scene.run(&["public", "on", "--yes"]).expect(0);
    assert_eq!(scene.server.state().bindings.len(), 2);
    assert_eq!(scene.server.state().bindings[1]["subject"], json!({ "id": "allUsers", "type": "system" }));
    scene.run(&["public", "off"]).expect(0);
    assert_eq!(scene.server.state().bindings, [other]);
    let none = scene.server.state().requests.iter().all(|line| !line.contains("setAccessBindings"));
    assert!(none);
}

#[test]
fn a_dry_call_is_not_made() {
    let scene = Scene::small();
    scene.run(&["deploy"]).expect(0);
    scene.server.state().calls.clear();
    let said =
        scene.run(&["invoke", "--remote", "-n", "-d", "pa55word", "--query", "a=b c", "--tag", "prod"]);
    let line = said.stdout.trim_end();
    assert!(
        line.starts_with("would send POST http://") && line.ends_with("?a=b+c&tag=prod with 8 bytes"),
        "{said:?}"
    );
    let said =
        scene.run(&["invoke", "--remote", "-n", "--event-template", "timer", "--format", "json"]).expect(0);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&document["dryRun"], &document["request"]["method"]), (&json!(true), &json!("POST")));
    assert!(document["request"]["url"].as_str().unwrap().ends_with("?integration=raw"), "{document}");
    let said = scene.run(&["invoke", "--remote", "-n", "--format", "junit"]).expect(0);
    assert!(said.stdout.contains("tests=\"0\""), "{said:?}");
    assert_eq!(scene.server.state().calls, Vec::<String>::new());
    // A function that is not there is told as without -n.
    let missing = scene.run(&["invoke", "--remote", "-n", "--folder-id", "b1gother"]);
    assert_eq!(missing.code, scene.run(&["invoke", "--remote", "--folder-id", "b1gother"]).code);
}

#[test]
fn an_event_from_a_file_is_sent_and_judged_as_what_it_is() {
    let scene = Scene::small();
    scene.run(&["deploy"]).expect(0);
    scene.server.state().answer = (200, "null".to_owned());
    let place = |name: &str, text: &str| fs::write(scene.function.join(name), text).unwrap();
    place("trigger.json", "\u{feff}{\"messages\":[]}");
    place("request.json", "{\"httpMethod\":\"GET\"}");
    scene.run(&["invoke", "--remote", "--event", "trigger.json"]).expect(0);
    scene.run(&["invoke", "--remote", "--event", "request.json"]).expect(6);
}

#[test]
fn json_is_one_document_also_on_failure() {
    let scene = Scene::small();
    scene.server.state().course = Course::Fails;
    let run = scene.run(&["deploy", "--format", "json"]).expect(5);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["error"]["code"], "FN0903");
    assert!(document["error"]["why"].as_str().unwrap().contains("no tag was moved"), "{document}");
}

#[test]
fn every_setting_of_function_toml_arrives() {
    let scene = Scene::small();
    let path = scene.function.join("function.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let settings = "[version]\ndescription = \"mine\"\ntmpfs-size = \"512MB\"\n\
        log-options = { min-level = \"warn\" }\nsecrets = [{ id = \"e6q\", version-id = \"e6v\", key = \"k\", environment-variable = \"K\" }]\n\
        metadata-options = { aws-v1-http-endpoint = \"disabled\" }";
    fs::write(&path, manifest.replacen("[version]", settings, 1).replace("128MB", "2GB")).unwrap();
    scene.pack();
    let run = scene.run(&["deploy"]);
    scene.expect_one(&run, "settings");
    let request = scene.server.state().creates[0].clone();
    assert!(request["description"].as_str().unwrap().starts_with("mine fnscaffold:"), "{request}");
    assert_eq!(request["tmpfsSize"], "536870912");
    assert_eq!(request["logOptions"], json!({ "minLevel": "WARN" }));
    assert_eq!(request["secrets"][0]["environmentVariable"], "K");
    assert_eq!(request["metadataOptions"]["awsV1HttpEndpoint"], "DISABLED");
    let again = scene.run(&["deploy"]);
    scene.expect_one(&again, "unchanged");
    let plan = scene.run(&["deploy", "-n", "--force"]).expect(0);
    assert!(!plan.stdout.contains(" -> "), "{plan:?}");
    let manifest = fs::read_to_string(&path).unwrap();
    fs::write(&path, manifest.replace("\"mine\"", "\"new text\"")).unwrap();
    scene.pack();
    let plan = scene.run(&["deploy", "-n"]).expect(0);
    assert!(plan.stdout.contains("~ description: mine -> new text"), "{plan:?}");
    let changed = scene.run(&["deploy"]);
    assert_eq!((changed.code, scene.versions()), (0, 2), "{changed:?}");
    let request = scene.server.state().creates[1].clone();
    assert!(request["description"].as_str().unwrap().starts_with("new text fnscaffold:"), "{request}");
    scene.run(&["deploy"]).expect(0);
    assert_eq!(scene.versions(), 2);
}
