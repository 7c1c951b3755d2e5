//! A function's own files in, the same with its dependencies out, installed by the real npm or pip.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::install::{Installed, Installing};
use super::interpreter::Interpreter;
use super::recall;
use crate::model::archive::Content;
use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::Package;
use crate::model::runtime::{Lang, Runtime};
use crate::model::selection::Selection;
use crate::model::vendor::{NODE_MODULES, first_part, gives_way};
use crate::outside::disk::{self, Files, SourceFile};

/// The files of an archive that needs no installation, in its order, and what a person should know.
///
/// # Errors
/// [`finding::INTERPRETER_MISSING`], [`finding::INSTALL_FAILED`], and those of [`disk::collect`].
pub fn vendor(
    own: Vec<SourceFile>,
    runtime: &'static Runtime,
    chosen: &[PathBuf],
    progress: &dyn Fn(&str),
) -> Result<(Vec<SourceFile>, Option<Box<Finding>>)> {
    let interpreter = recall::find(runtime, chosen)?;
    let sources = Files::from(own.as_slice());
    let wheels_for =
        (runtime.lang == Lang::Python && !runs_as_the_platform(&interpreter, runtime)).then_some(runtime);
    let installing = Installing { interpreter: &interpreter, offline: false, wheels_for, progress };
    let installed = match installing.run(&sources)? {
        Installed::Nothing => {
            let file = runtime.lang.dependency_file();
            let nothing = finding::VENDOR_NOTHING
                .finding(format!("there is nothing to vendor: no `{file}` names a package"));
            return Ok((own, Some(nothing.at(file))));
        }
        Installed::Packages(directory) => match runtime.lang {
            // The entry is `node_modules` itself; its parent holds nothing else.
            Lang::Nodejs => directory.parent().map_or(directory.clone(), PathBuf::from),
            Lang::Python => directory,
        },
        Installed::Code(directory) => directory,
    };
    let installed = disk::collect(&installed, &Selection::new(&Package::default(), None)?)?;
    let mut files: Vec<_> =
        own.into_iter().filter(|file| !gives_way(file.path(), &sources, runtime.lang)).collect();
    let taken: BTreeSet<_> = files.iter().map(|file| first_part(file.path()).to_owned()).collect();
    files.extend(installed.files.into_iter().filter(|file| {
        let part = first_part(file.path());
        match runtime.lang {
            Lang::Nodejs => part == NODE_MODULES,
            // pip's programs are for a shell that is not there.
            Lang::Python => part != "bin" && !taken.contains(part),
        }
    }));
    files.sort_by(|a, b| a.path().cmp(b.path()));
    // Wheels are chosen for the platform; what npm compiles is not.
    let warning = if runtime.lang == Lang::Nodejs { interpreter.judge(runtime) } else { None };
    Ok((files, warning))
}

/// The platform is Linux on x86-64 (platform.md 1.4).
fn runs_as_the_platform(interpreter: &Interpreter, runtime: &Runtime) -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64")) && interpreter.judge(runtime).is_none()
}
