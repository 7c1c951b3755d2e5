//! A service account's key in, a signed token (PS256) to exchange for an IAM token out.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::model::cloud::key::ServiceAccountKey;
use crate::model::cloud::token::Secret;
use crate::model::finding::{self, Result};

/// jsonwebtoken writes the token and leaves the signature to whom it is told; TLS brings ring along.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: no_verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// # Errors
/// [`finding::CREDENTIALS_INVALID`] for a key that cannot sign so.
pub fn sign(key: &ServiceAccountKey, now: u64) -> Result<Secret> {
    // Only the first call installs it.
    let _ = PROVIDER.install_default();
    let mut header = Header::new(Algorithm::PS256);
    header.kid = Some(key.id.clone());
    let der = EncodingKey::from_rsa_der(key.private_key.secret_der());
    let invalid = || {
        finding::CREDENTIALS_INVALID
            .finding(format!("the service account's key `{}` cannot sign", key.id))
            .why("it is not an RSA key of 2048 to 4096 bits")
            .fix("make one with `yc iam key create --algorithm rsa-2048`")
    };
    let token = encode(&header, &key.claims(now), &der).map_err(|_| invalid())?;
    Secret::of(&token).ok_or_else(invalid)
}

struct Pss(RsaKeyPair);

impl Signer<Vec<u8>> for Pss {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| signature::Error::new())?;
        Ok(signature)
    }
}

impl JwtSigner for Pss {
    fn algorithm(&self) -> Algorithm {
        Algorithm::PS256
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> std::result::Result<Box<dyn JwtSigner>, Error> {
    let wrong = || Error::from(ErrorKind::InvalidKeyFormat);
    if *algorithm != Algorithm::PS256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let der = key.as_bytes();
    // PKCS#8 as the service makes it, or the older form.
    let pair = match PrivateKeyDer::try_from(der).map_err(|_| wrong())? {
        PrivateKeyDer::Pkcs8(_) => RsaKeyPair::from_pkcs8(der),
        PrivateKeyDer::Pkcs1(_) => RsaKeyPair::from_der(der),
        _ => return Err(wrong()),
    };
    Ok(Box::new(Pss(pair.map_err(|_| wrong())?)))
}

/// Nobody's token is checked here.
fn no_verifier(_: &Algorithm, _: &DecodingKey) -> std::result::Result<Box<dyn JwtVerifier>, Error> {
    Err(ErrorKind::InvalidAlgorithm.into())
}
