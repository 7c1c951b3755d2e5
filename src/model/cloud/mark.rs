//! An archive's hash and a version's settings in, the mark by which the version is known again out.

use serde_json::Value;

use crate::model::digest::sha256;

/// Begins the mark in a version's description.
const START: &str = "fnscaffold:";

/// The platform's limit for a description; it was 256 until May 2026.
const DESCRIPTION_LIMIT: usize = 600;

/// Digits of a hash that are kept where the whole is too long.
const SHORT: usize = 12;

/// What a version was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// 64 hexadecimal digits.
    pub archive: String,
    /// Of the settings, shortened.
    pub settings: String,
}

impl Mark {
    /// `settings` is the request without its code, description and tags.
    pub fn of(archive_sha256: &str, settings: &Value) -> Self {
        let hash = sha256(settings.to_string().as_bytes());
        Self { archive: archive_sha256.to_owned(), settings: hash[..SHORT].to_owned() }
    }

    /// A tag of its own for every content with its settings. It keeps the platform from deleting the
    /// version, and lets it be called before any other tag is moved.
    pub fn tag(&self) -> String {
        let hash = sha256(format!("{} {}", self.archive, self.settings).as_bytes());
        format!("{}{}", Self::TAG_START, &hash[..SHORT])
    }

    pub const TAG_START: &str = "sha-";

    pub fn is_own_tag(tag: &str) -> bool {
        tag.strip_prefix(Self::TAG_START).is_some_and(|hash| {
            hash.len() == SHORT && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    }

    /// The description with the mark behind it. A long description gives way.
    pub fn describe(&self, description: &str) -> String {
        let mark = format!("{START}{}:{}", self.archive, self.settings);
        let room = DESCRIPTION_LIMIT - mark.len() - 1;
        let kept: String = description.trim().chars().take(room).collect();
        if kept.is_empty() { mark } else { format!("{kept} {mark}") }
    }

    /// A description without the mark.
    pub fn text(description: &str) -> &str {
        match (Self::read(description), description.rsplit_once(START)) {
            (Some(_), Some((text, _))) => text.trim_end(),
            _ => description,
        }
    }

    /// The mark of a description, if it has one.
    pub fn read(description: &str) -> Option<Self> {
        let (_, mark) = description.rsplit_once(START)?;
        let (archive, settings) = mark.trim().split_once(':')?;
        let is_hash =
            |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hash(archive, 64) && is_hash(settings, SHORT))
            .then(|| Self { archive: archive.to_owned(), settings: settings.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_is_read_back() {
        let mark = Mark::of(&"0".repeat(64), &json!({ "runtime": "nodejs22" }));
        assert_ne!(mark, Mark::of(&"0".repeat(64), &json!({ "runtime": "nodejs18" })));
        for description in ["", "my function", &"ы".repeat(700)] {
            let text = mark.describe(description);
            assert!(text.chars().count() <= DESCRIPTION_LIMIT);
            assert_eq!(Mark::read(&text).as_ref(), Some(&mark), "{text}");
            assert!(description.starts_with(Mark::text(&text)), "{text}");
            assert_eq!(mark.describe(Mark::text(&text)), text);
        }
        for text in ["", "fnscaffold:", "fnscaffold:1:2", "made by fnscaffold: yes"] {
            assert_eq!((Mark::read(text), Mark::text(text)), (None, text));
        }
        assert!(Mark::is_own_tag(&mark.tag()) && !Mark::is_own_tag("sha-what") && !Mark::is_own_tag("prod"));
    }
}
