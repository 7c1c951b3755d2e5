//! `schema`, `completions` and `man`: what is generated from the code.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Args};
use clap_complete::Shell;
use serde_json::json;

use crate::commands::Context;
use crate::model::finding::{Exit, Result};
use crate::model::mode::Mode;
use crate::model::runtime::{Lang, RUNTIMES};
use crate::model::schema::{self, SchemaName};
use crate::outside::terminal::Format;

#[derive(Debug, Args)]
pub struct Schema {
    #[arg(value_enum)]
    name: SchemaName,
}

#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The verb whose page is wanted, as `pack` or `spec diff`; without one, the program's
    verb: Vec<String>,
}

impl Schema {
    pub fn run(self, context: &Context) -> Result<Exit> {
        context.terminal.say_bytes(schema::json(self.name))?;
        Ok(Exit::Done)
    }
}

impl Completions {
    pub fn run(self, context: &Context, mut program: clap::Command) -> Result<Exit> {
        program.build();
        let mut program = with_values(program);
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "fnscaffold", &mut script);
        say(context, &script)
    }
}

/// Answers are judged together, not one by one as clap would, so that it knows of none which values they take.
fn with_values(program: clap::Command) -> clap::Command {
    let answers = |flag: Arg| {
        let values = match flag.get_id().as_str() {
            "lang" => Lang::ALL.map(Lang::id).to_vec(),
            "mode" => Mode::ALL.map(Mode::id).to_vec(),
            "runtime" => RUNTIMES.iter().map(|runtime| runtime.id).chain(["latest"]).collect(),
            _ => return flag,
        };
        flag.value_parser(PossibleValuesParser::new(values))
    };
    program.mut_args(answers).mut_subcommands(with_values)
}

impl Man {
    pub fn run(self, context: &Context, mut program: clap::Command) -> Result<Exit> {
        program.build();
        let source = format!("fnscaffold {}", program.get_version().unwrap_or_default());
        let command = self.verb.iter().try_fold(program, |above, verb| find(&above, verb))?;
        let mut page = Vec::new();
        // Writing into memory does not fail.
        let _ = clap_mangen::Man::new(command).source(source).render(&mut page);
        say(context, &page)
    }
}

fn say(context: &Context, text: &[u8]) -> Result<Exit> {
    if context.terminal.format == Format::Text {
        context.terminal.say_bytes(text)?;
    } else {
        context.terminal.say_json(&json!({ "ok": true, "text": String::from_utf8_lossy(text) }))?;
    }
    Ok(Exit::Done)
}

fn find(program: &clap::Command, verb: &str) -> Result<clap::Command> {
    program.find_subcommand(verb).cloned().ok_or_else(|| {
        let verbs: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
        crate::model::finding::UNKNOWN_NAME.finding(format!("there is no verb `{verb}`")).fix(
            match verbs.as_slice() {
                [] => format!("`{}` has none", program.get_name()),
                _ => format!("take one of {}", verbs.join(", ")),
            },
        )
    })
}
