//! A command in, what it cost and what it made out.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wait4::Wait4;
use walkdir::WalkDir;

#[derive(Debug, Clone, Default)]
pub struct Sample {
    pub wall: Duration,
    /// Of the command and of what it started.
    pub cpu: Duration,
    /// Bytes, of the largest process.
    pub memory: u64,
    pub bytes: u64,
    pub sha256: String,
}

/// Peers at the same work.
pub struct Contest {
    pub work: String,
    pub names: Vec<String>,
    /// Of each peer, one for each round.
    pub samples: Vec<Vec<Sample>>,
}

impl Contest {
    pub fn new(work: &str, names: impl Iterator<Item = &'static str>) -> Self {
        let names: Vec<_> = names.map(str::to_owned).collect();
        let samples = vec![Vec::new(); names.len()];
        Self { work: work.to_owned(), names, samples }
    }
}

pub fn run(mut command: Command) -> Sample {
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = child.stderr.take().map(|mut stderr| io::read_to_string(&mut stderr).unwrap_or_default());
    let (sample, status) = used(child);
    let wall = start.elapsed();
    assert!(status.success(), "{command:?}: {}", stderr.unwrap_or_default());
    Sample { wall, ..sample }
}

/// What a process that has ended or is about to took, and how it ended.
pub fn used(child: Child) -> (Sample, ExitStatus) {
    let used = child.wait4().unwrap();
    let cpu = used.rusage.utime + used.rusage.stime;
    (Sample { cpu, memory: used.rusage.maxrss, ..Sample::default() }, used.status)
}

impl Sample {
    pub fn with_output(self, file: &Path) -> Self {
        let mut sha256 = Sha256::new();
        let bytes = io::copy(&mut File::open(file).unwrap(), &mut HashWriter(&mut sha256)).unwrap();
        Self { bytes, sha256: hex(sha256), ..self }
    }

    /// Of all files below `directory`, with their names.
    pub fn with_tree(self, directory: &Path) -> Self {
        let (mut sha256, mut bytes) = (Sha256::new(), 0);
        for entry in WalkDir::new(directory).sort_by_file_name() {
            let entry = entry.unwrap();
            sha256.update(entry.path().to_string_lossy().as_bytes());
            if entry.file_type().is_file() {
                let content = fs::read(entry.path()).unwrap();
                bytes += content.len() as u64;
                sha256.update(content);
            }
        }
        Self { bytes, sha256: hex(sha256), ..self }
    }
}

/// Each figure's median; the bytes of the last.
pub fn median(samples: &[Sample]) -> Sample {
    let last = samples.last().cloned().unwrap_or_default();
    Sample {
        wall: middle(samples.iter().map(|sample| sample.wall)),
        cpu: middle(samples.iter().map(|sample| sample.cpu)),
        memory: middle(samples.iter().map(|sample| sample.memory)),
        ..last
    }
}

fn middle<T: Ord>(figures: impl Iterator<Item = T>) -> T {
    let mut figures: Vec<_> = figures.collect();
    figures.sort();
    let middle = figures.len() / 2;
    figures.swap_remove(middle)
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn hex(sha256: Sha256) -> String {
    sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
