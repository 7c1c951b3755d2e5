//! What is told of how the platform loads a file: its address, its format, its syntax.

use crate::model::javascript::tests::{Texts, files, judge, told};

#[test]
fn entry_points_are_read_as_the_platform_reads_them() {
    let handler = "exports.handler = () => 1; exports.a = () => 1; exports.index = () => 1;";
    let sources = files(&[
        ("index.js", handler),
        ("src/app.js", handler),
        ("src/app.v2.js", handler),
        ("dir/package.json", r#"{"main": "lib/start.js"}"#),
        ("dir/lib/start.js", handler),
        ("only.mjs", "export const handler = () => 1;"),
        ("only.cjs", handler),
        ("typed/index.ts", ""),
        ("main.tsx", ""),
        ("dist/main.js", handler),
        ("data.json", r#"{"handler": 1}"#),
        ("addon.node", "\u{7f}ELF"),
        ("node_modules/near/other.js", ""),
    ]);
    for (entrypoint, expected) in [
        ("index.handler", ""),
        ("src/app.handler", ""),
        ("src//app.handler", ""),
        ("/index.handler", ""),
        ("dir.handler", ""),
        ("index", ""),
        ("index.a.b", "entrypoint-format -"),
        ("src/app.v2.handler", "entrypoint-format -"),
        ("index.js.handler", "entrypoint-format -"),
        ("./index.handler", "entrypoint-format -"),
        ("../index.handler", "entrypoint-format -"),
        ("", "entrypoint-format -"),
        (".", "entrypoint-format -"),
        ("index.", "entrypoint-format -"),
        (".handler", "entrypoint-format -"),
        ("main", "entrypoint-export-missing index.js"),
        ("Index.handler", "entrypoint-file-missing index.js"),
        ("app.handler", "entrypoint-file-missing src/app.js"),
        ("src/ap.handler", "entrypoint-file-missing src/app.js"),
        ("zzz.handler", "entrypoint-file-missing -"),
        ("other.handler", "entrypoint-file-missing -"),
        ("only.handler", "esm-unsupported only.mjs"),
        ("typed.handler", "typescript-not-built typed/index.ts"),
        ("main.handler", "typescript-not-built main.tsx"),
        ("data.handler", "entrypoint-not-callable data.json:1"),
        ("data.none", "entrypoint-export-missing data.json"),
        ("addon.handler", "entrypoint-unknown addon.node"),
    ] {
        assert_eq!(told(&judge(&sources, "nodejs22", entrypoint)).join(", "), expected, "{entrypoint}");
    }
    let dropped = judge(&sources, "nodejs22", "src/app.v2.handler").remove(0);
    assert!(dropped.why.unwrap().contains("load `src/app` and call `v2`; `handler` is dropped"));
    let extension = judge(&sources, "nodejs22", "index.js.handler").remove(0);
    assert_eq!(extension.fix.unwrap(), "leave the extension out: `index.handler`");
    let built = judge(&sources, "nodejs22", "main.handler").remove(0);
    assert_eq!(built.fix.unwrap(), "name the compiled file: `dist/main.handler`");
    let common = files(&[("only.cjs", handler)]);
    assert_eq!(told(&judge(&common, "nodejs22", "only.handler")), ["entrypoint-file-missing only.cjs"]);
}

#[test]
fn es_modules_depend_on_the_runtime() {
    let module = ("index.js", "\nexport const handler = () => 1;");
    let awaits = ("index.js", "export const handler = () => 1;\nawait null;");
    let common = ("index.js", "exports.handler = () => 1;");
    let typed = ("package.json", r#"{"type": "module"}"#);
    let other = ("package.json", r#"{"type": "commonjs"}"#);
    let bridge =
        ("cjs/index.js", "exports.handler = async (event) => (await import('../index.js')).handler(event);");
    let bridge_type = ("cjs/package.json", r#"{"type": "commonjs"}"#);
    let required = ("cjs/index.js", "exports.handler = require('../index.js').handler;");
    let cases: &[(Texts<'_>, &str, &str, &str)] = &[
        (&[module, typed], "index", "nodejs16", "esm-unsupported index.js:2"),
        (&[module, typed], "index", "nodejs18", "esm-unsupported index.js:2 (warning)"),
        (&[module, typed], "index", "nodejs22", ""),
        (&[module], "index", "nodejs18", "esm-unsupported index.js:2"),
        (&[module], "index", "nodejs22", ""),
        (&[module, other], "index", "nodejs22", "esm-unsupported index.js:2"),
        (&[awaits, typed], "index", "nodejs22", "esm-unsupported index.js:2 (warning)"),
        (&[awaits], "index", "nodejs22", "esm-unsupported index.js:2 (warning)"),
        (&[common], "index", "nodejs10", ""),
        (&[common, other], "index", "nodejs22", ""),
        (
            &[common, typed],
            "index",
            "nodejs22",
            "esm-unsupported index.js:1, entrypoint-export-missing index.js",
        ),
        (&[module, typed, bridge, bridge_type], "cjs/index", "nodejs16", ""),
        (&[awaits, typed, bridge, bridge_type], "cjs/index", "nodejs22", ""),
        (&[module, typed, required, bridge_type], "cjs/index", "nodejs16", "esm-unsupported cjs/index.js:1"),
        (&[module, typed, required, bridge_type], "cjs/index", "nodejs22", ""),
        (
            &[awaits, typed, required, bridge_type],
            "cjs/index",
            "nodejs22",
            "esm-unsupported index.js:2 (warning)",
        ),
    ];
    for (sources, module, runtime, expected) in cases {
        let found = judge(&files(sources), runtime, &format!("{module}.handler"));
        assert_eq!(told(&found).join(", "), *expected, "{runtime} {sources:?}");
    }
}

#[test]
fn syntax_is_judged_by_the_runtime() {
    let handler = "exports.handler = () => 1;\n";
    let cases: &[(&str, &str, &str)] = &[
        ("a?.b;", "nodejs12", "nodejs14"),
        ("a ?? b;", "nodejs12", "nodejs14"),
        ("a ??= b;", "nodejs14", "nodejs16"),
        ("a ||= b;", "nodejs14", "nodejs16"),
        ("1_000;", "nodejs10", "nodejs12"),
        ("import('x');", "nodejs10", "nodejs12"),
        ("class A { x = 1 }", "nodejs10", "nodejs12"),
        ("class A { static #x }", "nodejs10", "nodejs12"),
        ("class A { #x() {} }", "nodejs12", "nodejs14"),
        ("class A { get #x() { return 1 } }", "nodejs12", "nodejs14"),
        ("class A { static { f() } }", "nodejs14", "nodejs16"),
        ("class A { #x; has(o) { return #x in o } }", "nodejs14", "nodejs16"),
        ("/a/d;", "nodejs14", "nodejs16"),
        ("/[a--b]/v;", "nodejs18", "nodejs22"),
        ("import('x', { with: { type: 'json' } });", "nodejs18", "nodejs22"),
    ];
    for (text, without, with) in cases {
        let sources = files(&[("index.js", &format!("{handler}{text}"))]);
        let found = told(&judge(&sources, without, "index.handler"));
        assert!(found.contains(&"syntax-too-new index.js:2".to_owned()), "{text}: {found:?}");
        assert_eq!(told(&judge(&sources, with, "index.handler")).join(", "), "", "{text}");
    }
    for text in ["{ using x = f(); }", "@d class A {}"] {
        let sources = files(&[("index.js", &format!("{handler}{text}"))]);
        let found = told(&judge(&sources, "nodejs22", "index.handler"));
        assert_eq!(found.join(", "), "syntax-too-new index.js:2", "{text}");
    }
    let sources = files(&[
        (
            "index.js",
            "import data from './a.json' assert { type: 'json' };\nexport const handler = () => data;",
        ),
        ("a.json", "{}"),
    ]);
    assert_eq!(told(&judge(&sources, "nodejs22", "index.handler")), ["syntax-too-new index.js:1"]);
}

#[test]
fn syntax_errors_are_found_in_all_that_is_loaded() {
    let sources = files(&[
        ("index.js", "require('./lib/a');\nexports.handler = () => 1;"),
        ("lib/a.js", "const b = require('./b.js');\n"),
        ("lib/b.js", "\n\nfunction ( {\n"),
        ("unused.js", "<<<<<<< HEAD"),
    ]);
    assert_eq!(told(&judge(&sources, "nodejs22", "index.handler")), ["source-syntax lib/b.js:3"]);
    for text in [
        "exports.handler = async () => {",
        "const x = <div/>;",
        "let x: number = 1;",
        "\u{feff}\0",
        "return await x;",
    ] {
        let found = told(&judge(&files(&[("index.js", text)]), "nodejs22", "index.handler"));
        assert!(found[0].starts_with("source-syntax index.js:"), "{text}: {found:?}");
    }
    for text in [
        "\u{feff}exports.handler = () => 1;",
        "exports.handler = () => 1; return;",
        "with (a) {}; exports.handler = () => 010;",
    ] {
        assert_eq!(
            told(&judge(&files(&[("index.js", text)]), "nodejs22", "index.handler")).join(""),
            "",
            "{text}"
        );
    }
}

#[test]
fn globals_are_judged_by_the_runtime() {
    let warned = "syntax-too-new index.js:2 (warning)";
    for (text, expected) in [
        ("fetch('x')", warned),
        ("new Headers()", warned),
        ("globalThis.x = fetch", warned),
        ("x.fetch('y'); x = { fetch: 1 }", ""),
        ("if (typeof fetch === 'function') fetch('x')", ""),
        ("const fetch = require('got'); fetch('x')", ""),
        ("function f(fetch) { fetch('x') }", ""),
        ("fetch = x; fetch('x')", ""),
        ("globalThis.fetch = x; fetch('x')", ""),
        ("global.fetch ??= x; fetch('x')", ""),
        ("if (globalThis.fetch) fetch('x')", ""),
        ("require('cross-fetch/polyfill'); fetch('x')", ""),
        ("require('./other'); fetch('x')", ""),
        ("if (require.main === module) fetch('x')", ""),
    ] {
        let text = format!("exports.handler = () => 1;\n{text}");
        let sources = files(&[("index.js", &text), ("other.js", "global.fetch = require('x')")]);
        assert_eq!(told(&judge(&sources, "nodejs16", "index.handler")).join(", "), expected, "{text}");
        assert_eq!(told(&judge(&sources, "nodejs18", "index.handler")).join(", "), "", "{text}");
    }
}
