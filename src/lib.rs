//! fnscaffold: scaffold, package, check and prove functions for Yandex Cloud Functions.
mod commands;
mod model;
mod outside;
#[doc(hidden)]
pub mod probes;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

use commands::deferred::without_empty_variables;
use commands::{Common, Context, Verb};
use model::finding::{self, Exit, Finding};
use outside::terminal::{self, Terminal};

/// Scaffold, package, check and prove functions for Yandex Cloud Functions
#[derive(Parser)]
#[command(
    bin_name = "fnscaffold",
    version,
    disable_help_subcommand = true,
    styles = terminal::STYLES,
    before_help = terminal::EXAMPLES,
    after_help = "Every option with a value has an environment variable: --service-account-id is FNSCAFFOLD_SERVICE_ACCOUNT_ID.\nExit codes: 0 done, 1 findings, 2 usage, 3 environment, 4 refused, 5 remote, 6 function failed, 130 interrupted."
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// What the program does, from its command line to its exit code.
pub fn main() -> ExitCode {
    if let Some(failure) = outside::emulator::entered() {
        return failure;
    }
    let exit = match parse(terminal::command_line()) {
        Ok(cli) => {
            let terminal = Terminal::new(&cli.common.manners());
            let context = Context::new(terminal.clone(), cli.common);
            let done = context.judge_directory().and_then(|()| cli.verb.run(&context, Cli::command));
            done.unwrap_or_else(|finding| {
                terminal.fail(&finding);
                finding.rule.exit
            })
        }
        Err(error) => refuse(&error),
    };
    ExitCode::from(exit as u8)
}

/// What clap made to read the command line is left to the end of the process, which takes no time.
fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut program = ManuallyDrop::new(without_empty_variables(Cli::command()));
    let mut matches = program.try_get_matches_from_mut(line)?;
    let verb = matches.subcommand_name().unwrap_or_default().to_owned();
    let mut read = || {
        let common = Common::read(&mut matches)?;
        Ok(Cli { common, verb: Verb::from_arg_matches_mut(&mut matches)? })
    };
    read().map_err(|error: clap::Error| match program.find_subcommand_mut(verb) {
        Some(verb) => error.format(verb),
        None => error,
    })
}

/// Help and version are results; anything else that clap says is wrong usage.
fn refuse(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let said = terminal::say_usage(&error.render(), true);
            said.map_or_else(|problem| problem.rule.exit, |()| Exit::Done)
        }
        _ if terminal::json_is_asked_for() => {
            Terminal::json().fail(&usage(error));
            Exit::Usage
        }
        _ => {
            let _ = terminal::say_usage(&error.render(), false);
            Exit::Usage
        }
    }
}

fn usage(error: &clap::Error) -> Box<Finding> {
    let text = error.to_string();
    // What is missing or possible stands in lines of its own, up to an empty one.
    let said: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    finding::USAGE
        .finding(said.join(" ").trim_start_matches("error: "))
        .fix("`fnscaffold --help` and `fnscaffold VERB --help` list what is allowed")
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, Command};

    use super::*;

    fn walk(command: &Command, each: &mut dyn FnMut(&Command, &clap::Arg)) {
        for argument in command.get_arguments() {
            each(command, argument);
        }
        for below in command.get_subcommands() {
            walk(below, each);
        }
    }

    /// With the flags of every verb.
    fn complete() -> Command {
        let mut command = Cli::command();
        command.build();
        command
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_flags_count_on_both_sides_of_a_verb() {
        let json = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            parse(words).unwrap().common.manners().format == terminal::Format::Json
        };
        for line in ["f --format json check", "f check --format json", "f --format text check --format json"]
        {
            assert!(json(line), "{line}");
        }
        assert!(!json("f --format json check --format text"));
        assert!(json("f templates list --format json"));
        assert!(json("f spec diff a b --format json"));
        assert!(!json("f --format json spec --format yc"), "it says for whom, and --json says how");
        assert!(json("f spec --json --format yc"));
        let common = parse("f -C a -n new -C b -q".split(' ').map(OsString::from)).unwrap().common;
        let context = Context::new(Terminal::new(&common.manners()), common);
        assert_eq!((context.directory.to_str(), context.dry_run), (Some("b"), true));
        assert!(context.terminal.quiet && !context.force);
    }

    /// The contract: each value flag has an environment name.
    #[test]
    fn every_option_with_a_value_has_its_variable() {
        let mut wrong = Vec::new();
        walk(&complete(), &mut |command, argument| {
            let takes_value = matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
                // Its name is that of the common --format, whose variable says text or json.
                && (command.get_name(), argument.get_id().as_str()) != ("spec", "format");
            if let Some(flag) = argument.get_long().filter(|_| takes_value) {
                let variable = format!("FNSCAFFOLD_{}", flag.to_uppercase().replace('-', "_"));
                if argument.get_env().is_none_or(|name| *name != *variable) {
                    wrong.push(format!("{} --{flag}: {variable}", command.get_name()));
                }
            }
        });
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn every_option_is_explained_in_one_style() {
        walk(&complete(), &mut |command, argument| {
            let Some(help) = argument.get_help().map(ToString::to_string) else {
                assert!(!argument.is_positional() || argument.get_possible_values().len() > 1);
                return;
            };
            let first = help.chars().next().unwrap_or(' ');
            let place = format!("{} {}: {help}", command.get_name(), argument.get_id());
            assert!(!first.is_lowercase() && !help.ends_with('.'), "{place}");
        });
    }
}
