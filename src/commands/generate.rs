//! `schema`, `completions` and `man`: what is generated from the code.

use clap::Args;
use clap_complete::Shell;

use crate::commands::Context;
use crate::model::finding::{Exit, Result};
use crate::model::schema::{self, SchemaName};

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
    /// The verb whose page is wanted; without one, the program's
    verb: Option<String>,
}

impl Schema {
    pub fn run(self, context: &Context) -> Result<Exit> {
        context.terminal.say_bytes(schema::json(self.name))?;
        Ok(Exit::Done)
    }
}

impl Completions {
    pub fn run(self, context: &Context, mut program: clap::Command) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "fnscaffold", &mut script);
        context.terminal.say_bytes(&script)?;
        Ok(Exit::Done)
    }
}

impl Man {
    pub fn run(self, context: &Context, mut program: clap::Command) -> Result<Exit> {
        program.build();
        let command = match &self.verb {
            None => program,
            Some(verb) => find(&program, verb)?,
        };
        let mut page = Vec::new();
        // Writing into memory does not fail.
        let _ = clap_mangen::Man::new(command).render(&mut page);
        context.terminal.say_bytes(&page)?;
        Ok(Exit::Done)
    }
}

fn find(program: &clap::Command, verb: &str) -> Result<clap::Command> {
    program.find_subcommand(verb).cloned().ok_or_else(|| {
        let verbs: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
        crate::model::finding::UNKNOWN_NAME
            .finding(format!("there is no verb `{verb}`"))
            .fix(format!("take one of {}", verbs.join(", ")))
    })
}
