use super::Filter;
use crate::commands::Context;
use crate::model::finding::{Exit, Result};
use crate::model::template::Templates;
use clap::Args;
/// t
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    filter: Filter,
}
impl Test {
    pub fn run(self, _context: &Context, templates: &Templates) -> Result<Exit> {
        self.filter.combinations(templates)?;
        Ok(Exit::Done)
    }
}
