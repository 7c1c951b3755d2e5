//! ES modules and CommonJS in, what the runtime's `require` makes of their mixture out.

use std::collections::BTreeSet;

use crate::model::finding::{self, Severity};
use crate::model::javascript::Problem;
use crate::model::javascript::graph::Graph;
use crate::model::javascript::module::{Because, Format, Module};
use crate::model::javascript::resolve::Request;
use crate::model::javascript::survey::{How, When};
use crate::model::javascript::syntax::Syntax;
use crate::model::runtime::Runtime;

/// How the runtime takes an ES module that is the entry point.
///
/// The documentation says that functions start in CommonJS and describes a bridge; users report that
/// `"type": "module"` alone works on the runtimes of 2024; Node.js 22.12 and later load ES modules with
/// `require()` unless they wait at top level. So: an error up to nodejs16, a warning on nodejs18,
/// nothing on nodejs22.
fn severity(runtime: &Runtime) -> Option<Severity> {
    match runtime.version() {
        version if version < (18, 0) => Some(Severity::Error),
        version if version < REQUIRE_SINCE => Some(Severity::Warning),
        _ => None,
    }
}

/// The first version whose `require()` loads ES modules, and, without `"type"`, those that only
/// their syntax tells.
pub const REQUIRE_SINCE: (u32, u32) = (22, 12);

pub fn judge(graph: &Graph<'_>, runtime: &Runtime, entry: &str) -> Vec<Problem> {
    let mut findings: Vec<_> = judge_entry(&graph.module(entry), runtime, entry).into_iter().collect();
    // Those that an `import()` loads come later.
    let at_once: BTreeSet<String> =
        graph.reached(entry, |import| import.how != How::Call).into_iter().map(|(path, _)| path).collect();
    for (path, module) in graph.reachable(entry) {
        findings.extend(judge_mixture(&module, &path));
        if runtime.version() < REQUIRE_SINCE {
            findings.extend(judge_requires(graph, &module, &path, runtime));
        } else if let Some(line) = module.survey.syntax.get(&Syntax::TopLevelAwait)
            && at_once.contains(&path)
        {
            let mut problem = finding::ESM_UNSUPPORTED
                .finding(format!("`{path}` waits at top level, so `require()` cannot load it"))
                .why(
                    "the platform loads the entry point with `require()`, which takes ES modules only without \
                     top-level `await`",
                )
                .fix("wait inside the handler, or keep the promise in a variable and wait for it there")
                .at(path)
                .line(*line);
            problem.severity = Severity::Warning;
            findings.push(problem);
        }
    }
    findings
}

fn judge_entry(module: &Module, runtime: &Runtime, path: &str) -> Option<Problem> {
    let id = runtime.id;
    let (mut problem, severity) = match &module.format {
        Format::EsModule(Because::Syntax) => {
            let problem = finding::ESM_UNSUPPORTED
                .finding(format!("`{path}` is written as an ES module, but nothing tells {id} so"))
                .why("without `\"type\": \"module\"` in package.json it is CommonJS, where that is an error");
            (problem, (runtime.version() < REQUIRE_SINCE).then_some(Severity::Error))
        }
        Format::EsModule(Because::SyntaxAgainst(package)) => {
            let problem = finding::ESM_UNSUPPORTED
                .finding(format!("`{path}` is written as an ES module, but `{package}` makes it CommonJS"))
                .why("in CommonJS `import` and `export` statements are syntax errors");
            (problem, Some(Severity::Error))
        }
        Format::EsModule(because) => {
            let said = match because {
                Because::Package(package) => format!("`{package}` says `\"type\": \"module\"`"),
                _ => "its extension says so".to_owned(),
            };
            let problem = finding::ESM_UNSUPPORTED
                .finding(match severity(runtime) {
                    Some(Severity::Error) => format!("`{path}` is an ES module, and {id} cannot load it"),
                    _ => format!("`{path}` is an ES module, and {id} may not load it"),
                })
                .why(format!(
                    "{said}; the platform loads the entry point with `require()`, which takes ES modules only \
                     on nodejs22"
                ));
            (problem, severity(runtime))
        }
        _ => return None,
    };
    problem.severity = severity?;
    let fix = match &module.format {
        Format::EsModule(Because::SyntaxAgainst(package)) => {
            format!("write `\"type\": \"module\"` in `{package}`, or compile the file to CommonJS")
        }
        _ => "take nodejs22, or compile it to CommonJS, or load it with `import()` from a CommonJS file"
            .to_owned(),
    };
    let problem = problem.fix(fix).at(path);
    Some(match module.survey.module_syntax {
        Some(line) => problem.line(line),
        None => problem,
    })
}

/// CommonJS in a file that package.json calls an ES module.
fn judge_mixture(module: &Module, path: &str) -> Option<Problem> {
    let Format::EsModule(Because::Package(package)) = &module.format else {
        return None;
    };
    let line = module.survey.commonjs.filter(|_| module.survey.module_syntax.is_none())?;
    Some(
        finding::ESM_UNSUPPORTED
            .finding(format!("`{path}` is written as CommonJS, but `{package}` makes it an ES module"))
            .why("in an ES module `require`, `module` and `exports` do not exist: loading it fails")
            .fix(format!("remove `\"type\": \"module\"` from `{package}`, or write `import` and `export`"))
            .at(path)
            .line(line),
    )
}

/// `require` of an ES module, on a runtime where that is an error.
fn judge_requires(graph: &Graph<'_>, module: &Module, path: &str, runtime: &Runtime) -> Vec<Problem> {
    let mut findings = Vec::new();
    for import in &module.survey.imports {
        if import.how != How::Require || import.when == When::Try {
            continue;
        }
        let request = Request::of(&import.specifier, path);
        let Some(target) = graph.file(&request, How::Require) else { continue };
        if !graph.module(&target).is_es_module() {
            continue;
        }
        findings.push(
            finding::ESM_UNSUPPORTED
                .finding(format!("`{path}` loads the ES module `{target}` with `require()`"))
                .why(format!("{} cannot: Node.js does it from 22.12 on", runtime.id))
                .fix("load it with `import()`, or write it as CommonJS")
                .at(path)
                .line(import.line),
        );
    }
    findings
}
