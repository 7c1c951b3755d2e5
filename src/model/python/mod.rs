//! A function's Python files in, findings and likely entry points out. Files are parsed, never run.

mod captures;
mod condition;
mod dependencies;
mod distributions;
mod entrypoint;
mod expression;
mod finder;
mod habits;
mod handlers;
mod imports;
mod misplaced;
mod modules;
mod requirement_lines;
mod requirements;
mod resolve;
mod scope;
mod signature;
mod source;
mod value;
mod vendored;

#[cfg(test)]
mod tests;

pub use dependencies::{is_preinstalled, judge_dependencies};
pub use entrypoint::judge_entrypoint;
pub use handlers::{handlers, likely_modules};
pub use requirements::basis;
