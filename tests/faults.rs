//! What is left when `new` and `pack` are stopped, cannot write, or are two at once: the old state or the
//! new, whole.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

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
    // Large, so that the signal comes in the middle.
    write_noise(&function);
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

/// Four files that are large and hard to compress, so that packing takes a while.
fn write_noise(function: &Path) {
    let mut state = 1_u32;
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..12_000_000).map(byte).collect();
    for number in 0..4 {
        fs::write(function.join(format!("noise{number}.bin")), &noise).unwrap();
    }
}

/// Kills `pack` in the middle.
fn leave_a_stage(function: &Path) -> String {
    write_noise(function);
    let mut child = start(function, &["pack"]);
    let begun = Instant::now();
    while stages(function).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no stage was made");
        sleep(Duration::from_millis(1));
    }
    send(&child, Signal::KILL);
    child.wait().unwrap();
    for number in 0..4 {
        fs::remove_file(function.join(format!("noise{number}.bin"))).unwrap();
    }
    stages(function).into_iter().next().unwrap()
}

#[test]
fn what_a_killed_maker_left_is_removed_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let function = directory.path().join("my-app");
    let left = leave_a_stage(&function);
    let linked = directory.path().join("linked");
    fs::create_dir(&linked).unwrap();
    let others = [".fnscaffold-notes", ".fnscaffold-a-b-cd", ".fnscaffold-ABCDEFG"];
    for name in others {
        fs::create_dir(function.join(name)).unwrap();
    }
    let foreign = function.join(".fnscaffold-other1");
    fs::create_dir(&foreign).unwrap();
    // Only root can give it away, and only then does it stay.
    if chown(&foreign, Some(65534), None).is_err() {
        fs::remove_dir(&foreign).unwrap();
    }
    fs::write(function.join(".fnscaffold-aFile1"), "").unwrap();
    symlink(&linked, function.join(".fnscaffold-aLink1")).unwrap();
    let held = function.join(".fnscaffold-inUse1");
    fs::create_dir(&held).unwrap();
    fs::write(held.join("a"), "").unwrap();
    let hold = File::open(&held).unwrap();
    hold.lock().unwrap();
    let before = stages(&function).len();
    assert!(run(&function, &["pack"]).status.success());
    let after = stages(&function);
    assert!(!after.contains(&left) && after.len() == before - 1, "{left} of {after:?}");
    assert!(held.join("a").exists() && linked.exists());
    drop(hold);
    assert!(run(&function, &["pack"]).status.success());
    assert!(!held.exists() && stages(&function).len() == before - 2);
}

/// Whether archive and version.json are of one packing.
fn belong_together(dist: &Path) {
    let version: serde_json::Value =
        serde_json::from_slice(&fs::read(dist.join("version.json")).unwrap()).unwrap();
    let archive = fs::read(dist.join(version["archive"]["file"].as_str().unwrap())).unwrap();
    let digest: String = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(version["archive"]["sha256"], digest);
    assert_eq!(version["archive"]["size"], archive.len());
}

#[test]
fn two_at_once_leave_what_the_last_one_would() {
    const ROUNDS: usize = 30;
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let function = directory.path().join("my-app");
    let new_again = ["-C", "..", "new", "--lang", "python", "--mode", "api", "-q", "--force"];
    for round in 0..ROUNDS {
        // With a file of somebody else in it, dist/ cannot change in one step.
        let foreign = function.join("dist/notes.txt");
        if round % 2 == 1 {
            fs::write(&foreign, "").unwrap();
        } else {
            let _ = fs::remove_file(&foreign);
        }
        let write =
            |size| fs::write(function.join("data.py"), format!("X = {round}\n").repeat(size)).unwrap();
        write(400_000);
        let mut children = vec![start(&function, &["pack", "-q"])];
        // Long before the first one is done, or a little.
        sleep(Duration::from_millis(5 * (round as u64 % 8)));
        if round % 3 == 2 {
            children.push(start(&function, &new_again));
        }
        write(1);
        children.push(start(&function, &["pack", "-q"]));
        let last = children.len() - 1;
        for (place, mut child) in children.into_iter().enumerate() {
            let code = child.wait().unwrap().code();
            // What is written under a packing is noticed by it; nothing is written under the last one.
            let is_changed = place == 0 && code == Some(3);
            assert!(code == Some(0) || (is_changed && place < last), "round {round}, {place}: {code:?}");
        }
        belong_together(&function.join("dist"));
        assert_eq!(foreign.exists(), round % 2 == 1);
        assert_eq!(stages(&function), Vec::<String>::new());
        if round % 3 != 2 {
            // What is written last is packed last, also when the first packing took longer.
            let verified = run(&function, &["verify"]);
            assert!(verified.status.success(), "round {round}: {verified:?}");
        }
    }
}

#[test]
fn what_cannot_be_replaced_leaves_the_rest_as_it_was() {
    for (place, is_directory) in [("index.py", true), ("dist", false), ("dist/version.json", true)] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join(place);
        if is_directory {
            fs::create_dir_all(&place).unwrap();
        } else {
            fs::write(&place, "theirs").unwrap();
        }
        fs::write(directory.path().join("function.toml"), "theirs").unwrap();
        let before = tree(directory.path());
        for more in [&["--force", "-o", "."][..], &["--force", "-o", ".", "-n"]] {
            let new = run(directory.path(), &[&NEW[..], more].concat());
            assert_eq!(new.status.code(), Some(4), "{new:?}");
            let told = String::from_utf8_lossy(&new.stderr);
            assert!(told.contains("FN0502") && told.contains(place.file_name().unwrap().to_str().unwrap()));
            assert_eq!(tree(directory.path()), before);
        }
    }
}

#[test]
fn who_has_to_wait_says_so() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let function = directory.path().join("my-app");
    fs::write(function.join("data.py"), "X = 1\n").unwrap();
    let before = tree(&function.join("dist"));
    let hold = File::open(&function).unwrap();
    hold.lock().unwrap();
    let mut pack = Command::new(FNSCAFFOLD);
    let mut pack =
        pack.arg("pack").current_dir(&function).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(pack.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "waiting for another fnscaffold that is at work in `.`\n");
    assert_eq!(tree(&function.join("dist")), before);
    // Those that only read wait for nobody.
    for verb in [&["pack", "--list"][..], &["pack", "--dry-run"], &["check"]] {
        assert!(run(&function, verb).status.code().is_some_and(|code| code < 2), "{verb:?}");
    }
    drop(hold);
    assert!(pack.wait().unwrap().success());
    assert_ne!(tree(&function.join("dist")), before);
}

#[test]
fn what_changes_or_goes_while_it_is_packed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let function = directory.path().join("my-app");
    // Read before the last one by name, long enough to change that one meanwhile.
    write_noise(&function);
    let before = tree(&function.join("dist"));
    let (last, other) = (function.join("z.py"), directory.path().join("other.py"));
    type Change<'a> = (&'a str, &'a dyn Fn());
    let changes: [Change<'_>; 7] = [
        ("FN0410", &|| fs::write(&last, "X = 2\n").unwrap()),
        ("FN0410", &|| fs::write(&last, "X = 22\n").unwrap()),
        ("FN0410", &|| fs::write(&last, "").unwrap()),
        ("FN0410", &|| {
            let time = fs::metadata(&last).unwrap().modified().unwrap();
            fs::write(&last, "X = 22\n").unwrap();
            File::options().write(true).open(&last).unwrap().set_modified(time).unwrap();
        }),
        ("FN0410", &|| fs::rename(&other, &last).unwrap()),
        ("FN0410", &|| {
            fs::remove_file(&last).unwrap();
            symlink(&other, &last).unwrap();
        }),
        ("FN0501", &|| fs::remove_file(&last).unwrap()),
    ];
    for (number, (code, change)) in changes.into_iter().enumerate() {
        let _ = fs::remove_file(&last);
        fs::write(&last, "X = 1\n").unwrap();
        // Clocks of file systems tick slowly.
        sleep(Duration::from_millis(20));
        fs::write(&other, "X = 3\n").unwrap();
        let mut pack = Command::new(FNSCAFFOLD);
        let pack = pack.arg("pack").current_dir(&function).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        // It comes after the directory was listed.
        while stages(&function).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "no stage was made");
            sleep(Duration::from_millis(1));
        }
        change();
        let output = pack.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "change {number}: {err}");
        assert!(err.contains(code) && err.contains("z.py"), "change {number}: {err}");
        assert_eq!(tree(&function.join("dist")), before);
        assert_eq!(stages(&function), Vec::<String>::new());
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
    for said in ["No space left on device", "free some space"] {
        assert_eq!(err.matches(said).count(), 2, "{err}");
    }
}

/// As a volume of a container is.
#[test]
fn a_dist_on_a_disk_of_its_own_is_replaced_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &NEW).status.success());
    let place = directory.path().display();
    let Some(output) = in_namespace(&format!(
        "cd {place}/my-app; mount -t tmpfs -o size=64k none dist
         $FNSCAFFOLD pack -q; $FNSCAFFOLD verify -q; cp -r dist ../before
         head -c 60000 /dev/urandom > noise
         code=0; $FNSCAFFOLD pack || code=$?; echo $code; diff -r dist ../before; ls -A dist; ls -A"
    )) else {
        return;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("\n3\n") && !out.contains(".fnscaffold-"), "{out}{err}");
    assert!(err.contains("No space left on device"), "{err}");
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
