//! A path and a query in, what the metadata service's tree holds there out.
//!
//! Functions are only documented to have the token. Of the tree that virtual machines are documented to
//! have, what clients ask for on their way to the token is here: Yandex Cloud's documentation, Compute
//! Cloud, "Metadata folders".

use serde_json::{Value, json};

const ROOT: &str = "/computeMetadata/v1";

/// Addresses below `.invalid` belong to nobody.
const EMAIL: &str = "service-account@fnscaffold.invalid";

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The token, which is not part of any listing but by its name.
    Token,
    Text(String),
    Json(String),
}

/// Nothing for a path that the tree does not have.
pub fn find(path: &str, query: &str, has_account: bool) -> Option<Found> {
    if path == "/" {
        return Some(Found::Text("computeMetadata/\n".to_owned()));
    }
    let tree = tree(has_account);
    let below = path.strip_prefix(ROOT)?;
    let parts = below.strip_prefix('/').unwrap_or(below);
    if parts.len() == below.len() && !below.is_empty() {
        return None;
    }
    let mut node = &tree;
    // A directory is named with or without a slash at its end.
    let mut rest = Some(parts).filter(|parts| !parts.is_empty());
    while let Some(parts) = rest {
        let (part, more) = parts.split_once('/').map_or((parts, None), |(part, more)| (part, Some(more)));
        node = node.get(part)?;
        rest = more.filter(|more| !more.is_empty() || !node.is_object());
    }
    if node.is_null() {
        return Some(Found::Token);
    }
    let asked = |name: &str, value: &str| {
        form_urlencoded::parse(query.as_bytes()).any(|(key, given)| key == name && given == value)
    };
    let whole = asked("recursive", "true");
    Some(if asked("alt", "json") || (whole && !asked("alt", "text")) {
        Found::Json(without_token(node).to_string())
    } else {
        Found::Text(text(node))
    })
}

/// Null stands for the token.
// choice `metadata-tree`
fn tree(has_account: bool) -> Value {
    let accounts = if has_account {
        json!({ "default": { "aliases": ["default"], "email": EMAIL, "scopes": [], "token": null } })
    } else {
        json!({})
    };
    json!({ "instance": { "service-accounts": accounts } })
}

fn without_token(node: &Value) -> Value {
    match node {
        Value::Object(entries) => entries
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_token(value)))
            .collect(),
        value => value.clone(),
    }
}

/// A directory's names, or a value's lines.
fn text(node: &Value) -> String {
    let lines: Vec<String> = match node {
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| if value.is_object() { format!("{name}/") } else { name.clone() })
            .collect(),
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        value => return value.as_str().unwrap_or_default().to_owned(),
    };
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: &str) -> Option<Found> {
        find(&format!("{ROOT}{path}"), "", true)
    }

    fn words(text: &str) -> Option<Found> {
        Some(Found::Text(text.to_owned()))
    }

    #[test]
    fn directories_are_listed() {
        assert_eq!(find("/", "", false), words("computeMetadata/\n"));
        for path in ["", "/"] {
            assert_eq!(listed(path), words("instance/\n"), "{path}");
        }
        for path in ["/instance/service-accounts", "/instance/service-accounts/"] {
            assert_eq!(listed(path), words("default/\n"), "{path}");
        }
        assert_eq!(listed("/instance/service-accounts/default/"), words("aliases\nemail\nscopes\ntoken\n"));
    }

    #[test]
    fn values_are_found() {
        assert_eq!(listed("/instance/service-accounts/default/token"), Some(Found::Token));
        assert_eq!(listed("/instance/service-accounts/default/email"), words(EMAIL));
        assert_eq!(listed("/instance/service-accounts/default/aliases"), words("default\n"));
        assert_eq!(listed("/instance/service-accounts/default/scopes"), words(""));
        let all = find(&format!("{ROOT}/instance/service-accounts/default/"), "recursive=true", true);
        let Some(Found::Json(all)) = all else { panic!("{all:?}") };
        let expected = json!({ "aliases": ["default"], "email": EMAIL, "scopes": [] });
        assert_eq!(serde_json::from_str::<Value>(&all).unwrap(), expected);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for path in [
            "x",
            "//",
            "//instance",
            "/instance//service-accounts",
            "/instance/id",
            "/instance/service-accounts/default/token/",
            "/instance/service-accounts/default/email/x",
            "/project/project-id",
        ] {
            assert_eq!(listed(path), None, "{path}");
        }
        assert_eq!(find("/latest/meta-data", "", true), None);
        assert_eq!(find("", "", true), None);
    }

    #[test]
    fn without_a_service_account_there_is_none() {
        let accounts = format!("{ROOT}/instance/service-accounts/");
        assert_eq!(find(&accounts, "", false), words(""));
        assert_eq!(find(&format!("{accounts}default/token"), "", false), None);
        assert_eq!(find(&format!("{accounts}?"), "recursive=true", false), None);
        assert_eq!(find(&accounts, "recursive=true", false), Some(Found::Json("{}".to_owned())));
    }
}
