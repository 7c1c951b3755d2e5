//! What is told of dependencies.

use crate::model::javascript::tests::{Texts, depend, files, told};

#[test]
fn dependencies_must_be_there() {
    let package = r#"{
        "name": "own", "exports": "./index.js",
        "dependencies": {"axios": "^1", "@scope/declared": "1", "vendored": "1"},
        "optionalDependencies": {"sharp": "*"},
        "peerDependencies": {"react": "*"},
        "devDependencies": {"jest": "*"}
    }"#;
    let cases: &[(&str, &str, &str)] = &[
        ("require('axios');", "nodejs22", ""),
        ("require('@scope/declared/deep/file');", "nodejs22", ""),
        ("require('sharp');", "nodejs22", ""),
        ("require('own/x');", "nodejs22", ""),
        ("require('fs'); require('node:fs/promises'); require('crypto');", "nodejs22", ""),
        ("require('./lib/util'); require('./lib'); require('./data');", "nodejs22", ""),
        ("require('vendored'); require('@scope/vendored/x');", "nodejs22", ""),
        ("require('dropped');", "nodejs22", "dependency-undeclared index.js:1"),
        ("import('axios');", "nodejs22", ""),
        ("require(name); require('/abs'); require('#internal'); import('https://x/y.js');", "nodejs22", ""),
        ("require('react');", "nodejs22", ""),
        ("require('react');", "nodejs14", "dependency-undeclared index.js:1"),
        ("require('jest');", "nodejs22", "dependency-undeclared index.js:1"),
        ("\nrequire('lodash/get');\nrequire('lodash');", "nodejs22", "dependency-undeclared index.js:2"),
        ("require('@scope/other');", "nodejs22", "dependency-undeclared index.js:1"),
        ("import x from 'lodash';", "nodejs22", "dependency-undeclared index.js:1"),
        ("export * from 'lodash';", "nodejs22", "dependency-undeclared index.js:1"),
        ("import('lodash');", "nodejs22", "dependency-undeclared index.js:1"),
        ("require(`lodash`);", "nodejs22", "dependency-undeclared index.js:1"),
        ("require('./gone');", "nodejs22", "dependency-undeclared index.js:1"),
        ("require('../outside');", "nodejs22", "dependency-undeclared index.js:1"),
        ("import './lib/util'; ", "nodejs22", "dependency-undeclared index.js:1"),
        ("import './lib/util.js'; ", "nodejs22", ""),
        ("try { require('lodash') } catch {}", "nodejs22", ""),
        ("exports.x = () => require('lodash');", "nodejs22", "dependency-undeclared index.js:1 (warning)"),
        ("(function (require) { require('lodash') });", "nodejs22", ""),
        (
            "exports.x = () => require('lodash');\nrequire('lodash');",
            "nodejs22",
            "dependency-undeclared index.js:2",
        ),
        ("if (x) require('./lib/needs');", "nodejs22", "dependency-undeclared lib/needs.js:1 (warning)"),
        ("require('yandex-cloud');", "nodejs14", ""),
        ("require('yandex-cloud');", "nodejs16", "dependency-undeclared index.js:1"),
        ("require('node:sqlite'); require('node:test');", "nodejs22", ""),
        ("require('node:sqlite');", "nodejs18", "dependency-undeclared index.js:1"),
        ("require('node:fs');", "nodejs12", "dependency-undeclared index.js:1"),
        ("require('node:lodash');", "nodejs22", "dependency-undeclared index.js:1"),
        ("require('sqlite');", "nodejs22", "dependency-undeclared index.js:1"),
        ("require('./lib/needs');", "nodejs22", "dependency-undeclared lib/needs.js:1"),
        ("require('./lib/nested');", "nodejs22", ""),
    ];
    for (text, runtime, expected) in cases {
        let sources = files(&[
            ("index.js", text),
            ("package.json", package),
            ("data.json", "{}"),
            ("lib/index.js", ""),
            ("lib/util.js", ""),
            ("lib/needs.js", "require('lodash')"),
            ("lib/nested.js", "require('inner')"),
            ("lib/node_modules/inner/index.js", ""),
            ("node_modules/vendored/index.js", "require('not-looked-into')"),
            ("node_modules/vendored/package.json", r#"{"dependencies": {"@scope/vendored": "1"}}"#),
            ("node_modules/@scope/vendored/x.js", ""),
            ("node_modules/dropped/index.js", ""),
        ]);
        assert_eq!(
            told(&depend(&sources, runtime, "index.handler")).join(", "),
            *expected,
            "{runtime} {text}"
        );
    }
    let bare = files(&[("index.js", "require('axios')")]);
    let finding = depend(&bare, "nodejs22", "index.handler").remove(0);
    assert_eq!(finding.why.unwrap(), "the archive has neither a package.json nor a node_modules with it");
    assert!(depend(&bare, "nodejs22", "gone.handler").is_empty());
}

/// npm 6 to 11 remove what a package.json without a lock file does not lead to.
#[test]
fn npm_removes_packages_that_nothing_needs() {
    let code = ("index.js", "require('vendored');");
    let index = ("node_modules/vendored/index.js", "");
    let removed = "dependency-undeclared index.js:1";
    let cases: &[(Texts<'_>, &str)] = &[
        (&[code, index], ""),
        (&[code, index, ("package.json", r#"{"type": "commonjs"}"#)], removed),
        (&[code, index, ("package.json", r#"{"dependencies": {"vendored": "1"}}"#)], ""),
        (&[code, index, ("package.json", r#"{"devDependencies": {"vendored": "1"}}"#)], removed),
        (&[code, index, ("package.json", r#"{"workspaces": ["packages/*"]}"#)], ""),
    ];
    for (sources, expected) in cases {
        let found = depend(&files(sources), "nodejs22", "index.handler");
        assert_eq!(told(&found).join(", "), *expected, "{sources:?}");
    }
}

#[test]
fn what_the_lock_file_installs_is_there() {
    let package = ("package.json", r#"{"dependencies": {"express": "4"}}"#);
    for (entry, expected) in [
        ("{}", "dependency-undeclared index.js:1 (warning)"),
        (r#"{"dev": true}"#, "dependency-undeclared index.js:1"),
    ] {
        let lock = format!(r#"{{"packages": {{"node_modules/express": {{}}, "node_modules/qs": {entry}}}}}"#);
        let sources = files(&[("index.js", "require('qs')"), package, ("package-lock.json", lock.as_str())]);
        assert_eq!(told(&depend(&sources, "nodejs22", "index.handler")), [expected], "{entry}");
    }
}

#[test]
fn vendored_packages_need_others() {
    let needs = (
        "node_modules/a/package.json",
        r#"{"dependencies": {"b": "1", "@types/x": "1", "c": "1"}, "optionalDependencies": {"c": "1"}}"#,
    );
    let inner = ("node_modules/a/node_modules/b/package.json", "{}");
    let outer = ("node_modules/b/package.json", "{}");
    let copied = ("node_modules/.pnpm/b@1/node_modules/b/package.json", "{}");
    let index = ("node_modules/a/index.js", "");
    let other = ("node_modules/a/lib/main.js", "");
    let warned = "dependency-undeclared node_modules/a/package.json (warning)";
    let refused = "dependency-undeclared node_modules/a/package.json";
    let cases: &[(Texts<'_>, &str, &str)] = &[
        (&[needs, index], "require('a')", warned),
        (&[needs, index, inner], "require('a')", ""),
        (&[needs, index, outer], "require('a')", ""),
        (&[needs, index], "exports.x = () => require('a')", ""),
        (&[needs, index, copied], "require('a')", refused),
        // Without its package.json a package's first file is one called index.js.
        (&[index], "require('a')", ""),
        (&[other], "require('a/lib/main')", ""),
        (&[other], "require('a')", "dependency-undeclared index.js:1"),
    ];
    for (packages, code, expected) in cases {
        let mut texts = [&[("index.js", *code)], *packages].concat();
        let found = depend(&files(&texts), "nodejs22", "index.handler");
        assert_eq!(told(&found).join(", "), *expected, "{code} {packages:?}");
        // The platform installs what package.json names.
        texts.push(("package.json", r#"{"dependencies": {"a": "1"}}"#));
        assert_eq!(told(&depend(&files(&texts), "nodejs22", "index.handler")), [""; 0], "{code}");
    }
}

#[test]
fn what_may_not_run_is_no_error() {
    for (text, severity) in [
        ("if (process.env.NODE_ENV !== 'production') require('lodash').config();", Some("warning")),
        ("if (a) {} else if (b) { require('lodash') }", Some("warning")),
        ("process.env.X && require('lodash')", Some("warning")),
        ("const x = c ? require('lodash') : null", Some("warning")),
        ("const x = c || require('lodash')", Some("warning")),
        ("const x = c ?? require('lodash')", Some("warning")),
        ("x ||= require('lodash')", Some("warning")),
        ("switch (x) { case 1: require('lodash') }", Some("warning")),
        ("for (const x of y) require('lodash')", Some("warning")),
        ("while (x) require('lodash')", Some("warning")),
        ("if (require.main === module) { require('lodash') }", None),
        ("if (module == require.main) { require('./gone') }", None),
        ("if (require.main === module) {} else { require('lodash') }", Some("error")),
        ("if (require.main !== module) require('lodash')", Some("error")),
        ("require.main === module && require('lodash')", None),
        ("if (false) require('lodash')", None),
        ("if (!1) require('lodash'); else require('./lib/util')", None),
        ("true || require('lodash')", None),
        ("if (true) require('lodash')", Some("error")),
        ("if (require('lodash').x) {}", Some("error")),
        ("import('lodash').catch(() => null)", None),
        ("import('lodash').then((x) => x).catch(() => null)", None),
        ("import('lodash').then((x) => x, () => null)", None),
        ("import('lodash').then((x) => x)", Some("error")),
        ("import('lodash').catch()", Some("error")),
        ("use(require('lodash')).catch(() => null)", Some("error")),
        ("if (x) {} require('lodash')", Some("error")),
    ] {
        let sources = files(&[("index.js", text), ("lib/util.js", "")]);
        let found = depend(&sources, "nodejs22", "index.handler");
        let severities: Vec<_> = found.iter().map(|problem| problem.severity.id()).collect();
        assert_eq!(severities, severity.into_iter().collect::<Vec<_>>(), "{text}");
        if severity == Some("warning") {
            assert!(found[0].why.as_deref().unwrap().contains("behind a condition"), "{text}");
        }
    }
}

#[test]
fn package_json_must_be_readable() {
    for (text, expected) in [
        ("{}", ""),
        ("\u{feff}{}", ""),
        (r#"{"dependencies": {"a": "1"}}"#, ""),
        ("{\n  \"name\": \"a\",\n}", "package-json-invalid package.json:3"),
        ("", "package-json-invalid package.json:1"),
        ("[]", "package-json-invalid package.json"),
        (r#"{"dependencies": ["a"]}"#, "package-json-invalid package.json"),
        (r#"{"dependencies": {"a": 1}}"#, "package-json-invalid package.json"),
        (r#"{"dependencies": {"a": "workspace:*"}}"#, "package-json-invalid package.json"),
    ] {
        let sources = files(&[("index.js", ""), ("package.json", text)]);
        assert_eq!(told(&depend(&sources, "nodejs22", "index.handler")).join(", "), expected, "{text}");
    }
}

#[test]
fn names_must_be_exported() {
    let wrong = "dependency-undeclared index.js:1";
    for (text, expected) in [
        ("import { nope } from './lib.js'", wrong),
        ("import { there, nope as x } from './lib.js'", wrong),
        ("import lib from './lib.js'", wrong),
        ("export { nope } from './lib.js'", wrong),
        ("import { nope } from './some.js'", wrong),
        ("import { nope } from './self.js'", wrong),
        ("import { there } from './lib.js'", ""),
        ("import * as lib from './lib.js'", ""),
        ("import lib from './default.js'", ""),
        ("import { there } from './some.js'", ""),
        ("import { there } from './self.js'", ""),
        ("import { a, b, C, f } from './default.js'", ""),
        ("import { anything } from './star.js'", ""),
        ("import { anything } from './twice.js'", ""),
        ("import { anything } from './common.cjs'", ""),
        ("import common from './common.cjs'", ""),
        ("import data from './data.json' with { type: 'json' }", ""),
        ("import { other } from './both.js'", ""),
        ("import { nope } from './broken.js'", ""),
        ("const { nope } = await import('./lib.js')", ""),
    ] {
        let sources = files(&[
            ("index.js", text),
            ("package.json", r#"{"type": "module", "dependencies": {"pg": "8"}}"#),
            ("lib.js", "export const there = 1;"),
            (
                "default.js",
                "const [a] = x; let b; export { a, b }; export class C {} export function f() {} export default x();",
            ),
            ("some.js", "export * from './lib.js';"),
            ("self.js", "export * from './self.js'; export * from './lib.js';"),
            ("star.js", "export * from 'pg';"),
            ("twice.js", "export * from './star.js';"),
            ("common.cjs", "exports.x = 1;"),
            ("data.json", "{}"),
            (
                "both.js",
                "export const x = 1; export { y as 'module.exports' }; const y = {}; export const nope = 1;",
            ),
            ("broken.js", "export const ="),
        ]);
        let found = depend(&sources, "nodejs22", "index.handler");
        assert_eq!(told(&found).join(", "), expected, "{text}");
    }
}

#[test]
fn a_linked_directory_must_be_there() {
    let package = r#"{"dependencies": {"a": "file:../a", "b": "file:b"}}"#;
    let text = "require('a'); require('b');";
    let sources = files(&[("index.js", text), ("package.json", package), ("b/package.json", "{}")]);
    let found = depend(&sources, "nodejs22", "index.handler");
    assert_eq!(told(&found), ["dependency-undeclared index.js:1"]);
    assert_eq!(found[0].message, "`a` is `../a`, which the archive does not have");
}

#[test]
fn node_fetch_3_needs_a_newer_require() {
    let version_3 = ("package.json", r#"{"dependencies": {"node-fetch": "^3.3.0"}}"#);
    let version_2 = ("package.json", r#"{"dependencies": {"node-fetch": "^2.6.7"}}"#);
    let any = ("package.json", r#"{"dependencies": {"node-fetch": "*"}}"#);
    let lock = ("package-lock.json", r#"{"packages": {"node_modules/node-fetch": {"version": "2.7.0"}}}"#);
    let vendored = ("node_modules/node-fetch/package.json", r#"{"version": "3.3.2", "type": "module"}"#);
    let requires = ("index.js", "const fetch = require('node-fetch');");
    let imports = ("index.js", "const fetch = import('node-fetch');");
    let wrong = "dependency-incompatible index.js:1";
    let cases: &[(Texts<'_>, &str, &str)] = &[
        (&[requires, version_3], "nodejs16", wrong),
        (&[requires, version_3], "nodejs18", wrong),
        (&[requires, version_3], "nodejs22", ""),
        (&[requires, version_2], "nodejs16", ""),
        (&[requires, any], "nodejs16", wrong),
        (&[requires, any, lock], "nodejs16", ""),
        (&[requires, vendored], "nodejs16", wrong),
        (&[imports, version_3], "nodejs16", ""),
    ];
    for (sources, runtime, expected) in cases {
        let found = depend(&files(sources), runtime, "index.handler");
        assert_eq!(told(&found).join(", "), *expected, "{runtime} {sources:?}");
    }
}
