//! `cargo bench --bench dev`: warm requests to `dev`, in turn with the languages' functions-frameworks, and
//! beside bare calls into the interpreter's process; then 100,000 requests, and what memory they leave.
//! Prints Markdown. The frameworks are installed below target/, once.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark touches the disk, starts processes, has a clock, and fails by panicking"
)]

#[cfg(unix)]
mod bare;
mod load;
#[path = "../compare/packages.rs"]
mod packages;
mod servers;

use std::path::Path;
use std::time::Duration;

use load::{Figures, Until, load};
use servers::{Language, Server};
use tokio::runtime::Runtime;

/// Each is measured this often, in turn with the others, and the best counts.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: [usize; 2] = [1, 16];
const MANY: usize = 100_000;

fn main() {
    // `cargo test --benches` only sees that it compiles.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/frameworks");
    let root = tempfile::tempdir().unwrap();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut servers = Vec::new();
    for language in Language::ALL {
        servers.push(Server::framework(root.path(), &home, language));
        servers.push(Server::dev(root.path(), language, "", "", &[]));
        servers.push(Server::dev(root.path(), language, " -q", "", &["-q"]));
    }
    servers.push(Server::dev(root.path(), Language::Node, ", 16 at once", "concurrency = 16\n", &[]));
    for server in &servers {
        tokio.block_on(load(server.address, 4, Until::Elapsed(Duration::from_secs(1))));
    }
    #[cfg_attr(not(unix), expect(unused_variables, reason = "a bare process is asked over a unix socket"))]
    let alone = compare(&tokio, &servers);
    #[cfg(unix)]
    overhead(root.path(), &servers, &alone);
    endure(&tokio, &servers);
}

/// Prints how fast all are, and gives how fast at one connection.
fn compare(tokio: &Runtime, servers: &[Server]) -> Vec<Figures> {
    println!(
        "| server | connections | requests/s | p50 ms | p99 ms | requests/s to the framework's | p99 to the framework's |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let mut alone = Vec::new();
    for connections in CONNECTIONS {
        let mut best = vec![Figures::default(); servers.len()];
        for _ in 0..ROUNDS {
            for (server, best) in servers.iter().zip(&mut best) {
                *best = best.better(tokio.block_on(load(server.address, connections, Until::Elapsed(ROUND))));
            }
        }
        for (server, Figures { per_second, p50, p99 }) in servers.iter().zip(&best) {
            let peer = servers.iter().position(|other| !other.is_ours && other.language == server.language);
            let Figures { per_second: peers, p99: peers_p99, .. } = best[peer.unwrap()];
            println!(
                "| {} | {connections} | {per_second:.0} | {p50:.3} | {p99:.3} | {:.2} | {:.2} |",
                server.name,
                per_second / peers,
                p99 / peers_p99
            );
        }
        if connections == 1 {
            alone = best;
        }
    }
    alone
}

/// Prints what `dev` adds to a call into the interpreter's process.
#[cfg(unix)]
fn overhead(root: &Path, servers: &[Server], alone: &[Figures]) {
    println!("\n| one call after the other | calls/s | p50 ms | p99 ms | `dev` adds |");
    println!("|---|--:|--:|--:|--:|");
    let mut bare = Language::ALL.map(|language| bare::Bare::start(root, language));
    let mut best = [Figures::default(); 2];
    for _ in 0..ROUNDS {
        for (bare, best) in bare.iter_mut().zip(&mut best) {
            *best = best.better(bare.call(ROUND));
        }
    }
    for (bare, Figures { per_second, p50, p99 }) in bare.iter().zip(best) {
        println!("| bare, {} | {per_second:.0} | {p50:.3} | {p99:.3} | |", bare.language.name());
        let ours = servers
            .iter()
            .zip(alone)
            .filter(|(server, _)| server.is_ours && server.language == bare.language);
        for (server, figures) in ours {
            println!(
                "| {} | {:.0} | {:.3} | {:.3} | {:.3} ms |",
                server.name,
                figures.per_second,
                figures.p50,
                figures.p99,
                figures.p50 - p50
            );
        }
    }
}

/// Prints what memory many requests leave. A lost one is a panic.
fn endure(tokio: &Runtime, servers: &[Server]) {
    println!("\n| {MANY} requests at 16 connections | lost | fnscaffold kB | interpreter kB |");
    println!("|---|--:|--:|--:|");
    for server in servers.iter().filter(|server| server.is_ours) {
        let [ours, theirs] = server.resident();
        tokio.block_on(load(server.address, 16, Until::Answered(MANY)));
        let [ours_after, theirs_after] = server.resident();
        println!("| {} | 0 | {ours} → {ours_after} | {theirs} → {theirs_after} |", server.name);
    }
}
