//! Templates: embedded or a directory's files in, the template for a mode and runtime out, and from
//! it and its variables the files of a function directory.

use std::collections::{BTreeMap, BTreeSet};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderErrorReason,
    Renderable, no_escape,
};
use rust_embed::RustEmbed;
use serde::{Deserialize, Serialize};

use crate::model::answers::Defaults;
use crate::model::archive;
use crate::model::finding::{self, Finding, Result};
use crate::model::manifest;
use crate::model::mode::Mode;
use crate::model::package::DIST;
use crate::model::runtime::{Lang, Runtime};
use crate::model::settings::{parse_entrypoint, parse_memory, parse_runtime, parse_timeout};
use crate::model::vendor::first_part;

/// The ending of a file that is rendered, and loses it.
const RENDERED: &str = ".hbs";

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Embedded;

/// What stands beside a template's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub about: String,
    pub version: String,
    pub mode: Mode,
    pub runtimes: Vec<String>,
    pub entrypoint: String,
    pub memory: String,
    pub timeout: String,
}

impl Facts {
    pub fn defaults(&self) -> Defaults<'_> {
        Defaults { entrypoint: &self.entrypoint, memory: &self.memory, timeout: &self.timeout }
    }
}

/// A folder of files that `new` writes, and its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Language and folder: `nodejs/api-fetch`.
    pub name: String,
    pub lang: Lang,
    pub facts: Facts,
    /// By name in the folder, the ending `.hbs` included.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a template may use.
#[derive(Debug, Serialize)]
pub struct Variables<'a> {
    pub name: &'a str,
    pub runtime: &'a str,
    /// The entry point's file without its ending.
    pub module: &'a str,
    /// The entry point's exported name.
    pub function: &'a str,
}

/// Templates that belong together.
#[derive(Debug)]
pub struct Templates(Vec<Template>);

impl Templates {
    pub fn embedded() -> Self {
        Self::embedded_below("")
    }

    /// The built-in ones of one language: `new` needs no others.
    pub fn embedded_for(lang: Lang) -> Self {
        Self::embedded_below(lang.id())
    }

    fn embedded_below(prefix: &str) -> Self {
        let files = Embedded::iter().filter(|name| name.starts_with(prefix)).filter_map(|name| {
            let file = Embedded::get(&name)?;
            Some((name.into_owned(), file.data.into_owned()))
        });
        Self::from_files(files.collect()).expect("a test reads the built-in templates")
    }

    /// Templates out of files named `nodejs/api.toml`, `nodejs/api/index.js.hbs`. Files outside of the
    /// languages' folders are no templates.
    ///
    /// # Errors
    /// [`finding::TEMPLATE_INVALID`] for facts without a folder, a folder without facts, facts that are
    /// wrong, and two templates for one runtime and mode; [`finding::PATH_UNSAFE`].
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let mut facts = BTreeMap::new();
        let mut folders: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
        for (path, bytes) in files {
            let Some((lang, rest)) = path.split_once('/') else { continue };
            if !Lang::ALL.iter().any(|known| known.id() == lang) {
                continue;
            }
            match rest.split_once('/') {
                Some((folder, file)) => {
                    let written = file.strip_suffix(RENDERED).unwrap_or(file);
                    archive::check_path(written)?;
                    if written == manifest::FILE || first_part(written) == DIST {
                        return Err(invalid(&path, format!("`{written}` is written by fnscaffold itself")));
                    }
                    folders.entry(format!("{lang}/{folder}")).or_default().insert(file.to_owned(), bytes);
                }
                None => match path.strip_suffix(".toml") {
                    Some(name) => drop(facts.insert(name.to_owned(), parse_facts(&path, &bytes)?)),
                    None => return Err(invalid(&path, "it is neither in a template's folder nor a `.toml`")),
                },
            }
        }
        let mut templates = Vec::new();
        for (name, files) in folders {
            let Some(facts) = facts.remove(&name) else {
                return Err(invalid(&name, format!("its facts, `{name}.toml`, are missing")));
            };
            templates.push(Template::new(name, facts, files)?);
        }
        if let Some(name) = facts.keys().next() {
            return Err(invalid(
                &format!("{name}.toml"),
                format!("its folder, `{name}/`, is missing or empty"),
            ));
        }
        if templates.is_empty() {
            return Err(finding::TEMPLATE_INVALID
                .finding("there are no templates")
                .why("a template is a folder such as `nodejs/NAME/`, with its facts beside it in `nodejs/NAME.toml`")
                .fix("name the directory that holds `nodejs/` or `python/`"));
        }
        let mut taken = BTreeMap::new();
        for template in &templates {
            for runtime in &template.facts.runtimes {
                if let Some(other) = taken.insert((template.facts.mode, runtime), &template.name) {
                    let mode = template.facts.mode;
                    let why = format!("`{other}` covers mode {mode} on {runtime} too");
                    return Err(invalid(&format!("{}.toml", template.name), why));
                }
            }
        }
        Ok(Self(templates))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.iter()
    }

    /// # Errors
    /// [`finding::TEMPLATE_MISSING`].
    pub fn find(&self, mode: Mode, runtime: &Runtime) -> Result<&Template> {
        self.iter()
            .find(|template| {
                template.facts.mode == mode && template.facts.runtimes.iter().any(|id| id == runtime.id)
            })
            .ok_or_else(|| {
                let of_mode =
                    |template: &&Template| template.lang == runtime.lang && template.facts.mode == mode;
                let others: Vec<_> =
                    self.iter().filter(of_mode).flat_map(|template| &template.facts.runtimes).collect();
                finding::TEMPLATE_MISSING
                    .finding(format!("no template is for mode {mode} on {}", runtime.id))
                    .fix(match others.as_slice() {
                        [] => "`fnscaffold templates list` shows what there is".to_owned(),
                        _ => format!("--runtime takes {}", finding::few(&others)),
                    })
            })
    }

    /// # Errors
    /// [`finding::UNKNOWN_NAME`].
    pub fn by_name(&self, name: &str) -> Result<&Template> {
        self.iter().find(|template| template.name == name).ok_or_else(|| {
            let names: Vec<_> = self.iter().map(|template| template.name.as_str()).collect();
            finding::UNKNOWN_NAME
                .finding(format!("there is no template `{name}`"))
                .fix(format!("take one of {}", names.join(", ")))
        })
    }
}

impl Template {
    fn new(name: String, facts: Facts, files: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let lang = Lang::ALL.into_iter().find(|lang| name.starts_with(&format!("{lang}/")));
        let template = Self { lang: lang.expect("the folder is a language's"), name, facts, files };
        let handler = template.handler_file()?;
        if ![handler.clone(), format!("{handler}{RENDERED}")]
            .iter()
            .any(|file| template.files.contains_key(file))
        {
            let facts = format!("{}.toml", template.name);
            return Err(invalid(&facts, format!("its entry point needs `{}/{handler}`", template.name)));
        }
        Ok(template)
    }

    /// The file that the facts' entry point names.
    fn handler_file(&self) -> Result<String> {
        let entrypoint = parse_entrypoint(&self.facts.entrypoint, self.lang)
            .map_err(|problem| invalid(&format!("{}.toml", self.name), problem.message))?;
        Ok(format!("{}{}", entrypoint.module, self.lang.extension()))
    }

    /// The files as they are written, by `/`-separated path.
    ///
    /// # Errors
    /// [`finding::TEMPLATE_INVALID`], naming file and line.
    pub fn render(&self, variables: &Variables<'_>) -> Result<BTreeMap<String, Vec<u8>>> {
        let engine = engine();
        let handler = self.handler_file()?;
        let mut rendered = BTreeMap::new();
        for (file, bytes) in &self.files {
            let (path, bytes) = match file.strip_suffix(RENDERED) {
                None => (file.as_str(), bytes.clone()),
                Some(path) => {
                    let source = format!("{}/{file}", self.name);
                    let text =
                        std::str::from_utf8(bytes).map_err(|error| invalid(&source, error.to_string()))?;
                    (path, fill(&engine, &source, text, variables)?.into_bytes())
                }
            };
            let path = if path == handler {
                format!("{}{}", variables.module, self.lang.extension())
            } else {
                path.to_owned()
            };
            if rendered.insert(path.clone(), bytes).is_some() {
                return Err(invalid(&self.name, format!("two of its files are written as `{path}`")));
            }
        }
        Ok(rendered)
    }
}

fn parse_facts(path: &str, bytes: &[u8]) -> Result<Facts> {
    let text = std::str::from_utf8(bytes).map_err(|error| invalid(path, error.to_string()))?;
    let facts: Facts = toml::from_str(text).map_err(|error| invalid(path, error.to_string().trim()))?;
    let lang = Lang::ALL.into_iter().find(|lang| path.starts_with(lang.id()));
    let judged = |result: Result<()>| result.map_err(|problem| invalid(path, problem.message));
    judged(parse_memory(&facts.memory).map(drop))?;
    judged(parse_timeout(&facts.timeout).map(drop))?;
    if facts.runtimes.is_empty() {
        return Err(invalid(path, "`runtimes` names none"));
    }
    let mut seen = BTreeSet::new();
    for id in &facts.runtimes {
        let runtime = parse_runtime(id).map_err(|problem| invalid(path, problem.message))?;
        if lang != Some(runtime.lang) {
            return Err(invalid(path, format!("the runtime `{id}` is of another language")));
        }
        if !seen.insert(id) {
            return Err(invalid(path, format!("`runtimes` names `{id}` twice")));
        }
    }
    Ok(facts)
}

fn invalid(path: &str, why: impl Into<String>) -> Box<Finding> {
    finding::TEMPLATE_INVALID
        .finding(format!("the template file `{path}` cannot be used"))
        .why(why)
        .fix("`fnscaffold templates show NAME` prints a built-in one to compare")
        .at(path)
}

/// Renders `text`. Only the lines from its first tag to its last one are given to the engine, which takes
/// a hundred times longer than copying.
fn fill(engine: &Handlebars<'_>, source: &str, text: &str, variables: &impl Serialize) -> Result<String> {
    let (before, tagged, after) = tagged_lines(text);
    let line_of = |line: usize| u32::try_from(before.matches('\n').count() + line).unwrap_or(u32::MAX);
    if let Some(at) = boundless_tag(tagged) {
        let why = "a tag is a variable, or a helper or a block with a variable: one that nests or includes others \
                   could go on for ever";
        return Err(invalid(source, why).line(line_of(tagged[..at].matches('\n').count() + 1)));
    }
    let rendered = engine.render_template(tagged, variables).map_err(|error| {
        let why = match error.reason() {
            RenderErrorReason::MissingVariable(Some(variable)) => {
                format!("there is no variable `{variable}`: known are name, runtime, module and function")
            }
            RenderErrorReason::TemplateError(error) => error.reason().to_string(),
            reason => reason.to_string(),
        };
        let line = match error.reason() {
            RenderErrorReason::TemplateError(error) => error.pos().map(|(line, _)| line),
            _ => error.line_no,
        };
        let problem = invalid(source, why);
        match line {
            Some(line) => problem.line(line_of(line)),
            None => problem,
        }
    })?;
    Ok([before, &rendered, after].concat())
}

/// Where a tag stands that the engine could be kept at for as long as its author likes, or until the stack
/// is full: one that nests, or that includes its own text. A tag without quotation ends at the next `}}`.
fn boundless_tag(text: &str) -> Option<usize> {
    const BLOCKS: usize = 100;
    let mut blocks = 0;
    let mut tags = text.match_indices("{{").filter_map(|(at, _)| {
        let is_escaped = text[..at].ends_with('\\') && !text[..at].ends_with("\\\\");
        let tag = text[at..].trim_start_matches('{').split("}}").next().unwrap_or_default();
        (!is_escaped && !tag.starts_with('!')).then_some((at, tag))
    });
    let found = tags.find(|(_, tag)| {
        blocks += usize::from(tag.contains('#'));
        blocks > BLOCKS || tag.contains(['(', '[', '"', '\'', '\\', '>', '*'])
    });
    found.map(|(at, _)| at)
}

/// The lines before the first tag, those to the last one, and those after it. A tag that takes white space
/// away, `{{~`, may reach any of them.
fn tagged_lines(text: &str) -> (&str, &str, &str) {
    let Some(first) = text.find("{{") else { return (text, "", "") };
    if text.contains("{{~") || text.contains("~}}") {
        return ("", text, "");
    }
    let start = text[..first].rfind('\n').map_or(0, |line_end| line_end + 1);
    let last = text.rfind("}}").map_or(text.len(), |last| last.max(first));
    let end = text[last..].find('\n').map_or(text.len(), |line_end| last + line_end + 1);
    (&text[..start], &text[start..end], &text[end..])
}

/// Strict, and without the escapes of HTML; what must be quoted says for which language.
fn engine() -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    engine.register_helper("if", Box::new(Condition { wanted: true }));
    engine.register_helper("unless", Box::new(Condition { wanted: false }));
    for (helper, quote) in
        [("json", quote_json as fn(&str) -> String), ("js", quote_js), ("py", quote_py), ("toml", quote_toml)]
    {
        engine.register_helper(
            helper,
            Box::new(
                move |call: &Helper<'_>,
                      _: &Handlebars<'_>,
                      _: &Context,
                      _: &mut RenderContext<'_, '_>,
                      out: &mut dyn Output|
                      -> HelperResult {
                    out.write(&quote(text_of(call)?))?;
                    Ok(())
                },
            ),
        );
    }
    engine
}

/// `if` and `unless`; the engine's own take an unknown variable for an empty one.
struct Condition {
    wanted: bool,
}

impl HelperDef for Condition {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let part = if text_of(call)?.is_empty() == self.wanted { call.inverse() } else { call.template() };
        part.map_or(Ok(()), |part| part.render(engine, context, state, out))
    }
}

/// The variable that a helper or a block is about.
fn text_of<'a>(call: &'a Helper<'_>) -> std::result::Result<&'a str, RenderErrorReason> {
    let value = call.param(0).filter(|value| !value.is_value_missing());
    value.and_then(|value| value.value().as_str()).ok_or_else(|| {
        let name = call.param(0).and_then(|value| value.relative_path().cloned());
        RenderErrorReason::MissingVariable(Some(name.unwrap_or_default()))
    })
}

fn quote_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON string is a JavaScript one, but for two line ends that old JavaScript does not take.
fn quote_js(text: &str) -> String {
    quote_json(text).replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A JSON string is a Python one, but for characters that JSON writes as two surrogates; serde_json
/// writes them as they are.
fn quote_py(text: &str) -> String {
    quote_json(text).replace('\u{7f}', "\\x7f")
}

fn quote_toml(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::runtime::RUNTIMES;

    const VARIABLES: Variables<'_> =
        Variables { name: "my-app", runtime: "nodejs16", module: "index", function: "main" };

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn facts(runtimes: &str) -> String {
        format!(
            "about = 'x'\nversion = '1'\nmode = 'api'\nruntimes = {runtimes}\nentrypoint = 'index.main'\nmemory = '128MB'\ntimeout = '3s'\n"
        )
    }

    #[test]
    fn every_runtime_and_mode_has_a_template_and_every_template_a_use() {
        let templates = Templates::embedded();
        let mut used = BTreeSet::new();
        for runtime in RUNTIMES {
            for mode in Mode::ALL {
                used.insert(&templates.find(mode, runtime).unwrap().name);
            }
        }
        assert_eq!(used, templates.iter().map(|template| &template.name).collect());
    }

    #[test]
    fn the_files_are_those_of_the_contract() {
        let templates = Templates::embedded();
        for (mode, runtime, expected) in [
            (Mode::Context, "nodejs22", &[".gitignore", "index.js"][..]),
            (Mode::Api, "nodejs16", &[".gitignore", "index.js", "package.json"]),
            (Mode::Api, "nodejs10", &[".gitignore", "index.js", "package.json"]),
            (Mode::Api, "nodejs18", &[".gitignore", "index.js"]),
            (Mode::Context, "python311", &[".gitignore", "index.py"]),
            (Mode::Api, "python311", &[".gitignore", "index.py", "requirements.txt"]),
        ] {
            let template = templates.find(mode, Runtime::find(runtime).unwrap()).unwrap();
            let rendered = template.render(&VARIABLES).unwrap();
            assert_eq!(rendered.keys().collect::<Vec<_>>(), expected, "{mode} {runtime}");
            for (path, bytes) in rendered {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.ends_with('\n') && !text.contains('\r') && !text.contains("{{"), "{path}");
            }
        }
    }

    #[test]
    fn the_handler_takes_the_name_that_was_asked_for() {
        let templates = Templates::embedded();
        let template = templates.by_name("nodejs/context").unwrap();
        let variables = Variables { module: "src/app", function: "handle", ..VARIABLES };
        let rendered = template.render(&variables).unwrap();
        let text = std::str::from_utf8(&rendered["src/app.js"]).unwrap();
        assert!(text.contains("exports.handle ="));
        assert!(!rendered.contains_key("index.js"));
    }

    #[test]
    fn a_layout_that_is_wrong_says_where() {
        let good = facts("['nodejs16']");
        let both = facts("['nodejs16', 'nodejs16']");
        let other = facts("['python311']");
        for (layout, path, why) in [
            (vec![("nodejs/a.toml", good.as_str())], "nodejs/a.toml", "is missing or empty"),
            (vec![("nodejs/a/index.js", "")], "nodejs/a", "`nodejs/a.toml`, are missing"),
            (
                vec![("nodejs/a.toml", &good), ("nodejs/a/other.js", "")],
                "nodejs/a.toml",
                "needs `nodejs/a/index.js`",
            ),
            (vec![("nodejs/a.toml", &both), ("nodejs/a/index.js", "")], "nodejs/a.toml", "twice"),
            (vec![("nodejs/a.toml", &other), ("nodejs/a/index.js", "")], "nodejs/a.toml", "another language"),
            (vec![("nodejs/a.txt", "")], "nodejs/a.txt", "neither"),
            (vec![("nodejs/a/function.toml.hbs", "")], "nodejs/a/function.toml.hbs", "by fnscaffold itself"),
            (vec![("nodejs/a/dist/x", "")], "nodejs/a/dist/x", "by fnscaffold itself"),
            (
                vec![
                    ("nodejs/a.toml", good.as_str()),
                    ("nodejs/a/index.js", ""),
                    ("nodejs/b.toml", &good),
                    ("nodejs/b/index.js", ""),
                ],
                "nodejs/b.toml",
                "`nodejs/a` covers",
            ),
        ] {
            let problem = Templates::from_files(files(&layout)).unwrap_err();
            assert_eq!((problem.rule.id, problem.path.as_deref()), ("FN0801", Some(path)));
            assert!(problem.why.as_ref().unwrap().contains(why), "{problem:?}");
        }
        let escaping = good.replace("index.main", "../x.main");
        let problem =
            Templates::from_files(files(&[("nodejs/a.toml", &escaping), ("nodejs/a/index.js", "")]));
        assert_eq!(problem.unwrap_err().rule.id, "FN0801");
    }

    #[test]
    fn an_unknown_variable_is_an_error_also_in_a_helper() {
        for text in [
            "ok\n{{nmae}}",
            "ok\n{{json nmae}}",
            "ok\n{{#if nmae}}{{/if}}",
            "ok\n{{#unless nmae}}{{/unless}}",
            "ok\n{{#if",
        ] {
            let layout =
                [("nodejs/a.toml", facts("['nodejs16']")), ("nodejs/a/index.js.hbs", text.to_owned())];
            let layout: Vec<_> = layout.iter().map(|(path, text)| (*path, text.as_str())).collect();
            let templates = Templates::from_files(files(&layout)).unwrap();
            let problem = templates.by_name("nodejs/a").unwrap().render(&VARIABLES).unwrap_err();
            assert_eq!((problem.rule.id, problem.line), ("FN0801", Some(2)), "{problem:?}");
            assert!(text.ends_with("#if") || problem.why.as_ref().unwrap().contains("`nmae`"), "{problem:?}");
        }
    }

    /// Each would keep the engine for ever, or overflow its stack.
    #[test]
    fn tags_without_a_bound_are_refused() {
        let nested = format!("{{{{json {}name{}}}}}", "(json ".repeat(60), ")".repeat(60));
        let blocks = "{{#if name}}".repeat(3_000) + &"{{/if}}".repeat(3_000);
        for text in [
            "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}",
            "{{~ # > a}}{{/a}}",
            "\\\\{{json (json name)}}",
            "\\{{! {{json (json name)}}",
            "{{json [[[1]]]}}",
            "{{json \"}}\" }}",
            &nested,
            &blocks,
        ] {
            let text = format!("1\n{text}");
            let problem = fill(&engine(), "a.hbs", &text, &VARIABLES).unwrap_err();
            assert_eq!((problem.rule.id, problem.line), ("FN0801", Some(2)), "{text}");
            assert!(problem.why.is_some_and(|why| why.contains("go on for ever")), "{text}");
        }
        for (text, rendered) in [
            ("{{! don't (nest) }}{{name}} (\"[>*\")", "my-app (\"[>*\")"),
            ("\\{{ \"x\" }} {{~json name~}} .", "{{ \"x\" }}\"my-app\"."),
            ("{{#if name}}{{function}}{{else}}.{{/if}}", "main"),
            ("{{#unless name}}{{function}}{{else}}.{{/unless}}", "."),
        ] {
            assert_eq!(fill(&engine(), "a.hbs", text, &VARIABLES).unwrap(), rendered);
        }
    }

    #[test]
    fn only_lines_with_tags_are_rendered() {
        assert_eq!(tagged_lines("a\nb\n"), ("a\nb\n", "", ""));
        assert_eq!(tagged_lines("a\nb {{x}} c\nd\n{{y}}\ne"), ("a\n", "b {{x}} c\nd\n{{y}}\n", "e"));
        assert_eq!(tagged_lines("a\n{{~x}}\nb"), ("", "a\n{{~x}}\nb", ""));
        assert_eq!(tagged_lines("}}\n{{x"), ("}}\n", "{{x", ""));
    }

    #[test]
    fn two_files_are_not_written_as_one() {
        let layout = [
            ("nodejs/a.toml", facts("['nodejs16']")),
            ("nodejs/a/index.js", "1".to_owned()),
            ("nodejs/a/index.js.hbs", "2".to_owned()),
        ];
        let layout: Vec<_> = layout.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let templates = Templates::from_files(files(&layout)).unwrap();
        let problem = templates.by_name("nodejs/a").unwrap().render(&VARIABLES).unwrap_err();
        assert_eq!(problem.rule.id, "FN0801");
    }

    #[test]
    fn files_without_the_ending_are_copied() {
        let layout = [("nodejs/a.toml", facts("['nodejs16']")), ("nodejs/a/index.js", "{{raw}}".to_owned())];
        let layout: Vec<_> = layout.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let templates = Templates::from_files(files(&layout)).unwrap();
        let rendered = templates.by_name("nodejs/a").unwrap().render(&VARIABLES).unwrap();
        assert_eq!(rendered["index.js"], b"{{raw}}");
    }

    proptest! {
        #[test]
        fn quoted_texts_read_back(text in any::<String>()) {
            let json: String = serde_json::from_str(&quote_json(&text)).unwrap();
            prop_assert_eq!(&json, &text);
            let js: String = serde_json::from_str(&quote_js(&text)).unwrap();
            prop_assert_eq!(&js, &text);
            let table: toml::Table = toml::from_str(&format!("x = {}", quote_toml(&text))).unwrap();
            prop_assert_eq!(table["x"].as_str(), Some(text.as_str()));
            prop_assert!(!quote_py(&text).contains('\n'));
        }

        /// Names and texts that a stranger's template may have: what comes out stays in its directory.
        #[test]
        fn any_template_is_refused_or_stays_inside(
            name in prop_oneof!["\\PC{0,9}", "(\\.\\.?|a|/|\\\\|C:|\n|\\.hbs|con|~){0,6}"],
            text in prop_oneof!["\\PC{0,30}", "(\\{\\{|\\}\\}|#if |/if|raw|name|json |js |\\.\\./|\"|[a-z])*"],
            also_facts: bool,
        ) {
            let mut files = files(&[("nodejs/a.toml", &facts("['nodejs16']")), ("nodejs/a/index.js", "1")]);
            files.insert(format!("nodejs/a/{name}"), text.clone().into_bytes());
            if also_facts {
                files.insert(format!("nodejs/{name}.toml"), text.into_bytes());
            }
            if let Ok(templates) = Templates::from_files(files) {
                for template in templates.iter() {
                    for path in template.render(&VARIABLES).into_iter().flat_map(BTreeMap::into_keys) {
                        prop_assert!(archive::check_path(&path).is_ok(), "{path:?}");
                    }
                }
            }
        }
    }
}
