//! A verb in, the same verb out, whose flags are set up only when it is called: a program that starts does
//! nothing for the others.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::commands::COMMON;

#[derive(Debug)]
pub struct Deferred<T>(pub T);

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| common_last(T::augment_args(command)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// clap has handed down the common flags before the verb has its own; help says them in this order.
fn common_last(command: Command) -> Command {
    let mut flags: Vec<_> = command.get_arguments().cloned().collect();
    flags.sort_by_key(|flag| flag.get_help_heading() == Some(COMMON));
    let mut flags = flags.into_iter();
    command.mut_args(|flag| flags.next().unwrap_or(flag))
}
