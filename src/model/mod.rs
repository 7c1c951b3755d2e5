//! NOUNS: values and pure functions of values. No file, clock, environment, socket or terminal.

pub mod archive;
pub mod finding;
pub mod runtime;
