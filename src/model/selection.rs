//! Which files are packed: include, exclude, .fnignore and our own defaults in, a verdict on each path
//! out. One matcher serves preview, pack and check.

use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::finding::{self, Result};
use crate::model::manifest::{self, Package};
use crate::model::package::DIST_FILES;

pub const IGNORE_FILE: &str = ".fnignore";

/// Begins the name of everything that stands beside a person's files only while a verb is at work.
pub const OURS: &str = ".fnscaffold-";

/// Names that are left out unless a pattern of the user's brings them back with `!`.
const LEFT_OUT: &[Name] = &[
    at_root("dist").directory(),
    // What editors, version control and systems leave behind.
    begins(".git"),
    is(".hg").directory(),
    is(".svn").directory(),
    is(".idea").directory(),
    is(".vscode").directory(),
    is(".DS_Store"),
    // What interpreters and test tools cache.
    is("__pycache__").directory(),
    ends(".pyc"),
    is(".pytest_cache").directory(),
    is(".mypy_cache").directory(),
    is(".ruff_cache").directory(),
    is(".hypothesis").directory(),
    is(".tox").directory(),
    is(".nox").directory(),
    is(".venv").directory(),
    is(".nyc_output").directory(),
    is(".coverage"),
    at_root("node_modules/.cache").directory(),
    // Secrets by name. Secrets by content are refused in `secret`.
    begins(".env"),
    is(".npmrc"),
    is(".pypirc"),
    ends(".key"),
    ends(".p12"),
    ends(".pfx"),
    is("id_rsa"),
    is("id_ecdsa"),
    is("id_ed25519"),
    is("authorized_key.json"),
];

/// Never packed, as what `pack` writes into `dist/` is not: they describe the archive, or are it.
const NEVER: &[Name] = &[at_root("function.toml"), at_root(".fnignore"), begins(OURS)];

/// Names that we know. They need no patterns, whose making takes a tenth of the time that `new` takes.
struct Name {
    text: &'static str,
    place: Place,
    is_directory: bool,
}

enum Place {
    /// The whole path.
    Root,
    /// The last name of a path, or an end of it.
    Last,
    Start,
    End,
}

const fn at_root(text: &'static str) -> Name {
    Name { text, place: Place::Root, is_directory: false }
}

const fn is(text: &'static str) -> Name {
    Name { text, place: Place::Last, is_directory: false }
}

const fn begins(text: &'static str) -> Name {
    Name { text, place: Place::Start, is_directory: false }
}

const fn ends(text: &'static str) -> Name {
    Name { text, place: Place::End, is_directory: false }
}

impl Name {
    /// Only of a directory.
    const fn directory(mut self) -> Self {
        self.is_directory = true;
        self
    }

    fn is_of(&self, path: &str, last: &str, is_directory: bool) -> bool {
        (is_directory || !self.is_directory)
            && match self.place {
                Place::Root => path == self.text,
                Place::Last => last == self.text,
                Place::Start => last.starts_with(self.text),
                Place::End => last.ends_with(self.text),
            }
    }
}

/// What left a path out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LeftOutBy {
    /// Our own list.
    Default,
    /// `exclude` in function.toml.
    Exclude,
    /// `.fnignore`.
    Fnignore,
    /// No pattern of `include` matches it.
    Include,
}

impl LeftOutBy {
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Default => "by default",
            Self::Exclude => "by exclude",
            Self::Fnignore => "by .fnignore",
            Self::Include => "not in include",
        }
    }
}

pub struct Selection {
    /// Nothing where it would match everything.
    include: Option<Gitignore>,
    /// What the user leaves out, or brings back.
    exclude: Gitignore,
}

impl Selection {
    /// # Errors
    /// [`finding::PATTERN_INVALID`], with the pattern and where it stands.
    pub fn new(package: &Package, fnignore: Option<&str>) -> Result<Self> {
        let mut exclude = builder();
        add(&mut exclude, manifest::FILE, package.exclude.iter().map(String::as_str))?;
        add(&mut exclude, IGNORE_FILE, fnignore.unwrap_or_default().lines())?;
        Ok(Self { include: including(&package.include)?, exclude: build(&exclude)? })
    }

    /// Whether a path is left out although its directory is not. As in git, nothing below a directory
    /// that is left out can come back, so the walk need not enter it.
    pub fn excludes(&self, path: &str, is_directory: bool) -> Option<LeftOutBy> {
        let last = path.rsplit('/').next().unwrap_or(path);
        let named = |names: &[Name]| names.iter().any(|name| name.is_of(path, last, is_directory));
        let written = path.strip_prefix("dist/").is_some_and(|name| DIST_FILES.contains(&name));
        if written || named(NEVER) {
            return Some(LeftOutBy::Default);
        }
        match self.exclude.matched(path, is_directory) {
            Match::Ignore(glob) => Some(match glob.from().and_then(Path::to_str) {
                Some(IGNORE_FILE) => LeftOutBy::Fnignore,
                _ => LeftOutBy::Exclude,
            }),
            Match::Whitelist(_) => None,
            Match::None => named(LEFT_OUT).then_some(LeftOutBy::Default),
        }
    }

    /// Whether a file is packed, for a caller that does not walk directory by directory.
    pub fn takes(&self, path: &str) -> bool {
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        self.includes(path)
            && self.excludes(path, false).is_none()
            && parents.into_iter().all(|parent| self.excludes(parent, true).is_none())
    }

    /// Whether `include` names the file, itself or through one of its directories.
    pub fn includes(&self, path: &str) -> bool {
        let matched = |include: &Gitignore| include.matched_path_or_any_parents(path, false).is_ignore();
        self.include.as_ref().is_none_or(matched)
    }
}

fn builder() -> GitignoreBuilder {
    let mut builder = GitignoreBuilder::new("");
    builder.allow_unclosed_class(false);
    builder
}

fn including(patterns: &[String]) -> Result<Option<Gitignore>> {
    if patterns == [manifest::EVERYTHING] {
        return Ok(None);
    }
    let mut include = builder();
    add(&mut include, manifest::FILE, patterns.iter().map(String::as_str))?;
    build(&include).map(Some)
}

fn add<'a>(builder: &mut GitignoreBuilder, from: &str, lines: impl Iterator<Item = &'a str>) -> Result<()> {
    for (index, line) in lines.enumerate() {
        builder.add_line(Some(PathBuf::from(from)), line).map_err(|error| {
            let problem = finding::PATTERN_INVALID
                .finding(format!("the pattern `{line}` cannot be read"))
                .why(error.to_string())
                .fix("patterns have gitignore syntax")
                .at(from);
            if from == IGNORE_FILE {
                problem.line(u32::try_from(index + 1).unwrap_or(u32::MAX))
            } else {
                problem
            }
        })?;
    }
    Ok(())
}

fn build(builder: &GitignoreBuilder) -> Result<Gitignore> {
    builder.build().map_err(|error| {
        finding::PATTERN_INVALID.finding("the patterns cannot be used together").why(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn selection(include: &[&str], exclude: &[&str], fnignore: &str) -> Selection {
        let package = Package {
            include: include.iter().map(|&s| s.to_owned()).collect(),
            exclude: exclude.iter().map(|&s| s.to_owned()).collect(),
        };
        Selection::new(&package, Some(fnignore)).unwrap()
    }

    #[test]
    fn defaults_leave_out_what_is_no_code() {
        let all = selection(&["**"], &[], "");
        for (path, is_directory) in [
            ("dist", true),
            (".git", true),
            (".gitignore", false),
            ("function.toml", false),
            (".fnignore", false),
            (".env", false),
            (".env.local", false),
            ("src/.env", false),
            ("pkg/__pycache__", true),
            ("server.key", false),
            (".fnscaffold-a1b2", true),
        ] {
            assert_eq!(all.excludes(path, is_directory), Some(LeftOutBy::Default), "{path}");
        }
        for path in ["index.js", "src/dist.js", "node_modules/x/dist/index.js", "ca.pem", "keys.json"] {
            assert_eq!(all.excludes(path, false), None, "{path}");
            assert!(all.includes(path), "{path}");
        }
    }

    #[test]
    fn the_last_pattern_wins_across_files() {
        let s = selection(&["**"], &["*.md", "!dist/"], "!README.md\n# comment\n/build/\n");
        assert_eq!(s.excludes("a.md", false), Some(LeftOutBy::Exclude));
        assert_eq!(s.excludes("README.md", false), None);
        assert_eq!(s.excludes("build", true), Some(LeftOutBy::Fnignore));
        assert_eq!(s.excludes("dist", true), None, "a built TypeScript project packs its dist");
        assert_eq!(s.excludes("dist/index-js.zip", false), Some(LeftOutBy::Default));
        assert_eq!(s.excludes("dist/index.js", false), None);
    }

    #[test]
    fn whitelists_work_as_in_git() {
        let s = selection(&["**"], &["*", "!index.py", "!lib/", "!lib/**"], "");
        assert_eq!(s.excludes("index.py", false), None);
        assert_eq!(s.excludes("notes.txt", false), Some(LeftOutBy::Exclude));
        assert_eq!(s.excludes("lib", true), None);
        assert_eq!(s.excludes("lib/x.py", false), None);
    }

    #[test]
    fn include_narrows() {
        let s = selection(&["src/", "*.json", "!secret.json"], &[], "");
        assert!(s.includes("src/a/b.js"));
        assert!(s.includes("package.json"));
        assert!(!s.includes("index.js"));
        assert!(!s.includes("secret.json"));
    }

    #[test]
    fn a_broken_pattern_says_where() {
        let problem = Selection::new(&Package::default(), Some("ok\na[\n")).err().unwrap();
        assert_eq!(
            (problem.rule.id, problem.path.as_deref(), problem.line),
            ("FN0216", Some(".fnignore"), Some(2))
        );
    }

    proptest! {
        #[test]
        fn any_patterns_are_refused_or_used(
            patterns in proptest::collection::vec("[a-c*?!/\\[\\]{},\\\\# .-]{0,9}", 0..6),
            fnignore in "\\PC*",
            path in "[a-c.]{1,3}(/[a-c. ]{1,3}){0,3}",
        ) {
            let package = Package { include: patterns.clone(), exclude: patterns };
            if let Ok(selection) = Selection::new(&package, Some(&fnignore)) {
                let _ = selection.takes(&path);
            }
        }
    }
}
