//! An archive on disk in, an object in a bucket out. Object Storage speaks the S3 API and takes an IAM token
//! as it is, without a signature: the vendor's page storage/api-ref/authentication, "AWS S3 API".

use std::path::Path;

use ureq::http::Method;

use super::wire::Body;
use super::{Ask, Cloud};
use crate::model::cloud::endpoint::Service;
use crate::model::finding::Result;

impl Cloud<'_> {
    /// Streams the file, unless the object, whose name has the content's hash, is there already.
    ///
    /// # Errors
    /// What keeps the cloud from taking it.
    pub fn upload(&self, bucket: &str, object: &str, file: &Path, size: u64) -> Result<()> {
        let ask = |method, body, action| Ask {
            service: Service::Storage,
            method,
            path: format!("/{bucket}/{object}"),
            body,
            key: None,
            action,
        };
        // Who may write need not be allowed to read; then the object is written again.
        let there = self.repeat(&ask(Method::HEAD, Body::None, "look at the bucket"));
        if there.is_ok_and(|length| length.as_str() == Some(&size.to_string())) {
            self.progress("the bucket has the archive already");
            return Ok(());
        }
        self.progress(&format!("uploading {size} bytes to the bucket `{bucket}`"));
        let put = ask(Method::PUT, Body::File(file), "upload the archive");
        self.repeat(&put).map(|_| ()).map_err(|failure| self.tell(failure, put.action))
    }
}
