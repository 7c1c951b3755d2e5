//! A report in, one page out that shows it as a map: it needs no network and no other file.

use handlebars::Handlebars;
use serde_json::json;

use super::{Group, Limit, Report, Weight};
use crate::model::finding::{self, Result};
use crate::model::tree_view::human_size;

const PAGE: &str = include_str!("page.html");

/// `title` is the function's name, `archive` that of the file.
///
/// # Errors
/// [`finding::IO`] when the page cannot be put together.
pub fn page(report: &Report, title: &str, archive: &str) -> Result<String> {
    // Path, bytes in the archive, bytes unpacked. `<` could end the script that it stands in.
    let files: Vec<_> = report
        .entries
        .iter()
        .map(|entry| (&entry.path, entry.weight.compressed, entry.weight.size))
        .collect();
    let failed = |why: String| finding::IO.finding("the report's page cannot be written").why(why);
    let data = serde_json::to_string(&files).map_err(|error| failed(error.to_string()))?;
    let facts = json!({
        "title": title,
        "archive": archive,
        "count": report.entries.len(),
        "compressed": human_size(report.whole.compressed),
        "unpacked": human_size(report.whole.size),
        "limits": report.limits.iter().map(meter).collect::<Vec<_>>(),
        "hints": report.hints.iter().map(|hint| json!({
            "name": hint.name,
            "files": hint.files,
            "compressed": human_size(hint.weight.compressed),
            "fix": hint.fix,
        })).collect::<Vec<_>>(),
        "groups": report.groups.iter().map(|group| row(group, report.whole)).collect::<Vec<_>>(),
        "data": data.replace('<', "\\u003c"),
    });
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.render_template(PAGE, &facts).map_err(|error| failed(error.to_string()))
}

fn meter(limit: &Limit) -> serde_json::Value {
    let percent = limit.bytes as f64 / limit.limit as f64 * 100.0;
    json!({
        "name": limit.name,
        "limit": human_size(limit.limit),
        "bytes": human_size(limit.bytes),
        "distance": human_size(limit.left.unsigned_abs()),
        "passed": limit.left < 0,
        "percent": format!("{:.1}", percent.min(100.0)),
    })
}

fn row(group: &Group, whole: Weight) -> serde_json::Value {
    json!({
        "name": group.name,
        "files": group.files,
        "compressed": human_size(group.weight.compressed),
        "unpacked": human_size(group.weight.size),
        "share": format!("{:.1}", group.weight.compressed as f64 / whole.compressed.max(1) as f64 * 100.0),
    })
}
