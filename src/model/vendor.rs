//! Dependencies that are packed instead of being installed by the platform: which of the function's own
//! files give way to them, and which entries of an archive they are.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::runtime::Lang;
use crate::model::sources::Sources;

pub const NODE_MODULES: &str = "node_modules";

pub fn in_node_modules(path: &str) -> bool {
    path.strip_prefix(NODE_MODULES).is_some_and(|rest| rest.starts_with('/'))
}

/// Keys of package.json that Node.js itself reads.
const READ_BY_NODE: [&str; 4] = ["type", "main", "exports", "imports"];

/// Whether one of the function's own files is left out beside vendored packages: packages of its own, and
/// what would make the platform install them again. Its `npm ci` removes a node_modules that is there, so
/// a package.json is kept only where Node.js needs it, and then without a lock file: `npm install` keeps
/// what satisfies it. Source: cloudapi documentation, functions/lang/nodejs/dependencies, and the build
/// script of the runtime (platform.md 4.5).
pub fn gives_way(path: &str, sources: &dyn Sources, lang: Lang) -> bool {
    match lang {
        Lang::Python => path == "requirements.txt",
        Lang::Nodejs => match path {
            "package-lock.json" | "npm-shrinkwrap.json" => true,
            "package.json" => !node_reads(&sources.read_list(path).unwrap_or_default()),
            _ => in_node_modules(path),
        },
    }
}

fn node_reads(package: &[u8]) -> bool {
    match serde_json::from_slice::<Value>(package) {
        Ok(package) => READ_BY_NODE.iter().any(|key| package.get(*key).is_some()),
        // What is wrong with it is told by `check`.
        Err(_) => true,
    }
}

/// The first parts of the names of an archive's entries that a package manager installed.
pub fn packages(archive: &dyn Sources, lang: Lang) -> BTreeSet<String> {
    match lang {
        Lang::Nodejs if archive.has_directory(NODE_MODULES) => BTreeSet::from([NODE_MODULES.to_owned()]),
        Lang::Nodejs => BTreeSet::new(),
        Lang::Python => {
            let records = archive.names().into_iter().filter(|name| {
                name.strip_suffix(".dist-info/RECORD").is_some_and(|distribution| !distribution.contains('/'))
            });
            let mut packages = BTreeSet::new();
            for text in records.filter_map(|name| archive.read_list(name)) {
                // Each line is a path, its hash and its size (PEP 376); a path with a comma is quoted.
                for line in String::from_utf8_lossy(&text).lines() {
                    let path = match line.strip_prefix('"') {
                        Some(quoted) => quoted.split('"').next(),
                        None => line.split(',').next(),
                    };
                    packages.extend(path.filter(|path| archive.has(path)).map(first_part).map(str::to_owned));
                }
            }
            packages
        }
    }
}

/// `node_modules` of `node_modules/a/index.js`.
pub fn first_part(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn package_json_stays_where_node_reads_it() {
        for (package, gives) in [
            (r#"{"name":"a","dependencies":{"x":"1"}}"#, true),
            (r#"{"type":"module","dependencies":{"x":"1"}}"#, false),
            (r#"{"main":"lib.js"}"#, false),
            ("{", false),
        ] {
            let sources = files(&[("package.json", package)]);
            assert_eq!(gives_way("package.json", &sources, Lang::Nodejs), gives, "{package}");
        }
        let sources = files(&[]);
        assert!(gives_way("package-lock.json", &sources, Lang::Nodejs));
        assert!(gives_way("node_modules/a/index.js", &sources, Lang::Nodejs));
        assert!(!gives_way("index.js", &sources, Lang::Nodejs));
        assert!(gives_way("requirements.txt", &sources, Lang::Python));
        assert!(!gives_way("lib/requirements.txt", &sources, Lang::Python));
    }

    #[test]
    fn packages_are_told_by_their_records() {
        let archive = files(&[
            ("index.py", ""),
            ("requests/__init__.py", ""),
            ("six, py", ""),
            (
                "requests-2.0.dist-info/RECORD",
                "../../bin/x,,\nrequests/__init__.py,sha256=x,1\n\"six, py\",,\nrequests-2.0.dist-info/RECORD,,\n",
            ),
            ("own/other.dist-info/RECORD", "index.py,,\n"),
        ]);
        let packages = packages(&archive, Lang::Python);
        assert_eq!(
            packages.into_iter().collect::<Vec<_>>(),
            ["requests", "requests-2.0.dist-info", "six, py"]
        );
    }
}
