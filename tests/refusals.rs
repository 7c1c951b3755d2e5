//! What cannot or should not be packed: each is refused by name, and a refusal changes nothing.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests run the program from outside and fail where they stand"
)]

#[cfg(unix)]
#[path = "common/commands.rs"]
mod commands;
#[path = "common/fnscaffold.rs"]
mod fnscaffold;
#[path = "common/trees.rs"]
mod trees;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use fnscaffold::{fnscaffold, run};
use trees::{MANIFEST, write_all};

/// A function directory that was packed once.
fn packed_before(directory: &Path) {
    write_all(
        directory,
        &[("function.toml", MANIFEST), ("index.js", "exports.main = () => 1;\n"), ("lib/a.js", "1\n")],
    );
    run(&mut fnscaffold(directory, &["pack"])).expect(0);
    // What is packed next would be another archive.
    write_all(directory, &[("index.js", "exports.main = () => 2;\n")]);
}

/// Everything in `directory` itself and in its `dist/`.
fn state(directory: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut state = BTreeMap::new();
    for place in [directory.to_owned(), directory.join("dist")] {
        for entry in fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            // A FIFO would wait for its writer.
            let is_file = fs::symlink_metadata(&path).unwrap().is_file();
            state
                .insert(path.to_string_lossy().into_owned(), is_file.then(|| fs::read(&path).ok()).flatten());
        }
    }
    state
}

/// The error that `pack` ends with; `pack`, `pack --dry-run` and JSON and text have to agree, and
/// nothing may have been written.
fn refusal(directory: &Path, code: i32) -> Value {
    let before = state(directory);
    let text = run(&mut fnscaffold(directory, &["pack"])).expect(code);
    assert_eq!(text.stdout, "");
    run(&mut fnscaffold(directory, &["pack", "--dry-run"])).expect(code);
    let json = run(&mut fnscaffold(directory, &["pack", "--format", "json"])).expect(code);
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["ok"], false);
    let error = document["error"].clone();
    assert!(text.stderr.contains(error["message"].as_str().unwrap()), "{}", text.stderr);
    assert!(text.stderr.contains(error["code"].as_str().unwrap()), "{}", text.stderr);
    assert!(state(directory) == before, "a refusal wrote something");
    error
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_whose_name_is_not_utf_8_is_shown_as_well_as_can_be() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"o\xff");
    for line in [&["new", "--lang", "js", "--mode", "context"][..], &["templates", "render", "--all"]] {
        let mut command = fnscaffold(directory.path(), &[line, &["-n", "--format", "json", "-o"]].concat());
        let made = run(command.arg(name)).expect(0);
        let document: Value = serde_json::from_str(&made.stdout).unwrap();
        assert_eq!(document["directory"], "o\u{fffd}");
    }
}

#[cfg(unix)]
mod links_and_special_files {
    use super::*;
    use crate::commands::{absent, succeed};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    /// Packs a directory that `spoil` has put `path` into: refused as `code` and by name, also by
    /// `pack --list`, found by `check`, and well again once the way out is taken.
    fn is_refused(path: &str, code: &str, exit: i32, spoil: impl FnOnce(&Path)) -> Value {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        packed_before(directory);
        spoil(directory);
        let error = refusal(directory, exit);
        assert_eq!((error["code"].as_str(), error["path"].as_str()), (Some(code), Some(path)), "{error}");
        assert!(error["message"].as_str().unwrap().contains(&format!("`{path}`")), "{error}");
        let listed = run(&mut fnscaffold(directory, &["pack", "--list"])).expect(exit);
        assert!(listed.stderr.contains(&format!("`{path}`")), "{}", listed.stderr);
        let checked = run(&mut fnscaffold(directory, &["check", "--format", "json"])).expect(1);
        assert!(checked.stdout.contains(code), "{}", checked.stdout);
        let fix = error["fix"].as_str().unwrap();
        let exclude = format!("exclude = [\"/{path}\"]");
        assert!(fix.contains(&exclude), "{fix}");
        write_all(directory, &[("function.toml", format!("{MANIFEST}[package]\n{exclude}\n"))]);
        run(&mut fnscaffold(directory, &["pack"])).expect(0);
        error
    }

    #[test]
    fn links_inside_are_followed() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("function");
        write_all(
            &directory,
            &[("function.toml", MANIFEST), ("index.js", ""), ("lib/a.js", "a"), ("lib/b/c.js", "c")],
        );
        fs::create_dir_all(directory.join("node_modules/.bin")).unwrap();
        symlink("../../lib/a.js", directory.join("node_modules/.bin/a")).unwrap();
        symlink("lib", directory.join("library")).unwrap();
        symlink("library/b", directory.join("b")).unwrap();
        symlink(directory.join("lib/a.js"), directory.join("absolute.js")).unwrap();
        // Out and in again: what it leads to is inside.
        symlink("../function/lib/a.js", directory.join("around.js")).unwrap();
        let listed = run(&mut fnscaffold(&directory, &["pack", "--list"])).expect(0);
        let wanted = "absolute.js around.js b/c.js index.js lib/a.js lib/b/c.js library/a.js library/b/c.js node_modules/.bin/a";
        assert_eq!(listed.stdout.lines().collect::<Vec<_>>().join(" "), wanted);
        run(&mut fnscaffold(&directory, &["pack"])).expect(0);
        let spec = fs::read(directory.join("dist/version.json")).unwrap();
        let spec: Value = serde_json::from_slice(&spec).unwrap();
        let entries = spec["archive"]["entries"].as_array().unwrap();
        let hash = |path: &str| &entries.iter().find(|entry| entry["path"] == path).unwrap()["sha256"];
        assert_eq!(hash("node_modules/.bin/a"), hash("lib/a.js"));
        assert_eq!(hash("b/c.js"), hash("lib/b/c.js"));
    }

    #[test]
    fn links_that_leave_are_refused() {
        let outside = tempfile::tempdir().unwrap();
        write_all(outside.path(), &[("secret.txt", "x"), ("directory/a.txt", "x")]);
        for (path, target) in [
            ("link.txt", outside.path().join("secret.txt")),
            ("lib/link.txt", outside.path().join("secret.txt")),
            ("tree", outside.path().join("directory")),
            ("lib/system", "/etc".into()),
        ] {
            let error =
                is_refused(path, "FN0403", 4, |directory| symlink(&target, directory.join(path)).unwrap());
            assert!(
                error["why"].as_str().unwrap().contains(target.file_name().unwrap().to_str().unwrap()),
                "{error}"
            );
        }
        // A name that only begins as the directory's does is another directory.
        let directory = tempfile::tempdir().unwrap();
        write_all(
            directory.path(),
            &[("app/function.toml", MANIFEST), ("app/index.js", ""), ("app-2/a.js", "")],
        );
        symlink("../app-2/a.js", directory.path().join("app/a.js")).unwrap();
        let run = run(&mut fnscaffold(&directory.path().join("app"), &["pack"])).expect(4);
        assert!(run.stderr.contains("FN0403") && run.stderr.contains("`a.js`"), "{}", run.stderr);
    }

    #[test]
    fn what_is_packed_is_not_written_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        let (directory, outside) = (place.path().join("function"), place.path().join("outside"));
        write_all(&directory, &[("function.toml", MANIFEST), ("index.js", "")]);
        write_all(&outside, &[("version.json", "theirs")]);
        symlink("../outside", directory.join("dist")).unwrap();
        let new = ["new", "--lang", "nodejs", "--mode", "context", "--force", "-o", "."];
        for verb in [&["pack"][..], &["pack", "--dry-run"], &new] {
            let run = run(&mut fnscaffold(&directory, verb)).expect(4);
            assert!(run.stderr.contains("FN0403") && run.stderr.contains("`dist`"), "{}", run.stderr);
        }
        assert_eq!(fs::read(directory.join("index.js")).unwrap(), b"");
        symlink("../outside", directory.join("src")).unwrap();
        let below = ["--no-pack", "--entrypoint", "src/version.main"];
        let refused = run(fnscaffold(&directory, &new).args(below)).expect(4);
        assert!(refused.stderr.contains("FN0403") && refused.stderr.contains("`src`"), "{}", refused.stderr);
        let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["version.json"]);
        assert_eq!(fs::read(outside.join("version.json")).unwrap(), b"theirs");
        fs::remove_file(directory.join("src")).unwrap();
        fs::remove_file(directory.join("dist")).unwrap();
        fs::create_dir(directory.join("built")).unwrap();
        symlink("built", directory.join("dist")).unwrap();
        run(&mut fnscaffold(&directory, &["pack"])).expect(0);
    }

    /// A device that ends at once stands for those that do not.
    #[test]
    fn what_may_have_no_end_is_not_read() {
        for (path, verbs) in [
            ("function.toml", &["check", "pack", "verify", "invoke"][..]),
            (".fnignore", &["check", "pack", "verify", "invoke"]),
            ("dist/version.json", &["check", "verify"]),
            ("dist/index-js.zip", &["check", "pack", "verify", "invoke"]),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let directory = directory.path();
            packed_before(directory);
            let place = directory.join(path);
            let told = |verb: &str, what: &str| {
                let run = run(&mut fnscaffold(directory, &[verb]));
                assert!(matches!(run.code, 1 | 3), "{verb}, {path}: {}", run.stderr);
                let told = run.stdout + &run.stderr;
                assert!(told.contains("FN0501") && told.contains(what), "{verb}, {path}: {told}");
            };
            let _ = fs::remove_file(&place);
            symlink("/dev/null", &place).unwrap();
            for verb in verbs {
                told(verb, "neither a file nor a directory");
            }
            if !path.ends_with(".zip") {
                fs::remove_file(&place).unwrap();
                fs::File::create(&place).unwrap().set_len(65 << 20).unwrap();
                told("check", "more than 67108864 bytes");
            }
        }
    }

    #[test]
    fn links_that_loop_or_lead_nowhere_are_refused() {
        for (path, target, why) in [
            ("self", "self", ""),
            ("lib/up", "..", "it leads back to"),
            ("lib/here", ".", "it leads back to"),
            ("here", ".", "it leads back to"),
            ("gone.js", "nothing.js", "`nothing.js` does not exist"),
            ("lib/gone", "../nothing/at/all", "`../nothing/at/all` does not exist"),
            ("through", "index.js/x", ""),
        ] {
            let error =
                is_refused(path, "FN0404", 4, |directory| symlink(target, directory.join(path)).unwrap());
            assert!(error["why"].as_str().unwrap().contains(why), "{error}");
        }
        let directory = tempfile::tempdir().unwrap();
        packed_before(directory.path());
        symlink("two", directory.path().join("one")).unwrap();
        symlink("one", directory.path().join("two")).unwrap();
        let error = refusal(directory.path(), 4);
        assert_eq!(
            (error["code"].as_str(), error["path"].as_str()),
            (Some("FN0404"), Some("one")),
            "{error}"
        );
    }

    #[test]
    fn special_files_are_refused() {
        is_refused("lib/pipe", "FN0405", 4, |directory| {
            succeed(Command::new("mkfifo").arg(directory.join("lib/pipe")));
        });
        is_refused("socket", "FN0405", 4, |directory| {
            drop(UnixListener::bind(directory.join("socket")).unwrap())
        });
        // A device can be made by root alone, and not everywhere.
        let make = |place: &Path| Command::new("mknod").arg(place).args(["c", "1", "3"]).output();
        let trial = tempfile::tempdir().unwrap();
        if make(&trial.path().join("null")).is_ok_and(|made| made.status.success()) {
            is_refused("lib/null", "FN0405", 4, |directory| {
                make(&directory.join("lib/null")).unwrap();
            });
        }
        is_refused("null", "FN0403", 4, |directory| symlink("/dev/null", directory.join("null")).unwrap());
    }

    #[test]
    fn names_that_not_every_system_can_hold_are_refused() {
        for name in ["back\\slash.js", "line\nbreak.js", "bell\u{7}.js"] {
            let directory = tempfile::tempdir().unwrap();
            packed_before(directory.path());
            fs::write(directory.path().join(name), "").unwrap();
            let error = refusal(directory.path(), 4);
            assert_eq!(error["code"], "FN0402", "{error}");
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&name[..4]) && !message.contains(char::is_control), "{message}");
            assert_eq!(run(&mut fnscaffold(directory.path(), &["pack", "--list"])).expect(4).stdout, "");
        }
        let directory = tempfile::tempdir().unwrap();
        packed_before(directory.path());
        // Not every file system takes such a name.
        if fs::write(directory.path().join(OsStr::from_bytes(b"caf\xe9.js")), "").is_ok() {
            let error = refusal(directory.path(), 4);
            assert_eq!(error["code"], "FN0402", "{error}");
            assert!(error["message"].as_str().unwrap().contains("caf"), "{error}");
        }
    }

    /// The exit code and standard error of a verb, run by somebody without privileges; nothing when this
    /// machine offers no way to be that.
    fn run_as_nobody(directory: &Path, arguments: &[&str]) -> Option<(i32, String)> {
        let program = env!("CARGO_BIN_EXE_fnscaffold");
        let scratch = tempfile::tempdir().unwrap();
        let mut command = fnscaffold(directory, arguments);
        if fs::read(directory.join("unreadable-by-all")).is_ok() {
            // Root reads everything, and its build directory may be out of reach for others.
            let copy = scratch.path().join("fnscaffold");
            fs::copy(program, &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
            fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
            command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).args(arguments);
            command.current_dir(directory);
        }
        // Another test's child may hold the copy open for writing until it has become its program, and then
        // it cannot be run yet: 126.
        let mut output = command.output().ok()?;
        for _ in 0..50 {
            if output.status.code() != Some(126) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
            output = command.output().ok()?;
        }
        Some((output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap()))
    }

    #[test]
    fn a_dist_of_another_user_is_refused_before_anything_is_written() {
        let place = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(place.path(), 0o755);
        let directory = place.path().join("function");
        fs::create_dir(&directory).unwrap();
        packed_before(&directory);
        write_all(&directory, &[("index.js", "exports.main = () => 3;\n"), ("unreadable-by-all", "")]);
        set(&directory, 0o777);
        set(&directory.join("unreadable-by-all"), 0o000);
        if fs::read(directory.join("unreadable-by-all")).is_err() {
            return absent("root, whose files others cannot replace");
        }
        let ours = format!("{MANIFEST}[package]\nexclude = ['unreadable-by-all']\n");
        write_all(&directory, &[("function.toml", ours)]);
        let before = state(&directory);
        let new = ["new", "my-app", "-o", ".", "--lang", "nodejs", "--mode", "context", "--force"];
        for arguments in [&["pack"][..], &["pack", "-n"], &new, &[&new[..], &["-n"]].concat()] {
            let Some((code, stderr)) = run_as_nobody(&directory, arguments) else {
                return absent("user but root");
            };
            assert_eq!(code, 3, "{arguments:?}: {stderr}");
            assert!(stderr.contains("could not write in `dist`"), "{stderr}");
            assert!(state(&directory) == before, "{arguments:?}");
        }
        // Whom it lets in can replace what is in it.
        set(&directory.join("dist"), 0o777);
        assert_eq!(run_as_nobody(&directory, &["pack"]).unwrap().0, 0);
        assert!(state(&directory) != before);
        let left = fs::read_dir(&directory).unwrap().flatten();
        assert!(
            !left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".fnscaffold"))
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for path in ["lib/a.js", "lib"] {
            let directory = place.path().join(path.replace('/', "-"));
            fs::create_dir(&directory).unwrap();
            packed_before(&directory);
            write_all(&directory, &[("unreadable-by-all", "")]);
            let set =
                |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            for shared in [&directory, &directory.join("dist")] {
                set(shared, 0o777);
            }
            set(&directory.join("unreadable-by-all"), 0o000);
            let ours = format!("{MANIFEST}[package]\nexclude = ['unreadable-by-all']\n");
            write_all(&directory, &[("function.toml", ours)]);
            let Some((code, _)) = run_as_nobody(&directory, &["pack"]) else {
                return absent("user but root");
            };
            assert_eq!(code, 0, "what is left out need not be readable");
            write_all(&directory, &[("index.js", "exports.main = () => 3;\n")]);
            let before = state(&directory);
            set(&directory.join(path), 0o000);
            let (code, stderr) = run_as_nobody(&directory, &["pack"]).unwrap();
            set(&directory.join(path), 0o755);
            assert_eq!(code, 3, "{stderr}");
            assert!(stderr.contains("FN0501") && stderr.contains(&format!("{path}`")), "{stderr}");
            assert!(state(&directory) == before);
        }
    }
}

/// Digits that look drawn by lot, and are not.
fn digits(length: usize, alphabet: &[u8]) -> String {
    let mut state = 7_u64;
    let digit = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(alphabet[(state >> 33) as usize % alphabet.len()])
    };
    (0..length).map(digit).collect()
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A private key in nothing but its form. In pieces, so that no scanner of this repository minds.
fn key(end: &str) -> String {
    let body = digits(1600, BASE64);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {0}-----{end}{1}{end}-----END {0}-----{end}", "PRIVATE KEY", lines.join(end))
}

/// Files that look like secrets: path, text, and a piece that nothing may print.
fn secrets() -> Vec<(&'static str, String)> {
    let token = format!("t1.9eu{}.{}", digits(180, &BASE64[..62]), digits(86, &BASE64[..62]));
    let authorized = format!(
        "{{\n \"id\": \"ajeabcdefghijklmnopq\",\n \"service_account_id\": \"ajeabcdefghijklmnopq\",\n \
         \"private_key\": \"PLEASE DO NOT REMOVE THIS LINE!\\n{}\"\n}}\n",
        key("\\n")
    );
    vec![
        ("account.json", authorized),
        ("certificates/server.pem", key("\n")),
        ("lib/keys.js", format!("module.exports = \"{}\";\n", key("\\n"))),
        ("config/token.txt", token.clone()),
        ("index.js", format!("const token = \"{token}\";\nexports.main = () => token;\n")),
        // Far into a file that is read in pieces.
        ("large.txt", format!("{}{}", "Nothing here.\n".repeat(1_300_000), key("\n"))),
    ]
}

#[test]
fn secrets_are_refused_unless_allowed() {
    for (path, text) in secrets() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        packed_before(directory);
        write_all(directory, &[(path, &text)]);
        let error = refusal(directory, 4);
        assert_eq!((error["code"].as_str(), error["path"].as_str()), (Some("FN0401"), Some(path)), "{error}");
        let line =
            text.lines().position(|line| line.contains("BEGIN") || line.contains("t1.9eu")).unwrap() + 1;
        assert_eq!(error["line"], line, "{error}");
        let secret = &text[text.len() - 100..text.len() - 70];
        assert!(!error.to_string().contains(secret), "{error}");
        let checked = run(&mut fnscaffold(directory, &["check", "--format", "json"])).expect(1);
        assert!(checked.stdout.contains("FN0401") && !checked.stdout.contains(secret), "{}", checked.stdout);
        run(&mut fnscaffold(directory, &["pack", "--allow-secret", "another.txt"])).expect(4);
        run(&mut fnscaffold(directory, &["pack", "--allow-secret", &path[..path.len() - 1]])).expect(4);
        run(&mut fnscaffold(directory, &["pack", "--force"])).expect(4);
        run(&mut fnscaffold(directory, &["pack", "--allow-secret", path])).expect(0);
        write_all(directory, &[("more.txt", "so that there is something to pack")]);
        run(fnscaffold(directory, &["pack"]).env("FNSCAFFOLD_ALLOW_SECRET", path)).expect(0);
        if let Some((parent, _)) = path.split_once('/') {
            write_all(directory, &[("more.txt", "and again")]);
            run(&mut fnscaffold(directory, &["pack", "--allow-secret", parent])).expect(0);
        }
    }
}

#[test]
fn environment_files_that_are_brought_back_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    packed_before(directory);
    write_all(directory, &[(".env", "MODE=production\n")]);
    run(&mut fnscaffold(directory, &["pack"])).expect(0);
    write_all(directory, &[(".fnignore", "!.env\n")]);
    let error = refusal(directory, 4);
    assert_eq!((error["code"].as_str(), error["path"].as_str()), (Some("FN0401"), Some(".env")), "{error}");
    run(&mut fnscaffold(directory, &["pack", "--allow-secret", ".env"])).expect(0);
}

#[test]
fn nothing_left_to_pack_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    packed_before(directory.path());
    write_all(directory.path(), &[(".fnignore", "*\n")]);
    assert_eq!(refusal(directory.path(), 4)["code"], "FN0409");
}

#[test]
fn more_than_the_platform_unpacks_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    packed_before(directory.path());
    fs::File::create(directory.path().join("sparse.bin")).unwrap().set_len(713_031_681).unwrap();
    assert_eq!(refusal(directory.path(), 4)["code"], "FN0406");
}

#[test]
fn a_dist_that_is_no_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    packed_before(directory.path());
    fs::remove_dir_all(directory.path().join("dist")).unwrap();
    fs::write(directory.path().join("dist"), "theirs").unwrap();
    for arguments in [&["pack"][..], &["pack", "-n"]] {
        let refused = run(&mut fnscaffold(directory.path(), arguments)).expect(4);
        assert!(refused.stderr.contains("`dist` is no directory"), "{}", refused.stderr);
    }
    assert_eq!(fs::read_to_string(directory.path().join("dist")).unwrap(), "theirs");
}

#[test]
fn an_entry_point_that_would_not_be_packed_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let new = ["new", "--lang", "js", "--mode", "context", "--entrypoint", "dist/index.main"];
    for arguments in [&new[..], &[&new[..], &["--no-pack"]].concat()] {
        let refused = run(&mut fnscaffold(directory.path(), arguments)).expect(2);
        assert!(refused.stderr.contains("FN0103") && refused.stderr.contains("would not be packed"));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_is_not_there_is_not_made_to_start_in() {
    let directory = tempfile::tempdir().unwrap();
    for verb in [&["new", "--lang", "js", "--mode", "context"][..], &["pack"], &["explain"]] {
        let refused = run(&mut fnscaffold(directory.path(), &[&["-C", "typo"][..], verb].concat())).expect(3);
        assert!(refused.stderr.contains("there is no directory `typo`"), "{}", refused.stderr);
    }
    assert!(!directory.path().join("typo").exists());
}

#[test]
fn what_is_missing_or_possible_is_told_as_json_too() {
    let directory = tempfile::tempdir().unwrap();
    for (line, parts) in [
        (&["schema"][..], ["required arguments were not provided: <", ">"]),
        (&["completions", "foo"], ["invalid value 'foo'", "possible values: bash"]),
    ] {
        let refused =
            run(&mut fnscaffold(directory.path(), &[line, &["--format", "json"]].concat())).expect(2);
        let document: Value = serde_json::from_str(&refused.stdout).unwrap();
        let message = document["error"]["message"].as_str().unwrap();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}

#[test]
fn a_format_that_only_another_verb_has_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, message) in [
        (&["runtimes", "--format", "sarif"][..], "--format sarif is for `check`"),
        (&["--format", "junit", "check"], "--format junit is for `invoke`"),
        (&["spec", "diff", "a", "b", "--format", "sarif"], "--format sarif is for `check`"),
    ] {
        let refused = run(&mut fnscaffold(directory.path(), arguments)).expect(2);
        let document: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert!(document["error"]["message"].as_str().unwrap().starts_with(message), "{document}");
    }
    let listed = run(fnscaffold(directory.path(), &["runtimes"]).env("FNSCAFFOLD_FORMAT", "sarif")).expect(0);
    assert!(listed.stdout.starts_with("ID "), "a variable gives way: {}", listed.stdout);
    // Where nothing is refused, JSON is what was asked for.
    for verb in [&["completions", "bash"][..], &["man"], &["man", "spec", "diff"]] {
        let said = run(fnscaffold(directory.path(), verb).env("FNSCAFFOLD_FORMAT", "json")).expect(0);
        let document: Value = serde_json::from_str(&said.stdout).unwrap();
        assert!(document["text"].as_str().unwrap().contains("fnscaffold"), "{document}");
    }
}

#[test]
fn a_variable_that_is_set_to_nothing_says_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut new = fnscaffold(directory.path(), &["new", "--lang", "node", "--mode", "context"]);
    run(new.envs(["FORMAT", "RUNTIME", "OUTPUT"].map(|name| (format!("FNSCAFFOLD_{name}"), "")))).expect(0);
    let mut check = fnscaffold(directory.path(), &["-C", "my-app", "check"]);
    run(check.envs(["FORMAT", "INTERPRETER"].map(|name| (format!("FNSCAFFOLD_{name}"), "")))).expect(0);
    let mut test = fnscaffold(directory.path(), &["templates", "list"]);
    run(test.env("FNSCAFFOLD_TEMPLATE", "")).expect(0);
}

#[test]
fn completions_offer_what_the_answers_take() {
    let directory = tempfile::tempdir().unwrap();
    let script = run(&mut fnscaffold(directory.path(), &["completions", "bash"])).expect(0).stdout;
    for (flag, values) in
        [("lang", "\"nodejs python\""), ("mode", "\"context api\""), ("runtime", " latest\"")]
    {
        let mut lines = script.lines().skip_while(|line| line.trim() != format!("--{flag})"));
        let offered = lines.nth(1).unwrap();
        assert!(offered.contains("compgen -W") && offered.contains(values), "{flag}: {offered}");
    }
}

#[test]
fn a_variable_that_asks_for_a_report_gives_way_to_the_list() {
    let directory = tempfile::tempdir().unwrap();
    packed_before(directory.path());
    let listed =
        run(fnscaffold(directory.path(), &["pack", "--list"]).env("FNSCAFFOLD_REPORT", "html")).expect(0);
    assert_eq!(listed.stdout, "index.js\nlib/a.js\n");
    let refused = run(&mut fnscaffold(directory.path(), &["pack", "--list", "--report"])).expect(2);
    assert!(refused.stderr.contains("--list cannot be used with --report"), "{}", refused.stderr);
    assert!(refused.stderr.contains("Usage: fnscaffold pack [OPTIONS]"), "{}", refused.stderr);
}

#[test]
fn colors_are_heard_also_where_the_command_line_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let is_colored = |arguments: &[&str]| {
        let said =
            run(fnscaffold(directory.path(), arguments).env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR"));
        (said.stdout + &said.stderr).contains('\x1b')
    };
    for line in [&["new", "--help"][..], &["no-such-verb"]] {
        assert!(is_colored(line), "{line:?}");
        assert!(!is_colored(&[&["--color", "never"], line].concat()), "{line:?}");
        assert!(!is_colored(&[&["--color=never"], line].concat()), "{line:?}");
    }
}

#[test]
fn check_tells_the_machine_from_the_function() {
    let directory = tempfile::tempdir().unwrap();
    packed_before(directory.path());
    let load = ["check", "--load"];
    let failed = run(fnscaffold(directory.path(), &load).env("PATH", directory.path())).expect(3);
    assert!(failed.stdout.contains("FN0503"), "{}", failed.stdout);
    // As every failure is told.
    for (flags, code, error) in [(&[][..], 1, "FN0602"), (&["--load"], 3, "FN0602")] {
        let arguments = [&["check", "--format", "json"], flags].concat();
        let failed = run(fnscaffold(directory.path(), &arguments).env("PATH", directory.path())).expect(code);
        let document: Value = serde_json::from_str(&failed.stdout).unwrap();
        assert_eq!((&document["ok"], &document["error"]["code"]), (&Value::from(false), &Value::from(error)));
    }
    run(&mut fnscaffold(directory.path(), &["pack"])).expect(0);
    let done = run(&mut fnscaffold(directory.path(), &["check", "--format", "json"])).expect(0);
    assert!(!done.stdout.contains("\"error\":"), "{}", done.stdout);
}

/// A directory that something else made first holds other files too.
#[test]
fn only_what_was_there_is_said_to_be_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &[("dist/theirs", ""), ("index.js", ""), (".fnscaffold-a1b2c3/x", "")]);
    let new = ["new", "--lang", "js", "--mode", "context", "--force", "-o", ".", "--json"];
    let made = run(&mut fnscaffold(directory.path(), &new)).expect(0);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    assert_eq!(made["overwritten"], serde_json::json!(["index.js"]));
}

#[cfg(unix)]
#[test]
fn no_name_of_a_strangers_drives_the_terminal() {
    let handler = "exports.handler = async (event, context) => 1;\n";
    for (verb, files) in [
        (&["init", "-y"][..], [("a\x1b[31mb.js", handler), ("b.txt", "")]),
        (&["pack", "--list", "-v"], [(".env\x1b[31m", ""), ("function.toml", MANIFEST)]),
        (
            &["spec", "diff", "a.json", "b.json"],
            [
                ("a.json", r#"{"runtime":"a","environment":{"A\u001b[31m":"b"}}"#),
                ("b.json", r#"{"runtime":"a"}"#),
            ],
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        write_all(directory.path(), &files);
        let said = run(&mut fnscaffold(directory.path(), verb));
        let said = said.stdout + &said.stderr;
        assert!(said.contains("\\u{1b}[31m") && !said.contains('\x1b'), "{said}");
    }
}

#[test]
fn what_a_killed_one_left_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &[(".fnscaffold-a1b2c3/x", "")]);
    let new = ["new", "--lang", "js", "--mode", "context", "-q", "-o", "."];
    run(&mut fnscaffold(directory.path(), &new)).expect(0);
}

#[test]
fn a_function_is_written_into_an_empty_directory_however_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("here")).unwrap();
    let new = ["new", "--lang", "js", "--mode", "context", "-q", "-o"];
    run(&mut fnscaffold(directory.path(), &[&["-C", "here"], &new[..], &["."]].concat())).expect(0);
    run(&mut fnscaffold(directory.path(), &[&new[..], &["there/."]].concat())).expect(0);
    assert_eq!(state(&directory.path().join("here")).len(), state(&directory.path().join("there")).len());
}

#[test]
fn init_says_errors_also_when_quiet_and_where_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &[("code/index.js", "exports.main = async (event, context) => 1;\n")]);
    fs::create_dir(directory.path().join("none")).unwrap();
    let adopted = run(&mut fnscaffold(directory.path(), &["-C", "code", "init"])).expect(0);
    assert!(adopted.stderr.contains("\n  cd code\n  fnscaffold pack"), "{}", adopted.stderr);
    let none = ["-C", "none", "init", "--lang", "js", "--entrypoint", "index.main", "-q"];
    let refused = run(&mut fnscaffold(directory.path(), &none)).expect(1);
    assert!(refused.stderr.contains("FN0302"), "{}", refused.stderr);
    let none = ["-C", "none", "init", "--force", "--lang", "js", "--entrypoint", "index.main", "--json"];
    let refused = run(&mut fnscaffold(directory.path(), &none)).expect(1);
    let document: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(document["error"]["code"], "FN0302");
}

#[test]
fn what_force_leaves_beside_a_new_function_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let new = |lang: &str, more: &[&str]| {
        let line = ["new", "--lang", lang, "--mode", "api", "-o", ".", "--force"];
        run(&mut fnscaffold(directory.path(), &[&line[..], more].concat())).expect(0)
    };
    let first = new("python", &[]);
    assert!(!first.stderr.contains("not in the archive"), "{}", first.stderr);
    for more in [&["-n"][..], &[]] {
        let again = new("nodejs", more);
        assert!(again.stderr.contains("not in the archive"), "{}", again.stderr);
        assert!(again.stderr.contains(": index.py, requirements.txt; `fnscaffold pack`"), "{}", again.stderr);
    }
    let json = new("nodejs", &["--format", "json"]);
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["notPacked"], serde_json::json!(["index.py", "requirements.txt"]));
    run(&mut fnscaffold(directory.path(), &["pack"])).expect(0);
    run(&mut fnscaffold(directory.path(), &["verify"])).expect(0);
}

#[test]
fn new_over_a_function_takes_what_its_manifest_says() {
    let directory = tempfile::tempdir().unwrap();
    let answers = |arguments: &[&str]| -> Value {
        let json = [&["new"], arguments, &["--json", "-o", "."]].concat();
        let done = run(&mut fnscaffold(directory.path(), &json)).expect(0);
        serde_json::from_str::<Value>(&done.stdout).unwrap()["answers"].take()
    };
    let first = answers(&[
        "my-name",
        "--runtime",
        "nodejs22",
        "--mode",
        "api",
        "--memory",
        "256MB",
        "--entrypoint",
        "src/a.main",
    ]);
    let path = directory.path().join("function.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    fs::write(&path, manifest.replacen("\"3s\" ", "\"9s\" ", 1)).unwrap();
    let again = answers(&["--force"]);
    for key in ["name", "lang", "mode", "runtime", "memory", "entrypoint"] {
        assert_eq!(again[key], first[key]);
    }
    assert_eq!(again["timeout"], "9s", "what a person has changed counts");
    let other = answers(&["--force", "--lang", "python", "--timeout", "5s"]);
    assert_eq!((&other["runtime"], &other["memory"]), (&"python311".into(), &"256MB".into()));
    assert_eq!((&other["timeout"], &other["entrypoint"]), (&"5s".into(), &"index.main".into()));
    let asked = ["new", "--lang", "nodejs", "--mode", "api", "-o", ".", "--print-answers"];
    let unforced = run(&mut fnscaffold(directory.path(), &asked)).expect(0);
    assert!(unforced.stdout.contains("128MB"), "{unforced:?}");
    fs::write(&path, "no manifest").unwrap();
    let anew = answers(&["--force", "--lang", "python", "--mode", "api"]);
    assert_eq!(anew["memory"], "128MB");
}

#[test]
fn a_dry_run_of_pack_says_whether_anything_would_change() {
    let directory = tempfile::tempdir().unwrap();
    packed_before(directory.path());
    for (changed, state) in [(true, "would be written"), (false, "unchanged")] {
        let text = run(&mut fnscaffold(directory.path(), &["pack", "-n"])).expect(0).stdout;
        assert!(text.contains(state), "{text}");
        let json = run(&mut fnscaffold(directory.path(), &["pack", "-n", "--format", "json"])).expect(0);
        let document: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(document["changed"], changed);
        run(&mut fnscaffold(directory.path(), &["pack"])).expect(0);
    }
    // The same archive, of another version.
    let manifest = fs::read_to_string(directory.path().join("function.toml")).unwrap();
    fs::write(directory.path().join("function.toml"), manifest + "\ndescription = \"other\"\n").unwrap();
    let text = run(&mut fnscaffold(directory.path(), &["pack", "-n"])).expect(0).stdout;
    assert!(text.contains("would be written"), "{text}");
}

#[test]
fn code_scanning_finds_files_from_where_check_was_started() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("functions/a");
    packed_before(&directory);
    let absolute = directory.to_str().unwrap();
    for (place, prefix) in
        [("functions/a", "functions/a/"), ("./functions/a/", "functions/a/"), (absolute, "file://")]
    {
        let sarif = run(&mut fnscaffold(root.path(), &["-C", place, "check", "--format", "sarif"])).expect(1);
        let log: Value = serde_json::from_str(&sarif.stdout).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().iter();
        let uris: Vec<_> = results
            .filter_map(|result| {
                result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str()
            })
            .collect();
        assert!(!uris.is_empty() && uris.iter().all(|uri| uri.starts_with(prefix)), "{uris:?}");
    }
}

#[test]
fn what_a_stranger_wrote_does_not_drive_the_terminal() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &[("function.toml", format!("\"\\u001b[2J\\u009bx\" = 1\n{MANIFEST}"))]);
    for (verb, code) in [("pack", 1), ("check", 1)] {
        let run = run(&mut fnscaffold(directory.path(), &[verb])).expect(code);
        let told = run.stdout + &run.stderr;
        assert!(told.contains("`\\u{1b}[2J\\u{9b}x`"), "{told}");
        assert!(!told.contains(['\u{1b}', '\u{9b}']), "{told:?}");
    }
}
