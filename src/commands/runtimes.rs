//! `runtimes`: the platform's table, as text or JSON.

use clap::Args;

use crate::commands::Context;
use crate::model::finding::{Exit, Result};
use crate::model::runtime::RUNTIMES;
use crate::outside::terminal::Format;

#[derive(Debug, Args)]
pub struct Runtimes {}

impl Runtimes {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        if terminal.format != Format::Text {
            terminal.say_json(&serde_json::json!({ "ok": true, "runtimes": RUNTIMES }))?;
            return Ok(Exit::Done);
        }
        terminal.say(&terminal.faint("ID         INTERPRETER  SYSTEM        SUPPORTED"))?;
        for runtime in RUNTIMES {
            let supported = if runtime.supported { terminal.good("yes") } else { terminal.faint("no") };
            terminal.say(&format!(
                "{:<10} {:<12} {:<13} {supported}",
                runtime.id, runtime.interpreter, runtime.os
            ))?;
        }
        Ok(Exit::Done)
    }
}
