//! The JSON Schemas of function.toml and version.json, generated from their types.

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

/// The schema's bytes: indented JSON with a line feed at the end. A test generates them from the types,
/// so that no run of the program has to.
pub const fn json(name: SchemaName) -> &'static [u8] {
    match name {
        SchemaName::Function => include_bytes!("function.schema.json"),
        SchemaName::Version => include_bytes!("version.schema.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Manifest;
    use crate::model::version::VersionSpec;

    /// With SNAPSHOTS=overwrite the files are written anew.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the files are this crate's own")]
    fn the_schemas_are_those_of_the_types() {
        for name in SchemaName::ALL {
            let schema = match name {
                SchemaName::Function => schemars::schema_for!(Manifest),
                SchemaName::Version => schemars::schema_for!(VersionSpec),
            };
            let mut generated = serde_json::to_vec_pretty(&schema).unwrap();
            generated.push(b'\n');
            if std::env::var("SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
                let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/model/schema");
                std::fs::write(format!("{directory}/{}", name.file()), &generated).unwrap();
            } else {
                assert!(generated == json(name), "{}: run this test with SNAPSHOTS=overwrite", name.file());
            }
        }
    }
}
