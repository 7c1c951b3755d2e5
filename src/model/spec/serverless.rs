//! serverless.yml for the Serverless Framework 3 with @yandex-cloud/serverless-plugin, out and in (the
//! plugin's src/extend-config-schema.ts and src/provider/provider.ts).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::finding::Result;
use crate::model::manifest::Version;
use crate::model::options::Secret;
use crate::model::request::Request;
use crate::model::settings::{parse_memory, parse_timeout};
use crate::model::spec::fields::Fields;
use crate::model::spec::{
    Code, Loss, MEGABYTES, Reading, Subject, Written, lost, parse_yaml, size, unreadable,
};

/// What the plugin does not send.
const NO_PLACE: &str = "the plugin does not send it";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Service<'a> {
    service: &'a str,
    framework_version: &'a str,
    provider: Provider<'a>,
    plugins: [&'a str; 1],
    package: Package,
    functions: BTreeMap<&'a str, Function<'a>>,
}

#[derive(Serialize)]
struct Provider<'a> {
    name: &'a str,
    runtime: &'a str,
}

#[derive(Serialize)]
struct Package {
    artifact: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    name: &'a str,
    handler: String,
    memory_size: u64,
    /// Seconds; the plugin's schema wants a text.
    timeout: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<&'a str, String>,
}

/// # Errors
/// A value that is beyond the platform's limits.
pub fn write(subject: &Subject<'_>) -> Result<Written> {
    let version = subject.version();
    Request::of(version)?;
    let name = subject.manifest.name.as_str();
    let mut losses = Vec::new();
    let mut environment = BTreeMap::new();
    for (variable, value) in &version.environment {
        match escaped(value) {
            Some(value) => drop(environment.insert(variable.as_str(), value)),
            None => losses.push(Loss::new(
                format!("environment.{variable}"),
                "Serverless would take a part of it for a variable, and has no way to say that it is none",
            )),
        }
    }
    let function = Function {
        name,
        handler: version.entrypoint.clone(),
        memory_size: parse_memory(&version.memory)? >> 20,
        timeout: parse_timeout(&version.timeout)?.to_string(),
        environment,
    };
    let service = Service {
        service: name,
        framework_version: "3",
        provider: Provider { name: "yandex-cloud", runtime: &version.runtime },
        plugins: ["@yandex-cloud/serverless-plugin"],
        package: Package { artifact: subject.archive_path() },
        functions: BTreeMap::from([(name, function)]),
    };
    let text = serde_saphyr::to_string(&service).expect("texts and numbers always serialise");
    let mut why = BTreeMap::from([
        (
            "service-account-id",
            "the plugin knows service accounts by names that serverless.yml declares: add `account`",
        ),
        (
            "secrets",
            "the plugin does not send them; its `${lockbox:ID/KEY}` would copy the values into the environment, in \
             plain text",
        ),
    ]);
    for key in [
        "description",
        "concurrency",
        "network-id",
        "tmpfs-size",
        "named-service-accounts",
        "mounts",
        "log-options",
        "async-invocation",
        "metadata-options",
        "tags",
    ] {
        why.insert(key, NO_PLACE);
    }
    losses.extend(lost(version, &why));
    Ok(Written { text, losses })
}

/// A text in which Serverless finds no variable: `${` after a backslash is none, and backslashes before
/// it are then doubled. After a dollar sign it overlooks the backslash, so there is no such text.
fn escaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive("${") {
        if let Some(before) = part.strip_suffix("${") {
            let bare = before.trim_end_matches('\\');
            if bare.ends_with('$') {
                return None;
            }
            out.push_str(before);
            out.push_str(&"\\".repeat(before.len() - bare.len() + 1));
            out.push_str("${");
        } else {
            out.push_str(part);
        }
    }
    Some(out)
}

/// The text that an escaped one stands for; nothing where it has a variable.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive("${") {
        let Some(before) = part.strip_suffix("${") else {
            out.push_str(part);
            continue;
        };
        let bare = before.trim_end_matches('\\');
        let slashes = before.len() - bare.len();
        if slashes.is_multiple_of(2) || bare.ends_with('$') {
            return None;
        }
        out.push_str(bare);
        out.push_str(&"\\".repeat(slashes / 2));
        out.push_str("${");
    }
    Some(out)
}

/// # Errors
/// [`crate::model::finding::SPEC_UNREADABLE`].
pub fn read(text: &str) -> Result<Vec<Reading>> {
    let value = parse_yaml(text)?;
    let Value::Object(map) = value else { return Err(unreadable("it is not a YAML mapping")) };
    let mut service = Fields::new(map);
    if !service.has("functions") {
        return Err(unreadable("it has no `functions`").why("it should be a serverless.yml"));
    }
    let name = plain(&mut service, "service").unwrap_or_default();
    for ours in ["frameworkVersion", "plugins"] {
        service.take(ours);
    }
    service.object("package", read_package);
    let mut defaults = Map::new();
    let mut stage = "dev".to_owned();
    service.object("provider", |provider| {
        provider.take("name");
        if let Some(given) = plain(provider, "stage") {
            stage = given;
        }
        for key in ["runtime", "memorySize", "timeout", "environment"] {
            if let Some(value) = provider.take(key) {
                defaults.insert(key.to_owned(), value);
            }
        }
    });
    let mut readings = Vec::new();
    service.object("functions", |functions| {
        for key in functions.names() {
            let own_name = format!("{name}-{stage}-{key}");
            let read = |function: &mut Fields| read_function(function, own_name, &defaults);
            readings.extend(functions.object(&key, read).map(|reading| (key, reading)));
        }
    });
    let losses = service.finish();
    // A function has its own losses and those of the service around it.
    for (key, reading) in &mut readings {
        let own = format!("functions.{key}.");
        let concerns = |loss: &&Loss| loss.key.starts_with(&own) || !loss.key.starts_with("functions.");
        reading.label = Some(key.clone());
        reading.losses = losses.iter().filter(concerns).cloned().collect();
    }
    Ok(readings.into_iter().map(|(_, reading)| reading).collect())
}

/// `own_name` is the name that Serverless gives a function without one.
fn read_function(function: &mut Fields, own_name: String, defaults: &Map<String, Value>) -> Reading {
    for (name, value) in defaults {
        // The plugin sends the provider's runtime, whatever the function says.
        if name == "runtime" || !function.has(name) && name != "environment" {
            function.put(name, value.clone());
        }
    }
    if let Some(Value::Object(all)) = defaults.get("environment") {
        function.put_into("environment", all);
    }
    let name = plain(function, "name").unwrap_or(own_name);
    let runtime = plain(function, "runtime").unwrap_or_default();
    let mut version = Version::new(runtime, plain(function, "handler").unwrap_or_default());
    if let Some(megabytes) = function.unsigned("memorySize") {
        match megabytes.checked_mul(1 << 20).and_then(|bytes| size(bytes, MEGABYTES)) {
            Some(memory) => version.memory = memory,
            None => function.lose("memorySize", "it is too large", megabytes.into()),
        }
    }
    if let Some(seconds) = function.unsigned("timeout") {
        version.timeout = format!("{seconds}s");
    }
    for (name, value) in function.map("environment") {
        if let Some(plain) = unescaped(&value) {
            version.environment.insert(name, plain);
        } else if let Some(secret) = lockbox(&name, &value) {
            version.secrets.push(secret);
        } else {
            function.lose(&format!("environment.{name}"), "it is a variable of Serverless", json!(value));
        }
    }
    function.object("package", read_package);
    Reading { name: Some(name), label: None, version, code: Code::default(), losses: Vec::new() }
}

/// Patterns leave out and take in by turns, which `include` and `exclude` cannot say.
fn read_package(package: &mut Fields) {
    package.take("artifact");
    for key in ["patterns", "include", "exclude"] {
        if let Some(patterns) = package.take(key) {
            package.lose(key, "what is packed is said by `include` and `exclude` under [package]", patterns);
        }
    }
}

/// A text without variables.
fn plain(fields: &mut Fields, key: &str) -> Option<String> {
    let text = fields.text(key)?;
    let plain = unescaped(&text);
    if plain.is_none() {
        fields.lose(key, "it has a variable of Serverless", json!(text));
    }
    plain
}

/// `${lockbox:ID/KEY}`, which is a secret in function.toml.
fn lockbox(variable: &str, value: &str) -> Option<Secret> {
    let address = value.trim().strip_prefix("${lockbox:")?.strip_suffix('}')?;
    let (id, key) = address.split_once('/')?;
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['$', '{', '}', '/', ',', ' ']);
    (is_plain(id) && is_plain(key)).then(|| Secret {
        id: id.to_owned(),
        version_id: None,
        key: key.to_owned(),
        environment_variable: variable.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::spec::tests::{same_but, subject_text, written};
    use crate::model::spec::{Choices, Consumer, choose};

    proptest! {
        #[test]
        fn a_service_survives_the_round_trip(version in arbitrary::valid_version()) {
            let choices = Choices::default();
            let first = written(Consumer::Serverless, &version, &choices);
            let readings = read(&first.text).unwrap();
            prop_assert_eq!(readings.len(), 1);
            prop_assert_eq!(&readings[0].losses, &vec![]);
            same_but(&first.losses, &version, &readings[0].version);
            prop_assert_eq!(readings[0].name.as_deref(), Some("my-app"));
            for (name, value) in &version.environment {
                let is_lost = first.losses.iter().any(|loss| loss.key == format!("environment.{name}"));
                prop_assert_eq!(readings[0].version.environment.get(name), Some(value).filter(|_| !is_lost));
            }
            let second = subject_text(Consumer::Serverless, &readings[0].version, &choices);
            prop_assert_eq!(&second, &first.text);
        }

        #[test]
        fn no_yaml_panics(text in "functions:\\PC*") {
            let _ = read(&text);
        }
    }

    #[test]
    fn variables_are_not_taken_for_texts() {
        let readings = read(
            "service: s\nprovider:\n  name: yandex-cloud\n  runtime: nodejs16\n  stage: prod\n  memorySize: 256\n\
             package:\n  patterns: ['!**', 'dist/**']\nfunctions:\n  a:\n    handler: i.m\n    runtime: nodejs18\n    timeout: '9'\n    account: sa\n    \
             environment:\n      P: ${lockbox:abc/key}\n      Q: ${env:Q}\n      R: '\\${x}'\n    events: []\n  b:\n    \
             handler: i.n\n",
        )
        .unwrap();
        assert_eq!(readings.len(), 2);
        let version = &readings[0].version;
        assert_eq!(version.runtime, "nodejs16");
        assert_eq!((version.memory.as_str(), version.timeout.as_str()), ("256MB", "9s"));
        assert_eq!(version.secrets[0].key, "key");
        assert_eq!(version.environment, BTreeMap::from([("R".to_owned(), "${x}".to_owned())]));
        let keys: Vec<_> = readings[0].losses.iter().map(|loss| loss.key.as_str()).collect();
        assert_eq!(
            keys,
            ["package.patterns", "functions.a.environment.Q", "functions.a.account", "functions.a.events"]
        );
        assert_eq!(readings[1].losses.len(), 1);
        assert!(readings[1].losses[0].why.contains("`include`"));
        assert_eq!(readings[1].name.as_deref(), Some("s-prod-b"));
        assert_eq!(choose("s.yml", readings.clone(), Some("b")).unwrap(), readings[1]);
        assert_eq!(choose("s.yml", readings.clone(), Some("s-prod-b")).unwrap(), readings[1]);
    }
}
