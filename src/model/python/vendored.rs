//! An archive's `*.dist-info` directories in, which of its modules are installed packages out.

use std::collections::BTreeSet;

use crate::model::python::distributions;
use crate::model::python::finder::Finder;

/// Installed packages that the archive carries: `pip install -t` leaves a record beside each.
#[derive(Debug, Default)]
pub struct Vendored {
    /// Paths of top-level modules and packages without an extension: `requests`, `vendor/yaml`.
    paths: BTreeSet<String>,
    /// Their distributions' names, normalised.
    pub distributions: BTreeSet<String>,
}

impl Vendored {
    pub fn of(finder: &Finder<'_>) -> Self {
        let mut vendored = Self::default();
        let mut previous = String::new();
        for name in finder.names() {
            let Some(info) = info_directory(name) else { continue };
            if info != previous {
                vendored.add(finder, info);
                info.clone_into(&mut previous);
            }
        }
        vendored
    }

    fn add(&mut self, finder: &Finder<'_>, info: &str) {
        let (directory, label) = info.rsplit_once('/').map_or(("", info), |(before, last)| (before, last));
        let distribution = label.split('-').next().unwrap_or_default().trim_end_matches(".egg");
        let distribution = distributions::normalised(distribution);
        let text = |file: &str| {
            let bytes = finder.sources.read_list(&format!("{info}/{file}"))?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let mut modules: BTreeSet<String> = BTreeSet::new();
        if let Some(record) = text("RECORD") {
            modules.extend(record.lines().filter_map(|line| {
                let path = line.trim_start_matches('"').split([',', '"']).next()?;
                match path.split_once('/') {
                    Some((".." | "bin" | "__pycache__", _)) => None,
                    Some((top, _)) => (!is_info(top)).then(|| top.to_owned()),
                    None => path.split_once('.').map(|(stem, _)| stem.to_owned()),
                }
            }));
        } else if let Some(top_level) = text("top_level.txt") {
            modules.extend(top_level.lines().map(|line| line.trim().to_owned()));
        } else {
            modules.insert(distribution.replace('-', "_"));
            modules.extend(
                distributions::modules_of(&distribution)
                    .map(|module| module.split('.').next().unwrap_or_default().to_owned()),
            );
        }
        modules.remove("");
        self.paths.extend(
            modules
                .into_iter()
                .map(|module| if directory.is_empty() { module } else { format!("{directory}/{module}") }),
        );
        self.distributions.insert(distribution);
    }

    /// Whether a dotted name, from the archive's root, is in one of them.
    pub fn holds(&self, module: &str) -> bool {
        self.paths.contains(module.split('.').next().unwrap_or_default())
    }

    /// The same for a file or directory.
    pub fn holds_path(&self, path: &str) -> bool {
        let parts = path.match_indices('/').map(|(index, _)| &path[..index]);
        let stem = path.strip_suffix(".py").unwrap_or(path);
        parts.chain([stem]).any(|part| self.paths.contains(part))
    }
}

/// The `*.dist-info` directory that a file lies in.
fn info_directory(path: &str) -> Option<&str> {
    let mut end = 0;
    for part in path.split('/') {
        end += part.len();
        if is_info(part) && end < path.len() {
            return Some(&path[..end]);
        }
        end += 1;
    }
    None
}

fn is_info(directory: &str) -> bool {
    directory.ends_with(".dist-info") || directory.ends_with(".egg-info")
}
