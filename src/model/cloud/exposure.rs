//! A function's files and entry point in; the file that seems to answer with an IAM token out.

use crate::model::runtime::Lang;
use crate::model::sources::Sources;

/// What names a token by itself: the field of the platform's token document, and where the metadata service
/// has it.
const WORDS: [&str; 2] = ["access_token", "service-accounts/default/token"];

/// What writes out all that a value has.
const WRITERS: [&str; 3] = ["stringify", "dumps", "vars"];

/// Where a token seems to be taken from.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
    pub path: String,
    /// As it stands in the code, or nearly so.
    pub what: String,
}

/// The first file of the function's own code that touches a token, as well as can be told by its text. It may
/// do no harm with it: this asks a person to look, and no more.
pub fn token_in_code(sources: &dyn Sources, lang: Lang, entrypoint: &str) -> Option<Trace> {
    let endings: &[&str] = match lang {
        Lang::Nodejs => &[".js", ".cjs", ".mjs"],
        Lang::Python => &[".py"],
    };
    let is_own = |name: &&str| {
        endings.iter().any(|ending| name.ends_with(ending))
            && !name.split('/').any(|part| part == "node_modules")
    };
    sources.names().into_iter().filter(is_own).find_map(|name| {
        let bytes = sources.read(name)?;
        let what = touched(&String::from_utf8_lossy(&bytes), entrypoint)?;
        Some(Trace { path: name.to_owned(), what })
    })
}

fn touched(code: &str, entrypoint: &str) -> Option<String> {
    if let Some(word) = WORDS.into_iter().find(|word| code.contains(word)) {
        return Some(word.to_owned());
    }
    let mut contexts = vec!["context"];
    for handler in entrypoint.split('.').skip(1) {
        for parameter in second_parameters(code, handler) {
            if parameter.starts_with('{') && words(parameter, "token").next().is_some() {
                return Some("token".to_owned());
            }
            contexts.push(word_at_start(parameter));
        }
    }
    contexts.retain(|context| !context.is_empty());
    contexts.into_iter().find_map(|context| taken_from(code, context))
}

/// The second parameter wherever something of this name seems to be a function:
/// `exports.NAME = async (event, context) =>`, `NAME(event, context) {`, `def NAME(event, context):`.
fn second_parameters<'a>(code: &'a str, handler: &str) -> Vec<&'a str> {
    let parameters = |after: usize| {
        let rest = code[after..].trim_start_matches([' ', '\t', '\r', '\n', '=', ':', '"', '\'']);
        let rest = rest.strip_prefix("async").unwrap_or(rest).trim_start();
        let rest = match rest.strip_prefix("function") {
            Some(named) => named.trim_start_matches(|c: char| c != '('),
            None => rest,
        };
        let inside = extent(rest.strip_prefix('(')?)?;
        let (_, second) = inside.split_once(',')?;
        Some(second.trim())
    };
    words(code, handler).filter_map(|at| parameters(at + handler.len())).collect()
}

/// A token, or everything, that is taken from the variable.
fn taken_from(code: &str, context: &str) -> Option<String> {
    for at in words(code, context) {
        let rest = code[at + context.len()..].trim_start();
        let member = rest.trim_start_matches(['?', '.', '[', ',', ' ', '"', '\'', '`']);
        let is_member = rest.starts_with(['?', '.', '[']) || is_argument_of_getattr(&code[..at]);
        if is_member && matches!(word_at_start(member), "token" | "__dict__") {
            return Some(format!("{context}.{}", word_at_start(member)));
        }
        // `const { token } = context`
        let before = code[..at].trim_end();
        if let Some(pattern) = before.strip_suffix('=').map(str::trim_end)
            && pattern.ends_with('}')
            && let Some(open) = pattern.rfind('{')
            && words(&pattern[open..], "token").next().is_some()
        {
            return Some(format!("{context}.token"));
        }
    }
    for writer in WRITERS {
        for at in words(code, writer) {
            let arguments = code[at + writer.len()..].strip_prefix('(').and_then(extent);
            let whole = |arguments: &str| {
                words(arguments, context).any(|at| {
                    let rest = arguments[at + context.len()..].trim_start();
                    !rest.starts_with(['.', '[', ':', '?', '"', '\''])
                })
            };
            if arguments.is_some_and(whole) {
                return Some(format!("{writer}({context})"));
            }
        }
    }
    None
}

fn is_argument_of_getattr(before: &str) -> bool {
    before.trim_end().strip_suffix('(').is_some_and(|before| before.trim_end().ends_with("getattr"))
}

/// What stands before the parenthesis that closes the one before `text`.
fn extent(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(&text[..at]),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Where `word` stands as a word of its own, not as a member of something.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !word.is_empty() && !before.is_some_and(belongs) && !after.is_some_and(belongs)
    })
}

fn word_at_start(text: &str) -> &str {
    let end = text.find(|c: char| !belongs(c)).unwrap_or(text.len());
    &text[..end]
}

fn belongs(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn tokens_are_looked_for_in_own_code() {
        let files: BTreeMap<_, _> = [
            ("README.md", "access_token"),
            ("index.js", "exports.main = (event, context) => context.token.access_token;"),
            ("node_modules/a/index.js", "access_token"),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .collect();
        let trace = token_in_code(&files, Lang::Nodejs, "index.main").unwrap();
        assert_eq!((trace.path.as_str(), trace.what.as_str()), ("index.js", "access_token"));
        assert_eq!(token_in_code(&files, Lang::Python, "index.main"), None);
    }

    #[test]
    fn a_token_is_found_however_it_is_taken() {
        for code in [
            "exports.main = async (e, c) => ({ body: JSON.stringify(c.token) });",
            "module.exports.main = async function (event, ctx) { return { body: JSON.stringify(ctx['token']) }; };",
            "export const main = async (e, c) => ({ body: `${c?.token}` });",
            "export async function main(e, c) { const { token } = c; return token; }",
            "exports.main = async (event, { token }) => token;",
            "module.exports = { main: async (e, c) => c.token };",
            "exports.main = async (event, context) => ({ body: JSON.stringify(context) });",
            "exports.main = async (e, c) => ({ body: JSON.stringify({ id: c.requestId, c }) });",
            "async function work(event, context) { return { body: context.token }; }\nexports.main = work;",
            "fetch('http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token')",
            "def main(event, c):\n    return {'body': json.dumps(c.token)}\n",
            "def main(e, ctx: Context):\n    return {'body': json.dumps(ctx, default=vars)}\n",
            "def main(event, context):\n    return {'body': str(vars(context))}\n",
            "def main(event, context):\n    return {'body': str(context.__dict__)}\n",
            "def main(event, context):\n    return {'body': str(getattr(context, 'token'))}\n",
        ] {
            assert!(touched(code, "index.main").is_some(), "{code}");
        }
    }

    #[test]
    fn what_touches_no_token_passes() {
        for code in [
            "exports.main = async (event, context) => ({ body: JSON.stringify(event) });",
            "exports.main = async (e, c) => ({ body: JSON.stringify({ id: c.requestId, context: c.functionName }) });",
            "exports.main = async (event, context) => inner(event, context);",
            "exports.main = async (event) => ({ body: event.token });",
            "exports.main = async (e, c) => { const { requestId } = c; return { body: next.token, id: requestId }; };",
            "exports.main = async () => ({ statusCode: 200 });",
            "exports.main = require('./inner').main;",
            "def main(event, context):\n    return {'body': json.dumps({'context': context.request_id, 'ы': event})}\n",
            "main(",
            "",
        ] {
            assert_eq!(touched(code, "index.main"), None, "{code}");
        }
    }
}
