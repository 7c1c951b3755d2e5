//! `init`: code that is already there in, a function.toml beside it out, and nothing else touched.

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::new::{AnswerFlags, ask_language};
use crate::model::answers::{self, Answers, Defaults, Given};
use crate::model::finding::{self, Exit, Finding, Result, Severity};
use crate::model::manifest::{self, Manifest};
use crate::model::project::{self, MANIFEST_SCHEMA};
use crate::model::rules;
use crate::model::runtime::Lang;
use crate::model::settings::{self, DEFAULT_NAME};
use crate::outside::disk::{self, Files};
use crate::outside::stage::Stage;
use crate::outside::terminal::{Format, Terminal, harmless};

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

/// What an entry point looks like.
const EXAMPLE: &str = "index.main";

/// Directories that hold others' code, or none.
const PASSED_OVER: [&str; 7] =
    ["node_modules", "venv", "__pycache__", "site-packages", "coverage", "test", "tests"];

impl Init {
    pub fn run(self, context: &Context) -> Result<Exit> {
        judge_target(context)?;
        let code = disk::tree(&context.directory, None, |directory| {
            let name = directory.rsplit('/').next().unwrap_or(directory);
            !name.starts_with('.') && !PASSED_OVER.contains(&name)
        })?;
        let mut given = self.answers.given(self.name, None);
        let runtime_chosen = given.get("runtime").is_some();
        let answers = settle(&mut given, &code, context)?;
        let manifest = Manifest {
            name: answers.name.clone(),
            version: answers.to_version(),
            package: project::package_for(&answers.entrypoint),
            template: None,
        };
        let text = manifest.to_text(MANIFEST_SCHEMA);
        if !context.dry_run {
            let _turn = context.turn_in(&context.directory);
            // Somebody may have put it there while a person was asked.
            judge_target(context)?;
            let stage = Stage::within(&context.directory)?;
            stage.write(manifest::FILE, text.as_bytes())?;
            stage.merge_into(&context.directory)?;
        }
        let mut findings = rules::judge_entrypoint(&code, answers.runtime, &answers.entrypoint);
        if !runtime_chosen && !answers.runtime.supported {
            findings.push(rules::unsupported(answers.runtime));
        }
        let ok = findings.iter().all(|finding| finding.severity != Severity::Error);
        report(context, &answers, &text, ok, &findings)?;
        Ok(if ok { Exit::Done } else { Exit::Findings })
    }
}

fn judge_target(context: &Context) -> Result<()> {
    let target = context.directory.join(manifest::FILE);
    if context.force || disk::is_free(&target) {
        return Ok(());
    }
    let target = target.display().to_string();
    Err(finding::EXISTS
        .finding(format!("`{target}` exists"))
        .fix("`fnscaffold check` judges it; --force writes it anew")
        .at(target))
}

/// Finds in the code what was not given, and asks where the code leaves a choice.
fn settle(given: &mut Given, code: &Files, context: &Context) -> Result<Answers> {
    let terminal = &context.terminal;
    let langs = match given.lang()? {
        Some(lang) => vec![lang],
        None => Some(rules::languages(code)).filter(|langs| langs.len() == 1).unwrap_or(Lang::ALL.to_vec()),
    };
    let mut candidates: Vec<_> = langs.into_iter().map(|lang| (lang, rules::handlers(code, lang))).collect();
    let entrypoint = match given.get("entrypoint") {
        Some(text) => Some(text.to_owned()),
        None => choose_entrypoint(&mut candidates, code, context)?,
    };
    let mut open = Vec::new();
    let lang = match (candidates.as_slice(), &entrypoint) {
        ([(lang, _)], _) => Some(*lang),
        (_, Some(text)) => lang_of(&candidates, text, code),
        (_, None) => {
            let mut having = candidates.iter().filter(|(_, names)| !names.is_empty());
            having.next().filter(|_| having.next().is_none()).map(|(lang, _)| *lang)
        }
    };
    if lang.is_none() {
        open.push(answers::LANG);
    }
    if entrypoint.is_none() {
        let listed: Vec<_> = candidates.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
        let (allowed, example) = match listed.first() {
            None => (format!("FILE.FUNCTION; {}", nothing_found(&candidates, code)), EXAMPLE),
            Some(best) => (listed.join(" or "), *best),
        };
        let (allowed, example) = (allowed.into(), example.to_owned().into());
        open.push(answers::Question { key: "entrypoint", allowed, example });
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

/// The one that the code has; of several, the one that the person names, or with --yes the best guess. Where
/// the code has none, the person is asked for the language, if it is open, and for the entry point.
fn choose_entrypoint(
    candidates: &mut Vec<(Lang, Vec<String>)>,
    code: &Files,
    context: &Context,
) -> Result<Option<String>> {
    let terminal = &context.terminal;
    let names: Vec<_> = candidates.iter().flat_map(|(_, names)| names).cloned().collect();
    match names.as_slice() {
        [] if terminal.can_ask() => {
            if candidates.len() > 1 {
                let chosen = ask_language(terminal)?;
                candidates.retain(|(lang, _)| *lang == chosen);
            }
            terminal.note(&nothing_found(candidates, code));
            let lang = candidates.first().map(|(lang, _)| *lang);
            let judge = |text: &str| lang.map_or(Ok(()), |lang| is_written_well(code, lang, text));
            terminal.input("Entry point", EXAMPLE, judge).map(Some)
        }
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        [best, ..] if context.yes => Ok(Some(best.clone())),
        _ if terminal.can_ask() => Ok(Some(names[terminal.select("Entry point", &names, 0)?].clone())),
        _ => Ok(None),
    }
}

/// Whether a text is an entry point at all. Its file may still have to be written or compiled.
fn is_written_well(code: &Files, lang: Lang, entrypoint: &str) -> Result<()> {
    let findings = rules::judge_entrypoint(code, lang.latest_runtime(), entrypoint);
    match findings.into_iter().find(|problem| problem.rule == &finding::ENTRYPOINT_FORMAT) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// Why the code has no entry point, as far as can be told.
fn nothing_found(candidates: &[(Lang, Vec<String>)], code: &Files) -> String {
    let Some(problem) = candidates.iter().find_map(|(lang, _)| rules::obstacle(code, *lang)) else {
        return "no exported function with the parameters event and context was found".to_owned();
    };
    let place = problem.path.as_ref().zip(problem.line);
    let place = place.map(|(path, line)| format!(" ({path}:{line})")).unwrap_or_default();
    let fix = problem.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
    format!("{problem}{place}{fix}")
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

fn report(
    context: &Context,
    answers: &Answers,
    text: &str,
    ok: bool,
    findings: &[Box<Finding>],
) -> Result<()> {
    let terminal: &Terminal = &context.terminal;
    if terminal.format != Format::Text {
        let document = json!({
            "ok": ok,
            "dryRun": context.dry_run,
            "path": manifest::FILE,
            "answers": answers.to_map(),
            "findings": findings,
        });
        let error = findings.iter().find(|finding| finding.severity == Severity::Error);
        return terminal.say_verdict(document, error.map(|error| &**error));
    }
    if terminal.quiet {
        // Only errors are said then.
    } else if context.dry_run {
        terminal.say(text.trim_end())?;
        terminal.note("nothing was written: --dry-run");
    } else {
        let (runtime, entrypoint) = (answers.runtime.id, harmless(&answers.entrypoint));
        terminal.say(&format!("{} {}: {runtime}, {entrypoint}", terminal.good("created"), manifest::FILE))?;
    }
    for problem in findings {
        terminal.warn(problem);
    }
    if !context.dry_run {
        terminal.note("\nNext:");
        if !disk::is_current_directory(&context.directory) {
            terminal.note(&format!("  cd {}", shell_words::quote(&context.directory.to_string_lossy())));
        }
        terminal.note("  fnscaffold pack --list\n  fnscaffold pack\n  fnscaffold check");
    }
    Ok(())
}
