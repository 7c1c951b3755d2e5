//! `cargo bench --bench inside`: render, pack and check, each without the process around it. `-- pack` and
//! the like name a part; Criterion compares with the run before.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark touches the disk, starts a process, and fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fnscaffold::probes::timed;
use tempfile::TempDir;

const FILES: [usize; 4] = [10, 100, 1_000, 10_000];

fn render(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("render");
    for runtime in ["nodejs22", "python312"] {
        assert!(timed::render(runtime) > 0);
        group.bench_function(runtime, |bencher| bencher.iter(|| timed::render(runtime)));
    }
}

fn pack(criterion: &mut Criterion) {
    by_files(criterion, "pack", |directory| {
        assert!(timed::pack(directory) > 0);
    });
}

fn check(criterion: &mut Criterion) {
    by_files(criterion, "check", |directory| {
        // A function without a service account is told about.
        assert_eq!(timed::check(directory), 1);
    });
}

/// Function directories of that many files, each with its archive.
fn by_files(criterion: &mut Criterion, name: &str, work: impl Fn(&Path)) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for count in FILES {
        let place = TempDir::new().unwrap();
        let directory = place.path().join("my-app");
        let fnscaffold = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_fnscaffold"));
            assert!(command.args(arguments).arg("-q").current_dir(&place).status().unwrap().success());
        };
        fnscaffold(&["new", "my-app", "--runtime", "nodejs22", "--mode", "context"]);
        for number in 1..count {
            let folder = directory.join(format!("m{}", number / 100));
            fs::create_dir_all(&folder).unwrap();
            let text = format!("exports.number = {number};\n").repeat(number % 40 + 1);
            fs::write(folder.join(format!("f{number}.js")), text).unwrap();
        }
        fnscaffold(&["pack", "-C", "my-app"]);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &directory, |bencher, directory| {
            bencher.iter(|| work(directory));
        });
    }
}

criterion_group!(benches, render, pack, check);
criterion_main!(benches);
