//! A report over files in memory.

use proptest::prelude::*;

use super::*;
use crate::model::package::MemoryFile;

/// Each file takes a tenth of its size.
fn report(files: &[(&str, &str)]) -> Report {
    let mut files: Vec<_> = files
        .iter()
        .map(|(path, text)| MemoryFile { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let entries: Vec<_> = files
        .iter()
        .map(|file| Entry {
            path: file.path.clone(),
            weight: Weight { size: file.size(), compressed: file.size() / 10 },
        })
        .collect();
    let archive = entries.iter().map(|entry| entry.weight.compressed).sum();
    Report::of(&files, entries, archive)
}

fn groups(report: &Report) -> Vec<(&str, Kind, usize)> {
    report.groups.iter().map(|group| (group.name.as_str(), group.kind, group.files)).collect()
}

fn hints(report: &Report) -> Vec<(&str, usize)> {
    report.hints.iter().map(|hint| (hint.name, hint.files)).collect()
}

#[test]
fn packages_come_before_directories_and_the_heaviest_first() {
    let record = "numpy/__init__.py,sha256=x,9\nnumpy.libs/libopenblas.so,,\nnumpy-2.4.0.dist-info/RECORD,,\nsix.py,,\n";
    let long = "x".repeat(900);
    let report = report(&[
        ("index.py", "x = 1234567890"),
        ("src/a.js", &long[..700]),
        ("src/deep/b.js", &long[..100]),
        ("numpy/__init__.py", &long),
        ("numpy.libs/libopenblas.so", &long),
        ("numpy-2.4.0.dist-info/RECORD", record),
        ("numpy/own.txt", "12345678901"),
        ("node_modules/a/index.js", &long[..400]),
        ("node_modules/a/node_modules/b/index.js", &long[..600]),
        ("node_modules/.package-lock.json", "not JSON, and that is fine"),
    ]);
    assert_eq!(
        groups(&report),
        [
            ("numpy 2.4.0", Kind::Package, 3),
            ("src/", Kind::Directory, 2),
            ("node_modules/a/node_modules/b", Kind::Package, 1),
            ("node_modules/a", Kind::Package, 1),
            ("node_modules/", Kind::Directory, 1),
            ("index.py", Kind::File, 1),
            ("numpy/", Kind::Directory, 1),
        ]
    );
    let sum: u64 = report.groups.iter().map(|group| group.weight.compressed).sum();
    assert_eq!(sum, report.whole.compressed);
    let lefts = report.limits.map(|limit| limit.left);
    assert_eq!(lefts, [3_669_643, 134_217_355, 713_027_932]);
}

#[test]
fn what_only_development_needs_is_found_in_the_lock_file() {
    let lock = r#"{ "packages": { "": {}, "node_modules/a": {}, "node_modules/b": { "dev": true },
        "node_modules/a/node_modules/c": { "dev": true } } }"#;
    let files = [
        ("node_modules/a/index.js", "0123456789"),
        ("node_modules/a/node_modules/c/index.js", "0123456789"),
        ("node_modules/b/index.js", "0123456789"),
        ("node_modules/b/node_modules/d/index.js.map", "0123456789"),
        ("package.json", r#"{ "devDependencies": { "a": "1" } }"#),
    ];
    let with = [files.as_slice(), &[("node_modules/.package-lock.json", lock)]].concat();
    assert_eq!(hints(&report(&with)), [("development dependencies", 3)]);
    // The platform would install all of them anew.
    let with = [files.as_slice(), &[("package-lock.json", lock)]].concat();
    assert_eq!(hints(&report(&with)), [("packages beside a lock file", 4)]);
    // package.json alone names `a`, with what is in it; what is left of `b` is a source map.
    let report = report(&files);
    let found = hints(&report);
    assert_eq!(found, [("development dependencies", 2), ("source maps", 1)]);
}

#[test]
fn every_file_is_counted_once() {
    let record = "p/tests/test_a.py,,\np/docs/a.rst,,\np/a.pyi,,\np/a.py,,\n";
    let ten = "0123456789";
    let report = report(&[
        ("p-1.dist-info/RECORD", record),
        ("p/tests/test_a.py", ten),
        ("p/docs/a.rst", ten),
        ("p/a.pyi", ten),
        ("p/a.py", ten),
        ("p/__pycache__/a.cpython-312.pyc", ten),
        ("tests/mine.py", ten),
        ("README.md", ten),
        ("node_modules/test/index.js", ten),
        ("node_modules/a/test/index.js", ten),
        ("node_modules/a/test/index.js.map", ten),
        ("node_modules/a/index.d.ts", ten),
        ("types.d.ts", ten),
    ]);
    let mut found = hints(&report);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("compiled Python", 1),
            ("documentation in packages", 1),
            ("source maps", 1),
            ("tests in packages", 2),
            ("type declarations", 2),
        ]
    );
}

#[test]
fn symbols_are_weighed_and_little_is_not_mentioned() {
    let mut library = elf::tests::elf(&[(1, 6, 10), (2, 0, 100)]);
    library.resize(400, b'x');
    let library = String::from_utf8(library).unwrap();
    let report = report(&[("a/lib.so.1", &library), ("b.js", &"x".repeat(600)), ("c.js.map", "x")]);
    let [hint] = report.hints.as_slice() else { panic!("{:?}", report.hints) };
    assert_eq!((hint.name, hint.files), ("symbols and debugging information", 1));
    assert_eq!(hint.weight, Weight { size: 100, compressed: 10 });
}

#[test]
fn the_table_sums_up_what_it_does_not_show() {
    let names: Vec<_> = (0..30).map(|number| format!("f{number:02}.js")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "0123456789")).collect();
    let report = report(&files);
    let (short, long) = (table(&report, false), table(&report, true));
    assert!(short[21].ends_with("10 more (-v shows them)"), "{}", short[21]);
    assert!(long[30].ends_with("f29.js"));
    assert_eq!(short[22], "      30 B       300 B  100.0%      30  the archive");
    assert_eq!(short.last(), long.last());
}

#[test]
fn the_page_is_whole_and_cannot_be_broken_by_a_name() {
    let report = report(&[("</script><img src=x>.js", "0123456789"), ("a & b.js", "0123456789")]);
    let page = page(&report, "my-app<>", "index-js.zip").unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<h1>my-app&lt;&gt;</h1>"));
    assert!(page.contains(r#"["\u003c/script>\u003cimg src=x>.js",1,10]"#));
    assert!(!page.contains("<img") && page.contains("a &amp; b.js"));
    for outside in ["http:", "https:", "src=\"", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

proptest! {
    #[test]
    fn any_files_are_reported(
        files in prop::collection::btree_map(
            "(node_modules/|@a/|a/|tests/|a-1\\.dist-info/|RECORD|package\\.json|\\PC){1,6}",
            prop_oneof!["\\PC{0,40}", Just("{\"packages\":{\"\":[]}}".to_owned()), Just("a,b\n\"c".to_owned())],
            0..12,
        ),
    ) {
        let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let report = report(&files);
        let _ = table(&report, true);
        prop_assert!(page(&report, "x", "y").is_ok());
        prop_assert_eq!(report.groups.iter().map(|group| group.files).sum::<usize>(), files.len());
    }
}
