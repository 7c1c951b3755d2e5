//! The only room that sets permissions: a path and what may be done to it in, the disk changed out.

#[cfg(unix)]
use std::fs;
use std::io;
use std::path::Path;

#[cfg(unix)]
use walkdir::WalkDir;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing can be changed or added.
    Read,
    /// Nothing can be changed.
    ReadFiles,
    /// Everything can be removed.
    Remove,
}

/// What may be done to everything in a directory. The platform mounts the code read-only.
///
/// # Errors
/// What the operating system says.
#[cfg(unix)]
pub fn set_modes(directory: &Path, access: Access) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Directories can be entered only while they are readable, so each is changed before its entries.
    for entry in WalkDir::new(directory) {
        let entry = entry?;
        if entry.path_is_symlink() {
            continue;
        }
        let mode = entry.metadata()?.permissions().mode();
        let wanted = match access {
            Access::ReadFiles if entry.file_type().is_dir() => continue,
            // Not the files, which may be the cache's too: to remove one, its directory is changed.
            Access::Remove if !entry.file_type().is_dir() => continue,
            Access::Read | Access::ReadFiles => mode & !0o222,
            Access::Remove => mode | 0o200,
        };
        // What the cache has too is as it should be, and thousands of files are not touched again.
        if wanted != mode {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(wanted))?;
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub fn set_modes(_: &Path, _: Access) -> io::Result<()> {
    Ok(())
}

/// Makes a file one that can be started.
///
/// # Errors
/// What the operating system says.
#[cfg(unix)]
pub fn make_program(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
pub fn make_program(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_removed_is_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, file) = (directory.path().join("inside"), directory.path().join("inside/file"));
        fs::create_dir(&inside).unwrap();
        fs::write(&file, "").unwrap();
        let can_be_written =
            || [&inside, &file].map(|path| !fs::metadata(path).unwrap().permissions().readonly());
        for (access, expected) in [
            (Access::ReadFiles, [true, false]),
            (Access::Read, [false, false]),
            (Access::Remove, [true, false]),
        ] {
            set_modes(directory.path(), access).unwrap();
            assert_eq!(can_be_written(), expected);
        }
    }
}
