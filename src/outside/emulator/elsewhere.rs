//! Versions and this process's environment in, what of the cloud their functions find here out: the values of
//! Lockbox secrets that somebody gave, and a word on what is not here.

use std::collections::BTreeMap;

use crate::model::finding::{self, Finding};
use crate::model::manifest::Version;

/// Begins the variables that give values. Without it a function of a stranger could name any variable of ours
/// and get what it holds.
const GIVEN: &str = "FNSCAFFOLD_SECRET_";

/// Values of secrets by their variables. They never print themselves out.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Takes the values that were given to secrets of `version`.
    pub fn take(&mut self, version: &Version) {
        for secret in &version.secrets {
            let name = &secret.environment_variable;
            self.0.extend(std::env::var(format!("{GIVEN}{name}")).ok().map(|value| (name.clone(), value)));
        }
    }

    pub fn of(version: &Version) -> Self {
        let mut secrets = Self::default();
        secrets.take(version);
        secrets
    }

    /// The variables of `version` that have a value.
    pub fn variables<'a>(&'a self, version: &'a Version) -> impl Iterator<Item = (String, String)> + 'a {
        let names = version.secrets.iter().map(|secret| &secret.environment_variable);
        names.filter_map(|name| self.0.get_key_value(name)).map(|(name, value)| (name.clone(), value.clone()))
    }

    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// What the function of `version` has in the cloud and not here.
    pub fn missing(&self, version: &Version) -> Option<Box<Finding>> {
        let names = version.secrets.iter().map(|secret| &secret.environment_variable);
        let secrets: Vec<_> = names.filter(|name| !self.0.contains_key(*name)).collect();
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
        Some(problem.fix(format!("give a secret a value for here: `{GIVEN}{name}=... fnscaffold`")))
    }
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
            Secrets(names.iter().map(|name| ((*name).to_owned(), "value".to_owned())).collect())
        };
        let secrets = given(&["TWO", "THREE"]);
        let variables: Vec<_> = secrets.variables(&version).collect();
        assert_eq!(variables, [("TWO".to_owned(), "value".to_owned())]);
        let missing = |secrets: &Secrets| secrets.missing(&version).unwrap().message;
        assert_eq!(missing(&secrets), "the function runs without the secret `ONE`, the mount `data`");
        let all = given(&["ONE", "TWO"]);
        assert_eq!(missing(&all), "the function runs without the mount `data`");
        let version = Version { mounts: Vec::new(), ..version };
        assert!(all.missing(&version).is_none());
    }
}
