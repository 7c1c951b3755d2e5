//! `check`: function.toml, sources, archive and version.json, judged against each other and the
//! platform's rules.

use std::path::PathBuf;

use clap::Args;

use crate::commands::Context;
use crate::commands::allowing::AllowArgs;
use crate::model::finding::{self, Exit, Result, Severity};
use crate::outside::judging::{Judging, Loading};

#[derive(Debug, Args)]
#[command(
    after_help = "--format sarif writes the findings for code scanning. `fnscaffold explain ID` says more of one."
)]
pub struct Check {
    /// Also import the entry point under the real interpreter, from an unpacked copy of the archive
    #[arg(long)]
    load: bool,
    /// The interpreter for --load, instead of the one on PATH; may be repeated, the one that fits is taken
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    interpreter: Vec<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    secrets: AllowArgs,
}

impl Check {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let progress = |text: &str| context.terminal.note(text);
        let loading = Loading { interpreter: &self.interpreter, progress: &progress };
        let judging = Judging {
            directory: &context.directory,
            allow_secret: &self.secrets.allow_secret,
            load: self.load.then_some(loading),
        };
        let mut findings = judging.judge()?;
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let worst = findings.first().map(|finding| finding.severity);
        let failed = worst >= Some(if self.strict { Severity::Warning } else { Severity::Error });
        context.terminal.say_findings(!failed, &findings, &context.prefix())?;
        Ok(if failed { finding::exit_of(&findings) } else { Exit::Done })
    }
}
