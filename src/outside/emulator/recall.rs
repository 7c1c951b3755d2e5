//! A program in, the interpreter that it was found to be the last time out, as long as its file is the
//! same: asking takes longer than everything else that fnscaffold does before a call.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::install::cache_base;
use super::interpreter::{Interpreter, is_script, said};
use crate::model::finding;
use crate::model::runtime::Runtime;

/// What is remembered of a program.
#[derive(Serialize, Deserialize)]
struct Memory {
    of: Stamp,
    /// To `--version`.
    said: String,
}

/// What changes with a program's file.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    path: PathBuf,
    /// Behind the links on the way.
    real: PathBuf,
    /// Nanoseconds since 1970.
    modified: u64,
    size: u64,
}

/// [`Interpreter::find`], with memory.
///
/// # Errors
/// Those of [`Interpreter::find`].
pub fn find(runtime: &Runtime, chosen: &[PathBuf]) -> finding::Result<Interpreter> {
    Interpreter::find(runtime, chosen, &mut recall)
}

/// [`Interpreter::probe`], from memory where it can be trusted.
///
/// # Errors
/// Those of [`Interpreter::probe`].
pub fn recall(path: &Path) -> Result<Interpreter, String> {
    // What a script starts is decided elsewhere, by other files or by the environment.
    let Some(stamp) = stamp(path).filter(|_| !is_script(path)) else { return Interpreter::probe(path) };
    let place = place(&stamp);
    let remembered = fs::read(&place).ok().and_then(|text| serde_json::from_slice::<Memory>(&text).ok());
    if let Some(memory) = remembered.filter(|memory| memory.of == stamp) {
        return Interpreter::that_says(path, &memory.said);
    }
    let said = said(path, &["--version"])?;
    let found = Interpreter::that_says(path, &said)?;
    // What cannot be kept costs only time.
    let _ = keep(&place, &Memory { of: stamp, said });
    Ok(found)
}

/// Nothing for what is not there, and for a bare name, which is looked for in many places.
fn stamp(path: &Path) -> Option<Stamp> {
    path.parent().filter(|directory| !directory.as_os_str().is_empty())?;
    let real = dunce::canonicalize(path).ok()?;
    let metadata = fs::metadata(&real).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    let path = std::path::absolute(path).ok()?;
    Some(Stamp { path, real, modified: modified.try_into().ok()?, size: metadata.len() })
}

fn place(stamp: &Stamp) -> PathBuf {
    let digest = Sha256::digest(stamp.path.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    cache_base().join("interpreters").join(format!("{name}.json"))
}

/// Others read whole files or none.
fn keep(place: &Path, memory: &Memory) -> io::Result<()> {
    let directory = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(&serde_json::to_vec(memory)?)?;
    file.persist(place)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_memory_survives_and_is_of_one_file() {
        let directory = tempfile::tempdir().unwrap();
        let [old, new, link] = ["old", "new", "link"].map(|name| directory.path().join(name));
        fs::write(&old, "1").unwrap();
        fs::write(&new, "22").unwrap();
        symlink(&old, &link).unwrap();
        let before = stamp(&link).unwrap();
        let place = directory.path().join("cache/interpreters/x.json");
        keep(&place, &Memory { of: stamp(&link).unwrap(), said: "v22.1.0".to_owned() }).unwrap();
        let read: Memory = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
        assert!(read.of == before && read.said == "v22.1.0");
        // Another program behind the same name.
        fs::remove_file(&link).unwrap();
        symlink(&new, &link).unwrap();
        assert!(stamp(&link).unwrap() != before);
    }

    #[test]
    fn a_bare_name_has_no_stamp() {
        assert!(stamp(Path::new("node")).is_none());
        assert!(stamp(Path::new("/nowhere/node")).is_none());
    }
}
