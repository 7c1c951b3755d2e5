//! `deploy`: a function directory in, an active version in the cloud out.

mod flow;
mod smoke;
mod speech;

use std::path::PathBuf;

use clap::Args;

use crate::commands::Context;
use crate::commands::access::Access;
use crate::commands::allowing::AllowArgs;
use crate::model::finding::{self, Exit, Finding, Result, Severity};
use crate::model::package::DIST;
use crate::model::version::{self, VersionSpec};
use crate::outside::disk;
use crate::outside::judging::Judging;
use crate::outside::terminal::Format;
use flow::Deployment;
use smoke::Smoke;

#[derive(Debug, Args)]
pub struct Deploy {
    /// Call the new version before the tags move: with an event of `invoke --event-template`, or the JSON of a file
    #[arg(long, value_name = "EVENT", env = "FNSCAFFOLD_SMOKE", hide_env = true)]
    smoke: Option<String>,
    /// What the call must answer: status=CODE, body=TEXT, header:NAME[=VALUE], json:POINTER[=VALUE]
    #[arg(long, value_name = "EXPECTATION", env = "FNSCAFFOLD_EXPECT", hide_env = true)]
    expect: Vec<String>,
    /// The Object Storage bucket for an archive that is too large to be sent with the request
    #[arg(long, value_name = "NAME", env = "FNSCAFFOLD_BUCKET", hide_env = true)]
    bucket: Option<String>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    secrets: AllowArgs,
    #[command(flatten)]
    access: Access,
}

impl Deploy {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let smoke = match &self.smoke {
            Some(event) => Some(Smoke::parse(context, event, &self.expect)?),
            None => None,
        };
        let mut findings = self.judge(context)?;
        if let Some(index) = findings.iter().position(|finding| finding.rule == &finding::NEEDS_BUCKET) {
            let mut problem = findings.swap_remove(index);
            problem.severity = Severity::Error;
            return Err(
                problem.fix("name a bucket with --bucket, or exclude what the function does not need")
            );
        }
        if findings.iter().any(|finding| self.stops(finding)) {
            terminal.say_findings(false, &findings, &context.prefix())?;
            return Ok(finding::exit_of(&findings));
        }
        for warning in findings.iter().filter(|finding| finding.severity == Severity::Warning) {
            terminal.warn_in_text(warning);
        }
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let (spec, archive) = packed(context)?;
        let progress = |line: &str| terminal.progress(line);
        let cloud = self.access.open(context, &progress)?;
        let deployment = Deployment {
            folder_id: self.access.folder(&cloud)?,
            cloud: &cloud,
            manifest: &manifest,
            spec: &spec,
            archive: &archive,
            bucket: self.bucket.as_deref(),
            force: context.force,
            smoke: smoke.as_ref(),
        };
        let result = deployment.look().and_then(|outlook| {
            if context.dry_run {
                return Ok((outlook, None));
            }
            let done = deployment.carry_out(&outlook)?;
            Ok((outlook, Some(done)))
        });
        terminal.end_progress();
        let (outlook, done) = result?;
        match terminal.format {
            Format::Text => speech::say(terminal, &deployment, &outlook, done.as_ref())?,
            _ => terminal.say_json(&speech::document(&deployment, &outlook, done.as_ref(), &findings))?,
        }
        Ok(Exit::Done)
    }

    /// All that `check` finds; a bucket answers the finding that there must be one.
    fn judge(&self, context: &Context) -> Result<Vec<Box<Finding>>> {
        let judging =
            Judging { directory: &context.directory, allow_secret: &self.secrets.allow_secret, load: None };
        let mut findings = judging.judge()?;
        if self.bucket.is_some() {
            findings.retain(|finding| finding.rule != &finding::NEEDS_BUCKET);
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(findings)
    }

    fn stops(&self, finding: &Finding) -> bool {
        finding.severity >= if self.strict { Severity::Warning } else { Severity::Error }
    }
}

/// What `pack` wrote, and `check` found in order.
fn packed(context: &Context) -> Result<(VersionSpec, PathBuf)> {
    let dist = context.directory.join(DIST);
    let text = disk::read(&dist.join(version::FILE))?;
    let spec: VersionSpec = serde_json::from_slice(&text).map_err(|error| {
        finding::VERSION_STALE
            .finding(format!("`{DIST}/{}` is not what `pack` writes", version::FILE))
            .why(error.to_string())
            .fix("write it with `fnscaffold pack`")
    })?;
    let archive = dist.join(&spec.archive.file);
    Ok((spec, archive))
}
