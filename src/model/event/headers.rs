//! The name of a header in, what the platform does with it out. Source: the vendor's page
//! functions/concepts/function-invoke, "Filtering message headers", newest version.

/// What the handler never sees.
const REMOVED_FROM_REQUESTS: [&str; 13] = [
    "Authorization",
    "Connection",
    "Content-Md5",
    "Cookie",
    "Expect",
    "Max-Forwards",
    "Proxy-Authenticate",
    "Server",
    "Te",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Www-Authenticate",
];

/// What the client never sees. The last four names belong to the platform.
const REMOVED_FROM_RESPONSES: [&str; 10] = [
    "Host",
    "Authorization",
    "User-Agent",
    "Connection",
    "Max-Forwards",
    "Cookie",
    "X-Request-Id",
    "X-Function-Id",
    "X-Function-Version-Id",
    "X-Content-Type-Options",
];

/// What must not be in an answer.
const FORBIDDEN_IN_RESPONSES: [&str; 3] = ["Proxy-Authenticate", "Transfer-Encoding", "Via"];

/// What reaches the client under another name.
const RENAMED_IN_RESPONSES: [&str; 4] = ["Content-Md5", "Date", "Server", "Www-Authenticate"];

const RENAMED_PREFIX: &str = "X-Yf-Remapped-";

/// What becomes of a header of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    Kept(String),
    Removed,
    Forbidden,
}

/// What becomes of a header of an answer, by its canonical name.
pub fn fate(name: String) -> Fate {
    if FORBIDDEN_IN_RESPONSES.contains(&name.as_str()) {
        Fate::Forbidden
    } else if RENAMED_IN_RESPONSES.contains(&name.as_str()) {
        Fate::Kept(format!("{RENAMED_PREFIX}{name}"))
    // choice `content-length`
    } else if REMOVED_FROM_RESPONSES.contains(&name.as_str()) || name == "Content-Length" {
        Fate::Removed
    } else {
        Fate::Kept(name)
    }
}

/// Whether the handler sees a header of the request, by its canonical name.
pub fn reaches_the_handler(name: &str) -> bool {
    !REMOVED_FROM_REQUESTS.contains(&name)
}

/// A name as events spell it: a capital first and after each hyphen, the rest in lower case. What is no
/// name of a header stays as it is.
pub fn canonical(name: &str) -> String {
    if !is_name(name) {
        return name.to_owned();
    }
    let mut starts = true;
    name.chars()
        .map(|c| {
            let spelt = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            starts = c == '-';
            spelt
        })
        .collect()
}

/// `token` of RFC 9110.
pub fn is_name(name: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(in_token)
}

/// `field-value` of RFC 9110: no line ends, no other control characters but the tab.
pub fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_in_events() {
        for (name, expected) in [
            ("x-request-id", "X-Request-Id"),
            ("CONTENT-TYPE", "Content-Type"),
            ("Te", "Te"),
            ("ETag", "Etag"),
            ("x--y", "X--Y"),
            ("no name", "no name"),
            ("ключ", "ключ"),
            ("", ""),
        ] {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn lists_are_spelt_as_they_are_compared() {
        let lists: [&[&str]; 4] =
            [&REMOVED_FROM_REQUESTS, &REMOVED_FROM_RESPONSES, &FORBIDDEN_IN_RESPONSES, &RENAMED_IN_RESPONSES];
        for name in lists.concat() {
            assert_eq!(canonical(name), name);
        }
    }

    #[test]
    fn values_have_no_line_ends() {
        assert!(is_value("a\tb ключ"));
        assert!(is_value(""));
        assert!(!is_value("a\r\nX-Evil: 1"));
        assert!(!is_value("a\0"));
        assert!(!is_value("\u{7f}"));
    }
}
