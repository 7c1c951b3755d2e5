//! Archives that the program wrote, opened by tools that know nothing of it, and the same on every machine.
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
#[path = "common/inspection.rs"]
mod inspection;
#[path = "common/pythons.rs"]
mod pythons;
#[path = "common/tools.rs"]
mod tools;
#[path = "common/trees.rs"]
mod trees;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use commands::{absent, succeed};
use fnscaffold::{fnscaffold, run};
use inspection::{entries, paths};
use pythons::{Python, pythons};
use tools::node_modules;
use trees::{MANIFEST, write_all};

/// The archive of each template, named my-app, whatever the runtime. A change here is a change for
/// everyone who compares archives: say it in the CHANGELOG.
const GOLDEN: [(&str, &str); 5] = [
    ("nodejs/api", "05266ae4577275b0f3c7c9945fb5122d031200fbb93f0f6478b2b24691908afb"),
    ("nodejs/api-fetch", "c6ddcbf8dc9915bdf70413de01f159567b1777374f447689e5b0335ae3a53242"),
    ("nodejs/context", "234e7e2a97af5bb0610f06e3e6441dbb8cc793610509ff6faa1042a8b6dfd8b6"),
    ("python/api", "30efd062cab5c6695f6dcdd8a66abb4e82b29b3b5d7df6745d0b8b9e5351e8bc"),
    ("python/context", "9b59fd700e63015ea142fcd4d9a8231c89d51e516179d9a971266de7da3cf7bb"),
];

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files of every kind: names that sort in surprising ways, programs, nothing, much, and what does not
/// compress.
fn tree() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = [
        ("function.toml", MANIFEST),
        ("index.js", "exports.main = async () => ({ statusCode: 200 });\n"),
        ("a.b/x.js", "1\n"),
        ("a/x.js", "2\n"),
        ("a-b/x.js", "3\n"),
        ("a/b/c/d/e/f/g.json", "{}\n"),
        ("Z.js", "4\r\n"),
        ("empty.txt", ""),
        ("bin/run", "#!/bin/sh\necho run\n"),
        ("bin/program", "\x7fELF and the rest"),
        ("not-a-program.sh", "echo '#!/bin/sh'\n"),
        ("\u{444}\u{430}\u{439}\u{43b}/\u{df}.txt", "5\n"),
        ("crab-\u{1f980}.txt", "6\n"),
        ("with space.txt", "7\n"),
    ]
    .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
    .to_vec();
    for number in 0..400 {
        let text = format!("module.exports = {number};\n").repeat(number);
        files.push((format!("node_modules/package-{}/file{number}.js", number % 37), text.into_bytes()));
    }
    let mut state = 1_u32;
    let mut noise = |length: usize| -> Vec<u8> {
        let byte = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_le_bytes()[3]
        };
        (0..length).map(byte).collect()
    };
    files.push(("noise.bin".to_owned(), noise(300_000)));
    files
}

/// Large enough to be packed in another way than the rest.
fn large_file() -> (String, Vec<u8>) {
    ("large.txt".to_owned(), b"The same line again.\n".repeat(900_000))
}

/// Packs `directory`; gives the archive and version.json.
fn pack(directory: &Path) -> (Vec<u8>, Vec<u8>) {
    run(&mut fnscaffold(directory, &["pack"])).expect(0);
    packed(directory)
}

fn packed(directory: &Path) -> (Vec<u8>, Vec<u8>) {
    let dist = directory.join("dist");
    (fs::read(dist.join("index-js.zip")).unwrap(), fs::read(dist.join("version.json")).unwrap())
}

/// A command on PATH, or nothing when it is not there.
fn on_path(program: &str, arguments: &[&OsStr]) -> Option<Output> {
    let mut command = Command::new(program);
    // Names are UTF-8, and tools print them as the locale says.
    command.args(arguments).env("LC_ALL", "C.UTF-8");
    match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            absent(program);
            None
        }
        output => {
            let output = output.unwrap();
            assert!(output.status.success(), "{program}: {output:?}");
            Some(output)
        }
    }
}

fn lines(output: &Output) -> Vec<String> {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// Opens an archive with every tool there is. Each must list `wanted` and have nothing to complain of.
fn opens_everywhere(archive: &Path, wanted: &[&str], pythons: &[Python]) {
    let file = archive.as_os_str();
    if let Some(output) = on_path("unzip", &["-tqq".as_ref(), file]) {
        assert_eq!(lines(&output), [""; 0], "unzip -t");
        let output = on_path("unzip", &["-Z1".as_ref(), file]).unwrap();
        assert_eq!(lines(&output), wanted, "unzip -Z1");
    }
    if let Some(output) = on_path("bsdtar", &["-tf".as_ref(), file]) {
        assert_eq!(lines(&output), wanted, "bsdtar");
    }
    let utf8 = ["-J-Dstdout.encoding=UTF-8", "-J-Dsun.stdout.encoding=UTF-8"].map(OsStr::new);
    if let Some(output) = on_path("jar", &[&utf8[..], &["tf".as_ref(), file]].concat()) {
        assert_eq!(lines(&output), wanted, "jar");
    }
    let output = succeed(Command::new(seven_zip()).arg("t").arg("-bb3").arg(archive));
    let said = lines(&output);
    assert!(said.iter().any(|line| line == "Everything is Ok"), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("WARNING") || line.contains("Warnings")), "{said:?}");
    for python in pythons {
        assert_eq!(paths(&entries(python, archive)), wanted, "zipfile of CPython {}", python.version);
    }
}

fn seven_zip() -> PathBuf {
    let package = node_modules().join("7zip-bin");
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    if cfg!(windows) {
        return package.join("win").join(arch).join("7za.exe");
    }
    let program =
        package.join(if cfg!(target_os = "macos") { "mac" } else { "linux" }).join(arch).join("7za");
    #[cfg(unix)]
    {
        // npm does not keep the mode of what is no declared program.
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    program
}

#[test]
fn a_large_tree_opens_everywhere_and_holds_what_was_packed() {
    let mut files = tree();
    files.push(large_file());
    let directory = standing(&files);
    pack(directory.path());
    let archive = directory.path().join("dist/index-js.zip");
    let mut wanted: BTreeMap<&[u8], &[u8]> =
        files.iter().map(|(path, bytes)| (path.as_bytes(), bytes.as_slice())).collect();
    wanted.remove("function.toml".as_bytes());
    let names: Vec<_> = wanted.keys().map(|path| str::from_utf8(path).unwrap()).collect();
    opens_everywhere(&archive, &names, pythons());
    let entries = entries(&pythons()[0], &archive);
    for (entry, (path, bytes)) in entries.iter().zip(&wanted) {
        let path = str::from_utf8(path).unwrap();
        let program = bytes.starts_with(b"#!") || bytes.starts_with(b"\x7fELF");
        assert_eq!(entry["path"], path);
        assert_eq!(entry["size"], bytes.len(), "{path}");
        assert_eq!(entry["sha256"], sha256(bytes), "{path}");
        assert_eq!(entry["mode"], if program { "100755" } else { "100644" }, "{path}");
        assert_eq!(entry["date"], "1980-01-01 00:00:00", "{path}");
        assert_eq!(entry["system"], 3, "{path}");
        // Stored or deflated, and the version of the format that first had it.
        let versions = if entry["method"] == 0 { json!([10, 10]) } else { json!([20, 20]) };
        assert_eq!(entry["versions"], versions, "{path}");
        assert_eq!(entry["extra"], 0, "{path}");
        // Bit 11: the name is UTF-8. No other is set: no data descriptor, no encryption.
        assert_eq!(entry["flags"], if path.is_ascii() { 0 } else { 1 << 11 }, "{path}");
        assert_eq!(entry["attributes"], 0, "{path}");
        assert_eq!(entry["is_directory"], false, "{path}");
    }
    let spec: Value = serde_json::from_slice(&packed(directory.path()).1).unwrap();
    let recorded = spec["archive"]["entries"].as_array().unwrap();
    let told: Vec<_> =
        entries.iter().map(|entry| (&entry["path"], &entry["size"], &entry["sha256"])).collect();
    let recorded: Vec<_> =
        recorded.iter().map(|entry| (&entry["path"], &entry["size"], &entry["sha256"])).collect();
    assert_eq!(recorded, told);
    assert_eq!(spec["archive"]["sha256"], sha256(&fs::read(&archive).unwrap()));
    run(&mut fnscaffold(directory.path(), &["verify"])).expect(0);
}

#[cfg(unix)]
#[test]
fn programs_unpack_as_programs() {
    use std::os::unix::fs::PermissionsExt;
    let directory = standing(&tree());
    pack(directory.path());
    let archive = directory.path().join("dist/index-js.zip");
    let unpacked = directory.path().join("unpacked");
    if on_path("unzip", &["-q".as_ref(), archive.as_os_str(), "-d".as_ref(), unpacked.as_os_str()]).is_none()
    {
        return;
    }
    let mode = |path: &str| fs::metadata(unpacked.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("bin/run"), mode("bin/program")), (0o755, 0o755));
    assert_eq!((mode("index.js"), mode("not-a-program.sh"), mode("empty.txt")), (0o644, 0o644, 0o644));
}

#[cfg(unix)]
#[test]
fn more_files_than_a_plain_archive_can_count_open_everywhere() {
    // Links are followed, so that a few files are many entries.
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<_> = (0..257).map(|number| format!("{number:03}")).collect();
    write_all(&directory.path().join("d000"), &files.iter().map(|name| (name, "")).collect::<Vec<_>>());
    write_all(directory.path(), &[("function.toml", MANIFEST)]);
    let directories: Vec<_> = (0..256).map(|number| format!("d{number:03}")).collect();
    for link in &directories[1..] {
        std::os::unix::fs::symlink("d000", directory.path().join(link)).unwrap();
    }
    pack(directory.path());
    let names: Vec<_> = directories
        .iter()
        .flat_map(|place| files.iter().map(move |name| format!("{place}/{name}")))
        .collect();
    assert!(names.len() > usize::from(u16::MAX));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    opens_everywhere(&directory.path().join("dist/index-js.zip"), &names, &pythons()[..1]);
}

/// A copy of the tree in a place of its own.
fn standing(files: &[(String, Vec<u8>)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), files);
    directory
}

#[test]
fn nothing_but_names_and_contents_changes_the_archive() {
    let files = tree();
    let original = standing(&files);
    let wanted = pack(original.path());
    let same = |case: &str, directory: &Path| {
        assert!(packed(directory) == wanted, "{case} changes the archive or version.json");
    };

    let mut backwards = files.clone();
    backwards.reverse();
    let directory = standing(&backwards);
    pack(directory.path());
    same("the order of creation", directory.path());

    let directory = standing(&files);
    for (number, (path, _)) in (0..).zip(&files) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(number * 10_000_019);
        fs::File::options()
            .append(true)
            .open(directory.path().join(path))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    pack(directory.path());
    same("the time of change", directory.path());

    for (case, variables) in [
        ("the time zone", &[("TZ", "Pacific/Kiritimati")][..]),
        ("the locale", &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("LANGUAGE", "tr")]),
        ("the C locale", &[("LC_ALL", "C"), ("LANG", "C")]),
        ("an empty SOURCE_DATE_EPOCH", &[("SOURCE_DATE_EPOCH", "")]),
    ] {
        let directory = standing(&files);
        run(fnscaffold(directory.path(), &["pack"]).envs(variables.iter().copied())).expect(0);
        same(case, directory.path());
    }

    let elsewhere = tempfile::tempdir().unwrap();
    let directory = standing(&files);
    let name = directory.path().file_name().unwrap().to_str().unwrap().to_owned();
    let absolute = directory.path().to_str().unwrap().to_owned();
    for (start, place) in [
        (elsewhere.path(), absolute.clone()),
        (elsewhere.path(), format!("{absolute}/")),
        (directory.path().parent().unwrap(), name.clone()),
        (directory.path().parent().unwrap(), format!("./{name}/.")),
        (&directory.path().join("bin"), "..".to_owned()),
    ] {
        let _ = fs::remove_dir_all(directory.path().join("dist"));
        run(&mut fnscaffold(start, &["-C", &place, "pack"])).expect(0);
        same(&format!("-C {place}"), directory.path());
    }
}

#[cfg(unix)]
#[test]
fn modes_umask_and_links_do_not_change_the_archive() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let files = tree();
    let original = standing(&files);
    let wanted = pack(original.path());
    let program = env!("CARGO_BIN_EXE_fnscaffold");

    let directory = standing(&files);
    for (number, (path, _)) in files.iter().enumerate() {
        let mode = [0o600, 0o777, 0o444, 0o4755][number % 4];
        fs::set_permissions(directory.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    assert!(pack(directory.path()) == wanted, "modes");

    for umask in ["000", "077"] {
        let directory = standing(&files);
        let script = format!("umask {umask}; exec '{program}' pack");
        succeed(Command::new("sh").args(["-c", &script]).current_dir(directory.path()));
        assert!(packed(directory.path()) == wanted, "umask {umask}");
    }

    let elsewhere = tempfile::tempdir().unwrap();
    symlink(original.path(), elsewhere.path().join("link")).unwrap();
    fs::remove_dir_all(original.path().join("dist")).unwrap();
    run(&mut fnscaffold(elsewhere.path(), &["-C", "link", "pack"])).expect(0);
    assert!(packed(original.path()) == wanted, "a link to the directory");
}

#[cfg(target_os = "linux")]
/// The platform's file system is Linux's: names are bytes, and two files differ if one byte does.
#[cfg(target_os = "linux")]
#[test]
fn odd_names_and_files_are_packed_as_they_are() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("function");
    let deep = format!("{}/a.js", vec!["d".repeat(255); 14].join("/"));
    let long = format!("{}.js", "n".repeat(252));
    // One letter in two forms, composed and decomposed.
    let names = ["\u{e9}.js", "e\u{301}.js", "Case.js", "case.js", &long, &deep];
    let mut files: Vec<(String, Vec<u8>)> =
        names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect();
    files.push(("function.toml".to_owned(), MANIFEST.into()));
    write_all(&directory, &files);
    fs::hard_link(directory.join("case.js"), directory.join("linked.js")).unwrap();
    // Nothing on disk but its length, and too long to be held in memory.
    fs::File::create(directory.join("sparse.bin")).unwrap().set_len(20 << 20).unwrap();
    let (archive, spec) = pack(&directory);
    assert!(archive.len() < 100_000, "{}", archive.len());
    let spec: serde_json::Value = serde_json::from_slice(&spec).unwrap();
    let found: Vec<_> = spec["archive"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["path"].as_str().unwrap(), entry["sha256"].as_str().unwrap().to_owned()))
        .collect();
    let mut wanted: Vec<_> = names.iter().map(|name| (*name, sha256(name.as_bytes()))).collect();
    wanted.push(("linked.js", sha256(b"case.js")));
    wanted.push(("sparse.bin", sha256(&vec![0; 20 << 20])));
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    run(&mut fnscaffold(&directory, &["verify"])).expect(0);
    // Deeper than a path may be long: refused, not left out.
    let deeper = directory.join(vec!["e".repeat(255); 9].join("/"));
    fs::create_dir_all(&deeper).unwrap();
    fs::rename(directory.join("d".repeat(255)), deeper.join("d".repeat(255))).unwrap();
    let refused = run(&mut fnscaffold(&directory, &["pack"])).expect(3);
    assert!(refused.stderr.contains("FN0501") && refused.stderr.contains("eee"), "{}", refused.stderr);
}

#[test]
fn the_number_of_processors_does_not_change_the_archive() {
    if on_path("taskset", &["-c".as_ref(), "0".as_ref(), "true".as_ref()]).is_none() {
        return;
    }
    let mut files = tree();
    files.push(large_file());
    let original = standing(&files);
    let wanted = pack(original.path());
    let directory = standing(&files);
    let command = ["-c", "0", env!("CARGO_BIN_EXE_fnscaffold"), "pack"];
    succeed(Command::new("taskset").args(command).current_dir(directory.path()));
    assert!(packed(directory.path()) == wanted);
}

#[test]
fn names_and_contents_change_the_archive() {
    let files = [("function.toml", MANIFEST), ("index.js", "1"), ("a.js", "1")];
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &files);
    let first = pack(directory.path()).0;
    fs::write(directory.path().join("a.js"), "2").unwrap();
    let second = pack(directory.path()).0;
    fs::rename(directory.path().join("a.js"), directory.path().join("b.js")).unwrap();
    let third = pack(directory.path()).0;
    assert!(first != second && second != third && first != third);
    run(&mut fnscaffold(directory.path(), &["verify"])).expect(0);
    fs::write(directory.path().join("index.js"), "2").unwrap();
    let verified = run(&mut fnscaffold(directory.path(), &["verify"])).expect(1);
    assert!(verified.stderr.contains("index.js"), "{}", verified.stderr);
}

#[test]
fn source_date_epoch_dates_every_entry() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &[("function.toml", MANIFEST), ("index.js", "1"), ("a.js", "1")]);
    let archive = directory.path().join("dist/index-js.zip");
    for (epoch, date) in [
        ("0", "1980-01-01 00:00:00"),
        ("315532799", "1980-01-01 00:00:00"),
        ("951782399", "2000-02-28 23:59:58"),
        ("951782400", "2000-02-29 00:00:00"),
        ("1700000001", "2023-11-14 22:13:20"),
        ("4354819199", "2107-12-31 23:59:58"),
        ("18446744073709551615", "2107-12-31 23:59:58"),
    ] {
        for zone in ["UTC", "America/New_York"] {
            let mut command = fnscaffold(directory.path(), &["pack"]);
            run(command.env("SOURCE_DATE_EPOCH", epoch).env("TZ", zone)).expect(0);
            let entries = entries(&pythons()[0], &archive);
            let dates: Vec<_> = entries.iter().map(|entry| &entry["date"]).collect();
            assert_eq!(dates, [date; 2], "{epoch} in {zone}");
        }
        let mut command = fnscaffold(directory.path(), &["verify"]);
        run(command.env("SOURCE_DATE_EPOCH", epoch)).expect(0);
    }
    let before = packed(directory.path());
    for epoch in ["yesterday", "-1", "1.5"] {
        let mut command = fnscaffold(directory.path(), &["pack"]);
        let refused = run(command.env("SOURCE_DATE_EPOCH", epoch)).expect(2);
        assert!(refused.stderr.contains(&format!("SOURCE_DATE_EPOCH is `{epoch}`")), "{}", refused.stderr);
    }
    assert!(packed(directory.path()) == before);
}

#[test]
fn each_template_makes_the_archive_that_is_pinned() {
    let place = tempfile::tempdir().unwrap();
    let list = run(&mut fnscaffold(place.path(), &["templates", "list", "--format", "json"])).expect(0);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let mut made = BTreeMap::new();
    for template in list["templates"].as_array().unwrap() {
        let text = |key: &str| template[key].as_str().unwrap();
        for runtime in template["runtimes"].as_array().unwrap() {
            let runtime = runtime.as_str().unwrap();
            let directory = place.path().join(format!("{}-{}-{runtime}", text("lang"), text("mode")));
            let output = directory.to_str().unwrap();
            let flags =
                ["new", "--lang", text("lang"), "--mode", text("mode"), "--runtime", runtime, "-o", output];
            run(&mut fnscaffold(place.path(), &flags)).expect(0);
            let archive = if text("lang") == "python" { "index-py.zip" } else { "index-js.zip" };
            let archive = directory.join("dist").join(archive);
            let names: Vec<&str> = match text("name") {
                "nodejs/api" => vec!["index.js", "package.json"],
                "python/api" => vec!["index.py", "requirements.txt"],
                "python/context" => vec!["index.py"],
                _ => vec!["index.js"],
            };
            let bytes = fs::read(&archive).unwrap();
            if made.insert(text("name").to_owned(), sha256(&bytes)).is_none() {
                opens_everywhere(&archive, &names, pythons());
            }
            assert_eq!(made[text("name")], sha256(&bytes), "{} depends on the runtime", text("name"));
            let packed = run(&mut fnscaffold(&directory, &["pack"])).expect(0);
            assert!(packed.stdout.contains("unchanged"), "{}", packed.stdout);
            run(&mut fnscaffold(&directory, &["check"])).expect(0);
            run(&mut fnscaffold(&directory, &["verify"])).expect(0);
        }
    }
    let wanted = GOLDEN.map(|(name, sha256)| (name.to_owned(), sha256.to_owned()));
    assert_eq!(made.into_iter().collect::<Vec<_>>(), wanted);
}
