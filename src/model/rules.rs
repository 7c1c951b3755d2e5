//! What `check` judges: a manifest, the files of an archive, what stands beside it in; findings out.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::archive::Record;
use crate::model::finding::{self, Finding, Severity};
use crate::model::limits::judge_options;
use crate::model::manifest::{self, Lines, Manifest};
use crate::model::runtime::{Lang, Runtime};
use crate::model::secret;
use crate::model::settings::{
    check_name, check_service_account, check_tag, judge_environment, judge_long_timeout, parse_memory,
    parse_runtime, parse_timeout,
};
use crate::model::sources::Sources;
use crate::model::vendor::first_part;
use crate::model::version::{self, VersionSpec};
use crate::model::wanted::Wanted;
use crate::model::{javascript, python};

/// How many files are looked at for what is wrong with them.
const LIKELY: usize = 20;

/// The values of function.toml, each finding with its line.
pub fn judge_manifest(manifest: &Manifest, lines: &Lines) -> Vec<Box<Finding>> {
    let mut findings = Vec::new();
    let mut add = |key: &str, problem: Box<Finding>| {
        let problem = problem.at(manifest::FILE);
        findings.push(match lines.of(key) {
            Some(line) => problem.line(line),
            None => problem,
        });
    };
    let version = &manifest.version;
    if let Err(problem) = check_name(&manifest.name) {
        add("name", problem);
    }
    match parse_runtime(&version.runtime) {
        Err(problem) => add("version.runtime", problem),
        Ok(runtime) if !runtime.supported => {
            let why = "it gets no security fixes, and new versions of the function may be refused one day";
            let fix = format!("take `{}`", runtime.lang.latest_runtime().id);
            add("version.runtime", unsupported(runtime).why(why).fix(fix));
        }
        Ok(_) => {}
    }
    if let Err(problem) = parse_memory(&version.memory) {
        add("version.memory", problem);
    }
    match parse_timeout(&version.timeout) {
        Err(problem) => add("version.timeout", problem),
        Ok(seconds) => {
            if let Some(problem) = judge_long_timeout(seconds) {
                add("version.timeout", problem);
            }
        }
    }
    match version.service_account_id.as_deref() {
        None | Some("") => add(
            "version.service-account-id",
            finding::SERVICE_ACCOUNT_MISSING
                .finding("no service account: the function will get no IAM token")
                .fix("set `service-account-id` under [version], if the function needs one"),
        ),
        Some(id) => {
            if let Err(problem) = check_service_account(id) {
                add("version.service-account-id", problem);
            }
        }
    }
    for (name, problem) in judge_environment(&version.environment, &version.secrets) {
        add(
            &name.map_or("version.environment".to_owned(), |name| format!("version.environment.{name}")),
            problem,
        );
    }
    for (name, _) in version.environment.iter().filter(|(_, value)| secret::looks_secret(value)) {
        add(
            &format!("version.environment.{name}"),
            finding::ENVIRONMENT_SECRET
                .finding(format!("the value of `{name}` looks like a secret"))
                .why("everyone who may read the function's version can read it")
                .fix("keep it in Lockbox"),
        );
    }
    for (index, tag) in version.tags.iter().enumerate() {
        if let Err(problem) = check_tag(tag) {
            add(&format!("version.tags.{index}"), problem);
        }
    }
    for (key, problem) in judge_options(version) {
        add(&key, problem);
    }
    findings
}

/// In the words of every verb.
pub fn unsupported(runtime: &Runtime) -> Box<Finding> {
    let (id, latest) = (runtime.id, runtime.lang.latest_runtime().id);
    finding::RUNTIME_UNSUPPORTED
        .finding(format!("the platform no longer supports {id}; `new --runtime latest` takes {latest}"))
}

/// Entry point and dependencies, in the files that the platform would unpack.
pub fn judge_code(sources: &dyn Sources, runtime: &Runtime, entrypoint: &str) -> Vec<Box<Finding>> {
    match runtime.lang {
        Lang::Nodejs => javascript::judge_code(sources, runtime, entrypoint),
        Lang::Python => {
            let mut findings = python::judge_entrypoint(sources, runtime, entrypoint);
            findings.extend(python::judge_dependencies(sources, runtime, entrypoint));
            findings
        }
    }
}

pub fn judge_entrypoint(sources: &dyn Sources, runtime: &Runtime, entrypoint: &str) -> Vec<Box<Finding>> {
    match runtime.lang {
        Lang::Nodejs => javascript::judge_entrypoint(sources, runtime, entrypoint),
        Lang::Python => python::judge_entrypoint(sources, runtime, entrypoint),
    }
}

/// Whether the platform has the module or package in that runtime without being asked.
pub fn is_preinstalled(module: &str, runtime: &Runtime) -> bool {
    match runtime.lang {
        Lang::Nodejs => javascript::is_preinstalled(module, runtime),
        Lang::Python => python::is_preinstalled(module, runtime),
    }
}

/// Entry points that code without a manifest could mean, the best guess first.
pub fn handlers(sources: &dyn Sources, lang: Lang) -> Vec<String> {
    match lang {
        Lang::Nodejs => javascript::handlers(sources),
        Lang::Python => python::handlers(sources),
    }
}

/// The languages that files are written in.
pub fn languages(sources: &dyn Sources) -> Vec<Lang> {
    let is_of = |name: &str, lang: Lang| {
        let endings: &[&str] = match lang {
            Lang::Nodejs => &[".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx"],
            Lang::Python => &[".py"],
        };
        name == lang.dependency_file() || endings.iter().any(|ending| name.ends_with(ending))
    };
    let names = sources.names();
    Lang::ALL.into_iter().filter(|lang| names.iter().any(|name| is_of(name, *lang))).collect()
}

/// Why [`handlers`] finds none: what is wrong with the file that most likely should have one.
pub fn obstacle(sources: &dyn Sources, lang: Lang) -> Option<Box<Finding>> {
    let files = match lang {
        Lang::Nodejs => javascript::likely_modules(sources),
        Lang::Python => python::likely_modules(sources),
    };
    let rules = [&finding::SOURCE_SYNTAX, &finding::ESM_UNSUPPORTED, &finding::TYPESCRIPT_NOT_BUILT];
    // Each is read with all that it loads.
    files.iter().take(LIKELY).find_map(|module| {
        let findings = judge_entrypoint(sources, lang.latest_runtime(), &format!("{module}.handler"));
        findings.into_iter().find(|finding| rules.contains(&finding.rule))
    })
}

/// The runtime for code that names none: the guide's, or where that one cannot run it or is not what the
/// project asks for, the first supported one that can and is, or else any.
pub fn runtime_for(sources: &dyn Sources, lang: Lang, entrypoint: &str) -> &'static Runtime {
    let guides = lang.default_runtime();
    let wanted = Wanted::of(sources, lang);
    let all = || crate::model::runtime::RUNTIMES.iter().filter(|runtime| runtime.lang == lang);
    let supported = all().filter(|runtime| runtime.supported);
    let able: Vec<_> = std::iter::once(guides)
        .chain(supported)
        .chain(all().rev())
        .filter(|runtime| {
            judge_entrypoint(sources, runtime, entrypoint).iter().all(|problem| {
                // No runtime is better than another for a handler that none can call so.
                let is_of_any = [&finding::ENTRYPOINT_SIGNATURE, &finding::ENTRYPOINT_NO_RESULT];
                is_of_any.contains(&problem.rule)
                    || problem.severity != Severity::Error && problem.rule != &finding::SYNTAX_TOO_NEW
            })
        })
        .collect();
    able.iter().find(|runtime| wanted.allows(runtime)).or(able.first()).copied().unwrap_or(guides)
}

/// The archive at `path` against what the sources would pack now. Where `vendored` packages stand in for
/// own files that `gives_way` names, neither is missed.
pub fn judge_freshness(
    path: &str,
    archive: &[Record],
    sources: &[Record],
    vendored: &BTreeSet<String>,
    gives_way: impl Fn(&str) -> bool,
) -> Option<Box<Finding>> {
    let own: BTreeSet<_> = sources.iter().map(|record| first_part(&record.path)).collect();
    let all: BTreeSet<_> = archive.iter().map(|record| record.path.as_str()).collect();
    // What would make the platform install packages is in no archive that has them: then they stand in for
    // installed ones of the directory's own too.
    let mut installing = sources
        .iter()
        .map(|record| record.path.as_str())
        .filter(|path| gives_way(path) && !vendored.contains(first_part(path)))
        .peekable();
    let replaced = installing.peek().is_some() && installing.all(|path| !all.contains(path));
    let is_vendored = |record: &&Record| {
        let part = first_part(&record.path);
        vendored.contains(part) && (replaced || !own.contains(part))
    };
    let packages_stand_in = archive.iter().any(|record| is_vendored(&record));
    let archive: Vec<_> = archive.iter().filter(|record| !is_vendored(record)).collect();
    let packed: BTreeMap<_, _> = archive.iter().map(|record| (record.path.as_str(), *record)).collect();
    let sources: Vec<_> = sources
        .iter()
        .filter(|record| {
            packed.contains_key(record.path.as_str()) || !packages_stand_in || !gives_way(&record.path)
        })
        .collect();
    let changed = sources.iter().filter(|record| {
        packed.get(record.path.as_str()).is_some_and(|standing| standing.sha256 != record.sha256)
    });
    let wanted: BTreeSet<_> = sources.iter().map(|record| record.path.as_str()).collect();
    let absent = sources.iter().filter(|record| !packed.contains_key(record.path.as_str()));
    let left_over = archive.iter().filter(|record| !wanted.contains(record.path.as_str()));
    let lists = [
        ("changed since", paths(changed)),
        ("not in the archive", paths(absent)),
        ("only in the archive", paths(left_over)),
    ];
    let why: Vec<_> = lists
        .iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(what, paths)| format!("{what}: {}", finding::few(paths)))
        .collect();
    (!why.is_empty()).then(|| {
        finding::ARCHIVE_STALE
            .finding(format!("`{path}` does not hold what the function directory holds"))
            .why(why.join("\n"))
            .fix("rebuild it with `fnscaffold pack`")
            .at(path)
    })
}

fn paths<'a>(records: impl Iterator<Item = &'a &'a Record>) -> Vec<&'a str> {
    records.map(|record| record.path.as_str()).collect()
}

/// What is wrong with a version.json that is not that of function.toml and the archive.
pub fn wrong_version(path: &str, text: Option<&[u8]>, spec: &VersionSpec) -> Box<Finding> {
    let finding = match text {
        None => finding::VERSION_MISSING.finding(format!("`{path}` does not exist")),
        Some(text) => finding::VERSION_STALE
            .finding(format!("`{path}` does not match function.toml and the archive"))
            .why(version::describe_difference(text, spec)),
    };
    finding.fix("write archive and version.json with `fnscaffold pack`").at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<(&'static str, Option<u32>)> {
        let (manifest, lines) = manifest::parse(text).unwrap();
        judge_manifest(&manifest, &lines).iter().map(|finding| (finding.rule.id, finding.line)).collect()
    }

    const GOOD: &str = "name = 'my-app'\n[version]\nruntime = 'nodejs22'\nentrypoint = 'index.main'\nservice-account-id = 'ajeabcdefghijklmnopq'\n";

    #[test]
    fn a_good_manifest_has_no_finding() {
        assert_eq!(ids(GOOD), []);
    }

    #[test]
    fn each_value_is_judged_at_its_line() {
        for (from, to, id, line) in [
            ("my-app", "My App", "FN0204", 1),
            ("nodejs22", "nodejs20", "FN0205", 3),
            ("nodejs22", "nodejs16", "FN0206", 3),
            ("ajeabcdefghijklmnopq", "my-account", "FN0214", 5),
            ("ajeabcdefghijklmnopq", "", "FN0213", 5),
        ] {
            assert_eq!(ids(&GOOD.replace(from, to)), [(id, Some(line))], "{to}");
        }
        for (added, id, line) in [
            ("memory = '100MB'", "FN0207", 6),
            ("timeout = '0s'", "FN0208", 6),
            ("timeout = '601s'", "FN0209", 6),
            ("environment = { 1A = 'x' }", "FN0210", 6),
            ("[version.environment]\nA = 'x'\nPATH = 'x'", "FN0211", 8),
            ("tags = ['a',\n'$latest']", "FN0212", 7),
            ("concurrency = 17", "FN0218", 6),
            ("network-id = 'default'", "FN0224", 6),
            ("memory = '1GB'\ntmpfs-size = '800MB'", "FN0223", 7),
            ("named-service-accounts = { a = 'name' }", "FN0214", 6),
            ("[[version.secrets]]\nid='e6q0123456789abcdefg'\nkey=''\nenvironment-variable='A'", "FN0219", 8),
            ("[[version.mounts]]\nname = 'a'", "FN0220", 6),
            ("[version.log-options]\ngroup-id = 'a'\nfolder-id = 'b'", "FN0221", 8),
            ("[version.async-invocation]\nretries = 101", "FN0222", 7),
        ] {
            assert_eq!(ids(&format!("{GOOD}{added}\n")), [(id, Some(line))], "{added}");
        }
        assert_eq!(
            ids(&GOOD.replace("service-account-id = 'ajeabcdefghijklmnopq'\n", "")),
            [("FN0213", Some(2))]
        );
    }

    #[test]
    fn what_hides_a_handler_is_named() {
        for (name, text, lang, expected) in [
            ("index.js", "exports.handler = () => {", Lang::Nodejs, Some("FN0305")),
            ("src/index.ts", "export const handler = 1", Lang::Nodejs, Some("FN0315")),
            ("index.mjs", "export const handler = 1", Lang::Nodejs, Some("FN0314")),
            ("lib/index.js", "exports.x = 1", Lang::Nodejs, None),
            ("app.py", "def handler(", Lang::Python, Some("FN0305")),
            ("app.py", "x = 1", Lang::Python, None),
        ] {
            let sources = BTreeMap::from([(name.to_owned(), text.as_bytes().to_vec())]);
            assert_eq!(languages(&sources), [lang], "{name}");
            let found = obstacle(&sources, lang).map(|problem| problem.rule.id);
            assert_eq!(found, expected, "{name}: {text}");
        }
        let both = ["package.json", "index.py"].map(|name| (name.to_owned(), Vec::new()));
        assert_eq!(languages(&BTreeMap::from(both)), Lang::ALL);
    }

    #[test]
    fn the_runtime_must_have_what_the_code_uses() {
        for (text, expected) in [
            ("exports.handler = () => 1", "nodejs16"),
            ("exports.handler = () => fetch('x')", "nodejs22"),
            ("exports.handler = () => { a ??= 1; }", "nodejs16"),
            ("export const handler = () => 1", "nodejs22"),
            ("exports.handler = (event) => { fetch('x') }", "nodejs22"),
            ("exports.handler = (event, context, callback) => fetch('x').then(callback)", "nodejs22"),
        ] {
            let sources = BTreeMap::from([("index.js".to_owned(), text.as_bytes().to_vec())]);
            assert_eq!(runtime_for(&sources, Lang::Nodejs, "index.handler").id, expected, "{text}");
        }
    }

    #[test]
    fn the_runtime_is_one_that_the_project_asks_for() {
        for (lang, file, text, expected) in [
            (Lang::Nodejs, "package.json", r#"{"engines": {"node": ">=22"}}"#, "nodejs22"),
            (Lang::Nodejs, "package.json", r#"{"engines": {"node": "18.x"}}"#, "nodejs18"),
            (Lang::Nodejs, "package.json", r#"{"engines": {"node": "99"}}"#, "nodejs16"),
            (Lang::Python, "pyproject.toml", "[project]\nrequires-python = '>=3.12'", "python312"),
        ] {
            let code = "exports.handler = () => 1".as_bytes();
            let python = "def handler(event, context): return 1".as_bytes();
            let sources = BTreeMap::from([
                (file.to_owned(), text.as_bytes().to_vec()),
                ("index.js".to_owned(), code.to_vec()),
                ("index.py".to_owned(), python.to_vec()),
            ]);
            assert_eq!(runtime_for(&sources, lang, "index.handler").id, expected, "{text}");
        }
    }

    #[test]
    fn a_stale_archive_lists_what_differs() {
        let record = |path: &str, sha256: &str| Record { path: path.into(), size: 1, sha256: sha256.into() };
        let archive = [record("a", "1"), record("b", "1"), record("old", "1")];
        let judge = |archive: &[Record], sources: &[Record]| {
            let vendored = BTreeSet::from(["pkg".to_owned()]);
            judge_freshness("dist/x.zip", archive, sources, &vendored, |path| path == "lock")
        };
        assert!(judge(&archive, &archive).is_none());
        // Packages that were installed beside the code give way to those that are packed.
        let beside = [archive.as_slice(), &[record("pkg/dev", "1"), record("pkg/x", "2")]].concat();
        let packed = [archive.as_slice(), &[record("pkg/x", "1")]].concat();
        let with_lock = [beside.as_slice(), &[record("lock", "1")]].concat();
        let vendored = BTreeSet::from(["pkg".to_owned()]);
        let judge_beside = |sources: &[Record]| {
            let gives_way = |path: &str| path == "lock" || path.starts_with("pkg/");
            judge_freshness("dist/x.zip", &packed, sources, &vendored, gives_way)
        };
        assert!(judge_beside(&with_lock).is_none());
        assert!(judge_beside(&beside).is_some());
        let mut sources = vec![record("a", "2"), record("b", "1")];
        sources.extend((0..12).map(|number| record(&format!("new{number}"), "1")));
        let problem = judge(&archive, &sources).unwrap();
        assert_eq!(
            problem.why.as_deref(),
            Some(
                "changed since: a\nnot in the archive: new0, new1, new2, new3, new4, new5, new6, new7, new8, new9 and 2 more\nonly in the archive: old"
            )
        );
    }
}
