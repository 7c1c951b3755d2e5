//! `public`: on or off in, whether everyone may call the function out.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::commands::Context;
use crate::commands::access::Access;
use crate::model::cloud::exposure;
use crate::model::cloud::records::{Binding, Function};
use crate::model::finding::{self, Exit, Result};
use crate::model::manifest::Manifest;
use crate::model::settings::parse_runtime;
use crate::outside::cloud::{BindingChange, Cloud};
use crate::outside::disk::{self, Files};
use crate::outside::interrupt;
use crate::outside::terminal::Format;

#[derive(Debug, Args)]
pub struct Public {
    #[arg(value_enum)]
    state: State,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Everyone on the internet may call it
    On,
    /// Only who has the role functions.functionInvoker
    Off,
}

impl Public {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        if self.state == State::On {
            judge(context, &manifest)?;
            let warning = format!("everyone on the internet may call `{}`, at your expense", manifest.name);
            terminal.warn(&finding::PUBLIC.finding(warning));
        }
        let progress = |line: &str| terminal.progress(line);
        let (cloud, function) = self.access.open_function(context, &manifest, &progress)?;
        let changed = self.change(context, &cloud, &function);
        terminal.end_progress();
        let changed = changed?;
        if terminal.format != Format::Text {
            terminal.say_json(&json!({
                "ok": true,
                "dryRun": context.dry_run,
                "function": { "id": function.id, "name": function.name, "url": function.http_invoke_url },
                "public": self.state == State::On,
                "changed": changed,
            }))?;
            return Ok(Exit::Done);
        }
        let is = match (changed, context.dry_run) {
            (false, _) => "is",
            (true, false) => "is now",
            (true, true) => "would be",
        };
        let state = if self.state == State::On { "public" } else { "not public" };
        terminal.say(&format!("`{}` {is} {state}", function.name))?;
        Ok(Exit::Done)
    }

    /// Whether there was anything to change.
    fn change(&self, context: &Context, cloud: &Cloud<'_>, function: &Function) -> Result<bool> {
        let standing: Vec<_> = cloud.bindings(&function.id)?.into_iter().filter(Binding::is_public).collect();
        let (change, bindings) = match self.state {
            State::On if standing.is_empty() => (BindingChange::Add, vec![Binding::public()]),
            State::On => return Ok(false),
            State::Off => (BindingChange::Remove, standing),
        };
        if !context.dry_run {
            let standing = "whether everyone may call the function may have been changed";
            interrupt::stand(standing);
            for binding in &bindings {
                let changed = cloud.change_binding(&function.id, change, binding);
                changed.map_err(|problem| problem.as_things_stand(standing))?;
            }
            interrupt::stand("");
        }
        Ok(!bindings.is_empty())
    }
}

/// A function that answers with its token is not made public by accident.
fn judge(context: &Context, manifest: &Manifest) -> Result<()> {
    let has_account = manifest.version.service_account_id.as_deref().is_some_and(|id| !id.is_empty());
    if context.yes || !has_account {
        return Ok(());
    }
    let selection = disk::selection(&context.directory, manifest)?;
    let files = Files::from(disk::collect(&context.directory, &selection)?.files.as_slice());
    let lang = parse_runtime(&manifest.version.runtime)?.lang;
    match exposure::token_in_code(&files, lang, &manifest.version.entrypoint) {
        None => Ok(()),
        Some(trace) => Err(finding::PUBLIC_TOKEN
            .finding("the handler seems to answer with its service account's IAM token")
            .why(format!(
                "`{}` is in its code; whoever calls a public function would get the token",
                trace.what
            ))
            .fix("if it does not, or if that is truly wanted, add --yes")
            .at(trace.path)),
    }
}
