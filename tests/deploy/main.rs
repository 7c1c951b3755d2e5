//! `deploy` and its sisters against a server that behaves as the cloud does, and misbehaves as networks do:
//! exit codes, how many versions there are, where the tags are, and that no secret is ever told.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

mod api;
#[path = "../common/fnscaffold.rs"]
mod common;
mod faults;
mod proxy;
mod scene;
mod server;
mod verbs;
