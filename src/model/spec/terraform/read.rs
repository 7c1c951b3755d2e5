//! A module in, the version of each `yandex_function` in it out. References to data of the same module
//! are followed; other expressions have no value here and are named.

use std::collections::BTreeMap;

use hcl::expr::{ObjectKey, TemplateExpr, Traversal, TraversalOperator};
use hcl::template::{Element, Template};
use hcl::{Block, Body, Expression, Structure};
use serde_json::{Map, Value, json};

use super::{ACCOUNT, FUNCTION, SECRET};
use crate::model::finding::{Finding, Result};
use crate::model::manifest::Version;
use crate::model::options::{
    AsyncInvocation, EphemeralDisk, LogOptions, MetadataOptions, Mount, MountMode, ObjectStorage,
    QueueTarget, Secret, Switch,
};
use crate::model::settings::format_memory;
use crate::model::spec::fields::Fields;
use crate::model::spec::rest::read_level;
use crate::model::spec::{Code, Reading, at_line, said, unreadable};

/// What stands for the current version of a secret.
const CURRENT: &str = "\u{0}current";

/// # Errors
/// [`crate::model::finding::SPEC_UNREADABLE`].
pub fn read(text: &str) -> Result<Vec<Reading>> {
    let body = hcl::parse(text).map_err(|error| not_hcl(&error))?;
    let data = Data::of(&body);
    let readings: Vec<_> = body
        .blocks()
        .filter(|block| block.identifier() == "resource" && label(block, 0) == FUNCTION)
        .map(|block| read_function(block, &data))
        .collect();
    if readings.is_empty() {
        return Err(unreadable(format!("it has no resource `{FUNCTION}`")));
    }
    Ok(readings)
}

/// Does not repeat the text, which may hold secrets.
fn not_hcl(error: &hcl::Error) -> Box<Finding> {
    let problem = unreadable("it is not HCL");
    let hcl::Error::Parse(error) = error else { return problem.why(error.to_string()) };
    at_line(problem.why(error.message()), error.location().line())
}

fn label(block: &Block, index: usize) -> &str {
    block.labels().get(index).map_or("", hcl::BlockLabel::as_str)
}

/// The ids that data of this module stand for, by `KIND.LABEL`.
struct Data(BTreeMap<String, String>);

impl Data {
    fn of(body: &Body) -> Self {
        let mut ids = BTreeMap::new();
        for block in body.blocks().filter(|block| block.identifier() == "data") {
            let key = match label(block, 0) {
                ACCOUNT => "service_account_id",
                SECRET => "secret_id",
                _ => continue,
            };
            let id = block.body().attributes().find(|attribute| attribute.key() == key);
            if let Some(Expression::String(id)) = id.map(hcl::Attribute::expr) {
                ids.insert(format!("{}.{}", label(block, 0), label(block, 1)), id.clone());
            }
        }
        Self(ids)
    }

    /// `data.KIND.LABEL.id`, `data.KIND.LABEL.current_version[0].id`.
    fn resolve(&self, traversal: &Traversal) -> Option<Value> {
        let Expression::Variable(root) = &traversal.expr else { return None };
        let mut path = Vec::new();
        for operator in &traversal.operators {
            match operator {
                TraversalOperator::GetAttr(name) => path.push(name.as_str()),
                TraversalOperator::Index(Expression::Number(index)) if index.as_u64() == Some(0) => {
                    path.push("0")
                }
                TraversalOperator::LegacyIndex(0) => path.push("0"),
                _ => return None,
            }
        }
        match (root.as_str(), path.as_slice()) {
            ("data", [kind, label, "id"]) => self.0.get(&format!("{kind}.{label}")).map(|id| json!(id)),
            ("data", [kind, label, "current_version", "0", "id"]) if *kind == SECRET => {
                self.0.get(&format!("{kind}.{label}")).map(|_| json!(CURRENT))
            }
            _ => None,
        }
    }

    /// The value of an expression, where it has one here. How deep expressions nest is bounded by the
    /// parser.
    fn value(&self, expression: &Expression) -> Option<Value> {
        match expression {
            Expression::Null => Some(Value::Null),
            Expression::Bool(flag) => Some(json!(flag)),
            Expression::Number(number) => serde_json::to_value(number).ok(),
            Expression::String(text) => Some(json!(text)),
            Expression::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Expression::Parenthesis(inner) => self.value(inner),
            Expression::TemplateExpr(template) => literal(template).map(Value::String),
            Expression::Traversal(traversal) => self.resolve(traversal),
            Expression::FuncCall(call) if call.name.name.as_str() == "tostring" && call.args.len() == 1 => {
                self.value(&call.args[0])
            }
            Expression::FuncCall(call) if call.name.name.as_str() == "toset" && call.args.len() == 1 => {
                self.value(&call.args[0])
            }
            _ => None,
        }
    }
}

/// A template without interpolations. `path.module` is where the function directory is.
fn literal(template: &TemplateExpr) -> Option<String> {
    let template = Template::from_expr(template).ok()?;
    let mut text = String::new();
    for element in template.elements() {
        match element {
            Element::Literal(part) => text.push_str(part),
            _ => return None,
        }
    }
    Some(text)
}

/// The body as a map: attributes by their keys, blocks as lists. What has no value here is lost.
fn fields_of(body: &Body, data: &Data, path: &str, lost: &mut Vec<(String, Value)>) -> Map<String, Value> {
    let mut map = Map::new();
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => {
                let key = attribute.key();
                match &attribute.expr {
                    Expression::Object(object) => {
                        let mut inner = Map::new();
                        for (name, value) in object {
                            let name = match name {
                                ObjectKey::Identifier(name) => name.to_string(),
                                ObjectKey::Expression(Expression::String(name)) => name.clone(),
                                other => {
                                    lost.push((format!("{path}{key}.{other}"), json!(value.to_string())));
                                    continue;
                                }
                            };
                            match data.value(value) {
                                Some(value) => drop(inner.insert(name, value)),
                                None => lost.push((format!("{path}{key}.{name}"), json!(value.to_string()))),
                            }
                        }
                        map.insert(key.to_owned(), Value::Object(inner));
                    }
                    expression => match data.value(expression) {
                        Some(value) => drop(map.insert(key.to_owned(), value)),
                        None => lost.push((format!("{path}{key}"), json!(expression.to_string()))),
                    },
                }
            }
            Structure::Block(block) => {
                let key = block.identifier();
                let index = map.get(key).and_then(Value::as_array).map_or(0, Vec::len);
                if key == "dynamic" {
                    lost.push((format!("{path}{}", label(block, 0)), Value::Null));
                    continue;
                }
                let inner = fields_of(block.body(), data, &format!("{path}{key}.{index}."), lost);
                if let Value::Array(items) = map.entry(key).or_insert_with(|| json!([])) {
                    items.push(Value::Object(inner));
                }
            }
        }
    }
    map
}

/// What Terraform itself reads, and where the function is.
const NOT_OF_THE_VERSION: [&str; 6] =
    ["folder_id", "depends_on", "lifecycle", "provider", "count", "for_each"];

fn read_function(block: &Block, data: &Data) -> Reading {
    let mut lost = Vec::new();
    let map = fields_of(block.body(), data, "", &mut lost);
    let mut fields = Fields::new(map);
    for place in NOT_OF_THE_VERSION {
        fields.take(place);
    }
    // How the provider knows that the code has changed: an expression says nothing here.
    lost.retain(|(key, _)| {
        !matches!(key.as_str(), "user_hash" | "content.0.zip_filename")
            && !NOT_OF_THE_VERSION.contains(&key.split('.').next().unwrap_or_default())
    });
    for (key, value) in lost {
        fields.lose(&key, "it is an expression whose value only Terraform knows", value);
    }
    let name = said(fields.text("name"));
    let hash = fields.text("user_hash").filter(|hash| hash.len() == 64);
    let mut code = Code { sha256: hash, ..Code::default() };
    fields.objects("content", |content| content.take("zip_filename"));
    fields.objects("package", |package| {
        code.bucket = said(package.text("bucket_name"));
        code.object = said(package.text("object_name"));
        if let Some(hash) = said(package.text("sha_256")) {
            code.sha256 = Some(hash);
        }
    });
    let version = read_version(&mut fields);
    Reading { name, label: Some(label(block, 1).to_owned()), version, code, losses: fields.finish() }
}

fn read_version(fields: &mut Fields) -> Version {
    let mut version = Version::new(
        fields.text("runtime").unwrap_or_default(),
        fields.text("entrypoint").unwrap_or_default(),
    );
    if let Some(memory) = megabytes(fields, "memory") {
        version.memory = memory;
    }
    if let Some(seconds) = fields.unsigned("execution_timeout") {
        version.timeout = format!("{seconds}s");
    }
    version.service_account_id = said(fields.text("service_account_id"));
    version.environment = fields.map("environment");
    version.tags = fields.texts("tags");
    version.concurrency = fields.integer("concurrency").filter(|calls| *calls != 0);
    version.tmpfs_size = megabytes(fields, "tmpfs_size").filter(|size| size != "0GB");
    version.network_id =
        fields.objects("connectivity", |block| said(block.text("network_id"))).pop().flatten();
    version.secrets = fields.objects("secrets", |secret| Secret {
        id: secret.text("id").unwrap_or_default(),
        version_id: said(secret.text("version_id")).filter(|id| id != CURRENT),
        key: secret.text("key").unwrap_or_default(),
        environment_variable: secret.text("environment_variable").unwrap_or_default(),
    });
    version.mounts = fields.objects("mounts", read_mount);
    version.mounts.extend(fields.objects("storage_mounts", |mount| Mount {
        name: mount.text("mount_point_name").unwrap_or_default(),
        mode: Some(if mount.flag("read_only") == Some(true) { MountMode::Ro } else { MountMode::Rw }),
        object_storage: Some(storage(mount)),
        ephemeral_disk: None,
    }));
    version.log_options = fields
        .objects("log_options", |options| LogOptions {
            disabled: options.flag("disabled").unwrap_or_default(),
            group_id: said(options.text("log_group_id")),
            folder_id: said(options.text("folder_id")),
            min_level: read_level(options, "min_level"),
        })
        .pop()
        .filter(|options| *options != LogOptions::default());
    version.async_invocation = fields.objects("async_invocation", read_async).pop();
    version.metadata_options = fields
        .objects("metadata_options", |options| MetadataOptions {
            gce_http_endpoint: read_switch(options, "gce_http_endpoint"),
            aws_v1_http_endpoint: read_switch(options, "aws_v1_http_endpoint"),
        })
        .pop()
        .filter(|options| *options != MetadataOptions::default());
    version
}

fn megabytes(fields: &mut Fields, key: &str) -> Option<String> {
    let number = fields.unsigned(key)?;
    let bytes = number.checked_mul(1 << 20);
    if bytes.is_none() {
        fields.lose(key, "it is too large", json!(number));
    }
    bytes.map(format_memory)
}

fn storage(fields: &mut Fields) -> ObjectStorage {
    ObjectStorage { bucket: fields.text("bucket").unwrap_or_default(), prefix: said(fields.text("prefix")) }
}

fn read_mount(fields: &mut Fields) -> Mount {
    Mount {
        name: fields.text("name").unwrap_or_default(),
        mode: fields.word("mode", |word| match word.to_ascii_lowercase().as_str() {
            "ro" => Some(MountMode::Ro),
            "rw" => Some(MountMode::Rw),
            _ => None,
        }),
        object_storage: fields.objects("object_storage", storage).pop(),
        ephemeral_disk: fields
            .objects("ephemeral_disk", |disk| EphemeralDisk {
                size: disk.unsigned("size_gb").map_or_else(String::new, |size| format!("{size}GB")),
                block_size: disk.unsigned("block_size_kb").map(|size| format!("{size}KB")),
            })
            .pop(),
    }
}

fn read_async(fields: &mut Fields) -> AsyncInvocation {
    let target = |target: &mut Fields| QueueTarget {
        ymq_arn: target.text("arn").unwrap_or_default(),
        service_account_id: target.text("service_account_id").unwrap_or_default(),
    };
    AsyncInvocation {
        retries: fields.integer("retries_count").unwrap_or_default(),
        service_account_id: said(fields.text("service_account_id")),
        success: fields.objects("ymq_success_target", target).pop(),
        failure: fields.objects("ymq_failure_target", target).pop(),
    }
}

fn read_switch(fields: &mut Fields, key: &str) -> Option<Switch> {
    fields
        .word(key, |word| match word {
            "0" => Some(None),
            "1" => Some(Some(Switch::Enabled)),
            "2" => Some(Some(Switch::Disabled)),
            _ => None,
        })
        .flatten()
}
