//! What `pack` shows while it works, how much memory it and `check` of it take, and what its report says, by the
//! real binary.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use serde_json::Value;
use tempfile::TempDir;
use wait4::Wait4;

const BAR: &str = "packing [";

#[derive(Debug, Clone, Copy)]
enum Content {
    Words,
    /// What deflate cannot make smaller.
    Noise,
}

/// A function directory with `count` more files of `size` bytes, the same ones each time.
fn function(count: usize, size: usize, content: Content) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_fnscaffold"))
        .args(["new", "my-app", "-o", ".", "--lang", "node", "--mode", "context", "-q", "--no-pack"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut state = 1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for number in 0..count {
        // In pieces: what this process has held at most counts as its children's peak too.
        let mut out =
            BufWriter::new(File::create(directory.path().join(format!("file{number:02}"))).unwrap());
        let mut written = 0;
        while written < size {
            let piece = match content {
                Content::Words => format!("w{} ", next() % 5000).into_bytes(),
                Content::Noise => next().to_le_bytes().to_vec(),
            };
            out.write_all(&piece).unwrap();
            written += piece.len();
        }
        out.flush().unwrap();
    }
    directory
}

fn pack(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fnscaffold"));
    command.arg("pack").args(arguments).current_dir(directory).env("TERM", "xterm").env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FNSCAFFOLD_")) {
        command.env_remove(name);
    }
    command
}

/// All that a person sees.
fn watch(directory: &Path, arguments: &[&str]) -> String {
    let mut session: PtySession = spawn_command(pack(directory, arguments), Some(60_000)).unwrap();
    let seen = session.exp_eof().unwrap();
    let status = session.process().wait().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}: {seen}");
    seen
}

#[test]
fn who_watches_a_long_packing_sees_how_far_it_is() {
    let directory = function(12, 1 << 20, Content::Words);
    let seen = watch(directory.path(), &["--level", "best"]);
    assert!(seen.contains(BAR) && seen.contains("MB of"), "{seen}");
    let (bar, result) = seen.split_at(seen.rfind("dist/index-js.zip written").unwrap());
    assert!(bar.ends_with("\x1b[2K"), "the bar is gone before the result: {bar:?}");
    assert!(!result.contains(BAR));
    // Nobody watches, or nobody wants to.
    let quiet = watch(directory.path(), &["--level", "best", "-n", "-q"]);
    assert_eq!(quiet, "");
    let json = watch(directory.path(), &["--level", "best", "-n", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["saved"].as_u64().unwrap() > 0);
    let piped = pack(directory.path(), &["--level", "best", "-n"]).output().unwrap();
    let stderr = String::from_utf8(piped.stderr).unwrap();
    assert!(!stderr.contains(BAR) && !stderr.contains('\x1b'), "{stderr}");
}

#[test]
fn a_short_packing_shows_no_bar() {
    let directory = function(1, 1000, Content::Words);
    let seen = watch(directory.path(), &[]);
    assert!(!seen.contains(BAR) && !seen.contains('\x1b'), "{seen:?}");
}

#[test]
fn memory_stays_below_64_megabytes() {
    /// Bytes that the program itself takes, as it is released. Unoptimised it takes more than twice as many.
    const RELEASED: i64 = 10 << 20;
    let peak = |directory: &TempDir, level| {
        let child = pack(directory.path(), &["-n", "-q", "--level", level])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let used = child.unwrap().wait4().unwrap();
        assert!(used.status.success());
        i64::try_from(used.rusage.maxrss).unwrap()
    };
    let idle = peak(&function(0, 0, Content::Noise), "fast");
    // As large as a file may be that is held, or two of them together, and as hard to compress.
    for (level, mebibytes) in [("fast", 11), ("fast", 18), ("best", 6), ("best", 12)] {
        let peak = peak(&function(4, mebibytes << 20, Content::Noise), level) - idle + RELEASED;
        assert!(peak < 64 << 20, "{level}, {mebibytes} MiB: {peak} bytes");
    }
}

#[test]
fn what_is_made_to_fill_the_memory_does_not() {
    let directory = function(15_000, 100, Content::Words);
    let directory = directory.path();
    let mut package = BufWriter::new(File::create(directory.join("package.json")).unwrap());
    package.write_all(b"{\"x\":[").unwrap();
    (0..10 << 20).for_each(|_| package.write_all(b"0,").unwrap());
    package.write_all(b"0]}").unwrap();
    drop(package);
    assert!(pack(directory, &["-q"]).status().unwrap().success());
    // So that `check` has to read the archive itself.
    fs::write(directory.join("index.js"), "exports.main = () => 1;\n").unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_fnscaffold"));
    let child =
        check.args(["check", "-q"]).current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null());
    let used = child.spawn().unwrap().wait4().unwrap();
    assert_eq!(used.status.code(), Some(1));
    let peak = used.rusage.maxrss;
    assert!(peak < 100 << 20, "{peak} bytes");
}

#[test]
fn a_report_weighs_what_would_be_written_and_writes_nothing() {
    let directory = function(5, 1 << 10, Content::Words);
    fs::create_dir_all(directory.path().join("node_modules/a")).unwrap();
    fs::write(directory.path().join("node_modules/a/index.js.map"), "{}".repeat(4000)).unwrap();
    let report = pack(directory.path(), &["--report", "--format", "json"]).output().unwrap();
    assert!(report.status.success() && !directory.path().join("dist").exists());
    let json: Value = serde_json::from_slice(&report.stdout).unwrap();
    let report = &json["report"];
    assert!(pack(directory.path(), &["-q"]).status().unwrap().success());
    let size = fs::metadata(directory.path().join("dist/index-js.zip")).unwrap().len();
    assert_eq!(report["compressed"].as_u64(), Some(size));
    let entries = report["entries"].as_array().unwrap();
    let sum: u64 = entries.iter().map(|entry| entry["compressed"].as_u64().unwrap()).sum();
    // The end of a ZIP's directory belongs to no entry.
    assert_eq!((entries.len(), sum), (7, size - 22));
    assert_eq!(report["hints"][0]["name"], "source maps");
}

#[test]
fn a_report_as_a_page_is_all_that_is_printed() {
    let directory = function(5, 1 << 10, Content::Words);
    let page = pack(directory.path(), &["--report", "html"]).output().unwrap();
    assert!(page.status.success() && page.stderr.is_empty() && !directory.path().join("dist").exists());
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<h1>my-app</h1>") && page.contains("\"file04\""));
}
