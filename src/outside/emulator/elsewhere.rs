//! Versions, files of variables and this process's environment in, what of the cloud their functions find here
//! out: the values that somebody gave, and a word on what is not here, or only here.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::finding::{self, Finding, Result, few};
use crate::model::manifest::Version;
use crate::model::secret::looks_secret;
use crate::model::variables;
use crate::outside::disk;

/// Begins the variables that give values. Without it a function of a stranger could name any variable of ours
/// and get what it holds.
const GIVEN: &str = "FNSCAFFOLD_SECRET_";

/// Values of variables that were given for here. They never print themselves out.
#[derive(Clone, Default)]
pub struct Given {
    /// From files, whatever a version names.
    own: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

impl Given {
    /// What the files say, a later one over an earlier one.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`] for a file that is not written as such files are, [`finding::IO`].
    pub fn read<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<Self> {
        let mut given = Self::default();
        for file in files {
            let text = disk::read_text(file)?;
            given.own.extend(variables::parse(&text).map_err(|line| unreadable(file, line))?);
        }
        Ok(given)
    }

    /// Takes the values that were given to secrets of `version`.
    pub fn take(&mut self, version: &Version) {
        for secret in &version.secrets {
            let name = &secret.environment_variable;
            let value = self.own.get(name).cloned().or_else(|| std::env::var(format!("{GIVEN}{name}")).ok());
            self.secrets.extend(value.map(|value| (name.clone(), value)));
        }
    }

    pub fn of(version: &Version) -> Self {
        let mut given = Self::default();
        given.take(version);
        given
    }

    /// The variables that a function of `version` has here and not from its manifest.
    pub fn variables<'a>(&'a self, version: &'a Version) -> impl Iterator<Item = (String, String)> + 'a {
        let names = version.secrets.iter().map(|secret| &secret.environment_variable);
        let secrets = names.filter_map(|name| self.secrets.get_key_value(name));
        self.own.iter().chain(secrets).map(|(name, value)| (name.clone(), value.clone()))
    }

    /// The values that nobody should read.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let own = self.own.values().filter(|value| looks_secret(value));
        self.secrets.values().chain(own).map(String::as_str)
    }

    /// In what the function of `version` has other variables and files here than in the cloud.
    pub fn judge(&self, version: &Version) -> Vec<Box<Finding>> {
        self.missing(version).into_iter().chain(self.undeclared(version)).collect()
    }

    fn missing(&self, version: &Version) -> Option<Box<Finding>> {
        let names = version.secrets.iter().map(|secret| &secret.environment_variable);
        let secrets: Vec<_> = names.filter(|name| !self.has(name)).collect();
        let all: Vec<_> = secrets
            .iter()
            .map(|name| format!("the secret `{name}`"))
            .chain(version.mounts.iter().map(|mount| format!("the mount `{}`", mount.name)))
            .collect();
        if all.is_empty() {
            return None;
        }
        let problem = finding::NOT_HERE.finding(format!("the function runs without {}", all.join(", "))).why(
            "they are in the cloud: here it finds no such variable, and nothing under /function/storage",
        );
        let Some(name) = secrets.first() else { return Some(problem) };
        Some(problem.fix(format!(
            "give a secret a value for here: `{GIVEN}{name}=... fnscaffold`, or in a file with --env-file"
        )))
    }

    /// Also what a version names only since it was changed.
    fn has(&self, name: &str) -> bool {
        self.secrets.contains_key(name) || self.own.contains_key(name)
    }

    fn undeclared(&self, version: &Version) -> Option<Box<Finding>> {
        let is_secret =
            |name: &String| version.secrets.iter().any(|secret| secret.environment_variable == *name);
        let own = self.own.keys().filter(|name| !version.environment.contains_key(*name) && !is_secret(name));
        let names: Vec<_> = own.cloned().collect();
        (!names.is_empty()).then(|| {
            finding::ONLY_HERE
                .finding(format!("the function has variables only here: {}", few(&names)))
                .why("--env-file gives them, and function.toml does not name them")
                .fix("name them under [version], in `environment` or `secrets`, if the function needs them")
        })
    }
}

/// Never what the line says: it may be a secret.
fn unreadable(file: &Path, line: u32) -> Box<Finding> {
    let file = disk::shown(file);
    finding::ANSWER_INVALID
        .finding(format!("`{file}` is no file of variables"))
        .why("each line of one is empty, a # comment, or NAME=VALUE; a value in quotes may have more lines")
        .at(file)
        .line(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest;

    #[test]
    fn only_what_a_version_names_is_given_and_all_that_is_missing_is_named() {
        let text = "name = 'my-app'\n[version]\nruntime = 'nodejs22'\nentrypoint = 'index.main'\n\
            secrets = [{ id = 'a', key = 'k', environment-variable = 'ONE' }, { id = 'a', key = 'k', environment-variable = 'TWO' }]\n\
            mounts = [{ name = 'data', object-storage = { bucket = 'bucket' } }]\n";
        let version = manifest::parse(text).unwrap().0.version;
        let given = |names: &[&str]| {
            let secrets = names.iter().map(|name| ((*name).to_owned(), "value".to_owned())).collect();
            Given { secrets, ..Given::default() }
        };
        let secrets = given(&["TWO", "THREE"]);
        let variables: Vec<_> = secrets.variables(&version).collect();
        assert_eq!(variables, [("TWO".to_owned(), "value".to_owned())]);
        let missing = |secrets: &Given| secrets.missing(&version).unwrap().message;
        assert_eq!(missing(&secrets), "the function runs without the secret `ONE`, the mount `data`");
        let all = given(&["ONE", "TWO"]);
        assert_eq!(missing(&all), "the function runs without the mount `data`");
        let version = Version { mounts: Vec::new(), ..version };
        assert!(all.missing(&version).is_none());
        let own = all.secrets;
        assert!(Given { own, ..Given::default() }.missing(&version).is_none());
    }

    fn read(texts: &[&str]) -> Result<Given> {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<_> =
            (0..texts.len()).map(|number| directory.path().join(number.to_string())).collect();
        for (file, text) in files.iter().zip(texts) {
            std::fs::write(file, text).unwrap();
        }
        Given::read(files.iter().map(std::path::PathBuf::as_path))
    }

    #[test]
    fn files_give_variables_and_what_the_manifest_lacks_is_told() {
        let text = "name = 'my-app'\n[version]\nruntime = 'nodejs22'\nentrypoint = 'index.main'\n\
            environment = { ONE = 'of the manifest' }\n\
            secrets = [{ id = 'a', key = 'k', environment-variable = 'TWO' }]\n";
        let version = manifest::parse(text).unwrap().0.version;
        let mut given =
            read(&["\u{feff}ONE=first\nTWO=\"a secret\"\n", "# again\r\nexport ONE='$second'\r\n"]).unwrap();
        given.take(&version);
        let mut manifests = version.environment.clone();
        manifests.extend(given.variables(&version));
        assert_eq!((manifests["ONE"].as_str(), manifests["TWO"].as_str()), ("$second", "a secret"));
        assert_eq!(given.secrets().collect::<Vec<_>>(), ["a secret"]);
        assert!(given.judge(&version).is_empty());
        let mut more = read(&["THREE=3", "FOUR=postgres://me:pa55word@host/data"]).unwrap();
        more.take(&version);
        assert_eq!(more.secrets().collect::<Vec<_>>(), ["postgres://me:pa55word@host/data"]);
        let told: Vec<_> = more.judge(&version).into_iter().map(|told| told.message.clone()).collect();
        let only_here = "the function has variables only here: FOUR, THREE";
        assert_eq!(told, ["the function runs without the secret `TWO`", only_here]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_not_shown() {
        for (text, line) in [("A=1\n\nhunter2\n", 3), ("A='hunter2\n", 1)] {
            let Err(problem) = read(&[text]) else { panic!("{text}") };
            assert_eq!(problem.line, Some(line), "{text}");
            assert!(!format!("{problem:?}").contains("hunter2"));
        }
    }
}
