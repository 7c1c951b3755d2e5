//! What a project says of its interpreter's version in, whether a runtime's is one of them out.

use std::str::FromStr;

use pep508_rs::pep440_rs;
use serde_json::Value as Json;

use crate::model::runtime::{Lang, Runtime};
use crate::model::sources::Sources;

/// Versions of the interpreter.
pub enum Wanted {
    /// The project names none, or none that can be read.
    Any,
    /// `engines.node` of package.json: any of these.
    Node(Vec<semver::VersionReq>),
    /// `requires-python` of pyproject.toml.
    Python(pep440_rs::VersionSpecifiers),
}

impl Wanted {
    pub fn of(sources: &dyn Sources, lang: Lang) -> Self {
        let wanted = match lang {
            Lang::Nodejs => engines(sources).map(Self::Node),
            Lang::Python => requires(sources).map(Self::Python),
        };
        wanted.unwrap_or(Self::Any)
    }

    pub fn allows(&self, runtime: &Runtime) -> bool {
        match self {
            Self::Any => true,
            Self::Node(ranges) => semver::Version::parse(runtime.interpreter)
                .is_ok_and(|version| ranges.iter().any(|range| range.matches(&version))),
            Self::Python(range) => pep440_rs::Version::from_str(runtime.interpreter)
                .is_ok_and(|version| range.contains(&version)),
        }
    }
}

fn engines(sources: &dyn Sources) -> Option<Vec<semver::VersionReq>> {
    let package: Json = serde_json::from_slice(&sources.read_list("package.json")?).ok()?;
    let ranges = package.get("engines")?.get("node")?.as_str()?;
    ranges.split("||").map(range).collect()
}

/// A range of npm's as one of Cargo's: commas between its parts, and a version alone is that one. Some forms
/// (`1 - 2`, `>= 1`) are not read.
fn range(text: &str) -> Option<semver::VersionReq> {
    let part = |part: &str| {
        let is_version = part.starts_with(|c: char| c.is_ascii_digit());
        if is_version { format!("={part}") } else { part.to_owned() }
    };
    let parts: Vec<_> = text.split_whitespace().map(part).collect();
    semver::VersionReq::parse(&parts.join(", ")).ok()
}

fn requires(sources: &dyn Sources) -> Option<pep440_rs::VersionSpecifiers> {
    let bytes = sources.read_list("pyproject.toml")?;
    let table: toml::Table = str::from_utf8(&bytes).ok()?.parse().ok()?;
    pep440_rs::VersionSpecifiers::from_str(table.get("project")?.get("requires-python")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn ranges_of_npm_are_read() {
        for (text, expected) in [
            (">=22", "nodejs22"),
            ("^20 || 22", "nodejs22"),
            ("16 || 18", "nodejs16 nodejs18"),
            (">=14 <18", "nodejs14 nodejs16"),
            ("18.x", "nodejs18"),
            ("18.15", ""),
            ("~18.16", "nodejs18"),
            ("*", "nodejs10 nodejs12 nodejs14 nodejs16 nodejs18 nodejs22"),
            ("16 - 18", "nodejs10 nodejs12 nodejs14 nodejs16 nodejs18 nodejs22"),
        ] {
            let package = serde_json::json!({ "engines": { "node": text } }).to_string();
            let sources = BTreeMap::from([("package.json".to_owned(), package.into_bytes())]);
            let wanted = Wanted::of(&sources, Lang::Nodejs);
            let allowed: Vec<_> = crate::model::runtime::RUNTIMES
                .iter()
                .filter(|runtime| runtime.lang == Lang::Nodejs && wanted.allows(runtime))
                .map(|runtime| runtime.id)
                .collect();
            assert_eq!(allowed.join(" "), expected, "{text}");
        }
    }
}
