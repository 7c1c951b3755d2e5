//! VERBS: one file each, with its flags and the order in which it visits the rooms. Verbs stand on doors
//! and nouns, never on each other.

use std::path::{Path, PathBuf};

use clap::builder::{EnumValueParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::model::finding::{Exit, Result};
use crate::model::spec::Consumer;
use crate::outside::hold::Hold;
use crate::outside::terminal::{ColorChoice, Format, Manners, Terminal};

mod access;
mod allowing;
mod check;
mod deploy;
mod dev;
mod doctor;
mod explain;
mod generate;
mod init;
mod invoke;
mod new;
mod pack;
mod public;
mod rollback;
mod running;
mod runtimes;
mod spec;
mod templates;
mod verify;
mod versions;

/// Flags that every verb takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Run as if started in DIR
    #[arg(
        short = 'C',
        long,
        value_name = "DIR",
        global = true,
        env = "FNSCAFFOLD_DIRECTORY",
        hide_env = true,
        default_value = ".",
        hide_default_value = true
    )]
    directory: PathBuf,
    /// Take defaults and confirm; never ask
    #[arg(short, long, global = true)]
    yes: bool,
    /// Never ask
    #[arg(long, global = true)]
    no_input: bool,
    /// Show what would be done; write nothing
    #[arg(short = 'n', long, global = true)]
    dry_run: bool,
    /// Overwrite files that are in the way
    #[arg(long, global = true)]
    force: bool,
    /// How results are written
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        env = "FNSCAFFOLD_FORMAT",
        hide_env = true,
        default_value = "text",
        value_parser = EnumValueParser::<Format>::new().map(Output::Said)
    )]
    format: Output,
    /// The same as --format json, also where --format says something else
    #[arg(long, global = true, hide = true)]
    json: bool,
    /// Say only results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Whether to use colors
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        global = true,
        env = "FNSCAFFOLD_COLOR",
        hide_env = true,
        default_value = "auto"
    )]
    color: ColorChoice,
}

/// What --format says. For most verbs it is how they write their results; `spec` has results for others.
#[derive(Debug, Clone, Copy)]
pub enum Output {
    Said(Format),
    For(Consumer),
}

impl Common {
    pub const fn manners(&self) -> Manners {
        Manners {
            format: match self.format {
                _ if self.json => Format::Json,
                Output::Said(format) => format,
                Output::For(_) => Format::Text,
            },
            color: self.color,
            quiet: self.quiet,
            verbose: self.verbose,
            may_ask: !self.yes && !self.no_input,
        }
    }
}

/// What a verb runs in.
pub struct Context {
    pub terminal: Terminal,
    pub directory: PathBuf,
    pub dry_run: bool,
    pub force: bool,
    /// Defaults are taken where a choice is left.
    pub yes: bool,
}

impl Context {
    pub fn new(terminal: Terminal, common: Common) -> Self {
        let Common { directory, dry_run, force, yes, .. } = common;
        Self { terminal, directory, dry_run, force, yes }
    }

    /// Keeps other fnscaffolds from changing `directory` until it is dropped, and says so when this one has
    /// to wait.
    pub fn turn_in(&self, directory: &Path) -> Option<Hold> {
        Hold::wait_for(directory, || {
            let place = directory.display();
            self.terminal.note(&format!("waiting for another fnscaffold that is at work in `{place}`"));
        })
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    New(new::New),
    Init(init::Init),
    Pack(pack::Pack),
    Check(check::Check),
    Verify(verify::Verify),
    Spec(spec::Spec),
    Deploy(deploy::Deploy),
    Versions(versions::Versions),
    Rollback(rollback::Rollback),
    Public(public::Public),
    Invoke(invoke::Invoke),
    Dev(dev::Dev),
    Doctor(doctor::Doctor),
    Templates(templates::Templates),
    Runtimes(runtimes::Runtimes),
    Explain(explain::Explain),
    Schema(generate::Schema),
    Completions(generate::Completions),
    Man(generate::Man),
}

impl Verb {
    /// # Errors
    /// The finding that ended the verb.
    pub fn run(self, context: &Context, program: fn() -> clap::Command) -> Result<Exit> {
        match self {
            Self::New(verb) => verb.run(context),
            Self::Init(verb) => verb.run(context),
            Self::Pack(verb) => verb.run(context),
            Self::Check(verb) => verb.run(context),
            Self::Verify(verb) => verb.run(context),
            Self::Spec(verb) => verb.run(context),
            Self::Deploy(verb) => verb.run(context),
            Self::Versions(verb) => verb.run(context),
            Self::Rollback(verb) => verb.run(context),
            Self::Public(verb) => verb.run(context),
            Self::Invoke(verb) => verb.run(context),
            Self::Dev(verb) => verb.run(context),
            Self::Doctor(verb) => verb.run(context),
            Self::Templates(verb) => verb.run(context),
            Self::Runtimes(verb) => verb.run(context),
            Self::Explain(verb) => verb.run(context),
            Self::Schema(verb) => verb.run(context),
            Self::Completions(verb) => verb.run(context, program()),
            Self::Man(verb) => verb.run(context, program()),
        }
    }
}
