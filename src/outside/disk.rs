//! The only room that reads a project from disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use walkdir::WalkDir;

use crate::model::archive::{self, Content};
use crate::model::finding::{self, Finding, Result, Rule};
use crate::model::manifest::{self, Lines, Manifest};
use crate::model::runtime::Lang;
use crate::model::secret::looks_secret;
use crate::model::selection::{IGNORE_FILE, LeftOutBy, OURS, Selection};
use crate::model::sources::{Sources, has_below};
use crate::model::template::Templates;
use crate::outside::terminal;

/// Bytes of a stranger's file that are read into memory at once.
const HELD_LIMIT: u64 = 64 << 20;

/// A finding for what the operating system said about `path`.
pub fn io_finding(action: &str, path: &Path, error: &io::Error) -> Box<Finding> {
    let shown = shown(path);
    finding::io(format!("could not {action} `{shown}`"), error).at(shown)
}

/// A path as people write it: without the dot of the directory they are in.
pub fn shown(path: &Path) -> String {
    let inner = path.strip_prefix(".").ok().filter(|inner| !inner.as_os_str().is_empty());
    inner.unwrap_or(path).display().to_string()
}

/// # Errors
/// [`finding::IO`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| io_finding("read", path, &error))
}

/// The file's text, of which a mark of UTF-8 that an editor put before it is no part.
///
/// # Errors
/// [`finding::IO`], also when the file is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| io_finding("read", path, &error))?;
    Ok(without_mark(&text).to_owned())
}

/// The text of a file that holds a token or a key. A message on a path that cannot be read repeats the path,
/// which may be the secret itself by mistake.
///
/// # Errors
/// [`finding::CREDENTIALS_INVALID`] for such a path, and those of [`read_text`].
pub fn read_secret(path: &Path) -> Result<String> {
    let text = path.to_string_lossy();
    // Behind a directory, which a relative path has got by now, no token begins.
    let has_secret = || path.iter().any(|part| looks_secret(&part.to_string_lossy()));
    if text.contains(['\n', '{']) || text.contains("PRIVATE KEY") || has_secret() {
        return Err(finding::CREDENTIALS_INVALID
            .finding("the path of a token or a key is the secret itself")
            .fix("write it to a file that only you can read, and give that file's path"));
    }
    read_text(path)
}

/// The file's bytes, or nothing when there is no such file.
///
/// # Errors
/// [`finding::IO`] for any other reason.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match read_whole(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(io_finding("read", path, &error)),
    }
}

/// Opens the file, or gives nothing when there is none.
///
/// # Errors
/// [`finding::IO`] for any other reason.
pub fn open_if_there(path: &Path) -> Result<Option<File>> {
    match open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(io_finding("open", path, &error)),
    }
}

/// What is written to it is compared with the file, if there is one.
///
/// # Errors
/// Those of [`open_if_there`].
pub fn comparing(path: &Path) -> Result<archive::Comparing<File>> {
    Ok(archive::Comparing::with(open_if_there(path)?))
}

/// Opens what a stranger may have put there: a FIFO would wait for its writer, a device may have no end.
fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        File::open(path)
    } else {
        Err(io::Error::other("it is neither a file nor a directory"))
    }
}

fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(HELD_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > HELD_LIMIT {
        return Err(io::Error::other(format!("it has more than {HELD_LIMIT} bytes")));
    }
    Ok(bytes)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// function.toml of a function directory.
///
/// # Errors
/// [`finding::MANIFEST_MISSING`], and those of [`manifest::parse`].
pub fn read_manifest(directory: &Path) -> Result<(Manifest, Lines)> {
    manifest_at(&directory.join(manifest::FILE))?.ok_or_else(|| {
        finding::MANIFEST_MISSING
            .finding(format!("there is no `{}` in `{}`", manifest::FILE, directory.display()))
            .fix("`fnscaffold new` makes a function, `fnscaffold init` adopts code, -C DIR names another directory")
            .at(manifest::FILE)
    })
}

/// The function.toml at `path`, or nothing when there is none.
///
/// # Errors
/// [`finding::IO`], and those of [`manifest::parse`].
pub fn manifest_at(path: &Path) -> Result<Option<(Manifest, Lines)>> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| {
        finding::MANIFEST_SYNTAX
            .finding(format!("`{}` is not UTF-8", manifest::FILE))
            .why(error.utf8_error().to_string())
            .at(manifest::FILE)
    })?;
    manifest::parse(without_mark(&text)).map(Some)
}

/// What a function directory packs, sorted as in the archive, and what it leaves out.
pub struct Collected {
    pub files: Vec<SourceFile>,
    pub left_out: Vec<(String, LeftOutBy)>,
}

/// A file to be packed: its name in the archive, below the directory that is packed. There may be 100,000
/// of them, so the directory is held once.
#[derive(Debug)]
pub struct SourceFile {
    path: String,
    directory: Arc<Path>,
    size: u64,
    modified: Option<std::time::SystemTime>,
}

impl SourceFile {
    /// What changes when the file is written.
    pub fn stamp(&self) -> (&str, u64, Option<std::time::SystemTime>) {
        (&self.path, self.size, self.modified)
    }
}

impl Content for SourceFile {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> Result<Box<dyn Read + '_>> {
        let place = self.place();
        let file = File::open(&place).map_err(|error| io_finding("read", &place, &error))?;
        Ok(Box::new(Watched { file, source: self, read: 0, is_at_end: false }))
    }
}

impl SourceFile {
    fn place(&self) -> PathBuf {
        self.directory.join(&self.path)
    }

    fn measure(&mut self) -> Result<()> {
        let place = self.place();
        let metadata = fs::metadata(&place).map_err(|error| io_finding("read", &place, &error))?;
        self.size = metadata.len();
        self.modified = metadata.modified().ok();
        Ok(())
    }
}

/// Reads a file and fails at its end when it changed since the directory was listed.
struct Watched<'a> {
    file: File,
    source: &'a SourceFile,
    read: u64,
    is_at_end: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_at_end {
            return Ok(0);
        }
        let count = self.file.read(buffer)?;
        self.read += count as u64;
        // Most files are read in one go, and then need not be asked for more.
        if count < buffer.len() && (count == 0 || self.read == self.source.size) {
            let now = self.file.metadata()?;
            // A length that changed before the last byte was read is noticed by who counts them.
            if now.modified().ok() != self.source.modified {
                return Err(archive::ChangedWhileRead.into());
            }
            self.is_at_end = true;
        }
        Ok(count)
    }
}

/// The selection that function.toml and .fnignore of `directory` make.
///
/// # Errors
/// [`finding::IO`], and those of [`Selection::new`].
pub fn selection(directory: &Path, manifest: &Manifest) -> Result<Selection> {
    let path = directory.join(IGNORE_FILE);
    let fnignore = match read_if_there(&path)? {
        None => None,
        Some(bytes) => Some(String::from_utf8(bytes).map_err(|error| {
            finding::PATTERN_INVALID
                .finding(format!("`{IGNORE_FILE}` is not UTF-8"))
                .why(error.utf8_error().to_string())
                .at(IGNORE_FILE)
        })?),
    };
    // As git does with .gitignore.
    Selection::new(&manifest.package, fnignore.as_deref().map(without_mark))
}

/// Walks `directory` and lists what is packed. Links are followed while they stay inside.
///
/// # Errors
/// [`finding::PATH_UNSAFE`], [`finding::LINK_ESCAPES`], [`finding::LINK_BROKEN`],
/// [`finding::SPECIAL_FILE`] and [`finding::IO`], each naming the path.
pub fn collect(directory: &Path, selection: &Selection) -> Result<Collected> {
    /// Files whose size and time another thread asks for meanwhile: of a walk, that takes the longest.
    const SHARE: usize = 2_000;
    let (mut files, left_out) = thread::scope(|scope| -> Result<_> {
        let mut shares = Vec::new();
        let mut share = Vec::new();
        let left_out = walk(directory, selection, |file| {
            share.push(file);
            if share.len() == SHARE {
                let share = std::mem::take(&mut share);
                shares.push(scope.spawn(|| measure(share)));
            }
        })?;
        let mut files = Vec::new();
        for share in shares {
            files.extend(share.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        files.extend(measure(share)?);
        Ok((files, left_out))
    })?;
    // The walk sorts within a directory; an archive sorts whole names, byte by byte.
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(Collected { files, left_out })
}

fn measure(mut files: Vec<SourceFile>) -> Result<Vec<SourceFile>> {
    files.iter_mut().try_for_each(SourceFile::measure)?;
    Ok(files)
}

/// Gives each file that is packed, not yet measured, and returns what is left out.
fn walk(
    directory: &Path,
    selection: &Selection,
    mut found: impl FnMut(SourceFile),
) -> Result<Vec<(String, LeftOutBy)>> {
    let root = dunce::canonicalize(directory).map_err(|error| io_finding("open", directory, &error))?;
    let shared: Arc<Path> = directory.into();
    let mut left_out = Vec::new();
    let walk = WalkDir::new(directory).min_depth(1).follow_links(true);
    // In a fixed order, so that of several problems the same one is met first.
    let mut walk = walk.sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => match judge_walk_error(directory, selection, error) {
                None => continue,
                Some(problem) => return Err(problem),
            },
        };
        let path = name_in_archive(directory, entry.path())?;
        let kind = entry.file_type();
        if let Some(by) = selection.excludes(&path, kind.is_dir()) {
            left_out.push((path, by));
            if kind.is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        let included = selection.includes(&path);
        if entry.path_is_symlink() && (included || kind.is_dir()) {
            check_link(&root, entry.path(), &path)?;
        }
        if kind.is_dir() {
            continue;
        }
        if !included {
            left_out.push((path, LeftOutBy::Include));
            continue;
        }
        archive::check_path(&path)?;
        if !kind.is_file() {
            return Err(special_file(path));
        }
        found(SourceFile { path, directory: Arc::clone(&shared), size: 0, modified: None });
    }
    left_out.sort();
    Ok(left_out)
}

/// The directories in which something may come up that is packed, `directory` first.
pub fn packed_directories(directory: &Path, selection: &Selection) -> Vec<PathBuf> {
    let walk = WalkDir::new(directory).follow_links(true).into_iter().filter_entry(|entry| {
        let is_directory = entry.file_type().is_dir();
        let name = name_in_archive(directory, entry.path()).unwrap_or_default();
        entry.depth() == 0 || (is_directory && selection.excludes(&name, true).is_none())
    });
    walk.flatten().map(walkdir::DirEntry::into_path).collect()
}

fn special_file(path: String) -> Box<Finding> {
    finding::SPECIAL_FILE
        .finding(format!("`{path}` is neither a file nor a directory"))
        .why("a socket, FIFO or device has no content that could be packed")
        .fix(format!("remove it, or exclude it: `exclude = [\"/{path}\"]` in function.toml"))
        .at(path)
}

/// `/`-separated and relative, as entries of an archive are named.
fn name_in_archive(root: &Path, path: &Path) -> Result<String> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let name = relative.to_str().ok_or_else(|| {
        finding::PATH_UNSAFE
            .finding(format!("the file name `{}` is not UTF-8", relative.display()))
            .why("names in the archive are UTF-8, so it would unpack under another name")
            .fix("rename or exclude it")
            .at(relative.display().to_string())
    })?;
    Ok(if cfg!(windows) { name.replace('\\', "/") } else { name.to_owned() })
}

fn check_link(root: &Path, place: &Path, path: &str) -> Result<()> {
    let target = dunce::canonicalize(place).map_err(|error| io_finding("follow", place, &error))?;
    if target.starts_with(root) {
        return Ok(());
    }
    Err(finding::LINK_ESCAPES
        .finding(format!("the link `{path}` leaves the function directory"))
        .why(format!("it points to `{}`", target.display()))
        .fix(format!("copy the file in, or exclude the link: `exclude = [\"/{path}\"]` in function.toml"))
        .at(path))
}

fn judge_walk_error(root: &Path, selection: &Selection, error: walkdir::Error) -> Option<Box<Finding>> {
    let place = error.path().unwrap_or(root).to_owned();
    let path = match name_in_archive(root, &place) {
        Ok(path) => path,
        Err(problem) => return Some(problem),
    };
    // What is left out need not be readable.
    if [true, false].into_iter().any(|is_directory| selection.excludes(&path, is_directory).is_some()) {
        return None;
    }
    let broken = |why: String| {
        finding::LINK_BROKEN
            .finding(format!("the link `{path}` cannot be followed"))
            .why(why)
            .fix(format!("remove it, or exclude it: `exclude = [\"/{path}\"]` in function.toml"))
            .at(path.clone())
    };
    if let Some(ancestor) = error.loop_ancestor() {
        return Some(broken(format!("it leads back to `{}`, which contains it", ancestor.display())));
    }
    let is_link = fs::symlink_metadata(&place).is_ok_and(|metadata| metadata.is_symlink());
    let error = error.into_io_error().unwrap_or_else(|| io::Error::other("unknown"));
    Some(if is_link && error.kind() == io::ErrorKind::NotFound {
        let target = fs::read_link(&place).unwrap_or_default();
        broken(format!("`{}` does not exist", target.display()))
    } else if is_link {
        broken(error.to_string())
    } else {
        io_finding("read", &place, &error)
    })
}

/// Files on disk by `/`-separated name, read when they are asked for.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<String, PathBuf>);

impl Sources for Files {
    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn read(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        read_whole(self.0.get(name)?).ok().map(Cow::Owned)
    }

    fn copy(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        let place = self.0.get(name).map_or(Path::new(name), PathBuf::as_path);
        let copied = open(place).and_then(|mut file| io::copy(&mut file, out));
        copied.map(drop).map_err(|error| io_finding("copy", place, &error))
    }

    fn has_directory(&self, name: &str) -> bool {
        has_below(&self.0, name)
    }
}

impl Files {
    /// # Errors
    /// [`finding::IO`].
    pub fn read_all(self) -> Result<BTreeMap<String, Vec<u8>>> {
        let read = |place: PathBuf| read_whole(&place).map_err(|error| io_finding("read", &place, &error));
        self.0.into_iter().map(|(name, place)| Ok((name, read(place)?))).collect()
    }
}

impl From<&[SourceFile]> for Files {
    fn from(files: &[SourceFile]) -> Self {
        Self(files.iter().map(|file| (file.path.clone(), file.place())).collect())
    }
}

/// Every file below `directory` in those of its directories that `enter` names: a template's, or code
/// to be adopted. Links are not followed: an error names them where `links` says so, else they are
/// passed over.
///
/// # Errors
/// [`finding::IO`], [`finding::PATH_UNSAFE`], and `links` for a symbolic link.
pub fn tree(directory: &Path, links: Option<&'static Rule>, enter: impl Fn(&str) -> bool) -> Result<Files> {
    let mut files = Files::default();
    let walk = WalkDir::new(directory).min_depth(1);
    let entries = walk.into_iter().filter_entry(|entry| {
        !entry.file_type().is_dir() || name_in_archive(directory, entry.path()).is_ok_and(|name| enter(&name))
    });
    for entry in entries {
        let entry = entry.map_err(|error| {
            let place = error.path().unwrap_or(directory).to_owned();
            io_finding("read", &place, &error.into_io_error().unwrap_or_else(|| io::Error::other("unknown")))
        })?;
        let name = name_in_archive(directory, entry.path())?;
        if entry.path_is_symlink() {
            if let Some(rule) = links {
                return Err(rule
                    .finding(format!("`{name}` is a symbolic link"))
                    .why("it could lead out of the directory")
                    .fix("put the file itself there")
                    .at(entry.path().display().to_string()));
            }
        } else if entry.file_type().is_file() {
            files.0.insert(name, entry.into_path());
        }
    }
    Ok(files)
}

/// What a person has in `directory`, by name: none when there is no such directory, nothing when
/// `directory` is something else.
///
/// # Errors
/// [`finding::IO`].
pub fn list_directory(directory: &Path) -> Result<Option<Vec<String>>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
        // Systems call it by several names.
        Err(_) if fs::metadata(directory).is_ok_and(|metadata| !metadata.is_dir()) => return Ok(None),
        Err(error) => return Err(io_finding("list", directory, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| io_finding("list", directory, &error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !name.starts_with(OURS));
    names.sort();
    Ok(Some(names))
}

/// Whether a finished directory can take the place of `path` in one step. One that is there may be where a
/// disk is mounted or somebody stands.
pub fn is_free(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err()
}

/// The text of a file that was named as an argument, relative to `directory`; `-` is standard input.
///
/// # Errors
/// [`finding::IO`].
pub fn read_argument(directory: &Path, file: &Path) -> Result<String> {
    if file != Path::new("-") {
        return read_text(&directory.join(file));
    }
    let text = String::from_utf8(terminal::read_stdin()?)
        .map_err(|error| finding::IO.finding("standard input is not UTF-8").why(error.to_string()))?;
    Ok(without_mark(&text).to_owned())
}

/// The text without the byte order mark that some editors put before it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The templates below `directory`.
///
/// # Errors
/// [`finding::IO`], and those of [`Templates::from_files`].
pub fn templates(directory: &Path) -> Result<Templates> {
    let of_a_language = |name: &str| Lang::ALL.iter().any(|lang| name.split('/').next() == Some(lang.id()));
    let files = tree(directory, Some(&finding::LINK_ESCAPES), of_a_language)?.read_all()?;
    Templates::from_files(files).map_err(|problem| match problem.path {
        None => problem.at(directory.display().to_string()),
        Some(_) => problem,
    })
}

/// Whether `path` is the directory that this process, and so the person's shell, stands in.
pub fn is_current_directory(path: &Path) -> bool {
    let same = |a: io::Result<PathBuf>, b: io::Result<PathBuf>| a.ok().is_some_and(|a| b.ok() == Some(a));
    same(dunce::canonicalize(path), std::env::current_dir().and_then(dunce::canonicalize))
}

/// The last part of the directory's real path.
pub fn directory_name(directory: &Path) -> Option<String> {
    let path = dunce::canonicalize(directory).ok()?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Bytes and sha256 of a file.
///
/// # Errors
/// [`finding::IO`].
pub fn digest(path: &Path) -> Result<(u64, String)> {
    let hashed = File::open(path).and_then(|mut file| {
        let mut hashing = archive::Hashing::new(io::sink());
        io::copy(&mut file, &mut hashing)?;
        Ok(hashing.finish())
    });
    hashed.map_err(|error| io_finding("read", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_to_hold_is_copied_and_told_from_another() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("large");
        let file = File::create(&place).unwrap();
        file.set_len(HELD_LIMIT + 1).unwrap();
        let files = Files(BTreeMap::from([("large".to_owned(), place)]));
        assert!(files.read("large").is_none());
        let before = archive::record(&files, "large");
        assert_eq!(before.size, HELD_LIMIT + 1);
        file.set_len(HELD_LIMIT + 2).unwrap();
        assert_ne!(archive::record(&files, "large"), before);
        assert_eq!(files.copy("none", &mut io::sink()).unwrap_err().rule.id, "FN0501");
    }
}
