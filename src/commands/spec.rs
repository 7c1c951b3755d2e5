//! `spec`: the version for another consumer; two versions compared; a version of another tool taken over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::builder::{EnumValueParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::commands::allowing::AllowArgs;
use crate::commands::{Context, Output};
use crate::model::archive::Content;
use crate::model::finding::{self, Exit, Finding, Result, Severity};
use crate::model::manifest::{self, Lines, Manifest};
use crate::model::package::{DIST, judge_archive_size};
use crate::model::project::MANIFEST_SCHEMA;
use crate::model::rules;
use crate::model::settings::{DEFAULT_NAME, parse_runtime, suggest_name};
use crate::model::spec::difference::{Difference, differences};
use crate::model::spec::{self, Choices, Code, Consumer, Loss, Reading, Subject};
use crate::model::version::{self, VersionSpec};
use crate::outside::disk;
use crate::outside::judging::Judging;
use crate::outside::stage::Stage;
use crate::outside::terminal::{Format, harmless};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "What a format cannot carry is said on standard error; --json puts both into one JSON document.\nA file in the function directory is packed like any other, so write it beside: fnscaffold -C my-app spec --format terraform > main.tf"
)]
pub struct Spec {
    #[command(subcommand)]
    verb: Option<SpecVerb>,
    /// Who is to make the version
    // It stands in the place of the common flag.
    #[arg(
        id = "format",
        long = "format",
        value_name = "FORMAT",
        required = true,
        value_parser = EnumValueParser::<Consumer>::new().map(Output::For)
    )]
    consumer: Option<Output>,
    /// The function's id, for rest and yc
    #[arg(long, value_name = "ID", env = "FNSCAFFOLD_FUNCTION_ID", hide_env = true)]
    function_id: Option<String>,
    /// The folder's id, for yc, terraform and github
    #[arg(long, value_name = "ID", env = "FNSCAFFOLD_FOLDER_ID", hide_env = true)]
    folder_id: Option<String>,
    /// Embed the archive, for rest
    #[arg(long)]
    content: bool,
    /// The Object Storage bucket that the archive is uploaded to, for rest, yc, terraform and github
    #[arg(long, value_name = "BUCKET", env = "FNSCAFFOLD_BUCKET", hide_env = true)]
    bucket: Option<String>,
    /// The object in the bucket, for rest, yc and terraform
    #[arg(long, value_name = "NAME", env = "FNSCAFFOLD_OBJECT", hide_env = true)]
    object: Option<String>,
    /// A whole workflow that checks first, for github
    #[arg(long)]
    workflow: bool,
    #[command(flatten)]
    secrets: AllowArgs,
}

#[derive(Debug, Subcommand)]
enum SpecVerb {
    Diff(Diff),
    Import(Import),
}

/// Compare two versions, field by field; exit 1 when they differ
#[derive(Debug, Args)]
struct Diff {
    /// A function directory, function.toml, or a file in one of the formats
    a: PathBuf,
    /// The one to compare it with
    b: PathBuf,
    #[command(flatten)]
    reading: ReadingFlags,
}

/// Turn a version of another tool into function.toml
#[derive(Debug, Args)]
struct Import {
    /// JSON of the REST request, Terraform, serverless.yml, a GitHub workflow or a yc command; `-` is
    /// standard input
    file: PathBuf,
    /// The file to write instead of standard output
    #[arg(short, long, value_name = "FILE", env = "FNSCAFFOLD_OUTPUT", hide_env = true)]
    output: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingFlags,
}

#[derive(Debug, Args)]
struct ReadingFlags {
    /// The format of the files, where their names do not tell
    #[arg(long, value_enum, value_name = "FORMAT", env = "FNSCAFFOLD_FROM", hide_env = true)]
    from: Option<Consumer>,
    /// Which function is meant, where a file has several
    #[arg(long, value_name = "NAME", env = "FNSCAFFOLD_FUNCTION", hide_env = true)]
    function: Option<String>,
    // `spec` has its own --format, so the common one is said again.
    /// How results are written
    #[arg(
        id = "format",
        long = "format",
        value_name = "FORMAT",
        env = "FNSCAFFOLD_FORMAT",
        hide_env = true,
        default_value = "text",
        value_parser = EnumValueParser::<Format>::new().map(Output::Said)
    )]
    _format: Output,
}

impl Spec {
    pub fn run(self, context: &Context) -> Result<Exit> {
        match (&self.verb, self.consumer) {
            (Some(SpecVerb::Diff(diff)), _) => diff.run(context),
            (Some(SpecVerb::Import(import)), _) => import.run(context),
            (None, Some(Output::For(consumer))) => self.write(consumer, context),
            (None, _) => Err(finding::USAGE.finding("--format is missing")),
        }
    }

    fn write(&self, consumer: Consumer, context: &Context) -> Result<Exit> {
        let judging =
            Judging { directory: &context.directory, allow_secret: &self.secrets.allow_secret, load: None };
        if let Some(problem) =
            judging.judge()?.into_iter().find(|finding| finding.severity == Severity::Error)
        {
            return Err(problem);
        }
        let (manifest, lines) = disk::read_manifest(&context.directory)?;
        let standing = disk::read(&context.directory.join(DIST).join(version::FILE))?;
        let standing: VersionSpec = serde_json::from_slice(&standing).map_err(|error| {
            finding::VERSION_STALE.finding("version.json cannot be read").why(error.to_string())
        })?;
        let archive = context.directory.join(DIST).join(&standing.archive.file);
        let choices = Choices {
            function_id: self.function_id.clone(),
            folder_id: self.folder_id.clone(),
            content: if self.content { Some(disk::read(&archive)?) } else { None },
            bucket: self.bucket.clone(),
            object: self.object.clone(),
            workflow: self.workflow,
            vendored: consumer == Consumer::Github && is_vendored(context, &manifest, &standing)?,
        };
        let prefix = context.prefix();
        let subject =
            Subject { manifest: &manifest, archive: &standing.archive, prefix: &prefix, choices: &choices };
        let written = spec::write(consumer, &subject)?;
        let mut findings: Vec<_> =
            written.losses.iter().map(|loss| not_written(consumer, loss, &lines)).collect();
        if self.bucket.is_none() && consumer != Consumer::Serverless {
            findings.extend(judge_archive_size(
                &format!("{DIST}/{}", standing.archive.file),
                standing.archive.size,
            ));
        }
        let terminal = &context.terminal;
        if terminal.format != Format::Text {
            terminal.say_json(&json!({ "ok": true, "text": written.text, "findings": findings }))?;
            return Ok(Exit::Done);
        }
        findings.iter().for_each(|finding| terminal.warn(finding));
        if consumer == Consumer::Github {
            terminal.note(
                "it takes the secret YC_SA_JSON_CREDENTIALS, and without --folder-id the variable YC_FOLDER_ID",
            );
            if !self.workflow {
                terminal.note(&format!(
                    "dist/ must be there: `fnscaffold {}` before these steps makes the same bytes anew",
                    choices.pack()
                ));
            }
        }
        terminal.say_bytes(written.text.as_bytes())?;
        Ok(Exit::Done)
    }
}

/// What a fresh archive holds beyond the function directory are its dependencies.
fn is_vendored(context: &Context, manifest: &Manifest, standing: &VersionSpec) -> Result<bool> {
    let selection = disk::selection(&context.directory, manifest)?;
    let own = disk::collect(&context.directory, &selection)?.files;
    let own: BTreeSet<_> = own.iter().map(Content::path).collect();
    Ok(standing.archive.entries.iter().any(|entry| !own.contains(entry.path.as_str())))
}

impl Diff {
    fn run(&self, context: &Context) -> Result<Exit> {
        let a = self.reading.read(context, &self.a)?;
        let b = self.reading.read(context, &self.b)?;
        let found = differences(&a, &b);
        let terminal = &context.terminal;
        if terminal.format == Format::Text {
            say_differences(context, [&self.a, &self.b], &found)?;
        } else {
            terminal.say_json(&json!({ "ok": found.is_empty(), "differences": found }))?;
        }
        Ok(if found.is_empty() { Exit::Done } else { Exit::Findings })
    }
}

fn say_differences(context: &Context, names: [&Path; 2], found: &[Difference]) -> Result<()> {
    let terminal = &context.terminal;
    if found.is_empty() {
        terminal.note("they say the same");
        return Ok(());
    }
    let mut lines = vec![format!("--- {}", names[0].display()), format!("+++ {}", names[1].display())];
    for Difference { key, a, b } in found {
        lines.extend(a.as_ref().map(|value| format!("-{key} = {value}")));
        lines.extend(b.as_ref().map(|value| format!("+{key} = {value}")));
    }
    lines.iter().try_for_each(|line| terminal.say(&terminal.diff_line(&harmless(line))))
}

impl Import {
    fn run(&self, context: &Context) -> Result<Exit> {
        let reading = self.reading.read(context, &self.file)?;
        let name = reading.name.clone().unwrap_or_else(|| {
            let directory = disk::directory_name(&context.directory);
            directory.and_then(|name| suggest_name(&name)).unwrap_or_else(|| DEFAULT_NAME.to_owned())
        });
        let text = manifest::render(MANIFEST_SCHEMA, &spec::manifest(name, &reading));
        let file = self.file.display().to_string();
        let mut findings: Vec<_> = reading.losses.iter().map(|loss| not_read(&file, loss)).collect();
        let (manifest, lines) = manifest::parse(&text)?;
        findings.extend(rules::judge_manifest(&manifest, &lines));
        if let Some(output) = &self.output {
            write_new(context, &context.directory.join(output), &text)?;
        }
        let terminal = &context.terminal;
        if terminal.format != Format::Text {
            terminal.say_json(&json!({ "ok": true, "text": text, "findings": findings }))?;
            return Ok(Exit::Done);
        }
        findings.iter().for_each(|finding| terminal.warn(finding));
        match &self.output {
            None => terminal.say_bytes(text.as_bytes())?,
            Some(output) if context.dry_run => {
                terminal.note(&format!("{} would be written", output.display()));
            }
            Some(output) => terminal.say(&format!("{} written", output.display()))?,
        }
        Ok(Exit::Done)
    }
}

impl ReadingFlags {
    fn read(&self, context: &Context, path: &Path) -> Result<Reading> {
        if let Some(ours) = read_ours(&context.directory.join(path))? {
            return Ok(ours);
        }
        let text = disk::read_argument(&context.directory, path)?;
        let name = path.display().to_string();
        let consumer = self.from.or_else(|| spec::recognise(&name, &text)).ok_or_else(|| {
            finding::SPEC_UNREADABLE
                .finding(format!("`{name}` is in no format that is known"))
                .fix("say which it is with --from FORMAT")
                .at(&name)
        })?;
        let readings = spec::read(consumer, &text).map_err(|mut problem| {
            problem.message = format!("`{name}` cannot be read as {}: {}", consumer.title(), problem.message);
            problem.at(&name)
        })?;
        spec::choose(&name, readings, self.function.as_deref())
    }
}

/// A function directory, or its function.toml, with the checksum of the archive that stands in it.
fn read_ours(place: &Path) -> Result<Option<Reading>> {
    let is_manifest = place.extension().is_some_and(|extension| extension == "toml");
    let directory = if is_manifest { place.parent().unwrap_or(place) } else { place };
    let file = if is_manifest { place.to_owned() } else { place.join(manifest::FILE) };
    let Some((manifest, _)) = disk::manifest_at(&file)? else { return Ok(None) };
    let mut code = Code::default();
    if let Ok(runtime) = parse_runtime(&manifest.version.runtime) {
        let archive = directory.join(DIST).join(runtime.lang.archive_name());
        if disk::open_if_there(&archive)?.is_some() {
            code.sha256 = Some(disk::digest(&archive)?.1);
        }
    }
    Ok(Some(Reading {
        name: Some(manifest.name),
        label: None,
        version: manifest.version,
        code,
        losses: Vec::new(),
    }))
}

fn write_new(context: &Context, target: &Path, text: &str) -> Result<()> {
    let (false, Some(name)) = (target.is_dir(), target.file_name()) else {
        return Err(finding::EXISTS
            .finding(format!("`{}` is a directory", target.display()))
            .fix("name the file to write")
            .at(target.display().to_string()));
    };
    if !context.force && disk::read_if_there(target)?.is_some() {
        return Err(finding::EXISTS
            .finding(format!("`{}` exists", target.display()))
            .fix("take another name, or --force to write it anew")
            .at(target.display().to_string()));
    }
    if context.dry_run {
        return Ok(());
    }
    let stage = Stage::beside(target)?;
    stage.write(name, text.as_bytes())?;
    stage
        .merge_into(target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn not_written(consumer: Consumer, loss: &Loss, lines: &Lines) -> Box<Finding> {
    if consumer == Consumer::Rest {
        // The request carries all of function.toml. What it lacks, only flags say.
        return finding::SPEC_LOSS
            .finding(format!("{} lacks `{}`", consumer.title(), loss.key))
            .fix(loss.why.as_str());
    }
    let problem = finding::SPEC_LOSS
        .finding(format!("{} does not carry `{}`", consumer.title(), loss.key))
        .why(loss.why.as_str())
        .at(manifest::FILE);
    match lines.of(&format!("version.{}", loss.key)) {
        Some(line) => problem.line(line),
        None => problem,
    }
}

fn not_read(file: &str, loss: &Loss) -> Box<Finding> {
    finding::SPEC_LOSS.finding(format!("`{}` was not carried over", loss.key)).why(loss.why.as_str()).at(file)
}
