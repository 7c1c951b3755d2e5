//! `versions`: what the cloud has of a function, as text or JSON.

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::access::Access;
use crate::model::cloud::mark::Mark;
use crate::model::cloud::records::Version;
use crate::model::finding::{Exit, Result};
use crate::outside::disk;
use crate::outside::terminal::Format;

#[derive(Debug, Args)]
pub struct Versions {
    #[command(flatten)]
    access: Access,
}

impl Versions {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let progress = |line: &str| terminal.progress(line);
        let (cloud, function) = self.access.open_function(context, &manifest, &progress)?;
        let versions = cloud.versions(&function.id)?;
        terminal.end_progress();
        if terminal.format != Format::Text {
            let versions: Vec<_> = versions.iter().map(document).collect();
            let function =
                json!({ "id": function.id, "name": function.name, "url": function.http_invoke_url });
            terminal.say_json(&json!({ "ok": true, "function": function, "versions": versions }))?;
            return Ok(Exit::Done);
        }
        terminal
            .say(&terminal.faint(
                "VERSION               CREATED               STATUS    RUNTIME    CODE          TAGS",
            ))?;
        for version in &versions {
            let code = Mark::read(&version.description)
                .map_or_else(|| "-".to_owned(), |mark| mark.archive[..12].to_owned());
            let created: String = version.created_at.chars().take(19).collect();
            terminal.say(&format!(
                "{:<21} {created:<21} {:<9} {:<10} {code:<13} {}",
                version.id,
                version.status,
                version.runtime,
                version.tags.join(", ")
            ))?;
        }
        Ok(Exit::Done)
    }
}

fn document(version: &Version) -> serde_json::Value {
    json!({
        "id": version.id,
        "createdAt": version.created_at,
        "status": version.status,
        "runtime": version.runtime,
        "tags": version.tags,
        "archiveSha256": Mark::read(&version.description).map(|mark| mark.archive),
    })
}
