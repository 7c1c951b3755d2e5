//! The files that code is judged by: names in, contents out, from an archive, a directory or memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use crate::model::finding::{self, Result};

/// Bytes of a list of packages.
const LIST_LIMIT: usize = 8 << 20;

/// Files by `/`-separated name. Nothing is read before it is asked for: an archive may hold thousands.
pub trait Sources {
    /// Every file's name, in order.
    fn names(&self) -> Vec<&str>;

    fn has(&self, name: &str) -> bool;

    /// The bytes of a file, or nothing when there is none or it cannot be read.
    fn read(&self, name: &str) -> Option<Cow<'_, [u8]>>;

    /// The bytes of a file that lists or describes packages. What is made of it takes many times as many, so
    /// of a longer one than anybody writes there is nothing.
    fn read_list(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.read(name).filter(|bytes| bytes.len() <= LIST_LIMIT)
    }

    /// Writes the bytes of a file of any size to `out`.
    ///
    /// # Errors
    /// [`finding::ARCHIVE_UNREADABLE`] when it cannot be read, [`finding::IO`].
    fn copy(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        let bytes = self.read(name).ok_or_else(|| {
            finding::ARCHIVE_UNREADABLE.finding(format!("`{name}` cannot be read")).at(name)
        })?;
        out.write_all(&bytes)
            .map_err(|error| finding::io(format!("could not write `{name}`"), &error).at(name))
    }

    /// Whether any file lies below the directory `name`.
    fn has_directory(&self, name: &str) -> bool;
}

/// Which files something is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    Files(BTreeSet<String>),
    All,
}

impl Basis {
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Files(files) => files.contains(name),
            Self::All => true,
        }
    }
}

impl Sources for BTreeMap<String, Vec<u8>> {
    fn names(&self) -> Vec<&str> {
        self.keys().map(String::as_str).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }

    fn read(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        self.get(name).map(|bytes| Cow::Borrowed(bytes.as_slice()))
    }

    fn has_directory(&self, name: &str) -> bool {
        has_below(self, name)
    }
}

/// Whether any of the names lies below the directory `name`.
pub fn has_below<V>(files: &BTreeMap<String, V>, name: &str) -> bool {
    let prefix = format!("{name}/");
    files.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
}
