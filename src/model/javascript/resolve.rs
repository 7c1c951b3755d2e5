//! A specifier in, the archive's file that Node.js would load for it out.

use serde_json::Value as Json;

use crate::model::sources::Sources;

/// What the text between the quotes of an import asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A path in the archive; nothing when it leads out of it.
    File(Option<String>),
    /// A package by its name, with or without a path in it. Node.js's own modules look the same.
    Package(String),
    /// `node:` and what follows.
    Builtin(String),
    /// Absolute paths, URLs and package-internal names: nothing is said about them.
    Other,
}

impl Request {
    /// What `specifier` asks for in the file `from`.
    pub fn of(specifier: &str, from: &str) -> Self {
        if matches!(specifier, "." | "..") || specifier.starts_with("./") || specifier.starts_with("../") {
            return Self::File(join(directory(from), specifier));
        }
        if let Some(name) = specifier.strip_prefix("node:") {
            return Self::Builtin(name.to_owned());
        }
        if specifier.is_empty() || specifier.starts_with(['/', '#', '.']) || specifier.contains([':', '\\']) {
            return Self::Other;
        }
        let parts = if specifier.starts_with('@') { 2 } else { 1 };
        let name: Vec<&str> = specifier.split('/').take(parts).collect();
        if name.len() < parts || name.contains(&"") { Self::Other } else { Self::Package(name.join("/")) }
    }
}

/// The directory of a file, without a slash; empty for the archive's root.
pub fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// `directory/path` with `.` and `..` resolved; nothing when that leaves the archive.
pub fn join(directory: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    // A slash at the end says that a directory is meant.
    let slash = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    Some(parts.join("/") + slash)
}

/// What `require` loads for a path: the file itself, with an extension, or the directory's.
pub fn require(sources: &dyn Sources, path: &str) -> Option<String> {
    as_file(sources, path).or_else(|| as_directory(sources, path.trim_end_matches('/')))
}

fn as_file(sources: &dyn Sources, path: &str) -> Option<String> {
    if path.is_empty() || path.ends_with('/') {
        return None;
    }
    let candidates = ["", ".js", ".json", ".node"];
    candidates.iter().map(|extension| format!("{path}{extension}")).find(|name| sources.has(name))
}

fn as_directory(sources: &dyn Sources, path: &str) -> Option<String> {
    let main = package(sources, path).and_then(|package| Some(package.get("main")?.as_str()?.to_owned()));
    let from_main = main.and_then(|main| join(path, &main)).and_then(|main| {
        as_file(sources, &main).or_else(|| as_file(sources, &below(main.trim_end_matches('/'), "index")))
    });
    from_main.or_else(|| as_file(sources, &below(path, "index")))
}

fn below(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// A directory's package.json, if it is there and parses.
pub fn package(sources: &dyn Sources, directory: &str) -> Option<Json> {
    let bytes = sources.read_list(&below(directory, "package.json"))?;
    serde_json::from_slice(strip_mark(&bytes)).ok()
}

/// Without the byte order mark, which Node.js and npm skip.
pub fn strip_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// `type` in the package.json nearest to a file, and that file's name.
pub fn package_type(sources: &dyn Sources, path: &str) -> Option<(String, String)> {
    let mut at = directory(path);
    loop {
        let name = below(at, "package.json");
        if sources.has(&name) {
            let package = package(sources, at)?;
            return Some((package.get("type")?.as_str()?.to_owned(), name));
        }
        if at.is_empty() || at.ends_with("node_modules") {
            return None;
        }
        at = directory(at);
    }
}

/// The directory of a package that is vendored where the file `from` would look for it.
pub fn vendored(sources: &dyn Sources, package: &str, from: &str) -> Option<String> {
    let mut at = directory(from);
    loop {
        let candidate = below(at, &format!("node_modules/{package}"));
        let is_file = || sources.has(&format!("{candidate}.js"));
        if sources.has_directory(&candidate) || is_file() {
            return Some(candidate);
        }
        if at.is_empty() {
            return None;
        }
        at = directory(at);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn specifiers_ask_for_files_packages_and_builtins() {
        let file = |path: &str| Request::File(Some(path.to_owned()));
        for (specifier, from, expected) in [
            ("./a", "index.js", file("a")),
            ("../a.js", "src/b/index.js", file("src/a.js")),
            ("..", "src/index.js", file("")),
            ("./lib/", "index.js", file("lib/")),
            ("../a", "index.js", Request::File(None)),
            ("node:fs/promises", "index.js", Request::Builtin("fs/promises".to_owned())),
            ("lodash/get", "index.js", Request::Package("lodash".to_owned())),
            ("@aws-sdk/client-s3", "a/b.js", Request::Package("@aws-sdk/client-s3".to_owned())),
            ("@scope", "index.js", Request::Other),
            ("/etc/x", "index.js", Request::Other),
            ("#internal", "index.js", Request::Other),
            ("https://x/y.js", "index.js", Request::Other),
            ("", "index.js", Request::Other),
        ] {
            assert_eq!(Request::of(specifier, from), expected, "{specifier} in {from}");
        }
    }

    #[test]
    fn require_takes_the_file_then_the_directory() {
        let files = [
            ("a.js", ""),
            ("a/index.js", ""),
            ("b/package.json", r#"{"main": "lib"}"#),
            ("b/lib/index.js", ""),
            ("c/package.json", r#"{"main": "gone.js"}"#),
            ("c/index.js", ""),
            ("d.json", "{}"),
            ("e.mjs", ""),
            ("package.json", r#"{"main": "./b/lib/index.js"}"#),
        ];
        let sources: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        for (path, expected) in [
            ("a", Some("a.js")),
            ("a/", Some("a/index.js")),
            ("b", Some("b/lib/index.js")),
            ("c", Some("c/index.js")),
            ("d", Some("d.json")),
            ("e", None),
            ("", Some("b/lib/index.js")),
        ] {
            assert_eq!(require(&sources, path).as_deref(), expected, "{path}");
        }
    }
}
