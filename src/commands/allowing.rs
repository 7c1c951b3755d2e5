//! The flag of every verb that would refuse a secret among the files.

use clap::Args;

#[derive(Debug, Args)]
pub struct AllowArgs {
    /// Take this file, or what is in this directory, although it looks like a secret
    #[arg(
        long,
        value_name = "PATH",
        env = "FNSCAFFOLD_ALLOW_SECRET",
        hide_env = true,
        value_delimiter = ','
    )]
    pub allow_secret: Vec<String>,
}
