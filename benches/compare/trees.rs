//! The trees that are packed: made once below target/, of packages at pinned versions.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use walkdir::WalkDir;

use crate::packages::must;
use crate::peers::FNSCAFFOLD;

const NODE: &[&str] = &[
    "@aws-sdk/client-dynamodb@3.1169.0",
    "@aws-sdk/client-ec2@3.1169.0",
    "@aws-sdk/client-s3@3.1175.0",
    "aws-sdk@2.1693.0",
    "date-fns@4.4.0",
    "eslint@9.39.5",
    "lodash@4.18.1",
    "typescript@5.9.3",
    "webpack@5.112.2",
];

const PYTHON: &[&str] = &["numpy==2.4.6", "boto3==1.44.8", "yandexcloud==0.413.0"];

const MANIFEST: &str = "function.toml";

/// A function directory.
pub struct Tree {
    pub name: String,
    pub directory: PathBuf,
    runtime: &'static str,
}

pub fn node(place: &Path) -> Tree {
    let tree = Tree::new(place, "node", "nodejs22");
    if tree.is_new() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        must(npm.arg(&tree.directory).args(NODE).current_dir(&tree.directory));
        tree.finish();
    }
    tree.named("node_modules")
}

pub fn python(place: &Path) -> Tree {
    let tree = Tree::new(place, "python", "python312");
    if tree.is_new() {
        let mut pip = Command::new("python3");
        must(
            pip.args(["-m", "pip", "install", "-q", "--no-compile", "--target"])
                .arg(&tree.directory)
                .args(PYTHON),
        );
        tree.finish();
    }
    tree.named("vendored Python packages")
}

/// `count` small files.
pub fn small(place: &Path, count: usize) -> Tree {
    let tree = Tree::new(place, &format!("small-{count}"), "nodejs22");
    if tree.is_new() {
        for number in 0..count {
            let directory = tree.directory.join(format!("m{}", number / 100));
            fs::create_dir_all(&directory).unwrap();
            let text = format!("module.exports = {number};\n").repeat(number % 40 + 1);
            fs::write(directory.join(format!("f{number}.js")), text).unwrap();
        }
        tree.finish();
    }
    tree.named(&format!("{count} small files"))
}

impl Tree {
    fn new(place: &Path, name: &str, runtime: &'static str) -> Self {
        let directory = place.join("trees").join(name);
        fs::create_dir_all(&directory).unwrap();
        Self { name: name.to_owned(), directory, runtime }
    }

    /// The manifest is the last file that is written.
    fn is_new(&self) -> bool {
        !self.aside().exists() && !self.directory.join(MANIFEST).exists()
    }

    fn aside(&self) -> PathBuf {
        self.directory.with_extension("toml")
    }

    /// Takes away what fnscaffold would leave out, so that all pack the same files.
    fn finish(&self) {
        let manifest = format!(
            "name = \"compare\"\n[version]\nruntime = \"{}\"\nentrypoint = \"index.main\"\n",
            self.runtime
        );
        fs::write(self.directory.join(MANIFEST), manifest).unwrap();
        let listed = Command::new(FNSCAFFOLD)
            .args(["pack", "--list", "--format", "json"])
            .current_dir(&self.directory)
            .output();
        let json: serde_json::Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
        for left_out in json["leftOut"].as_array().unwrap() {
            let path = self.directory.join(left_out["path"].as_str().unwrap());
            if path.file_name().is_some_and(|name| name != MANIFEST) {
                let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
        }
    }

    /// With its size, as it is today: what the named packages depend on is not pinned.
    fn named(self, what: &str) -> Self {
        self.dress(true);
        let sizes: Vec<_> = self.files().map(|path| fs::metadata(path).unwrap().len()).collect();
        let name =
            format!("pack {what}: {} files, {:.1} MB", sizes.len(), sizes.iter().sum::<u64>() as f64 / 1e6);
        Self { name: if what.ends_with("small files") { format!("pack {what}") } else { name }, ..self }
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> + use<> {
        let files = WalkDir::new(&self.directory).into_iter().map(Result::unwrap);
        files
            .filter(|entry| entry.file_type().is_file() && entry.file_name() != MANIFEST)
            .map(walkdir::DirEntry::into_path)
    }

    pub fn touch(&self) {
        let now = SystemTime::now();
        for path in self.files() {
            File::options().append(true).open(path).unwrap().set_modified(now).unwrap();
        }
    }

    /// fnscaffold wants a manifest, the others should not pack it, nor its `dist/`.
    pub fn dress(&self, wants_manifest: bool) {
        let (inside, aside) = (self.directory.join(MANIFEST), self.aside());
        let _ = if wants_manifest { fs::rename(aside, inside) } else { fs::rename(inside, aside) };
        let _ = fs::remove_dir_all(self.directory.join("dist"));
    }

    /// What fnscaffold has written.
    pub fn archive(&self) -> PathBuf {
        let name = if self.runtime.starts_with("node") { "index-js.zip" } else { "index-py.zip" };
        self.directory.join("dist").join(name)
    }
}
