//! A function directory in, what a version is made of out: its manifest, its files and the interpreter.

use sha2::{Digest, Sha256};

use super::interpreter::Interpreter;
use super::manner::{Manner, Place};
use super::recall;
use crate::model::archive::{self, Content};
use crate::model::finding::{Result, Severity};
use crate::model::manifest::Manifest;
use crate::model::runtime::{Lang, Runtime};
use crate::model::selection::Selection;
use crate::model::settings::parse_runtime;
use crate::outside::disk::{self, Files, SourceFile};

/// What a version is made of.
pub struct Source {
    pub manifest: Manifest,
    pub runtime: &'static Runtime,
    pub interpreter: Interpreter,
    pub files: Vec<SourceFile>,
    digest: [u8; 32],
}

impl Source {
    /// What the directory holds. What `old` holds alike is not read again.
    ///
    /// # Errors
    /// What is wrong with it, or that no interpreter is here.
    pub fn read(place: &Place, manner: &Manner, old: Option<&Self>) -> Result<Self> {
        let (manifest, _) = disk::read_manifest(&place.directory)?;
        let runtime = parse_runtime(&manifest.version.runtime)?;
        let interpreter = match old.filter(|old| old.runtime == runtime) {
            Some(old) => old.interpreter.clone(),
            None => find(runtime, manner)?,
        };
        let selection: Selection = disk::selection(&place.directory, &manifest)?;
        let files = disk::collect(&place.directory, &selection)?.files;
        let stamps = |old: &Self| {
            let stamps = code(&old.files).map(SourceFile::stamp);
            stamps.eq(code(&files).map(SourceFile::stamp))
        };
        let digest = match old.filter(|old| stamps(old)) {
            Some(old) => old.digest,
            None => digest(&files),
        };
        Ok(Self { manifest, runtime, interpreter, files, digest })
    }

    /// Whether a version made of `other` would be the same, but for its logs.
    pub fn is(&self, other: &Self) -> bool {
        self.manifest.version == other.manifest.version && self.digest == other.digest
    }
}

fn find(runtime: &'static Runtime, manner: &Manner) -> Result<Interpreter> {
    let interpreter = recall::find(runtime, &manner.interpreters)?;
    match interpreter.judge(runtime) {
        Some(mut problem) if manner.strict_runtime => {
            problem.severity = Severity::Error;
            Err(problem)
        }
        _ => Ok(interpreter),
    }
}

/// What a change of makes another version. Who keeps what `dev` prints beside the code would have it load
/// the function again at each line.
fn code(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| !file.path().ends_with(".log"))
}

fn digest(files: &[SourceFile]) -> [u8; 32] {
    let sources = Files::from(files);
    let mut hash = Sha256::new();
    for name in code(files).map(SourceFile::path) {
        // One that cannot be read is told of when it is unpacked.
        hash.update(format!("{name}\0{}\0", archive::record(&sources, name).sha256));
    }
    hash.finalize().into()
}

/// Whether a debugger of this kind can be let into the function of a directory.
pub fn language(directory: &std::path::Path) -> Result<Lang> {
    let (manifest, _) = disk::read_manifest(directory)?;
    Ok(parse_runtime(&manifest.version.runtime)?.lang)
}
