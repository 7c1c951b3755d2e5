//! A verb in, the same verb out, whose flags are set up only when it is called: a program that starts does
//! nothing for the others. Which of its flags go together is judged here.

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use crate::commands::{Output, with_common};
use crate::model::spec::Consumer::{self, Github, Rest, Terraform, Yc};
use crate::outside::terminal;

/// Flags that cannot stand beside others. clap's own `conflicts_with` takes a variable for a flag; but a
/// variable is there for every command line, and gives way to what this one says.
const EXCLUDING: [(&str, &[&str]); 4] = [
    ("event", &["event_template", "data", "path", "query", "header", "method"]),
    ("event_template", &["data", "path", "query", "header", "method"]),
    ("content", &["bucket", "object"]),
    ("list", &["report"]),
];

/// Flags that mean nothing without another, where a verb has both.
const NEEDING: [(&str, &str); 9] = [
    ("set", "event_template"),
    ("expect", "smoke"),
    ("bucket", "object"),
    ("object", "bucket"),
    ("tag", "remote"),
    ("folder_id", "remote"),
    ("endpoint", "remote"),
    ("key_file", "remote"),
    ("profile", "remote"),
];

/// Flags of `spec` that only some consumers have a use for.
const SERVING: [(&str, &[Consumer]); 6] = [
    ("function_id", &[Rest, Yc]),
    ("folder_id", &[Yc, Terraform, Github]),
    ("content", &[Rest]),
    ("bucket", &[Rest, Yc, Terraform, Github]),
    ("object", &[Rest, Yc, Terraform]),
    ("workflow", &[Github]),
];

#[derive(Debug)]
pub struct Deferred<T>(pub T);

impl<T: Args> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    /// Without a copy of what was matched, which clap's own would make.
    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        // Only clap's own checks, which a release lacks, know of a flag that nobody gave.
        let has = |flag: &str| {
            T::augment_args(Command::default()).get_arguments().any(|argument| argument.get_id() == flag)
        };
        give_way(matches, has)?;
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| {
            let command = with_common(T::augment_args(command));
            without_empty_variables(command).mut_subcommands(without_empty_variables)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// A variable that is set to nothing says nothing: CI sets those that it has no value for.
pub fn without_empty_variables(command: Command) -> Command {
    command.mut_args(|flag| match flag.get_env() {
        Some(name) if terminal::is_empty_variable(name) => flag.env(Resettable::Reset),
        _ => flag,
    })
}

/// Takes away what variables say where flags say something else, or where it means nothing.
fn give_way(matches: &mut ArgMatches, has: impl Fn(&str) -> bool) -> Result<(), Error> {
    let consumer = match matches.try_get_one("format") {
        Ok(Some(Output::For(consumer))) => Some(*consumer),
        _ => None,
    };
    let serves = |flag: &str, consumer: Consumer| {
        SERVING.iter().all(|(known, consumers)| *known != flag || consumers.contains(&consumer))
    };
    for (flag, consumers) in SERVING {
        let Some(consumer) = consumer.filter(|consumer| !serves(flag, *consumer)) else { continue };
        drop_or(matches, flag, ErrorKind::ArgumentConflict, || {
            let takers: Vec<_> = consumers.iter().map(|taker| taker.id()).collect();
            let (flag, takers) = (shown(flag), takers.join(", "));
            format!("{flag} has no meaning for --format {}: it is for {takers}", consumer.id())
        })?;
    }
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
        let is_needed = said_by(matches, flag).is_some()
            && said_by(matches, needed).is_none()
            && consumer.is_none_or(|consumer| serves(needed, consumer))
            && has(needed);
        if is_needed {
            drop_or(matches, flag, ErrorKind::MissingRequiredArgument, || {
                format!("{} means nothing without {}", shown(flag), shown(needed))
            })?;
        }
    }
    Ok(())
}

/// Takes away what a variable says; what a flag says is refused.
fn drop_or(
    matches: &mut ArgMatches,
    flag: &str,
    kind: ErrorKind,
    message: impl FnOnce() -> String,
) -> Result<(), Error> {
    match said_by(matches, flag) {
        Some(Said::Flag) => return Err(Error::raw(kind, message())),
        Some(Said::Variable) => clear(matches, flag),
        None => {}
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

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    /// As in a release, clap takes any flag for one that the verb has.
    #[test]
    fn what_a_verb_does_not_have_is_not_needed_there() {
        let judge = |has: &dyn Fn(&str) -> bool| {
            let flags = ["expect", "smoke"].map(|flag| Arg::new(flag).long(flag));
            let mut matches =
                Command::new("verb").args(flags).get_matches_from(["verb", "--expect", "body=x"]);
            give_way(&mut matches, has).map(|()| said_by(&matches, "expect").is_some())
        };
        assert!(judge(&|flag| flag == "expect").unwrap());
        assert!(judge(&|_| true).unwrap_err().to_string().contains("--expect means nothing without --smoke"));
    }
}
