//! `cargo bench --bench compare`: fnscaffold and its peers at the same work, in turn. See README.md here.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark touches the disk, starts processes, has a clock, and fails by panicking"
)]

mod by_hand;
mod measure;
mod packages;
mod peers;
mod plot;
mod serve;
mod table;
mod trees;

use std::path::Path;
use std::{env, fs};

use measure::{Contest, Sample};
use peers::Peer;

/// Files of the trees that show how cost grows.
const GROWTH: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if let [flag, out] = arguments.as_slice()
        && flag == by_hand::FLAG
    {
        return by_hand::pack(Path::new(out));
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    // `cargo test --benches` only sees that it compiles.
    if !has("--bench") {
        return;
    }
    let rounds = arguments.iter().find_map(|argument| argument.strip_prefix("--rounds="));
    let rounds: usize = rounds.map_or(5, |rounds| rounds.parse().expect("--rounds=NUMBER"));
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compare");
    fs::create_dir_all(&place).unwrap();
    let home = peers::install(&place, has("--slow-peers"));

    let mut contests = Vec::new();
    for tree in [trees::node(&place), trees::python(&place)] {
        contests.push(pack(&tree, &peers::packers(&home), rounds));
    }
    contests.push(scaffold(&place, &peers::scaffolders(&home), rounds.max(5)));
    contests.extend(serve::contests(&place, &home, rounds));
    let growth = grow(&place, &home, rounds.min(3));

    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare");
    fs::write(results.join("RESULTS.md"), table::markdown(&contests, &growth, rounds)).unwrap();
    fs::write(results.join("results.svg"), plot::svg(&contests, &growth)).unwrap();
    println!("written: benches/compare/RESULTS.md, results.svg");
}

/// One archive a peer a round. Before each round but the first all files get another time, as in a fresh
/// checkout, so that an archive that depends on it shows.
fn pack(tree: &trees::Tree, packers: &[Peer], rounds: usize) -> Contest {
    let out = tree.directory.with_extension("zip");
    let mut contest = Contest::new(&tree.name, packers.iter().map(|peer| peer.name));
    for round in 0..rounds {
        tree.touch();
        for (peer, samples) in packers.iter().zip(&mut contest.samples) {
            if peer.takes_long && round >= 2 {
                continue;
            }
            tree.dress(peer.wants_manifest);
            let _ = fs::remove_file(&out);
            let sample = measure::run((peer.command)(&tree.directory, &out));
            let archive = if peer.wants_manifest { tree.archive() } else { out.clone() };
            samples.push(sample.with_output(&archive));
            println!("{} {}: {} {:?}", tree.name, round + 1, peer.name, samples[round].wall);
        }
    }
    tree.dress(true);
    contest
}

/// One project a peer a round, into an empty directory.
fn scaffold(place: &Path, scaffolders: &[Peer], rounds: usize) -> Contest {
    let mut contest = Contest::new(
        "scaffold a project of one file from a local template",
        scaffolders.iter().map(|peer| peer.name),
    );
    let into = place.join("scaffold");
    for _ in 0..rounds {
        for (peer, samples) in scaffolders.iter().zip(&mut contest.samples) {
            let _ = fs::remove_dir_all(&into);
            fs::create_dir_all(&into).unwrap();
            let sample = measure::run((peer.command)(&into, &place.join("unused")));
            samples.push(sample.with_tree(&into));
        }
    }
    contest
}

/// How the cost of packing grows with the number of files: for each number, fnscaffold and `zip -6`.
fn grow(place: &Path, home: &Path, rounds: usize) -> Vec<(usize, Vec<(String, Sample)>)> {
    let packers = peers::packers(home);
    let few: Vec<_> =
        packers.into_iter().filter(|peer| ["fnscaffold", "zip -6"].contains(&peer.name)).collect();
    GROWTH
        .iter()
        .map(|count| {
            let contest = pack(&trees::small(place, *count), &few, rounds);
            let medians =
                contest.names.iter().cloned().zip(contest.samples.iter().map(|all| measure::median(all)));
            (*count, medians.collect())
        })
        .collect()
}
