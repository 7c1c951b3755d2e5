//! Whose token a function gets: a service account or none in, a token that never prints itself out.

use std::path::Path;

use serde_json::{Value, json};

use crate::model::cloud::token::Secret;
use crate::model::finding::{self, Result};
use crate::outside::disk;

/// Where a real token may come from when no file is named.
const VARIABLE: &str = "FNSCAFFOLD_IAM_TOKEN";

/// Begins the token of a function that nobody gave a real one. Real ones begin with `t1.`.
const FAKE: &str = "fake-iam-token-from-fnscaffold";

/// Seconds that the platform's tokens live at most, and that its pages show.
const LIFETIME: u64 = 43_200;

/// The service account's token, or that there is none because the function has no service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    None,
    Fake,
    Real(Secret),
}

impl Identity {
    /// The token of `file` or of the environment, else a fake one; none without a service account.
    ///
    /// # Errors
    /// [`finding::IO`], and [`finding::ANSWER_INVALID`] for what cannot be a token.
    pub fn of(service_account: Option<&str>, file: Option<&Path>) -> Result<Self> {
        if service_account.is_none_or(str::is_empty) {
            return Ok(Self::None);
        }
        let (text, from, fix) = match (file, std::env::var(VARIABLE)) {
            (Some(file), _) => {
                let from = file.display().to_string();
                let fix = format!("`yc iam create-token > {from}`");
                (disk::read_secret(file)?, from, fix)
            }
            (None, Ok(text)) if !text.trim().is_empty() => {
                (text, VARIABLE.to_owned(), format!("`export {VARIABLE}=$(yc iam create-token)`"))
            }
            _ => return Ok(Self::Fake),
        };
        Secret::of(&text).map(Self::Real).ok_or_else(|| {
            finding::ANSWER_INVALID
                .finding(format!("{from} holds no IAM token"))
                .why("a token is one line of visible ASCII characters")
                .fix(format!("{fix}, or leave it out and take a fake one"))
        })
    }

    /// The token document, as the context and the metadata service give it. `serial` tells fake tokens
    /// apart.
    pub fn document(&self, serial: u32) -> Option<Value> {
        let token = match self {
            Self::None => return None,
            Self::Fake => format!("{FAKE}-{serial:04}"),
            Self::Real(secret) => secret.expose().to_owned(),
        };
        Some(json!({ "access_token": token, "expires_in": LIFETIME, "token_type": "Bearer" }))
    }

    /// What must not be printed: a fake token is no secret, but who reads logs need not know which it is.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Real(secret) => Some(secret.expose()),
            Self::None | Self::Fake => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let identity = Identity::Real(Secret::of("t1.9euelZq").unwrap());
        assert!(!format!("{identity:?}").contains("t1."));
    }

    #[test]
    fn a_fake_token_is_never_taken_for_a_real_one() {
        let document = Identity::Fake.document(1).unwrap();
        let token = document["access_token"].as_str().unwrap();
        assert!(token.starts_with("fake-"), "{token}");
        assert!(!crate::model::secret::looks_secret(token));
    }

    #[test]
    fn without_a_service_account_there_is_no_token() {
        assert_eq!(Identity::of(None, None).unwrap(), Identity::None);
        assert_eq!(Identity::of(Some(""), None).unwrap(), Identity::None);
        assert_eq!(Identity::None.document(1), None);
    }
}
