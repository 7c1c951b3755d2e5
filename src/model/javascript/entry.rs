//! An entry point's text in, the module and the export that the platform takes it for out.

use crate::model::finding;
use crate::model::javascript::Problem;

/// What the platform makes of the text: it splits at dots and takes the first two pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'e> {
    /// The module's path from the root of the archive; empty for the root itself.
    pub module: &'e str,
    pub export: &'e str,
}

/// # Errors
/// [`finding::ENTRYPOINT_FORMAT`], when the platform would not take the text as it looks.
pub fn parse(entrypoint: &str) -> Result<Entry<'_>, Problem> {
    let pieces: Vec<&str> = entrypoint.split('.').collect();
    match pieces.as_slice() {
        [export] if !export.is_empty() => Ok(Entry { module: "", export }),
        [module, export] if !module.is_empty() && !export.is_empty() => Ok(Entry { module, export }),
        [module, export, dropped @ ..] if !dropped.is_empty() && !module.is_empty() => {
            let fix = match (*export, dropped) {
                ("js" | "mjs" | "cjs" | "ts", [name]) => {
                    format!("leave the extension out: `{module}.{name}`")
                }
                _ => {
                    "take dots out of file and directory names, and export the handler by one name".to_owned()
                }
            };
            let dropped = dropped.join(".");
            Err(finding::ENTRYPOINT_FORMAT
                .finding(format!("the entry point `{entrypoint}` has more than one dot"))
                .why(format!(
                    "the platform splits it at the dots and takes the first two pieces: it would load \
                     `{module}` and call `{export}`; `{dropped}` is dropped without a word"
                ))
                .fix(fix))
        }
        _ => Err(finding::ENTRYPOINT_FORMAT
            .finding(format!("the entry point `{entrypoint}` is not FILE.FUNCTION"))
            .why("the platform takes what is before the first dot as the module and what follows as the export")
            .fix("write the handler's file without `.js`, a dot and the exported name: `index.main`")),
    }
}
