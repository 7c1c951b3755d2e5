//! `cargo bench --bench start`: what `new` and `--help` cost beside bare programs that do as little as
//! can be done: this program started again, which writes the same files, or nothing.
//!
//! Prints medians of wall and CPU time, their ratios, and peak memory. Nothing is asserted: machines are
//! noisy, and the ratios are for people to judge.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark starts processes, has a clock, and fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use wait4::{ResourceUsage, Wait4};

const RUNS: usize = 200;
const FNSCAFFOLD: &str = env!("CARGO_BIN_EXE_fnscaffold");

fn main() {
    match env::args().nth(1).as_deref() {
        Some("--bare-new") => bare_new(&PathBuf::from(env::args_os().nth(2).expect("a directory"))),
        Some("--bare-empty") => {}
        _ => compare(),
    }
}

/// Writes `new`'s files, which stand in the directory `model`, to `my-app`: as few calls as can be.
fn bare_new(model: &Path) {
    fs::create_dir_all("my-app/dist").unwrap();
    for entry in
        fs::read_dir(model.join("my-app")).unwrap().chain(fs::read_dir(model.join("my-app/dist")).unwrap())
    {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::write(path.strip_prefix(model).unwrap(), fs::read(&path).unwrap()).unwrap();
        }
    }
}

fn compare() {
    let directory = tempfile::tempdir().unwrap();
    // Copied, as installing does: what a linker has written lies in memory in smaller pieces.
    let [fnscaffold, me] = ["fnscaffold", "bare"].map(|name| directory.path().join(name));
    fs::copy(FNSCAFFOLD, &fnscaffold).unwrap();
    fs::copy(env::current_exe().unwrap(), &me).unwrap();
    let model = directory.path().join("model");
    fs::create_dir(&model).unwrap();
    let new = ["new", "--lang", "python", "--mode", "api", "-q"];
    run(Command::new(&fnscaffold).args(new).current_dir(&model));
    let place = directory.path().join("place");
    let fresh = || {
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place).unwrap();
    };
    pair(
        "new --lang python --mode api, archive included",
        &fresh,
        || run(Command::new(&fnscaffold).args(new).current_dir(&place)),
        || run(Command::new(&me).arg("--bare-new").arg(&model).current_dir(&place)),
    );
    pair(
        "--help",
        &|| {},
        || run(Command::new(&fnscaffold).arg("--help")),
        || run(Command::new(&me).arg("--bare-empty")),
    );
    let size = fs::metadata(FNSCAFFOLD).unwrap().len();
    println!("binary: {:.1} MB", size as f64 / 1e6);
}

fn run(command: &mut Command) -> (Duration, ResourceUsage) {
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let used = child.wait4().unwrap();
    assert!(used.status.success());
    (start.elapsed(), used.rusage)
}

/// Runs both in turn, so that a machine that grows slower does so for both.
fn pair(
    name: &str,
    before: &dyn Fn(),
    ours: impl Fn() -> (Duration, ResourceUsage),
    bare: impl Fn() -> (Duration, ResourceUsage),
) {
    let (mut all_ours, mut all_bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        before();
        all_ours.push(ours());
        before();
        all_bare.push(bare());
    }
    println!("{name}");
    let wall = [median(&all_ours, |run| run.0), median(&all_bare, |run| run.0)];
    let cpu = [&all_ours, &all_bare].map(|runs| median(runs, |run| run.1.utime + run.1.stime));
    for (what, [ours, bare]) in [("wall", wall), ("cpu", cpu)] {
        println!(
            "  {what:<5} {:>6.2} ms, bare {:>6.2} ms, ratio {:.2}",
            ours.as_secs_f64() * 1e3,
            bare.as_secs_f64() * 1e3,
            ours.as_secs_f64() / bare.as_secs_f64()
        );
    }
    let memory = all_ours.iter().map(|run| run.1.maxrss).max().unwrap_or(0);
    println!("  peak memory {:.1} MB", memory as f64 / 1e6);
}

fn median(
    runs: &[(Duration, ResourceUsage)],
    figure: impl Fn(&(Duration, ResourceUsage)) -> Duration,
) -> Duration {
    let mut figures: Vec<_> = runs.iter().map(figure).collect();
    figures.sort();
    figures[figures.len() / 2]
}
