//! Packed files in, what each belongs to out: an npm package, a Python distribution or a directory.

use std::collections::BTreeMap;

use serde::Serialize;

use super::text;
use crate::model::archive::Content;

/// What a group of files is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Package,
    Directory,
    File,
}

/// Which files belong to which Python distribution, by its own list. `pip install --target` leaves one
/// beside each.
#[derive(Debug, Default)]
pub struct Owners(BTreeMap<String, String>);

impl Owners {
    pub fn of<C: Content>(files: &[C]) -> Self {
        let mut owners = BTreeMap::new();
        for file in files {
            let Some((base, label)) = file.path().strip_suffix(".dist-info/RECORD").map(split) else {
                continue;
            };
            let Some(record) = text(file) else { continue };
            let distribution = format!("{base}{}", label.replacen('-', " ", 1));
            for line in record.lines() {
                if let Some(path) = recorded_path(line) {
                    owners.insert(format!("{base}{path}"), distribution.clone());
                }
            }
        }
        Self(owners)
    }

    pub fn of_file(&self, path: &str) -> (Kind, String) {
        if let Some(directory) = npm_package(path) {
            return (Kind::Package, directory.to_owned());
        }
        if let Some(distribution) = self.0.get(path) {
            return (Kind::Package, distribution.clone());
        }
        match path.split_once('/') {
            Some((top, _)) => (Kind::Directory, format!("{top}/")),
            None => (Kind::File, path.to_owned()),
        }
    }

    pub fn is_installed(&self, path: &str) -> bool {
        npm_package(path).is_some() || self.0.contains_key(path)
    }
}

/// The directory of the innermost npm package that a file is in: `node_modules/a/node_modules/@b/c`.
pub fn npm_package(path: &str) -> Option<&str> {
    const HOME: &str = "node_modules/";
    let home =
        path.rmatch_indices(HOME).map(|(at, _)| at).find(|at| *at == 0 || path.as_bytes()[at - 1] == b'/')?;
    let inner = &path[home + HOME.len()..];
    let mut slashes = inner.match_indices('/').map(|(at, _)| at);
    let end = if inner.starts_with('@') { slashes.nth(1) } else { slashes.next() };
    end.map(|end| &path[..home + HOME.len() + end])
}

/// The directory with its slash, and the name.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |slash| slash + 1))
}

/// The first field of a line of RECORD, which is CSV: quoted where it holds a comma or a quote.
fn recorded_path(line: &str) -> Option<String> {
    match line.strip_prefix('"') {
        None => line.split(',').next().filter(|path| !path.is_empty()).map(str::to_owned),
        Some(quoted) => {
            let mut path = String::new();
            let mut characters = quoted.chars().peekable();
            while let Some(character) = characters.next() {
                if character == '"' && characters.next_if_eq(&'"').is_none() {
                    return Some(path);
                }
                path.push(character);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_package_owns_a_file() {
        for (path, package) in [
            ("node_modules/a/index.js", Some("node_modules/a")),
            ("node_modules/@s/a/lib/index.js", Some("node_modules/@s/a")),
            ("node_modules/a/node_modules/b/x", Some("node_modules/a/node_modules/b")),
            ("layer/node_modules/a/x", Some("layer/node_modules/a")),
            ("node_modules/.bin/tsc", Some("node_modules/.bin")),
            ("my_node_modules/a/x", None),
            ("node_modules/.package-lock.json", None),
            ("node_modules/@s/stray", None),
            ("node_modules", None),
            ("index.js", None),
        ] {
            assert_eq!(npm_package(path), package, "{path}");
        }
    }

    #[test]
    fn a_record_is_read_as_the_csv_it_is() {
        for (line, path) in [
            ("numpy/__init__.py,sha256=abc,12", Some("numpy/__init__.py")),
            ("\"odd, \"\"name\"\".py\",sha256=abc,12", Some("odd, \"name\".py")),
            ("\"never ends", None),
            ("", None),
        ] {
            assert_eq!(recorded_path(line).as_deref(), path);
        }
    }
}
