//! A template and settled answers in, every file of a function directory out, in memory.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::model::answers::Answers;
use crate::model::digest::sha256;
use crate::model::finding::Result;
use crate::model::manifest::{self, Manifest, Package, TemplateRecord};
use crate::model::package::{self, DIST, MemoryFile, Packing};
use crate::model::schema::{self, SchemaName};
use crate::model::selection::{IGNORE_FILE, Selection};
use crate::model::settings::parse_entrypoint;
use crate::model::template::{self, Template};
use crate::model::version::{self, VersionSpec};

/// What function.toml names as its schema: beside the archive, so that editors need no network.
pub const MANIFEST_SCHEMA: &str = "dist/function.schema.json";

/// What is packed of code that is already there: everything, and [`DIST`] too where it was built into that.
pub fn package_for(entrypoint: &str) -> Package {
    let built = entrypoint.starts_with(&format!("{DIST}/"));
    let exclude = if built { vec![format!("!/{DIST}/")] } else { Vec::new() };
    Package { exclude, ..Package::default() }
}

/// A function directory that is nowhere yet.
#[derive(Debug)]
pub struct Project {
    pub manifest: Manifest,
    /// By `/`-separated path.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Project {
    /// # Errors
    /// Those of [`parse_entrypoint`] and [`Template::render`].
    pub fn render(template: &Template, answers: &Answers) -> Result<Self> {
        let entrypoint = parse_entrypoint(&answers.entrypoint, answers.runtime.lang)?;
        let mut files = template.render(&template::Variables {
            name: &answers.name,
            runtime: answers.runtime.id,
            module: entrypoint.module,
            function: entrypoint.function,
        })?;
        let manifest = Manifest {
            name: answers.name.clone(),
            version: answers.to_version(),
            package: Package::default(),
            template: Some(TemplateRecord {
                name: template.name.clone(),
                version: template.facts.version.clone(),
                answers: answers.to_map().into_iter().map(|(key, text)| (key.to_owned(), text)).collect(),
                files: files.iter().map(|(path, bytes)| (path.clone(), sha256(bytes))).collect(),
            }),
        };
        let text = manifest.to_text(MANIFEST_SCHEMA);
        files.insert(manifest::FILE.to_owned(), text.into_bytes());
        Ok(Self { manifest, files })
    }

    /// Adds `dist/`.
    ///
    /// # Errors
    /// Those of [`package::build`].
    pub fn pack(&mut self, packing: &Packing<'_>) -> Result<VersionSpec> {
        // A template may have one.
        let fnignore = self.files.get(IGNORE_FILE).map(|bytes| String::from_utf8_lossy(bytes));
        let selection = Selection::new(&self.manifest.package, fnignore.as_deref())?;
        let selected: Vec<_> = self
            .files
            .iter()
            .filter(|(path, _)| selection.takes(path))
            .map(|(path, bytes)| MemoryFile { path: path.clone(), bytes: bytes.clone() })
            .collect();
        let mut archive = Vec::new();
        let spec = package::build(&self.manifest, &selected, packing, &mut archive)?;
        self.files.insert(format!("{DIST}/{}", spec.archive.file), archive);
        for (name, write) in beside_archive(&spec) {
            let mut bytes = Vec::new();
            write(&mut bytes).expect("memory takes it");
            self.files.insert(format!("{DIST}/{name}"), bytes);
        }
        Ok(spec)
    }
}

/// Writes a file, which then need not be held.
pub type WriteTo<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

/// What stands beside the archive in `dist/`: version.json, and the schemas for editors.
pub fn beside_archive(spec: &VersionSpec) -> Vec<(&'static str, Box<WriteTo<'_>>)> {
    let mut files: Vec<(_, Box<WriteTo<'_>>)> = vec![(version::FILE, Box::new(|out| spec.write_json(out)))];
    for name in SchemaName::ALL {
        files.push((name.file(), Box::new(move |out| out.write_all(schema::json(name)))));
    }
    files
}
