//! NOUNS: values and pure functions of values. No file, clock, environment, socket or terminal.

pub mod answers;
#[cfg(test)]
pub mod arbitrary;
pub mod archive;
pub mod calendar;
pub mod cloud;
pub mod digest;
pub mod event;
pub mod finding;
pub mod javascript;
pub mod junit;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod mode;
pub mod options;
pub mod package;
pub mod project;
pub mod python;
pub mod report;
pub mod request;
pub mod rules;
pub mod runtime;
pub mod sarif;
pub mod schema;
pub mod secret;
pub mod selection;
pub mod settings;
pub mod sources;
pub mod spec;
pub mod template;
pub mod tree_view;
pub mod variables;
pub mod vendor;
pub mod version;
pub mod wanted;
