//! The JSON Schemas of function.toml and version.json, generated from their types.

use crate::model::manifest::Manifest;
use crate::model::version::VersionSpec;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemaName {
    /// Of function.toml
    Function,
    /// Of dist/version.json
    Version,
}

impl SchemaName {
    pub const ALL: [Self; 2] = [Self::Function, Self::Version];

    /// Its name in `dist/`, beside what it describes, so that editors find it without a network.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Function => "function.schema.json",
            Self::Version => "version.schema.json",
        }
    }
}

/// The schema's bytes: indented JSON with a line feed at the end.
pub fn json(name: SchemaName) -> Vec<u8> {
    let schema = match name {
        SchemaName::Function => schemars::schema_for!(Manifest),
        SchemaName::Version => schemars::schema_for!(VersionSpec),
    };
    let mut json = serde_json::to_vec_pretty(&schema).expect("a schema always serialises");
    json.push(b'\n');
    json
}
