//! A function directory beside a cloud, and the program run between them.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tempfile::TempDir;

use crate::common::{Run, fnscaffold, run};
use crate::server::{Server, TOKEN};

/// A key that was made for these tests and opens nothing.
pub const KEY: &str = include_str!("key.pem");

pub fn key_der() -> Vec<u8> {
    PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap().secret_der().to_vec()
}

/// As `yc iam key create` writes it, with its line before the PEM header.
pub fn key_json() -> String {
    let text = format!("PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <ajekey>\n{KEY}");
    json!({ "id": "ajekey", "service_account_id": "ajeaccount", "private_key": text }).to_string()
}

const SECRETS: [&str; 4] =
    [TOKEN, "exchanged-secret-of-the-test", "y0_oauth-secret-of-the-test", "BEGIN PRIVATE KEY"];

/// A packed function directory and a cloud.
pub struct Scene {
    pub server: Server,
    pub directory: TempDir,
    pub function: PathBuf,
}

impl Scene {
    /// The archive has about a kilobyte, and more when `noise` says so.
    pub fn new(tls: bool, noise: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let new = ["new", "--lang", "python", "--mode", "context", "--runtime", "python312"];
        let account = ["--service-account-id", "ajeaccount0000000000"];
        run(fnscaffold(directory.path(), &new).args(account).args(["--no-pack", "-q"])).expect(0);
        let function = directory.path().join("my-app");
        let manifest = fs::read_to_string(function.join("function.toml")).unwrap();
        let tagged: Vec<_> = manifest
            .lines()
            .filter(|line| !line.starts_with("tags"))
            .map(|line| if line == "[version]" { "[version]\ntags = [\"prod\"]" } else { line })
            .collect();
        fs::write(function.join("function.toml"), tagged.join("\n")).unwrap();
        if noise > 0 {
            let mut state = 1_u32;
            let bytes: Vec<u8> = (0..noise)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            fs::write(function.join("noise.bin"), bytes).unwrap();
        }
        let scene = Self { server: Server::start(tls), directory, function };
        scene.pack();
        scene
    }

    pub fn small() -> Self {
        Self::new(false, 0)
    }

    pub fn pack(&self) {
        run(&mut fnscaffold(&self.function, &["pack", "-q"])).expect(0);
    }

    /// Another content, so that there is something to deploy.
    pub fn edit(&self, text: &str) {
        let path = self.function.join("index.py");
        let code = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{code}\n# {text}\n")).unwrap();
        self.pack();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = fnscaffold(&self.function, arguments);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy().to_ascii_uppercase();
            if name.starts_with("YC_") || name.ends_with("_PROXY") || name.starts_with("SSL_CERT") {
                command.env_remove(name.to_lowercase()).env_remove(name);
            }
        }
        command
            .env("HOME", self.directory.path())
            .env("YC_ENDPOINT", &self.server.url)
            .env("YC_FOLDER_ID", "b1gfolder")
            .env("YC_IAM_TOKEN", TOKEN);
        if let Some(certificate) = &self.server.certificate {
            let path = self.directory.path().join("root.pem");
            fs::write(&path, certificate).unwrap();
            command.env("SSL_CERT_FILE", path);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        told(run(&mut self.command(arguments)))
    }

    pub fn versions(&self) -> usize {
        self.server.state().versions.len()
    }

    /// The version that has the tag.
    pub fn tagged(&self, tag: &str) -> Option<String> {
        self.server.state().tag(tag).map(str::to_owned)
    }

    /// One version, with all of its tags.
    pub fn expect_one(&self, run: &Run, what: &str) {
        assert_eq!(run.code, 0, "{what}: {run:?}");
        assert_eq!(self.versions(), 1, "{what}: {run:?}");
        assert!(self.tagged("prod").is_some(), "{what}");
        assert_eq!(self.tagged("prod"), self.tagged("$latest"), "{what}");
    }
}

/// Whatever is said, no secret is in it.
pub fn told(run: Run) -> Run {
    for secret in SECRETS {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run:?}");
    }
    run
}
