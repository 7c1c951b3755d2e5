//! The catalogue of everything that fnscaffold can find or fail on, and a finding: one entry of it
//! with the place, the reason and the way out. `check` collects findings; a verb that cannot go on
//! returns one as its error.

use std::fmt;

use serde::{Serialize, Serializer};

/// What the process ends with (the exit codes of the command line contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    Done = 0,
    Findings = 1,
    Usage = 2,
    Environment = 3,
    Refused = 4,
    Remote = 5,
    Function = 6,
    Interrupted = 130,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

impl Severity {
    pub const fn id(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One entry of the catalogue.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Never reused and never renumbered.
    pub id: &'static str,
    /// What it is called in SARIF and in lists.
    pub name: &'static str,
    pub severity: Severity,
    /// The exit code when a verb stops on it. `check` and `verify` end with 1 instead.
    #[serde(skip)]
    pub exit: Exit,
    /// What `fnscaffold explain` says: what it means and what to do.
    pub explain: &'static str,
}

/// A rule that applies, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    #[serde(rename = "code", serialize_with = "rule_id")]
    pub rule: &'static Rule,
    pub severity: Severity,
    /// What, in one lower-case line without a final stop.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The file or directory it is about, relative to the function directory where it is inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line in that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// What a step gives that may end the verb. Boxed: a finding is rare and large.
pub type Result<T> = std::result::Result<T, Box<Finding>>;

impl Rule {
    pub fn finding(&'static self, message: impl Into<String>) -> Box<Finding> {
        Box::new(Finding {
            rule: self,
            severity: self.severity,
            message: message.into(),
            why: None,
            fix: None,
            path: None,
            line: None,
        })
    }

    pub fn find(id: &str) -> Option<&'static Self> {
        RULES
            .iter()
            .copied()
            .find(|rule| rule.id.eq_ignore_ascii_case(id) || rule.name.eq_ignore_ascii_case(id))
    }
}

/// What the operating system said, and a way out where its kind shows one.
pub fn io(message: impl Into<String>, error: &std::io::Error) -> Box<Finding> {
    use std::io::ErrorKind;
    let problem = IO.finding(message).why(error.to_string());
    match error.kind() {
        ErrorKind::PermissionDenied => problem.fix("check the owner and the permissions of the path"),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => problem.fix("free some space and run it again"),
        ErrorKind::ReadOnlyFilesystem => problem.fix("work on a copy at a place that can be written"),
        ErrorKind::NotFound => problem.fix("check the path"),
        _ => problem,
    }
}

/// How a verb ends that findings stopped: where this machine was in the way, that is what it says.
pub fn exit_of(findings: &[Box<Finding>]) -> Exit {
    let mut errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    if errors.any(|error| error.rule.exit == Exit::Environment) { Exit::Environment } else { Exit::Findings }
}

/// The first of the names, and how many more there are.
pub fn few(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 10;
    let first: Vec<_> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

impl Finding {
    #[must_use]
    pub fn why(mut self: Box<Self>, why: impl Into<String>) -> Box<Self> {
        self.why = Some(why.into());
        self
    }

    #[must_use]
    pub fn fix(mut self: Box<Self>, fix: impl Into<String>) -> Box<Self> {
        self.fix = Some(fix.into());
        self
    }

    /// Says too how things stand in the cloud, where nothing can be taken back.
    #[must_use]
    pub fn as_things_stand(self: Box<Self>, standing: &str) -> Box<Self> {
        let why = self.why.clone().map(|why| why + "\n").unwrap_or_default();
        self.why(format!("{why}as things stand: {standing}"))
    }

    #[must_use]
    pub fn at(mut self: Box<Self>, path: impl Into<String>) -> Box<Self> {
        self.path = Some(path.into());
        self
    }

    #[must_use]
    pub fn line(mut self: Box<Self>, line: u32) -> Box<Self> {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

fn rule_id<S: Serializer>(rule: &&'static Rule, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(rule.id)
}

macro_rules! rules {
    ($($constant:ident $id:literal $name:literal $severity:ident $exit:ident $explain:literal)*) => {
        $(pub static $constant: Rule = Rule {
            id: $id,
            name: $name,
            severity: Severity::$severity,
            exit: Exit::$exit,
            explain: $explain,
        };)*
        pub static RULES: &[&Rule] = &[$(&$constant),*];
    };
}

rules! {
    // Usage and answers.
    USAGE "FN0101" "usage" Error Usage
        "The command line could not be read. The message names the argument; `fnscaffold VERB --help` lists what is allowed."
    ANSWERS_MISSING "FN0102" "answers-missing" Error Usage
        "A required answer was not given and nobody could be asked: standard input or standard error is no terminal, CI is set, or one of --yes, --no-input and --format json was given. Every missing answer is listed with its flag, its environment variable and the values that it takes. Answers are looked for in this order: flag, environment, --answers file, function.toml, default."
    ANSWER_INVALID "FN0103" "answer-invalid" Error Usage
        "A flag, an environment variable or an answers file gives a value that is not allowed. The message says where it came from and what is allowed."
    ANSWERS_UNREADABLE "FN0104" "answers-unreadable" Error Usage
        "The file given by --answers is not TOML or JSON with the known keys. `fnscaffold new ... --print-answers` writes one that is."
    UNKNOWN_NAME "FN0105" "unknown-name" Error Usage
        "No rule, template or schema has that name. `fnscaffold explain`, `fnscaffold templates list` and `fnscaffold schema --help` list what there is."
    INTERRUPTED "FN0106" "interrupted" Error Interrupted
        "The command was stopped by a signal or by the person at the prompt. What it had begun was taken back; what stood before stands."

    // The manifest.
    MANIFEST_MISSING "FN0201" "manifest-missing" Error Usage
        "The directory has no function.toml. `fnscaffold new` makes a function directory, `fnscaffold init` adopts code that is already there, and -C/--directory names another one."
    MANIFEST_SYNTAX "FN0202" "manifest-syntax" Error Findings
        "function.toml is not valid TOML, or a value has the wrong type. `fnscaffold schema function` prints the JSON Schema that editors use to check it."
    MANIFEST_UNKNOWN_KEY "FN0203" "manifest-unknown-key" Error Findings
        "function.toml has a key that fnscaffold does not know. Unknown keys are errors, so that a misspelt setting is not lost in silence; the message names the nearest known key."
    NAME_INVALID "FN0204" "name-invalid" Error Findings
        "A function's name has 3 to 63 characters: a lower-case Latin letter, then lower-case letters, digits or hyphens, with a letter or digit at the end."
    RUNTIME_UNKNOWN "FN0205" "runtime-unknown" Error Findings
        "The runtime is not in the platform's table for Node.js and Python. `fnscaffold runtimes` lists it."
    RUNTIME_UNSUPPORTED "FN0206" "runtime-unsupported" Warning Findings
        "The platform no longer supports this runtime: it gets no security fixes, and new versions may be refused one day (no dates are published). `fnscaffold runtimes` shows the supported ones; `new --runtime latest` takes the newest."
    MEMORY_INVALID "FN0207" "memory-invalid" Error Findings
        "Memory is 128MB to 8GB in steps of 128MB (1MB is 1048576 bytes, 1GB is 1024MB)."
    TIMEOUT_INVALID "FN0208" "timeout-invalid" Error Findings
        "The timeout is a whole number of seconds from 1s to 3600s. It covers the first initialisation of an instance too."
    TIMEOUT_LONG "FN0209" "timeout-long" Warning Findings
        "More than 600 seconds is allowed only for long-lived functions, a preview feature that the platform enables on request."
    ENVIRONMENT_INVALID "FN0210" "environment-invalid" Error Findings
        "Environment names are a Latin letter followed by Latin letters, digits or underscores; a value has at most 4096 characters; names and values together at most 4 KB."
    ENVIRONMENT_RESERVED "FN0211" "environment-reserved" Warning Findings
        "The platform sets this variable itself and it cannot be overridden: _HANDLER, AWS_LAMBDA_RUNTIME_API, LAMBDA_RUNTIME_DIR, LAMBDA_TASK_ROOT, PATH, LD_LIBRARY_PATH."
    TAG_INVALID "FN0212" "tag-invalid" Error Findings
        "A tag is a lower-case Latin letter followed by lower-case letters, digits, hyphens or underscores. `$latest` is set by the platform and is not accepted."
    SERVICE_ACCOUNT_MISSING "FN0213" "service-account-missing" Warning Findings
        "Without `service-account-id` the function gets no IAM token: `context.token` is empty and the metadata service gives none. Set it in [version] if the function needs a token."
    SERVICE_ACCOUNT_SHAPE "FN0214" "service-account-shape" Warning Findings
        "A service account's id is 20 lower-case letters and digits, such as `aje` and 17 more. A name is not an id: `yc iam service-account get NAME` shows the id."
    ENVIRONMENT_SECRET "FN0215" "environment-secret" Warning Findings
        "An environment value looks like a secret. Whoever may read the function's version can read it; keep secrets in Lockbox."
    PATTERN_INVALID "FN0216" "pattern-invalid" Error Findings
        "A pattern in [package] include or exclude, or in .fnignore, is not valid gitignore syntax."
    DESCRIPTION_LONG "FN0217" "description-long" Error Findings
        "The description of a version has at most 600 characters."
    CONCURRENCY_INVALID "FN0218" "concurrency-invalid" Error Findings
        "`concurrency` is how many calls one instance serves at the same time: at most 16, and one for Python, whose runtimes serve no more. Calls in the same instance share memory and time: one that times out ends the others."
    SECRET_REFERENCE_INVALID "FN0219" "secret-reference-invalid" Error Findings
        "An entry of [[version.secrets]] names the id of a Lockbox secret, a key in it and the variable that gets the value. The variable must not be set twice. Without `version-id` the secret's current version is taken."
    MOUNT_INVALID "FN0220" "mount-invalid" Error Findings
        "An entry of [[version.mounts]] has a name of its own (1 to 100 letters, digits, hyphens, underscores) and one target: `object-storage` with a bucket, or `ephemeral-disk` with a size of 1GB to 100GB in steps of 1GB and blocks of 4KB to 128KB. There is at most one disk. The function finds it under /function/storage/NAME."
    LOG_OPTIONS_INVALID "FN0221" "log-options-invalid" Error Findings
        "[version.log-options] sends the log to a log group (`group-id`) or to the default group of a folder (`folder-id`), not to both. An id is a letter followed by at most 63 letters, digits, hyphens, underscores and dots."
    ASYNC_INVALID "FN0222" "async-invalid" Error Findings
        "[version.async-invocation] repeats a failed call at most 100 times. A success or failure target names the queue's ARN and the service account that may write to it."
    TMPFS_INVALID "FN0223" "tmpfs-invalid" Error Findings
        "`tmpfs-size` puts /tmp into memory: 512MB to three quarters of `memory`, which is then at least 1GB. Without it /tmp is 512 MB of disk."
    ID_SHAPE "FN0224" "id-shape" Warning Findings
        "The platform's ids have 20 lower-case letters and digits. A name is not an id: `yc vpc network list`, `yc lockbox secret list` and their like show both."
    ENVIRONMENT_LATE "FN0225" "environment-late" Warning Findings
        "The interpreter reads this variable when it starts, and the platform starts preloaded runtimes (`fnscaffold runtimes --format json` shows them) before it knows the version's variables. With `X_YCF_NO_RUNTIME_POOL = \"1\"` in `environment`, or with `tmpfs-size`, the runtime starts as a regular one, whose first calls take longer. What the code needs can also be set in the code."

    // Entry point and sources.
    ENTRYPOINT_FORMAT "FN0301" "entrypoint-format" Error Findings
        "An entry point is the handler's file without its extension, a dot, and the name that the file exports: `index.main`. Node.js takes folders with slashes (`dist/index.handler`) and no other dot; Python's documentation says a file in the archive's root."
    ENTRYPOINT_FILE_MISSING "FN0302" "entrypoint-file-missing" Error Findings
        "The archive has no file that the entry point can mean. `fnscaffold pack --list` shows what is packed; include, exclude and .fnignore decide it."
    ENTRYPOINT_EXPORT_MISSING "FN0303" "entrypoint-export-missing" Error Findings
        "The handler's file is in the archive but exports no such name. The message lists the names it does export."
    ENTRYPOINT_NOT_CALLABLE "FN0304" "entrypoint-not-callable" Error Findings
        "The name exists but is not a function (or, in Python, not a callable object), so the platform cannot call it."
    SOURCE_SYNTAX "FN0305" "source-syntax" Error Findings
        "A source file that the entry point needs does not parse."
    ENTRYPOINT_UNKNOWN "FN0306" "entrypoint-unknown" Note Findings
        "Whether the export exists cannot be told without running the code (it is computed, or comes from a package). `fnscaffold check --load` imports it under the real interpreter."
    ENTRYPOINT_SIGNATURE "FN0307" "entrypoint-signature" Error Findings
        "The platform calls the handler with two arguments, event and context, and nothing else: there is no callback."
    ENTRYPOINT_NESTED "FN0308" "entrypoint-nested" Note Findings
        "The platform's documentation says that a Python handler is a file in the archive's root. Dotted packages are used in practice and resolve as Python's importlib would, but nothing promises it."
    SYNTAX_TOO_NEW "FN0309" "syntax-too-new" Error Findings
        "The file uses syntax that the runtime's interpreter does not have yet, or, as a warning, a global such as `fetch`, which Node.js has from version 18 on and a package may bring before."
    DEPENDENCY_UNDECLARED "FN0310" "dependency-undeclared" Error Findings
        "The code imports a package that is neither declared in package.json or requirements.txt nor vendored in the archive, and the runtime does not bring it, or a file or a name in it that the archive does not have. Declare the package, or vendor it with `fnscaffold pack --vendor`; correct the path or the name."
    PACKAGE_JSON_INVALID "FN0311" "package-json-invalid" Error Findings
        "The platform runs `npm ci` where the archive has a package-lock.json, otherwise `npm install`, and it would fail: package.json does not parse, names what npm cannot install (`workspace:`, `catalog:`, `link:`, a text that is no version range, tag or URL, a `file:` that is not in the archive), has a script that npm runs then with a program that only `devDependencies` bring, or package-lock.json does not parse or lacks a package that package.json names."
    REQUIREMENTS_INVALID "FN0312" "requirements-invalid" Error Findings
        "A line of requirements.txt is not one that pip understands, so the platform's pip install would fail."
    MODULE_SHADOWS "FN0313" "module-shadows" Warning Findings
        "A file in the archive's root has the name of a module of Python's standard library. The function's directory is searched first, so every import of that module gets this file."
    ESM_UNSUPPORTED "FN0314" "esm-unsupported" Error Findings
        "The platform loads the handler with require(): .mjs files are not found, and ES module syntax in a .js file needs \"type\": \"module\" in package.json and a runtime that can require ES modules (nodejs22), or a CommonJS bridge that imports it."
    TYPESCRIPT_NOT_BUILT "FN0315" "typescript-not-built" Error Findings
        "The platform does not compile TypeScript. Run the compiler before `fnscaffold pack`, and name the compiled file in the entry point."
    LOAD_FAILED "FN0316" "load-failed" Error Findings
        "The entry point could not be imported under the real interpreter from an unpacked copy of the archive. The interpreter's own message follows."
    DEPENDENCY_INCOMPATIBLE "FN0317" "dependency-incompatible" Error Findings
        "The code loads a package in a way that the declared version does not allow on this runtime: node-fetch 3 is an ES module and cannot be loaded with require() before nodejs22."
    LOAD_SKIPPED "FN0318" "load-skipped" Note Findings
        "The entry point could not be imported here because this machine lacks something the cloud would have. The message names it."
    ENTRYPOINT_NO_RESULT "FN0319" "entrypoint-no-result" Error Findings
        "A synchronous Node.js handler must return a value: `undefined` is answered with the error `Non-async entry point should provide a result`, also where the work goes on in callbacks. An `async` function may return nothing; a Promise that is returned is waited for."
    BUILD_LIMIT "FN0320" "build-limit" Warning Findings
        "The platform installs the dependencies when a version is made, within five minutes, with half a processor and 1 GB of memory, of which 700 MB hold what is written. What needs more makes no version. `fnscaffold pack --vendor` installs them here instead; then the limits of the archive count."

    // Archive and files.
    SECRET "FN0401" "secret" Error Refused
        "A file among the entries looks like a secret: a service-account key, a private key, an IAM token or an .env file. Everyone who can read the function's code could read it. Exclude the file, or, if it is none, overrule with --allow-secret PATH."
    PATH_UNSAFE "FN0402" "path-unsafe" Error Refused
        "A file's name cannot be stored so that it unpacks the same everywhere: it is not UTF-8, holds a backslash or a control character, or leaves its directory."
    LINK_ESCAPES "FN0403" "link-escapes" Error Refused
        "A symbolic link points outside the function directory. What it points to would be packed although it does not belong to the function. Copy the file in, or exclude the link."
    LINK_BROKEN "FN0404" "link-broken" Error Refused
        "A symbolic link points to nothing, or to a directory that contains the link itself. Remove or exclude it."
    SPECIAL_FILE "FN0405" "special-file" Error Refused
        "A socket, FIFO or device cannot be packed. Remove or exclude it."
    TOO_LARGE "FN0406" "too-large" Error Refused
        "The platform takes archives of at most 128 MB (134217728 bytes) that unpack to at most 680 MB (713031680 bytes)."
    NEEDS_BUCKET "FN0407" "needs-bucket" Warning Refused
        "Archives above 3,670,016 bytes cannot be uploaded directly: they go through an Object Storage bucket, up to 128 MB."
    ARCHIVE_UNREADABLE "FN0408" "archive-unreadable" Error Findings
        "The archive is not a ZIP file that every tool reads the same way. `fnscaffold pack` writes it anew."
    PACKAGE_EMPTY "FN0409" "package-empty" Error Refused
        "include, exclude and .fnignore leave no file to pack. `fnscaffold pack --list` shows the selection."
    FILE_CHANGED "FN0410" "file-changed" Error Environment
        "A file changed while it was read, so the archive would hold a state that never existed. Nothing was written; run the command again when the file is at rest."

    VENDOR_NOTHING "FN0411" "vendor-nothing" Note Findings
        "--vendor was given, but package.json or requirements.txt names no package, so the archive is as it would be without."

    // The machine.
    IO "FN0501" "io" Error Environment
        "The operating system refused to read or write a path. The message names the path and the system's reason."
    EXISTS "FN0502" "exists" Error Refused
        "What should be written stands there already. Nothing was changed. Take another name or -o DIR, or overwrite with --force."
    INTERPRETER_MISSING "FN0503" "interpreter-missing" Error Environment
        "The interpreter for this runtime is not on PATH. --interpreter PATH (or FNSCAFFOLD_INTERPRETER) names one."
    INSTALL_FAILED "FN0504" "install-failed" Error Environment
        "npm or pip could not install the function's dependencies. Its own last lines follow. The platform runs the same installation when a version is created."
    INTERPRETER_VERSION "FN0505" "interpreter-version" Warning Environment
        "The interpreter on this machine has another version than the runtime. What runs here may not run there."
    NOT_HERE "FN0506" "not-here" Warning Environment
        "The version has secrets from Lockbox or mounts, which are in the cloud. On this machine the secret of the variable API_KEY has the value of FNSCAFFOLD_SECRET_API_KEY, such as `FNSCAFFOLD_SECRET_API_KEY=... fnscaffold invoke`, or the one in a file that --env-file names, and no other; values of four characters and more are hidden in what is printed. Mounts are not here: the function finds nothing under /function/storage."
    ONLY_HERE "FN0507" "only-here" Warning Environment
        "A file that --env-file names gives the function variables that function.toml does not. The deployed function will not have them: name each under [version], in `environment` or, when it is a secret, in `secrets`."

    // dist/ against the sources.
    ARCHIVE_MISSING "FN0601" "archive-missing" Error Findings
        "The archive in dist/ does not exist. `fnscaffold pack` writes it."
    ARCHIVE_STALE "FN0602" "archive-stale" Error Findings
        "The archive in dist/ does not hold what the function directory holds now. `fnscaffold pack` rebuilds it."
    VERSION_MISSING "FN0603" "version-missing" Error Findings
        "dist/version.json does not exist. `fnscaffold pack` writes it together with the archive."
    VERSION_STALE "FN0604" "version-stale" Error Findings
        "dist/version.json does not match function.toml or the archive. `fnscaffold pack` writes all of them anew."
    NOT_REPRODUCED "FN0605" "not-reproduced" Error Findings
        "Rebuilding the archive in memory gives other bytes than dist/ holds. The message names the first entry that differs."
    SPEC_LOSS "FN0606" "spec-loss" Warning Findings
        "`spec` writes and reads versions in other formats, and not every format has a place for every setting. What the message names was not carried over: set it by hand where it belongs, or do without it."
    SPEC_UNREADABLE "FN0607" "spec-unreadable" Error Usage
        "The file is in none of the formats of `spec`, or has no function in it: JSON of the REST request, a yc command, Terraform, a GitHub workflow, serverless.yml. --from says which it is where its name does not tell."

    // The function.
    FUNCTION_FAILED "FN0701" "function-failed" Error Function
        "The function raised an error, answered something that the platform does not accept, or ended its process."
    FUNCTION_TIMEOUT "FN0702" "function-timeout" Error Function
        "The function did not answer within its timeout. The platform answers 504 and ends the instance, and with it every other call in it."
    EXPECTATION_UNMET "FN0703" "expectation-unmet" Error Function
        "The function answered, but not what --expect asks for. The message says which expectation is not met and what was found instead."

    // Templates.
    TEMPLATE_INVALID "FN0801" "template-invalid" Error Usage
        "A template does not have the layout of the built-in ones, uses an unknown variable, or cannot be rendered. `fnscaffold templates show NAME` prints a built-in one to compare."
    TEMPLATE_MISSING "FN0802" "template-missing" Error Usage
        "No template covers this language, mode and runtime. `fnscaffold templates list` shows which do."
    TEMPLATE_DRIFT "FN0803" "template-drift" Error Findings
        "What the templates render differs from what is on disk. `fnscaffold templates render --all -o DIR --force` writes it anew."
    TEMPLATE_TEST "FN0804" "template-test" Error Findings
        "A combination of template and runtime did not render, parse, pack, check or run. The message says which step failed."

    // The cloud.
    CLOUD_REFUSED "FN0901" "cloud-refused" Error Remote
        "The cloud understood the request and refused it: a missing role, a quota, a value that it does not take. Its own message, the request's id for its support, and the link to the build log, where it gave one, are shown. Nothing that was not reported as done was done."
    CLOUD_UNREACHABLE "FN0902" "cloud-unreachable" Error Remote
        "No whole answer came from the cloud, also after several attempts: no connection, a timeout, a connection that broke, or an answer that is not the API's, as a proxy gives. HTTPS_PROXY and NO_PROXY are honoured; --endpoint (YC_ENDPOINT) may point to the wrong server. The message says whether it is known what was done."
    VERSION_FAILED "FN0903" "version-failed" Error Remote
        "The cloud began to make the version and did not finish: the build failed, or the version did not become active. Tags stay where they were. The cloud's message and the link to the build log are shown."
    VERSION_PENDING "FN0904" "version-pending" Error Remote
        "The version was neither ready nor refused within --wait. The cloud may still finish it: `fnscaffold versions` shows its state, and the next `fnscaffold deploy` takes it up instead of making another. Tags stay where they were."
    CREDENTIALS_MISSING "FN0905" "credentials-missing" Error Usage
        "Nothing says who calls the cloud. Looked for, in this order: --token-file, --key-file, YC_IAM_TOKEN, YC_TOKEN, YC_SERVICE_ACCOUNT_KEY_FILE, the profile of yc in ~/.config/yandex-cloud/config.yaml, and the metadata service of a virtual machine. `YC_IAM_TOKEN=$(yc iam create-token)` is enough for a while; a service account's key lasts."
    CREDENTIALS_INVALID "FN0906" "credentials-invalid" Error Usage
        "A token, a service account's key or the profile of yc was found but cannot be used. A key is the JSON that `yc iam key create` writes, with id, service_account_id and private_key."
    SMOKE_FAILED "FN0907" "smoke-failed" Error Remote
        "The new version is active but did not answer the --smoke event as --expect asks. Tags stay where they were; only `$latest`, which the platform moves itself, is the new version."
    NOT_DEPLOYED "FN0908" "not-deployed" Error Remote
        "The cloud has no such function, version or tag, or no earlier version to go back to, or one that another tool made and that cannot be copied: a tag can be moved to it. `fnscaffold versions` lists what there is; `fnscaffold deploy` makes the function and a version."
    PUBLIC_TOKEN "FN0909" "public-token" Error Refused
        "The handler seems to answer with an IAM token: its code names the token, takes it from its context or the metadata service, or writes out its whole context. A public function would hand its service account's token to everyone on the internet. Make the handler answer something else; if it does already, or if that is truly wanted, add --yes."
    PUBLIC "FN0910" "public" Warning Refused
        "Everyone on the internet may call a public function, and pays nothing for it: you do. `fnscaffold public off` takes it back."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_names_unique() {
        assert!(RULES.is_sorted_by_key(|rule| rule.id));
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
    }

    #[test]
    fn every_rule_explains_itself_in_sentences() {
        for rule in RULES {
            assert!(rule.explain.ends_with('.'), "{}", rule.id);
            assert!(rule.explain.len() > 50, "{}", rule.id);
        }
    }
}
