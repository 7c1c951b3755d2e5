//! `init`: code that is already there in, a function.toml beside it out, and nothing else touched.

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::new::AnswerFlags;
use crate::model::answers::{self, Answers, Defaults, Given};
use crate::model::finding::{self, Exit, Finding, Result};
use crate::model::manifest::{self, Manifest, Package};
use crate::model::project::{DIST, MANIFEST_SCHEMA};
use crate::model::rules;
use crate::model::runtime::Lang;
use crate::model::settings::{self, DEFAULT_NAME};
use crate::outside::disk::{self, Files};
use crate::outside::stage::Stage;
use crate::outside::terminal::{Format, Terminal};

#[derive(Debug, Args)]
#[command(
    after_help = "Language, runtime and entry point that are not given are found in the code; where it leaves a choice, you are asked. Nothing else is touched."
)]
pub struct Init {
    /// The function's name [default: as the directory]
    #[arg(env = "FNSCAFFOLD_NAME", hide_env = true)]
    name: Option<String>,
    #[command(flatten)]
    answers: AnswerFlags,
}

/// Directories that hold others' code, or none.
const PASSED_OVER: [&str; 7] =
    ["node_modules", "venv", "__pycache__", "site-packages", "coverage", "test", "tests"];

impl Init {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let target = context.directory.join(manifest::FILE);
        if !context.force && disk::read_if_there(&target)?.is_some() {
            return Err(finding::EXISTS
                .finding(format!("`{}` exists", target.display()))
                .fix("`fnscaffold check` judges it; --force writes it anew")
                .at(target.display().to_string()));
        }
        let code = disk::tree(&context.directory, None, |directory| {
            let name = directory.rsplit('/').next().unwrap_or(directory);
            !name.starts_with('.') && !PASSED_OVER.contains(&name)
        })?;
        let mut given = self.answers.given(self.name, None);
        let answers = settle(&mut given, &code, context)?;
        let manifest = Manifest {
            name: answers.name.clone(),
            version: answers.to_version(),
            package: package(&answers.entrypoint),
            template: None,
        };
        let text = manifest.to_text(MANIFEST_SCHEMA);
        if !context.dry_run {
            let _turn = context.turn_in(&context.directory);
            let stage = Stage::within(&context.directory)?;
            stage.write(manifest::FILE, text.as_bytes())?;
            stage.merge_into(&context.directory)?;
        }
        let findings = rules::judge_entrypoint(&code, answers.runtime, &answers.entrypoint);
        report(context, &answers, &text, &findings)?;
        Ok(Exit::Done)
    }
}

/// What is packed: everything, and `dist/` too where the code was built into it.
fn package(entrypoint: &str) -> Package {
    let built = entrypoint.starts_with(&format!("{DIST}/"));
    let exclude = if built { vec![format!("!/{DIST}/")] } else { Vec::new() };
    Package { exclude, ..Package::default() }
}

/// Finds in the code what was not given, and asks where the code leaves a choice.
fn settle(given: &mut Given, code: &Files, context: &Context) -> Result<Answers> {
    let terminal = &context.terminal;
    let candidates = match given.lang()? {
        Some(lang) => vec![(lang, rules::handlers(code, lang))],
        None => Lang::ALL.map(|lang| (lang, rules::handlers(code, lang))).to_vec(),
    };
    let entrypoint = match given.get("entrypoint") {
        Some(text) => Some(text.to_owned()),
        None => choose_entrypoint(&candidates, context)?,
    };
    let mut open = Vec::new();
    let lang = match (given.lang()?, &entrypoint) {
        (Some(lang), _) => Some(lang),
        (None, Some(text)) => lang_of(&candidates, text, code),
        (None, None) => {
            let mut having = candidates.iter().filter(|(_, names)| !names.is_empty());
            having.next().filter(|_| having.next().is_none()).map(|(lang, _)| *lang)
        }
    };
    if lang.is_none() {
        open.push(answers::LANG);
    }
    let listed: Vec<_> = candidates.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
    let allowed = match listed.len() {
        0 => "FILE.FUNCTION; no exported function with the parameters event and context was found".to_owned(),
        _ => listed.join(" or "),
    };
    if entrypoint.is_none() {
        open.push(answers::Question { key: "entrypoint", allowed: allowed.into() });
    }
    let (Some(lang), Some(entrypoint)) = (lang, entrypoint) else {
        return Err(answers::missing_finding(&open.iter().collect::<Vec<_>>()));
    };
    if given.get("runtime").is_none() {
        let runtime = rules::runtime_for(code, lang, &entrypoint);
        given.offer("runtime", runtime.id.to_owned(), "the code".to_owned());
    }
    if given.get("name").is_none() {
        let directory = disk::directory_name(&context.directory);
        let name = directory.as_deref().and_then(settings::suggest_name);
        let mut name = name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        if terminal.can_ask() {
            name = terminal.input("Name", &name, settings::check_name)?;
        }
        given.offer("name", name, "the directory's name".to_owned());
    }
    let runtime = given.runtime_for(lang)?;
    let (memory, timeout) = (manifest::default_memory(), manifest::default_timeout());
    let defaults = Defaults { entrypoint: &entrypoint, memory: &memory, timeout: &timeout };
    given.settle(None, runtime, &defaults)
}

/// The one that the code has; of several, the one that the person names, or with --yes the best guess.
fn choose_entrypoint(candidates: &[(Lang, Vec<String>)], context: &Context) -> Result<Option<String>> {
    let terminal = &context.terminal;
    let names: Vec<_> = candidates.iter().flat_map(|(_, names)| names).cloned().collect();
    match names.as_slice() {
        [] if terminal.can_ask() => terminal.input("Entry point", "index.main", |_| Ok(())).map(Some),
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        [best, ..] if context.yes => Ok(Some(best.clone())),
        _ if terminal.can_ask() => Ok(Some(names[terminal.select("Entry point", &names, 0)?].clone())),
        _ => Ok(None),
    }
}

/// The language whose file the entry point names.
fn lang_of(candidates: &[(Lang, Vec<String>)], entrypoint: &str, code: &Files) -> Option<Lang> {
    let found = candidates.iter().find(|(_, names)| names.iter().any(|name| name == entrypoint));
    found.map(|(lang, _)| *lang).or_else(|| {
        Lang::ALL.into_iter().find(|lang| {
            let runtime = lang.latest_runtime();
            let missing = [finding::ENTRYPOINT_FORMAT.id, finding::ENTRYPOINT_FILE_MISSING.id];
            rules::judge_entrypoint(code, runtime, entrypoint)
                .iter()
                .all(|problem| !missing.contains(&problem.rule.id))
        })
    })
}

fn report(context: &Context, answers: &Answers, text: &str, findings: &[Box<Finding>]) -> Result<()> {
    let terminal: &Terminal = &context.terminal;
    if terminal.format != Format::Text {
        return terminal.say_json(&json!({
            "ok": true,
            "dryRun": context.dry_run,
            "path": manifest::FILE,
            "answers": answers.to_map(),
            "findings": findings,
        }));
    }
    if terminal.quiet {
        return Ok(());
    }
    if context.dry_run {
        terminal.say(text.trim_end())?;
        terminal.note("nothing was written: --dry-run");
    } else {
        let (runtime, entrypoint) = (answers.runtime.id, &answers.entrypoint);
        terminal.say(&format!("{} {}: {runtime}, {entrypoint}", terminal.good("created"), manifest::FILE))?;
    }
    for problem in findings {
        terminal.warn(problem);
    }
    if !context.dry_run {
        terminal.note("\nNext:\n  fnscaffold pack --list\n  fnscaffold pack\n  fnscaffold check");
    }
    Ok(())
}
