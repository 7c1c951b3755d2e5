//! Handlers and requirements as people write them in, verdicts out.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::model::finding::{Finding, Severity};
use crate::model::python::{handlers, judge_dependencies, judge_entrypoint};
use crate::model::runtime::Runtime;

type Files = BTreeMap<String, Vec<u8>>;

fn files(files: &[(&str, &str)]) -> Files {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// The names of the rules that apply, with `?` after a warning.
fn names(findings: &[Box<Finding>]) -> Vec<String> {
    let mark = |finding: &Finding| match finding.severity {
        Severity::Warning if finding.rule.severity != Severity::Warning => "?",
        _ => "",
    };
    findings.iter().map(|finding| format!("{}{}", finding.rule.name, mark(finding))).collect()
}

fn runtime(id: &str) -> &'static Runtime {
    Runtime::find(id).unwrap()
}

fn entry(sources: &Files, entrypoint: &str) -> Vec<Box<Finding>> {
    judge_entrypoint(sources, runtime("python312"), entrypoint)
}

const GOOD: &str = "";
const UNKNOWN: &str = "entrypoint-unknown";
const MISSING: &str = "entrypoint-export-missing";
const NOT_CALLABLE: &str = "entrypoint-not-callable";
const SIGNATURE: &str = "entrypoint-signature";
const SIGNATURE_WARNING: &str = "entrypoint-signature?";
const SYNTAX: &str = "source-syntax";

/// `index.handler` in files that stand beside these.
const BESIDE: &[(&str, &str)] = &[
    ("app/__init__.py", "from .core import handle as shown\n"),
    (
        "app/core.py",
        "import os\n\ndef handle(event, context):\n    return {}\n\nclass Bot:\n    def __call__(self, event, context):\n        return {}\n    def run(self, event, context):\n        return {}\n    @staticmethod\n    def fixed(event, context):\n        return {}\n    @classmethod\n    def made(cls, event, context):\n        return {}\n\nclass Child(Bot):\n    pass\n\nclass Plain:\n    pass\n\nclass Opaque(os.PathLike):\n    pass\n",
    ),
    (
        "app/stars.py",
        "from .core import *\n__all__ = ['handler', 'other']\ndef handler(event, context): return 1\ndef other(): pass\ndef hidden(event, context): pass\n",
    ),
    ("loop_a.py", "from loop_b import *\n"),
    ("loop_b.py", "from loop_a import *\ndef handler(event, context): return 1\n"),
    ("spaces/inner.py", "def handler(event, context): return 1\n"),
];

/// (what `index.py` says, what is found)
const HANDLERS: &[(&str, &str)] = &[
    // Functions.
    ("def handler(event, context):\n    return {'statusCode': 200}", GOOD),
    ("async def handler(event, context):\n    return {}", GOOD),
    ("def handler(event, context=None): return 1", GOOD),
    ("def handler(event: dict, context: object, /) -> dict: return {}", GOOD),
    ("def handler(*args, **kwargs): return 1", GOOD),
    ("def handler(event, *rest): return 1", GOOD),
    ("def handler(event, context, retries=3, *, log=True): return 1", GOOD),
    ("def handler(event, _): return 1", GOOD),
    ("def handler(): return 1", SIGNATURE),
    ("def handler(event): return 1", SIGNATURE),
    ("def handler(event, context, callback): return 1", SIGNATURE),
    ("def handler(event, context, *, log): return 1", SIGNATURE),
    ("def handler(*, event, context): return 1", SIGNATURE),
    ("def handler(self, event, context): return 1", SIGNATURE),
    ("def handler(event, context):\n    yield {}", SIGNATURE_WARNING),
    ("async def handler(event, context):\n    yield {}", SIGNATURE_WARNING),
    ("def handler(event, context):\n    def inner():\n        yield 1\n    return list(inner())", GOOD),
    ("handler = lambda event, context: {'statusCode': 200}", GOOD),
    ("handler = lambda event: event", SIGNATURE),
    ("handler = lambda *a: a", GOOD),
    // Decorators.
    (
        "import functools\ndef log(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n    return inner\n@log\ndef handler(event): return 1",
        GOOD,
    ),
    (
        "def log(f):\n    def inner(*a):\n        return f(*a)\n@log\ndef handler(event, context): return 1",
        NOT_CALLABLE,
    ),
    ("from powertools import logger\n@logger.inject()\ndef handler(event): return 1", GOOD),
    ("@property\ndef handler(event, context): return 1", NOT_CALLABLE),
    // Other names for it.
    ("def main(event, context): return 1\nhandler = main", GOOD),
    ("def main(event): return 1\nhandler = main", SIGNATURE),
    ("def main(event, context): return 1\nhandler, version = main, 3", GOOD),
    ("version, handler = 3, 4", NOT_CALLABLE),
    ("(handler, *rest) = build()", UNKNOWN),
    ("from typing import Callable\nhandler: Callable = lambda e, c: 1", GOOD),
    ("from typing import Callable\nhandler: Callable", MISSING),
    ("print(handler := lambda e, c: 1)", GOOD),
    ("a = handler = lambda e, c: 1", GOOD),
    ("handler = print", UNKNOWN),
    ("def a(e, c): return 1\ndef b(e, c): return 1\nimport os\nhandler = a if os.name == 'x' else b", GOOD),
    ("def a(e, c): return 1\nhandler = None or a", GOOD),
    (
        "def main(e, c): return 1\ndef other(): pass\nimport functools\nhandler = functools.partial(main)",
        GOOD,
    ),
    ("from functools import partial\ndef main(db, e, c): return 1\nhandler = partial(main, 1)", GOOD),
    ("from functools import partial\nfrom lib import main\nhandler = partial(main, 1)", UNKNOWN),
    (
        "from mangum import Mangum\nfrom fastapi import FastAPI\napp = FastAPI()\nhandler = Mangum(app)",
        UNKNOWN,
    ),
    ("def make():\n    def inner(e, c): return 1\n    return inner\nhandler = make()", UNKNOWN),
    ("TABLE = {'a': 1}\nhandler = TABLE['a']", UNKNOWN),
    // No functions.
    ("handler = 'index.main'", NOT_CALLABLE),
    ("handler = {'statusCode': 200}", NOT_CALLABLE),
    ("handler = None", NOT_CALLABLE),
    ("handler = 1 + 2", UNKNOWN),
    ("import json as handler", NOT_CALLABLE),
    ("import app as handler", NOT_CALLABLE),
    // Classes and instances.
    ("class handler:\n    def __init__(self, event, context): pass", SIGNATURE_WARNING),
    ("class handler:\n    pass", SIGNATURE),
    (
        "from http.server import BaseHTTPRequestHandler\nclass handler(BaseHTTPRequestHandler):\n    def do_GET(self): pass",
        SIGNATURE_WARNING,
    ),
    ("class handler(Exception):\n    pass", SIGNATURE_WARNING),
    (
        "from dataclasses import dataclass\n@dataclass\nclass handler:\n    a: int\n    b: int",
        SIGNATURE_WARNING,
    ),
    ("class Bot:\n    def __call__(self, event, context): return 1\nhandler = Bot()", GOOD),
    ("class Bot:\n    def __call__(self, event): return 1\nhandler = Bot()", SIGNATURE),
    ("class Bot:\n    def handle(self, event, context): return 1\nhandler = Bot()", NOT_CALLABLE),
    ("class Bot:\n    def handle(self, event, context): return 1\nhandler = Bot().handle", GOOD),
    ("class Bot:\n    def handle(self, event, context): return 1\nbot = Bot()\nhandler = bot.handle", GOOD),
    ("class Bot:\n    def handle(self, event, context): return 1\nhandler = Bot.handle", SIGNATURE),
    ("class Bot:\n    @staticmethod\n    def handle(event, context): return 1\nhandler = Bot.handle", GOOD),
    ("class Base:\n    def __call__(self, e, c): return 1\nclass Bot(Base): pass\nhandler = Bot()", GOOD),
    ("from lib import Base\nclass Bot(Base): pass\nhandler = Bot()", UNKNOWN),
    ("from abc import ABC\nclass Bot(ABC): pass\nhandler = Bot()", NOT_CALLABLE),
    (
        "from dataclasses import dataclass\n@dataclass\nclass Bot:\n    a: int = 1\nhandler = Bot()",
        NOT_CALLABLE,
    ),
    ("class Meta(type): pass\nclass Bot(metaclass=Meta): pass\nhandler = Bot()", UNKNOWN),
    // Imports.
    ("from app.core import handle as handler", GOOD),
    ("from app import shown as handler", GOOD),
    ("from app.core import handler", MISSING),
    ("from app.core import Bot\nhandler = Bot()", GOOD),
    ("from app.core import Bot\nhandler = Bot().run", GOOD),
    ("from app.core import Bot\nhandler = Bot.made", GOOD),
    ("from app.core import Child\nhandler = Child()", GOOD),
    ("from app.core import Plain\nhandler = Plain()", NOT_CALLABLE),
    ("from app.core import Opaque\nhandler = Opaque()", UNKNOWN),
    ("import app.core\nhandler = app.core.handle", GOOD),
    ("import app.core as core\nhandler = core.handle", GOOD),
    ("from app import core\nhandler = core.nothing", MISSING),
    ("from app.stars import *", GOOD),
    ("from loop_a import *", GOOD),
    ("from spaces.inner import handler", GOOD),
    ("from package import handler", UNKNOWN),
    ("from package import *", UNKNOWN),
    ("from app.core import *", MISSING),
    ("from .app.core import handle as handler", UNKNOWN),
    // Branches.
    (
        "try:\n    from fast import handler\nexcept ImportError:\n    def handler(event, context): return 1",
        GOOD,
    ),
    (
        "try:\n    import fast\nexcept ImportError:\n    fast = None\ndef handler(event, context): return 1",
        GOOD,
    ),
    (
        "import os\nif os.environ.get('X'):\n    def handler(e, c): return 1\nelse:\n    def handler(e): return 1",
        GOOD,
    ),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    def handler(e, c): return 1", MISSING),
    ("if __name__ == '__main__':\n    handler = lambda e, c: 1", MISSING),
    ("if __name__ != '__main__':\n    handler = lambda e, c: 1", GOOD),
    (
        "import sys\nif sys.version_info >= (3, 8):\n    def handler(e, c): return 1\nelse:\n    handler = 1",
        GOOD,
    ),
    ("import sys\nif sys.version_info < (3, 8):\n    def handler(e, c): return 1", MISSING),
    ("with open('x') as f:\n    def handler(e, c): return 1", GOOD),
    ("for i in range(3):\n    def handler(e, c): return i", GOOD),
    ("while True:\n    def handler(e, c): return 1\n    break", GOOD),
    (
        "import os\nmatch os.name:\n    case 'a':\n        handler = 1\n    case _:\n        def handler(e, c): return 1",
        GOOD,
    ),
    ("def handler(e, c): return 1\nhandler = 5", NOT_CALLABLE),
    ("handler = 5\ndef handler(e, c): return 1", GOOD),
    ("def handler(e, c): return 1\ndel handler", MISSING),
    ("import os\nif not os.getenv('A'):\n    raise RuntimeError('A')\ndef handler(e, c): return 1", GOOD),
    // Names that appear at run time.
    ("def setup():\n    global handler\n    handler = lambda e, c: 1\nsetup()", UNKNOWN),
    ("globals()['handler'] = lambda e, c: 1", UNKNOWN),
    ("import sys\nsetattr(sys.modules[__name__], 'handler', print)", UNKNOWN),
    ("exec('def handler(e, c): return 1')", UNKNOWN),
    ("def __getattr__(name):\n    return lambda e, c: 1", UNKNOWN),
    ("def get():\n    if 'cache' not in globals():\n        pass\n    return globals()['cache']", MISSING),
    ("class Some:\n    def handler(self, event, context): return 1", MISSING),
    ("def outer():\n    def handler(event, context): return 1", MISSING),
    ("def main(event, context): return 1", MISSING),
    ("", MISSING),
    // Files that do not parse.
    ("def handler(event, context)\n    return 1", SYNTAX),
    ("def handler(event, context):\nreturn 1", SYNTAX),
    ("print 'hello'\ndef handler(e, c): return 1", SYNTAX),
    ("def handler(e, c):\n\treturn 1\n        return 2", SYNTAX),
    ("x = (1, 2\ndef handler(e, c): return 1", SYNTAX),
    ("def handler(e, c):\n    return f'{e['a']}'", GOOD),
    // Files that parse, and that the interpreter refuses.
    ("def handler(e, c): return 1\nreturn 2", SYNTAX),
    ("import asyncio\ndef handler(e, c):\n    await asyncio.sleep(1)", SYNTAX),
    ("import asyncio\nawait asyncio.sleep(1)\ndef handler(e, c): return 1", SYNTAX),
    (
        "async def handler(e, c):\n    async with a as b:\n        await b\n    return [await x for x in c]",
        GOOD,
    ),
    ("def handler(e, c):\n    async with a as b: return 1", SYNTAX),
    ("def handler(e, c):\n    if e: break", SYNTAX),
    (
        "def handler(e, c):\n    for x in e:\n        if x: break\n    else:\n        return 1\n    return 2",
        GOOD,
    ),
    ("class A:\n    yield 1\ndef handler(e, c): return 1", SYNTAX),
];

#[test]
fn handlers_as_people_write_them() {
    let mut wrong = Vec::new();
    for (text, expected) in HANDLERS {
        let mut sources = files(BESIDE);
        sources.insert("index.py".to_owned(), text.as_bytes().to_vec());
        let found = names(&entry(&sources, "index.handler")).join(" ");
        if found != *expected {
            wrong.push(format!("{text}\n  found `{found}`, expected `{expected}`"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn entrypoints_are_found_in_the_archive() {
    const HANDLER: &str = "def handler(event, context): return 1";
    let sources = files(&[
        ("index.py", HANDLER),
        ("src/app.py", HANDLER),
        ("pkg/__init__.py", HANDLER),
        ("pkg/deep/entry.py", HANDLER),
        ("both.py", "handler = 1"),
        ("both/__init__.py", HANDLER),
        ("my-file.py", HANDLER),
        ("dotted.name.py", HANDLER),
        ("fast.cpython-312-x86_64-linux-gnu.so", ""),
        ("data/readme.txt", ""),
        ("index.txt", ""),
    ]);
    let table = [
        ("index.handler", ""),
        ("my-file.handler", ""),
        ("src.app.handler", "entrypoint-nested"),
        ("pkg.handler", "entrypoint-nested"),
        ("pkg.deep.entry.handler", "entrypoint-nested"),
        ("both.handler", "entrypoint-nested"),
        ("fast.handler", "entrypoint-unknown"),
        ("src/app.handler", "entrypoint-format"),
        ("./index.handler", "entrypoint-format"),
        ("index.py.handler", "entrypoint-format"),
        ("index.py", "entrypoint-format"),
        ("index:handler", "entrypoint-format"),
        ("index.handler()", "entrypoint-format"),
        ("index. handler", "entrypoint-format"),
        ("index", "entrypoint-format"),
        ("handler", "entrypoint-format"),
        ("", "entrypoint-format"),
        (".", "entrypoint-format"),
        (".handler", "entrypoint-format"),
        ("index.", "entrypoint-format"),
        ("index..handler", "entrypoint-format"),
        ("dotted.name.handler", "entrypoint-format"),
        ("indx.handler", "entrypoint-file-missing"),
        ("app.handler", "entrypoint-file-missing"),
        ("data.handler", "entrypoint-file-missing"),
        ("index.inner.handler", "entrypoint-file-missing"),
        ("index.main", "entrypoint-export-missing"),
    ];
    for (entrypoint, expected) in table {
        assert_eq!(names(&entry(&sources, entrypoint)).join(" "), expected, "{entrypoint}");
    }
    let fix = |entrypoint: &str| entry(&sources, entrypoint).remove(0).fix.unwrap();
    assert_eq!(fix("src/app.handler"), "write `src.app.handler`");
    assert_eq!(fix("index.py.handler"), "write `index.handler`");
    assert_eq!(fix("index.py"), "write `index.handler`");
    assert_eq!(fix("index"), "write `index.handler`");
    assert_eq!(
        fix("dotted.name.handler"),
        "rename the file to `dotted_name.py` and write `dotted_name.handler`"
    );
    assert!(fix("indx.handler").contains("`index.py`"));
    assert!(fix("app.handler").contains("`src/app.py`"));
    assert!(fix("index.handlr").contains("`index.handler`"));
}

#[test]
fn syntax_is_judged_in_everything_that_is_reached() {
    let sources = files(&[
        (
            "index.py",
            "import tools\nfrom lib import late\nif False:\n    import broken\ndef handler(e, c):\n    import inner",
        ),
        ("tools.py", "match 1:\n    case 1: pass\n"),
        ("lib/__init__.py", ""),
        ("lib/late.py", "try:\n    pass\nexcept* ValueError:\n    pass\n"),
        ("inner.py", "def f(\n"),
        ("broken.py", "def"),
        ("unused.py", "def"),
    ]);
    let found = judge_entrypoint(&sources, runtime("python39"), "index.handler");
    let places: Vec<_> =
        found.iter().map(|f| (f.rule.name, f.path.as_deref().unwrap(), f.line.unwrap())).collect();
    assert_eq!(
        places,
        [
            ("syntax-too-new", "tools.py", 1),
            ("syntax-too-new", "lib/late.py", 3),
            ("source-syntax", "inner.py", 2),
        ]
    );
    assert_eq!(names(&judge_entrypoint(&sources, runtime("python311"), "index.handler")), ["source-syntax"]);
}

#[test]
fn python_2_is_called_by_its_name() {
    for text in ["print 'a'", "def f():\n    print x, y", "exec 'a'", "raise E, 'a'"] {
        let found = entry(&files(&[("index.py", text)]), "index.handler");
        assert!(found[0].why.as_ref().unwrap().contains("Python 2"), "{text}");
    }
    let found = judge_entrypoint(
        &files(&[("index.py", "try:\n    pass\nexcept A, b:\n    pass\ndef handler(e, c): return 1")]),
        runtime("python312"),
        "index.handler",
    );
    assert_eq!(names(&found), ["syntax-too-new"]);
    assert!(found[0].why.as_ref().unwrap().contains("Python 2"));
}

#[test]
fn encodings_are_honoured() {
    let handler = b"\ndef handler(event, context): return 1\n".to_vec();
    let with = |head: &[u8]| BTreeMap::from([("index.py".to_owned(), [head, &handler].concat())]);
    let table: [(&[u8], &str); 8] = [
        (b"# \xd0\xbf\xd1\x80", GOOD),
        (b"\xef\xbb\xbf# \xd0\xbf", GOOD),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'", GOOD),
        (b"#!/usr/bin/python\n# coding=cp1251\nx = '\xef\xf0'", GOOD),
        (b"# \xef\xf0", SYNTAX),
        (b"# -*- coding: utf-8 -*-\nx = '\xe9'", SYNTAX),
        (b"# coding: gb2312\nx = '\xe9'", UNKNOWN),
        (b"x = '\0'", SYNTAX),
    ];
    for (head, expected) in table {
        assert_eq!(names(&entry(&with(head), "index.handler")).join(" "), expected, "{head:?}");
    }
}

#[test]
fn requirements_are_read_as_pip_reads_them() {
    const PRESENT: &[(&str, &str)] = &[
        ("more/base.txt", "flask\n-r deep.txt"),
        ("more/deep.txt", "boto3"),
        ("limits.txt", "flask<3"),
        ("loop.txt", "-r loop.txt"),
        ("bad.txt", "flask = 3"),
        ("wheels/my_pkg-1.0-py3-none-any.whl", ""),
        ("local/pyproject.toml", ""),
        ("constraints.txt", "certifi @ file:///croot/certifi\nfile:///croot/b.whl\n"),
    ];
    // (requirements.txt, line that pip refuses)
    let table: &[(&str, Option<u32>)] = &[
        ("", None),
        ("# nothing\n\n", None),
        ("requests", None),
        ("requests==2.31.0 # pinned", None),
        ("requests>=2,<3\nPyYAML ~= 6.0", None),
        ("requests[socks,security]>=2.8.1", None),
        ("requests (>=2.8.1)", None),
        ("aiohttp!=4.0.0a0,!=4.0.0a1", None),
        ("requests == 2.* ; python_version < '3.13' and sys_platform == 'linux'", None),
        ("foo==1.0+local", None),
        ("requests==2.31.0 \\\n    --hash=sha256:aaaa \\\n    --hash=sha256:bbbb", None),
        (
            "--index-url https://packages.example/simple\n--extra-index-url=https://x.y/simple\n-i https://z\nrequests",
            None,
        ),
        (
            "--no-binary :all:\n--only-binary=numpy\n--pre\n--prefer-binary\n--trusted-host a\n--no-index\n-f ./wheels",
            None,
        ),
        ("-r more/base.txt\n-c limits.txt", None),
        ("-r more/base.txt\n-r more/base.txt", None),
        ("-r loop.txt", Some(1)),
        ("git+https://github.com/a/b.git@v1#egg=b", None),
        ("b @ git+https://github.com/a/b.git@v1", None),
        ("pip @ https://github.com/pypa/pip/archive/1.3.1.zip#sha1=da9234ee", None),
        ("https://example.com/b-1.0-py3-none-any.whl ; python_version > '3'", None),
        ("./wheels/my_pkg-1.0-py3-none-any.whl", None),
        ("-e ./local\n-e git+ssh://git@github.com/a/b.git#egg=b", None),
        ("${PRIVATE_URL}/b.whl", None),
        ("--extra-index-url https://${USER}:${TOKEN}@x.y/simple", None),
        ("\u{feff}requests", None),
        ("requests\r\nflask\r\n", None),
        ("certifi @ file:///croot/certifi_1690232220950/work/certifi", Some(1)),
        ("file:///home/me/a-1.0-py3-none-any.whl", Some(1)),
        ("a @ file:///function/code/a-1.0-py3-none-any.whl", None),
        ("a @ file://localhost/function/code/a-1.0-py3-none-any.whl", None),
        ("a @ file:///home/me/a.whl ; sys_platform == 'win32'", None),
        ("a @ file:///home/me/a.whl ; sys_platform == 'linux'", Some(1)),
        ("file:///home/me/a.whl ; sys_platform == 'win32'", None),
        ("a @ file://${HOME}/a.whl", None),
        ("-e file:///home/me/a#egg=a", Some(1)),
        ("-c constraints.txt", None),
        ("requests = 2.31", Some(1)),
        ("flask\nrequests=2.31", Some(2)),
        ("requests 2.31", Some(1)),
        ("pip install requests", Some(1)),
        ("import requests", Some(1)),
        ("requests==", Some(1)),
        ("requests>=2.*", Some(1)),
        ("requests==2.0 flask==1.0", Some(1)),
        ("requests >= 2 ; python_version >> '3'", Some(1)),
        ("requests[socks", Some(1)),
        ("\"requests\"", Some(1)),
        ("requests;;", Some(1)),
        ("requests-é", Some(1)),
        ("requests[socks-, x]", Some(1)),
        ("=1.0", Some(1)),
        ("requests\n\n--nonsense\n", Some(3)),
        ("-r missing.txt", Some(1)),
        ("-c missing.txt", Some(1)),
        ("-r bad.txt", Some(1)),
        ("-r", Some(1)),
        ("./wheels/absent.whl", Some(1)),
        ("-e .", Some(1)),
        ("../outside", Some(1)),
        ("requests --nonsense", Some(1)),
    ];
    let mut wrong = Vec::new();
    for (text, refused) in table {
        let mut sources = files(PRESENT);
        sources.insert("requirements.txt".to_owned(), text.as_bytes().to_vec());
        let found = judge_dependencies(&sources, runtime("python312"), "index.handler");
        let lines: Vec<_> = found.iter().map(|finding| finding.line).collect();
        if lines != refused.map_or_else(Vec::new, |line| vec![Some(line)]) {
            wrong.push(format!("{text:?}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    for (bytes, found) in [
        (&b"req\xff"[..], vec!["requirements-invalid"]),
        (b"\xff\xfer\0e\0q\0\n\0x\0!\0", vec!["requirements-invalid"]),
        (b"\xff\xfer\0e\0q\0", vec![]),
        (b"\xfe\xff\0r\0e\0q", vec![]),
    ] {
        let sources: Files = BTreeMap::from([("requirements.txt".to_owned(), bytes.to_vec())]);
        assert_eq!(names(&judge_dependencies(&sources, runtime("python312"), "index.handler")), found);
    }
}

#[test]
fn neither_many_hashes_nor_a_long_line_make_an_import_undeclared() {
    let hashes =
        " \\\n    --hash=sha256:0123456789012345678901234567890123456789012345678901234567890123".repeat(99);
    let long = format!("numpy{}", ">=1,".repeat(2000));
    for (requirement, expected) in
        [(format!("numpy==2.0.0{hashes}"), vec![]), (long, vec!["dependency-undeclared?"])]
    {
        let sources = files(&[("requirements.txt", &requirement), ("index.py", "import numpy\n")]);
        assert_eq!(names(&judge_dependencies(&sources, runtime("python312"), "index.handler")), expected);
    }
}

#[test]
fn imports_are_declared_or_known() {
    const UNDECLARED: &str = "dependency-undeclared";
    const WARNED: &str = "dependency-undeclared?";
    // (runtime, index.py, requirements.txt, what is found)
    let table: &[(&str, &str, Option<&str>, &str)] = &[
        ("python312", "import os, json, urllib.request\nfrom __future__ import annotations", None, GOOD),
        ("python312", "import requests", None, UNDECLARED),
        ("python312", "import requests", Some(""), UNDECLARED),
        ("python312", "import requests", Some("# requests"), UNDECLARED),
        ("python312", "import requests", Some("Requests==2.31"), GOOD),
        ("python312", "import requests", Some("requests ; python_version < '3.9'"), UNDECLARED),
        ("python38", "import requests", Some("requests ; python_version < '3.9'"), GOOD),
        ("python312", "import yaml", Some("requests"), WARNED),
        (
            "python312",
            "import yaml\nfrom PIL import Image\nimport cv2",
            Some("pyyaml\nPillow\nopencv-python-headless"),
            GOOD,
        ),
        ("python312", "import urllib3, certifi", Some("requests"), GOOD),
        ("python312", "from botocore.config import Config\nimport boto3", Some("boto3"), GOOD),
        (
            "python312",
            "import yandexcloud\nfrom yandex.cloud.compute.v1.instance_pb2 import Instance\nimport grpc",
            Some("yandexcloud"),
            GOOD,
        ),
        ("python312", "from google.cloud import storage", Some("google-cloud-storage"), GOOD),
        ("python312", "import telebot", Some("pyTelegramBotAPI"), GOOD),
        ("python312", "import anything", Some("git+https://github.com/a/b"), WARNED),
        ("python312", "import anything", Some("-r https://example.com/r.txt"), WARNED),
        ("python38", "import requests, jwt, yandexcloud, cryptography", None, GOOD),
        ("python39", "import yandexcloud", None, UNDECLARED),
        // Not reached, or not needed.
        ("python312", "try:\n    import ujson as json\nexcept ImportError:\n    import json", None, GOOD),
        ("python312", "try:\n    import a\nexcept (ImportError, KeyError):\n    import b", None, GOOD),
        ("python312", "try:\n    import a\nexcept ValueError:\n    pass", None, UNDECLARED),
        ("python312", "try:\n    import a\nexcept:\n    a = None", None, GOOD),
        ("python312", "import contextlib\nwith contextlib.suppress(ImportError):\n    import a", None, GOOD),
        ("python312", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a", None, GOOD),
        ("python312", "import typing\nif typing.TYPE_CHECKING:\n    import a", None, GOOD),
        ("python312", "if __name__ == '__main__':\n    import dotenv", None, GOOD),
        (
            "python312",
            "import sys\nif sys.version_info >= (3, 11):\n    import tomllib\nelse:\n    import tomli",
            None,
            GOOD,
        ),
        (
            "python39",
            "import sys\nif sys.version_info >= (3, 11):\n    import tomllib\nelse:\n    import tomli",
            None,
            UNDECLARED,
        ),
        ("python312", "import importlib.util\nif importlib.util.find_spec('a'):\n    import a", None, GOOD),
        ("python312", "import os\nif os.getenv('LOCAL'):\n    from dotenv import load_dotenv", None, WARNED),
        ("python312", "def handler(e, c):\n    import requests", None, UNDECLARED),
        ("python312", "import sys\nsys.path.insert(0, 'vendor')\nimport inside", None, GOOD),
        ("python312", "import sys\nsys.path.insert(0, 'vendor')\nimport needs_yaml", None, WARNED),
        (
            "python312",
            "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), 'vendor'))\nfrom needs_yaml import x",
            None,
            WARNED,
        ),
        ("python312", "import sys\nsys.path.insert(0, '/tmp')\nimport elsewhere", None, WARNED),
        ("python312", "import inside", None, UNDECLARED),
        // What left and what came.
        ("python311", "import distutils, imp, cgi", None, GOOD),
        ("python312", "import distutils.util", Some("requests"), UNDECLARED),
        ("python312", "import distutils.util", Some("setuptools"), GOOD),
        ("python314", "import cgi", None, UNDECLARED),
        ("python314", "import cgi", Some("legacy-cgi"), GOOD),
        ("python39", "import tomllib", None, UNDECLARED),
        ("python38", "import zoneinfo", Some("flask"), UNDECLARED),
        // Inside the archive.
        (
            "python312",
            "import tools\nfrom pkg import part\nfrom pkg.part import x\nimport pkg.part",
            None,
            GOOD,
        ),
        ("python312", "import pkg.absent", None, UNDECLARED),
        ("python312", "from pkg.absent import x", None, UNDECLARED),
        ("python312", "from pkg import name_of_it", None, GOOD),
        ("python312", "import tools.absent", None, UNDECLARED),
        // Names of the archive's own modules.
        ("python312", "from tools import x, absent", None, UNDECLARED),
        ("python312", "from pkg import absent", None, UNDECLARED),
        ("python312", "def handler(e, c):\n    from tools import absent", None, UNDECLARED),
        ("python312", "import os\nif os.getenv('X'):\n    from tools import absent", None, WARNED),
        (
            "python312",
            "try:\n    from tools import absent\nexcept ImportError:\n    absent = None",
            None,
            GOOD,
        ),
        ("python312", "from tools import *\nfrom tools import __doc__", None, GOOD),
        ("python312", "import tools\ntools.absent = 1\nfrom tools import absent", None, GOOD),
        ("python312", "import tools\nsetattr(tools, 'absent', 1)\nfrom tools import absent", None, GOOD),
        ("python312", "import sys\nsys.path.append('vendor')\nfrom tools import absent", None, GOOD),
        ("python312", "from lazy import anything", None, GOOD),
        ("python312", "from starred import x, whatever", None, GOOD),
        ("python312", "from again import x", None, GOOD),
        ("python312", "from again import y", None, UNDECLARED),
        ("python312", "from branches import a, b, c, d, later", None, GOOD),
        ("python312", "from vendored_thing import absent", None, GOOD),
        ("python312", "from . import tools", None, UNDECLARED),
        ("python312", "from .tools import x", None, UNDECLARED),
        ("python312", "import spaces.inner\nfrom spaces import inner", None, GOOD),
        ("python312", "import vendored_thing", None, GOOD),
        ("python312", "import native", None, GOOD),
        ("python312", "import user_of_yaml", None, UNDECLARED),
    ];
    let mut wrong = Vec::new();
    for (id, text, requirements, expected) in table {
        let mut sources = files(&[
            ("index.py", text),
            ("tools.py", "x = 1"),
            ("lazy.py", "def __getattr__(name): return name"),
            ("starred.py", "from os import *\nfrom tools import *"),
            ("again.py", "from tools import x"),
            (
                "branches.py",
                "import os\ntry:\n    import json as a\nexcept ImportError:\n    a = None\nfor b in (1,):\n    with open(b) as c:\n        pass\nif os.sep:\n    d = 1\ndef load():\n    global later\n    later = 1",
            ),
            ("pkg/__init__.py", "name_of_it = 1"),
            ("pkg/part.py", "from . import other\nfrom .other import y\nx = 1"),
            ("pkg/other.py", "y = 1"),
            ("spaces/inner.py", ""),
            ("vendor/inside.py", ""),
            ("vendor/needs_yaml.py", "import yaml"),
            ("vendored_thing/__init__.py", "import whatever_it_needs"),
            (
                "vendored_thing-1.0.dist-info/RECORD",
                "vendored_thing/__init__.py,sha256=x,1\nvendored_thing-1.0.dist-info/RECORD,,",
            ),
            ("native.abi3.so", ""),
            ("user_of_yaml.py", "import yaml"),
        ]);
        if let Some(requirements) = requirements {
            sources.insert("requirements.txt".to_owned(), requirements.as_bytes().to_vec());
        }
        let found = judge_dependencies(&sources, runtime(id), "index.handler");
        if names(&found).join(" ") != *expected {
            wrong.push(format!("{id} {text:?} {requirements:?}: expected `{expected}`, found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_module_in_the_wrong_place_is_named() {
    for (text, fix) in [
        (
            "from bot import use",
            "write `from .bot import use`, or let the file lie where the import looks for it",
        ),
        ("import bot", "write `from . import bot`, or let the file lie where the import looks for it"),
        (
            "import bot.part",
            "write `from .bot import part`, or let the file lie where the import looks for it",
        ),
        (
            "from app.src.bot import use",
            "write `from src.bot import use`, or let the file lie where the import looks for it",
        ),
        (
            "import robot_logic",
            "if `robot_logic` is a package, add `robot-logic` to requirements.txt; if it is your own module, include it in the archive",
        ),
        (
            "from other.src import use",
            "if `other` is a package, add `other` to requirements.txt; if it is your own module, include it in the archive",
        ),
        ("import redis", "add `redis` to requirements.txt, or vendor it with `fnscaffold pack --vendor`"),
        (
            "import index",
            "if `index` is a package, add `index` to requirements.txt; if it is your own module, include it in the archive",
        ),
        ("import bot_pb2", "`protoc` makes `bot_pb2.py`: include it in the archive"),
    ] {
        let sources = files(&[
            ("src/index.py", text),
            ("src/bot/__init__.py", "use = 1"),
            ("src/bot/part.py", ""),
            ("src/redis.py", ""),
            ("src/__init__.py", ""),
            ("requirements.txt", "requests"),
        ]);
        let found = judge_dependencies(&sources, runtime("python312"), "src.index.handler");
        let [finding] = found.as_slice() else { panic!("{text}: {found:#?}") };
        assert_eq!(finding.fix.as_deref(), Some(fix), "{text}");
        let is_there = finding.why.as_deref().is_some_and(|why| why.starts_with("the archive has `src/bot/"));
        assert_eq!(finding.severity == Severity::Error, is_there, "{text}");
    }
}

#[test]
fn files_that_hide_the_standard_library_are_named() {
    let sources = files(&[
        ("index.py", ""),
        ("queue.py", ""),
        ("email/__init__.py", ""),
        ("html/page.html", ""),
        ("lib/json.py", ""),
        ("test.py", ""),
        ("sys.py", ""),
        ("distutils/__init__.py", ""),
    ]);
    let shadows = |id| -> Vec<String> {
        judge_dependencies(&sources, runtime(id), "index.handler")
            .into_iter()
            .filter_map(|f| f.path)
            .collect()
    };
    assert_eq!(shadows("python312"), ["email/__init__.py", "queue.py", "sys.py"]);
    assert_eq!(shadows("python311"), ["distutils/__init__.py", "email/__init__.py", "queue.py", "sys.py"]);
}

#[test]
fn likely_entrypoints_come_best_first() {
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: &[Case] = &[
        (&[], &[]),
        (&[("index.py", "def handler(event, context): return 1\ndef other(a): pass")], &["index.handler"]),
        (
            &[
                ("lib.py", "def on_call(event, context): return 1"),
                ("main.py", "def main(event, context): return 1"),
                ("index.py", "from application.entry import handler"),
                ("application/__init__.py", ""),
                ("application/entry.py", "async def handler(event, context): return 1"),
                ("tests/test_index.py", "def handler(event, context): return 1"),
                ("venv/lib/x.py", "def handler(event, context): return 1"),
                ("vendored/__init__.py", "def handler(event, context): return 1"),
                ("vendored-1.dist-info/top_level.txt", "vendored\n"),
            ],
            &["index.handler", "application.entry.handler", "main.main", "lib.on_call"],
        ),
        (
            &[("app.py", "class App:\n    def __call__(self, event, context): return 1\nhandler = App()")],
            &["app.handler"],
        ),
        (&[("app.py", "def main():\n    print('x')")], &[]),
        (&[("app.py", "def handler(request, ctx): return 1")], &["app.handler"]),
        (
            &[("app.py", "@app.route('/')\ndef main(): return 1\ndef on_call(request, context): return 1")],
            &["app.on_call"],
        ),
        (&[("app.py", "def broken(")], &[]),
        (&[("app.py", "def webhook(event, ctx): return 1")], &["app.webhook"]),
        (&[("app.py", "def bot(update, options): return 1")], &["app.bot"]),
        (
            &[("index.py", "from mangum import Mangum\napp = FastAPI()\nhandler = Mangum(app)")],
            &["index.handler"],
        ),
        (
            &[("lib.py", "main = wrap(1)"), ("index.py", "def handler(event, context): return 1")],
            &["index.handler"],
        ),
    ];
    for (sources, expected) in cases {
        assert_eq!(handlers(&files(sources)), *expected, "{sources:?}");
    }
}

fn judge_all(sources: &Files, entrypoint: &str) {
    for id in ["python37", "python314"] {
        judge_entrypoint(sources, runtime(id), entrypoint);
        judge_dependencies(sources, runtime(id), entrypoint);
    }
    handlers(sources);
}

/// As CPython does.
#[test]
fn what_python_does_not_parse_is_told() {
    let indented = |levels: usize| -> String {
        (0..levels).map(|level| format!("{}if 1:\n", " ".repeat(level))).collect::<String>()
            + &format!("{}pass\n", " ".repeat(levels))
    };
    for (text, found) in [
        (indented(99), MISSING),
        (indented(100), SYNTAX),
        (format!("{}1{}", "(".repeat(200), ")".repeat(200)), MISSING),
        (format!("{}1{}", "(".repeat(201), ")".repeat(201)), SYNTAX),
        ("#".repeat((16 << 20) + 1), UNKNOWN),
    ] {
        let found_in = names(&entry(&files(&[("index.py", &text)]), "index.handler"));
        assert_eq!(found_in, [found], "{}", &text[..text.len().min(100)]);
    }
}

#[test]
fn nesting_does_not_overflow_the_stack() {
    let times = |text: &str, count: usize| text.repeat(count);
    let deep = 30_000;
    let hostile = [
        times("(", deep),
        times("[", deep) + &times("]", deep),
        format!("x = {}1", times("-", deep)),
        format!("x = {}1", times("not ", deep)),
        format!("x = a{}", times(".a", deep)),
        format!("x = a{}", times("()", deep)),
        format!("x = a{}", times("[0]", deep)),
        format!("x = 1{}", times(" + 1", deep)),
        format!("x = 1{}", times(" ** 1", deep)),
        format!("x = {}1", times("lambda: ", deep)),
        format!("x = {}1", times("lambda a, b: ", deep)),
        format!("x = 1{}", times(" if a else 1", deep)),
        format!("x = {}1{}", times("f(a, ", deep), times(")", deep)),
        format!("x = {}", times("f'{", deep)),
        (0..3000).map(|n| format!("{}if a:\n", " ".repeat(n))).collect(),
        format!("if a: pass\n{}", times("elif b: pass\n", deep)),
        times("async ", deep),
        format!("match x:\n case {}1: pass", times("[", deep)),
        format!("match x:\n case {}: pass", times("a.", deep) + "a"),
        format!("with {}a: pass", times("(", deep)),
        format!("({}", times("def f(", deep)),
        format!("x = 1\n{}", times("x = x.a\n", 5000)),
        format!("x = 1\n{}", times("x = x()\n", 5000)),
        (1..5000).map(|n| format!("class A{n}(A{}): pass\n", n - 1)).collect(),
        (1..5000).map(|n| format!("@f{}\ndef f{n}(): pass\n", n - 1)).collect(),
        (1..2000).map(|n| format!("class A{n}:\n  x = A{0}\n  y = A{0}\n", n - 1)).collect::<String>()
            + "handler = A1999",
        times("if a: x = 1\nelse: x = 2\n", 3000),
        (1..2000).map(|n| format!("if a: x{n} = x{0}\nelse: x{n} = x{0}.y\n", n - 1)).collect(),
        // As deep as is still walked.
        format!("x = 1{}\nhandler = x", times(" + 1", 799)),
        format!("x = {}1\nhandler = x", times("-", 790)),
        (0..99).map(|n| format!("{}if a:\n", " ".repeat(n))).collect::<String>()
            + &" ".repeat(99)
            + "x = 1"
            + &times(" + 1", 790),
    ];
    for text in hostile {
        let sources = BTreeMap::from([
            ("index.py".to_owned(), text.clone().into_bytes()),
            ("requirements.txt".to_owned(), text.into_bytes()),
        ]);
        judge_all(&sources, "index.handler");
    }
    let marker = format!("a; {}python_version > '3'{}", times("(", 3000), times(")", 3000));
    judge_all(&files(&[("requirements.txt", &marker)]), "index.handler");
}

#[test]
fn large_modules_are_judged_in_time() {
    let text: String =
        (0..20_000).map(|n| format!("if a{n}:\n    b{n} = a\nelse:\n    c{n} = b{n}\n")).collect();
    judge_all(&files(&[("index.py", &text)]), "index.handler");
}

proptest! {
    #[test]
    fn any_text_is_judged(text in ".{0,200}", entrypoint in ".{0,20}") {
        judge_all(&files(&[("index.py", &text), ("requirements.txt", &text)]), &entrypoint);
        judge_all(&files(&[("index.py", &text)]), "index.handler");
    }

    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let sources = BTreeMap::from([
            ("index.py".to_owned(), bytes.clone()),
            ("requirements.txt".to_owned(), bytes.clone()),
            ("a-1.dist-info/RECORD".to_owned(), bytes),
        ]);
        judge_all(&sources, "index.handler");
    }

    /// Pieces of code in any order reach deeper than any text does.
    #[test]
    fn any_pieces_are_judged(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        judge_all(&files(&[("index.py", &text), ("requirements.txt", &text)]), "index.handler");
    }
}

const PIECES: &[&str] = &[
    "\n",
    "    ",
    "\n    ",
    " ",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "=",
    "def handler(event, context):",
    "class A(B):",
    "handler",
    "event",
    "lambda ",
    "import ",
    "from ",
    ".",
    "*",
    " as ",
    "try:",
    "except ImportError:",
    "if ",
    "else:",
    "match x:",
    "case ",
    "with ",
    "yield ",
    "return ",
    "@",
    "'",
    "\"\"\"",
    "f'{",
    "}'",
    "#",
    "\\\n",
    "del ",
    "global ",
    "x",
    "1",
    "sys.version_info",
    ">=",
    "(3, 8)",
    ":=",
    "async ",
    "await ",
    "-r ",
    "--hash",
    "==",
    ";",
    "python_version",
    "\u{feff}",
    "\0",
    "é",
];
