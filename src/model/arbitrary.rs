//! Versions for property tests: any that function.toml can hold, and any that `check` passes.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use crate::model::manifest::Version;
use crate::model::options::{
    AsyncInvocation, EphemeralDisk, LogLevel, LogOptions, MetadataOptions, Mount, MountMode, ObjectStorage,
    QueueTarget, Secret, Switch,
};
use crate::model::runtime::{Lang, RUNTIMES, Runtime};

/// What the fields of a version are made of.
#[derive(Clone)]
struct Parts {
    /// Free text: descriptions, values, prefixes, ARNs.
    text: BoxedStrategy<String>,
    id: BoxedStrategy<String>,
    variable: BoxedStrategy<String>,
    tag: BoxedStrategy<String>,
    mount_name: BoxedStrategy<String>,
    bucket: BoxedStrategy<String>,
    disk_size: BoxedStrategy<String>,
    block_size: BoxedStrategy<String>,
    retries: BoxedStrategy<i64>,
}

/// Any that function.toml can hold.
pub fn version() -> impl Strategy<Value = Version> {
    let text = any::<String>().boxed();
    let parts = Parts {
        text: text.clone(),
        id: text.clone(),
        variable: text.clone(),
        tag: text.clone(),
        mount_name: text.clone(),
        bucket: text.clone(),
        disk_size: text.clone(),
        block_size: text.clone(),
        retries: any::<i64>().boxed(),
    };
    let head = (vec(text, 4), of(any::<i64>()), of(any::<String>()));
    (head, tables(&parts)).prop_map(|((texts, concurrency, tmpfs_size), version)| Version {
        runtime: texts[0].clone(),
        entrypoint: texts[1].clone(),
        memory: texts[2].clone(),
        timeout: texts[3].clone(),
        concurrency,
        tmpfs_size,
        ..version
    })
}

/// Any that `check` passes without an error.
pub fn valid_version() -> impl Strategy<Value = Version> {
    let parts = Parts {
        // What no shell, no quotation and no interpolation of any format leaves alone.
        text: prop_oneof![
            "[ -~]{1,12}",
            "\\PC{1,12}",
            "[$%{}'\"\\\\,=:#\n\t -]{1,12}",
            Just("${a}%{if}$${b}".to_owned()),
            Just("yes".to_owned()),
            Just("1".to_owned()),
        ]
        .boxed(),
        id: "[a-z0-9]{20}".boxed(),
        variable: "V[a-zA-Z0-9_]{0,8}".boxed(),
        tag: "[a-z][-_0-9a-z]{0,8}".boxed(),
        mount_name: "[-_0-9a-zA-Z]{1,8}".boxed(),
        bucket: "[-.0-9a-zA-Z]{3,8}".boxed(),
        disk_size: (1..=100_u32).prop_map(|size| format!("{size}GB")).boxed(),
        block_size: (4..=128_u32).prop_map(|size| format!("{size}KB")).boxed(),
        retries: (0..=100_i64).boxed(),
    };
    let runtime = proptest::sample::select(RUNTIMES.iter().collect::<Vec<&Runtime>>());
    let head = (runtime, 1..=64_u64, 1..=3600_u32, of(0..=16_i64), any::<bool>());
    (head, "[a-z]{1,5}[.][a-z]{1,5}", tables(&parts)).prop_map(
        |((runtime, steps, timeout, concurrency, tmpfs), entrypoint, mut version)| {
            version.secrets.sort_by(|a, b| a.environment_variable.cmp(&b.environment_variable));
            version.secrets.dedup_by(|a, b| a.environment_variable == b.environment_variable);
            version.secrets.retain(|secret| !version.environment.contains_key(&secret.environment_variable));
            version.mounts.sort_by(|a, b| a.name.cmp(&b.name));
            version.mounts.dedup_by(|a, b| a.name == b.name);
            let mut disks = 0;
            version.mounts.retain(|mount| {
                disks += usize::from(mount.ephemeral_disk.is_some());
                mount.ephemeral_disk.is_none() || disks == 1
            });
            Version {
                runtime: runtime.id.to_owned(),
                entrypoint,
                memory: crate::model::settings::format_memory(steps << 27),
                timeout: format!("{timeout}s"),
                concurrency: concurrency.filter(|calls| runtime.lang == Lang::Nodejs || *calls < 2),
                tmpfs_size: (tmpfs && steps >= 8).then(|| format!("{}MB", steps * 96)),
                ..version
            }
        },
    )
}

fn tables(parts: &Parts) -> impl Strategy<Value = Version> + use<> {
    let Parts { text, id, variable, tag, .. } = parts.clone();
    let scalars = (
        of(id.clone()),
        btree_map(variable, text.clone(), 0..3),
        vec(tag, 0..3),
        of(text.clone()),
        of(id.clone()),
        btree_map("[a-z]{1,4}", id, 0..3),
    );
    let lists = (vec(secret(parts), 0..3), vec(mount(parts), 0..4));
    let options = (of(log_options(parts)), of(async_invocation(parts)), of((of(switch()), of(switch()))));
    (scalars, lists, options).prop_map(
        |(
            (service_account_id, environment, tags, description, network_id, named_service_accounts),
            (secrets, mounts),
            (log_options, async_invocation, metadata),
        )| Version {
            service_account_id,
            environment,
            tags,
            description,
            network_id,
            named_service_accounts,
            secrets,
            mounts,
            log_options,
            async_invocation,
            metadata_options: metadata.map(|(gce_http_endpoint, aws_v1_http_endpoint)| MetadataOptions {
                gce_http_endpoint,
                aws_v1_http_endpoint,
            }),
            ..Version::new("", "")
        },
    )
}

fn secret(parts: &Parts) -> impl Strategy<Value = Secret> + use<> {
    let Parts { text, id, variable, .. } = parts.clone();
    (id.clone(), of(id), text, variable).prop_map(|(id, version_id, key, environment_variable)| Secret {
        id,
        version_id,
        key,
        environment_variable,
    })
}

fn mount(parts: &Parts) -> impl Strategy<Value = Mount> + use<> {
    let Parts { text, mount_name, bucket, disk_size, block_size, .. } = parts.clone();
    let mode = of(proptest::sample::select(vec![MountMode::Ro, MountMode::Rw]));
    let storage =
        (bucket, of(text)).prop_map(|(bucket, prefix)| (Some(ObjectStorage { bucket, prefix }), None));
    let disk = (disk_size, of(block_size))
        .prop_map(|(size, block_size)| (None, Some(EphemeralDisk { size, block_size })));
    (mount_name, mode, prop_oneof![storage, disk]).prop_map(
        |(name, mode, (object_storage, ephemeral_disk))| Mount { name, mode, object_storage, ephemeral_disk },
    )
}

fn log_options(parts: &Parts) -> impl Strategy<Value = LogOptions> + use<> {
    let level = proptest::sample::select(vec![
        LogLevel::Trace,
        LogLevel::Debug,
        LogLevel::Info,
        LogLevel::Warn,
        LogLevel::Error,
        LogLevel::Fatal,
    ]);
    (any::<bool>(), of((any::<bool>(), parts.tag.clone())), of(level)).prop_map(
        |(disabled, destination, min_level)| {
            let (group_id, folder_id) = match destination {
                None => (None, None),
                Some((true, group)) => (Some(group), None),
                Some((false, folder)) => (None, Some(folder)),
            };
            LogOptions { disabled, group_id, folder_id, min_level }
        },
    )
}

fn async_invocation(parts: &Parts) -> impl Strategy<Value = AsyncInvocation> + use<> {
    let target = (parts.text.clone(), parts.id.clone())
        .prop_map(|(ymq_arn, service_account_id)| QueueTarget { ymq_arn, service_account_id });
    (parts.retries.clone(), of(parts.id.clone()), of(target.clone()), of(target)).prop_map(
        |(retries, service_account_id, success, failure)| AsyncInvocation {
            retries,
            service_account_id,
            success,
            failure,
        },
    )
}

fn switch() -> impl Strategy<Value = Switch> {
    proptest::sample::select(vec![Switch::Enabled, Switch::Disabled])
}
