//! What `spec` writes, read by parsers that know nothing of it.
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
#[path = "common/nodes.rs"]
mod nodes;
#[path = "common/pythons.rs"]
mod pythons;
#[path = "common/readers.rs"]
mod readers;
#[path = "common/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
#[cfg(unix)]
use std::os::unix::fs::symlink as link_directory;
#[cfg(windows)]
use std::os::windows::fs::symlink_dir as link_directory;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use commands::succeed;
use fnscaffold::{fnscaffold, run};
use nodes::nodes;
use readers::{readers, serverless};

const HANDLERS: [(&str, &str); 2] = [
    ("index.js", "exports.main = async (event, context) => ({ statusCode: 200 });\n"),
    ("index.py", "def main(event, context):\n    return {'statusCode': 200}\n"),
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec").join(name)
}

/// A directory in which `my-app/` is a function, packed, with one of the manifests beside this test. What
/// is written for others stands beside it, where it is not packed.
fn function(manifest: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let app = directory.path().join("my-app");
    fs::create_dir(&app).unwrap();
    fs::copy(data(manifest), app.join("function.toml")).unwrap();
    for (name, text) in HANDLERS {
        fs::write(app.join(name), text).unwrap();
    }
    run(&mut fnscaffold(directory.path(), &["-C", "my-app", "pack", "--quiet"])).expect(0);
    directory
}

/// Standard output of `spec`, in a file of its own, and the keys that standard error says are lost.
fn written(directory: &Path, file: &str, arguments: &[&str]) -> (String, BTreeSet<String>) {
    let run = run(fnscaffold(directory, &["-C", "my-app", "spec", "--format"]).args(arguments)).expect(0);
    fs::write(directory.join(file), &run.stdout).unwrap();
    let lost = run.stderr.lines().filter(|line| line.starts_with("warning[FN0606]"));
    let lost = lost.map(|line| line.rsplit('`').nth(1).unwrap().to_owned()).collect();
    (run.stdout, lost)
}

fn environment(directory: &Path) -> Value {
    let text = fs::read_to_string(directory.join("my-app/function.toml")).unwrap();
    let manifest: Value = serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap();
    manifest["version"]["environment"].clone()
}

fn judge(arguments: &[&Path]) {
    let mut command = Command::new(readers().join("python"));
    let output = succeed(command.arg(data("judge.py")).args(arguments));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

#[test]
fn requests_pass_the_published_protos() {
    for (manifest, code) in [
        ("everything.toml", &["--content"][..]),
        ("everything.toml", &["--bucket", "code", "--object", "a/b.zip"]),
        ("small.toml", &["--content"]),
    ] {
        let function = function(manifest);
        let arguments = [&["rest", "--function-id", "d4e0123456789abcdefg"], code].concat();
        let (_, lost) = written(function.path(), "request.json", &arguments);
        assert_eq!(lost, BTreeSet::new());
        judge(&["rest".as_ref(), &function.path().join("request.json")]);
    }
}

#[test]
fn the_request_embeds_the_archive() {
    use base64::Engine;
    let function = function("small.toml");
    let (text, lost) = written(function.path(), "request.json", &["rest", "--content"]);
    assert_eq!(lost, BTreeSet::from(["functionId".to_owned()]));
    let request: Value = serde_json::from_str(&text).unwrap();
    let content = base64::engine::general_purpose::STANDARD.decode(request["content"].as_str().unwrap());
    assert_eq!(content.unwrap(), fs::read(function.path().join("my-app/dist/index-py.zip")).unwrap());
}

#[test]
fn resources_have_the_providers_arguments() {
    for manifest in ["everything.toml", "small.toml"] {
        let function = function(manifest);
        for code in [&[][..], &["--bucket", "code", "--object", "a/b.zip", "--folder-id", "b1g"]] {
            let arguments = [&["terraform"], code].concat();
            let (text, lost) = written(function.path(), "main.tf", &arguments);
            let expected: &[&str] =
                if manifest == "small.toml" { &[] } else { &["description", "named-service-accounts"] };
            assert_eq!(lost, expected.iter().map(|key| (*key).to_owned()).collect());
            let place = function.path().join("main.tf");
            judge(&["terraform".as_ref(), &place, &data("provider.json")]);
            if terraform(function.path(), &["version"], "").is_some() {
                assert!(terraform(function.path(), &["fmt", "-check", "-diff", "main.tf"], "").is_some());
                assert_eq!(evaluated(function.path(), &text), environment(function.path()));
            }
        }
    }
}

/// What terraform says, where it is installed and content.
fn terraform(directory: &Path, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new("terraform");
    command.args(arguments).current_dir(directory).env("CHECKPOINT_DISABLE", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else {
        let _ = writeln!(std::io::stderr(), "left out: no terraform here");
        return None;
    };
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    output.status.success().then_some(text)
}

/// The environment of a resource, as Terraform itself evaluates it.
fn evaluated(directory: &Path, text: &str) -> Value {
    let lines = text.lines().skip_while(|line| *line != "  environment = {").skip(1);
    let entries: Vec<_> = lines.take_while(|line| *line != "  }").map(str::trim).collect();
    if entries.is_empty() {
        return Value::Null;
    }
    let expression = format!("jsonencode({{ {} }})", entries.join(", "));
    let empty = tempfile::tempdir_in(directory).unwrap();
    let said = terraform(empty.path(), &["console"], &expression).unwrap();
    let json: String = serde_json::from_str(said.trim()).unwrap_or(said);
    serde_json::from_str(&json).unwrap()
}

#[test]
fn variables_that_a_format_has_no_use_for_give_way() {
    let function = function("small.toml");
    let spec = |variables: &[&str], arguments: &[&str]| {
        let arguments = [&["-C", "my-app", "spec", "--format"], arguments].concat();
        let variables = variables.iter().map(|name| (format!("FNSCAFFOLD_{name}"), "given"));
        run(fnscaffold(function.path(), &arguments).envs(variables))
    };
    for (variables, arguments, taken) in [
        (&["FOLDER_ID", "BUCKET"][..], &["rest"][..], false),
        (&["FUNCTION_ID", "FOLDER_ID", "BUCKET", "OBJECT"], &["serverless"], false),
        (&["OBJECT"], &["rest", "--content"], false),
        (&["BUCKET"], &["rest", "--object", "x.zip"], true),
        (&["BUCKET", "OBJECT"], &["rest"], true),
        (&["BUCKET", "OBJECT"], &["github"], true),
        (&["FOLDER_ID"], &["terraform"], true),
    ] {
        let said = spec(variables, arguments).expect(0).stdout;
        assert_eq!(said.contains("given"), taken, "{variables:?}, {arguments:?}: {said}");
    }
    spec(&[], &["rest", "--bucket", "b"]).expect(2);
    spec(&["OBJECT"], &["github", "--object", "o"]).expect(2);
}

#[test]
fn workflows_pass_the_schema_and_name_inputs_of_the_action() {
    let table: Value = serde_json::from_slice(&fs::read(data("action.json")).unwrap()).unwrap();
    for manifest in ["everything.toml", "small.toml"] {
        let function = function(manifest);
        let (steps, _) = written(function.path(), "steps.yml", &["github", "--bucket", "code"]);
        let (workflow, lost) = written(function.path(), "workflow.yml", &["github", "--workflow"]);
        assert!(lost.contains("concurrency") || manifest == "small.toml", "{lost:?}");
        let indented: String = steps.lines().map(|line| format!("      {line}\n")).collect();
        let around = "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n";
        let file = function.path().join("around.yml");
        fs::write(&file, format!("{around}{indented}")).unwrap();
        let mut check = Command::new(readers().join("check-jsonschema"));
        check.args(["--builtin-schema", "vendor.github-workflows"]);
        succeed(check.arg(function.path().join("workflow.yml")).arg(&file));
        let workflow: Value = serde_saphyr::from_str(&workflow).unwrap();
        let steps = workflow["jobs"]["deploy"]["steps"].as_array().unwrap();
        let place = |text: &str| {
            steps.iter().position(|step| step.to_string().contains(text)).unwrap_or_else(|| panic!("{text}"))
        };
        assert!(place("fnscaffold -C my-app check") < place("yc-actions/yc-sls-function@"));
        // As on a fresh checkout: .gitignore keeps dist/ out of it.
        let dist = function.path().join("my-app/dist");
        let packed = fs::read(dist.join("version.json")).unwrap();
        fs::remove_dir_all(&dist).unwrap();
        for command in steps.iter().filter_map(|step| step["run"].as_str()) {
            if let Some(arguments) = command.strip_prefix("fnscaffold ") {
                let arguments: Vec<_> = arguments.split(' ').collect();
                run(&mut fnscaffold(function.path(), &arguments)).expect(0);
            }
        }
        assert_eq!(fs::read(dist.join("version.json")).unwrap(), packed);
        let inputs = steps.last().unwrap()["with"].as_object().unwrap();
        let known = table["inputs"].as_object().unwrap();
        assert!(inputs.keys().all(|input| known.contains_key(input)), "{inputs:?}");
        let required = known.iter().filter(|(_, required)| **required == true);
        assert!(required.map(|(input, _)| input).all(|input| inputs.contains_key(input)), "{inputs:?}");
    }
}

#[cfg(unix)]
#[test]
fn commands_have_flags_that_yc_knows() {
    let table = fs::read_to_string(data("flags.txt")).unwrap();
    let known: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (flag, keys) = line.split_once('=').unwrap_or((line, ""));
            (flag, keys.split(',').filter(|key| !key.is_empty()).collect::<Vec<_>>())
        })
        .collect();
    for manifest in ["everything.toml", "small.toml"] {
        let function = function(manifest);
        let (text, lost) = written(function.path(), "deploy.sh", &["yc"]);
        // A shell reads it, and a function stands for yc.
        let script = format!("yc() {{ printf '%s\\0' \"$@\"; }}\n{text}");
        let output = succeed(Command::new("sh").arg("-c").arg(script));
        let words = String::from_utf8(output.stdout).unwrap();
        let words: Vec<_> = words.split_terminator('\0').collect();
        assert_eq!(words[..4], ["serverless", "function", "version", "create"]);
        let mut variables = serde_json::Map::new();
        let mut rest = words[4..].iter().peekable();
        while let Some(word) = rest.next() {
            let flag = word.strip_prefix("--").unwrap_or_else(|| panic!("{word}"));
            let (flag, joined) = flag.split_once('=').map_or((flag, None), |(f, v)| (f, Some(v)));
            let (_, keys) = known.iter().find(|(name, _)| *name == flag).unwrap_or_else(|| panic!("{flag}"));
            if flag == "no-logging" {
                continue;
            }
            let value = joined.unwrap_or_else(|| rest.next().unwrap());
            if !keys.is_empty() {
                let given: Vec<_> = value.split(',').map(|pair| pair.split_once('=').unwrap().0).collect();
                assert!(given.iter().all(|key| keys.contains(key)), "{value}");
            }
            if flag == "environment" {
                let (name, value) = value.split_once('=').unwrap();
                variables.insert(name.to_owned(), value.into());
            }
        }
        let mut expected = environment(function.path());
        if let Some(expected) = expected.as_object_mut() {
            expected.retain(|name, _| !lost.contains(&format!("environment.{name}")));
            assert_eq!(Value::Object(variables), Value::Object(expected.clone()));
        }
    }
}

#[test]
fn serverless_prints_the_service() {
    let function = function("everything.toml");
    let (_, lost) = written(function.path(), "serverless.yml", &["serverless"]);
    let modules = serverless();
    link_directory(&modules, function.path().join("node_modules")).unwrap();
    let node =
        nodes().into_iter().find(|node| node.runtime == "nodejs22").expect("Serverless needs a Node.js");
    let mut print = Command::new(node.program);
    print.arg(modules.join("serverless/bin/serverless.js")).args(["print", "--format", "json"]);
    print.current_dir(function.path()).env("HOME", function.path()).env("SLS_TELEMETRY_DISABLED", "1");
    for name in ["YC_IAM_TOKEN", "YC_CLOUD_ID", "YC_FOLDER_ID"] {
        print.env(name, "none");
    }
    let output = succeed(&mut print);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Invalid configuration"), "{said}");
    let service: Value = serde_json::from_slice(&output.stdout).unwrap();
    let printed = &service["functions"]["my-app"];
    assert_eq!(service["provider"]["runtime"], "nodejs16");
    assert_eq!(service["package"]["artifact"], "my-app/dist/index-js.zip");
    assert_eq!((&printed["handler"], &printed["memorySize"]), (&"index.main".into(), &1024.into()));
    assert_eq!(printed["timeout"], "9");
    let mut expected = environment(function.path());
    let expected = expected.as_object_mut().unwrap();
    expected.retain(|name, _| !lost.contains(&format!("environment.{name}")));
    assert_eq!(printed["environment"], Value::Object(expected.clone()));
    for key in ["tags", "secrets", "mounts", "service-account-id", "network-id"] {
        assert!(lost.contains(key), "{key}");
    }
}

#[test]
fn a_stale_archive_is_what_check_says() {
    let function = function("small.toml");
    let app = function.path().join("my-app");
    fs::write(app.join("index.py"), "def main(event, context):\n    return 'new'\n").unwrap();
    let refused = run(&mut fnscaffold(&app, &["spec", "--format", "rest"])).expect(1);
    assert!(refused.stderr.starts_with("error[FN0602]"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
    fs::remove_dir_all(app.join("dist")).unwrap();
    let refused = run(&mut fnscaffold(&app, &["spec", "--format", "yc", "--json"])).expect(1);
    let document: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(document["error"]["code"], "FN0601");
}

#[test]
fn what_is_imported_is_written_where_it_was_said_or_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let [request, own] = ["request.json", "function.toml"].map(|name| directory.path().join(name));
    fs::write(&request, r#"{"runtime":"nodejs22","entrypoint":"index.main"}"#).unwrap();
    fs::write(&own, "precious").unwrap();
    fs::create_dir(directory.path().join("below")).unwrap();
    for place in ["below", "below/..", "."] {
        let import = ["spec", "import", "request.json", "--force", "-o", place];
        let refused = run(&mut fnscaffold(directory.path(), &import)).expect(4);
        assert!(refused.stderr.contains("is a directory"), "{place}: {}", refused.stderr);
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let place = std::ffi::OsStr::from_bytes(b"\xff.toml");
        let import = ["spec", "import", "request.json", "-o"];
        run(fnscaffold(directory.path(), &import).arg(place)).expect(0);
        assert!(directory.path().join(place).exists());
    }
    assert_eq!(fs::read(&own).unwrap(), b"precious");
}

#[test]
fn version_json_says_what_the_manifest_says() {
    let function = function("everything.toml");
    let version = "my-app/dist/version.json";
    run(&mut fnscaffold(function.path(), &["spec", "diff", "my-app", version])).expect(0);
    let imported = run(&mut fnscaffold(function.path(), &["spec", "import", version])).expect(0);
    let name = fs::read_to_string(data("everything.toml")).unwrap();
    let name = name.lines().find(|line| line.starts_with("name")).unwrap();
    assert!(imported.stdout.lines().any(|line| line.starts_with(name)), "{}", imported.stdout);
    assert!(!imported.stderr.contains("FN0606"), "{}", imported.stderr);
}

#[test]
fn what_is_imported_says_the_same() {
    let function = function("everything.toml");
    for (file, arguments) in [
        ("request.json", &["rest", "--function-id", "d4e0123456789abcdefg"][..]),
        ("main.tf", &["terraform"]),
        ("serverless.yml", &["serverless"]),
    ] {
        let (_, lost) = written(function.path(), file, arguments);
        let import = ["spec", "import", file, "-o", "imported/function.toml"];
        run(&mut fnscaffold(function.path(), &import)).expect(0);
        let diff = ["spec", "diff", "imported", file, "--format", "json"];
        run(&mut fnscaffold(function.path(), &diff)).expect(0);
        let compared = run(&mut fnscaffold(function.path(), &["spec", "diff", "my-app", file, "--json"]));
        let compared: Value = serde_json::from_str(&compared.stdout).unwrap();
        for difference in compared["differences"].as_array().unwrap() {
            let key = difference["key"].as_str().unwrap();
            assert!(lost.iter().any(|lost| key.starts_with(lost.as_str())), "{file}: {key}, {lost:?}");
        }
        run(&mut fnscaffold(function.path(), &import)).expect(4);
        run(fnscaffold(function.path(), &import).arg("--force")).expect(0);
        fs::remove_dir_all(function.path().join("imported")).unwrap();
    }
}
