//! The flags of every verb that goes to the cloud in; the open door, and what stands behind it, out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::commands::Context;
use crate::model::cloud::records::Function;
use crate::model::finding::{self, Result};
use crate::model::manifest::Manifest;
use crate::outside::cloud::{Cloud, Manner, Wanted};

// Where the cloud is and who calls.
#[derive(Debug, Args)]
pub struct Access {
    /// A file with an IAM token [default: YC_IAM_TOKEN or YC_TOKEN]
    #[arg(
        long,
        value_name = "FILE",
        env = "FNSCAFFOLD_TOKEN_FILE",
        hide_env = true,
        help_heading = "The cloud"
    )]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

// The same without a token's file, which `invoke` has of its own.
#[derive(Debug, Args)]
#[command(next_help_heading = "The cloud")]
pub struct Place {
    /// The folder that the function is in [default: YC_FOLDER_ID, or that of yc's profile]
    #[arg(long, value_name = "ID", env = "FNSCAFFOLD_FOLDER_ID", hide_env = true)]
    folder_id: Option<String>,
    /// Another server instead of all of the cloud's hosts, with the same paths [default: YC_ENDPOINT]
    #[arg(long, value_name = "URL", env = "FNSCAFFOLD_ENDPOINT", hide_env = true)]
    endpoint: Option<String>,
    /// A service account's authorized key, as JSON [default: YC_SERVICE_ACCOUNT_KEY_FILE]
    #[arg(long, value_name = "FILE", env = "FNSCAFFOLD_KEY_FILE", hide_env = true)]
    key_file: Option<PathBuf>,
    /// The profile of yc, instead of the current one
    #[arg(long, value_name = "NAME", env = "FNSCAFFOLD_PROFILE", hide_env = true)]
    profile: Option<String>,
    /// How long the cloud may take to finish what it began
    #[arg(long, value_name = "TIME", env = "FNSCAFFOLD_WAIT", hide_env = true, default_value = "10m", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// How long it may take to answer a request
    #[arg(long, value_name = "TIME", env = "FNSCAFFOLD_REQUEST_TIMEOUT", hide_env = true, default_value = "60s", value_parser = humantime::parse_duration)]
    request_timeout: Duration,
}

impl Access {
    /// # Errors
    /// Those of [`Place::open`].
    pub fn open<'a>(&'a self, context: &Context, progress: &'a dyn Fn(&str)) -> Result<Cloud<'a>> {
        self.place.open(context, self.token_file.as_deref(), progress)
    }

    /// # Errors
    /// [`finding::ANSWERS_MISSING`].
    pub fn folder(&self, cloud: &Cloud<'_>) -> Result<String> {
        self.place.folder(cloud)
    }

    /// The cloud, and the function that function.toml names.
    ///
    /// # Errors
    /// Those of [`Place::open`] and [`Place::function`].
    pub fn open_function<'a>(
        &'a self,
        context: &Context,
        manifest: &Manifest,
        progress: &'a dyn Fn(&str),
    ) -> Result<(Cloud<'a>, Function)> {
        let cloud = self.open(context, progress)?;
        let function = self.place.function(&cloud, manifest)?;
        Ok((cloud, function))
    }
}

impl Place {
    /// # Errors
    /// [`finding::ANSWER_INVALID`] and those of [`Cloud::connect`].
    pub fn open<'a>(
        &'a self,
        context: &Context,
        token_file: Option<&Path>,
        progress: &'a dyn Fn(&str),
    ) -> Result<Cloud<'a>> {
        let within = |file: &Path| context.directory.join(file);
        let wanted = Wanted {
            token_file: token_file.map(within),
            key_file: self.key_file.as_deref().map(within),
            profile: self.profile.as_deref(),
        };
        let manner = Manner {
            endpoint: self.endpoint.as_deref(),
            patience: self.request_timeout,
            wait: self.wait,
            progress,
        };
        let cloud = Cloud::connect(manner, &wanted)?;
        context.terminal.detail(&format!("credentials: {}", cloud.caller()));
        Ok(cloud)
    }

    /// # Errors
    /// [`finding::ANSWERS_MISSING`].
    pub fn folder(&self, cloud: &Cloud<'_>) -> Result<String> {
        self.folder_id.clone().filter(|id| !id.is_empty()).or_else(|| cloud.folder_id()).ok_or_else(|| {
            finding::ANSWERS_MISSING
                .finding("the folder's id is missing")
                .why("--folder-id (YC_FOLDER_ID) was not given and yc's profile names none")
                .fix("`--folder-id b1g...`; `yc config get folder-id` prints it")
        })
    }

    /// The function that function.toml names.
    ///
    /// # Errors
    /// [`finding::NOT_DEPLOYED`], and what keeps the cloud from answering.
    pub fn function(&self, cloud: &Cloud<'_>, manifest: &Manifest) -> Result<Function> {
        let folder_id = self.folder(cloud)?;
        cloud.function(&folder_id, &manifest.name)?.ok_or_else(|| {
            finding::NOT_DEPLOYED
                .finding(format!("the folder `{folder_id}` has no function `{}`", manifest.name))
                .fix("`fnscaffold deploy` makes it; --folder-id names another folder")
        })
    }
}
