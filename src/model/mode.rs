//! Where a handler takes its token from.

use std::fmt;

/// The two ways to the IAM token of a function's service account.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Context,
    Api,
}

impl Mode {
    pub const ALL: [Self; 2] = [Self::Context, Self::Api];

    pub const fn id(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Api => "api",
        }
    }

    /// One line for a person who has to choose.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Context => "the call's context",
            Self::Api => "the metadata service, over HTTP",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}
