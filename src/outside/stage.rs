//! The only room that writes: what it makes is either not there or whole, because it is made beside its
//! place and renamed into it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::WalkDir;

use crate::model::archive;
use crate::model::finding::{self, Result};
use crate::model::package::DIST;
use crate::model::project::WriteTo;
use crate::model::selection::OURS;
use crate::outside::disk::{io_finding, is_free, open_if_there};
use crate::outside::hold::Hold;
use crate::outside::interrupt;

/// Characters of a stage's name that follow [`OURS`], drawn by lot.
const STAGE_LETTERS: usize = 6;

/// A directory in the making, beside or inside the place it will have. Dropped, it leaves nothing
/// behind.
pub struct Stage {
    directory: TempDir,
    /// Directories that were made for it, outermost first.
    parents: Vec<PathBuf>,
    /// Says that its maker is alive, where the system can hold directories.
    _hold: Option<Hold>,
}

impl Stage {
    /// # Errors
    /// [`finding::IO`] when `parent` cannot be written.
    pub fn within(parent: &Path) -> Result<Self> {
        remove_abandoned(parent);
        let mut hold = None;
        let make = || loop {
            let directory =
                tempfile::Builder::new().prefix(OURS).rand_bytes(STAGE_LETTERS).tempdir_in(parent)?;
            let held = hold_stage(directory.path());
            // Whoever clears up may have met it before it was held, and then it goes.
            let is_lost = matches!(held, Ok(None)) || !directory.path().exists();
            if !is_lost {
                hold = held.ok().flatten();
                return Ok(directory);
            }
        };
        let directory = interrupt::guarded(make).map_err(|error: io::Error| {
            let problem = io_finding("write in", parent, &error);
            // tempfile adds the path, which the finding names already.
            match error.to_string().split_once(" at path ") {
                Some((why, _)) => problem.why(why),
                None => problem,
            }
        })?;
        Ok(Self { directory, parents: Vec::new(), _hold: hold })
    }

    /// A stage in the directory in which `target` will stand, which is made if need be.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn beside(target: &Path) -> Result<Self> {
        let parent =
            target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let absent =
            parent.ancestors().take_while(|parent| !parent.as_os_str().is_empty() && !parent.exists());
        let mut parents: Vec<_> = absent.map(Path::to_owned).collect();
        parents.reverse();
        if !parents.is_empty() {
            fs::create_dir_all(parent).map_err(|error| io_finding("create", parent, &error))?;
        }
        let mut stage = Self::within(parent)?;
        stage.parents = parents;
        Ok(stage)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// # Errors
    /// [`finding::IO`].
    pub fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let path = self.path().join(name);
        let written = match fs::write(&path, bytes) {
            // The stage itself stays away once a signal has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.parent() != Some(self.path()) => {
                make_parent(&path).and_then(|()| fs::write(&path, bytes))
            }
            written => written,
        };
        written.map_err(|error| io_finding("write", &path, &error))
    }

    /// # Errors
    /// [`finding::IO`].
    pub fn write_with(&self, name: &str, write: &WriteTo<'_>) -> Result<()> {
        let mut out = BufWriter::new(self.create(name)?);
        let written = write(&mut out).and_then(|()| out.flush());
        written.map_err(|error| io_finding("write", &self.path().join(name), &error))
    }

    /// A file that can be written and read back.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn create(&self, name: &str) -> Result<File> {
        let path = self.path().join(name);
        let options = File::options().read(true).write(true).create_new(true).open(&path);
        options.map_err(|error| io_finding("write", &path, &error))
    }

    /// Renames the directory to `target`, which must not exist or be empty.
    ///
    /// # Errors
    /// [`finding::EXISTS`] when something came to stand there meanwhile, [`finding::IO`] otherwise.
    pub fn become_directory(self, target: &Path) -> Result<()> {
        interrupt::release(self.path(), || fs::rename(self.path(), target)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::DirectoryNotEmpty
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::AlreadyExists => finding::EXISTS
                    .finding(format!("`{}` exists", target.display()))
                    .at(target.display().to_string()),
                _ => io_finding("write", target, &error),
            }
        })
    }

    /// Moves every file of the stage into the existing directory `target`, replacing its namesakes.
    /// When one cannot be moved, those already replaced are put back.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn merge_into(self, target: &Path) -> Result<()> {
        let files = relative_files(self.path()).map_err(|error| io_finding("read", self.path(), &error))?;
        let kept = Self::within(self.path())?;
        interrupt::release(self.path(), || {
            let mut moved: Vec<&PathBuf> = Vec::new();
            let result = files.iter().try_for_each(|file| {
                let (to, old) = (target.join(file), kept.path().join(file));
                make_parent(&to)?;
                if fs::symlink_metadata(&to).is_ok() {
                    make_parent(&old)?;
                    // A second name for the old file keeps its place taken until the new one is there.
                    fs::hard_link(&to, &old).or_else(|_| fs::copy(&to, &old).map(drop))?;
                }
                moved.push(file);
                fs::rename(self.path().join(file), &to)
            });
            if result.is_err() {
                for file in moved {
                    let (to, old) = (target.join(file), kept.path().join(file));
                    // What cannot be put back is reported by the first error already.
                    let _ = if is_free(&old) { fs::remove_file(&to) } else { fs::rename(&old, &to) };
                }
            }
            result
        })
        .map_err(|error| io_finding("write in", target, &error))
    }

    /// Whether any of `names` is not the same here and in `directory`.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn differs_from(&self, directory: &Path, names: &[&str]) -> Result<bool> {
        for name in names {
            let (new, old) = (open_if_there(&self.path().join(name))?, open_if_there(&directory.join(name))?);
            let same = match (new, old) {
                (None, None) => Ok(true),
                (Some(mut new), Some(old)) => {
                    let mut comparing = archive::Comparing::with(Some(old));
                    io::copy(&mut new, &mut comparing).and_then(|_| comparing.into_verdict())
                }
                _ => Ok(false),
            };
            if !same.map_err(|error| io_finding("read", &directory.join(name), &error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the stage the function directory's `dist/`. Archive and version spec change together:
    /// where the system can exchange two directories in one step it does, else the old version.json
    /// goes first and the new one comes last, so that it never stands beside another's archive.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn become_dist(self, function_directory: &Path, ours: &[&str]) -> Result<()> {
        let dist = function_directory.join(DIST);
        let done = interrupt::release(self.path(), || {
            let standing = match fs::symlink_metadata(&dist) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return fs::rename(self.path(), &dist);
                }
                Err(error) => return Err(error),
                Ok(metadata) => metadata,
            };
            let only_ours = standing.is_dir()
                && fs::read_dir(&dist)?.all(|entry| {
                    entry.is_ok_and(|entry| ours.iter().any(|name| entry.file_name() == OsStr::new(name)))
                });
            if only_ours && exchange(self.path(), &dist).is_ok() {
                return Ok(());
            }
            replace_one_by_one(self.path(), &dist, ours)
        });
        done.map_err(|error| io_finding("write", &dist, &error))
    }
}

/// Whether `dist/` is inside the function directory: whoever gave it to us could have a link there, or
/// anywhere in it, through which files elsewhere would be replaced.
///
/// # Errors
/// [`finding::LINK_ESCAPES`], [`finding::EXISTS`] when it is no directory, and [`finding::IO`] when it is
/// another user's, who keeps this one out.
pub fn judge_dist(function_directory: &Path) -> Result<()> {
    judge_inside(function_directory, DIST)
}

fn judge_inside(root: &Path, name: &str) -> Result<()> {
    let place = root.join(name);
    let (Ok(root), Ok(target)) = (dunce::canonicalize(root), dunce::canonicalize(&place)) else {
        return Ok(());
    };
    if !target.is_dir() {
        return Err(finding::EXISTS
            .finding(format!("`{name}` is no directory"))
            .why("files are written into it")
            .fix("move it away")
            .at(name));
    }
    if target.starts_with(root) {
        // Another user's could be put aside, and then not be removed.
        let is_ours = fs::metadata(&target).is_ok_and(|metadata| is_ours(&metadata));
        return if is_ours { Ok(()) } else { judge_parent(&place) };
    }
    Err(finding::LINK_ESCAPES
        .finding(format!("the link `{name}` leaves the function directory"))
        .why(format!("what is written there would replace files in `{}`", target.display()))
        .fix("remove it: a directory is made in its place")
        .at(name))
}

/// Whether files of these names can be written below `target`, of which nothing need be there.
///
/// # Errors
/// Those of [`judge_dist`], of every directory that files are written into, and of [`judge_parent`], and
/// [`finding::EXISTS`] for what no file can replace.
pub fn judge_place<'a>(target: &Path, names: impl Iterator<Item = &'a String>) -> Result<()> {
    if is_free(target) {
        return judge_parent(target.parent().unwrap_or(target));
    }
    judge_parent(target)?;
    for name in names {
        for (end, _) in name.match_indices('/') {
            judge_inside(target, &name[..end])?;
        }
        let place = target.join(name);
        if fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_dir()) {
            let shown = place.display().to_string();
            return Err(finding::EXISTS
                .finding(format!("`{shown}` is a directory"))
                .fix("move it away")
                .at(shown));
        }
    }
    Ok(())
}

/// Whether `target`, or the nearest directory above it that is there, can be written in.
///
/// # Errors
/// [`finding::IO`].
#[cfg(unix)]
pub fn judge_parent(target: &Path) -> Result<()> {
    use rustix::fs::{Access, access};
    let there = target.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    access(there, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| io_finding("write in", there, &error.into()))
}

#[cfg(not(unix))]
pub fn judge_parent(_: &Path) -> Result<()> {
    Ok(())
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Signals may come again: what is still there is removed now.
        interrupt::release(self.directory.path(), || {
            interrupt::remove(self.directory.path());
        });
        // A parent that holds the finished directory is not empty and stays.
        for parent in self.parents.iter().rev() {
            let _ = fs::remove_dir(parent);
        }
    }
}

/// Windows renames no directory that somebody has open, so there a stage is held by nobody and never
/// taken for abandoned.
fn hold_stage(stage: &Path) -> io::Result<Option<Hold>> {
    if cfg!(windows) { Err(io::ErrorKind::Unsupported.into()) } else { Hold::on(stage) }
}

/// Removes stages of this user whose makers were killed: those that nobody holds.
fn remove_abandoned(parent: &Path) {
    // What cannot be listed or removed is in nobody's way.
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let letters = name.to_str().and_then(|name| name.strip_prefix(OURS)).unwrap_or_default();
        let is_stage = letters.len() == STAGE_LETTERS
            && letters.bytes().all(|letter| letter.is_ascii_alphanumeric())
            && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && is_ours(&metadata));
        if is_stage && let Ok(Some(_hold)) = hold_stage(&entry.path()) {
            interrupt::remove(&entry.path());
        }
    }
}

#[cfg(unix)]
fn is_ours(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_ours(_: &fs::Metadata) -> bool {
    false
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn replace_one_by_one(stage: &Path, dist: &Path, ours: &[&str]) -> io::Result<()> {
    let version = crate::model::version::FILE;
    let remove = |path: &Path| match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let beside = |name: &str| dist.join(format!("{OURS}{name}"));
    let (new, gone): (Vec<&str>, Vec<&str>) = ours.iter().partition(|name| stage.join(name).exists());
    // All of it comes first, for `dist/` may be a disk of its own, and full.
    let brought = new.iter().try_for_each(|name| bring(&stage.join(name), &beside(name)));
    if brought.is_err() {
        // The first error says why.
        new.iter().for_each(|name| drop(remove(&beside(name))));
        return brought;
    }
    remove(&dist.join(version))?;
    gone.iter().try_for_each(|name| remove(&dist.join(name)))?;
    for name in new.iter().filter(|name| **name != version) {
        fs::rename(beside(name), dist.join(name))?;
    }
    fs::rename(beside(version), dist.join(version))
}

/// Moves a file, to another disk too.
fn bring(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => fs::copy(from, to).map(drop),
        renamed => renamed,
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Files below `root`, sorted, as relative paths.
fn relative_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry =
            entry.map_err(|error| error.into_io_error().unwrap_or_else(|| io::Error::other("unknown")))?;
        if entry.file_type().is_file() {
            files.extend(entry.path().strip_prefix(root).ok().map(Path::to_owned));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_that_fails_puts_back_what_it_replaced() {
        let target = tempfile::tempdir().unwrap();
        let stage = Stage::within(target.path()).unwrap();
        for name in ["a", "b", "c", "at"] {
            stage.write(name, b"new").unwrap();
        }
        fs::write(target.path().join("a"), "old").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", target.path().join("at")).unwrap();
        fs::create_dir(target.path().join("c")).unwrap();
        assert_eq!(stage.merge_into(target.path()).unwrap_err().rule.id, "FN0501");
        assert_eq!(fs::read(target.path().join("a")).unwrap(), b"old");
        #[cfg(unix)]
        assert_eq!(fs::read_link(target.path().join("at")).unwrap(), Path::new("nowhere"));
        let names = fs::read_dir(target.path()).unwrap().count();
        assert_eq!(names, if cfg!(unix) { 3 } else { 2 }, "`a`, `c` and the link");
    }

    #[test]
    fn a_version_spec_never_stands_beside_the_archive_of_another() {
        let (stage, dist) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ours = ["index-js.zip", "version.json"];
        for name in ours {
            fs::write(dist.path().join(name), "old").unwrap();
        }
        fs::write(stage.path().join(ours[0]), "new").unwrap();
        // It ends in the middle: there is no new version.json.
        assert!(replace_one_by_one(stage.path(), dist.path(), &ours).is_err());
        assert_eq!(fs::read(dist.path().join(ours[0])).unwrap(), b"new");
        assert!(!dist.path().join(ours[1]).exists());
    }
}
