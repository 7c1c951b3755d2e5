//! Packed files in, those that a function seldom needs out, by what they are.

use std::collections::BTreeSet;

use serde_json::Value;

use super::owner::{Owners, npm_package};
use super::{Entry, Hint, Weight, elf, text};
use crate::model::archive::Content;
use crate::model::vendor::in_node_modules;

/// A hint is given for what takes at least one part in so many of the archive.
const WORTH_A_HINT: u64 = 200;

struct Debris {
    name: &'static str,
    fix: &'static str,
    is: fn(&Packed<'_>) -> bool,
}

/// A file, and what is known of it.
struct Packed<'a> {
    path: &'a str,
    /// Below a package that was installed, not written.
    is_installed: bool,
    is_for_development: bool,
    is_installed_anew: bool,
}

/// The first that fits a file counts it.
const DEBRIS: &[Debris] = &[
    // `npm ci` removes a node_modules that is there.
    Debris {
        name: "packages beside a lock file",
        fix: "add `/node_modules/` to exclude in [package]: the platform runs `npm ci`, which installs them anew",
        is: |file| file.is_installed_anew,
    },
    Debris {
        name: "development dependencies",
        fix: "run `npm prune --omit=dev` before packing, or install with `npm ci --omit=dev`",
        is: |file| file.is_for_development,
    },
    Debris {
        name: "compiled Python",
        fix: "take `!*.pyc` and `!__pycache__` out of the patterns: the files of another interpreter are of no use",
        is: |file| file.ends_with(&[".pyc", ".pyo"]),
    },
    Debris {
        name: "source maps",
        fix: "add `*.map` to exclude in [package]; stack traces then show the built code",
        is: |file| file.ends_with(&[".js.map", ".cjs.map", ".mjs.map", ".ts.map", ".css.map"]),
    },
    Debris {
        name: "type declarations",
        fix: "add `*.d.ts`, `*.d.mts`, `*.d.cts`, `*.pyi` to exclude in [package]; only compilers and editors read them",
        is: |file| file.is_installed && file.ends_with(&[".d.ts", ".d.mts", ".d.cts", ".pyi"]),
    },
    Debris {
        name: "tests in packages",
        fix: "exclude those directories by their full paths in [package], then run `fnscaffold check --load`",
        is: |file| file.is_below(&["test", "tests", "__tests__", "spec"]),
    },
    Debris {
        name: "documentation in packages",
        fix: "add `node_modules/**/*.md` and the like to exclude in [package]; licences ask to be kept",
        is: |file| {
            file.is_below(&["doc", "docs", "example", "examples"])
                || (file.is_installed && file.ends_with(&[".md", ".markdown", ".rst"]))
        },
    },
];

impl Packed<'_> {
    fn ends_with(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.path.ends_with(ending))
    }

    /// Whether it lies in a directory of such a name inside of its package.
    fn is_below(&self, names: &[&str]) -> bool {
        let own = npm_package(self.path).map_or(0, |package| package.len() + 1);
        let directories = self.path[own..].rsplit('/').skip(1);
        self.is_installed && directories.into_iter().any(|directory| names.contains(&directory))
    }
}

pub fn find<C: Content>(files: &[C], entries: &[Entry], owners: &Owners, archive: u64) -> Vec<Hint> {
    let development = Development::of(files);
    let has = |path: &str| files.binary_search_by(|file| file.path().cmp(path)).is_ok();
    let has_lock = has("package.json") && has("package-lock.json");
    let mut hints: Vec<Hint> = DEBRIS.iter().map(|debris| hint(debris.name, debris.fix)).collect();
    let mut symbols = hint(
        "symbols and debugging information",
        "run `strip --strip-unneeded` on the compiled files, as far as their licences and signatures allow",
    );
    for (file, entry) in files.iter().zip(entries) {
        let path = entry.path.as_str();
        let packed = Packed {
            path,
            is_installed: owners.is_installed(path),
            is_for_development: development.has(path),
            is_installed_anew: has_lock && in_node_modules(path),
        };
        if let Some(first) = DEBRIS.iter().position(|debris| (debris.is)(&packed)) {
            count(&mut hints[first], entry.weight);
        } else if is_library(path)
            && let Some(bytes) = file.open().ok().and_then(|mut reader| elf::strippable(&mut reader))
        {
            let size = bytes.min(entry.weight.size);
            // As if they were as hard to compress as the rest.
            let compressed =
                u128::from(entry.weight.compressed) * u128::from(size) / u128::from(entry.weight.size.max(1));
            count(&mut symbols, Weight { size, compressed: u64::try_from(compressed).unwrap_or(u64::MAX) });
        }
    }
    hints.push(symbols);
    hints.retain(|hint| hint.weight.compressed.saturating_mul(WORTH_A_HINT) > archive);
    hints.sort_by_key(|hint| std::cmp::Reverse(hint.weight.compressed));
    hints
}

const fn hint(name: &'static str, fix: &'static str) -> Hint {
    Hint { name, files: 0, weight: Weight { size: 0, compressed: 0 }, fix }
}

const fn count(hint: &mut Hint, weight: Weight) {
    hint.files += 1;
    hint.weight.add(weight);
}

/// `a.so`, `libb.so.1.2`, `c.node`.
fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.ends_with(".node") || name.contains(".so.")
}

/// The directories of npm packages that only development needs.
struct Development(BTreeSet<String>);

impl Development {
    /// A lock file knows them all; package.json only those that it names itself.
    fn of<C: Content>(files: &[C]) -> Self {
        let read = |path: &str| -> Option<Value> {
            let index = files.binary_search_by(|file| file.path().cmp(path)).ok()?;
            serde_json::from_str(&text(&files[index])?).ok()
        };
        let locked = ["package-lock.json", "npm-shrinkwrap.json", "node_modules/.package-lock.json"];
        let lock = locked.into_iter().find_map(|path| read(path)?.get("packages")?.as_object().cloned());
        if let Some(packages) = lock {
            let is_dev = |package: &Value| package.get("dev").and_then(Value::as_bool) == Some(true);
            return Self(
                packages.into_iter().filter(|(_, package)| is_dev(package)).map(|(path, _)| path).collect(),
            );
        }
        let own = read("package.json");
        let named = own.as_ref().and_then(|package| package.get("devDependencies")?.as_object());
        Self(named.into_iter().flatten().map(|(name, _)| format!("node_modules/{name}")).collect())
    }

    fn has(&self, path: &str) -> bool {
        let mut rest = path;
        while let Some(directory) = npm_package(rest) {
            if self.0.contains(directory) {
                return true;
            }
            // The package around it.
            rest = &directory[..directory.rfind("node_modules/").unwrap_or(0)];
        }
        false
    }
}
