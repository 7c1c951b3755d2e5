//! What is packed and what the cloud has in, the same in the cloud out: step by step, so that it can be told
//! at any moment how things stand.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::smoke::Smoke;
use crate::model::archive::DIRECT_UPLOAD_LIMIT;
use crate::model::cloud::mark::Mark;
use crate::model::cloud::plan::{self, Difference, Step};
use crate::model::cloud::records::{Function, LATEST, Version};
use crate::model::cloud::request::{self, Code};
use crate::model::digest::sha256;
use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::Manifest;
use crate::model::settings::parse_timeout;
use crate::model::version::VersionSpec;
use crate::outside::cloud::{Cloud, Trace};
use crate::outside::{disk, interrupt};

/// Own tags that stay: versions without a tag are deleted by the platform, and ten tags are all it allows.
const KEPT_TAGS: usize = 4;

/// Seconds that a call may take beyond the function's own timeout.
const CALL_MARGIN: u64 = 30;

pub struct Deployment<'a> {
    pub cloud: &'a Cloud<'a>,
    pub folder_id: String,
    pub manifest: &'a Manifest,
    pub spec: &'a VersionSpec,
    pub archive: &'a Path,
    pub bucket: Option<&'a str>,
    pub force: bool,
    pub smoke: Option<&'a Smoke>,
}

/// What there is, and what is to become of it.
pub struct Outlook {
    pub function: Option<Function>,
    pub versions: Vec<Version>,
    pub settings: Map<String, Value>,
    pub mark: Mark,
    /// The version that is as wanted already.
    pub keep: Option<Version>,
    pub differences: Vec<Difference>,
}

/// What became of it.
pub struct Done {
    pub function: Function,
    pub version: Version,
    pub moved: Vec<String>,
    /// What could not be tidied up.
    pub remarks: Vec<Box<Finding>>,
}

/// How the archive travels.
#[derive(Debug, PartialEq, Eq)]
pub enum Upload {
    Direct,
    Bucket(String),
}

impl Deployment<'_> {
    /// Only reads.
    pub fn look(&self) -> Result<Outlook> {
        interrupt::stand("nothing was changed");
        let function = self.cloud.function(&self.folder_id, &self.manifest.name)?;
        let versions = match &function {
            Some(function) => self.cloud.versions(&function.id)?,
            None => Vec::new(),
        };
        let settings = request::settings(self.spec);
        let mark = Mark::of(&self.spec.archive.sha256, &Value::Object(settings.clone()));
        let description = request::description(self.spec);
        let keep = match plan::step(&versions, &mark, &description, self.force) {
            Step::Keep(version) => Some(version.clone()),
            Step::Create => None,
        };
        let latest = versions.iter().find(|version| version.has_tag(LATEST));
        let differences = plan::differences(latest, &settings, &mark, &description);
        Ok(Outlook { function, versions, settings, mark, keep, differences })
    }

    pub fn upload(&self) -> Upload {
        if self.spec.archive.size <= DIRECT_UPLOAD_LIMIT {
            return Upload::Direct;
        }
        Upload::Bucket(format!("fnscaffold/{}/{}.zip", self.manifest.name, self.spec.archive.sha256))
    }

    /// Does what there is to do. An error says how far it came.
    pub fn carry_out(&self, outlook: &Outlook) -> Result<Done> {
        let mut standing = "nothing was changed".to_owned();
        let mut stand = |text: String| {
            interrupt::stand(&text);
            standing = text;
        };
        let result = self.steps(outlook, &mut stand);
        result.map_err(|problem| problem.as_things_stand(&standing))
    }

    fn steps(&self, outlook: &Outlook, stand: &mut dyn FnMut(String)) -> Result<Done> {
        let name = &self.manifest.name;
        let function = match &outlook.function {
            Some(function) => function.clone(),
            None => {
                stand(format!("the function `{name}` may have been made; it has no version"));
                self.cloud.create_function(&self.folder_id, name).map_err(|setback| {
                    if setback.trace == Trace::Nothing {
                        stand("nothing was changed".to_owned());
                    }
                    setback.finding
                })?
            }
        };
        stand(format!("the function `{name}` is there; no version was made, no tag was moved"));
        let mut version = match &outlook.keep {
            Some(version) => self.cloud.settle(&version.id)?,
            None => self.create(&function, outlook, stand)?,
        };
        let id = version.id.clone();
        let made = format!("the version `{id}` of `{name}` is active, and `{LATEST}`");
        stand(format!("{made}; no tag was moved"));
        if let Some(smoke) = self.smoke {
            let own = outlook.mark.tag();
            let tag = if version.has_tag(&own) { own.as_str() } else { LATEST };
            let patience = Duration::from_secs(parse_timeout(&self.manifest.version.timeout)? + CALL_MARGIN);
            let others = outlook.versions.iter().any(|other| other.id != id && other.is_active());
            stand(match (self.spec.tag.is_empty(), others) {
                (false, _) => {
                    format!("{made}; no tag was moved, but the next `deploy` without --smoke would move them")
                }
                (true, true) => format!("{made}; `fnscaffold rollback` goes back to the version before it"),
                (true, false) => format!("{made}; no tag was moved"),
            });
            smoke.call(self.cloud, &function.id, tag, patience)?;
        }
        let moved: Vec<_> = self.spec.tag.iter().filter(|tag| !version.has_tag(tag)).cloned().collect();
        for tag in &moved {
            stand(format!("{made}; of its tags ({}) some may have been moved", self.spec.tag.join(", ")));
            version = self.cloud.set_tag(&id, tag)?;
        }
        stand(format!("{made}, and has its tags; old tags may be left"));
        let remarks = self.tidy(&function, &id).err().into_iter().collect();
        interrupt::stand("");
        Ok(Done { function, version, moved, remarks })
    }

    fn create(
        &self,
        function: &Function,
        outlook: &Outlook,
        stand: &mut dyn FnMut(String),
    ) -> Result<Version> {
        let name = &self.manifest.name;
        let archive = &self.spec.archive;
        let (content, object);
        let code = match (self.upload(), self.bucket) {
            (Upload::Bucket(_), None) => {
                return Err(finding::NEEDS_BUCKET
                    .finding(format!("the archive has {} bytes", archive.size))
                    .fix("name a bucket with --bucket"));
            }
            (Upload::Bucket(path), Some(bucket)) => {
                object = path;
                stand(format!(
                    "the archive may be in `{bucket}` as `{object}`; no version was made, no tag was moved"
                ));
                self.cloud.upload(bucket, &object, self.archive, archive.size)?;
                Code::Object { bucket, object: &object, sha256: &archive.sha256 }
            }
            (Upload::Direct, _) => {
                content = disk::read(self.archive)?;
                if sha256(&content) != archive.sha256 {
                    return Err(finding::FILE_CHANGED.finding("the archive changed after it was checked"));
                }
                Code::Content(&content)
            }
        };
        stand(format!(
            "a version of `{name}` may be in the making, no tag was moved; `fnscaffold versions` shows it, and the next `deploy` takes it up"
        ));
        let description = request::description(self.spec);
        let request = request::create(&function.id, &outlook.settings, &description, &outlook.mark, code);
        let made = self.cloud.create_version(&function.id, &request, &outlook.versions, &outlook.mark);
        made.map_err(|setback| {
            match setback.trace {
                Trace::Nothing => stand(format!("no version of `{name}` was made, no tag was moved")),
                Trace::Version(id) => {
                    stand(format!("the version `{id}` of `{name}` is there, no tag was moved"))
                }
                Trace::Unknown => {}
            }
            setback.finding
        })
    }

    /// Takes tags of our own from old versions.
    fn tidy(&self, function: &Function, current: &str) -> Result<()> {
        let versions = self.cloud.versions(&function.id)?;
        for (version, tag) in plan::surplus_tags(&versions, KEPT_TAGS) {
            if version.id != current {
                self.cloud.remove_tag(&version.id, tag)?;
            }
        }
        Ok(())
    }
}
