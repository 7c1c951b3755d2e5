//! A ZIP from anywhere in, its files or a finding out.
use crate::model::finding::{self, Result};
use crate::model::sources::Sources;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{Read, Seek};
pub struct Archive<R>(RefCell<zip::ZipArchive<R>>, Vec<String>);
impl<R: Read + Seek> Archive<R> {
    pub fn open(reader: R) -> Result<Self> {
        let zip =
            zip::ZipArchive::new(reader).map_err(|e| finding::ARCHIVE_UNREADABLE.finding(e.to_string()))?;
        let names = zip.file_names().filter_map(|n| n.ok().map(std::borrow::Cow::into_owned)).collect();
        Ok(Self(RefCell::new(zip), names))
    }
    pub fn records(&self) -> Result<Vec<super::Record>> {
        Ok(self
            .1
            .iter()
            .map(|n| {
                let b = self.read(n).unwrap_or_default();
                super::Record {
                    path: n.clone(),
                    size: b.len() as u64,
                    sha256: crate::model::project::sha256(&b),
                }
            })
            .collect())
    }
}
impl<R: Read + Seek> Sources for Archive<R> {
    fn names(&self) -> Vec<&str> {
        self.1.iter().map(String::as_str).collect()
    }
    fn has(&self, name: &str) -> bool {
        self.1.iter().any(|n| n == name)
    }
    fn read(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut b = Vec::new();
        self.0.borrow_mut().by_name(name).ok()?.read_to_end(&mut b).ok()?;
        Some(Cow::Owned(b))
    }
    fn has_directory(&self, name: &str) -> bool {
        self.1.iter().any(|n| n.starts_with(&format!("{name}/")))
    }
}
