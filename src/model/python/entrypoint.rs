//! An entry point such as `index.handler` in, what is wrong with it out: does the archive have the
//! module, does the module have the name, can it be called with `(event, context)`.

use crate::model::finding::{self, Finding, Severity};
use crate::model::python::finder::{Finder, Found};
use crate::model::python::handlers::handlers;
use crate::model::python::modules::Modules;
use crate::model::python::resolve::{Access, Resolver, Target};
use crate::model::python::signature::Signature;
use crate::model::python::value::{Class, Function};
use crate::model::runtime::Runtime;
use crate::model::settings::nearest;
use crate::model::sources::Sources;

/// How many names a message lists.
const LISTED_MAX: usize = 8;

/// Findings about the entry point: does the archive have it, is it callable with (event, context).
pub fn judge_entrypoint(sources: &dyn Sources, runtime: &Runtime, entrypoint: &str) -> Vec<Box<Finding>> {
    let mut modules = Modules::new(sources, runtime);
    let (module, name) = match split(&modules.finder, entrypoint) {
        Ok(parts) => parts,
        Err(finding) => return vec![finding],
    };
    let found = modules.finder.find(module);
    let path = match &found {
        Found::Module(path) | Found::Package(path) => path,
        Found::Compiled(path) => {
            return vec![unknown(
                entrypoint,
                format!("`{path}` is compiled, so its names cannot be read"),
                path,
            )];
        }
        _ => return vec![missing_file(&modules.finder, entrypoint, module, &found)],
    };
    let mut findings = Vec::new();
    if module.contains('.') || matches!(found, Found::Package(_)) {
        findings.push(
            finding::ENTRYPOINT_NESTED
                .finding(format!("the entry point `{entrypoint}` means `{path}`, which is not a module in the archive's root"))
                .why("the platform's documentation names a file in the root; dotted packages work in practice")
                .at(path),
        );
    }
    let reachable = modules.reachable(module);
    findings.extend(reachable.iter().flat_map(|module| module.findings.iter().cloned()));
    if modules.module(module, path).scope.is_some() {
        findings.extend(judge_name(&mut modules, entrypoint, Handler { module, name, path }));
    } else if !reachable.iter().any(|module| module.path == *path && !module.findings.is_empty()) {
        findings.push(unknown(entrypoint, format!("`{path}` cannot be judged by reading"), path));
    }
    findings
}

/// The module and the name of an entry point.
fn split<'a>(finder: &Finder<'_>, entrypoint: &'a str) -> finding::Result<(&'a str, &'a str)> {
    let wrong = |why: &str| {
        finding::ENTRYPOINT_FORMAT
            .finding(format!("the entry point `{entrypoint}` is not MODULE.FUNCTION"))
            .why(why)
    };
    let dotted =
        entrypoint.trim().trim_start_matches("./").replace(['/', '\\', ':'], ".").replace(".py.", ".");
    let dotted = dotted.trim_end_matches("()");
    if entrypoint.contains(['/', '\\']) {
        return Err(wrong("Python's importlib separates packages with dots, not slashes")
            .fix(format!("write `{dotted}`")));
    }
    if entrypoint.contains([':', '(', ')']) || entrypoint.contains(char::is_whitespace) {
        return Err(wrong("it is a module's name, a dot and a function's name, and nothing else")
            .fix(format!("write `{}`", dotted.replace(char::is_whitespace, ""))));
    }
    let Some((module, name)) = entrypoint.rsplit_once('.') else {
        return Err(wrong("it has no dot").fix(suggestion(finder, entrypoint)));
    };
    if entrypoint.split('.').any(str::is_empty) {
        return Err(
            wrong("there is nothing before, after or between its dots").fix(suggestion(finder, module))
        );
    }
    if module.ends_with(".py") && finder.find(module) == Found::Missing
        || module.ends_with(".py") && matches!(finder.find(module), Found::InModule(_))
    {
        return Err(wrong("the file is named without its extension").fix(format!("write `{dotted}`")));
    }
    if name == "py" && matches!(finder.find(module), Found::Module(_)) {
        return Err(wrong("it names a file and no function in it").fix(suggestion(finder, module)));
    }
    let literal = format!("{module}.py");
    if module.contains('.') && finder.sources.has(&literal) && finder.find(module) == Found::Missing {
        let renamed = module.replace('.', "_");
        return Err(wrong(&format!("the name of `{literal}` has a dot in it, so Python cannot import it"))
            .fix(format!("rename the file to `{renamed}.py` and write `{renamed}.{name}`")));
    }
    Ok((module, name))
}

/// What to write instead, if the archive shows it.
fn suggestion(finder: &Finder<'_>, meant: &str) -> String {
    let all = handlers(finder.sources);
    let same = all.iter().find(|handler| handler.rsplit_once('.').is_some_and(|(module, _)| module == meant));
    match same.or_else(|| all.first()) {
        Some(handler) => format!("write `{handler}`"),
        None => "write `index.handler` for the function `handler` of `index.py`".to_owned(),
    }
}

fn missing_file(finder: &Finder<'_>, entrypoint: &str, module: &str, found: &Found) -> Box<Finding> {
    let wanted = format!("{}.py", module.replace('.', "/"));
    let finding = match found {
        Found::InModule(path) => finding::ENTRYPOINT_FILE_MISSING
            .finding(format!("the archive has no `{wanted}` for the entry point `{entrypoint}`"))
            .why(format!("`{path}` is a module and no package, so nothing can be imported from below it")),
        Found::Namespace(directory) => finding::ENTRYPOINT_FILE_MISSING
            .finding(format!(
                "the entry point `{entrypoint}` means the directory `{directory}`, which has no `__init__.py`"
            ))
            .why("a directory without `__init__.py` holds no names of its own"),
        _ => finding::ENTRYPOINT_FILE_MISSING
            .finding(format!("the archive has no `{wanted}` for the entry point `{entrypoint}`")),
    };
    let modules = || finder.names().iter().copied().filter(|name| name.ends_with(".py"));
    let file_name = wanted.rsplit('/').next().unwrap_or(&wanted);
    let same_name = modules().find(|path| path.rsplit('/').next() == Some(file_name));
    let below = matches!(found, Found::Namespace(_));
    match same_name.or_else(|| nearest(&wanted, modules())).filter(|_| !below) {
        Some(near) => {
            finding.fix(format!("did you mean `{near}`? `fnscaffold pack --list` shows what is packed"))
        }
        None => finding.fix(match handlers(finder.sources).first() {
            Some(handler) => format!("did you mean `{handler}`?"),
            None => "`fnscaffold pack --list` shows what is packed".to_owned(),
        }),
    }
}

fn unknown(entrypoint: &str, why: String, path: &str) -> Box<Finding> {
    finding::ENTRYPOINT_UNKNOWN
        .finding(format!("whether `{entrypoint}` can be called cannot be told without running it"))
        .why(why)
        .fix("`fnscaffold check --load` imports it under the real interpreter")
        .at(path)
}

/// The entry point in its parts.
#[derive(Clone, Copy)]
struct Handler<'a> {
    module: &'a str,
    name: &'a str,
    path: &'a str,
}

/// From best to worst: of a name's possible values the best decides, because the others stand in
/// branches that may not run.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Good,
    Doubtful,
    Unknown,
    Refuses,
    NotCallable,
    Missing,
}

fn judge_name(modules: &mut Modules<'_>, entrypoint: &str, handler: Handler<'_>) -> Option<Box<Finding>> {
    let mut resolver = Resolver::new(modules);
    let targets = resolver.attribute_of_module(handler.module, handler.name, 0);
    let mut judged: Vec<_> =
        targets.iter().map(|target| judge_target(&mut resolver, entrypoint, handler, target)).collect();
    judged.sort_by(|a, b| a.0.cmp(&b.0));
    match judged.into_iter().next() {
        Some((Rank::Missing, _)) | None => {
            let from = targets.iter().find_map(|target| match target {
                Target::Missing(module) if module != handler.module => Some(module.clone()),
                _ => None,
            });
            Some(missing_export(modules, entrypoint, handler, from))
        }
        Some((_, finding)) => finding,
    }
}

fn judge_target(
    resolver: &mut Resolver<'_, '_>,
    entrypoint: &str,
    handler: Handler<'_>,
    target: &Target,
) -> (Rank, Option<Box<Finding>>) {
    let name = handler.name;
    let not_callable = |what: &str| {
        let finding = finding::ENTRYPOINT_NOT_CALLABLE
            .finding(format!("`{entrypoint}` is {what}, which cannot be called"))
            .fix(format!("define `def {name}(event, context):` in `{}`", handler.path))
            .at(handler.path);
        (Rank::NotCallable, Some(finding))
    };
    match target {
        Target::Function(function, hidden) if function.decorators.is_empty() || *hidden > 0 => {
            judge_signature(entrypoint, function, *hidden)
        }
        Target::Function(..) | Target::Partial => (Rank::Good, None),
        Target::Class(class) => judge_class(resolver, entrypoint, class),
        Target::Instance(class) => {
            let calls = resolver.member(class, "__call__", Access::Call, 0);
            let judged = calls.iter().map(|call| match call {
                Target::Function(function, hidden) => judge_signature(entrypoint, function, *hidden),
                Target::Missing(_) | Target::Constant(_) => {
                    let (rank, finding) =
                        not_callable(&format!("an instance of `{}`, which has no `__call__`", class.name));
                    (
                        rank,
                        finding.map(|finding| {
                            finding.fix(format!(
                                "define `def __call__(self, event, context):` in `{}`",
                                class.name
                            ))
                        }),
                    )
                }
                _ => (
                    Rank::Unknown,
                    Some(unknown(
                        entrypoint,
                        format!(
                            "it is an instance of `{}`, whose `__call__` is not in the archive",
                            class.name
                        ),
                        handler.path,
                    )),
                ),
            });
            judged.min_by(|a, b| a.0.cmp(&b.0)).unwrap_or((Rank::Unknown, None))
        }
        Target::Module(module) => not_callable(&format!("the module `{module}`")),
        Target::Constant(kind) => not_callable(kind),
        Target::Missing(_) => (Rank::Missing, None),
        Target::Unknown => {
            let why = "its value is computed when the module is loaded, or comes from a package".to_owned();
            (Rank::Unknown, Some(unknown(entrypoint, why, handler.path)))
        }
    }
}

fn judge_signature(entrypoint: &str, function: &Function, hidden: usize) -> (Rank, Option<Box<Finding>>) {
    let at = |finding: Box<Finding>| Some(finding.at(&*function.path).line(function.line));
    if let Some(problem) = function.signature.refuses(2 + hidden, hidden) {
        let finding = finding::ENTRYPOINT_SIGNATURE
            .finding(format!("`{entrypoint}` {problem}, and the platform calls it with `(event, context)`"))
            .fix("take `(event, context)`; give every other parameter a default");
        return (Rank::Refuses, at(finding));
    }
    if function.signature.yields {
        let mut finding = finding::ENTRYPOINT_SIGNATURE
            .finding(format!(
                "`{entrypoint}` has a `yield` in it, so a call answers a generator and runs nothing"
            ))
            .why("the platform turns the answer into JSON, and a generator is none")
            .fix("collect the values and `return` them");
        finding.severity = Severity::Warning;
        return (Rank::Doubtful, at(finding));
    }
    (Rank::Good, None)
}

fn judge_class(
    resolver: &mut Resolver<'_, '_>,
    entrypoint: &str,
    class: &Class,
) -> (Rank, Option<Box<Finding>>) {
    let at = |finding: Box<Finding>| Some(finding.at(&*class.path).line(class.line));
    let finding = finding::ENTRYPOINT_SIGNATURE.finding(format!(
        "`{entrypoint}` is a class, so the platform would construct an instance from `(event, context)` and answer with it"
    ));
    if resolver.constructs(class) {
        let refuses = |signature: &Signature, hidden| signature.refuses(2 + hidden, hidden);
        let inits = resolver.member(class, "__init__", Access::Call, 0);
        let problem = match inits.as_slice() {
            [Target::Function(function, hidden)] if function.decorators.is_empty() => {
                refuses(&function.signature, *hidden).map(|problem| format!("its `__init__` {problem}"))
            }
            [Target::Missing(_)] => Some("it has no `__init__` that takes arguments".to_owned()),
            _ => None,
        };
        if let Some(problem) = problem {
            let finding = finding
                .why(problem)
                .fix("name a function, or an instance with `__call__(self, event, context)`");
            return (Rank::Refuses, at(finding));
        }
    }
    let mut finding = finding
        .why("an instance of a class is not JSON")
        .fix("name a function, or an instance with `__call__(self, event, context)`");
    finding.severity = Severity::Warning;
    (Rank::Doubtful, at(finding))
}

fn missing_export(
    modules: &mut Modules<'_>,
    entrypoint: &str,
    handler: Handler<'_>,
    from: Option<String>,
) -> Box<Finding> {
    let Handler { module, name, path } = handler;
    if let Some(from) = from {
        return finding::ENTRYPOINT_EXPORT_MISSING
            .finding(format!("`{path}` takes `{name}` from `{from}`, which has no such name"))
            .why("importing the entry point fails with an ImportError")
            .fix(format!("define it in `{from}`, or name another function"))
            .at(path);
    }
    let read = modules.module(module, path);
    let names: Vec<String> = read
        .scope
        .iter()
        .flat_map(|scope| scope.names.keys())
        .filter(|name| !name.starts_with('_'))
        .cloned()
        .collect();
    let mut resolver = Resolver::new(modules);
    let callable: Vec<&String> = names
        .iter()
        .filter(|name| {
            let targets = resolver.attribute_of_module(module, name, 0);
            targets
                .iter()
                .any(|target| matches!(target, Target::Function(..) | Target::Partial | Target::Instance(_)))
        })
        .collect();
    let finding = finding::ENTRYPOINT_EXPORT_MISSING
        .finding(format!("`{path}` has no `{name}` for the entry point `{entrypoint}`"))
        .at(path);
    if callable.is_empty() {
        return finding
            .why("nothing in it can be called")
            .fix(format!("define `def {name}(event, context):` at the top level of the file"));
    }
    let listed: Vec<_> = callable.iter().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    let more = if callable.len() > LISTED_MAX { " and others" } else { "" };
    let finding = finding.why(format!("what it has to call is {}{more}", listed.join(", ")));
    let near = nearest(name, callable.iter().map(|name| name.as_str()));
    match near.or_else(|| callable.first().filter(|_| callable.len() == 1).map(|name| name.as_str())) {
        Some(near) => finding.fix(format!("did you mean `{module}.{near}`?")),
        None => finding.fix(format!("name one of them, or define `{name}`")),
    }
}
