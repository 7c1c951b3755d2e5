//! What is left when `new` and `pack` are stopped, or cannot write: the old state or the new, whole.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const FNSCAFFOLD: &str = env!("CARGO_BIN_EXE_fnscaffold");
const NEW: [&str; 6] = ["new", "--lang", "python", "--mode", "api", "-q"];

/// Times that each verb is killed in one sweep over its run.
const KILLS: u32 = 40;

/// Kills what `start` starts at moments spread over its run and a little more, and lets `judge` say whether
/// it left the new state. Sweeps until both were seen often: how long a run takes changes under the test.
fn sweep(mut spread: Duration, mut start: impl FnMut() -> Child, mut judge: impl FnMut() -> bool) {
    let (mut old, mut new) = (0, 0);
    for sweep in 0..20 {
        let before = (old, new);
        for kill in 0..KILLS {
            let mut child = start();
            sleep(spread * kill / KILLS);
            send(&child, Signal::KILL);
            child.wait().unwrap();
            if judge() {
                new += 1;
            } else {
                old += 1;
            }
        }
        if old == before.0 {
            spread /= 2;
        } else if new == before.1 {
            spread *= 2;
        } else if sweep >= 2 {
            return;
        }
    }
    panic!("killed too early or too late: {old} times old, {new} times new");
}

type Tree = BTreeMap<String, Vec<u8>>;

/// Files by path, those of an unfinished stage left out: kill -9 leaves them, and nothing reads them.
fn tree(directory: &Path) -> Tree {
    fn walk(root: &Path, directory: &Path, files: &mut Tree) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with(".fnscaffold-") {
                continue;
            }
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = Tree::new();
    if directory.exists() {
        walk(directory, directory, &mut files);
    }
    files
}

fn stages(directory: &Path) -> Vec<String> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".fnscaffold-")).collect()
}

fn start(directory: &Path, arguments: &[&str]) -> Child {
    Command::new(FNSCAFFOLD)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(FNSCAFFOLD).args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

fn send(child: &Child, signal: Signal) {
    // Gone already is as good.
    let _ = kill_process(Pid::from_child(child), signal);
}

/// How long the verb takes when nobody stops it.
fn duration(directory: &Path, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    assert!(run(directory, arguments).status.success());
    start.elapsed()
}

#[test]
fn a_killed_new_leaves_nothing_or_all() {
    let directory = tempfile::tempdir().unwrap();
    let takes = duration(directory.path(), &NEW);
    let whole = tree(&directory.path().join("my-app"));
    let place = RefCell::new(tempfile::tempdir().unwrap());
    let begin = || {
        *place.borrow_mut() = tempfile::tempdir().unwrap();
        start(place.borrow().path(), &NEW)
    };
    sweep(takes * 5 / 4, begin, || {
        let place = place.borrow();
        let left = !tree(place.path()).is_empty();
        if left {
            assert_eq!(tree(&place.path().join("my-app")), whole);
        }
        left
    });
}

#[test]
fn a_killed_pack_leaves_the_old_archive_or_the_new() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let function = directory.path().join("my-app");
    let content = |number: u32| format!("X = {number}\n").repeat(200_000);
    fs::write(function.join("data.py"), content(0)).unwrap();
    let takes = duration(&function, &["pack", "-q"]);
    let dist = function.join("dist");
    let old = RefCell::new(tree(&dist));
    let mut number = 0;
    let begin = || {
        number += 1;
        fs::write(function.join("data.py"), content(number)).unwrap();
        start(&function, &["pack", "-q"])
    };
    sweep(takes * 5 / 4, begin, || {
        let left = tree(&dist);
        if left == *old.borrow() {
            return false;
        }
        // The new one, whole: packing again finds nothing to do.
        let again = run(&function, &["pack", "--format", "json"]);
        assert!(again.status.success());
        let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(report["changed"], false);
        assert_eq!(tree(&dist), left);
        old.replace(left);
        true
    });
    // What was left behind is never packed.
    let list = run(&function, &["pack", "--list"]);
    assert_eq!(String::from_utf8(list.stdout).unwrap(), "data.py\nindex.py\nrequirements.txt\n");
}

#[test]
fn a_signal_takes_back_what_was_begun() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let function = directory.path().join("my-app");
    // Large and hard to compress, so that the signal comes in the middle.
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..12_000_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    for number in 0..4 {
        fs::write(function.join(format!("noise{number}.bin")), &noise).unwrap();
    }
    let before = tree(&function.join("dist"));
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = start(&function, &["pack"]);
        let begun = Instant::now();
        while stages(&function).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no stage was made");
            sleep(Duration::from_millis(1));
        }
        send(&child, signal);
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (Some(130), None), "{signal:?}");
        assert_eq!(stages(&function), Vec::<String>::new());
        assert_eq!(tree(&function.join("dist")), before);
    }
}

/// Runs a script in a mount namespace of its own, where it may mount; nothing where the system forbids it.
fn in_namespace(script: &str) -> Option<Output> {
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-euc", script])
        .env("FNSCAFFOLD", FNSCAFFOLD)
        .output();
    let allowed = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    match (allowed, output) {
        (Ok(status), Ok(output)) if status.success() => Some(output),
        _ => {
            assert!(
                std::env::var_os("FNSCAFFOLD_REQUIRE_TOOLS").is_none() || !cfg!(target_os = "linux"),
                "unshare cannot make a mount namespace here"
            );
            eprintln!("skipped: unshare cannot make a mount namespace here");
            None
        }
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    let Some(output) = in_namespace(&format!(
        "mount -t tmpfs -o size=64k none {place}; cd {place}
         head -c 60000 /dev/zero > ballast
         code=0; $FNSCAFFOLD new --lang python --mode api || code=$?
         echo \"new $code $(ls -A | tr '\\n' ' ')\"
         rm ballast; $FNSCAFFOLD new --lang python --mode api -q
         cd my-app; sha256sum dist/* > ../before; echo 'X = 1' >> index.py
         head -c 100000 /dev/zero > ../ballast 2> /dev/null || true
         code=0; $FNSCAFFOLD pack || code=$?
         echo \"pack $code $(ls -A | tr '\\n' ' ')\"
         rm ../ballast; sha256sum -c --quiet ../before; echo same"
    )) else {
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        out.lines().collect::<Vec<_>>(),
        ["new 3 ballast ", "pack 3 .gitignore dist function.toml index.py requirements.txt ", "same"],
        "{err}"
    );
    assert!(err.contains("No space left on device") && err.contains("free some space"), "{err}");
}

#[test]
fn a_read_only_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let place = directory.path().display();
    let Some(output) = in_namespace(&format!(
        "mount --bind {place} {place}; mount -o remount,bind,ro {place}; cd {place}
         for verb in 'new other --lang python --mode api' '-C my-app pack' '-C my-app init --force --lang python --entrypoint index.main'; do
             code=0; $FNSCAFFOLD $verb > /dev/null || code=$?; echo $code
         done
         $FNSCAFFOLD -C my-app check -q; $FNSCAFFOLD -C my-app verify -q"
    )) else {
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out.lines().take(3).collect::<Vec<_>>(), ["3", "3", "3"], "{err}");
    assert!(output.status.success(), "{err}");
    assert_eq!(err.matches("read-only").count() + err.matches("Read-only").count(), 3, "{err}");
}
