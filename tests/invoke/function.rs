//! A function directory and an interpreter in, what `invoke` says of it out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::fnscaffold::{Run, fnscaffold, run};
use crate::nodes::nodes;
use crate::pythons::pythons;

pub struct Function {
    directory: TempDir,
    pub runtime: &'static str,
    pub interpreter: PathBuf,
    entrypoint: String,
    timeout: String,
    account: bool,
    variables: BTreeMap<String, String>,
    tables: String,
}

/// The same files for each Node.js that the tests run.
pub fn every_node(files: &[(&str, &str)]) -> Vec<Function> {
    nodes().into_iter().map(|node| Function::new(node.runtime, node.program, files)).collect()
}

pub fn every_python(files: &[(&str, &str)]) -> Vec<Function> {
    let runtime = |version: &str| match version {
        "3.11" => "python311",
        // The platform has no 3.13.
        "3.12" | "3.13" => "python312",
        _ => "python314",
    };
    let function = |python: &crate::pythons::Python| {
        Function::new(runtime(&python.version), python.program.clone(), files)
    };
    pythons().iter().map(function).collect()
}

/// Where dependencies are kept from run to run.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

impl Function {
    fn new(runtime: &'static str, interpreter: PathBuf, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("function")).unwrap();
        let function = Self {
            directory,
            runtime,
            interpreter,
            entrypoint: "index.main".to_owned(),
            timeout: "20s".to_owned(),
            account: false,
            variables: BTreeMap::new(),
            tables: String::new(),
        };
        for (name, text) in files {
            function.write(name, text);
        }
        function
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("function")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn entrypoint(&mut self, entrypoint: &str) -> &mut Self {
        self.entrypoint = entrypoint.to_owned();
        self
    }

    pub fn timeout(&mut self, timeout: &str) -> &mut Self {
        self.timeout = timeout.to_owned();
        self
    }

    pub fn account(&mut self) -> &mut Self {
        self.account = true;
        self
    }

    pub fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What function.toml says behind [version], as it is written.
    pub fn tables(&mut self, text: &str) -> &mut Self {
        self.tables = text.to_owned();
        self
    }

    /// A verb in the function's directory, with function.toml as it is meant now.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let account = if self.account { "service-account-id = 'ajeexampleaccount000'\n" } else { "" };
        let variables: Vec<_> =
            self.variables.iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
        let manifest = format!(
            "name = 'my-app'\n[version]\nruntime = '{}'\nentrypoint = '{}'\ntimeout = '{}'\n{account}environment = {{ {} }}\n{}",
            self.runtime,
            self.entrypoint,
            self.timeout,
            variables.join(", "),
            self.tables
        );
        self.write("function.toml", &manifest);
        let mut command = fnscaffold(&self.path(), arguments);
        command.env("FNSCAFFOLD_CACHE", cache());
        command.env("FNSCAFFOLD_INTERPRETER", &self.interpreter);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    /// `invoke`, with JSON unless another format is asked for.
    pub fn invoke(&self, arguments: &[&str]) -> Run {
        let format: &[&str] = if arguments.contains(&"--format") { &[] } else { &["--format", "json"] };
        self.run(&[&["invoke"], format, arguments].concat())
    }

    /// The one call of an `invoke` that succeeds.
    pub fn call(&self, arguments: &[&str]) -> Value {
        first_call(&self.invoke(arguments).expect(0))
    }

    /// The one call of an `invoke` that fails.
    pub fn fails(&self, arguments: &[&str]) -> Value {
        first_call(&self.invoke(arguments).expect(6))
    }

    /// The body of a call that succeeds, read as JSON, tokens shown.
    pub fn body(&self, arguments: &[&str]) -> Value {
        let answer = self.call(&[arguments, &["--show-token"]].concat());
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_else(|_| panic!("{answer}"))
    }
}

fn first_call(run: &Run) -> Value {
    let document: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stdout));
    document["calls"][0].clone()
}
