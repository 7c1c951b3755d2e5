//! What `benches/inside.rs` measures, without the command line around it; a count of the result out, so
//! that nothing is left out as unused.

use std::io;
use std::path::Path;

use crate::model::answers::Given;
use crate::model::archive::Level;
use crate::model::finding::Result;
use crate::model::mode::Mode;
use crate::model::package;
use crate::model::project::Project;
use crate::model::settings::parse_runtime;
use crate::model::template::Templates;
use crate::outside::judging::Judging;
use crate::outside::{disk, packing};

/// Files of a project that `new` would write, archive included; none where it would refuse to.
pub fn render(runtime: &str) -> usize {
    let rendered = || -> Result<usize> {
        let runtime = parse_runtime(runtime)?;
        let templates = Templates::embedded();
        let template = templates.find(Mode::Context, runtime)?;
        let answers = Given::default().settle(Some(Mode::Context), runtime, &template.facts.defaults())?;
        let mut project = Project::render(template, &answers)?;
        packing::in_memory(&mut project)?;
        Ok(project.files.len())
    };
    rendered().unwrap_or_default()
}

/// Bytes of the archive that `pack` would write for a function directory; none where it would refuse to.
pub fn pack(directory: &Path) -> u64 {
    let packed = || -> Result<u64> {
        let (manifest, _) = disk::read_manifest(directory)?;
        let collected = disk::collect(directory, &disk::selection(directory, &manifest)?)?;
        let packing = packing::settings(Level::Default, &[])?;
        Ok(package::build(&manifest, &collected.files, &packing, io::sink())?.archive.size)
    };
    packed().unwrap_or_default()
}

/// What `check` finds in a function directory.
pub fn check(directory: &Path) -> usize {
    Judging { directory, allow_secret: &[], load: None }.judge().map_or(0, |findings| findings.len())
}
