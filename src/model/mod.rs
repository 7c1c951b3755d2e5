//! NOUNS: values and pure functions of values. No file, clock, environment, socket or terminal.

pub mod answers;
pub mod archive;
pub mod finding;
pub mod manifest;
pub mod package;
pub mod project;
pub mod runtime;
pub mod schema;
pub mod selection;
pub mod settings;
pub mod sources;
pub mod tree_view;
pub mod version;
