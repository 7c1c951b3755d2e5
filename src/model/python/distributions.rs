//! Names of imported modules in, the distributions that bring them out: what pip calls by other names.

/// Modules whose distributions have other names, with all that are known to bring them; the first is
/// the one to recommend. A dotted module is part of a namespace that several distributions share.
const MODULES: &[(&str, &[&str])] = &[
    ("Crypto", &["pycryptodome", "pycrypto"]),
    ("Cryptodome", &["pycryptodomex"]),
    ("Levenshtein", &["levenshtein", "python-levenshtein"]),
    ("MySQLdb", &["mysqlclient"]),
    ("OpenSSL", &["pyopenssl"]),
    ("PIL", &["pillow", "pillow-simd"]),
    ("_cffi_backend", &["cffi"]),
    ("_pytest", &["pytest"]),
    ("asyncpg", &["asyncpg"]),
    ("attr", &["attrs"]),
    ("bs4", &["beautifulsoup4", "bs4"]),
    ("bson", &["pymongo"]),
    ("clickhouse_driver", &["clickhouse-driver"]),
    (
        "cv2",
        &[
            "opencv-python-headless",
            "opencv-python",
            "opencv-contrib-python",
            "opencv-contrib-python-headless",
        ],
    ),
    ("dateutil", &["python-dateutil"]),
    ("discord", &["discord-py", "py-cord", "discord"]),
    ("dns", &["dnspython"]),
    ("docx", &["python-docx"]),
    ("dotenv", &["python-dotenv"]),
    ("faiss", &["faiss-cpu", "faiss-gpu"]),
    ("fitz", &["pymupdf"]),
    ("git", &["gitpython"]),
    ("google.api_core", &["google-api-core"]),
    ("google.auth", &["google-auth"]),
    ("google.cloud.bigquery", &["google-cloud-bigquery"]),
    ("google.cloud.firestore", &["google-cloud-firestore"]),
    ("google.cloud.storage", &["google-cloud-storage"]),
    ("google.genai", &["google-genai"]),
    ("google.generativeai", &["google-generativeai"]),
    ("google.oauth2", &["google-auth"]),
    ("google.protobuf", &["protobuf"]),
    ("google.rpc", &["googleapis-common-protos"]),
    ("google_auth_oauthlib", &["google-auth-oauthlib"]),
    ("googleapiclient", &["google-api-python-client"]),
    ("gridfs", &["pymongo"]),
    ("grpc", &["grpcio"]),
    ("grpc_health", &["grpcio-health-checking"]),
    ("grpc_status", &["grpcio-status"]),
    ("grpc_tools", &["grpcio-tools"]),
    ("jose", &["python-jose"]),
    ("jwt", &["pyjwt"]),
    ("ldap", &["python-ldap"]),
    ("linebot", &["line-bot-sdk"]),
    ("lxml", &["lxml"]),
    ("magic", &["python-magic"]),
    ("markdown", &["markdown"]),
    ("mpl_toolkits", &["matplotlib"]),
    ("multipart", &["python-multipart", "multipart"]),
    ("nacl", &["pynacl"]),
    ("odf", &["odfpy"]),
    ("pkg_resources", &["setuptools"]),
    ("pptx", &["python-pptx"]),
    ("psycopg2", &["psycopg2-binary", "psycopg2"]),
    ("pydantic_settings", &["pydantic-settings"]),
    ("pyrogram", &["pyrogram", "pyrofork", "kurigram"]),
    ("pythonjsonlogger", &["python-json-logger"]),
    ("requests_toolbelt", &["requests-toolbelt"]),
    ("rest_framework", &["djangorestframework"]),
    ("ruamel.yaml", &["ruamel-yaml"]),
    ("sentry_sdk", &["sentry-sdk"]),
    ("serial", &["pyserial"]),
    ("skimage", &["scikit-image"]),
    ("sklearn", &["scikit-learn"]),
    ("slugify", &["python-slugify"]),
    ("socks", &["pysocks"]),
    ("speechkit", &["yandex-speechkit", "speechkit"]),
    ("telebot", &["pytelegrambotapi"]),
    ("telegram", &["python-telegram-bot"]),
    ("usb", &["pyusb"]),
    ("vk_api", &["vk-api"]),
    ("websocket", &["websocket-client"]),
    ("win32api", &["pywin32"]),
    ("yaml", &["pyyaml"]),
    ("yandex.cloud", &["yandexcloud"]),
    ("yandex_cloud_ml_sdk", &["yandex-cloud-ml-sdk"]),
    ("yandexcloud", &["yandexcloud"]),
    ("ydb", &["ydb"]),
    ("zmq", &["pyzmq"]),
];

/// Modules that come with a distribution because it depends on what brings them.
const BRINGS: &[(&str, &[&str])] = &[
    ("aiobotocore", &["aiohttp", "botocore", "dateutil", "jmespath", "urllib3", "wrapt"]),
    (
        "aiogram",
        &[
            "aiofiles",
            "aiohttp",
            "certifi",
            "magic_filter",
            "multidict",
            "pydantic",
            "typing_extensions",
            "yarl",
        ],
    ),
    ("aiohttp", &["aiosignal", "attr", "frozenlist", "multidict", "yarl"]),
    ("boto3", &["botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"]),
    ("botocore", &["dateutil", "jmespath", "six", "urllib3"]),
    ("cryptography", &["_cffi_backend", "cffi"]),
    ("django", &["asgiref", "sqlparse"]),
    ("fastapi", &["anyio", "pydantic", "starlette", "typing_extensions"]),
    ("flask", &["blinker", "click", "itsdangerous", "jinja2", "markupsafe", "werkzeug"]),
    (
        "google-api-python-client",
        &[
            "google.api_core",
            "google.auth",
            "google.oauth2",
            "google.protobuf",
            "google_auth_httplib2",
            "httplib2",
            "requests",
            "uritemplate",
        ],
    ),
    ("google-auth", &["cachetools", "google.oauth2", "pyasn1", "pyasn1_modules", "rsa"]),
    (
        "google-cloud-storage",
        &["google.api_core", "google.auth", "google.cloud", "google.oauth2", "google.protobuf", "requests"],
    ),
    ("gspread", &["google.auth", "google.oauth2", "google_auth_oauthlib", "requests"]),
    ("httpx", &["anyio", "certifi", "h11", "httpcore", "idna", "sniffio"]),
    ("jinja2", &["markupsafe"]),
    ("langchain", &["langchain_core", "pydantic", "requests", "yaml"]),
    ("openai", &["anyio", "distro", "httpx", "pydantic", "sniffio", "tqdm", "typing_extensions"]),
    ("pandas", &["dateutil", "numpy", "pytz", "six"]),
    ("pydantic", &["annotated_types", "pydantic_core", "typing_extensions"]),
    ("pyopenssl", &["cryptography"]),
    ("pytelegrambotapi", &["certifi", "charset_normalizer", "idna", "requests", "urllib3"]),
    ("python-telegram-bot", &["anyio", "certifi", "h11", "httpcore", "httpx"]),
    ("requests", &["certifi", "chardet", "charset_normalizer", "idna", "urllib3"]),
    ("scikit-learn", &["joblib", "numpy", "scipy", "threadpoolctl"]),
    ("scipy", &["numpy"]),
    ("sentry-sdk", &["certifi", "urllib3"]),
    ("setuptools", &["_distutils_hack", "distutils"]),
    ("sqlalchemy", &["greenlet", "typing_extensions"]),
    ("starlette", &["anyio"]),
    ("vk-api", &["requests"]),
    ("yandex-cloud-ml-sdk", &["aiohttp", "google.protobuf", "grpc", "httpx", "yandex.cloud"]),
    (
        "yandexcloud",
        &[
            "cryptography",
            "google.api",
            "google.protobuf",
            "google.rpc",
            "grpc",
            "jwt",
            "requests",
            "six",
            "yandex.cloud",
        ],
    ),
    ("ydb", &["aiohttp", "google.protobuf", "packaging"]),
];

/// What the SDK leaves behind in runtimes where the platform preinstalls it. The documentation
/// promises the SDK alone; that its own requirements come with it is an inference.
pub const PREINSTALLED: [&str; 2] = ["yandexcloud", "requests"];

/// A distribution's name as pip compares it: `Foo_Bar.baz` is `foo-bar-baz`.
pub fn normalised(name: &str) -> String {
    let mut normalised = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if normalised.ends_with('-') => {}
            '-' | '_' | '.' => normalised.push('-'),
            _ => normalised.extend(c.to_lowercase()),
        }
    }
    normalised
}

/// Whether the (normalised) distribution brings a module of that dotted name, itself or by what it
/// depends on. Generous: a guess that could be right counts.
pub fn brings(distribution: &str, module: &str) -> bool {
    is_named_after(distribution, module)
        || candidates(module).is_some_and(|known| known.contains(&distribution))
        || BRINGS
            .iter()
            .filter(|(name, _)| *name == distribution)
            .flat_map(|(_, modules)| *modules)
            .any(|brought| covers(brought, module) || brings_by_itself(brought, module))
}

/// One step further: `boto3` brings `botocore`, which brings what it needs.
fn brings_by_itself(distribution_module: &str, module: &str) -> bool {
    let distribution = recommended(distribution_module);
    BRINGS
        .iter()
        .filter(|(name, _)| *name == distribution)
        .flat_map(|(_, modules)| *modules)
        .any(|brought| covers(brought, module))
}

fn covers(known: &str, module: &str) -> bool {
    module == known || module.strip_prefix(known).is_some_and(|rest| rest.starts_with('.'))
}

fn is_named_after(distribution: &str, module: &str) -> bool {
    let top = normalised(module.split('.').next().unwrap_or_default());
    let flat = |name: &str| name.replace('-', "");
    let bare = distribution
        .trim_start_matches("python-")
        .trim_start_matches("python3-")
        // Modules that left the standard library live on under these.
        .trim_start_matches("standard-")
        .trim_start_matches("legacy-")
        .trim_end_matches("-python")
        .trim_end_matches("-binary");
    flat(bare) == flat(&top)
        || flat(bare) == format!("py{}", flat(&top))
        // `opentelemetry-api` fills the namespace `opentelemetry`.
        || distribution.strip_prefix(top.as_str()).is_some_and(|rest| rest.starts_with('-'))
}

fn candidates(module: &str) -> Option<&'static [&'static str]> {
    MODULES
        .iter()
        .filter(|(known, _)| covers(known, module))
        .max_by_key(|(known, _)| known.len())
        .map(|(_, names)| *names)
}

/// The distribution to declare for a module.
pub fn recommended(module: &str) -> String {
    match candidates(module) {
        Some([first, ..]) => (*first).to_owned(),
        _ => normalised(module.split('.').next().unwrap_or_default()),
    }
}

/// The modules that a distribution is known to bring itself.
pub fn modules_of(distribution: &str) -> impl Iterator<Item = &'static str> {
    MODULES.iter().filter(move |(_, names)| names.contains(&distribution)).map(|(module, _)| *module)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_normalised() {
        assert!(MODULES.is_sorted_by_key(|(module, _)| module));
        assert!(BRINGS.is_sorted_by_key(|(name, _)| name));
        let names = MODULES.iter().flat_map(|(_, names)| *names).chain(BRINGS.iter().map(|(name, _)| name));
        for name in names {
            assert_eq!(*name, normalised(name));
        }
    }

    #[test]
    fn distributions_bring_modules() {
        for (distribution, module) in [
            ("pyyaml", "yaml"),
            ("pillow", "PIL.Image"),
            ("opencv-python", "cv2"),
            ("requests", "requests.adapters"),
            ("requests", "urllib3.util"),
            ("boto3", "botocore.exceptions"),
            ("boto3", "dateutil.parser"),
            ("psycopg2-binary", "psycopg2"),
            ("yandexcloud", "yandex.cloud.compute.v1"),
            ("yandexcloud", "grpc"),
            ("gspread", "rsa"),
            ("google-cloud-storage", "google.cloud.storage"),
            ("opentelemetry-api", "opentelemetry.trace"),
            ("pymysql", "pymysql.cursors"),
            ("python-jose", "jose"),
            ("setuptools", "distutils.util"),
            ("legacy-cgi", "cgi"),
            ("line-bot-sdk", "linebot.models"),
            ("pymongo", "bson.objectid"),
        ] {
            assert!(brings(distribution, module), "{distribution} {module}");
        }
        for (distribution, module) in [
            ("requests", "yaml"),
            ("google-cloud-storage", "googleapiclient"),
            ("flask", "boto3"),
            ("protobuf", "google.auth"),
        ] {
            assert!(!brings(distribution, module), "{distribution} {module}");
        }
        assert_eq!(recommended("google.cloud.storage.blob"), "google-cloud-storage");
        assert_eq!(recommended("some_thing.x"), "some-thing");
    }
}
