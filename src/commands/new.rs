//! `new`: answers in, a function directory out, whole or not at all.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::model::answers::{self, Answers, Given, flag_and_variable};
use crate::model::archive::Content;
use crate::model::digest::sha256;
use crate::model::finding::{self, Exit, Finding, Result};
use crate::model::manifest;
use crate::model::mode::Mode;
use crate::model::package::{DIST, DIST_FILES};
use crate::model::project::Project;
use crate::model::rules;
use crate::model::runtime::{Lang, RUNTIMES, Runtime};
use crate::model::settings;
use crate::model::template::Templates;
use crate::model::tree_view::{draw, human_size};
use crate::model::version::VersionSpec;
use crate::outside::disk;
use crate::outside::emulator::language_name;
use crate::outside::packing;
use crate::outside::stage::{Stage, judge_place};
use crate::outside::terminal::{Format, Terminal};

#[derive(Debug, Args)]
#[command(
    after_help = "What is not answered is as in the vendor's guide: runtime nodejs16 or python311, entry point index.main, memory 128MB, timeout 3s. --lang and --mode have no default. With --force, the function.toml that is overwritten answers before that."
)]
pub struct New {
    /// The function's name, and the directory to write [default: my-app]
    #[arg(env = "FNSCAFFOLD_NAME", hide_env = true)]
    name: Option<String>,
    /// Where the token comes from: context (the call's context) or api (the metadata service)
    #[arg(long, value_name = "MODE", env = "FNSCAFFOLD_MODE", hide_env = true)]
    mode: Option<String>,
    #[command(flatten)]
    answers: AnswerFlags,
    /// The directory to write, instead of ./NAME
    #[arg(short, long, value_name = "DIR", env = "FNSCAFFOLD_OUTPUT", hide_env = true)]
    output: Option<PathBuf>,
    /// Take templates from DIR, laid out as the built-in ones
    #[arg(long, value_name = "DIR", env = "FNSCAFFOLD_TEMPLATE", hide_env = true)]
    template: Option<PathBuf>,
    /// Take answers that no flag gives from a TOML or JSON file; - is standard input
    #[arg(long = "answers", value_name = "FILE", env = "FNSCAFFOLD_ANSWERS", hide_env = true)]
    answers_file: Option<PathBuf>,
    /// Print the answers as an answers file; write nothing
    #[arg(long)]
    print_answers: bool,
    /// Do not write the archive and version.json
    #[arg(long)]
    no_pack: bool,
}

// The questions of `new`, as flags.
#[derive(Debug, Args)]
pub struct AnswerFlags {
    /// The language: nodejs (node, js) or python (py)
    #[arg(long, value_name = "LANG", env = "FNSCAFFOLD_LANG", hide_env = true)]
    pub lang: Option<String>,
    /// The runtime's id, or latest
    #[arg(long, value_name = "ID", env = "FNSCAFFOLD_RUNTIME", hide_env = true)]
    pub runtime: Option<String>,
    /// The handler's file without extension, a dot, its function
    #[arg(long, value_name = "FILE.FUNCTION", env = "FNSCAFFOLD_ENTRYPOINT", hide_env = true)]
    pub entrypoint: Option<String>,
    /// Memory, 128MB to 8GB in steps of 128MB
    #[arg(long, value_name = "SIZE", env = "FNSCAFFOLD_MEMORY", hide_env = true)]
    pub memory: Option<String>,
    /// Timeout, 1s to 3600s
    #[arg(long, value_name = "SECONDS", env = "FNSCAFFOLD_TIMEOUT", hide_env = true)]
    pub timeout: Option<String>,
    /// The service account whose token the function gets
    #[arg(long, value_name = "ID", env = "FNSCAFFOLD_SERVICE_ACCOUNT_ID", hide_env = true)]
    pub service_account_id: Option<String>,
}

impl AnswerFlags {
    /// The answers that flags and environment give.
    pub fn given(self, name: Option<String>, mode: Option<String>) -> Given {
        let mut given = Given::default();
        let answers = [
            ("name", name),
            ("lang", self.lang),
            ("mode", mode),
            ("runtime", self.runtime),
            ("entrypoint", self.entrypoint),
            ("memory", self.memory),
            ("timeout", self.timeout),
            ("service-account-id", self.service_account_id),
        ];
        for (key, answer) in answers {
            if let Some(text) = answer {
                given.offer(key, text, flag_and_variable(key));
            }
        }
        given
    }
}

impl New {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let own = self.template.map(|directory| disk::templates(&context.directory.join(directory)));
        let own = own.transpose()?;
        let mut given = self.answers.given(self.name, self.mode);
        if let Some(file) = &self.answers_file {
            given.offer_file(&disk::read_argument(&context.directory, file)?, &file.display().to_string())?;
        }
        let output = self.output.as_deref();
        if terminal.can_ask() {
            given.judge()?;
            ask_name(&mut given, context, output)?;
        }
        let name = given.get("name").unwrap_or(settings::DEFAULT_NAME);
        let shown = output.unwrap_or_else(|| Path::new(name)).to_owned();
        // Without the dots that the system takes no new directory for.
        let target: PathBuf = context.directory.join(&shown).components().collect();
        if context.force
            && let Ok(Some((manifest, _))) = disk::manifest_at(&target.join(manifest::FILE))
        {
            given.offer_manifest(&manifest, &shown.join(manifest::FILE).display().to_string());
        }
        if terminal.can_ask() {
            ask(&mut given, terminal)?;
        }
        let (mode, runtime) = given.choice()?;
        let templates = own.unwrap_or_else(|| Templates::embedded_for(runtime.lang));
        let template = templates.find(mode, runtime)?;
        let answers = given.settle(Some(mode), runtime, &template.facts.defaults())?;
        if self.print_answers {
            return print_answers(terminal, &answers);
        }
        let is_empty = judge_target(&target, &shown, context.force)?;
        let mut project = Project::render(template, &answers)?;
        let spec = if self.no_pack { None } else { Some(packing::in_memory(&mut project)?) };
        judge_place(&target, project.files.keys())?;
        let not_packed = if spec.is_none() || is_empty { Vec::new() } else { not_packed(&target, &project) };
        let stands = |path: &&String| !is_empty && !disk::is_free(&target.join(path));
        let overwritten = project.files.keys().filter(stands).cloned().collect();
        let made = Made { project, spec, answers, shown, overwritten, not_packed };
        if terminal.can_ask() && !made.confirmed(terminal)? {
            return Err(crate::outside::interrupt::finding());
        }
        if !context.dry_run {
            write(context, &target, &made)?;
        }
        made.report(context)?;
        Ok(Exit::Done)
    }
}

fn answer(given: &mut Given, key: &'static str, text: String) {
    given.offer(key, text, "the prompt".to_owned());
}

fn ask_name(given: &mut Given, context: &Context, output: Option<&Path>) -> Result<()> {
    if given.get("name").is_some() {
        return Ok(());
    }
    let name = context.terminal.input("Name", settings::DEFAULT_NAME, |name| {
        settings::check_name(name)?;
        let shown = output.unwrap_or_else(|| Path::new(name));
        judge_target(&context.directory.join(shown), shown, context.force).map(drop)
    })?;
    answer(given, "name", name);
    Ok(())
}

/// Asks for what nothing has answered, but the name.
fn ask(given: &mut Given, terminal: &Terminal) -> Result<()> {
    let lang = match given.lang()? {
        Some(lang) => lang,
        None => {
            let lang = ask_language(terminal)?;
            answer(given, "lang", lang.id().to_owned());
            lang
        }
    };
    if given.mode()?.is_none() {
        let choices = Mode::ALL.map(|mode| format!("{mode:<8} {}", mode.about()));
        let mode = Mode::ALL[terminal.select("IAM token from", &choices, 0)?];
        answer(given, "mode", mode.id().to_owned());
    }
    if given.get("runtime").is_none() {
        let runtimes: Vec<_> = RUNTIMES.iter().rev().filter(|runtime| runtime.lang == lang).collect();
        let choices: Vec<_> = runtimes.iter().map(|runtime| describe_runtime(runtime)).collect();
        let default = runtimes.iter().position(|runtime| *runtime == lang.default_runtime()).unwrap_or(0);
        let runtime = runtimes[terminal.select("Runtime", &choices, default)?];
        answer(given, "runtime", runtime.id.to_owned());
    }
    if given.get("service-account-id").is_none() {
        let id = terminal.input("Service account id, or nothing", "", |_| Ok(()))?;
        answer(given, "service-account-id", id);
    }
    type Judge<'a> = &'a dyn Fn(&str) -> Result<()>;
    let settings: [(&'static str, &str, &str, Judge<'_>); 3] = [
        ("entrypoint", "Entry point", "index.main", &|text| answers::judge_written(text, lang)),
        ("memory", "Memory", "128MB", &|text| settings::parse_memory(text).map(drop)),
        ("timeout", "Timeout", "3s", &|text| settings::parse_timeout(text).map(drop)),
    ];
    let open: Vec<_> = settings.iter().filter(|(key, ..)| given.get(key).is_none()).collect();
    if !open.is_empty() && terminal.confirm("Change entry point, memory or timeout?", false)? {
        for (key, question, default, judge) in open {
            let text = terminal.input(question, default, judge)?;
            answer(given, key, text);
        }
    }
    Ok(())
}

pub fn ask_language(terminal: &Terminal) -> Result<Lang> {
    let choices = Lang::ALL.map(|lang| language_name(lang).to_owned());
    Ok(Lang::ALL[terminal.select("Language", &choices, 0)?])
}

fn describe_runtime(runtime: &Runtime) -> String {
    let remark = match (runtime.supported, runtime == runtime.lang.default_runtime()) {
        (true, _) => "supported",
        (false, true) => "the guide's; no longer supported",
        (false, false) => "no longer supported",
    };
    format!("{:<10} {remark}", runtime.id)
}

fn print_answers(terminal: &Terminal, answers: &Answers) -> Result<Exit> {
    let map = answers.to_map();
    if terminal.format == Format::Text {
        let text = toml::to_string(&map).expect("a map of strings always serialises");
        terminal.say_bytes(text.as_bytes())?;
    } else {
        terminal.say_json(&map)?;
    }
    Ok(Exit::Done)
}

/// Whether `target` holds nothing yet; anything in it is an error unless it may be overwritten.
fn judge_target(target: &Path, shown: &Path, force: bool) -> Result<bool> {
    let exists = |message: String, fix: &str| {
        finding::EXISTS.finding(message).fix(fix).at(shown.display().to_string())
    };
    let Some(names) = disk::list_directory(target)? else {
        return Err(exists(
            format!("`{}` exists and is no directory", shown.display()),
            "take another NAME or -o DIR",
        ));
    };
    if names.is_empty() || force {
        return Ok(names.is_empty());
    }
    Err(exists(
        format!("the directory `{}` is not empty", shown.display()),
        "take another NAME or -o DIR, or overwrite what `new` writes with --force",
    )
    .why(format!("in the way: {}", finding::few(&names))))
}

/// Files that stand in `target` already and that an archive of `project` alone does not have.
fn not_packed(target: &Path, project: &Project) -> Vec<String> {
    // What keeps them from being listed is told by `pack`.
    let collected = disk::selection(target, &project.manifest)
        .and_then(|selection| disk::collect(target, &selection))
        .map_or_else(|_| Vec::new(), |collected| collected.files);
    let paths = collected.iter().map(|file| file.path().to_owned());
    paths.filter(|path| !project.files.contains_key(path)).collect()
}

fn write(context: &Context, target: &Path, made: &Made) -> Result<()> {
    let Made { project, shown, .. } = made;
    fn in_dist(path: &str) -> Option<&str> {
        path.strip_prefix(DIST)?.strip_prefix('/')
    }
    let (dist, sources): (Vec<_>, Vec<_>) =
        project.files.iter().partition(|(path, _)| in_dist(path).is_some());
    if disk::is_free(target) {
        let stage = Stage::beside(target)?;
        for (path, bytes) in dist.into_iter().chain(sources) {
            stage.write(path, bytes)?;
        }
        return stage.become_directory(target);
    }
    let _turn = context.turn_in(target);
    // Somebody may have put something there while a person was asked.
    judge_target(target, shown, context.force)?;
    judge_place(target, project.files.keys())?;
    let stage = Stage::within(target)?;
    let dist_stage = Stage::within(target)?;
    for (path, bytes) in sources {
        stage.write(path, bytes)?;
    }
    for (path, bytes) in &dist {
        dist_stage.write(in_dist(path).unwrap_or(path), bytes)?;
    }
    stage.merge_into(target)?;
    if dist.is_empty() { Ok(()) } else { dist_stage.become_dist(target, &DIST_FILES) }
}

/// A project and what is to be said of it.
struct Made {
    project: Project,
    spec: Option<VersionSpec>,
    answers: Answers,
    shown: PathBuf,
    /// Files of the project that stood there before.
    overwritten: Vec<String>,
    /// What stood in the directory before and is packed by the next `pack` only.
    not_packed: Vec<String>,
}

impl Made {
    fn confirmed(&self, terminal: &Terminal) -> Result<bool> {
        terminal.note("");
        for line in self.tree() {
            terminal.note(&line);
        }
        if !self.overwritten.is_empty() {
            terminal.note(&format!("overwrites: {}", self.overwritten.join(", ")));
        }
        terminal.confirm("Write it?", true)
    }

    fn report(&self, context: &Context) -> Result<()> {
        let terminal = &context.terminal;
        if terminal.format != Format::Text {
            return terminal.say_json(&self.document(context));
        }
        if terminal.quiet {
            return Ok(());
        }
        if terminal.can_ask() {
            terminal.say(&format!("{} {}/", terminal.good("created"), self.shown.display()))?;
        } else {
            for line in self.tree() {
                terminal.say(&line)?;
            }
        }
        if let Some(spec) = &self.spec {
            let archive = &spec.archive;
            terminal.say(&format!("{} {} bytes, sha256 {}", archive.file, archive.size, archive.sha256))?;
        }
        if !self.overwritten.is_empty() {
            terminal.note(&format!("overwritten: {}", self.overwritten.join(", ")));
        }
        if !self.not_packed.is_empty() {
            terminal.note(&format!(
                "not in the archive, as they were here before: {}; `fnscaffold pack` packs them too",
                finding::few(&self.not_packed)
            ));
        }
        for problem in self.remarks() {
            terminal.warn(&problem);
        }
        if context.dry_run {
            terminal.note("nothing was written: --dry-run");
        } else {
            terminal.note("\nNext:");
            for command in self.next(context) {
                terminal.note(&format!("  {command}"));
            }
        }
        Ok(())
    }

    fn tree(&self) -> Vec<String> {
        let files: Vec<_> = self
            .project
            .files
            .iter()
            .map(|(path, bytes)| (path.clone(), human_size(bytes.len() as u64)))
            .collect();
        let mut lines = vec![format!("{}/", self.shown.display())];
        lines.extend(draw(&files));
        lines
    }

    /// What a person should know although all went well.
    fn remarks(&self) -> Vec<Box<Finding>> {
        let runtime = self.answers.runtime;
        let mut remarks = Vec::new();
        if !self.answers.runtime_chosen && !runtime.supported {
            remarks.push(rules::unsupported(runtime));
        }
        match &self.answers.service_account_id {
            None => remarks.push(finding::SERVICE_ACCOUNT_MISSING.finding(
                "no service account: the function will get no token until `service-account-id` is set in function.toml",
            )),
            Some(id) => remarks.extend(settings::check_service_account(id).err()),
        }
        remarks
    }

    fn next(&self, context: &Context) -> Vec<String> {
        let place = if context.directory == Path::new(".") {
            self.shown.clone()
        } else {
            context.directory.join(&self.shown)
        };
        let mut next = Vec::new();
        if !disk::is_current_directory(&place) {
            next.push(format!("cd {}", shell_words::quote(&place.to_string_lossy())));
        }
        next.push("fnscaffold check".to_owned());
        next.push("fnscaffold invoke".to_owned());
        next.push("fnscaffold pack".to_owned());
        next
    }

    fn document(&self, context: &Context) -> serde_json::Value {
        let files: Vec<_> = self
            .project
            .files
            .iter()
            .map(|(path, bytes)| json!({ "path": path, "size": bytes.len(), "sha256": sha256(bytes) }))
            .collect();
        json!({
            "ok": true,
            "dryRun": context.dry_run,
            "directory": self.shown.display().to_string(),
            "answers": self.answers.to_map(),
            "files": files,
            "archive": self.spec.as_ref().map(|spec| &spec.archive),
            "overwritten": self.overwritten,
            "notPacked": self.not_packed,
            "findings": self.remarks(),
            "next": if context.dry_run { Vec::new() } else { self.next(context) },
        })
    }
}
