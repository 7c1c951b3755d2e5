//! A version in, its resource and the data that it refers to out.

use hcl::expr::{Object, ObjectKey, TemplateExpr, Traversal, Variable};
use hcl::format::{Format, Formatter};
use hcl::structure::BlockBuilder;
use hcl::{Attribute, Block, Body, Expression, Identifier};

use super::{ACCOUNT, FUNCTION, SECRET, layout};
use crate::model::finding::Result;
use crate::model::limits::{parse_block_size, parse_disk_size, parse_tmpfs_size};
use crate::model::manifest::Version;
use crate::model::options::{
    AsyncInvocation, LogOptions, MetadataOptions, Mount, MountMode, QueueTarget, Switch,
};
use crate::model::request::Request;
use crate::model::settings::{parse_memory, parse_timeout};
use crate::model::spec::{Loss, Subject, Written, lost};

/// # Errors
/// A value that is beyond the platform's limits.
pub fn write(subject: &Subject<'_>) -> Result<Written> {
    let version = subject.version();
    Request::of(version)?;
    let label = subject.manifest.name.replace('-', "_");
    let mut body = Body::builder();
    if let Some(id) = version.service_account_id.as_deref().filter(|id| !id.is_empty()) {
        body = body.add_block(data(ACCOUNT, &label, "service_account_id", id));
    }
    for secret in version.secrets.iter().filter(|secret| secret.version_id.is_none()) {
        body = body.add_block(data(
            SECRET,
            &secret_label(&secret.environment_variable),
            "secret_id",
            &secret.id,
        ));
    }
    let body = body.add_block(function(subject, &label)?).build();
    let mut formatter = Formatter::builder().compact_arrays(true).build(Vec::new());
    let text = body.format_string(&mut formatter).expect("a body always formats");
    let why = [
        ("description", "the provider's `description` is that of the function, not of the version"),
        ("named-service-accounts", "the provider has no argument for it"),
    ];
    let mut losses: Vec<Loss> = lost(version, &why.into());
    if version.concurrency == Some(0) {
        losses.retain(|loss| loss.key != "concurrency");
    }
    Ok(Written { text: layout::aligned(&text), losses })
}

/// A text as a template without interpolations. The markers of interpolations and directives are doubled
/// here: a run of dollar or percent signs before a brace stands for one less.
fn text(text: &str) -> Expression {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    TemplateExpr::QuotedString(out).into()
}

fn data(kind: &str, label: &str, key: &str, id: &str) -> Block {
    Block::builder("data").add_label(kind).add_label(label).add_attribute((key, text(id))).build()
}

/// The name of the data with a secret's current version.
fn secret_label(variable: &str) -> String {
    variable.to_ascii_lowercase()
}

fn identifier(name: &str) -> Identifier {
    Identifier::sanitized(name)
}

/// `data.KIND.LABEL`, to be continued.
fn reference(kind: &str, label: &str) -> hcl::expr::TraversalBuilder {
    Traversal::builder(Variable::unchecked("data")).attr(identifier(kind)).attr(identifier(label))
}

fn function(subject: &Subject<'_>, label: &str) -> Result<Block> {
    let version = subject.version();
    let mut block = Block::builder("resource").add_label(FUNCTION).add_label(label);
    let mut add = |attribute: Attribute| {
        block = std::mem::replace(&mut block, Block::builder("x")).add_attribute(attribute)
    };
    add(Attribute::new("name", text(&subject.manifest.name)));
    if let Some(id) = &subject.choices.folder_id {
        add(Attribute::new("folder_id", text(id)));
    }
    add(Attribute::new("user_hash", text(&subject.archive.sha256)));
    add(Attribute::new("runtime", text(&version.runtime)));
    add(Attribute::new("entrypoint", text(&version.entrypoint)));
    add(Attribute::new("memory", parse_memory(&version.memory)? >> 20));
    add(Attribute::new("execution_timeout", parse_timeout(&version.timeout)?.to_string()));
    if let Some(calls) = version.concurrency.filter(|calls| *calls != 0) {
        add(Attribute::new("concurrency", calls));
    }
    if let Some(size) = &version.tmpfs_size {
        add(Attribute::new("tmpfs_size", parse_tmpfs_size(size, parse_memory(&version.memory)?)? >> 20));
    }
    if version.service_account_id.as_ref().is_some_and(|id| !id.is_empty()) {
        let id = reference(ACCOUNT, label).attr("id").build();
        add(Attribute::new("service_account_id", id));
    }
    if !version.tags.is_empty() {
        add(Attribute::new("tags", version.tags.iter().map(|tag| text(tag)).collect::<Expression>()));
    }
    if !version.environment.is_empty() {
        add(Attribute::new("environment", environment(version)));
    }
    Ok(blocks(block, subject)?.build())
}

/// Names are written bare where they can be.
fn environment(version: &Version) -> Expression {
    let entries = version.environment.iter().map(|(name, value)| {
        let key = match Identifier::new(name.as_str()) {
            Ok(name) => ObjectKey::Identifier(name),
            Err(_) => ObjectKey::from(name.as_str()),
        };
        (key, text(value))
    });
    Expression::Object(entries.collect::<Object<_, _>>())
}

fn blocks(mut block: BlockBuilder, subject: &Subject<'_>) -> Result<BlockBuilder> {
    let version = subject.version();
    block = block.add_block(match subject.package() {
        Some((bucket, object)) => Block::builder("package")
            .add_attribute(("bucket_name", text(bucket)))
            .add_attribute(("object_name", text(object)))
            .add_attribute(("sha_256", text(&subject.archive.sha256)))
            .build(),
        None => {
            // Beside the module, wherever terraform is run.
            let path = format!("${{path.module}}/{}", subject.archive_path());
            Block::builder("content")
                .add_attribute(("zip_filename", Expression::from(TemplateExpr::from(path))))
                .build()
        }
    });
    for secret in &version.secrets {
        let version_id = match secret.version_id.as_deref() {
            Some(id) => text(id),
            None => reference(SECRET, &secret_label(&secret.environment_variable))
                .attr("current_version")
                .index(0)
                .attr("id")
                .build()
                .into(),
        };
        block = block.add_block(
            Block::builder("secrets")
                .add_attribute(("id", text(&secret.id)))
                .add_attribute(("version_id", version_id))
                .add_attribute(("key", text(&secret.key)))
                .add_attribute(("environment_variable", text(&secret.environment_variable)))
                .build(),
        );
    }
    for each in &version.mounts {
        block = block.add_block(mount(each)?);
    }
    if let Some(id) = version.network_id.as_deref().filter(|id| !id.is_empty()) {
        block =
            block.add_block(Block::builder("connectivity").add_attribute(("network_id", text(id))).build());
    }
    if let Some(options) = version.log_options.as_ref().filter(|options| **options != LogOptions::default()) {
        block = block.add_block(log_options(options));
    }
    if let Some(config) = &version.async_invocation {
        block = block.add_block(async_invocation(config));
    }
    if let Some(options) =
        version.metadata_options.as_ref().filter(|options| **options != MetadataOptions::default())
    {
        block = block.add_block(metadata_options(options));
    }
    Ok(block)
}

fn mount(mount: &Mount) -> Result<Block> {
    let mut block = Block::builder("mounts").add_attribute(("name", text(&mount.name)));
    if let Some(mode) = mount.mode {
        block = block.add_attribute(("mode", if mode == MountMode::Ro { "ro" } else { "rw" }));
    }
    if let Some(storage) = &mount.object_storage {
        let mut inner = Block::builder("object_storage").add_attribute(("bucket", text(&storage.bucket)));
        if let Some(prefix) = storage.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            inner = inner.add_attribute(("prefix", text(prefix)));
        }
        block = block.add_block(inner.build());
    }
    if let Some(disk) = &mount.ephemeral_disk {
        let size = parse_disk_size(&disk.size)? >> 30;
        let mut inner = Block::builder("ephemeral_disk").add_attribute(("size_gb", size));
        if let Some(size) = &disk.block_size {
            inner = inner.add_attribute(("block_size_kb", parse_block_size(size)? >> 10));
        }
        block = block.add_block(inner.build());
    }
    Ok(block.build())
}

fn log_options(options: &LogOptions) -> Block {
    let mut block = Block::builder("log_options");
    if options.disabled {
        block = block.add_attribute(("disabled", true));
    }
    if let Some(id) = &options.group_id {
        block = block.add_attribute(("log_group_id", text(id)));
    }
    if let Some(id) = &options.folder_id {
        block = block.add_attribute(("folder_id", text(id)));
    }
    if let Some(level) = options.min_level {
        block = block.add_attribute(("min_level", level.id().to_ascii_uppercase()));
    }
    block.build()
}

fn async_invocation(config: &AsyncInvocation) -> Block {
    let mut block = Block::builder("async_invocation").add_attribute(("retries_count", config.retries));
    if let Some(id) = config.service_account_id.as_deref().filter(|id| !id.is_empty()) {
        block = block.add_attribute(("service_account_id", text(id)));
    }
    let target = |name: &str, target: &QueueTarget| {
        Block::builder(name)
            .add_attribute(("arn", text(&target.ymq_arn)))
            .add_attribute(("service_account_id", text(&target.service_account_id)))
            .build()
    };
    if let Some(queue) = &config.success {
        block = block.add_block(target("ymq_success_target", queue));
    }
    if let Some(queue) = &config.failure {
        block = block.add_block(target("ymq_failure_target", queue));
    }
    block.build()
}

/// 0 is the platform's default, 1 on, 2 off.
fn metadata_options(options: &MetadataOptions) -> Block {
    let mut block = Block::builder("metadata_options");
    let pairs = [
        ("gce_http_endpoint", options.gce_http_endpoint),
        ("aws_v1_http_endpoint", options.aws_v1_http_endpoint),
    ];
    for (key, switch) in pairs {
        if let Some(switch) = switch {
            block = block.add_attribute((key, if switch == Switch::Enabled { 1 } else { 2 }));
        }
    }
    block.build()
}
