//! What is told of an export, in the styles that people and their tools write.

use crate::model::javascript::handlers;
use crate::model::javascript::tests::{Files, files, judge};

const FINE: &str = "";
const MISSING: &str = "entrypoint-export-missing";
const NOT_CALLABLE: &str = "entrypoint-not-callable";
const UNKNOWN: &str = "entrypoint-unknown";
const SIGNATURE: &str = "entrypoint-signature";
const NO_RESULT: &str = "entrypoint-no-result";

/// What `index.handler` of one file is, on nodejs22.
const STYLES: &[(&str, &str)] = &[
    // CommonJS by hand.
    (FINE, "exports.handler = async (event, context) => ({ statusCode: 200 });"),
    (FINE, "module.exports.handler = async function (event, context) { return {}; };"),
    (FINE, "module.exports = { handler: async () => ({}) };"),
    (FINE, "module.exports = { async handler(event) { return event; } };"),
    (FINE, "const handler = async () => ({});\nmodule.exports = { handler };"),
    (FINE, "function handler() { return 1 }\nmodule.exports = { handler, other: 1 };"),
    (FINE, "exports = module.exports = { handler() { return 1 } };"),
    (FINE, "module.exports = exports = {}; exports.handler = () => 1;"),
    (FINE, "exports[\"handler\"] = () => 1;"),
    (FINE, "exports[`handler`] = () => 1;"),
    (FINE, "Object.defineProperty(exports, 'handler', { value: () => 1 });"),
    (
        FINE,
        "Object.defineProperty(exports, 'handler', { enumerable: true, get() { return main } }); async function main() {}",
    ),
    (FINE, "Object.assign(module.exports, { handler: () => 1 });"),
    (FINE, "Object.assign(exports, { a: 1 }, { async handler() {} });"),
    (FINE, "module.exports = Object.freeze({ handler: () => 1 });"),
    (FINE, "module.exports = Object.assign({}, { handler: () => 1 });"),
    (FINE, "module.exports = () => 1;\nmodule.exports.handler = () => 2;"),
    (FINE, "const api = {};\napi.handler = async () => 1;\nmodule.exports = api;"),
    (FINE, "const api = module.exports = {};\napi.handler = async () => 1;"),
    (FINE, "var self = exports;\nself.handler = async function () {};"),
    (FINE, "this.handler = () => 1;"),
    (FINE, "module.exports.a = module.exports.handler = () => 1;"),
    (FINE, "exports.main = () => 1; exports.handler = exports.main;"),
    (FINE, "let handler;\nhandler = async () => 1;\nexports.handler = handler;"),
    (FINE, "class Api { static handler() { return 1 } }\nmodule.exports = Api;"),
    (FINE, "module.exports = class { static async handler() {} };"),
    (FINE, "exports.handler = function* () {};"),
    (FINE, "exports.handler = fallback || (() => 1); async function fallback() {}"),
    (FINE, "exports.handler = process.env.A ? async () => 1 : async () => 2;"),
    (FINE, "if (process.env.A) { exports.handler = () => 1 } else { exports.handler = () => 2 }"),
    (FINE, "try { exports.handler = () => 1 } catch {}"),
    (FINE, "(function () { exports.handler = () => 1; })();"),
    (FINE, "(() => { const run = () => 1; module.exports = { handler: run }; })();"),
    (FINE, "!function () { module.exports.handler = () => 1 }();"),
    (FINE, "exports.handler = 1;\nexports.handler = () => 1;"),
    (FINE, "exports.handler = () => 1;\nif (require.main === module) { exports.handler(); }"),
    (FINE, "#!/usr/bin/env node\n'use strict';\nexports.handler = () => 1;"),
    (FINE, "const handlers = { main() {}, async handler() {} };\nmodule.exports = { ...handlers };"),
    (FINE, "const { handler } = { handler: () => 1 };\nexports.handler = handler;"),
    (MISSING, "exports.main = async () => 1;"),
    (MISSING, "module.exports = { main: () => 1 };"),
    (MISSING, "module.exports = async () => 1;"),
    (MISSING, "module.exports = class Handler {};"),
    (MISSING, "async function handler() {}"),
    (MISSING, ""),
    (MISSING, "// exports.handler = () => 1;"),
    (MISSING, "exports = { handler: () => 1 };"),
    (MISSING, "module.exports = {};\nexports.handler = () => 1;"),
    (MISSING, "exports.handler = () => 1;\nmodule.exports = { main: () => 1 };"),
    (MISSING, "(function (exports) { exports.handler = () => 1 });"),
    (MISSING, "exports.main = () => 1;\nif (require.main === module) exports.main();"),
    (MISSING, "exports.main = () => 1;\nmain(exports.main);\nfunction main(f) { return f }"),
    (NOT_CALLABLE, "exports.handler = 'index';"),
    (NOT_CALLABLE, "exports.handler = { run() {} };"),
    (NOT_CALLABLE, "exports.handler = [() => 1];"),
    (NOT_CALLABLE, "exports.handler = /x/;"),
    (NOT_CALLABLE, "exports.handler = `x${1}`;"),
    (NOT_CALLABLE, "exports.handler = class { handle() {} };"),
    (NOT_CALLABLE, "class Handler {}\nmodule.exports = { handler: Handler };"),
    (NOT_CALLABLE, "exports.handler = undefined;"),
    (NOT_CALLABLE, "let handler;\nexports.handler = handler;"),
    (NOT_CALLABLE, "exports.handler = () => 1;\nexports.handler = null;"),
    (UNKNOWN, "exports.handler = wrap(async () => 1);"),
    (UNKNOWN, "exports.handler = middy(base).use(cors());\nfunction base() {}"),
    (UNKNOWN, "exports.handler = app.handle.bind(app);"),
    (UNKNOWN, "const serverless = require('serverless-http');\nmodule.exports.handler = serverless(app);"),
    (UNKNOWN, "for (const name of names) exports[name] = () => 1;"),
    (UNKNOWN, "module.exports = build();"),
    (UNKNOWN, "module.exports = process.env.A ? one : two;"),
    (UNKNOWN, "module.exports = new Proxy({}, {});"),
    (UNKNOWN, "module.exports = { ...load() };"),
    (UNKNOWN, "module.exports = { [name]: () => 1 };"),
    (UNKNOWN, "register(exports);"),
    (UNKNOWN, "register(module);"),
    (UNKNOWN, "(function (root) { root.handler = () => 1 })(this);"),
    (UNKNOWN, "[exports.handler] = [() => 1];"),
    (UNKNOWN, "let handler = () => 1;\nif (a) handler = 5;\nexports.handler = handler;"),
    (FINE, "function later() { module.exports = { async handler() {} } }\nlater();"),
    (UNKNOWN, "const api = {};\nfill(api);\nmodule.exports = api;"),
    (SIGNATURE, "exports.handler = (event, context, callback) => callback(null, {});"),
    (SIGNATURE, "exports.handler = function (event, context, { done }) {};"),
    ("entrypoint-signature (warning)", "exports.handler = (event, context, callback) => 1;"),
    (NO_RESULT, "exports.handler = () => {};"),
    (
        NO_RESULT,
        "exports.handler = (event, context) => { work().then((found) => { return found }); return; };",
    ),
    (NO_RESULT, "module.exports = { handler(event) { function inner() { return 1 } inner(); } };"),
    (NO_RESULT, "exports.handler = (event, context, callback) => { console.log(event) };"),
    (NO_RESULT, "exports.handler = process.env.A ? () => {} : () => {};"),
    (FINE, "exports.handler = process.env.A ? () => {} : () => 1;"),
    (FINE, "exports.handler = process.env.A ? () => 1 : () => {};"),
    (FINE, "exports.handler = (event) => { for (const item of event) { if (item) { return item } } };"),
    (FINE, "exports.handler = () => { throw new Error('not yet') };"),
    (FINE, "exports.handler = () => console.log(1);"),
    (FINE, "exports.handler = async () => {};"),
    // Another one may have taken its place.
    (FINE, "exports.handler = () => {};\nwrap(exports);"),
    (FINE, "exports.handler = () => {};\nfor (const name in exports) exports[name] = wrap(exports[name]);"),
    (FINE, "exports.handler = () => {};\nObject.assign(exports, wrap());"),
    (FINE, "exports.handler = () => {};\nif (process.env.A) module.exports = wrap(module.exports);"),
    (FINE, "const api = { handler() {} };\nwrap(api);\nmodule.exports = api;"),
    (FINE, "const api = { handler() {} };\nwrap(api);\nexports.handler = api.handler;"),
    (FINE, "const api = { handler() {}, ...wrap() };\nexports.handler = api.handler;"),
    (FINE, "module.exports = { handler() {}, ...wrap() };"),
    (FINE, "module.exports = process.env.A ? { async handler() {} } : { handler() {} };"),
    (FINE, "const main = () => {};\nset(() => { const main = async () => {}; exports.handler = main });"),
    (FINE, "module.exports = { ...{ async handler() {} } };\nif (process.env.A) exports.handler = () => {};"),
    (FINE, "exports.handler = async () => {};\nif (process.env.A) exports.handler = () => {};"),
    (NO_RESULT, "exports.handler = () => {};\nObject.assign(exports, { main: 1 });"),
    (NO_RESULT, "module.exports = { handler() {}, ...{ main: 1 } };"),
    (NO_RESULT, "const api = { handler() {} };\nexports.handler = api.handler;"),
    (FINE, "exports.handler = (event, context, options = {}) => options;"),
    (FINE, "exports.handler = (event, ...rest) => rest;"),
    // TypeScript's output.
    (
        FINE,
        "'use strict';\nObject.defineProperty(exports, '__esModule', { value: true });\nexports.handler = void 0;\n\
         const handler = async () => ({});\nexports.handler = handler;",
    ),
    (
        FINE,
        "Object.defineProperty(exports, '__esModule', { value: true });\nexports.handler = handler;\n\
         exports.other = other;\nasync function handler() {}\nfunction other() {}",
    ),
    (
        FINE,
        "var __importDefault = (this && this.__importDefault) || function (mod) { return mod };\n\
         const fs_1 = __importDefault(require('fs'));\nexports.handler = async () => fs_1.default;",
    ),
    (
        MISSING,
        "var __export = (this && this.__export) || function (m, exports) { for (var p in m) exports[p] = m[p] };\n\
         exports.main = void 0;\nexports.main = () => 1;",
    ),
    // Babel's output.
    (
        FINE,
        "Object.defineProperty(exports, '__esModule', { value: true });\n\
         exports.other = exports.handler = void 0;\nvar _fs = _interopRequireDefault(require('fs'));\n\
         function _interopRequireDefault(e) { return e && e.__esModule ? e : { default: e } }\n\
         const handler = async () => _fs.default; exports.handler = handler; exports.other = 1;",
    ),
    // esbuild's output.
    (
        FINE,
        "var __defProp = Object.defineProperty;\n\
         var __export = (target, all) => { for (var name in all) __defProp(target, name, { get: all[name] }) };\n\
         var __toCommonJS = (mod) => mod;\nvar src_exports = {};\n\
         __export(src_exports, { handler: () => handler });\nmodule.exports = __toCommonJS(src_exports);\n\
         async function handler() {}\n0 && (module.exports = { handler });",
    ),
    (
        MISSING,
        "var __export = (target, all) => {};\nvar __toCommonJS = (mod) => mod;\nvar src_exports = {};\n\
         __export(src_exports, { main: () => main });\nmodule.exports = __toCommonJS(src_exports);\n\
         async function main() {}\n0 && (module.exports = { main });",
    ),
    (
        UNKNOWN,
        "var require_index = __commonJS({ 'src/index.js'(exports2) { exports2.handler = () => 1 } });\n\
         module.exports = require_index();",
    ),
    // What holds the exports goes by several names, as in what webpack minifies.
    (FINE, "const e = {};\nconst t = e;\nt.handler = () => 1;\nmodule.exports = e;"),
    (FINE, "let t;\nconst e = {};\nt = e;\nt.handler = () => 1;\nmodule.exports = e;"),
    (
        UNKNOWN,
        "(()=>{\"use strict\";let e={};(()=>{let t=e;Object.defineProperty(t,\"__esModule\",{value:!0}),t.handler=void 0;\
         t.handler=(e,t)=>({body:t})})(),module.exports=e})();",
    ),
    (FINE, "(() => { this.handler = () => 1; })();"),
    (MISSING, "(function () { this.handler = () => 1; })();"),
    (UNKNOWN, "const e = {};\nconst t = e;\nfill({ t });\nmodule.exports = e;"),
    (MISSING, "const e = { main() {} };\nmodule.exports = e;"),
    // webpack's output.
    (
        FINE,
        "(() => { 'use strict';\nvar __webpack_require__ = {};\n\
         __webpack_require__.r = () => {};\n__webpack_require__.d = (exports, definition) => {\n\
         for (var key in definition) Object.defineProperty(exports, key, { get: definition[key] }) };\n\
         var __webpack_exports__ = {};\n__webpack_require__.r(__webpack_exports__);\n\
         __webpack_require__.d(__webpack_exports__, { handler: () => (handler) });\n\
         const handler = async () => 1;\nmodule.exports = __webpack_exports__;\n})();",
    ),
    (
        UNKNOWN,
        "(() => { var __webpack_modules__ = { 1: (module) => { module.exports = {} } };\n\
         var __webpack_exports__ = __webpack_require__(1);\nvar target = exports;\n\
         for (var i in __webpack_exports__) target[i] = __webpack_exports__[i];\n})();",
    ),
    // Rollup's output.
    (
        FINE,
        "'use strict';\nvar fs = require('fs');\nconst handler = async () => fs;\nexports.handler = handler;",
    ),
    // UMD.
    (
        UNKNOWN,
        "(function (root, factory) { if (typeof module === 'object') module.exports = factory(); \
         else root.lib = factory() })(this, function () { return { handler() {} } });",
    ),
    // ES modules.
    (FINE, "export const handler = async (event) => event;"),
    (FINE, "export async function handler() {}"),
    (FINE, "const run = () => 1;\nexport { run as handler };"),
    (FINE, "import fs from 'node:fs';\nlet handler = () => fs;\nexport { handler };"),
    (FINE, "export let handler;\nhandler = () => 1;"),
    (FINE, "const api = { async handler() {} };\nexport const { handler } = api;"),
    (FINE, "const api = { async handler() {} };\nexport { api as 'module.exports' };"),
    (MISSING, "export default async function handler() {}"),
    (MISSING, "export const main = () => 1;"),
    (NOT_CALLABLE, "export const handler = { run() {} };"),
    (NOT_CALLABLE, "export class handler {}"),
    (UNKNOWN, "import middy from '@middy/core';\nexport const handler = middy(() => 1);"),
    (UNKNOWN, "export { handler } from 'some-package';"),
    (UNKNOWN, "export * from 'some-package';"),
    (SIGNATURE, "export const handler = async (event, context, callback) => { callback() };"),
];

#[test]
fn styles_of_one_file() {
    let mut wrong = Vec::new();
    for (expected, text) in STYLES {
        let found = judge(&files(&[("index.js", text)]), "nodejs22", "index.handler");
        let names: Vec<String> = found
            .iter()
            .map(|finding| {
                let other = finding.severity != finding.rule.severity;
                format!("{}{}", finding.rule.name, if other { " (warning)" } else { "" })
            })
            .collect();
        if names.join(", ") != *expected {
            wrong.push(format!("expected `{expected}`, got {names:?} for\n{text}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exports_are_followed_through_the_archive() {
    let made =
        ("made.js", "exports.handler = async () => 1;\nexports.text = 'x';\nexports.default = () => 1;");
    let esm =
        ("esm/made.js", "export const handler = () => 1;\nexport default handler;\nexport class Api {}");
    let package = ("esm/package.json", r#"{"type": "module"}"#);
    let cases: &[(&str, &str, &str)] = &[
        ("index.js", "module.exports = require('./made');", FINE),
        ("index.js", "module.exports = { ...require('./made') };", FINE),
        ("index.js", "exports.handler = require('./made').handler;", FINE),
        ("index.js", "const { handler } = require('./made');\nmodule.exports = { handler };", FINE),
        ("index.js", "const { handler: run } = require('./made.js');\nexports.handler = run;", FINE),
        ("index.js", "const made = require('./made');\nexports.handler = made.text;", NOT_CALLABLE),
        ("index.js", "exports.handler = require('./made').none;", NOT_CALLABLE),
        ("index.js", "Object.assign(exports, require('./made'));", FINE),
        ("index.js", "var __exportStar = function () {};\n__exportStar(require('./made'), exports);", FINE),
        (
            "index.js",
            "const tslib_1 = require('tslib');\n(0, tslib_1.__exportStar)(require('./made'), exports);",
            FINE,
        ),
        (
            "index.js",
            "function __export(m) { for (var p in m) exports[p] = m[p] }\n__export(require('./made'));",
            FINE,
        ),
        ("index.js", "__createBinding(exports, require('./made'), 'handler');", FINE),
        ("index.js", "__createBinding(exports, require('./made'), 'text', 'handler');", NOT_CALLABLE),
        (
            "index.js",
            "var made_1 = require('./made');\n\
             Object.defineProperty(exports, 'handler', { enumerable: true, get: function () { return made_1.handler } });",
            FINE,
        ),
        (
            "index.js",
            "var m = __importDefault(require('./made'));\nexports.handler = m.default.handler;",
            FINE,
        ),
        (
            "index.js",
            "var src_exports = {};\n__reExport(src_exports, require('./made'), module.exports);\n\
             module.exports = __toCommonJS(src_exports);",
            FINE,
        ),
        ("index.js", "exports.handler = require('./esm/made.js').handler;", FINE),
        ("index.js", "exports.handler = require('./esm/made.js').Api;", NOT_CALLABLE),
        ("index.js", "module.exports = require('some-package');", UNKNOWN),
        ("index.js", "module.exports = { ...require('some-package'), main() {} };", UNKNOWN),
        ("index.js", "module.exports = require('./index.js');", MISSING),
        ("index.js", "module.exports = require('./data.json');", NOT_CALLABLE),
        ("esm/index.js", "export { handler } from './made.js';", FINE),
        ("esm/index.js", "export { default as handler } from './made.js';", FINE),
        ("esm/index.js", "export * from './made.js';", FINE),
        ("esm/index.js", "export * as handler from './made.js';", NOT_CALLABLE),
        ("esm/index.js", "import { handler } from './made.js';\nexport { handler };", FINE),
        ("esm/index.js", "import run from './made.js';\nexport const handler = run;", FINE),
        ("esm/index.js", "import * as made from './made.js';\nexport const handler = made.handler;", FINE),
        ("esm/index.js", "import made from '../made.js';\nexport const handler = made.handler;", FINE),
        ("esm/index.js", "export { Api as handler } from './made.js';", NOT_CALLABLE),
        ("esm/index.js", "export * from './index.js';", MISSING),
        ("esm/index.js", "export * from './made.js';\nexport * from './index.js';", FINE),
    ];
    let mut wrong = Vec::new();
    for (path, text, expected) in cases {
        let data = ("data.json", r#"{"handler": 1}"#);
        let sources = files(&[made, esm, package, data, ("index.js", ""), (path, text)]);
        let found = judge(&sources, "nodejs22", &path.replace(".js", ".handler"));
        let names: Vec<&str> = found.iter().map(|finding| finding.rule.name).collect();
        if names.join(", ") != *expected {
            wrong.push(format!("expected `{expected}`, got {names:?} for {path}\n{text}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_missing_export_names_what_is_there() {
    let fix = |text: &str, entrypoint: &str| {
        let finding = judge(&files(&[("index.js", text)]), "nodejs22", entrypoint).remove(0);
        (finding.why.unwrap(), finding.fix.unwrap())
    };
    let told = |why: &str, fix: &str| (why.to_owned(), fix.to_owned());
    assert_eq!(
        fix("exports.handle = () => 1; exports.text = 1", "index.handler"),
        told("it exports `handle`, `text`", "did you mean `index.handle`?")
    );
    assert_eq!(
        fix("exports.Main = () => 1; exports.xyz = 1", "index.main"),
        told("it exports `Main`, `xyz`", "did you mean `index.Main`?")
    );
    assert_eq!(
        fix("exports.run = () => 1; exports.text = 1", "index.handler"),
        told("it exports `run`, `text`", "take the entry point `index.run`, or export `handler`")
    );
    assert_eq!(
        fix("exports = { handler() {} }", "index.handler"),
        told("it exports nothing", "`exports = …` only changes a variable: write `module.exports = …`")
    );
    assert_eq!(
        fix("function handler() {}", "index.handler"),
        told("it exports nothing", "it declares `handler`: add `exports.handler = handler`")
    );
    assert_eq!(
        fix("function handler() {}; export {}", "index.handler"),
        told("it exports nothing", "it declares `handler`: put `export` before it")
    );
    assert_eq!(
        fix("export default async function handler() {}", "index.handler"),
        told("it exports `default`", "take the entry point `index.default`, or export `handler`")
    );
    assert_eq!(
        fix("module.exports = () => 1", "index.handler").0,
        "`module.exports` is itself a function, without that name on it"
    );
}

#[test]
fn handlers_are_guessed() {
    let sources = files(&[
        ("package.json", r#"{"main": "dist/app.js"}"#),
        ("dist/app.js", "exports.start = () => 1; exports.handler = wrap(1); exports.version = '1';"),
        (
            "dist/util.js",
            "exports.join = (a, b) => 1; exports.each = (a, b, c) => c; exports.wrapped = wrap(1);",
        ),
        ("index.js", "export async function main() {}\nexport default main;"),
        ("src/index.test.js", "exports.handler = () => 1;"),
        ("test/index.js", "exports.handler = () => 1;"),
        ("node_modules/a/index.js", "exports.handler = () => 1;"),
        ("broken.js", "((("),
    ]);
    assert_eq!(handlers(&sources), ["dist/app.handler", "index.main"]);
    let sources = files(&[(
        "a.js",
        "exports.x = (id) => 1; exports.y = (_event, ctx) => 1; exports.z = (event, id) => 1",
    )]);
    assert_eq!(handlers(&sources), ["a.y"], "parameters tell");
    let sources = files(&[("a.js", "exports.x = (id) => 1; exports.y = () => 1;")]);
    assert_eq!(handlers(&sources), ["a.x", "a.y"], "any function could be one");
    let third = ("a.js", "exports.handler = (event, context, callback) => 1; exports.each = (a, b, c) => c");
    assert_eq!(handlers(&files(&[third])), ["a.handler"], "better than none");
    let better = ("b.js", "exports.main = () => 1");
    assert_eq!(handlers(&files(&[third, better])), ["b.main"]);
    assert!(handlers(&Files::new()).is_empty());
}
