//! The table of Node.js's own modules.

/// What `require` gives without any package: the name, and since which version with or without the
/// `node:` prefix. From the documentation of Node.js 22; names with a path are listed by their first
/// part. Those that exist only with the prefix are in [`PREFIXED`].
const BUILTINS: &[&str] = &[
    "_http_agent",
    "_http_client",
    "_http_common",
    "_http_incoming",
    "_http_outgoing",
    "_http_server",
    "_stream_duplex",
    "_stream_passthrough",
    "_stream_readable",
    "_stream_transform",
    "_stream_wrap",
    "_stream_writable",
    "_tls_common",
    "_tls_wrap",
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// Modules that need the prefix, and the first `(major, minor)` that has each.
const PREFIXED: &[(&str, (u32, u32))] = &[("sea", (20, 12)), ("sqlite", (22, 5)), ("test", (18, 0))];

/// The first version whose `require` knows the prefix at all.
const PREFIX_SINCE: (u32, u32) = (14, 18);

/// Whether a specifier without a prefix is one of Node.js's own modules: those hide packages.
pub fn is_builtin(package: &str) -> bool {
    BUILTINS.contains(&package)
}

/// The first version that has `node:name`; nothing if none does.
pub fn prefixed_since(name: &str) -> Option<(u32, u32)> {
    let first = name.split('/').next().unwrap_or(name);
    let prefixed = PREFIXED.iter().find(|(prefixed, _)| *prefixed == first).map(|(_, since)| *since);
    prefixed.or_else(|| is_builtin(first).then_some(PREFIX_SINCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_found_with_and_without_the_prefix() {
        assert!(is_builtin("fs") && !is_builtin("sqlite") && !is_builtin("lodash"));
        assert_eq!(prefixed_since("fs/promises"), Some((14, 18)));
        assert_eq!(prefixed_since("test/reporters"), Some((18, 0)));
        assert_eq!(prefixed_since("lodash"), None);
        assert!(BUILTINS.is_sorted());
    }
}
