//! Flags of every verb that runs a function here.

use std::path::PathBuf;

use clap::Args;

use crate::commands::Context;
use crate::model::finding::Result;
use crate::outside::emulator::{Fault, Given, Route};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

// How a function is run here.
#[derive(Debug, Args)]
#[command(next_help_heading = "Running")]
pub struct RunArgs {
    /// The interpreter, instead of the one on PATH; may be repeated, the one that fits is taken
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    pub interpreter: Vec<PathBuf>,
    /// Fail when the interpreter has another version than the runtime
    #[arg(long)]
    pub strict_runtime: bool,
    /// Take dependencies from the cache and fetch none
    #[arg(long)]
    pub offline: bool,
    /// The file with the service account's IAM token, instead of a fake one (or FNSCAFFOLD_IAM_TOKEN)
    #[arg(long, value_name = "FILE", env = "FNSCAFFOLD_TOKEN_FILE", hide_env = true)]
    pub token_file: Option<PathBuf>,
    /// A file of variables for the function, as NAME=VALUE, over those of function.toml; may be repeated
    #[arg(long, value_name = "FILE", env = "FNSCAFFOLD_ENV_FILE", hide_env = true, value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// A fault of the metadata service: expired, slow=SECONDS, 404, 500, rotate or disabled
    #[arg(long, value_name = "FAULT", env = "FNSCAFFOLD_METADATA", hide_env = true)]
    pub metadata: Option<Fault>,
    /// How programs of the function reach 169.254.169.254
    #[arg(
        long,
        value_enum,
        value_name = "ROUTE",
        env = "FNSCAFFOLD_METADATA_ROUTE",
        hide_env = true,
        default_value = "auto"
    )]
    pub metadata_route: Route,
    /// Print tokens as they are
    #[arg(long)]
    pub show_token: bool,
    /// How log lines are written on standard error
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        env = "FNSCAFFOLD_LOG_FORMAT",
        hide_env = true,
        default_value = "text"
    )]
    pub log_format: LogFormat,
}

impl RunArgs {
    /// The variables that files give.
    ///
    /// # Errors
    /// Those of [`Given::read`].
    pub fn given(&self, context: &Context) -> Result<Given> {
        let files: Vec<_> = self.env_file.iter().map(|file| context.directory.join(file)).collect();
        Given::read(files.iter().map(PathBuf::as_path))
    }
}
