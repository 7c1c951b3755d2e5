//! The questions of `new` and `init`: texts from flags, environment or an answers file in, settled
//! answers or the list of what is missing or wrong out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::{Manifest, Package, Version};
use crate::model::mode::Mode;
use crate::model::runtime::{Lang, Runtime};
use crate::model::selection::Selection;
use crate::model::settings::{self, nearest, parse_runtime};

/// One question: its key in an answers file, what it takes, and one such answer.
pub struct Question {
    pub key: &'static str,
    pub allowed: Cow<'static, str>,
    pub example: Cow<'static, str>,
}

pub const LANG: Question =
    Question { key: "lang", allowed: Cow::Borrowed("nodejs or python"), example: Cow::Borrowed("nodejs") };
pub const MODE: Question =
    Question { key: "mode", allowed: Cow::Borrowed("context or api"), example: Cow::Borrowed("context") };

/// The keys of an answers file, in the order of the prompts. Each is a flag's name too.
pub const KEYS: [&str; 8] =
    ["name", "lang", "mode", "runtime", "entrypoint", "memory", "timeout", "service-account-id"];

/// An answer that was given, and by what: a flag with its environment name, or a file's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    pub from: String,
}

/// The answers given so far, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(BTreeMap<&'static str, Answer>);

/// What a template takes where nothing was answered.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    pub entrypoint: &'a str,
    pub memory: &'a str,
    pub timeout: &'a str,
}

/// All answers, settled and allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    pub name: String,
    /// None for code that was there before: only a template has one.
    pub mode: Option<Mode>,
    pub runtime: &'static Runtime,
    /// Whether the runtime was chosen, rather than taken from the guide.
    pub runtime_chosen: bool,
    pub entrypoint: String,
    pub memory: String,
    pub timeout: String,
    pub service_account_id: Option<String>,
}

/// `--service-account-id (or FNSCAFFOLD_SERVICE_ACCOUNT_ID)`.
pub fn flag_and_variable(key: &str) -> String {
    let variable = key.to_uppercase().replace('-', "_");
    match key {
        "name" => format!("NAME (or FNSCAFFOLD_{variable})"),
        _ => format!("--{key} (or FNSCAFFOLD_{variable})"),
    }
}

impl Given {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|answer| answer.text.as_str())
    }

    /// Keeps an answer that was given already: earlier sources win.
    pub fn offer(&mut self, key: &'static str, text: String, from: String) {
        self.0.entry(key).or_insert(Answer { text, from });
    }

    /// Takes what an answers file (TOML, or JSON when it starts with `{`) adds.
    ///
    /// # Errors
    /// [`finding::ANSWERS_UNREADABLE`].
    pub fn offer_file(&mut self, text: &str, from: &str) -> Result<()> {
        let unreadable = |why: String| {
            finding::ANSWERS_UNREADABLE
                .finding(format!("the answers in `{from}` cannot be read"))
                .why(why)
                .fix("`fnscaffold new --print-answers` writes a file that can")
                .at(from)
        };
        let table: BTreeMap<String, toml::Value> = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| unreadable(error.to_string().trim().to_owned()))?
        };
        for (key, value) in table {
            let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
                let hint =
                    nearest(&key, KEYS).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(unreadable(format!("`{key}` is no answer: known are {}{hint}", KEYS.join(", "))));
            };
            let toml::Value::String(text) = value else {
                return Err(unreadable(format!("`{key}` must be a string")));
            };
            self.offer(known, text, from.to_owned());
        }
        Ok(())
    }

    /// Takes what a function.toml adds, but nothing of another language than was asked for.
    pub fn offer_manifest(&mut self, manifest: &Manifest, from: &str) {
        let Manifest { name, version, template, .. } = manifest;
        let said = self.lang().ok().flatten();
        let runtime = parse_runtime(&version.runtime).ok();
        let runtime = runtime.filter(|runtime| said.is_none_or(|lang| lang == runtime.lang));
        let mode = template.as_ref().and_then(|template| template.answers.get("mode"));
        let answers = [
            ("name", Some(name)),
            ("mode", mode),
            ("runtime", runtime.map(|_| &version.runtime)),
            ("entrypoint", runtime.map(|_| &version.entrypoint)),
            ("memory", Some(&version.memory)),
            ("timeout", Some(&version.timeout)),
            ("service-account-id", version.service_account_id.as_ref()),
        ];
        for (key, answer) in answers {
            if let Some(text) = answer {
                self.offer(key, text.clone(), from.to_owned());
            }
        }
    }

    /// The language, said or implied by the runtime.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`].
    pub fn lang(&self) -> Result<Option<Lang>> {
        let said = self.parsed("lang", |text| {
            <Lang as clap::ValueEnum>::from_str(text, true).map_err(|_| not_allowed(text, &LANG))
        })?;
        match (said, self.runtime()?) {
            (Some(lang), Some(runtime)) if runtime.lang != lang => Err(self.blame(
                "runtime",
                finding::ANSWER_INVALID
                    .finding(format!("the runtime `{}` does not run {lang}", runtime.id))
                    .fix(format!("take `{}`, or leave out --lang", lang.latest_runtime().id)),
            )),
            (Some(lang), _) => Ok(Some(lang)),
            (None, runtime) => Ok(runtime.map(|runtime| runtime.lang)),
        }
    }

    /// # Errors
    /// [`finding::ANSWER_INVALID`].
    pub fn mode(&self) -> Result<Option<Mode>> {
        self.parsed("mode", |text| {
            <Mode as clap::ValueEnum>::from_str(text, true).map_err(|_| not_allowed(text, &MODE))
        })
    }

    /// The runtime that was named; `latest` names one only together with a language.
    fn runtime(&self) -> Result<Option<&'static Runtime>> {
        match self.get("runtime") {
            Some("latest") => Ok(None),
            _ => self.parsed("runtime", parse_runtime),
        }
    }

    /// The required questions that nothing has answered.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`], when an answer that decides it is wrong.
    pub fn missing(&self) -> Result<Vec<&'static Question>> {
        let mut missing = Vec::new();
        if self.lang()?.is_none() {
            missing.push(&LANG);
        }
        if self.mode()?.is_none() {
            missing.push(&MODE);
        }
        Ok(missing)
    }

    /// The two answers that choose a template.
    ///
    /// # Errors
    /// [`finding::ANSWERS_MISSING`] with the whole list, or [`finding::ANSWER_INVALID`].
    pub fn choice(&self) -> Result<(Mode, &'static Runtime)> {
        match (self.lang()?, self.mode()?) {
            (Some(lang), Some(mode)) => Ok((mode, self.runtime_for(lang)?)),
            _ => Err(missing_finding(&self.missing()?)),
        }
    }

    /// The runtime that was asked for, or the guide's.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`].
    pub fn runtime_for(&self, lang: Lang) -> Result<&'static Runtime> {
        match self.get("runtime") {
            Some("latest") => Ok(lang.latest_runtime()),
            _ => Ok(self.runtime()?.unwrap_or_else(|| lang.default_runtime())),
        }
    }

    /// Fills what is left with defaults and judges everything.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`].
    pub fn settle(
        &self,
        mode: Option<Mode>,
        runtime: &'static Runtime,
        defaults: &Defaults<'_>,
    ) -> Result<Answers> {
        let text = |key: &'static str, default: &str| self.get(key).unwrap_or(default).to_owned();
        let answers = Answers {
            name: text("name", settings::DEFAULT_NAME),
            mode,
            runtime,
            runtime_chosen: self.get("runtime").is_some(),
            entrypoint: text("entrypoint", defaults.entrypoint),
            memory: text("memory", defaults.memory),
            timeout: text("timeout", defaults.timeout),
            service_account_id: self.get("service-account-id").filter(|id| !id.is_empty()).map(str::to_owned),
        };
        self.judged("name", settings::check_name(&answers.name))?;
        if mode.is_some() {
            // Code that is adopted may have entry points that no template writes; `check` judges them.
            self.judged("entrypoint", judge_written(&answers.entrypoint, runtime.lang))?;
        }
        self.judged("memory", settings::parse_memory(&answers.memory))?;
        self.judged("timeout", settings::parse_timeout(&answers.timeout))?;
        Ok(answers)
    }

    /// Judges what is given before more is asked for.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`].
    pub fn judge(&self) -> Result<()> {
        self.mode()?;
        if let Some(lang) = self.lang()? {
            self.parsed("entrypoint", |text| judge_written(text, lang))?;
        }
        self.parsed("name", settings::check_name)?;
        self.parsed("memory", settings::parse_memory)?;
        self.parsed("timeout", settings::parse_timeout)?;
        Ok(())
    }

    fn parsed<T>(&self, key: &'static str, parse: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        self.get(key).map(|text| self.judged(key, parse(text))).transpose()
    }

    fn judged<T>(&self, key: &'static str, result: Result<T>) -> Result<T> {
        result.map_err(|problem| self.blame(key, problem))
    }

    /// A value that came from the person is wrong usage, whatever rule it breaks.
    fn blame(&self, key: &'static str, mut problem: Box<Finding>) -> Box<Finding> {
        problem.rule = &finding::ANSWER_INVALID;
        problem.severity = problem.rule.severity;
        match self.0.get(key) {
            Some(answer) => problem.at(answer.from.clone()),
            None => problem,
        }
    }
}

/// Judges the entry point of a file that a template writes: it has to be packed.
///
/// # Errors
/// Those of [`settings::parse_entrypoint`].
pub fn judge_written(entrypoint: &str, lang: Lang) -> Result<()> {
    let file = format!("{}{}", settings::parse_entrypoint(entrypoint, lang)?.module, lang.extension());
    if Selection::new(&Package::default(), None)?.takes(&file) {
        return Ok(());
    }
    Err(finding::ENTRYPOINT_FORMAT
        .finding(format!("the entry point `{entrypoint}` is not allowed"))
        .why(format!("`{file}` would not be packed: its directory is left out by default"))
        .fix("take `index.main`"))
}

impl Answers {
    /// The settings of the version that was asked for.
    pub fn to_version(&self) -> Version {
        Version {
            memory: self.memory.clone(),
            timeout: self.timeout.clone(),
            service_account_id: self.service_account_id.clone(),
            ..Version::new(self.runtime.id, &self.entrypoint)
        }
    }

    /// The answers as an answers file has them.
    pub fn to_map(&self) -> BTreeMap<&'static str, String> {
        let mut map = BTreeMap::from([
            ("name", self.name.clone()),
            ("lang", self.runtime.lang.id().to_owned()),
            ("runtime", self.runtime.id.to_owned()),
            ("entrypoint", self.entrypoint.clone()),
            ("memory", self.memory.clone()),
            ("timeout", self.timeout.clone()),
        ]);
        if let Some(mode) = self.mode {
            map.insert("mode", mode.id().to_owned());
        }
        if let Some(id) = &self.service_account_id {
            map.insert("service-account-id", id.clone());
        }
        map
    }
}

/// The finding that lists every missing answer with its flag, variable and allowed values.
pub fn missing_finding(missing: &[&Question]) -> Box<Finding> {
    let list: Vec<_> = missing
        .iter()
        .map(|question| format!("{}: {}", flag_and_variable(question.key), question.allowed))
        .collect();
    let flags: Vec<_> =
        missing.iter().map(|question| format!("--{} {}", question.key, question.example)).collect();
    finding::ANSWERS_MISSING
        .finding(if missing.len() == 1 { "an answer is missing" } else { "answers are missing" })
        .why(list.join("\n"))
        .fix(format!("for example, add {}", flags.join(" ")))
}

fn not_allowed(text: &str, question: &Question) -> Box<Finding> {
    finding::ANSWER_INVALID
        .finding(format!("the value `{text}` is not known"))
        .why(format!("it is {}", question.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: Defaults<'_> = Defaults { entrypoint: "index.main", memory: "128MB", timeout: "3s" };

    fn settle(given: &Given) -> Result<Answers> {
        let (mode, runtime) = given.choice()?;
        given.settle(Some(mode), runtime, &DEFAULTS)
    }

    fn given(pairs: &[(&'static str, &str)]) -> Given {
        let mut given = Given::default();
        for (key, text) in pairs {
            given.offer(key, (*text).to_owned(), flag_and_variable(key));
        }
        given
    }

    #[test]
    fn defaults_are_the_guides() {
        let answers = settle(&given(&[("lang", "js"), ("mode", "api")])).unwrap();
        assert_eq!(answers.runtime.id, "nodejs16");
        assert_eq!((answers.name.as_str(), answers.memory.as_str()), ("my-app", "128MB"));
        assert!(!answers.runtime_chosen);
        let latest = settle(&given(&[("lang", "py"), ("mode", "api"), ("runtime", "latest")])).unwrap();
        assert_eq!(latest.runtime.id, "python314");
    }

    #[test]
    fn all_missing_answers_are_listed_at_once() {
        let problem = settle(&Given::default()).unwrap_err();
        assert_eq!(problem.rule.id, "FN0102");
        let why = problem.why.unwrap();
        for text in
            ["--lang", "FNSCAFFOLD_LANG", "nodejs or python", "--mode", "FNSCAFFOLD_MODE", "context or api"]
        {
            assert!(why.contains(text), "{text}");
        }
    }

    #[test]
    fn the_runtime_implies_the_language() {
        let answers = settle(&given(&[("runtime", "python312"), ("mode", "context")])).unwrap();
        assert_eq!(answers.runtime.lang, Lang::Python);
        let problem =
            settle(&given(&[("runtime", "python312"), ("lang", "nodejs"), ("mode", "api")])).unwrap_err();
        assert_eq!(problem.rule.id, "FN0103");
        assert_eq!(problem.path.as_deref(), Some("--runtime (or FNSCAFFOLD_RUNTIME)"));
    }

    #[test]
    fn earlier_sources_win_over_the_file() {
        let mut given = given(&[("name", "from-flag")]);
        given.offer_file("name = 'from-file'\nlang = 'python'\nmode = 'api'\n", "a.toml").unwrap();
        let answers = settle(&given).unwrap();
        assert_eq!(answers.name, "from-flag");
        assert_eq!(answers.runtime.lang, Lang::Python);
    }

    #[test]
    fn answers_survive_the_round_trip() {
        let answers = settle(&given(&[("lang", "py"), ("mode", "api"), ("memory", "1GB")])).unwrap();
        for text in
            [toml::to_string(&answers.to_map()).unwrap(), serde_json::to_string(&answers.to_map()).unwrap()]
        {
            let mut again = Given::default();
            again.offer_file(&text, "-").unwrap();
            assert_eq!(settle(&again).unwrap().to_map(), answers.to_map());
        }
    }

    #[test]
    fn a_file_with_unknown_or_wrong_keys_is_refused() {
        for (text, hint) in
            [("lnag = 'x'", "did you mean `lang`?"), ("memory = 1", "must be a string"), ("= 1", "")]
        {
            let problem = Given::default().offer_file(text, "a.toml").unwrap_err();
            assert_eq!(problem.rule.id, "FN0104");
            assert!(problem.why.unwrap().contains(hint), "{text}");
        }
    }
}
