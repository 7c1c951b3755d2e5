//! This machine in, what of it can run functions out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::install;
use super::interpreter::{Interpreter, programs, said};
use super::{Way, trace};
use crate::model::runtime::{Lang, RUNTIMES};
use crate::outside::stage::judge_parent;

/// A program that is there.
#[derive(Debug, Clone, Serialize)]
pub struct Program {
    #[serde(serialize_with = "shown")]
    pub path: PathBuf,
    pub version: String,
}

/// What would run a runtime's functions.
#[derive(Debug, Serialize)]
pub struct Candidate {
    pub runtime: &'static str,
    /// The platform's version.
    pub wanted: &'static str,
    pub supported: bool,
    /// The nearest interpreter here.
    pub interpreter: Option<Program>,
    /// It has the version that the platform has.
    pub fits: bool,
    /// pip of that interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pip: Option<Program>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    pub candidates: Vec<Candidate>,
    pub npm: Option<Program>,
    /// Where installed dependencies are kept.
    #[serde(serialize_with = "shown")]
    pub cache: PathBuf,
    /// Why nothing can be kept there, or nothing where it can.
    pub cache_refused: Option<String>,
    /// Why programs cannot be led to the metadata service from outside, or nothing where they can.
    pub trace_refused: Option<String>,
    /// How a function reaches the metadata service.
    pub metadata: String,
}

pub fn survey(chosen: &[PathBuf]) -> Survey {
    // Several runtimes ask the same programs.
    let (mut probed, mut pips) = (BTreeMap::new(), BTreeMap::new());
    let mut probe =
        |path: &Path| probed.entry(path.to_owned()).or_insert_with(|| Interpreter::probe(path)).clone();
    let mut candidates = Vec::new();
    for runtime in RUNTIMES {
        let found = Interpreter::find(runtime, chosen, &mut probe).ok();
        let python = found.as_ref().filter(|_| runtime.lang == Lang::Python);
        let pip = python
            .and_then(|found| pips.entry(found.path.clone()).or_insert_with(|| pip(&found.path)).clone());
        candidates.push(Candidate {
            runtime: runtime.id,
            wanted: runtime.interpreter,
            supported: runtime.supported,
            fits: found.as_ref().is_some_and(|found| found.judge(runtime).is_none()),
            interpreter: found.map(|found| Program { path: found.path, version: found.version }),
            pip,
        });
    }
    let trace_refused = trace::refused();
    let cache = install::dependencies();
    Survey {
        candidates,
        npm: programs("npm").find_map(|path| {
            let version = said(&path, &["--version"]).ok()?;
            Some(Program { path, version })
        }),
        cache_refused: judge_parent(&cache).err().and_then(|problem| problem.why),
        cache,
        metadata: trace_refused.clone().map_or(Way::Traced, Way::Preloaded).to_string(),
        trace_refused,
    }
}

/// JSON has no word for a path that is not UTF-8.
fn shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn pip(python: &Path) -> Option<Program> {
    // `pip 24.0 from /usr/lib/python3/dist-packages/pip (python 3.12)`
    let said = said(python, &["-m", "pip", "--version"]).ok()?;
    let mut words = said.split(' ');
    let version = words.nth(1)?.to_owned();
    let path = words.nth(1).map_or_else(|| python.to_owned(), PathBuf::from);
    Some(Program { path, version })
}
