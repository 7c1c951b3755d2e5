//! The config.yaml of yc in, what its current profile says out.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::cloud::token::Secret;
use crate::model::finding::{self, Result};

/// Where it is, below the home directory.
pub const PATH: &str = ".config/yandex-cloud/config.yaml";

#[derive(Deserialize)]
struct File {
    current: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Option<Fields>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Fields {
    token: Option<String>,
    folder_id: Option<String>,
    service_account_key: Option<serde_json::Value>,
    #[serde(default)]
    instance_service_account: bool,
    federation_id: Option<String>,
}

/// One profile. Its endpoint is not taken over: `YC_ENDPOINT` is how a whole client is pointed elsewhere.
#[derive(Debug, Default)]
pub struct Profile {
    pub name: String,
    pub folder_id: Option<String>,
    pub credentials: Option<Credentials>,
}

/// How a profile says who it is.
#[derive(Debug)]
pub enum Credentials {
    Token(Secret),
    /// The JSON of a service account's key.
    Key(Secretive),
    Metadata,
    /// Through a browser, which only yc itself can open.
    Federation,
}

/// JSON that holds a secret.
pub struct Secretive(pub String);

impl std::fmt::Debug for Secretive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secretive(***)")
    }
}

/// The profile called `name`, or the current one; nothing when there is none.
///
/// # Errors
/// [`finding::CREDENTIALS_INVALID`]: it is not YAML of that shape, or has no profile called `name`.
pub fn parse(yaml: &str, name: Option<&str>) -> Result<Option<Profile>> {
    let file: File = serde_saphyr::from_str(yaml).map_err(|_| {
        // The parser's own message quotes the lines round the error, and with them the token.
        finding::CREDENTIALS_INVALID
            .finding(format!("`~/{PATH}` cannot be read"))
            .why("it is not YAML with `current` and `profiles`")
            .fix("`yc config list` shows whether yc can read it; YC_IAM_TOKEN is used instead of it")
    })?;
    let Some(wanted) = name.or(file.current.as_deref()) else { return Ok(None) };
    let wanted = wanted.to_owned();
    let Some(fields) =
        file.profiles.into_iter().find_map(|(name, fields)| (name == wanted).then_some(fields))
    else {
        return match name {
            None => Ok(None),
            Some(name) => Err(finding::CREDENTIALS_INVALID
                .finding(format!("yc has no profile called `{name}`"))
                .fix("`yc config profile list` lists them")),
        };
    };
    let fields = fields.unwrap_or_default();
    let credentials = if let Some(key) = &fields.service_account_key {
        Some(Credentials::Key(Secretive(key.to_string())))
    } else if let Some(token) = fields.token.as_deref().and_then(Secret::of) {
        Some(Credentials::Token(token))
    } else if fields.instance_service_account {
        Some(Credentials::Metadata)
    } else {
        fields.federation_id.map(|_| Credentials::Federation)
    };
    Ok(Some(Profile { name: wanted, folder_id: fields.folder_id, credentials }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "current: work\nprofiles:\n  home:\n    token: y0_home\n    cloud-id: b1g\n    folder-id: b1home\n  work:\n    service-account-key:\n      id: aje\n      service_account_id: sa\n      private_key: |\n        PLEASE DO NOT REMOVE\n        -----BEGIN PRIVATE KEY-----\n    folder-id: b1work\n  vm:\n    instance-service-account: true\n  sso:\n    federation-id: bpf\n  empty:\n";

    #[test]
    fn the_current_profile_or_a_named_one() {
        let work = parse(TWO, None).unwrap().unwrap();
        assert_eq!((work.name.as_str(), work.folder_id.as_deref()), ("work", Some("b1work")));
        let Some(Credentials::Key(key)) = &work.credentials else { panic!("{work:?}") };
        assert!(key.0.contains("BEGIN PRIVATE KEY"));
        assert!(!format!("{work:?}").contains("BEGIN"));
        let home = parse(TWO, Some("home")).unwrap().unwrap();
        assert!(matches!(home.credentials, Some(Credentials::Token(token)) if token.is_oauth()));
        assert!(matches!(parse(TWO, Some("vm")).unwrap().unwrap().credentials, Some(Credentials::Metadata)));
        assert!(matches!(
            parse(TWO, Some("sso")).unwrap().unwrap().credentials,
            Some(Credentials::Federation)
        ));
        assert!(parse(TWO, Some("empty")).unwrap().unwrap().credentials.is_none());
        assert_eq!(parse(TWO, Some("other")).unwrap_err().rule.id, "FN0906");
        assert!(parse("profiles: {}", None).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_told_without_the_token() {
        for text in ["current: [", "profiles:\n  a:\n    token: [s3cret]\n", "token: s3cret\n  x: y"] {
            let problem = parse(text, None).unwrap_err();
            assert!(!format!("{problem:?}").contains("s3cret"));
        }
    }
}
