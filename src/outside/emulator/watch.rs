//! Directories in, the moments at which something in them has changed and come to rest out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::model::finding::{self, Finding, Result};

/// Editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(50);

/// What changes without end is looked at all the same.
const LONGEST: Duration = Duration::from_secs(1);

pub struct Watch {
    watcher: RecommendedWatcher,
    covered: BTreeSet<PathBuf>,
    /// Paths that went away, with every change.
    changes: mpsc::UnboundedReceiver<Vec<PathBuf>>,
    /// When the first change was heard that nobody was told of, and the last one.
    dirty: Option<(Instant, Instant)>,
}

impl Watch {
    /// # Errors
    /// [`finding::IO`] when the system lets nobody watch.
    pub fn new() -> Result<Self> {
        let (heard, changes) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error means that events were lost, which is a change.
            if let Some(gone) = event.map_or_else(|_| Some(Vec::new()), judge) {
                let _ = heard.send(gone);
            }
        })
        .map_err(|error| failed(&error))?;
        Ok(Self { watcher, covered: BTreeSet::new(), changes, dirty: None })
    }

    /// Watches these directories, without those below them.
    ///
    /// # Errors
    /// [`finding::IO`] when the system has no room for more; the others are watched.
    pub fn cover(&mut self, directories: Vec<PathBuf>) -> Result<()> {
        let wanted: BTreeSet<_> = directories.into_iter().collect();
        for gone in self.covered.difference(&wanted) {
            let _ = self.watcher.unwatch(gone);
        }
        self.covered.retain(|directory| wanted.contains(directory));
        let mut problem = None;
        for directory in wanted {
            if self.covered.contains(&directory) {
                continue;
            }
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.covered.insert(directory);
                }
                // It may have gone since it was listed.
                Err(error) if is_there(&directory) => problem = Some(failed(&error)),
                Err(_) => {}
            }
        }
        problem.map_or(Ok(()), Err)
    }

    /// Waits until something has changed and nothing changes any more, and says when the last change was.
    /// It can be given up and taken up again without missing one.
    pub async fn settled(&mut self) -> Instant {
        loop {
            let heard = match self.dirty {
                None => self.changes.recv().await,
                Some((first, last)) => {
                    let until = (last + QUIET).min(first + LONGEST);
                    match timeout_at(until, self.changes.recv()).await {
                        Ok(heard) => heard,
                        Err(_) => {
                            self.dirty = None;
                            return last;
                        }
                    }
                }
            };
            // The sender lives in the watcher.
            let Some(gone) = heard else { return std::future::pending().await };
            for path in gone {
                // One that comes back under this name is another directory.
                if self.covered.remove(&path) {
                    let _ = self.watcher.unwatch(&path);
                }
            }
            let now = Instant::now();
            self.dirty = Some(self.dirty.map_or((now, now), |(first, _)| (first, now)));
        }
    }
}

/// The paths that an event takes away, or nothing for an event that changes nothing.
fn judge(event: Event) -> Option<Vec<PathBuf>> {
    match event.kind {
        // Reading is no change, and we read.
        EventKind::Access(_) => None,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => Some(event.paths),
        _ => Some(Vec::new()),
    }
}

fn is_there(directory: &Path) -> bool {
    directory.is_dir()
}

fn failed(error: &notify::Error) -> Box<Finding> {
    finding::IO
        .finding("changes of the function's files cannot be watched")
        .why(error.to_string())
        .fix("restart `dev` after a change, or raise the system's limit of watches")
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, RemoveKind};

    use super::*;

    #[test]
    fn reading_is_no_change() {
        let of = |kind| judge(Event::new(kind).add_path(PathBuf::from("a")));
        assert_eq!(of(EventKind::Access(AccessKind::Any)), None);
        assert_eq!(of(EventKind::Create(CreateKind::File)), Some(vec![]));
        assert_eq!(of(EventKind::Remove(RemoveKind::Folder)), Some(vec![PathBuf::from("a")]));
    }
}
