//! Contests in, the Markdown that says how they went out.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::SystemTime;

use crate::measure::{Contest, Sample, median};

pub type Growth = Vec<(usize, Vec<(String, Sample)>)>;

pub fn markdown(contests: &[Contest], growth: &Growth, rounds: usize) -> String {
    let mut text = format!(
        "# Results\n\nWritten by `cargo bench --bench compare` on {}, with fnscaffold {}: {}. Medians of \
         {rounds} rounds; in each, all ran in turn. `ratio` is the time that it took for each second of \
         fnscaffold's.\n",
        today(),
        env!("CARGO_PKG_VERSION"),
        machine()
    );
    for contest in contests {
        let medians: Vec<_> = contest.samples.iter().map(|samples| median(samples)).collect();
        let _ = write!(
            text,
            "\n## {}\n\n| | wall | ratio | CPU | memory | output | same bytes again |\n|---|--:|--:|--:|--:|--:|---|\n",
            contest.work
        );
        for (index, sample) in medians.iter().enumerate() {
            let ratio = sample.wall.as_secs_f64() / medians[0].wall.as_secs_f64();
            let all = &contest.samples[index];
            let same = all.iter().all(|other| other.sha256 == all[0].sha256);
            let _ = writeln!(
                text,
                "| {} | {} | {ratio:.2} | {} | {:.0} MB | {} | {} |",
                contest.names[index],
                time(sample.wall.as_secs_f64()),
                time(sample.cpu.as_secs_f64()),
                sample.memory as f64 / 1e6,
                size(sample.bytes),
                if same { "yes" } else { "no" }
            );
        }
    }
    text.push_str("\n## How the cost of packing grows\n\n| small files | wall | CPU | memory | `zip -6` wall |\n|--:|--:|--:|--:|--:|\n");
    for (count, medians) in growth {
        let ours = &medians[0].1;
        let zip = medians.get(1).map_or("not installed".to_owned(), |(_, zip)| time(zip.wall.as_secs_f64()));
        let (wall, cpu) = (time(ours.wall.as_secs_f64()), time(ours.cpu.as_secs_f64()));
        let _ = writeln!(text, "| {count} | {wall} | {cpu} | {:.0} MB | {zip} |", ours.memory as f64 / 1e6);
    }
    text
}

pub fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.2} MB", bytes as f64 / 1e6),
    }
}

/// Processors, memory and system; no names.
fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cpu = cpu.trim_start_matches([':', ' ', '\t']);
    let memory = read("/proc/meminfo");
    let kilobytes: f64 =
        memory.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0.0);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown");
    let system = std::env::consts::OS;
    format!(
        "{threads} processors ({cpu}), {:.0} GB of memory, {system}, load {load} at the end{}",
        kilobytes / 1e6,
        tools()
    )
}

fn tools() -> String {
    let of = |program: &str| {
        let told = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    let versions = [("Node.js", of("node")), ("", of("python3"))];
    versions
        .into_iter()
        .filter_map(|(name, version)| {
            version.map(|version| format!(", {}", format!("{name} {version}").trim()))
        })
        .collect()
}

fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}
