//! Paths with a remark each in, the lines of a tree as `tree` draws it out.

use std::collections::BTreeMap;

#[derive(Default)]
struct Node<'a> {
    remark: &'a str,
    children: BTreeMap<&'a str, Node<'a>>,
}

/// Draws `files` (`/`-separated path, remark) below their common directory.
pub fn draw(files: &[(String, String)]) -> Vec<String> {
    let mut root = Node::default();
    for (path, remark) in files {
        let mut node = &mut root;
        for part in path.split('/') {
            node = node.children.entry(part).or_default();
        }
        node.remark = remark;
    }
    let mut rows = Vec::new();
    descend(&root, "", &mut rows);
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.into_iter().map(|(name, remark)| format!("{name:<width$}  {remark}").trim_end().to_owned()).collect()
}

fn descend<'a>(node: &Node<'a>, indent: &str, rows: &mut Vec<(String, &'a str)>) {
    let last = node.children.len().saturating_sub(1);
    for (index, (name, child)) in node.children.iter().enumerate() {
        let (branch, below) = if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let slash = if child.children.is_empty() { "" } else { "/" };
        rows.push((format!("{indent}{branch}{name}{slash}"), child.remark));
        descend(child, &format!("{indent}{below}"), rows);
    }
}

/// Bytes for a person: `512 B`, `3.4 kB`, `21.0 MB`, in powers of 1000.
pub fn human_size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..999_950 => format!("{:.1} kB", bytes as f64 / 1e3),
        999_950..999_950_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_reads_as_tree_draws_it() {
        let files = [("index.js", "1 B"), ("dist/a.zip", "22 B"), ("function.toml", "")]
            .map(|(p, r)| (p.into(), r.into()));
        assert_eq!(
            draw(&files),
            ["├── dist/", "│   └── a.zip      22 B", "├── function.toml", "└── index.js       1 B"]
        );
    }

    #[test]
    fn sizes_round_to_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (3_670_016, "3.7 MB"),
        ] {
            assert_eq!(human_size(bytes), text);
        }
    }
}
