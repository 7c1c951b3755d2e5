//! The files of an archive in, the temporary directory that a function runs in out: its code, read-only,
//! the bootstrap, and a place for temporary files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Code;
use super::install::{Installed, Installing};
use super::unpack::unpack;
use crate::model::finding::Result;
use crate::model::runtime::Lang;
use crate::model::vendor::{NODE_MODULES, in_node_modules};
use crate::outside::disk;
use crate::outside::permissions::{Access, set_modes};
use crate::outside::stage::Stage;

/// How the platform names the directories of a function. Source: the vendor's page
/// functions/concepts/runtime/environment-variables.
pub const CODE: &str = "/function/code";
pub const RUNTIME: &str = "/function/runtime";

/// Where the function's packages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packages {
    None,
    /// Where the interpreter finds them by itself.
    InCode(PathBuf),
    /// Where the interpreter must be told to look.
    Beside(PathBuf),
}

/// A function's surroundings. Dropped, they are gone.
pub struct Home {
    stage: Stage,
    root: PathBuf,
    /// Where the code lies: inside, or a directory that is not ours.
    pub code: PathBuf,
}

impl Home {
    /// A home without code.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn new() -> Result<Self> {
        let stage = Stage::within(&std::env::temp_dir())
            .map_err(|problem| problem.fix("set TMPDIR to a directory that can be written"))?;
        // Interpreters name files by their real paths.
        let root = dunce::canonicalize(stage.path())
            .map_err(|error| disk::io_finding("open", stage.path(), &error))?;
        let code = root.join(CODE.trim_start_matches('/'));
        let home = Self { stage, root, code };
        home.make("tmp")?;
        for (name, text) in [
            ("bootstrap.js", include_str!("bootstrap.js")),
            ("bootstrap.py", include_str!("bootstrap.py")),
            ("preload/redirect.js", include_str!("redirect.js")),
            ("preload/_fnscaffold_redirect.py", include_str!("redirect.py")),
            ("preload/sitecustomize.py", include_str!("sitecustomize.py")),
        ] {
            home.stage.write(format!("{}/{name}", RUNTIME.trim_start_matches('/')), text.as_bytes())?;
        }
        Ok(home)
    }

    /// Puts the code in, with what is to be installed for it.
    ///
    /// # Errors
    /// Those of [`Installing::run`] and [`unpack`].
    pub fn furnish(&mut self, code: &Code<'_>, installing: &Installing<'_>) -> Result<Packages> {
        let lang = installing.interpreter.lang;
        let sources = match code {
            Code::Archive(sources) => *sources,
            Code::Directory(directory, sources) => {
                self.code = dunce::canonicalize(directory)
                    .map_err(|error| disk::io_finding("open", directory, &error))?;
                let own = self.code.join(NODE_MODULES);
                if lang == Lang::Nodejs && own.is_dir() {
                    return Ok(Packages::InCode(own));
                }
                return Ok(match installing.run(*sources)? {
                    Installed::Nothing => Packages::None,
                    Installed::Packages(directory) => Packages::Beside(directory),
                    Installed::Code(code) => Packages::Beside(code.join(NODE_MODULES)),
                });
            }
        };
        let packages = match installing.run(sources)? {
            Installed::Code(code) => {
                self.code = code;
                return Ok(Packages::InCode(self.code.join(NODE_MODULES)));
            }
            Installed::Packages(directory) if lang == Lang::Nodejs => {
                // They stand in the place of those that came with the code.
                unpack(sources, &self.code, |name| !in_node_modules(name))?;
                let link = self.code.join(NODE_MODULES);
                link_directory(&directory, &link)
                    .map_err(|error| disk::io_finding("write", &link, &error))?;
                Packages::InCode(link)
            }
            Installed::Packages(directory) => {
                unpack(sources, &self.code, |_| true)?;
                Packages::Beside(directory)
            }
            Installed::Nothing => {
                unpack(sources, &self.code, |_| true)?;
                Packages::None
            }
        };
        set_modes(&self.code, Access::Read).map_err(|error| disk::io_finding("write", &self.code, &error))?;
        Ok(packages)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn runtime(&self) -> PathBuf {
        self.root.join(RUNTIME.trim_start_matches('/'))
    }

    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub fn control(&self) -> PathBuf {
        self.root.join("control")
    }

    /// Tells the redirection where the metadata service listens.
    ///
    /// # Errors
    /// [`finding::IO`].
    pub fn set_port(&self, port: u16) -> Result<()> {
        self.stage
            .write(format!("{}/preload/port", RUNTIME.trim_start_matches('/')), port.to_string().as_bytes())
    }

    /// What interpreters call the directories, and what the platform calls them.
    pub fn places(&self) -> Vec<(String, &'static str)> {
        let code = dunce::canonicalize(&self.code).unwrap_or_else(|_| self.code.clone());
        vec![(code.display().to_string(), CODE), (self.runtime().display().to_string(), RUNTIME)]
    }

    fn make(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(|error| disk::io_finding("write", &path, &error))
    }
}

/// Puts a directory's files into another one, without a copy where both are on one disk. Packages look for the
/// function's root from where they lie, so a link to their directory would lead them astray.
fn link_directory(target: &Path, link: &Path) -> io::Result<()> {
    link_files(target, link, |from, to| fs::hard_link(from, to).or_else(|_| copy(from, to)))
}

fn link_files(target: &Path, link: &Path, place: impl Fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    for entry in walkdir::WalkDir::new(target) {
        let entry = entry?;
        let to = link.join(entry.path().strip_prefix(target).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            fs::create_dir_all(to)?;
        } else {
            place(entry.path(), &to)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    // Programs of packages are links, and load what lies beside the file that they lead to.
    #[cfg(unix)]
    if let Ok(target) = fs::read_link(from) {
        return std::os::unix::fs::symlink(target, to);
    }
    fs::copy(from, to).map(drop)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn packages_lie_in_the_code_whether_they_are_linked_or_copied() {
        let root = tempfile::tempdir().unwrap();
        let packages = root.path().join("packages");
        fs::create_dir_all(packages.join(".bin")).unwrap();
        fs::write(packages.join("a.js"), "a").unwrap();
        fs::set_permissions(packages.join("a.js"), fs::Permissions::from_mode(0o555)).unwrap();
        symlink("../a.js", packages.join(".bin/a")).unwrap();
        let [linked, copied] = ["linked", "copied"].map(|name| root.path().join(name));
        link_directory(&packages, &linked).unwrap();
        link_files(&packages, &copied, copy).unwrap();
        for (place, links) in [(linked, 2), (copied, 1)] {
            assert!(fs::symlink_metadata(&place).unwrap().is_dir());
            let file = fs::metadata(place.join("a.js")).unwrap();
            assert_eq!((file.nlink(), file.permissions().mode() & 0o777), (links, 0o555));
            assert_eq!(fs::read_link(place.join(".bin/a")).unwrap(), Path::new("../a.js"));
        }
    }
}
