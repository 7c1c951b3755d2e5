//! Every console block of README.md and of `tests/cmd/*.md`, run from top to bottom of its file in an
//! empty directory. `TRYCMD=overwrite cargo test --test cli` writes what the program says now.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Copies a case to where it may write. trycmd runs a file in a directory of its own only beside a
/// directory of the same name that ends in `.out`.
fn staged(case: &Path) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli");
    let copy = directory.join(case.file_name().unwrap());
    fs::create_dir_all(copy.with_extension("out")).unwrap();
    fs::copy(case, &copy).unwrap();
    copy
}

#[test]
fn what_is_documented_is_what_is_said() {
    let mut cases: Vec<_> = fs::read_dir("tests/cmd").unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.push("README.md".into());
    let copies: Vec<_> = cases.iter().map(|case| staged(case)).collect();
    let tests = trycmd::TestCases::new();
    for (name, value) in [("COLUMNS", "100"), ("NO_COLOR", "1"), ("LC_ALL", "C.UTF-8")] {
        tests.env(name, value);
    }
    for copy in &copies {
        tests.case(copy);
    }
    tests.run();
    if std::env::var_os("TRYCMD").is_some_and(|mode| mode == "overwrite") {
        for (case, copy) in cases.iter().zip(&copies) {
            fs::copy(copy, case).unwrap();
        }
    }
}

#[test]
fn the_tests_that_the_threat_model_names_exist() {
    fn sources(directory: &Path, text: &mut String) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.extend(fs::read_to_string(path).unwrap().split_whitespace());
            }
        }
    }
    let mut code = String::new();
    ["src", "tests"].iter().for_each(|directory| sources(Path::new(directory), &mut code));
    let page = fs::read_to_string("SECURITY.md").unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        for named in row.split('`').skip(1).step_by(2).filter(|named| named.contains('_')) {
            let test = format!("#[test]fn{named}(");
            assert!(code.contains(&test), "no test is called `{named}`");
        }
        for named in row.split('`').skip(1).step_by(2).filter(|named| named.ends_with(".rs")) {
            assert!(Path::new(named).is_file(), "there is no `{named}`");
        }
    }
}

#[test]
fn the_figures_of_the_readme_are_those_that_were_measured() {
    let [readme, results] =
        ["README.md", "benches/compare/RESULTS.md"].map(|file| fs::read_to_string(file).unwrap());
    let section = readme.split("\n## ").find(|section| section.starts_with("How fast it is")).unwrap();
    let date = results.split_once("` on ").unwrap().1.split(',').next().unwrap();
    assert!(section.contains(date), "measured on {date}");
    let measured: BTreeSet<_> = results.lines().collect();
    let shown: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(shown.iter().any(|line| line.starts_with("| fnscaffold |")), "{shown:?}");
    for line in shown {
        assert!(measured.contains(line), "not measured: {line}");
    }
}
