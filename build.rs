//! A file added under `templates/` is embedded by the next build: rust-embed alone notices only
//! edits of files that it has already seen.
fn main() {
    println!("cargo::rerun-if-changed=templates");
}
