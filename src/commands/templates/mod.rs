//! `templates`: what there is, what it asks, what it writes, and whether it works.

mod render;
mod test;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::commands::Context;
use crate::model::answers::{self, Answers, KEYS, flag_and_variable};
use crate::model::finding::{self, Exit, Result};
use crate::model::mode::Mode;
use crate::model::project::Project;
use crate::model::runtime::{Lang, RUNTIMES, Runtime};
use crate::model::settings::{DEFAULT_NAME, parse_runtime};
use crate::model::template::{Template, Templates as All};
use crate::model::tree_view::human_size;
use crate::outside::disk;
use crate::outside::terminal::{Format, Terminal};

#[derive(Debug, Args)]
pub struct Templates {
    #[command(subcommand)]
    action: Action,
    /// Take templates from DIR, laid out as the built-in ones
    #[arg(long, value_name = "DIR", global = true, env = "FNSCAFFOLD_TEMPLATE", hide_env = true)]
    template: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the templates with their modes and runtimes
    List,
    /// Print a template's files, as they are before rendering
    Show {
        /// The template's name, as `list` shows it
        name: String,
    },
    /// Say what a template asks for; with --format json, as a JSON Schema of the answers
    Describe {
        /// The template's name, as `list` shows it
        name: String,
    },
    Render(render::Render),
    Test(test::Test),
}

/// One function directory that the templates can make.
#[derive(Clone, Copy)]
struct Combination<'a> {
    template: &'a Template,
    mode: Mode,
    runtime: &'static Runtime,
}

impl Templates {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let is_own = self.template.is_some();
        let templates = match self.template {
            None => All::embedded(),
            Some(directory) => disk::templates(&context.directory.join(directory))?,
        };
        match self.action {
            Action::List => list(terminal, &templates)?,
            Action::Show { name } => show(terminal, templates.by_name(&name)?)?,
            Action::Describe { name } => describe(terminal, templates.by_name(&name)?)?,
            Action::Render(action) => return action.run(context, &templates),
            Action::Test(action) => return action.run(context, &templates, is_own),
        }
        Ok(Exit::Done)
    }
}

fn list(terminal: &Terminal, templates: &All) -> Result<()> {
    if terminal.format != Format::Text {
        let rows: Vec<_> = templates.iter().map(facts).collect();
        return terminal.say_json(&json!({ "ok": true, "templates": rows }));
    }
    let width = templates.iter().map(|template| template.name.len()).max().unwrap_or(0);
    terminal.say(&terminal.faint(&format!("{:<width$}  MODE     RUNTIMES", "NAME")))?;
    for template in templates.iter() {
        let facts = &template.facts;
        terminal.say(&format!(
            "{:<width$}  {:<7}  {}",
            template.name,
            facts.mode,
            facts.runtimes.join(" ")
        ))?;
        terminal.say(&terminal.faint(&format!("{:<width$}  {}", "", facts.about)))?;
    }
    Ok(())
}

fn facts(template: &Template) -> serde_json::Value {
    let facts = &template.facts;
    json!({
        "name": template.name,
        "lang": template.lang,
        "mode": facts.mode,
        "runtimes": facts.runtimes,
        "about": facts.about,
        "version": facts.version,
        "files": template.files.keys().collect::<Vec<_>>(),
    })
}

fn show(terminal: &Terminal, template: &Template) -> Result<()> {
    fn text(bytes: &[u8]) -> Option<&str> {
        std::str::from_utf8(bytes).ok()
    }
    if terminal.format != Format::Text {
        let mut document = facts(template);
        let files: BTreeMap<_, _> = template.files.iter().map(|(file, bytes)| (file, text(bytes))).collect();
        document["files"] = json!(files);
        document["ok"] = true.into();
        return terminal.say_json(&document);
    }
    for (index, (file, bytes)) in template.files.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        terminal.say(&format!("{gap}{}", terminal.faint(&format!("--- {}/{file}", template.name))))?;
        match text(bytes) {
            Some(text) => terminal.say(text.trim_end())?,
            None => {
                terminal.say(&terminal.faint(&format!("{}, not UTF-8", human_size(bytes.len() as u64))))?
            }
        }
    }
    Ok(())
}

/// What each answer takes, and what it is when nobody answers.
fn questions(template: &Template) -> Vec<(&'static str, String, Option<String>)> {
    let facts = &template.facts;
    let default = template.lang.default_runtime().id;
    let runtime = facts.runtimes.iter().find(|id| *id == default);
    KEYS.into_iter()
        .map(|key| match key {
            "name" => (key, "3 to 63 of a-z, 0-9 and -".to_owned(), Some(DEFAULT_NAME.to_owned())),
            "lang" => (key, template.lang.id().to_owned(), None),
            "mode" => (key, facts.mode.id().to_owned(), None),
            "runtime" => (key, facts.runtimes.join(", "), runtime.cloned()),
            "entrypoint" => (key, "FILE.FUNCTION".to_owned(), Some(facts.entrypoint.clone())),
            "memory" => (key, "128MB to 8GB in steps of 128MB".to_owned(), Some(facts.memory.clone())),
            "timeout" => (key, "1s to 3600s".to_owned(), Some(facts.timeout.clone())),
            _ => (key, "the id of a service account".to_owned(), None),
        })
        .collect()
}

fn describe(terminal: &Terminal, template: &Template) -> Result<()> {
    let questions = questions(template);
    let mut required = vec![answers::LANG.key, answers::MODE.key];
    if questions.iter().any(|(key, _, default)| *key == "runtime" && default.is_none()) {
        required.push("runtime");
    }
    if terminal.format == Format::Text {
        terminal.say(&format!("{}: {}", template.name, template.facts.about))?;
        for (key, allowed, default) in questions {
            let default = match default {
                Some(default) => format!(" [default: {default}]"),
                None if required.contains(&key) => " [required]".to_owned(),
                None => String::new(),
            };
            terminal.say(&format!("\n{}\n    {allowed}{default}", flag_and_variable(key)))?;
        }
        return Ok(());
    }
    let properties: serde_json::Map<_, _> = questions
        .into_iter()
        .map(|(key, allowed, default)| {
            let mut property = json!({ "type": "string", "description": allowed });
            match key {
                "name" => property["pattern"] = "^[a-z][-a-z0-9]{1,61}[a-z0-9]$".into(),
                "lang" => property["const"] = template.lang.id().into(),
                "mode" => property["const"] = template.facts.mode.id().into(),
                "runtime" => property["enum"] = json!(template.facts.runtimes),
                _ => {}
            }
            if let Some(default) = default {
                property["default"] = default.into();
            }
            (key.to_owned(), property)
        })
        .collect();
    terminal.say_json(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": template.name,
        "description": template.facts.about,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}

/// Which combinations are meant: all, or those of one language, mode or runtime.
#[derive(Debug, Default, Args)]
struct Filter {
    /// Only this language
    #[arg(long, value_enum, value_name = "LANG", env = "FNSCAFFOLD_LANG", hide_env = true)]
    lang: Option<Lang>,
    /// Only this mode
    #[arg(long, value_enum, value_name = "MODE", env = "FNSCAFFOLD_MODE", hide_env = true)]
    mode: Option<Mode>,
    /// Only this runtime
    #[arg(long, value_name = "ID", env = "FNSCAFFOLD_RUNTIME", hide_env = true)]
    runtime: Option<String>,
}

impl Filter {
    const fn is_open(&self) -> bool {
        self.lang.is_none() && self.mode.is_none() && self.runtime.is_none()
    }

    /// Templates of the person's own need not cover everything.
    fn combinations<'a>(&self, templates: &'a All) -> Result<Vec<Combination<'a>>> {
        if let Some(id) = self.runtime.as_deref() {
            parse_runtime(id)?;
        }
        let mut combinations = Vec::new();
        for runtime in RUNTIMES {
            for mode in Mode::ALL {
                let wanted = self.lang.is_none_or(|lang| lang == runtime.lang)
                    && self.mode.is_none_or(|wanted| wanted == mode)
                    && self.runtime.as_deref().is_none_or(|id| id == runtime.id);
                if wanted && let Ok(template) = templates.find(mode, runtime) {
                    combinations.push(Combination { template, mode, runtime });
                }
            }
        }
        if combinations.is_empty() {
            return Err(finding::TEMPLATE_MISSING
                .finding("no template is for what --lang, --mode and --runtime select")
                .fix("`fnscaffold templates list` shows what there is"));
        }
        Ok(combinations)
    }
}

impl Combination<'_> {
    /// Where `render` writes it.
    fn path(&self) -> String {
        format!("{}/{}/{}", self.runtime.lang, self.mode, self.runtime.id)
    }

    /// Whether a file below the directory of samples is its.
    fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&self.path()).is_some_and(|rest| rest.starts_with('/'))
    }

    fn project(&self) -> Result<Project> {
        let facts = &self.template.facts;
        Project::render(
            self.template,
            &Answers {
                name: DEFAULT_NAME.to_owned(),
                mode: Some(self.mode),
                runtime: self.runtime,
                runtime_chosen: true,
                entrypoint: facts.entrypoint.clone(),
                memory: facts.memory.clone(),
                timeout: facts.timeout.clone(),
                service_account_id: None,
            },
        )
    }
}
