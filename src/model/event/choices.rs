//! What the platform does where no source tells, and what is done here: one table, which the documentation
//! and `-v` print. Where two readings are possible, the stricter is taken: what works here works there.

use serde::Serialize;

/// One thing that is not known of the platform.
#[derive(Debug, Serialize)]
pub struct Choice {
    /// What comments in the code call it.
    pub id: &'static str,
    pub unknown: &'static str,
    pub here: &'static str,
    pub why: &'static str,
}

const fn choice(id: &'static str, unknown: &'static str, here: &'static str, why: &'static str) -> Choice {
    Choice { id, unknown, here, why }
}

pub const CHOICES: &[Choice] = &[
    // The request.
    choice(
        "integration-value",
        "what a value of `integration` other than raw and async, an empty one, or several of them do",
        "400; of several the last one counts",
        "a misspelt value is seen at once, not taken for the default",
    ),
    choice(
        "async-unconfigured",
        "what `integration=async` does where the version has no `[version.async-invocation]`",
        "400",
        "the documentation has asynchronous calls set up when a version is made",
    ),
    choice(
        "path-direct",
        "what a path does through `invoke --path`: the function's own address refuses any (400)",
        "`--path` stands for an API gateway with payload format 0.1 and fills `url` and `path`",
        "only a gateway passes a path on, so nothing works here that no deployment can give",
    ),
    choice(
        "query-malformed",
        "how `%` without two hexadecimal digits, bytes that are not UTF-8 and `;` in a query are read",
        "such a `%` and `;` stay as they are, other bytes become U+FFFD",
        "nothing is lost, and no sane client sends them",
    ),
    choice(
        "query-own",
        "whether the handler sees the query's `tag`",
        "it does",
        "a handler that has no use for it does not look",
    ),
    choice(
        "content-type-parameters",
        "how a body with `application/json; charset=utf-8`, or other capitals, is passed",
        "as base64 with `isBase64Encoded: true`; only exactly `application/json` is text",
        "the documentation names that value alone; a handler that heeds the flag works either way",
    ),
    choice(
        "content-type-empty",
        "`isBase64Encoded` of an empty body that is marked `application/json`",
        "false",
        "the flag was measured to follow the Content-Type, not the body",
    ),
    choice(
        "body-not-utf8",
        "how a body marked `application/json` is passed that is not UTF-8",
        "as text, with U+FFFD for what is not UTF-8",
        "the documentation promises text for this Content-Type, and JSON cannot hold other bytes",
    ),
    choice(
        "host",
        "`Host` of a call without a network address, as by `invoke`",
        "`functions.yandexcloud.net`; with `dev` what the client sent",
        "links that a handler builds from it lead to where it was called",
    ),
    choice(
        "own-header-sent",
        "what becomes of X-Request-Id, X-Trace-Id and X-Real-Remote-Address when the client sends them",
        "the platform's values replace them; to X-Forwarded-For the client's address is added",
        "a handler never takes a client's word for the platform's",
    ),
    choice(
        "authorization",
        "which Authorization headers the edge refuses (403 was seen for one that is not the platform's)",
        "it is removed and the call goes on",
        "the handler never sees it either way; who may call is a matter of roles, which are not here",
    ),
    choice(
        "too-large",
        "the text of 413, and what counts in a raw call",
        "the platform's own shape: errorCode, errorMessage, errorType; in a raw call the body's bytes count",
        "the limit and the status are documented; nobody should match the text",
    ),
    choice(
        "raw-body-python",
        "what a Python handler gets from a raw body that is not JSON",
        "the text itself; JSON is parsed",
        "the documentation says that the body is passed as it is, and JSON bodies arrive as dicts",
    ),
    // The answer.
    choice(
        "status-default",
        "`statusCode` when it is left out",
        "200",
        "the documentation's own debugging sample leaves it out",
    ),
    choice(
        "status-range",
        "what a `statusCode` outside 200 to 599, or a fraction, does",
        "502, ProxyIntegrationError",
        "HTTP has no final answer with it",
    ),
    choice(
        "unknown-keys",
        "what keys beside the five documented ones do, such as `code` or `statuscode`",
        "nothing: the status is 200",
        "samples of the documentation have such keys",
    ),
    choice(
        "body-object",
        "whether a `body` that is no string is serialised or refused",
        "502, ProxyIntegrationError",
        "the documentation requires a string; a serialised one works under both readings",
    ),
    choice(
        "null-value",
        "whether null counts as left out",
        "502, ProxyIntegrationError",
        "null is not of the documented type; leaving the key out works under both readings",
    ),
    choice(
        "no-result",
        "the answer over HTTP when the handler returns nothing (undefined, None)",
        "502, ProxyIntegrationError; with raw 200 and what the runtime sent",
        "nothing is not the documented structure",
    ),
    choice(
        "not-json",
        "how lone surrogates, NaN and repeated keys in a result are read",
        "502, ProxyIntegrationError",
        "none of them is JSON that every reader takes alike",
    ),
    choice(
        "base64-strict",
        "what `isBase64Encoded: true` with a body that is not base64 does",
        "502, ProxyIntegrationError; line ends and missing padding count as wrong too",
        "the standard encoders of both languages write what is accepted here",
    ),
    choice(
        "header-invalid",
        "what a header does whose name or value HTTP does not allow",
        "502, ProxyIntegrationError",
        "a line end in a value would let a client forge headers",
    ),
    choice(
        "header-spelt-twice",
        "which value counts when `headers` has a name in two spellings",
        "the last one",
        "a repeated assignment ends with the last value too",
    ),
    choice(
        "header-count",
        "how many headers an answer may have",
        "1,000, then 502, ProxyIntegrationError",
        "servers on the way allow far fewer",
    ),
    choice(
        "forbidden-header",
        "the error that Proxy-Authenticate, Transfer-Encoding and Via cause",
        "502, ProxyIntegrationError that names the header",
        "the documentation says that they are errors, and 502 is for answers of the wrong form",
    ),
    choice(
        "content-length",
        "whether a handler's Content-Length is kept",
        "the true length replaces it",
        "a wrong one would break the connection",
    ),
    choice(
        "content-type",
        "the Content-Type of an answer whose handler sets none",
        "none; the platform's own answers have `application/json`",
        "what needs one is found here",
    ),
    choice(
        "server",
        "whether the header `Server: Yandex-Cloud-Functions/1.0`, seen in 2023, is still sent",
        "it is not sent",
        "an answer from this machine should not say that it is the cloud's",
    ),
    choice(
        "malformed-marks",
        "whether `X-Function-Error: true` marks an answer of the wrong form or a timeout",
        "it does not; it marks raised errors and processes that ended",
        "the documentation ties the header to errors in the function's code",
    ),
    choice(
        "timeout-body",
        "the body of 504",
        "the platform's own shape with errorType FunctionTimeout",
        "the status is documented; nobody should match the text",
    ),
    choice(
        "death-body",
        "the body when the process exits, crashes or runs out of memory",
        "502 with errorType FunctionDied and a message that says how it ended",
        "the documentation has 502 for errors in code; nobody should match the text",
    ),
    choice(
        "async-body",
        "the headers and body of 202",
        "no body, the platform's headers",
        "the status is documented, and the result is not returned",
    ),
    choice(
        "async-afterwards",
        "when a failed asynchronous call is repeated, and what a queue gets of its result",
        "it is called once, and no queue gets anything",
        "the log shows what became of it; queues are in the cloud",
    ),
    // Round the call.
    choice(
        "token-absent-python",
        "`context.token` in Python without a service account",
        "None",
        "the documentation says that it has data only with one; truthiness tells under every reading",
    ),
    choice(
        "metadata-no-account",
        "the metadata service's answer for a token without a service account",
        "404",
        "the vendor's Go SDK reads 404 as `no service account`",
    ),
    choice(
        "metadata-tree",
        "what the metadata service has inside a function beside the token",
        "`/`, `/computeMetadata/v1/`, `instance/`, `service-accounts/` and `default/` with a made-up `email` \
         and no `scopes`; anything else, the AWS form too, is 404",
        "virtual machines are documented to have this tree, and google-auth asks for the account before its \
         token; code that needs only the token should ask only for it",
    ),
    choice(
        "metadata-no-flavor",
        "the metadata service's answer without `Metadata-Flavor: Google`",
        "403",
        "the service of this form elsewhere refuses, and every client should send the header",
    ),
    choice(
        "memory",
        "when a function is ended because its memory runs out, and how the answer says so",
        "on Linux, when the process itself holds more than the version's memory; 502 as for any death",
        "what the process shares with others is not its own; elsewhere nothing tells",
    ),
    choice(
        "instances",
        "when the platform starts a second instance for calls at the same time, and when it answers 429",
        "`dev` has one; calls beyond the version's concurrency wait, and the report says how long",
        "no more calls than there meet in one instance, and none is lost",
    ),
    choice(
        "pip",
        "pip's version and flags in the platform's build, and what a runtime has installed already",
        "the pip of the interpreter here; nothing counts as installed",
        "only what requirements.txt or the archive brings is certain to be there",
    ),
    choice(
        "file-count",
        "how many files an archive may have",
        "as many as ZIP allows",
        "size limits are met first",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_is_made_once_and_in_full() {
        let ids: std::collections::BTreeSet<_> = CHOICES.iter().map(|choice| choice.id).collect();
        assert_eq!(ids.len(), CHOICES.len());
        for choice in CHOICES {
            for text in [choice.id, choice.unknown, choice.here, choice.why] {
                assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{}", choice.id);
            }
        }
    }

    #[test]
    fn comments_name_choices_that_are_made() {
        let sources = [
            include_str!("http.rs"),
            include_str!("response.rs"),
            include_str!("envelope.rs"),
            include_str!("headers.rs"),
            include_str!("metadata.rs"),
        ];
        let mut named = 0;
        for line in sources.iter().flat_map(|source| source.lines()) {
            let Some((_, comment)) = line.split_once("// choice") else { continue };
            for id in comment.split('`').skip(1).step_by(2) {
                assert!(CHOICES.iter().any(|choice| choice.id == id), "{id}");
                named += 1;
            }
        }
        assert!(named >= 15, "{named}");
    }
}
