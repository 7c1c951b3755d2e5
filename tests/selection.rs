//! Which files are packed, which are refused, and that a refusal changes nothing.
#![expect(
    clippy::disallowed_methods,
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
#[path = "common/trees.rs"]
mod trees;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use commands::{absent, succeed};
use fnscaffold::{fnscaffold, run};
use inspection::{entries, paths};
use pythons::pythons;
use trees::{MANIFEST, write_all};

struct Case {
    name: &'static str,
    /// Lines of [package].
    package: &'static str,
    fnignore: &'static str,
    packed: &'static [&'static str],
    left_out: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "code is packed; caches, version control and secrets by name are not",
        package: "",
        fnignore: "",
        packed: &[
            "index.js",
            "lib/a.js",
            "node_modules/.bin/tool",
            "node_modules/x/dist/main.js",
            "tests/test_a.py",
            "lib/function.toml",
        ],
        left_out: &[
            ".git/config",
            ".gitignore",
            ".env",
            ".env.local",
            "lib/.env",
            "dist/notes.txt",
            "__pycache__/a.pyc",
            "lib/__pycache__/b.pyc",
            ".pytest_cache/x",
            ".venv/lib/x.py",
            ".DS_Store",
            "node_modules/.cache/x",
            "id_rsa",
            "lib/server.key",
        ],
    },
    Case {
        name: "include narrows",
        package: "include = ['src/', '/package.json', '*.json', '!secret.json']",
        fnignore: "",
        packed: &["package.json", "src/a/b.js", "src/c.txt", "other/d.json"],
        left_out: &["index.js", "other/src.js", "secret.json", "other/secret.json"],
    },
    Case {
        name: "a later include counts",
        package: "include = ['**', '!notes/**', 'notes/kept.js']",
        fnignore: "",
        packed: &["index.js", "notes/kept.js"],
        left_out: &["notes/a.js"],
    },
    Case {
        name: "exclude leaves out, a later negation brings back",
        package: "exclude = ['*.md', '!README.md', '/scripts']",
        fnignore: "",
        packed: &["index.js", "README.md", "docs/README.md", "lib/scripts/a.js"],
        left_out: &["a.md", "docs/b.md", "scripts/a.js"],
    },
    Case {
        name: "nothing comes back below a directory that is left out",
        package: "exclude = ['build/', '!build/kept.js', 'out/*', '!out/kept.js']",
        fnignore: "",
        packed: &["index.js", "out/kept.js"],
        left_out: &["build/kept.js", "build/a.js", "out/a.js"],
    },
    Case {
        name: "exclude wins over include",
        package: "include = ['src/']\nexclude = ['*.map']",
        fnignore: "",
        packed: &["src/a.js"],
        left_out: &["src/a.js.map", "index.js"],
    },
    Case {
        name: ".fnignore comes after exclude",
        package: "exclude = ['*.md']",
        fnignore: "!a.md\n/b.js\n",
        packed: &["a.md", "lib/b.js"],
        left_out: &["c.md", "b.js"],
    },
    Case {
        name: ".fnignore has gitignore's syntax",
        package: "",
        fnignore: "# a comment\n\n\\#odd.js\n**/deep.js\na/**/b.js\nfile?.js\nlog[0-9].txt\nlogs/\n*.tmp   \n\\!bang.js\n",
        packed: &["index.js", "odd.js", "file10.js", "logx.txt", "logs", "a/x/c.js", "A/b.js"],
        left_out: &[
            "#odd.js",
            "x/y/deep.js",
            "deep.js",
            "a/b.js",
            "a/x/y/b.js",
            "file1.js",
            "log1.txt",
            "x/logs/a",
            "a.tmp",
            "!bang.js",
        ],
    },
    Case {
        name: ".fnignore may come from Windows",
        package: "",
        fnignore: "*.md\r\n/lib/\r\n",
        packed: &["index.js"],
        left_out: &["a.md", "lib/a.js"],
    },
    Case {
        name: "what is left out by default can be brought back, but the archive is never packed",
        package: "exclude = ['!/dist/', '!.env.example']",
        fnignore: "",
        packed: &["index.js", "dist/index.js", "dist/lib/a.js", ".env.example"],
        left_out: &[".env"],
    },
    Case {
        name: ".gitignore is not read",
        package: "",
        fnignore: "",
        packed: &["index.js", "lib/a.js"],
        left_out: &[".gitignore", "lib/.gitignore"],
    },
];

impl Case {
    fn write(&self, directory: &Path) {
        write_all(directory, &[("function.toml", format!("{MANIFEST}[package]\n{}\n", self.package))]);
        if !self.fnignore.is_empty() {
            write_all(directory, &[(".fnignore", self.fnignore)]);
        }
        // As text that names every file, so that a .gitignore or .fnignore that is read would show.
        let files: Vec<_> = self.packed.iter().chain(self.left_out).map(|path| (path, "*\n")).collect();
        write_all(directory, &files);
    }
}

fn list(directory: &Path) -> Vec<String> {
    let listed = run(&mut fnscaffold(directory, &["pack", "--list"])).expect(0);
    listed.stdout.lines().map(str::to_owned).collect()
}

/// The files that `check` finds changed since they were packed.
fn stale(directory: &Path) -> Option<String> {
    let checked = run(&mut fnscaffold(directory, &["check", "--format", "json"]));
    let document: Value = serde_json::from_str(&checked.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let stale = findings.iter().find(|finding| finding["code"] == "FN0602")?;
    Some(stale["why"].as_str().unwrap().to_owned())
}

#[test]
fn list_archive_and_check_see_the_same_files() {
    for case in CASES {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        case.write(directory);
        let wanted: BTreeSet<_> = case.packed.iter().copied().collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        assert_eq!(list(directory), wanted, "{}: pack --list", case.name);
        assert!(!directory.join("dist/version.json").exists(), "{}: --list writes", case.name);
        run(&mut fnscaffold(directory, &["pack"])).expect(0);
        let archive = directory.join("dist/index-js.zip");
        let python = &pythons()[0];
        let version = &python.version;
        assert_eq!(paths(&entries(python, &archive)), wanted, "{}: zipfile of {version}", case.name);
        assert_eq!(list(directory), wanted, "{}: pack --list with dist/", case.name);
        assert_eq!(stale(directory), None, "{}: check", case.name);
        for path in case.packed.iter().chain(case.left_out) {
            let place = directory.join(path);
            fs::write(&place, "changed").unwrap();
            let wanted = case.packed.contains(path).then(|| format!("changed since: {path}"));
            assert_eq!(stale(directory), wanted, "{}: check of {path}", case.name);
            fs::write(&place, "*\n").unwrap();
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_pattern() {
    let directory = tempfile::tempdir().unwrap();
    write_all(directory.path(), &[("function.toml", MANIFEST), ("a.md", ""), ("b.js", "")]);
    write_all(directory.path(), &[(".fnignore", "\u{feff}*.md\n")]);
    assert_eq!(list(directory.path()), ["b.js"]);
}

#[test]
fn patterns_mean_what_they_mean_to_git() {
    if cfg!(any(windows, target_os = "macos")) {
        return absent("disk that takes any name");
    }
    let files = [
        "a",
        "b",
        "a.js",
        "b.js",
        "A.js",
        "x/a",
        "x/a.js",
        "x/y/a.js",
        "x/y/z/b.js",
        "doc/a.md",
        "doc/frotz/a",
        "frotz/a",
        "foo/bar/c",
        "bar/c",
        "abc/x/y",
        "star*.js",
        "q?.js",
        "[x].js",
        " lead",
        "x y",
        "!b",
        "#c",
    ];
    let sets: [&[&str]; 22] = [
        &["a"],
        &["/a"],
        &["a/"],
        &["x/"],
        &["x/*"],
        &["x/**"],
        &["**/a.js"],
        &["x/**/b.js"],
        &["doc/frotz"],
        &["frotz/"],
        &["/frotz"],
        &["foo/*", "!foo/bar"],
        &["*", "!x/", "!*.js"],
        &["*.js", "!b.js", "/b.js"],
        &["abc/**"],
        &["**/bar"],
        &["star\\*.js"],
        &["q[?].js"],
        &["\\[x].js"],
        &["[[:upper:]]*.js"],
        &["\\!b", "\\#c"],
        &[" lead", "x\\ y"],
    ];
    let place = tempfile::tempdir().unwrap();
    let write = |place: &Path| write_all(place, &files.map(|path| (path, "1")));
    let (ours, theirs) = (place.path().join("ours"), place.path().join("theirs"));
    write(&ours);
    write(&theirs);
    write_all(&ours, &[("function.toml", MANIFEST)]);
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&theirs).env("GIT_CONFIG_GLOBAL", "").env("GIT_CONFIG_NOSYSTEM", "1");
        git
    };
    if git(&["init", "-q"]).output().is_err() {
        return absent("git");
    }
    for set in sets {
        let patterns = set.join("\n");
        fs::write(ours.join(".fnignore"), &patterns).unwrap();
        let file = place.path().join("patterns");
        fs::write(&file, &patterns).unwrap();
        let arguments = ["-c", "core.quotePath=false", "ls-files", "-z", "--others", "--exclude-from"];
        let listed = succeed(git(&arguments).arg(&file));
        let listed = String::from_utf8(listed.stdout).unwrap();
        let mut wanted: Vec<_> = listed.split_terminator('\0').collect();
        wanted.sort_unstable();
        let run = run(&mut fnscaffold(&ours, &["pack", "--list"])).expect(0);
        assert_eq!(run.stdout.lines().collect::<Vec<_>>(), wanted, "{set:?}");
    }
}
