//! A piece of a file or an environment value in, what kind of secret it holds out, never its text.
//!
//! Every byte that is packed passes through here, so all kinds are looked for at once, by a few fixed bytes
//! that all secrets of a kind have.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::{memchr_iter, memmem};
use serde::Deserialize;

use crate::model::archive::Window;
use crate::model::finding::{self, Finding};

const AUTHORIZED_KEY: &str = "a service account's authorized key";
const PRIVATE_KEY: &str = "a private key";
const IAM_TOKEN: &str = "an IAM token";
const ENV_FILE: &str = "an environment file";

/// How far around a private key the other fields of an authorized key may stand.
const NEARBY: usize = 8 << 10;

/// Base64 digits of the shortest private key in use, Ed25519 in PKCS #8, are 64.
const SHORTEST_KEY: usize = 60;

/// A secret that begins with a fixed text and goes on in base64url digits.
struct Token {
    prefix: &'static [u8],
    /// Digits after the prefix.
    length: RangeInclusive<usize>,
    kind: &'static str,
}

const TOKENS: [Token; 3] = [
    Token { prefix: b"AQVN", length: 34..=40, kind: "an API key" },
    Token { prefix: b"YC", length: 38..=38, kind: "a static access key" },
    Token { prefix: b"y0_", length: 40..=120, kind: "an OAuth token" },
];

/// Where a secret begins, and its kind.
struct Found {
    at: usize,
    kind: &'static str,
}

/// `SECRET` when `window` shows one.
pub fn judge(window: Window<'_>) -> Option<Box<Finding>> {
    let Window { path, content, line } = window;
    let found = if is_env_file(path) { Some(Found { at: 0, kind: ENV_FILE }) } else { find(content) };
    let Found { at, kind } = found?;
    let lines = u32::try_from(memchr_iter(b'\n', &content[..at]).count()).unwrap_or(u32::MAX);
    Some(
        finding::SECRET
            .finding(format!("`{path}` looks like it holds {kind}"))
            .why("everyone who may read the function's code could read it")
            .fix(format!(
                "exclude it: `exclude = [\"/{path}\"]` under [package] in function.toml; or, if it is no secret, \
                 overrule with `--allow-secret {path}`"
            ))
            .at(path)
            .line(line.saturating_add(lines)),
    )
}

/// Whether the value of an environment variable is, or holds, a secret.
pub fn looks_secret(text: &str) -> bool {
    find(text.as_bytes()).is_some() || is_bot_token(text) || has_password(text)
}

/// What each kind of secret is first looked for by, the worst kinds first. None hides another: only `YC` can
/// begin inside one, behind a letter, where no key begins.
static SIGNS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let signs =
        [b"PRIVATE KEY".as_slice(), b"t1."].into_iter().chain(TOKENS.iter().map(|token| token.prefix));
    let mut builder = AhoCorasick::builder();
    // The automaton that is made fastest. It seldom runs: many bytes are compared at a time, to which
    // `LeftmostFirst` is needed, and few files have a sign.
    builder.kind(Some(AhoCorasickKind::NoncontiguousNFA)).match_kind(MatchKind::LeftmostFirst);
    builder.build(signs).expect("a few fixed texts")
});

/// The worst of the secrets in `content`, of several of one kind the first.
fn find(content: &[u8]) -> Option<Found> {
    let mut worst: Option<(usize, Found)> = None;
    let mut is_judged = false;
    for sign in SIGNS.find_iter(content) {
        let (kind, at) = (sign.pattern().as_usize(), sign.start());
        if worst.as_ref().is_some_and(|(worst, _)| *worst <= kind) {
            continue;
        }
        let found = match kind {
            0 => find_private_key(content, at, &mut is_judged),
            1 => find_iam_token(content, at),
            other => find_token(content, at, &TOKENS[other - 2]),
        };
        worst = found.map(|found| (kind, found)).or(worst);
    }
    worst.map(|(_, found)| found)
}

/// `.env` and `.env.production`, but not those that show others what to fill in.
fn is_env_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let Some(rest) = name.strip_prefix(".env") else { return false };
    match rest.rsplit_once('.') {
        None => rest.is_empty(),
        Some(_) if !rest.starts_with('.') => false,
        Some((_, last)) => !matches!(last, "example" | "sample" | "template" | "dist"),
    }
}

/// The private key of which `PRIVATE KEY` stands at `at`: PEM as RFC 7468 and its forerunners have it, in a
/// file or in a string of a program. `is_judged` is whether `content` was read as a key file: once.
fn find_private_key(content: &[u8], at: usize, is_judged: &mut bool) -> Option<Found> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const LONGEST_LABEL: usize = 40;
    let before = &content[at.saturating_sub(LONGEST_LABEL)..at];
    let after = &content[at + b"PRIVATE KEY".len()..];
    let after = after.strip_prefix(b" BLOCK").unwrap_or(after);
    let (begin, payload) = (memmem::rfind(before, BEGIN)?, after.strip_prefix(b"-----")?);
    let label = &before[begin + BEGIN.len()..];
    if !label.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b' ') {
        return None;
    }
    let near = &content[at.saturating_sub(NEARBY)..content.len().min(at + NEARBY)];
    if is_payload(payload) {
        let kind = if is_authorized(near) { AUTHORIZED_KEY } else { PRIVATE_KEY };
        return Some(Found { at: at - before.len() + begin, kind });
    }
    if *is_judged || !content.trim_ascii_start().starts_with(b"{") || !is_authorized(near) {
        return None;
    }
    *is_judged = true;
    is_key_file(content).then(|| {
        let at = memmem::find(content, b"\"private_key\"").unwrap_or(at);
        Found { at, kind: AUTHORIZED_KEY }
    })
}

/// Whether the fields round a private key are those of an authorized key.
fn is_authorized(near: &[u8]) -> bool {
    [b"service_account_id".as_slice(), b"key_algorithm", b"Yandex.Cloud SA Key ID"]
        .iter()
        .any(|sign| memmem::find(near, sign).is_some())
}

/// What `yc iam key create` writes, even when the key in it is too short or too odd to be one.
fn is_key_file(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct KeyFile {
        private_key: String,
    }
    serde_json::from_slice::<KeyFile>(content)
        // `<PRIVATE KEY>` and the like are for the reader to fill in.
        .is_ok_and(|file| !file.private_key.contains('<'))
}

/// Whether base64 follows: enough of it for a key, in lines, in string literals one below the other, or
/// in one string with `\n` in it. Programs that only know the marker go on with code.
fn is_payload(mut text: &[u8]) -> bool {
    /// Shorter lines end the payload, so that words in sequence are none.
    const SHORTEST_LINE: usize = 24;
    let mut payload: Vec<u8> = Vec::with_capacity(2 * SHORTEST_KEY);
    text = skip_headers(skip_separators(text));
    while payload.len() < SHORTEST_KEY {
        let length = text.iter().position(|byte| !is_base64(*byte)).unwrap_or(text.len());
        let (run, rest) = text.split_at(length);
        payload.extend(&run[..length.min(SHORTEST_KEY)]);
        if length < SHORTEST_LINE {
            break;
        }
        text = skip_separators(rest);
    }
    payload.len() >= SHORTEST_KEY && is_mixed(&payload)
}

/// `Proc-Type: 4,ENCRYPTED` and `DEK-Info:` of an encrypted key, `Version:` of a PGP key.
fn skip_headers(mut text: &[u8]) -> &[u8] {
    const LONGEST_NAME: usize = 16;
    const LONGEST_HEADER: usize = 200;
    loop {
        let name =
            text.iter().take(LONGEST_NAME).take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-');
        let name = name.count();
        if name == 0 || !text[name..].starts_with(b": ") {
            return text;
        }
        let end = text.iter().take(LONGEST_HEADER).position(|byte| matches!(byte, b'\n' | b'\r' | b'\\'));
        let Some(end) = end else { return text };
        text = skip_separators(&text[end..]);
    }
}

/// What may stand between two lines of a key: line ends, escaped line ends however often escaped, and
/// what ends one string literal or comment line and begins the next.
fn skip_separators(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            // `+` and `/` are base64 digits too, but not with a space or line end behind.
            [b'+' | b'/', b' ' | b'\n' | b'\r', rest @ ..] | [b'/', b'/', b' ', rest @ ..] => rest,
            [
                b' ' | b'\t' | b'\n' | b'\r' | b'\\' | b'"' | b'\'' | b'`' | b',' | b'#' | b'*' | b'|',
                rest @ ..,
            ] => rest,
            rest => return rest,
        }
    }
}

/// `t1.`, the claims and the signature, both in base64url.
fn find_iam_token(content: &[u8], at: usize) -> Option<Found> {
    const SHORTEST_CLAIMS: usize = 40;
    const SIGNATURE: usize = 86;
    if !begins_here(content, at) {
        return None;
    }
    let text = &content[at + 3..];
    let (claims, rest) = text.split_at(digits(text));
    let rest = rest.strip_prefix(b"=").unwrap_or(rest);
    let rest = rest.strip_prefix(b"=").unwrap_or(rest);
    let signature = rest.strip_prefix(b".")?;
    let is_token = claims.len() >= SHORTEST_CLAIMS && digits(signature) == SIGNATURE;
    is_token.then_some(Found { at, kind: IAM_TOKEN })
}

fn find_token(content: &[u8], at: usize, token: &Token) -> Option<Found> {
    if !begins_here(content, at) {
        return None;
    }
    let text = &content[at + token.prefix.len()..];
    let (body, rest) = text.split_at(digits(text));
    let is_token = token.length.contains(&body.len())
        && !matches!(rest.first(), Some(b'+' | b'/' | b'='))
        && is_random(body);
    is_token.then_some(Found { at, kind: token.kind })
}

/// Whether no longer word or base64 text runs into `at`.
fn begins_here(content: &[u8], at: usize) -> bool {
    match &content[..at] {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., last] => !is_digit(*last) && !matches!(last, b'+' | b'/' | b'.' | b'$'),
        [] => true,
    }
}

/// The base64url digits that `text` begins with, at most as many as any secret has.
fn digits(text: &[u8]) -> usize {
    const LONGEST: usize = 4 << 10;
    text.iter().take(LONGEST).take_while(|byte| is_digit(**byte)).count()
}

const fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Whether this could have come from a random generator: names and words repeat their letters and keep
/// to one case for longer.
fn is_random(text: &[u8]) -> bool {
    let changes = text.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    // Of 64 equally likely digits, nearly two of three are of another class than the one before.
    5 * changes >= 2 * text.len() && is_mixed(text)
}

/// Whether letters of both cases and numbers occur, and not the same few: `xxxx` is for the reader to
/// fill in.
fn is_mixed(text: &[u8]) -> bool {
    let (mut counts, mut seen) = ([0; 4], [false; 256]);
    for byte in text {
        counts[class(*byte)] += 1;
        seen[usize::from(*byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let [lower, upper, number, _] = counts;
    lower >= 4 && upper >= 4 && number >= 1 && distinct >= 16
}

const fn class(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    }
}

/// A Telegram bot's token: the bot's number, a colon and 35 digits.
fn is_bot_token(text: &str) -> bool {
    let Some((number, key)) = text.trim().split_once(':') else { return false };
    (8..=10).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && key.len() == 35
        && key.starts_with("AA")
        && key.bytes().all(is_digit)
}

/// `scheme://user:password@host`, unless the password is a placeholder.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let Some((userinfo, _)) = authority.rsplit_once('@') else { return false };
    userinfo
        .split_once(':')
        .is_some_and(|(_, password)| !password.is_empty() && !password.starts_with(['$', '<', '{', '*']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks random, is the same each time, and is nobody's.
    fn made_up(length: usize, alphabet: &[u8], seed: u64) -> String {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                char::from(alphabet[(state >> 40) as usize % alphabet.len()])
            })
            .collect()
    }

    fn base64(length: usize, seed: u64) -> String {
        made_up(length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", seed)
    }

    fn base64url(length: usize, seed: u64) -> String {
        made_up(length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", seed)
    }

    fn begin(label: &str) -> String {
        format!("-----BEGIN {label}-----")
    }

    /// A PEM file with `end` after each line.
    fn pem(label: &str, digits: usize, end: &str) -> String {
        let body = base64(digits, 7);
        let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("{}{end}{}{end}-----END {label}-----{end}", begin(label), lines.join(end))
    }

    fn iam_token() -> String {
        format!("t1.9eu{}.{}", base64url(180, 3), base64url(86, 4))
    }

    fn kind(content: &str) -> Option<&'static str> {
        find(content.as_bytes()).map(|found| found.kind)
    }

    fn on(path: &str, content: &str) -> Option<Box<Finding>> {
        judge(Window { path, content: content.as_bytes(), line: 1 })
    }

    #[test]
    fn private_keys_of_every_label_are_found() {
        for label in [
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "DSA PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        ] {
            for end in ["\n", "\r\n", "\\n", "\\r\\n", "\\\\n", " ", "\\n\" +\n    \"", "\\n',\n  '", "\n# "]
            {
                assert_eq!(kind(&pem(label, 1600, end)), Some(PRIVATE_KEY), "{label} {end:?}");
                assert_eq!(kind(&pem(label, 64, end)), Some(PRIVATE_KEY), "{label} {end:?}");
            }
        }
    }

    #[test]
    fn a_private_key_with_headers_is_found() {
        for headers in [
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n",
            "\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: DES-EDE3-CBC,0123456789ABCDEF\r\n\r\n",
            "\nVersion: GnuPG v2\nComment: made up\n\n",
        ] {
            let key = pem("RSA PRIVATE KEY", 800, "\n").replacen('\n', headers, 1);
            assert_eq!(kind(&key), Some(PRIVATE_KEY), "{headers:?}");
        }
    }

    #[test]
    fn programs_that_know_the_marker_are_not_keys() {
        let begin = begin("PRIVATE KEY");
        let rsa = self::begin("RSA PRIVATE KEY");
        for text in [
            format!("if (!key.includes('{begin}') && !key.includes('{rsa}')) throw new Error('not a key');"),
            format!(
                "const pem = `{begin}\\n${{derToBase64(privateKeyInformationOfTheAccount)}}\\n-----END`;"
            ),
            format!("_PEM_RE = re.compile(b\"{begin}.+?-----END PRIVATE KEY-----\", re.DOTALL)"),
            format!("{begin}\n...\n-----END PRIVATE KEY-----"),
            format!("{begin}\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC...\n-----END PRIVATE KEY-----"),
            format!("{begin}\n{}\n-----END PRIVATE KEY-----", "x".repeat(64)),
            format!("{begin}\0-----END PRIVATE KEY-----\0{}", base64(400, 5)),
            format!(
                "The file begins with {begin}, followed by the key and the closing line of the same label."
            ),
            format!("{begin}\\n\"+formatPrivateKeyMaterialForTheGivenAccount(x).match(/.{{1,64}}/g)"),
            "-----BEGIN PRIVATE KEY".to_owned(),
            begin.clone(),
            format!("-----BEGIN CERTIFICATE-----\n{}", base64(800, 5)),
            format!("-----BEGIN PUBLIC KEY-----\n{}", base64(800, 5)),
        ] {
            assert_eq!(kind(&text), None, "{text}");
        }
    }

    #[test]
    fn authorized_keys_are_found() {
        let key = pem("PRIVATE KEY", 1600, "\\n");
        let file = format!(
            "{{\n  \"id\": \"ajeabcdefghijklmnopq\",\n  \"service_account_id\": \"ajeabcdefghijklmnopq\",\n  \
             \"key_algorithm\": \"RSA_2048\",\n  \"private_key\": \"PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA \
             Key ID \\u003cajeabcdefghijklmnopq\\u003e\\n{key}\"\n}}\n"
        );
        let finding = on("key.json", &file).unwrap();
        assert_eq!(finding.rule.id, "FN0401");
        assert_eq!(finding.line, Some(5));
        assert_eq!(finding.message, format!("`key.json` looks like it holds {AUTHORIZED_KEY}"));
        let odd = r#"{"service_account_id": "aje", "private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n"}"#;
        assert_eq!(kind(odd), Some(AUTHORIZED_KEY));
        for placeholder in ["<PRIVATE KEY>", "", "-----BEGIN PRIVATE KEY-----\\n<your key>\\n"] {
            let file = format!(r#"{{"service_account_id": "aje", "private_key": "{placeholder}"}}"#);
            assert_eq!(kind(&file), None, "{file}");
        }
    }

    #[test]
    fn tokens_are_found_wherever_they_stand() {
        let tokens = [
            (IAM_TOKEN, iam_token()),
            (IAM_TOKEN, format!("t1.9eu{}==.{}", base64url(97, 8), base64url(86, 9))),
            ("an API key", format!("AQVN{}", base64url(36, 3))),
            ("a static access key", format!("YC{}", base64url(38, 11))),
            ("an OAuth token", format!("y0_AgAAAAA{}", base64url(48, 12))),
        ];
        for (expected, token) in &tokens {
            for text in [
                token.clone(),
                format!("TOKEN={token}\n"),
                format!("const token = \"{token}\";"),
                format!("{{'Authorization': 'Bearer {token}'}}"),
                format!("a\\n{token}\\n"),
                format!("тайна:{token}."),
            ] {
                assert_eq!(kind(&text), Some(*expected), "{text}");
            }
            // Within base64 it is chance.
            for text in [format!("x{token}"), format!("/{token}"), format!("+{token}")] {
                assert_eq!(kind(&text), None, "{text}");
            }
        }
    }

    #[test]
    fn made_up_tokens_are_rarely_missed() {
        let missed = |prefix: &str, length| {
            (1..=1000).filter(|seed| kind(&format!("{prefix}{}", base64url(length, *seed))).is_none()).count()
        };
        assert!(missed("AQVN", 36) < 20);
        assert!(missed("YC", 38) < 20);
        assert!(missed("y0_", 55) < 20);
    }

    #[test]
    fn what_only_resembles_a_token_is_none() {
        let digest = made_up(38, b"0123456789abcdef", 3);
        for text in [
            "var t1=1;t1.prototype.toString=function(){return t1.valueOf.call(this)};".to_owned(),
            format!("t1.{}.{}", "getValueOfProperty".repeat(4), "setValueOfProperty".repeat(5)),
            format!("t1.{}", iam_token().trim_start_matches("t1.").replace('.', "-")),
            "t1.9eu...".to_owned(),
            "t1.".to_owned(),
            format!("AQVN{}", "x".repeat(36)),
            format!("AQVN{}", base64url(90, 3)),
            "AQVN<your key>".to_owned(),
            "YCbCrConversionFormatPropertiesExtension1".chars().take(40).collect(),
            "YCBCR_420_8_PLANE_UNORM_3PACK_CONVERSION".to_owned(),
            format!("YC{digest}"),
            format!("YC{}=", base64url(38, 11)),
            "y0_x = y0_y".to_owned(),
            format!("\"integrity\": \"sha512-{}==\"", base64(86, 3)),
        ] {
            assert_eq!(kind(&text), None, "{text}");
        }
    }

    #[test]
    fn env_files_are_known_by_name() {
        for path in [".env", "a/.env", ".env.local", ".env.production", "a/b/.env.development.local", ".ENV"]
        {
            let finding = on(path, "").unwrap();
            assert_eq!((finding.path.as_deref(), finding.line), (Some(path), Some(1)));
        }
        for path in [
            ".env.example",
            ".env.sample",
            ".env.template",
            ".env.dist",
            ".env.local.example",
            "env",
            "a.env",
            ".envrc",
            ".environment.js",
            ".env/lib.js",
            "a/.environment",
        ] {
            assert!(on(path, "A=1\n").is_none(), "{path}");
        }
    }

    #[test]
    fn a_finding_names_the_line_and_both_ways_out_but_not_the_secret() {
        let token = iam_token();
        let content = format!("one\ntwo\n  token: {token}\n");
        let finding = judge(Window { path: "a/b.yaml", content: content.as_bytes(), line: 100 }).unwrap();
        assert_eq!(finding.line, Some(102));
        assert_eq!(finding.path.as_deref(), Some("a/b.yaml"));
        let fix = finding.fix.clone().unwrap();
        assert!(fix.contains("exclude = [\"/a/b.yaml\"]") && fix.contains("--allow-secret a/b.yaml"));
        assert!(!format!("{finding:?}").contains(&token[..12]));
    }

    #[test]
    fn environment_values_are_judged_too() {
        for text in [
            iam_token(),
            pem("PRIVATE KEY", 1600, "\n"),
            format!("12345678:AA{}", base64url(33, 3)),
            "postgres://app:hunter2@db.example/app?ssl=1".to_owned(),
        ] {
            assert!(looks_secret(&text), "{text}");
        }
        for text in [
            "",
            "production",
            "https://example.com/a:b@c",
            "postgres://app@db.example/app",
            "postgres://app:${PASSWORD}@db.example/app",
            "12345678:AA",
            "ajeabcdefghijklmnopq",
            "08:30:15",
        ] {
            assert!(!looks_secret(text), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(content: Vec<u8>, cut in 0_usize..400) {
            let _ = find(&content);
            let key = pem("EC PRIVATE KEY", 300, "\\n");
            let _ = find(&key.as_bytes()[..cut.min(key.len())]);
        }
    }
}
