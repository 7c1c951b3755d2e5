//! Networks, operations, tokens and people that fail at the worst moment.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::run;
use crate::scene::{Scene, key_json, told};
use crate::server::{Course, Fault};

#[test]
fn an_unknown_certificate_is_refused_at_once() {
    let scene = Scene::new(true, 0);
    let begun = Instant::now();
    let run = told(run(scene.command(&["deploy"]).env_remove("SSL_CERT_FILE"))).expect(5);
    assert!(run.stderr.contains("FN0902") && run.stderr.contains("certificate"), "{run:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(scene.server.state().requests.is_empty());
}

#[test]
fn a_token_follows_no_redirect() {
    let scene = Scene::small();
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = format!("{}/elsewhere", scene.server.url);
        scene.server.fault("*", 1, Fault::Status(status, Some(elsewhere)));
        let run = scene.run(&["deploy"]).expect(5);
        assert!(run.stderr.contains("FN0901"), "{run:?}");
    }
    let requests = &scene.server.state().requests;
    assert!(requests.len() == 5 && requests.iter().all(|line| !line.contains("elsewhere")), "{requests:?}");
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
fn a_function_that_was_refused_was_not_made() {
    let functions = "POST /functions/v1/functions";
    for (fault, standing) in [
        (Fault::Status(403, None), "as things stand: nothing was changed"),
        (Fault::Status(500, None), "the function `my-app` may have been made"),
    ] {
        let scene = Scene::small();
        scene.server.fault(functions, 99, fault.clone());
        let run = scene.run(&["deploy"]).expect(5);
        assert!(run.stderr.contains(standing), "{fault:?}: {run:?}");
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
fn an_operation_may_go_wrong_in_every_way() {
    for (course, code, said, versions) in [
        (Course::Fails, 5, "https://storage.yandexcloud.net/build-logs/abc?x=1", 1),
        (Course::Sticks, 5, "FN0904", 1),
        (Course::Vanishes, 0, "", 2),
        (Course::VanishesEarly, 0, "", 2),
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
