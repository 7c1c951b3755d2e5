//! Languages and the platform's runtimes: one table, read by `new`, `check`, `runtimes` and the schema.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The language a function is written in; it follows from the runtime.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    #[value(alias = "node", alias = "js")]
    Nodejs,
    #[value(alias = "py")]
    Python,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::Nodejs, Self::Python];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Nodejs => "nodejs",
            Self::Python => "python",
        }
    }

    /// The archive's file name, as in the vendor's guide.
    pub const fn archive_name(self) -> &'static str {
        match self {
            Self::Nodejs => "index-js.zip",
            Self::Python => "index-py.zip",
        }
    }

    /// What a handler's file name ends with, with the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Nodejs => ".js",
            Self::Python => ".py",
        }
    }

    /// The file in the archive's root that makes the platform install dependencies.
    pub const fn dependency_file(self) -> &'static str {
        match self {
            Self::Nodejs => "package.json",
            Self::Python => "requirements.txt",
        }
    }

    /// The guide's runtime, which `new` takes when none is asked for.
    pub fn default_runtime(self) -> &'static Runtime {
        let id = match self {
            Self::Nodejs => "nodejs16",
            Self::Python => "python311",
        };
        Runtime::find(id).expect("the guide's runtimes are in the table")
    }

    /// The newest runtime that the platform supports: what `--runtime latest` means.
    pub fn latest_runtime(self) -> &'static Runtime {
        RUNTIMES
            .iter()
            .rfind(|runtime| runtime.lang == self && runtime.supported)
            .expect("each language has a supported runtime")
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// One row of the platform's table of runtimes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Runtime {
    pub id: &'static str,
    pub lang: Lang,
    /// The interpreter that the documentation names, `major.minor.patch`.
    pub interpreter: &'static str,
    pub os: &'static str,
    /// Whether instances start from a pool. The English and Russian pages differ for python311;
    /// this is the newer English one.
    pub preloaded: bool,
    /// Whether the platform still fixes it. "No" does not say that a version cannot be created:
    /// no removal dates are published.
    pub supported: bool,
}

const fn runtime(
    id: &'static str,
    lang: Lang,
    interpreter: &'static str,
    os: &'static str,
    preloaded: bool,
    supported: bool,
) -> Runtime {
    Runtime { id, lang, interpreter, os, preloaded, supported }
}

const UBUNTU_18: &str = "Ubuntu 18.04";
pub const UBUNTU_22: &str = "Ubuntu 22.04";

/// Node.js and Python runtimes, oldest first within a language. Source: the platform's pages
/// `functions/lang/nodejs` and `functions/lang/python`, newest English versions (platform.md 1.1).
pub const RUNTIMES: &[Runtime] = &[
    runtime("nodejs10", Lang::Nodejs, "10.16.3", UBUNTU_18, false, false),
    runtime("nodejs12", Lang::Nodejs, "12.22.10", UBUNTU_18, false, false),
    runtime("nodejs14", Lang::Nodejs, "14.19.0", UBUNTU_18, false, false),
    runtime("nodejs16", Lang::Nodejs, "16.14.1", UBUNTU_18, true, false),
    runtime("nodejs18", Lang::Nodejs, "18.16.1", UBUNTU_22, true, false),
    runtime("nodejs22", Lang::Nodejs, "22.15.0", UBUNTU_22, true, true),
    runtime("python37", Lang::Python, "3.7.13", UBUNTU_18, false, false),
    runtime("python38", Lang::Python, "3.8.13", UBUNTU_18, false, false),
    runtime("python39", Lang::Python, "3.9.11", UBUNTU_18, false, false),
    runtime("python311", Lang::Python, "3.11.0", UBUNTU_18, false, false),
    runtime("python312", Lang::Python, "3.12.0", UBUNTU_22, true, true),
    runtime("python314", Lang::Python, "3.14.0", UBUNTU_22, true, true),
];

impl Runtime {
    pub fn find(id: &str) -> Option<&'static Self> {
        RUNTIMES.iter().find(|runtime| runtime.id == id)
    }

    /// The interpreter's `(major, minor)`: `(22, 15)`, `(3, 12)`.
    pub fn version(&self) -> (u32, u32) {
        let mut parts = self.interpreter.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_the_newest_supported() {
        assert_eq!(Lang::Nodejs.latest_runtime().id, "nodejs22");
        assert_eq!(Lang::Python.latest_runtime().id, "python314");
    }

    #[test]
    fn the_table_is_sorted_by_language_and_version() {
        assert!(RUNTIMES.is_sorted_by_key(|r| (r.lang, r.version())));
    }
}
