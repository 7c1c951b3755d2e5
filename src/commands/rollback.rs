//! `rollback`: tags in, the same tags on an earlier version out.

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::access::Access;
use crate::model::cloud::mark::Mark;
use crate::model::cloud::records::{Function, LATEST, Version};
use crate::model::cloud::request::{self, Code};
use crate::model::finding::{self, Exit, Finding, Result};
use crate::outside::cloud::{Cloud, Trace};
use crate::outside::terminal::Format;
use crate::outside::{disk, interrupt};

#[derive(Debug, Args)]
pub struct Rollback {
    /// The version to go back to: its id, or a tag of it [default: the one before]
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    /// A tag to move, instead of those of function.toml; may be repeated
    #[arg(long, value_name = "TAG", env = "FNSCAFFOLD_TAG", hide_env = true, value_delimiter = ',')]
    tag: Vec<String>,
    #[command(flatten)]
    access: Access,
}

/// Where a tag goes, from where.
struct Move {
    tag: String,
    from: Option<String>,
    to: String,
}

impl Rollback {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let progress = |line: &str| terminal.progress(line);
        let (cloud, function) = self.access.open_function(context, &manifest, &progress)?;
        let versions = cloud.versions(&function.id)?;
        let tags = if self.tag.is_empty() { &manifest.version.tags } else { &self.tag };
        let result = if tags.is_empty() {
            self.renew(context, &cloud, &function, &versions).map(|step| vec![step])
        } else {
            self.move_tags(context, &cloud, &function, &versions, tags)
        };
        terminal.end_progress();
        let moves = result?;
        if terminal.format != Format::Text {
            let moves: Vec<_> = moves
                .iter()
                .map(|step| json!({ "tag": step.tag, "from": step.from, "to": step.to }))
                .collect();
            terminal.say_json(&json!({ "ok": true, "dryRun": context.dry_run, "moves": moves }))?;
            return Ok(Exit::Done);
        }
        let would = if context.dry_run { "would go" } else { "went" };
        for step in &moves {
            let from = step.from.as_deref().unwrap_or("nowhere");
            terminal.say(&format!("tag `{}` {would} from {from} to {}", step.tag, step.to))?;
        }
        Ok(Exit::Done)
    }

    fn move_tags(
        &self,
        context: &Context,
        cloud: &Cloud<'_>,
        function: &Function,
        versions: &[Version],
        tags: &[String],
    ) -> Result<Vec<Move>> {
        let mut moves = Vec::new();
        for tag in tags {
            let from = versions.iter().find(|version| version.has_tag(tag));
            let to = match &self.version {
                Some(wanted) => find(versions, wanted)?,
                None => before(cloud, function, versions, tag, from)?,
            };
            let from = from.map(|version| version.id.clone());
            moves.push(Move { tag: tag.clone(), from, to: to.id.clone() });
        }
        if !context.dry_run {
            let standing = format!("of the tags {} some may have been moved", tags.join(", "));
            interrupt::stand(&standing);
            for step in &moves {
                let moved = cloud.set_tag(&step.to, &step.tag);
                moved.map_err(|problem| problem.as_things_stand(&standing))?;
            }
            interrupt::stand("");
        }
        Ok(moves)
    }

    /// A new version that is an earlier one again.
    fn renew(
        &self,
        context: &Context,
        cloud: &Cloud<'_>,
        function: &Function,
        versions: &[Version],
    ) -> Result<Move> {
        let latest = versions.iter().find(|version| version.has_tag(LATEST));
        let old = match &self.version {
            Some(wanted) => find(versions, wanted)?,
            None => versions
                .iter()
                .find(|version| {
                    version.is_active() && latest.is_none_or(|latest| version.created_at < latest.created_at)
                })
                .ok_or_else(|| nothing("the function has no earlier version that is active"))?,
        };
        let from = latest.map(|version| version.id.clone());
        let mark = Mark::read(&old.description).ok_or_else(|| {
            finding::NOT_DEPLOYED
                .finding(format!("the version `{}` cannot be copied", old.id))
                .why("another tool made it: whether a copy was made could not be told from its description")
                .fix(format!(
                    "move a tag to it, `fnscaffold rollback {} --tag NAME`, or deploy its code again",
                    old.id
                ))
        })?;
        if context.dry_run {
            return Ok(Move { tag: LATEST.to_owned(), from, to: format!("a copy of {}", old.id) });
        }
        let settings = request::deployed(old);
        let request = request::create(
            &function.id,
            &settings,
            Mark::text(&old.description),
            &mark,
            Code::Version(&old.id),
        );
        let standing = "a copy of the earlier version may be in the making; `fnscaffold versions` shows it";
        interrupt::stand(standing);
        let made = cloud.create_version(&function.id, &request, versions, &mark);
        let version = made.map_err(|setback| match setback.trace {
            Trace::Nothing => setback.finding,
            Trace::Unknown | Trace::Version(_) => setback.finding.as_things_stand(standing),
        })?;
        interrupt::stand("");
        Ok(Move { tag: LATEST.to_owned(), from, to: format!("{}, a copy of {}", version.id, old.id) })
    }
}

fn find<'a>(versions: &'a [Version], wanted: &str) -> Result<&'a Version> {
    let found = versions.iter().find(|version| version.id == wanted || version.has_tag(wanted));
    found
        .filter(|version| version.is_active())
        .ok_or_else(|| nothing(&format!("the function has no active version `{wanted}`")))
}

/// The version that had the tag before `from` got it, by the platform's own history.
fn before<'a>(
    cloud: &Cloud<'_>,
    function: &Function,
    versions: &'a [Version],
    tag: &str,
    from: Option<&Version>,
) -> Result<&'a Version> {
    let history = cloud.tag_history(&function.id, tag)?;
    history
        .iter()
        .filter(|record| from.is_none_or(|from| from.id != record.function_version_id))
        .find_map(|record| {
            versions.iter().find(|version| version.id == record.function_version_id && version.is_active())
        })
        .ok_or_else(|| nothing(&format!("the tag `{tag}` was on no other version that is still active")))
}

fn nothing(why: &str) -> Box<Finding> {
    finding::NOT_DEPLOYED
        .finding("there is nothing to go back to")
        .why(why)
        .fix("`fnscaffold versions` lists what there is; name one of them")
}
