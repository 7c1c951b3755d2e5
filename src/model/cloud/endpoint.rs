//! `--endpoint` in, the address of each of the cloud's services out.

use std::net::IpAddr;

use crate::model::finding::{self, Result};

/// The cloud has one host a service. With `--endpoint URL` all of them are that one server, and every
/// request keeps the path that it has at its own host; no two services share a path:
///
/// | service | own host | paths |
/// | --- | --- | --- |
/// | functions | serverless-functions.api.cloud.yandex.net | `/functions/v1/...` |
/// | operations | operation.api.cloud.yandex.net | `/operations/ID` |
/// | tokens | iam.api.cloud.yandex.net | `/iam/v1/tokens` |
/// | calls | functions.yandexcloud.net | `/FUNCTION-ID` |
/// | Object Storage | storage.yandexcloud.net | `/BUCKET/OBJECT` |
///
/// The metadata service of a virtual machine is none of them: `YC_METADATA_ADDR` moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Functions,
    Operations,
    Tokens,
    Calls,
    Storage,
}

impl Service {
    const fn host(self) -> &'static str {
        match self {
            Self::Functions => "serverless-functions.api.cloud.yandex.net",
            Self::Operations => "operation.api.cloud.yandex.net",
            Self::Tokens => "iam.api.cloud.yandex.net",
            Self::Calls => "functions.yandexcloud.net",
            Self::Storage => "storage.yandexcloud.net",
        }
    }
}

/// What the vendor's own tools have in YC_ENDPOINT by default: the address that they ask for the others.
const ROOT: &str = "api.cloud.yandex.net";

/// Where the cloud is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    Cloud,
    /// One server for all, without a slash at the end.
    Server(String),
}

impl Endpoint {
    /// # Errors
    /// [`finding::ANSWER_INVALID`], also for a server to which a token would travel unencrypted.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().trim_end_matches('/');
        let bare = text.strip_prefix("https://").unwrap_or(text);
        if text.is_empty() || bare == ROOT || bare.strip_suffix(":443") == Some(ROOT) {
            return Ok(Self::Cloud);
        }
        let invalid = |why: &str| {
            finding::ANSWER_INVALID
                .finding(format!("the endpoint `{text}` cannot be used"))
                .why(why)
                .fix("`--endpoint https://HOST[:PORT]`, or `http://localhost:PORT` on this machine")
        };
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| invalid("it is not an address with `https://`"))?;
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') || rest.contains(['?', '#', ' ']) {
            return Err(invalid("it is not a scheme, a host and perhaps a port"));
        }
        match scheme {
            "https" => Ok(Self::Server(text.to_owned())),
            "http" if is_this_machine(authority) => Ok(Self::Server(text.to_owned())),
            "http" => Err(invalid("without TLS everyone on the way could read the IAM token")),
            _ => Err(invalid("its scheme is not https")),
        }
    }

    /// The address of `path`, which begins with a slash.
    pub fn url(&self, service: Service, path: &str) -> String {
        match self {
            Self::Cloud => format!("https://{}{path}", service.host()),
            Self::Server(server) => format!("{server}{path}"),
        }
    }
}

fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_own_default_is_the_cloud() {
        for text in
            ["", "api.cloud.yandex.net", "api.cloud.yandex.net:443", "https://api.cloud.yandex.net:443/"]
        {
            assert_eq!(Endpoint::parse(text).unwrap(), Endpoint::Cloud, "{text}");
        }
        let url = Endpoint::Cloud.url(Service::Operations, "/operations/x");
        assert_eq!(url, "https://operation.api.cloud.yandex.net/operations/x");
    }

    #[test]
    fn one_server_stands_for_all_hosts() {
        for text in ["https://cloud.test:8443/", "http://127.0.0.1:80", "http://[::1]:80", "http://localhost"]
        {
            let endpoint = Endpoint::parse(text).unwrap();
            let expected = format!("{}/bucket/object", text.trim_end_matches('/'));
            assert_eq!(endpoint.url(Service::Storage, "/bucket/object"), expected);
        }
    }

    #[test]
    fn no_token_travels_in_the_clear() {
        for text in [
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "ftp://x",
            "host:1",
            "https://",
        ] {
            assert_eq!(Endpoint::parse(text).unwrap_err().rule.id, "FN0103", "{text}");
        }
    }
}
