//! An archive's files in, the wanted ones of them in a directory out.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::model::archive;
use crate::model::finding::Result;
use crate::model::sources::Sources;
use crate::outside::disk;
use crate::outside::permissions::make_program;

/// Writes every file whose name is `wanted` below `directory`.
///
/// # Errors
/// [`finding::IO`], [`finding::PATH_UNSAFE`], and [`finding::ARCHIVE_UNREADABLE`] for a file that cannot
/// be read.
pub fn unpack(sources: &dyn Sources, directory: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let failed = |path: &Path, error: &io::Error| disk::io_finding("write", path, error);
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    for name in sources.names() {
        if name.ends_with('/') || !wanted(name) {
            continue;
        }
        archive::check_path(name)?;
        let path = directory.join(name);
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        let file = parent.and_then(|()| File::options().read(true).write(true).create_new(true).open(&path));
        let mut file = file.map_err(|error| failed(&path, &error))?;
        sources.copy(name, &mut file)?;
        let mut start = [0; 4];
        let read =
            file.rewind().and_then(|()| file.read(&mut start)).map_err(|error| failed(&path, &error))?;
        if start[..read].starts_with(b"#!") || start[..read].starts_with(b"\x7fELF") {
            make_program(&path).map_err(|error| failed(&path, &error))?;
        }
    }
    Ok(())
}
