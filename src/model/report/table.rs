//! A report in, its lines for a terminal out.

use super::{Hint, Report, Weight};
use crate::model::tree_view::human_size;

/// Groups that are shown without --verbose.
const SHOWN: usize = 20;

/// The widest limit is `upload through a bucket`.
const NAME: usize = 23;

/// The heaviest groups, or `all`; the distance to each limit; what could be left out.
pub fn table(report: &Report, all: bool) -> Vec<String> {
    let mut lines = vec![format!("{:>10}  {:>10}  {:>6}  {:>6}", "compressed", "unpacked", "share", "files")];
    let shown = if all { report.groups.len() } else { SHOWN.min(report.groups.len()) };
    for group in &report.groups[..shown] {
        lines.push(row(report, group.weight, group.files, &group.name));
    }
    let (mut rest, mut files) = (Weight::default(), 0);
    for group in &report.groups[shown..] {
        rest.add(group.weight);
        files += group.files;
    }
    if files > 0 {
        let more = format!("{} more (-v shows them)", report.groups.len() - shown);
        lines.push(row(report, rest, files, &more));
    }
    lines.push(row(report, report.whole, report.entries.len(), "the archive"));
    lines.push(String::new());
    for limit in &report.limits {
        let distance = human_size(limit.left.unsigned_abs());
        let verdict = if limit.left < 0 { "too much" } else { "left" };
        lines.push(format!(
            "{:<NAME$}  {:>10}  {distance:>10} {verdict}",
            limit.name,
            human_size(limit.limit)
        ));
    }
    if !report.hints.is_empty() {
        lines.push(String::new());
        lines.push("seldom needed:".to_owned());
        lines.extend(report.hints.iter().flat_map(advice));
    }
    lines
}

fn row(report: &Report, weight: Weight, files: usize, name: &str) -> String {
    let share = weight.compressed as f64 / report.whole.compressed.max(1) as f64 * 100.0;
    let (compressed, size) = (human_size(weight.compressed), human_size(weight.size));
    format!("{compressed:>10}  {size:>10}  {share:>5.1}%  {files:>6}  {name}")
}

fn advice(hint: &Hint) -> [String; 2] {
    let files = if hint.files == 1 { "1 file".to_owned() } else { format!("{} files", hint.files) };
    let size = human_size(hint.weight.compressed);
    [format!("{size:>10}  {} in {files}", hint.name), format!("{:>10}  {}", "", hint.fix)]
}
