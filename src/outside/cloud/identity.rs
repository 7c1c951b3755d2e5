//! Who calls the cloud: flags, environment, yc's profile or the machine in, an IAM token that is still good
//! out. The order in which they are asked is that of [`Identity::find`].

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use ureq::http::Method;

use crate::model::cloud::key::ServiceAccountKey;
use crate::model::cloud::profile::{self, Credentials, Profile};
use crate::model::cloud::token::Secret;
use crate::model::event::redact::Redactor;
use crate::model::finding::{self, Finding, Result};
use crate::outside::cloud::jwt;
use crate::outside::cloud::wire::{Body, Request, Wire};
use crate::outside::{clock, disk};

const METADATA: &str = "169.254.169.254";
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// Outside of the vendor's machines nobody answers at that address.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);

/// A token that has less than this left is not used any more.
const MARGIN: Duration = Duration::from_secs(60);

/// What the flags say of it.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    pub token_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The profile of yc, instead of the current one.
    pub profile: Option<&'a str>,
}

/// Where tokens come from.
#[derive(Debug)]
enum Source {
    /// It cannot be renewed.
    Token,
    Key(Box<ServiceAccountKey>),
    Oauth(Secret),
    /// The host of the metadata service.
    Metadata(String),
}

#[derive(Debug)]
pub struct Identity {
    source: Source,
    /// For messages: where it was found.
    pub from: String,
    token: Option<(Secret, Option<SystemTime>)>,
    /// Everything that must not be printed.
    secrets: Vec<Secret>,
    pub folder_id: Option<String>,
}

/// What an exchange asks the token service, and what it makes of the answer.
pub enum Renewal {
    /// The token at hand is good, or there is no other.
    None,
    /// Post this; [`Identity::take`] the answer.
    Exchange(Value),
}

impl Identity {
    /// Looks in this order, and takes the first that is there:
    ///
    /// 1. `--token-file`: an IAM token (or an OAuth token, which is exchanged)
    /// 2. `--key-file`: a service account's authorized key
    /// 3. `YC_IAM_TOKEN`
    /// 4. `YC_TOKEN`: an IAM or an OAuth token
    /// 5. `YC_SERVICE_ACCOUNT_KEY_FILE`: the key's path, or the key itself
    /// 6. the profile of yc: its key, its token, or its machine's account
    /// 7. the metadata service of a virtual machine, `YC_METADATA_ADDR` or 169.254.169.254
    ///
    /// # Errors
    /// [`finding::CREDENTIALS_MISSING`], [`finding::CREDENTIALS_INVALID`] and [`finding::IO`].
    pub fn find(wanted: &Wanted<'_>) -> Result<Self> {
        let given = Self::of_flags_or_environment(wanted);
        let profile = match read_profile(wanted.profile) {
            // Nobody asked for it.
            Err(_) if given.is_some() && wanted.profile.is_none() => None,
            read => read?,
        };
        let mut identity =
            given.or_else(|| profile.as_ref().and_then(of_profile)).unwrap_or_else(of_machine)?;
        identity.folder_id = profile.and_then(|profile| profile.folder_id);
        Ok(identity)
    }

    fn of_flags_or_environment(wanted: &Wanted<'_>) -> Option<Result<Self>> {
        let variable = |name: &str| env::var(name).ok().filter(|text| !text.trim().is_empty());
        if let Some(file) = &wanted.token_file {
            let from = format!("`{}`", file.display());
            return Some(disk::read_secret(file).and_then(|text| of_token(&text, from)));
        }
        if let Some(file) = &wanted.key_file {
            return Some(of_key_file(file));
        }
        for name in ["YC_IAM_TOKEN", "YC_TOKEN"] {
            if let Some(text) = variable(name) {
                return Some(of_token(&text, name.to_owned()));
            }
        }
        let name = "YC_SERVICE_ACCOUNT_KEY_FILE";
        let text = variable(name)?;
        // The vendor's Terraform provider takes the key itself here too.
        Some(if text.trim_start().starts_with('{') {
            of_key(&text, name.to_owned())
        } else {
            of_key_file(Path::new(&text))
        })
    }

    fn new(source: Source, from: String) -> Self {
        Self { source, from, token: None, secrets: Vec::new(), folder_id: None }
    }

    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref().map(|(token, _)| token)
    }

    /// Whether there is a token that lasts.
    pub fn is_fresh(&self) -> bool {
        self.token
            .as_ref()
            .is_some_and(|(_, until)| until.is_none_or(|until| until > SystemTime::now() + MARGIN))
    }

    /// Gives the token up that the cloud refused. False when no other can be had.
    pub fn renounce(&mut self) -> bool {
        if matches!(self.source, Source::Token) {
            return false;
        }
        self.token.take().is_some()
    }

    /// What has to be asked of the token service. The metadata service is asked here.
    ///
    /// # Errors
    /// [`finding::CREDENTIALS_MISSING`] and [`finding::CREDENTIALS_INVALID`].
    pub fn renew(&mut self) -> Result<Renewal> {
        if self.is_fresh() {
            return Ok(Renewal::None);
        }
        match &self.source {
            Source::Token => Ok(Renewal::None),
            Source::Oauth(oauth) => {
                Ok(Renewal::Exchange(json!({ "yandexPassportOauthToken": oauth.expose() })))
            }
            Source::Key(key) => {
                let signed = jwt::sign(key, clock::epoch_seconds())?;
                let body = json!({ "jwt": signed.expose() });
                self.secrets.push(signed);
                Ok(Renewal::Exchange(body))
            }
            Source::Metadata(host) => {
                let (token, lifetime) = ask_machine(host)?;
                self.keep(token, SystemTime::now().checked_add(lifetime));
                Ok(Renewal::None)
            }
        }
    }

    /// Takes the token service's answer.
    ///
    /// # Errors
    /// [`finding::CLOUD_UNREACHABLE`] when there is no token in it.
    pub fn take(&mut self, answer: &Value) -> Result<()> {
        let token = answer.get("iamToken").and_then(Value::as_str).and_then(Secret::of).ok_or_else(|| {
            finding::CLOUD_UNREACHABLE
                .finding("the token service's answer has no token")
                .fix("check --endpoint (YC_ENDPOINT)")
        })?;
        let until = answer.get("expiresAt").and_then(Value::as_str);
        let until = until.and_then(|text| humantime::parse_rfc3339(text).ok());
        self.keep(token, until);
        Ok(())
    }

    fn keep(&mut self, token: Secret, until: Option<SystemTime>) {
        self.secrets.push(token.clone());
        self.token = Some((token, until));
    }

    /// Hides every secret that was at hand.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets.iter().map(|secret| secret.expose().to_owned()))
    }
}

fn of_token(text: &str, from: String) -> Result<Identity> {
    let secret = Secret::of(text).ok_or_else(|| {
        finding::CREDENTIALS_INVALID
            .finding(format!("{from} holds no token"))
            .why("a token is one line of visible ASCII characters")
            .fix("`yc iam create-token` prints one")
    })?;
    let is_oauth = secret.is_oauth();
    let mut identity =
        Identity::new(if is_oauth { Source::Oauth(secret.clone()) } else { Source::Token }, from);
    identity.secrets.push(secret.clone());
    if !is_oauth {
        identity.token = Some((secret, None));
    }
    Ok(identity)
}

fn of_key_file(file: &Path) -> Result<Identity> {
    of_key(&disk::read_secret(file)?, format!("`{}`", file.display()))
}

fn of_key(json: &str, from: String) -> Result<Identity> {
    let key = ServiceAccountKey::parse(json, &from)?;
    Ok(Identity::new(Source::Key(Box::new(key)), from))
}

fn of_profile(profile: &Profile) -> Option<Result<Identity>> {
    let from = format!("the profile `{}` of yc", profile.name);
    match profile.credentials.as_ref()? {
        Credentials::Token(token) => Some(of_token(token.expose(), from)),
        Credentials::Key(json) => Some(of_key(&json.0, from)),
        Credentials::Metadata => Some(of_machine()),
        Credentials::Federation => Some(Err(finding::CREDENTIALS_MISSING
            .finding(format!("{from} logs in through a browser"))
            .why("only yc itself can do that")
            .fix("`export YC_IAM_TOKEN=$(yc iam create-token)`"))),
    }
}

/// # Errors
/// [`finding::CREDENTIALS_MISSING`] when this is no machine of the vendor's.
fn of_machine() -> Result<Identity> {
    let host = env::var("YC_METADATA_ADDR").ok().filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| METADATA.to_owned());
    let mut identity =
        Identity::new(Source::Metadata(host), "the metadata service of this machine".to_owned());
    identity.renew()?;
    Ok(identity)
}

fn ask_machine(host: &str) -> Result<(Secret, Duration)> {
    #[derive(Deserialize)]
    struct Answer {
        access_token: String,
        expires_in: u64,
    }
    let request = Request {
        method: Method::GET,
        url: format!("http://{host}{METADATA_PATH}"),
        headers: vec![("Metadata-Flavor", "Google".to_owned())],
        token: None,
        body: Body::None,
        patience: METADATA_PATIENCE,
    };
    let answer = Wire::direct().send(&request).map_err(|_| missing())?;
    let answer: Answer = serde_json::from_slice(&answer.body).map_err(|_| missing())?;
    let token = Secret::of(&answer.access_token).ok_or_else(missing)?;
    Ok((token, Duration::from_secs(answer.expires_in)))
}

fn missing() -> Box<Finding> {
    finding::CREDENTIALS_MISSING
        .finding("nothing says who calls the cloud")
        .why("no --token-file, --key-file, YC_IAM_TOKEN, YC_TOKEN or YC_SERVICE_ACCOUNT_KEY_FILE, no profile of yc, and this is no virtual machine with a service account")
        .fix("`export YC_IAM_TOKEN=$(yc iam create-token)`, or --key-file with a service account's key")
}

fn read_profile(name: Option<&str>) -> Result<Option<Profile>> {
    let Some(home) = env::home_dir() else { return Ok(None) };
    match disk::read_if_there(&home.join(profile::PATH))? {
        None if name.is_some() => Err(finding::CREDENTIALS_INVALID
            .finding(format!("there is no `~/{}`", profile::PATH))
            .fix("`yc init` writes it")),
        None => Ok(None),
        Some(bytes) => profile::parse(&String::from_utf8_lossy(&bytes), name),
    }
}
