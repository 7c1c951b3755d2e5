//! A text that must not be printed in; the same text out, only for whoever asks for it by name.

use std::fmt;

/// What proves who calls. It has no `Display`, and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret that stands alone in `text`: one line of visible ASCII characters.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// OAuth tokens of Yandex ID begin so; they are exchanged for IAM tokens.
    pub fn is_oauth(&self) -> bool {
        ["y0_", "y1_", "y2_", "y3_", "AQAAAA"].iter().any(|start| self.0.starts_with(start))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::of(" t1.abc\n").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(secret.expose(), "t1.abc");
        assert!(Secret::of("two words").is_none() && Secret::of("").is_none());
        assert!(Secret::of("y0_abc").unwrap().is_oauth() && !secret.is_oauth());
    }
}
