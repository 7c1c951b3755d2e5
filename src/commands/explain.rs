//! `explain`: a rule of the catalogue, or the list of them.

use clap::Args;

use crate::commands::Context;
use crate::model::finding::{self, Exit, RULES, Result, Rule};
use crate::model::settings::nearest;
use crate::outside::terminal::Format;

#[derive(Debug, Args)]
pub struct Explain {
    /// The id or the name: FN0303, entrypoint-export-missing. Without one, all are listed
    id: Option<String>,
}

impl Explain {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let rules = match &self.id {
            None => RULES.to_vec(),
            Some(id) => vec![Rule::find(id).ok_or_else(|| unknown(id))?],
        };
        if terminal.format != Format::Text {
            terminal.say_json(&serde_json::json!({ "ok": true, "rules": rules }))?;
        } else if self.id.is_some() {
            let rule = rules[0];
            terminal.say(&format!(
                "{} {} ({})\n\n{}",
                rule.id,
                rule.name,
                rule.severity.id(),
                rule.explain
            ))?;
        } else {
            for rule in rules {
                terminal.say(&format!("{} {:<8} {}", rule.id, rule.severity.id(), rule.name))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn unknown(id: &str) -> Box<finding::Finding> {
    let names = RULES.iter().map(|rule| rule.name);
    let problem = finding::UNKNOWN_NAME.finding(format!("there is no rule `{id}`"));
    match nearest(id, names) {
        Some(nearest) => {
            problem.fix(format!("did you mean `{nearest}`? `fnscaffold explain` lists them all"))
        }
        None => problem.fix("`fnscaffold explain` lists them all"),
    }
}
