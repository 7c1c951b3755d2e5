//! A function's files in; the one that seems to answer with an IAM token out.

use memchr::memmem;

use crate::model::runtime::Lang;
use crate::model::sources::Sources;

/// The field that carries the token in the platform's token document.
const FIELD: &str = "access_token";

/// The first file of the function's own code that names the token's field. It may do no harm with it: this
/// asks a person to look, and no more.
pub fn token_in_code(sources: &dyn Sources, lang: Lang) -> Option<String> {
    let endings: &[&str] = match lang {
        Lang::Nodejs => &[".js", ".cjs", ".mjs"],
        Lang::Python => &[".py"],
    };
    let is_own = |name: &&str| {
        endings.iter().any(|ending| name.ends_with(ending))
            && !name.split('/').any(|part| part == "node_modules")
    };
    sources
        .names()
        .into_iter()
        .filter(is_own)
        .find(|name| sources.read(name).is_some_and(|bytes| memmem::find(&bytes, FIELD.as_bytes()).is_some()))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_field_is_looked_for_in_own_code() {
        let files: BTreeMap<_, _> = [
            ("README.md", "access_token"),
            ("index.js", "exports.main = (event, context) => context.token.access_token;"),
            ("node_modules/a/index.js", "access_token"),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .collect();
        assert_eq!(token_in_code(&files, Lang::Nodejs).as_deref(), Some("index.js"));
        assert_eq!(token_in_code(&files, Lang::Python), None);
    }
}
