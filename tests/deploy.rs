//! `deploy` and its sisters against a server that behaves as the cloud does, and misbehaves as networks do:
//! exit codes, how many versions there are, where the tags are, and that no secret is ever told.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

#[path = "common/fnscaffold.rs"]
mod common;
#[path = "cloud/server.rs"]
mod server;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use common::{Run, fnscaffold, run};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use server::{Course, Fault, Server, TOKEN};
use tempfile::TempDir;

/// A key that was made for these tests and opens nothing.
const KEY: &str = include_str!("cloud/key.pem");

fn key_der() -> Vec<u8> {
    PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap().secret_der().to_vec()
}

/// As `yc iam key create` writes it, with its line before the PEM header.
fn key_json() -> String {
    let text = format!("PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <ajekey>\n{KEY}");
    json!({ "id": "ajekey", "service_account_id": "ajeaccount", "private_key": text }).to_string()
}

const SECRETS: [&str; 4] =
    [TOKEN, "exchanged-secret-of-the-test", "y0_oauth-secret-of-the-test", "BEGIN PRIVATE KEY"];

/// A packed function directory and a cloud.
struct Scene {
    server: Server,
    directory: TempDir,
    function: PathBuf,
}

impl Scene {
    /// The archive has about a kilobyte, and more when `noise` says so.
    fn new(tls: bool, noise: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let new = ["new", "--lang", "python", "--mode", "context", "--runtime", "python312"];
        let account = ["--service-account-id", "ajeaccount0000000000"];
        run(fnscaffold(directory.path(), &new).args(account).args(["--no-pack", "-q"])).expect(0);
        let function = directory.path().join("my-app");
        let manifest = fs::read_to_string(function.join("function.toml")).unwrap();
        let tagged: Vec<_> = manifest
            .lines()
            .filter(|line| !line.starts_with("tags"))
            .map(|line| if line == "[version]" { "[version]\ntags = [\"prod\"]" } else { line })
            .collect();
        fs::write(function.join("function.toml"), tagged.join("\n")).unwrap();
        if noise > 0 {
            let mut state = 1_u32;
            let bytes: Vec<u8> = (0..noise)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            fs::write(function.join("noise.bin"), bytes).unwrap();
        }
        let scene = Self { server: Server::start(tls), directory, function };
        scene.pack();
        scene
    }

    fn small() -> Self {
        Self::new(false, 0)
    }

    fn pack(&self) {
        run(&mut fnscaffold(&self.function, &["pack", "-q"])).expect(0);
    }

    /// Another content, so that there is something to deploy.
    fn edit(&self, text: &str) {
        let path = self.function.join("index.py");
        let code = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{code}\n# {text}\n")).unwrap();
        self.pack();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = fnscaffold(&self.function, arguments);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().to_ascii_uppercase();
            if name.starts_with("YC_") || name.ends_with("_PROXY") || name.starts_with("SSL_CERT") {
                command.env_remove(name.to_lowercase()).env_remove(name);
            }
        }
        command
            .env("HOME", self.directory.path())
            .env("YC_ENDPOINT", &self.server.url)
            .env("YC_FOLDER_ID", "b1gfolder")
            .env("YC_IAM_TOKEN", TOKEN);
        if let Some(certificate) = &self.server.certificate {
            let path = self.directory.path().join("root.pem");
            fs::write(&path, certificate).unwrap();
            command.env("SSL_CERT_FILE", path);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        told(run(&mut self.command(arguments)))
    }

    fn versions(&self) -> usize {
        self.server.state().versions.len()
    }

    /// The version that has the tag.
    fn tagged(&self, tag: &str) -> Option<String> {
        self.server.state().tag(tag).map(str::to_owned)
    }

    /// One version, with all of its tags.
    fn expect_one(&self, run: &Run, what: &str) {
        assert_eq!(run.code, 0, "{what}: {run:?}");
        assert_eq!(self.versions(), 1, "{what}: {run:?}");
        assert!(self.tagged("prod").is_some(), "{what}");
        assert_eq!(self.tagged("prod"), self.tagged("$latest"), "{what}");
    }
}

/// Whatever is said, no secret is in it.
fn told(run: Run) -> Run {
    for secret in SECRETS {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
    }
    run
}

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
fn an_unknown_certificate_is_refused_at_once() {
    let scene = Scene::new(true, 0);
    let begun = Instant::now();
    let run = told(run(scene.command(&["deploy"]).env_remove("SSL_CERT_FILE"))).expect(5);
    assert!(run.stderr.contains("FN0902") && run.stderr.contains("certificate"), "{run:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(scene.server.state().requests.is_empty());
}

/// Every fault of a request that comes once.
fn faults() -> Vec<Fault> {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    vec![
        Fault::Status(429, Some("1".to_owned())),
        Fault::Status(429, Some(date)),
        Fault::Status(503, Some("1".to_owned())),
        Fault::Status(500, None),
        Fault::BrokenAfter,
        Fault::ResetBefore,
        Fault::ResetDuring,
        Fault::ResetAfter,
        Fault::Truncated,
        Fault::Html,
    ]
}

#[test]
fn one_version_is_made_whatever_happens_to_the_request() {
    let scenes: Vec<_> = faults()
        .into_iter()
        .flat_map(|fault| [false, true].map(|ignores_keys| (fault.clone(), ignores_keys)))
        .map(|(fault, ignores_keys)| {
            std::thread::spawn(move || {
                let scene = Scene::small();
                scene.server.state().ignores_keys = ignores_keys;
                for begins in ["POST /functions/v1/functions", "POST /functions/v1/versions"] {
                    scene.server.fault(begins, 1, fault.clone());
                }
                let run = scene.run(&["deploy"]);
                scene.expect_one(&run, &format!("{fault:?}, keys ignored: {ignores_keys}"));
                assert_eq!(scene.server.state().creates.len(), 1, "{fault:?}");
                assert_eq!(scene.server.state().functions.len(), 1, "{fault:?}");
            })
        })
        .collect();
    for scene in scenes {
        scene.join().unwrap();
    }
}

#[test]
fn one_version_is_made_whatever_happens_to_the_other_requests() {
    let scenes: Vec<_> = faults()
        .into_iter()
        .map(|fault| {
            std::thread::spawn(move || {
                let scene = Scene::small();
                for begins in [
                    "GET /functions/v1/functions",
                    "GET /functions/v1/versions",
                    "GET /operations*",
                    "POST /functions/v1/versions/*",
                ] {
                    scene.server.fault(begins, 2, fault.clone());
                }
                let run = scene.run(&["deploy"]);
                scene.expect_one(&run, &format!("{fault:?}"));
            })
        })
        .collect();
    for scene in scenes {
        scene.join().unwrap();
    }
}

#[test]
fn a_large_archive_survives_the_same_faults() {
    for fault in
        [Fault::Status(503, Some("0".to_owned())), Fault::ResetDuring, Fault::ResetAfter, Fault::Html]
    {
        let scene = Scene::new(false, 4_000_000);
        scene.server.fault("PUT /bucket*", 2, fault.clone());
        scene.server.fault("POST /functions/v1/versions", 1, fault.clone());
        let run = scene.run(&["deploy", "--bucket", "bucket"]);
        scene.expect_one(&run, &format!("{fault:?}"));
    }
}

const CREATE: &str = "POST /functions/v1/versions";

#[test]
fn what_stays_broken_is_told_and_moves_no_tag() {
    let scenes = [
        (CREATE, Fault::Status(500, None), "FN0901", "request-42", 5),
        (CREATE, Fault::Status(403, None), "FN0901", "functions.editor", 1),
        (CREATE, Fault::Status(429, Some("3600".to_owned())), "FN0901", "quotas", 1),
        (CREATE, Fault::ResetBefore, "FN0902", "closed in the middle", 5),
        ("*", Fault::Html, "FN0902", "text/html", 0),
        ("*", Fault::Status(503, None), "FN0901", "trace-42", 0),
    ];
    for scene in scenes.map(|(wanted, fault, rule, said, attempts)| {
        std::thread::spawn(move || {
            let scene = Scene::small();
            scene.run(&["deploy"]).expect(0);
            let before = scene.tagged("prod");
            scene.edit("two");
            scene.server.state().requests.clear();
            scene.server.fault(wanted, 99, fault.clone());
            let run = scene.run(&["deploy"]).expect(5);
            assert!(run.stderr.contains(rule) && run.stderr.contains(said), "{fault:?}: {run:?}");
            let standing = match (wanted, attempts) {
                (CREATE, 1) => "no version of `my-app` was made",
                (CREATE, _) => "may be in the making",
                _ => "",
            };
            assert!(run.stderr.contains(standing), "{fault:?}: {run:?}");
            let sent = scene.server.state().requests.iter().filter(|line| *line == CREATE).count();
            assert_eq!(sent, attempts, "{fault:?}");
            assert_eq!((scene.versions(), scene.tagged("prod")), (1, before), "{fault:?}");
        })
    }) {
        scene.join().unwrap();
    }
}

#[test]
fn a_version_whose_answer_never_comes_is_found() {
    let scene = Scene::small();
    scene.server.state().ignores_keys = true;
    scene.server.fault(CREATE, 99, Fault::ResetAfter);
    let run = scene.run(&["deploy"]);
    scene.expect_one(&run, "found");
    assert_eq!(scene.server.state().creates.len(), 1);
}

#[test]
fn a_version_that_the_list_does_not_have_yet_is_not_made_twice() {
    let scene = Scene::small();
    scene.server.fault(CREATE, 1, Fault::ResetAfter);
    scene.server.state().hides = 1;
    let run = scene.run(&["deploy"]);
    scene.expect_one(&run, "the key tells");
    let sent = scene.server.state().requests.iter().filter(|line| *line == CREATE).count();
    assert_eq!((sent, scene.server.state().creates.len()), (2, 1));
}

#[test]
fn the_next_run_takes_up_what_was_lost() {
    let scene = Scene::small();
    scene.server.fault(CREATE, 1, Fault::ResetAfter);
    scene.server.state().later = vec![("GET /functions/v1/versions".to_owned(), 9, Fault::Status(500, None))];
    let lost = scene.run(&["deploy"]).expect(5);
    assert!(lost.stderr.contains("may be in the making"), "{lost:?}");
    assert_eq!(scene.tagged("prod"), None);
    scene.server.state().faults.clear();
    let run = scene.run(&["deploy"]);
    scene.expect_one(&run, "taken up");
    assert!(run.stdout.contains("is this already"), "{run:?}");
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
    assert_eq!(scene.server.state().calls.len(), 4, "a call is not repeated");
}

#[test]
fn a_proxy_is_honoured() {
    let scene = Scene::new(true, 0);
    let (proxy, tunnels) = server::proxy();
    let through = |no_proxy: &str| {
        let mut command = scene.command(&["versions"]);
        told(run(command.env("HTTPS_PROXY", &proxy).env("NO_PROXY", no_proxy)))
    };
    scene.run(&["deploy"]).expect(0);
    through("").expect(0);
    let used = tunnels.load(std::sync::atomic::Ordering::Relaxed);
    assert!(used > 0);
    through("127.0.0.1").expect(0);
    assert_eq!(tunnels.load(std::sync::atomic::Ordering::Relaxed), used);
}

#[test]
fn a_token_that_runs_out_is_renewed_once() {
    let scene = Scene::small();
    let key = scene.directory.path().join("key.json");
    fs::write(&key, key_json()).unwrap();
    for begins in ["GET /functions/v1/versions", "POST /functions/v1/versions", "GET /operations*"] {
        scene.server.fault(begins, 1, Fault::Expired);
    }
    let mut first = scene.command(&["deploy"]);
    let done = told(run(first.env_remove("YC_IAM_TOKEN").env("YC_SERVICE_ACCOUNT_KEY_FILE", &key)));
    scene.expect_one(&done, "key");
    assert_eq!(scene.server.state().exchanges.len(), 4);
    // One that is about to run out is renewed before it does.
    scene.server.state().lifetime = Duration::from_secs(30);
    let mut again = scene.command(&["deploy"]);
    told(run(again.env_remove("YC_IAM_TOKEN").env("YC_SERVICE_ACCOUNT_KEY_FILE", &key))).expect(0);
    assert!(scene.server.state().exchanges.len() > 6);
}

#[test]
fn a_given_token_that_runs_out_is_told() {
    let scene = Scene::small();
    scene.server.fault(CREATE, 1, Fault::Expired);
    let run = scene.run(&["deploy"]).expect(5);
    assert!(
        run.stderr.contains("yc iam create-token") && run.stderr.contains("no version of `my-app` was made"),
        "{run:?}"
    );
    assert_eq!(scene.versions(), 0);
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
    for (name, value, from) in [
        ("FNSCAFFOLD_TOKEN_FILE", place("token", &format!("{TOKEN}\n")), "token`"),
        ("FNSCAFFOLD_KEY_FILE", place("key.json", &key_json()), "key.json`"),
        ("YC_TOKEN", oauth.to_owned(), "YC_TOKEN"),
        ("YC_SERVICE_ACCOUNT_KEY_FILE", key_json(), "YC_SERVICE_ACCOUNT_KEY_FILE"),
        ("YC_METADATA_ADDR", scene.server.url.replace("http://", ""), "metadata service"),
    ] {
        let run = versions(name, &value);
        assert!(run.code == 0 && run.stderr.contains(from), "{name}: {run:?}");
    }
    let profile =
        format!("current: work\nprofiles:\n  work:\n    token: {oauth}\n    folder-id: b1gfolder\n");
    place(".config/yandex-cloud/config.yaml", &profile);
    let run = versions("YC_FOLDER_ID", "");
    assert!(run.code == 0 && run.stderr.contains("profile `work`"), "{run:?}");
    let run = versions("FNSCAFFOLD_PROFILE", "other");
    assert!(run.code == 2 && run.stderr.contains("FN0906"), "{run:?}");
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
fn an_operation_may_go_wrong_in_every_way() {
    for (course, code, said, versions) in [
        (Course::Fails, 5, "https://storage.yandexcloud.net/build-logs/abc?x=1", 1),
        (Course::Sticks, 5, "FN0904", 1),
        (Course::Vanishes, 0, "", 2),
        (Course::VanishesWithAll, 5, "FN0903", 1),
        (Course::Obsolete, 5, "OBSOLETE", 2),
    ] {
        let scene = Scene::small();
        scene.run(&["deploy"]).expect(0);
        let before = scene.tagged("prod");
        scene.edit("two");
        scene.server.state().course = course;
        let run = scene.run(&["deploy", "--wait", "2s"]);
        assert_eq!(run.code, code, "{course:?}: {run:?}");
        assert_eq!(scene.versions(), versions, "{course:?}");
        assert_eq!(scene.tagged("prod") == before, code == 5, "{course:?}");
        assert!(run.stderr.contains(said), "{course:?}: {run:?}");
        if course == Course::Fails {
            assert!(run.stderr.contains("request-7") && run.stderr.contains("npm failed"), "{run:?}");
        }
    }
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
    scene.server.state().answer = (502, json!({ "errorMessage": "boom", "errorType": "E" }).to_string());
    let failed = scene.run(&["deploy", "--smoke", "timer"]);
    assert!(failed.code == 5 && failed.stderr.contains("boom"), "{failed:?}");
    scene.server.state().answer = (200, json!({ "statusCode": 200, "body": body }).to_string());
    scene.run(&["deploy", "--smoke", "http", "--expect", "status=200"]).expect(0);
    assert_eq!(scene.versions(), 2);
    assert_ne!(scene.tagged("prod"), before);
    assert_eq!(scene.tagged("prod"), scene.tagged("$latest"));
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
    assert_eq!(scene.server.state().creates[2]["versionId"], first.as_str());
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
fn silence_ends() {
    let scene = Scene::small();
    scene.server.fault("POST /functions/v1/versions", 1, Fault::Silence);
    let run = scene.run(&["deploy", "--request-timeout", "1s"]);
    scene.expect_one(&run, "silence");
}

#[test]
fn a_stopped_deployment_says_how_things_stand() {
    let scene = Scene::small();
    scene.server.state().course = Course::Sticks;
    let mut child = scene.command(&["deploy"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while scene.server.state().creates.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no version was begun");
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("may be in the making") && stderr.contains("no tag was moved"), "{stderr}");
    // The next run takes up what this one left, if it came to something.
    scene.server.state().course = Course::Well;
    let run = scene.run(&["deploy"]);
    scene.expect_one(&run, "again");
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
