//! An entry point without its file or its export in, the finding that says what is there instead out.

use crate::model::finding;
use crate::model::javascript::Problem;
use crate::model::javascript::entry::Entry;
use crate::model::javascript::graph::{Answer, Graph};
use crate::model::javascript::resolve;
use crate::model::javascript::value::{Kind, Value};
use crate::model::settings::nearest;
use crate::model::sources::Sources;

/// How many names a message lists.
const LISTED_MAX: usize = 12;

/// Why no file is the entry point's module.
pub fn file(sources: &dyn Sources, entry: Entry<'_>) -> Problem {
    let Entry { module, export } = entry;
    let Some(path) = resolve::join("", module) else {
        return finding::ENTRYPOINT_FILE_MISSING
            .finding(format!("the entry point's module `{module}` is outside of the archive"))
            .fix("name a file in the archive");
    };
    let inside = if path.is_empty() { "index".to_owned() } else { format!("{path}/index") };
    let other = |extensions: &[&str]| {
        let paths = [path.as_str(), inside.as_str()];
        let names = paths
            .iter()
            .flat_map(|path| extensions.iter().map(move |extension| format!("{path}{extension}")));
        names.into_iter().find(|name| sources.has(name))
    };
    if let Some(source) = other(&[".ts", ".tsx", ".mts", ".cts"]) {
        return finding::TYPESCRIPT_NOT_BUILT
            .finding(format!("the archive has `{source}`, but no JavaScript file for the entry point"))
            .why("the platform does not compile TypeScript")
            .fix(match built(sources, &path) {
                Some(built) => format!("name the compiled file: `{built}.{export}`"),
                None => "compile it before packing, and name the compiled file in the entry point".to_owned(),
            })
            .at(source);
    }
    if let Some(source) = other(&[".mjs"]) {
        return finding::ESM_UNSUPPORTED
            .finding(format!("`{source}` is there, but the platform does not find `.mjs` files"))
            .why("it loads the entry point with `require`, which looks for `.js`")
            .fix("rename it to `.js`, with `\"type\": \"module\"` in package.json and the runtime nodejs22")
            .at(source);
    }
    if let Some(source) = other(&[".cjs"]) {
        return finding::ENTRYPOINT_FILE_MISSING
            .finding(format!("`{source}` is there, but the platform does not find `.cjs` files"))
            .why("it loads the entry point with `require`, which looks for `.js`")
            .fix("rename it to `.js`")
            .at(source);
    }
    let name =
        if path.is_empty() { "index.js".to_owned() } else { format!("{}.js", path.trim_end_matches('/')) };
    let problem = finding::ENTRYPOINT_FILE_MISSING.finding(format!("the archive has no `{name}`"));
    let problem = if module.is_empty() {
        problem.why(format!(
            "an entry point without a dot names an export of the archive's root module: \
             package.json's `main`, or `index.js`; here `{export}`"
        ))
    } else {
        problem
    };
    match similar(sources, &path) {
        Some(similar) => {
            let problem = problem.fix(format!("did you mean `{similar}.{export}`?"));
            problem.at(format!("{similar}.js"))
        }
        None => problem.fix("`fnscaffold pack --list` shows what is packed"),
    }
}

/// The archive's own modules, as entry points name them.
fn modules(sources: &dyn Sources) -> Vec<&str> {
    let own = |name: &&str| !name.split('/').any(|part| part == "node_modules");
    let modules = sources.names().into_iter().filter(own).filter_map(|name| name.strip_suffix(".js"));
    modules.filter(|module| !module.contains('.')).collect()
}

/// A module with the same file name elsewhere: `dist/index` for `src/index`.
fn built<'s>(sources: &'s dyn Sources, path: &str) -> Option<&'s str> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let wanted = if path.is_empty() { "index".to_owned() } else { name(path) };
    let mut same: Vec<&str> = modules(sources).into_iter().filter(|module| name(module) == wanted).collect();
    same.sort_by_key(|module| module.matches('/').count());
    same.first().copied()
}

/// The module that is most likely meant.
fn similar<'s>(sources: &'s dyn Sources, path: &str) -> Option<&'s str> {
    let modules = modules(sources);
    let same = modules.iter().copied().find(|module| module.eq_ignore_ascii_case(path));
    same.or_else(|| built(sources, path)).or_else(|| nearest(path, modules))
}

/// Why the module has no such export.
pub fn export(graph: &Graph<'_>, path: &str, entry: Entry<'_>) -> Problem {
    let Entry { module, export } = entry;
    let names = graph.names(path);
    let problem =
        finding::ENTRYPOINT_EXPORT_MISSING.finding(format!("`{path}` does not export `{export}`")).at(path);
    let mut listed: Vec<String> = names.iter().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    if names.len() > LISTED_MAX {
        listed.push(format!("{} more", names.len() - LISTED_MAX));
    }
    let this = graph.module(path);
    let why = match (listed.is_empty(), &this.exported.kind) {
        (false, _) => format!("it exports {}", listed.join(", ")),
        (true, Kind::Function(_)) => {
            "`module.exports` is itself a function, without that name on it".to_owned()
        }
        (true, _) => "it exports nothing".to_owned(),
    };
    let address = |name: &str| if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") };
    let same = names.iter().find(|name| name.eq_ignore_ascii_case(export)).map(String::as_str);
    let only = || {
        let callable = |name: &&String| is_function(&graph.export(path, name));
        let callable: Vec<&String> = names.iter().filter(callable).take(2).collect();
        if let [one] = callable.as_slice() { Some(one.as_str()) } else { None }
    };
    let is_declared = this.declared.contains(export) && !names.contains("default");
    let fix = match same.or_else(|| nearest(export, names.iter().map(String::as_str))) {
        Some(name) => format!("did you mean `{}`?", address(name)),
        None if this.detached.is_some() => {
            "`exports = …` only changes a variable: write `module.exports = …`".to_owned()
        }
        None if is_declared && this.is_es_module() => {
            format!("it declares `{export}`: put `export` before it")
        }
        None if is_declared => {
            format!("it declares `{export}`: add `exports.{export} = {export}`")
        }
        None => match only() {
            Some(name) => format!("take the entry point `{}`, or export `{export}`", address(name)),
            None if this.is_es_module() => format!("write `export async function {export}(event, context)`"),
            None => format!("write `exports.{export} = async (event, context) => …`"),
        },
    };
    let problem = problem.why(why).fix(fix);
    match this.detached {
        Some(line) if names.is_empty() => problem.line(line),
        _ => problem,
    }
}

fn is_function(answer: &Answer) -> bool {
    matches!(answer, Answer::Found(_, Value { kind: Kind::Function(_), .. }))
}
