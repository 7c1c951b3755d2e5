//! What cargo does not see for itself.
use std::env;

#[expect(clippy::disallowed_methods, reason = "cargo says what it builds for in variables")]
fn main() {
    // A file added under `templates/` is embedded by the next build: rust-embed alone notices only edits
    // of files that it has already seen.
    println!("cargo::rerun-if-changed=templates");
    // At a fixed address nothing is relocated when the program starts, which takes a third of the time
    // that `--help` takes. Code of others runs in processes of their own.
    let target = |what| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if (target("OS"), target("ENV")) == ("linux".into(), "gnu".into())
        && !target("FEATURE").contains("crt-static")
    {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
