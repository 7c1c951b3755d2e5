//! A deployment in, lines for a person or the document for a program out.

use serde_json::{Value, json};

use super::flow::{Deployment, Done, Outlook, Upload};
use crate::model::cloud::records::Version;
use crate::model::finding::{Finding, Result};
use crate::model::tree_view::human_size;
use crate::outside::terminal::Terminal;

pub fn say(
    terminal: &Terminal,
    deployment: &Deployment<'_>,
    outlook: &Outlook,
    done: Option<&Done>,
) -> Result<()> {
    for remark in done.iter().flat_map(|done| &done.remarks) {
        terminal.warn(remark);
    }
    if terminal.quiet {
        return Ok(());
    }
    let name = &deployment.manifest.name;
    let would = if done.is_some() { "" } else { "would be " };
    match (&outlook.function, done) {
        (Some(function), _) => terminal.say(&format!("function `{name}` ({})", function.id))?,
        (None, Some(done)) => terminal.say(&format!("function `{name}` ({}) created", done.function.id))?,
        (None, None) => terminal.say(&format!("function `{name}` would be created"))?,
    }
    match (&outlook.keep, done) {
        (Some(version), _) => terminal.say(&format!(
            "version {} is this already: nothing {}",
            version.id,
            if done.is_some() { "was sent" } else { "would be sent" }
        ))?,
        (None, Some(done)) => {
            terminal.say(&format!("version {} {}", done.version.id, terminal.good("active")))?;
        }
        (None, None) => terminal.say(&format!("version would be created, {}", way(deployment)))?,
    }
    if done.is_none()
        && deployment.smoke.is_none()
        && outlook.keep.as_ref().is_some_and(|version| lacks_all(version, &deployment.spec.tag))
    {
        terminal.note(
            "it has none of its tags, perhaps because a call failed; --smoke calls it before they move",
        );
    }
    for difference in if outlook.keep.is_none() { outlook.differences.as_slice() } else { &[] } {
        terminal.say(&format!("  {}", terminal.diff_line(&difference.line())))?;
    }
    if deployment.smoke.is_some() {
        terminal.say(if done.is_some() { "called, and answered as expected" } else { "would be called" })?;
    }
    for tag in tags(deployment, outlook, done) {
        terminal.say(&format!("tag `{tag}` {would}moved"))?;
    }
    if let Some(done) = done {
        terminal.say(&done.function.http_invoke_url)?;
    }
    Ok(())
}

pub fn document(
    deployment: &Deployment<'_>,
    outlook: &Outlook,
    done: Option<&Done>,
    findings: &[Box<Finding>],
) -> Value {
    let function = done.map(|done| &done.function).or(outlook.function.as_ref());
    let version = done.map(|done| &done.version).or(outlook.keep.as_ref());
    let upload = match deployment.upload() {
        Upload::Direct => json!({ "direct": true }),
        Upload::Bucket(object) => json!({ "bucket": deployment.bucket, "object": object }),
    };
    let findings: Vec<_> = findings.iter().chain(done.iter().flat_map(|done| &done.remarks)).collect();
    json!({
        "ok": true,
        "dryRun": done.is_none(),
        "function": {
            "name": deployment.manifest.name,
            "id": function.map(|function| &function.id),
            "created": outlook.function.is_none(),
            "url": function.map(|function| &function.http_invoke_url),
        },
        "version": {
            "id": version.map(|version| &version.id),
            "status": version.map(|version| &version.status),
            "created": outlook.keep.is_none(),
            "tags": version.map(|version| &version.tags),
        },
        "archive": { "sha256": deployment.spec.archive.sha256, "size": deployment.spec.archive.size },
        "upload": upload,
        "smoke": deployment.smoke.is_some(),
        "movedTags": tags(deployment, outlook, done),
        "differences": outlook.differences,
        "findings": findings,
    })
}

/// The tags that were or would be moved.
fn tags(deployment: &Deployment<'_>, outlook: &Outlook, done: Option<&Done>) -> Vec<String> {
    match (done, &outlook.keep) {
        (Some(done), _) => done.moved.clone(),
        (None, Some(version)) => {
            deployment.spec.tag.iter().filter(|tag| !version.has_tag(tag)).cloned().collect()
        }
        (None, None) => deployment.spec.tag.clone(),
    }
}

/// As a version does that did not prove itself.
fn lacks_all(version: &Version, tags: &[String]) -> bool {
    !tags.is_empty() && !tags.iter().any(|tag| version.has_tag(tag))
}

fn way(deployment: &Deployment<'_>) -> String {
    let size = human_size(deployment.spec.archive.size);
    match (deployment.upload(), deployment.bucket) {
        (Upload::Direct, _) => format!("{size} with the request"),
        (Upload::Bucket(object), bucket) => {
            format!("{size} through the bucket `{}` as `{object}`", bucket.unwrap_or("?"))
        }
    }
}
