//! Templates of one's own, samples that are kept, and `templates test` on what is built in.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::fs;
use std::path::Path;

#[path = "common/fnscaffold.rs"]
mod fnscaffold;
#[path = "common/here.rs"]
mod here;

use fnscaffold::{fnscaffold, run};
use here::is_here;

fn write(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A directory with one template, for Python's context mode.
fn templates(directory: &Path) {
    write(
        directory,
        "mine/python/hello.toml",
        "about = 'says hello'\nversion = '7'\nmode = 'context'\nruntimes = ['python312', 'python314']\n\
         entrypoint = 'hello.main'\nmemory = '256MB'\ntimeout = '9s'\n",
    );
    write(
        directory,
        "mine/python/hello/hello.py.hbs",
        "NAME = {{py name}}\n\n\ndef {{function}}(event, context):\n    return {\"statusCode\": 200, \"body\": NAME}\n",
    );
    write(directory, "mine/python/hello/data/raw.txt", "{{as it is}}\n");
    write(directory, "mine/python/hello/.fnignore", "*.md\n");
    write(directory, "mine/python/hello/notes.md", "for people\n");
    write(directory, "mine/README.md", "no template\n");
}

const NEW: [&str; 8] = ["new", "--lang", "py", "--mode", "context", "--runtime", "latest", "--template"];

#[test]
fn a_template_of_ones_own_is_used_like_a_built_in_one() {
    let directory = tempfile::tempdir().unwrap();
    templates(directory.path());
    run(&mut fnscaffold(directory.path(), &[&NEW[..], &["mine"]].concat())).expect(0);
    let function = directory.path().join("my-app");
    let handler = fs::read_to_string(function.join("hello.py")).unwrap();
    assert!(handler.starts_with("NAME = \"my-app\"\n"), "{handler}");
    assert_eq!(fs::read_to_string(function.join("data/raw.txt")).unwrap(), "{{as it is}}\n");
    let manifest: toml::Table = fs::read_to_string(function.join("function.toml")).unwrap().parse().unwrap();
    assert_eq!(manifest["version"]["memory"].as_str(), Some("256MB"));
    assert_eq!(manifest["template"]["name"].as_str(), Some("python/hello"));
    assert_eq!(manifest["template"]["version"].as_str(), Some("7"));
    run(&mut fnscaffold(&function, &["check"])).expect(0);
    run(&mut fnscaffold(&function, &["verify"])).expect(0);
    let entries = run(&mut fnscaffold(&function, &["pack", "--list"])).expect(0).stdout;
    assert_eq!(entries, "data/raw.txt\nhello.py\n");
    let describe = ["templates", "describe", "python/hello", "--template", "mine"];
    let described = run(&mut fnscaffold(directory.path(), &describe)).expect(0).stdout;
    assert!(
        described.contains("python314 [required]"),
        "`new` takes another when none is named: {described}"
    );
    fs::write(directory.path().join("mine/python/hello/x.bin"), [0x1b, 0xff]).unwrap();
    let show = ["templates", "show", "python/hello", "--template", "mine"];
    let shown = run(&mut fnscaffold(directory.path(), &show)).expect(0).stdout;
    assert!(shown.contains("--- python/hello/x.bin\n2 B, not UTF-8\n"), "{shown}");
    let list = run(&mut fnscaffold(directory.path(), &["templates", "list", "--template", "mine"])).expect(0);
    assert!(list.stdout.contains("python/hello") && !list.stdout.contains("nodejs"), "{}", list.stdout);
    let guides = ["new", "abc", "--lang", "py", "--mode", "context", "--template", "mine"];
    let refused = run(&mut fnscaffold(directory.path(), &guides)).expect(2).stderr;
    assert!(refused.contains("fix: --runtime takes python3"), "{refused}");
    // What it does not cover is said.
    let other = ["new", "abc", "--lang", "js", "--mode", "api", "--template", "mine"];
    assert!(run(&mut fnscaffold(directory.path(), &other)).expect(2).stderr.contains("FN0802"));
}

#[test]
fn a_template_that_leaves_its_directory_or_is_wrong_is_refused() {
    type Spoil = fn(&Path);
    #[cfg_attr(not(unix), expect(unused_mut, reason = "links are made elsewhere in other ways"))]
    let mut cases: Vec<(&str, i32, Spoil)> = vec![
        ("there is no variable `nmae`", 2, |mine| write(mine, "python/hello/x.txt.hbs", "{{nmae}}")),
        ("cannot be used", 2, |mine| write(mine, "python/other/x.py", "")),
        ("`../hello.main` is not allowed", 2, |mine| {
            let facts = fs::read_to_string(mine.join("python/hello.toml")).unwrap();
            write(mine, "python/hello.toml", &facts.replace("hello.main", "../hello.main"));
        }),
        ("`colour`", 2, |mine| {
            let facts = fs::read_to_string(mine.join("python/hello.toml")).unwrap();
            write(mine, "python/hello.toml", &format!("{facts}colour = 'red'\n"));
        }),
    ];
    #[cfg(unix)]
    cases.push(("is a symbolic link", 4, |mine| {
        std::os::unix::fs::symlink("/etc/hostname", mine.join("python/hello/leak.txt")).unwrap();
    }));
    #[cfg(unix)]
    cases.push(("is a symbolic link", 4, |mine| {
        std::os::unix::fs::symlink("/etc", mine.join("python/hello/leak")).unwrap();
    }));
    for (message, code, spoil) in cases {
        let directory = tempfile::tempdir().unwrap();
        templates(directory.path());
        spoil(&directory.path().join("mine"));
        let refused = run(&mut fnscaffold(directory.path(), &[&NEW[..], &["mine"]].concat())).expect(code);
        assert!(refused.stderr.contains(message), "{message}: {}", refused.stderr);
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{message}: something was written");
    }
}

#[test]
fn samples_that_are_kept_are_held_true() {
    let directory = tempfile::tempdir().unwrap();
    let render = |more: &[&str]| {
        let arguments = [&["templates", "render", "--all", "-o", "samples"], more].concat();
        run(&mut fnscaffold(directory.path(), &arguments))
    };
    let written = render(&[]).expect(0);
    // Twelve runtimes in two modes.
    assert_eq!(written.stdout.lines().count(), 24);
    assert!(directory.path().join("samples/nodejs/api/nodejs16/dist/index-js.zip").exists());
    render(&["--check"]).expect(0);
    assert!(render(&[]).expect(4).stderr.contains("FN0502"));
    let sample = directory.path().join("samples/python/api/python314");
    write(&sample, "index.py", "spoilt\n");
    fs::remove_file(sample.join("requirements.txt")).unwrap();
    write(&sample, "extra.txt", "nobody's\n");
    let drift = render(&["--check"]).expect(1);
    for line in ["-spoilt", "+++ b/python/api/python314/requirements.txt", "-nobody's"] {
        assert!(drift.stdout.contains(line), "{line}: {}", drift.stdout);
    }
    let json = render(&["--check", "--format", "json"]).expect(1);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json["ok"].as_bool(), json["drift"].as_array().map(Vec::len)), (Some(false), Some(3)));
    assert_eq!(json["error"]["code"], "FN0803");
    render(&["--force"]).expect(0);
    assert!(render(&["--check"]).expect(1).stdout.contains("extra.txt"), "nobody else's file is removed");
    write(&sample, "extra.txt", "");
    let drift = render(&["--check"]).expect(1);
    assert!(drift.stdout.contains("--- a/python/api/python314/extra.txt\n+++ /dev/null"), "{}", drift.stdout);
    fs::remove_file(sample.join("extra.txt")).unwrap();
    render(&["--check"]).expect(0);
    // Samples in version control lack dist/, which their .gitignore names.
    fs::remove_dir_all(sample.join("dist")).unwrap();
    render(&["--check"]).expect(1);
}

#[test]
fn samples_that_were_not_asked_for_are_not_judged() {
    let directory = tempfile::tempdir().unwrap();
    let render = |more: &[&str]| {
        run(&mut fnscaffold(directory.path(), &[&["templates", "render", "-o", "samples"], more].concat()))
    };
    let some = ["--runtime", "nodejs22", "--no-pack"];
    render(&some).expect(0);
    render(&["--runtime", "python314", "--no-pack", "--force"]).expect(0);
    render(&[&some[..], &["--check"]].concat()).expect(0);
    write(directory.path(), "samples/nodejs/api/nodejs22/extra.txt", "nobody's\n");
    render(&[&some[..], &["--check"]].concat()).expect(1);
    let all = render(&["--check", "--no-pack"]).expect(1).stdout;
    assert!(all.contains("+++ b/python/api/python37/index.py"), "--check alone means all: {all}");
}

#[test]
fn nothing_to_render_or_to_test_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "empty/python.txt", "");
    for arguments in [
        &["list", "--template", "empty"][..],
        &["test", "--template", "empty"],
        &["test", "--lang", "python", "--runtime", "nodejs22"],
        &["render", "--lang", "python", "--runtime", "nodejs22", "-o", "samples"],
    ] {
        let refused = run(&mut fnscaffold(directory.path(), &[&["templates"], arguments].concat())).expect(2);
        assert!(refused.stderr.contains("FN080"), "{}", refused.stderr);
    }
}

#[test]
fn handlers_of_ones_own_need_not_answer_with_a_token() {
    if !is_here("python3") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    templates(directory.path());
    let test = || {
        let verb = ["templates", "test", "--template", "mine", "--runtime", "python312"];
        run(&mut fnscaffold(directory.path(), &verb))
    };
    assert!(test().expect(0).stdout.contains("render parse pack check run"));
    let handler = |text: &str| write(directory.path(), "mine/python/hello/hello.py.hbs", text);
    handler("def {{function}}(event, context):\n    raise ValueError({{py name}})\n");
    assert!(test().expect(1).stderr.contains("the function raised an error"));
    handler("def {{function}}(event, context):\n    return {\"statusCode\": 500}\n");
    assert!(test().expect(1).stderr.contains("it answered 500"));
}

#[test]
fn every_combination_renders_parses_packs_and_checks() {
    let directory = tempfile::tempdir().unwrap();
    let test = run(&mut fnscaffold(directory.path(), &["templates", "test", "--no-run"])).expect(0);
    assert_eq!(test.stdout.matches("render parse pack check").count(), 24, "{}", test.stdout);
}
