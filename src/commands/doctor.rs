//! `doctor`: this machine in, what of it can run functions and what follows from that out.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::model::finding::{Exit, Result};
use crate::outside::emulator::{Candidate, Program, Survey, survey};
use crate::outside::terminal::{Format, Terminal};

#[derive(Debug, Args)]
#[command(after_help = "Exit code 3 says that no function can run here; what else is missing is only told.")]
pub struct Doctor {
    /// Interpreters to judge instead of those on PATH
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    interpreter: Vec<PathBuf>,
}

impl Doctor {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let survey = survey(&self.interpreter);
        let can_run = survey.candidates.iter().any(|candidate| candidate.interpreter.is_some());
        let follows = follows(&survey);
        if context.terminal.format == Format::Text {
            tell(&context.terminal, &survey, &follows)?;
        } else {
            context.terminal.say_json(&json!({ "ok": can_run, "machine": survey, "follows": follows }))?;
        }
        Ok(if can_run { Exit::Done } else { Exit::Environment })
    }
}

fn tell(terminal: &Terminal, survey: &Survey, follows: &[String]) -> Result<()> {
    terminal.say(&terminal.faint("RUNTIME    PLATFORM  HERE      PATH"))?;
    for Candidate { runtime, wanted, interpreter, fits, .. } in &survey.candidates {
        let (version, path) = interpreter.as_ref().map_or(("none", String::new()), |found| {
            (found.version.as_str(), found.path.display().to_string())
        });
        let version = format!("{version:<9}");
        let version = if *fits { terminal.good(&version) } else { terminal.faint(&version) };
        terminal.say(format!("{runtime:<10} {wanted:<9} {version} {path}").trim_end())?;
    }
    let program = |found: &Option<Program>| {
        found.as_ref().map_or_else(
            || terminal.bad("none"),
            |found| format!("{} at `{}`", found.version, found.path.display()),
        )
    };
    terminal.say(&format!("npm: {}", program(&survey.npm)))?;
    let pip = survey.candidates.iter().filter(|candidate| candidate.supported);
    for candidate in pip.filter(|candidate| candidate.runtime.starts_with("python")) {
        terminal.say(&format!("pip for {}: {}", candidate.runtime, program(&candidate.pip)))?;
    }
    let refused =
        survey.cache_refused.as_ref().map_or_else(String::new, |why| terminal.bad(&format!(" {why}")));
    terminal.say(&format!("cache: `{}`{refused}", survey.cache.display()))?;
    terminal.say(&format!("169.254.169.254: {}", survey.metadata))?;
    for line in follows {
        terminal.say(&format!("- {line}"))?;
    }
    Ok(())
}

/// What cannot be done here, and what differs from the platform.
fn follows(survey: &Survey) -> Vec<String> {
    let supported = || survey.candidates.iter().filter(|candidate| candidate.supported);
    let list = |candidates: Vec<&Candidate>| {
        candidates.into_iter().map(|candidate| candidate.runtime).collect::<Vec<_>>().join(", ")
    };
    let missing = list(supported().filter(|candidate| candidate.interpreter.is_none()).collect());
    let differing =
        list(supported().filter(|candidate| candidate.interpreter.is_some() && !candidate.fits).collect());
    let without_pip = list(
        supported()
            .filter(|candidate| candidate.runtime.starts_with("python"))
            .filter(|candidate| candidate.interpreter.is_some() && candidate.pip.is_none())
            .collect(),
    );
    let mut follows = Vec::new();
    if !missing.is_empty() {
        follows.push(format!("functions of {missing} do not run here: install the interpreter"));
    }
    if !differing.is_empty() {
        follows.push(format!(
            "functions of {differing} run here on another version than on the platform, with a warning"
        ));
    }
    if survey.npm.is_none() {
        follows.push("Node.js functions with dependencies do not run here: install npm".to_owned());
    }
    if !without_pip.is_empty() {
        follows.push(format!("functions of {without_pip} with dependencies do not run here: install pip"));
    }
    if survey.cache_refused.is_some() {
        follows.push(
            "functions with dependencies do not run here: set FNSCAFFOLD_CACHE to a directory that can be written"
                .to_owned(),
        );
    }
    if follows.is_empty() {
        follows.push("functions of every supported runtime run here as on the platform".to_owned());
    }
    follows
}
