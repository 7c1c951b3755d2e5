//! The JSON that `yc iam key create` writes in; the key, and what is to be signed with it, out.

use std::fmt;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use crate::model::finding::{self, Result};

/// Whom a signed token is for, and where it is exchanged, whatever server stands in for it.
const AUDIENCE: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";

/// Seconds that a signed token may be used; the service takes at most 3600.
const LIFETIME: u64 = 600;

/// A service account's authorized key.
pub struct ServiceAccountKey {
    pub id: String,
    pub service_account_id: String,
    /// In DER.
    pub private_key: PrivateKeyDer<'static>,
}

impl fmt::Debug for ServiceAccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccountKey({})", self.id)
    }
}

#[derive(Deserialize)]
struct File {
    id: String,
    service_account_id: String,
    private_key: String,
}

/// What the signed token says.
#[derive(Debug, Serialize)]
pub struct Claims {
    iss: String,
    aud: &'static str,
    iat: u64,
    exp: u64,
}

impl ServiceAccountKey {
    /// # Errors
    /// [`finding::CREDENTIALS_INVALID`], which never repeats what the file says.
    pub fn parse(json: &str, from: &str) -> Result<Self> {
        let invalid = |why: String| {
            finding::CREDENTIALS_INVALID
                .finding(format!("{from} is not a service account's key"))
                .why(why)
                .fix("`yc iam key create --service-account-name NAME --output key.json` writes one")
        };
        let file: File = serde_json::from_str(json).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            invalid(match error.classify() {
                serde_json::error::Category::Data => {
                    format!("{place}: id, service_account_id and private_key must be there, as strings")
                }
                _ => format!("{place}: it is not JSON"),
            })
        })?;
        // Keys are written with a line of text before the PEM header; the reader passes over it.
        let private_key = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_| invalid("private_key holds no private key in PEM".to_owned()))?;
        Ok(Self { id: file.id, service_account_id: file.service_account_id, private_key })
    }

    pub fn claims(&self, now: u64) -> Claims {
        Claims { iss: self.service_account_id.clone(), aud: AUDIENCE, iat: now, exp: now + LIFETIME }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_before_the_header_is_passed_over() {
        let pem = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <aje>\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let json = serde_json::json!({ "id": "aje", "service_account_id": "sa", "private_key": pem });
        let key = ServiceAccountKey::parse(&json.to_string(), "key.json").unwrap();
        assert_eq!(key.private_key.secret_der(), [0, 0, 0]);
        assert_eq!(format!("{key:?}"), "ServiceAccountKey(aje)");
        let claims = serde_json::to_value(key.claims(1000)).unwrap();
        assert_eq!(claims["iss"], "sa");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_key() {
        for json in [
            "",
            "{",
            r#"{"id":"s3cret"}"#,
            r#"{"id":"a","service_account_id":"b","private_key":"s3cret"}"#,
            r#"{"id":"a","service_account_id":"b","private_key":["s3cret"]}"#,
        ] {
            let problem = ServiceAccountKey::parse(json, "`key.json`").unwrap_err();
            assert_eq!(problem.rule.id, "FN0906");
            assert!(!format!("{problem:?}").contains("s3cret"), "{problem:?}");
        }
    }
}
