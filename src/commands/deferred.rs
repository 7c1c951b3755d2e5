//! A verb in, the same verb out, whose flags are set up only when it is called: a program that starts does
//! nothing for the others. Which of its flags go together is judged here.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::commands::with_common;

/// Flags that cannot stand beside others. clap's own `conflicts_with` takes a variable for a flag; but a
/// variable is there for every command line, and gives way to what this one says.
const EXCLUDING: [(&str, &[&str]); 3] = [
    ("event", &["event_template", "data", "path", "query", "header", "method"]),
    ("event_template", &["data", "path", "query", "header", "method"]),
    ("content", &["bucket", "object"]),
];

/// Flags that mean nothing without another.
const NEEDING: [(&str, &str); 2] = [("set", "event_template"), ("expect", "smoke")];

#[derive(Debug)]
pub struct Deferred<T>(pub T);

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    /// Without a copy of what was matched, which clap's own would make.
    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        give_way(matches)?;
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| with_common(T::augment_args(command)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Takes away what variables say where flags say something else.
fn give_way(matches: &mut ArgMatches) -> Result<(), Error> {
    let pairs = EXCLUDING.iter().flat_map(|(flag, others)| others.iter().map(move |other| (*flag, *other)));
    for (flag, other) in pairs.clone() {
        for (winner, loser) in [(flag, other), (other, flag)] {
            if said_by(matches, winner) == Some(Said::Flag) && said_by(matches, loser) == Some(Said::Variable)
            {
                clear(matches, loser);
            }
        }
    }
    for (flag, other) in pairs {
        if said_by(matches, flag).is_some() && said_by(matches, other).is_some() {
            let message = format!("{} cannot be used with {}", shown(flag), shown(other));
            return Err(Error::raw(ErrorKind::ArgumentConflict, message));
        }
    }
    for (flag, needed) in NEEDING {
        if matches.try_contains_id(needed).is_err() || said_by(matches, needed).is_some() {
            continue;
        }
        match said_by(matches, flag) {
            Some(Said::Flag) => {
                let message = format!("{} means nothing without {}", shown(flag), shown(needed));
                return Err(Error::raw(ErrorKind::MissingRequiredArgument, message));
            }
            Some(Said::Variable) => clear(matches, flag),
            None => {}
        }
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Said {
    Flag,
    Variable,
}

/// By what the flag has its value; nothing also where the verb has no such flag.
fn said_by(matches: &ArgMatches, flag: &str) -> Option<Said> {
    matches.try_contains_id(flag).ok().filter(|is_there| *is_there)?;
    match matches.value_source(flag)? {
        ValueSource::CommandLine => Some(Said::Flag),
        ValueSource::EnvVariable => Some(Said::Variable),
        _ => None,
    }
}

fn clear(matches: &mut ArgMatches, flag: &str) {
    // It is there: its source was just asked.
    let _ = matches.try_clear_id(flag);
}

fn shown(flag: &str) -> String {
    format!("--{}", flag.replace('_', "-"))
}
