//! VERBS: one file each, with its flags and the order in which it visits the rooms. Verbs stand on doors
//! and nouns, never on each other.

use std::path::{Path, PathBuf};

use clap::builder::{EnumValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use crate::commands::deferred::Deferred;
use crate::model::finding::{self, Exit, Result};
use crate::model::spec::Consumer;
use crate::outside::hold::Hold;
use crate::outside::terminal::{ColorChoice, Format, Manners, Terminal};

mod access;
mod allowing;
mod check;
pub mod deferred;
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

/// Flags that every verb takes, before its name or behind it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Run as if started in DIR
    #[arg(
        short = 'C',
        long,
        value_name = "DIR",
        env = "FNSCAFFOLD_DIRECTORY",
        hide_env = true,
        default_value = ".",
        hide_default_value = true
    )]
    directory: PathBuf,
    /// Take defaults and confirm; never ask
    #[arg(short, long)]
    yes: bool,
    /// Never ask
    #[arg(long)]
    no_input: bool,
    /// Show what would be done; write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Overwrite files that are in the way
    #[arg(long)]
    force: bool,
    /// How results are written
    #[arg(
        long,
        value_name = "FORMAT",
        env = "FNSCAFFOLD_FORMAT",
        hide_env = true,
        default_value = "text",
        value_parser = EnumValueParser::<Format>::new().map(Output::Said)
    )]
    format: Output,
    /// The same as --format json, also where --format says something else
    #[arg(long, hide = true)]
    json: bool,
    /// Say only results and errors
    #[arg(short, long)]
    quiet: bool,
    /// Say more
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Whether to use colors
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
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

/// Adds the common flags to a verb that has its own. clap would hand global ones down to every verb there is,
/// for a command line that names one.
fn with_common(verb: Command) -> Command {
    let program = Common::augment_args(Command::default());
    let flags =
        program.get_arguments().filter(|flag| verb.get_arguments().all(|own| own.get_id() != flag.get_id()));
    // Only a verb that has verbs below it has somebody to hand them down to.
    let is_handed_down = verb.has_subcommands();
    // Behind the verb's own, also where they stand in one list, as in the manual's synopsis.
    let flags =
        flags.zip(100..).map(|(flag, place)| flag.clone().global(is_handed_down).display_order(place));
    let flags: Vec<_> = flags.collect();
    verb.args(flags)
}

/// Formats that only one verb has.
const OWN_FORMATS: [(Format, &str, &str); 2] =
    [(Format::Sarif, "sarif", "check"), (Format::Junit, "junit", "invoke")];

impl Common {
    /// # Errors
    /// For a flag that is wrong, or a format that the verb does not have; where a variable says that, it gives
    /// way.
    pub fn read(matches: &mut ArgMatches) -> std::result::Result<Self, clap::Error> {
        let is_variable = matches.value_source("format") == Some(ValueSource::EnvVariable);
        let mut common = Self::from_arg_matches_mut(matches)?;
        let verb = matches.subcommand_name().unwrap_or_default();
        if is_variable && common.foreign_format(verb).is_some() {
            common.format = Output::Said(Format::Text);
        }
        let mut level = &*matches;
        while let Some((_, below)) = level.subcommand() {
            common.hear(below);
            level = below;
        }
        match common.foreign_format(verb) {
            None => Ok(common),
            Some((format, owner)) => {
                let message = format!("--format {format} is for `{owner}`: `{verb}` writes text or json");
                Err(clap::Error::raw(ErrorKind::InvalidValue, message))
            }
        }
    }

    /// The format, and the verb that has it, where that is not this one.
    fn foreign_format(&self, verb: &str) -> Option<(&'static str, &'static str)> {
        let Output::Said(said) = self.format else { return None };
        let (_, format, owner) = OWN_FORMATS.into_iter().find(|(format, ..)| *format == said)?;
        (owner != verb).then_some((format, owner))
    }

    /// What is said behind the name of a verb counts more than what is said before it.
    fn hear(&mut self, verb: &ArgMatches) {
        fn said<T: Clone + Send + Sync + 'static>(verb: &ArgMatches, flag: &str) -> Option<T> {
            let is_said = verb.value_source(flag) == Some(ValueSource::CommandLine);
            verb.get_one(flag).filter(|_| is_said).cloned()
        }
        let Self { directory, yes, no_input, dry_run, force, format, json, quiet, verbose, color } = self;
        *directory = said(verb, "directory").unwrap_or_else(|| std::mem::take(directory));
        *format = said(verb, "format").unwrap_or(*format);
        *color = said(verb, "color").unwrap_or(*color);
        let flags = [yes, no_input, dry_run, force, json, quiet, verbose];
        let names = ["yes", "no_input", "dry_run", "force", "json", "quiet", "verbose"];
        for (flag, name) in flags.into_iter().zip(names) {
            *flag |= verb.get_flag(name);
        }
    }

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

    /// # Errors
    /// [`finding::IO`] when there is no such directory to run in.
    pub fn judge_directory(&self) -> Result<()> {
        if self.directory == Path::new(".") || self.directory.is_dir() {
            return Ok(());
        }
        let shown = self.directory.display().to_string();
        Err(finding::IO
            .finding(format!("there is no directory `{shown}`"))
            .fix("check -C (or FNSCAFFOLD_DIRECTORY)")
            .at(shown))
    }

    /// What leads from here to the directory's files, for texts that are used here.
    pub fn prefix(&self) -> String {
        let shown = self.directory.display().to_string();
        let shown = if cfg!(windows) { shown.replace('\\', "/") } else { shown };
        let shown = shown.trim_end_matches('/').trim_start_matches("./");
        if shown == "." || shown.is_empty() { String::new() } else { format!("{shown}/") }
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

// What is said here of a verb is what its help begins with. Flags that verbs share are described with `//`:
// clap would put a `///` in its place.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum Verb {
    /// Write a new function: handler, manifest, archive and version spec
    New(Deferred<new::New>),
    /// Adopt code that is already there: write function.toml beside it
    Init(Deferred<init::Init>),
    /// Rebuild the archive and version.json from the function directory
    Pack(Deferred<pack::Pack>),
    /// Judge function.toml, sources, archive and version.json before the platform does
    Check(Deferred<check::Check>),
    /// Rebuild the archive in memory and compare it with dist/, byte for byte
    Verify(Deferred<verify::Verify>),
    /// Print the same version for another consumer, compare two, or take one over
    Spec(Deferred<spec::Spec>),
    /// Make what dist/ holds a version in the cloud
    ///
    /// Checks everything as `check` does, finds the function by its name or makes it, uploads the archive,
    /// makes the version, waits until it is active, calls it, and only then moves the tags of function.toml.
    /// What is deployed already is not deployed again, except with --force. `$latest` is the platform's: it
    /// is the newest version from the moment that this is active, whatever the call says. Exit code 5 says
    /// that the cloud refused or the version did not prove itself; the tags are then where they were.
    Deploy(Deferred<deploy::Deploy>),
    /// List the versions that the cloud has of the function, newest first
    Versions(Deferred<versions::Versions>),
    /// Go back to an earlier version
    ///
    /// Moves the tags of function.toml, or those of --tag, to the version that they were on before. Without
    /// tags there is only `$latest`, which is always the newest version: then a new version is made of the
    /// earlier one's code and settings.
    Rollback(Deferred<rollback::Rollback>),
    /// Let everyone call the function, or take that back
    ///
    /// Adds or removes the one binding that makes a function public; who else may call it stays as it is.
    Public(Deferred<public::Public>),
    /// Call the function: here, under the real interpreter, or with --remote in the cloud
    ///
    /// What the archive holds is unpacked, its dependencies are installed by the real npm or pip (once: they
    /// are cached), and the handler gets what the platform would hand it. The answer's body goes to standard
    /// output, logs and headers to standard error. Exit code 6 says that the function failed.
    Invoke(Deferred<invoke::Invoke>),
    /// Serve functions here over HTTP, and again after each change
    ///
    /// Runs what `pack` would take, under the real interpreter, in one warm process per function. A change of
    /// its files starts another process; requests that are being answered are finished by the old one. One
    /// function answers at `/`, several at `/NAME`. `?integration=raw` and `?integration=async` do what they do
    /// on the platform.
    Dev(Deferred<dev::Dev>),
    /// Say which interpreters and tools this machine has, and what follows
    Doctor(Deferred<doctor::Doctor>),
    /// List, show, describe, render or test the templates
    Templates(Deferred<templates::Templates>),
    /// List the platform's runtimes for Node.js and Python
    Runtimes(Deferred<runtimes::Runtimes>),
    /// Explain a finding or an error by its id
    Explain(Deferred<explain::Explain>),
    /// Print the JSON Schema of function.toml or of version.json
    Schema(Deferred<generate::Schema>),
    /// Print a completion script
    ///
    /// For example: fnscaffold completions bash > ~/.local/share/bash-completion/completions/fnscaffold
    Completions(Deferred<generate::Completions>),
    /// Print the manual page
    Man(Deferred<generate::Man>),
}

impl Verb {
    /// # Errors
    /// The finding that ended the verb.
    pub fn run(self, context: &Context, program: fn() -> Command) -> Result<Exit> {
        match self {
            Self::New(verb) => verb.0.run(context),
            Self::Init(verb) => verb.0.run(context),
            Self::Pack(verb) => verb.0.run(context),
            Self::Check(verb) => verb.0.run(context),
            Self::Verify(verb) => verb.0.run(context),
            Self::Spec(verb) => verb.0.run(context),
            Self::Deploy(verb) => verb.0.run(context),
            Self::Versions(verb) => verb.0.run(context),
            Self::Rollback(verb) => verb.0.run(context),
            Self::Public(verb) => verb.0.run(context),
            Self::Invoke(verb) => verb.0.run(context),
            Self::Dev(verb) => verb.0.run(context),
            Self::Doctor(verb) => verb.0.run(context),
            Self::Templates(verb) => verb.0.run(context),
            Self::Runtimes(verb) => verb.0.run(context),
            Self::Explain(verb) => verb.0.run(context),
            Self::Schema(verb) => verb.0.run(context),
            Self::Completions(verb) => verb.0.run(context, program()),
            Self::Man(verb) => verb.0.run(context, program()),
        }
    }
}
