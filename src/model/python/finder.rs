//! A module's dotted name in, the file that importlib would load for it out.

use crate::model::sources::Sources;

/// What importlib finds under a dotted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// `a/b.py`.
    Module(String),
    /// `a/b/__init__.py`.
    Package(String),
    /// A directory without `__init__.py`. Others of that name may be installed beside the archive.
    Namespace(String),
    /// An extension module or bytecode: it is there, and what it holds cannot be seen.
    Compiled(String),
    /// A name below a plain module, which has nothing below it.
    InModule(String),
    Missing,
}

/// The archive as importlib's path finder sees it.
pub struct Finder<'a> {
    pub sources: &'a dyn Sources,
    /// Sorted, to find files by the beginning of their names.
    names: Vec<&'a str>,
    /// Directories that the code puts on `sys.path`, as far as it says which.
    added: Vec<String>,
}

impl<'a> Finder<'a> {
    pub fn new(sources: &'a dyn Sources) -> Self {
        let mut names = sources.names();
        names.sort_unstable();
        Self { sources, names, added: Vec::new() }
    }

    pub fn names(&self) -> &[&'a str] {
        &self.names
    }

    pub fn find(&self, module: &str) -> Found {
        let top = module.split('.').next().unwrap_or_default();
        let has_top = |directory: &&str| self.find_in(directory, top) != Found::Missing;
        let directory = std::iter::once("").chain(self.added.iter().map(String::as_str)).find(has_top);
        self.find_below(directory.unwrap_or_default(), module)
    }

    /// Looks for modules in a directory too, if the archive has it: seen from its root, or from the file
    /// that names it.
    pub fn add(&mut self, directory: &str, from: &str) {
        let directory = directory.trim_start_matches("./").trim_matches('/');
        let beside = from.rsplit_once('/').map(|(parent, _)| format!("{parent}/{directory}"));
        let there = [Some(directory.to_owned()), beside].into_iter().flatten();
        let there = there.filter(|directory| !directory.is_empty() && self.sources.has_directory(directory));
        let new: Vec<_> = there.filter(|directory| !self.added.contains(directory)).collect();
        self.added.extend(new);
    }

    /// The same for a directory of the archive that the code puts on `sys.path`.
    pub fn find_below(&self, directory: &str, module: &str) -> Found {
        let mut directory = directory.to_owned();
        let mut segments = module.split('.').peekable();
        while let Some(segment) = segments.next() {
            let found = self.find_in(&directory, segment);
            if segments.peek().is_none() {
                return found;
            }
            match found {
                Found::Package(path) => directory = path.trim_end_matches("/__init__.py").to_owned(),
                Found::Namespace(path) => directory = path,
                Found::Module(path) => return Found::InModule(path),
                Found::Compiled(_) | Found::InModule(_) | Found::Missing => return found,
            }
        }
        Found::Missing
    }

    /// One step, in importlib's order: package, extension module, source, bytecode, namespace.
    fn find_in(&self, directory: &str, segment: &str) -> Found {
        if segment.is_empty() || segment.contains('/') {
            return Found::Missing;
        }
        let base = if directory.is_empty() { segment.to_owned() } else { format!("{directory}/{segment}") };
        let init = format!("{base}/__init__");
        if let Some(path) = self.extension_module(&init) {
            return Found::Compiled(path);
        }
        let package = format!("{init}.py");
        if self.sources.has(&package) {
            return Found::Package(package);
        }
        if let Some(path) = self.extension_module(&base) {
            return Found::Compiled(path);
        }
        let module = format!("{base}.py");
        if self.sources.has(&module) {
            return Found::Module(module);
        }
        for bytecode in [format!("{init}.pyc"), format!("{base}.pyc")] {
            if self.sources.has(&bytecode) {
                return Found::Compiled(bytecode);
            }
        }
        if self.sources.has_directory(&base) { Found::Namespace(base) } else { Found::Missing }
    }

    /// `base.so`, `base.abi3.so`, `base.cpython-312-x86_64-linux-gnu.so`, `base.pyd`.
    fn extension_module(&self, base: &str) -> Option<String> {
        let prefix = format!("{base}.");
        let start = self.names.partition_point(|name| *name < prefix.as_str());
        self.names[start..]
            .iter()
            .take_while(|name| name.starts_with(&prefix))
            .find(|name| {
                let suffix = &name[prefix.len()..];
                !suffix.contains('/') && (suffix.ends_with("so") || suffix.ends_with("pyd"))
            })
            .map(|name| (*name).to_owned())
    }
}

/// The absolute name of what `from ..target import x` means in a module, or nothing if there is no
/// such package: in a module of the archive's root already one dot leads outside.
pub fn absolute(module: &str, is_package: bool, level: u32, target: &str) -> Option<String> {
    if level == 0 {
        return Some(target.to_owned());
    }
    let mut package: Vec<&str> = module.split('.').collect();
    let ups = if is_package { level - 1 } else { level };
    for _ in 0..ups {
        package.pop()?;
    }
    if package.is_empty() {
        return None;
    }
    if !target.is_empty() {
        package.push(target);
    }
    Some(package.join("."))
}
