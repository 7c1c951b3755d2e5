//! Input that was made to break whoever reads it.

use proptest::prelude::*;

use crate::model::javascript::handlers;
use crate::model::javascript::tests::{Files, depend, files, judge, told};

/// A tree of so much would fill the memory.
#[test]
fn what_is_too_long_is_unknown() {
    let long = format!("exports.main = () => 1;{}", ";".repeat(16 << 20));
    assert_eq!(
        told(&judge(&files(&[("index.js", &long)]), "nodejs22", "index.main")),
        ["entrypoint-unknown index.js"]
    );
}

/// Inputs that would take a recursive parser, or us, arbitrarily deep or long.
#[test]
fn no_nesting_overflows_the_stack() {
    let nestings: &[(&str, &str, &str)] = &[
        ("(", "a", ")"),
        ("[", "a", "]"),
        ("{", ";", "}"),
        ("x={a:", "a", "}"),
        ("!", "a", ""),
        ("a=>", "a", ""),
        ("a=>{", "", "}"),
        ("new ", "a", ""),
        ("if(a)", ";", ""),
        ("if(a);else ", ";", ""),
        ("a=", "a", ""),
        ("a?a:", "a", ""),
        ("f(", "a", ")"),
        ("`${", "a", "}`"),
        ("a+", "a", ""),
        ("a.", "a", ""),
        ("a?.", "a", ""),
        ("a&&", "a", ""),
        ("a**", "a", ""),
        ("a:", "a", ""),
        ("for(;;)", ";", ""),
        ("a``", "", ""),
        ("x=function(){", "", "}"),
        ("class A extends ", "B", "{}"),
        ("class A{x=", "a", "}"),
        ("(async(a,b=", "a", ")=>a)"),
        ("x=a?(", "a", "):a"),
        ("module.exports={a:", "a", "}"),
        ("exports.a=", "a", ""),
        ("/a/.", "a", ""),
        ("}", "/\"/", "("),
    ];
    for (open, middle, close) in nestings {
        // The last count is too deep for some and not for others.
        for count in [100, 490, 10_000] {
            let text = format!("{}{middle}{}", open.repeat(count), close.repeat(count));
            let sources = files(&[("index.js", &text)]);
            judge(&sources, "nodejs22", "index.handler");
        }
    }
    let chain: String = (0..20_000).map(|n| format!("const a{} = a{n};\n", n + 1)).collect();
    let sources = files(&[("index.js", &format!("{chain}exports.handler = a20000;"))]);
    assert_eq!(told(&judge(&sources, "nodejs22", "index.handler")), ["entrypoint-unknown index.js:20001"]);
    let doubling: String = (0..60).map(|n| format!("const a{} = {{ ...a{n}, b: a{n} }};\n", n + 1)).collect();
    let sources = files(&[("index.js", &format!("{doubling}module.exports = a60;"))]);
    assert_eq!(told(&judge(&sources, "nodejs22", "index.handler")), ["entrypoint-unknown index.js"]);
    let modules: Vec<(String, String)> = (0..200)
        .map(|n| {
            (format!("m{n}.js"), format!("export * from './m{}.js'; export * from './m{}.js';", n + 1, n + 2))
        })
        .collect();
    let sources: Files = modules.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    judge(&sources, "nodejs22", "m0.handler");
}

#[test]
fn what_is_nested_too_deeply_is_unknown() {
    let brackets = ("(".repeat(5_000), ")".repeat(5_000));
    // A stack for as many would take more than there may be.
    let tokens = ("!".repeat(300_000), String::new());
    for (open, close) in [brackets, tokens] {
        let text = format!("exports.handler = () => {open}1{close};");
        let sources = files(&[("index.js", &text)]);
        assert_eq!(told(&judge(&sources, "nodejs22", "index.handler")), ["entrypoint-unknown index.js"]);
    }
}

proptest! {
    #[test]
    fn any_text_is_judged(text in ".{0,200}", entrypoint in "[a-z./\\\\]{0,12}") {
        let sources = files(&[("index.js", &text), ("package.json", &text)]);
        judge(&sources, "nodejs16", "index.handler");
        judge(&sources, "nodejs22", &entrypoint);
        depend(&sources, "nodejs22", "index.handler");
        handlers(&sources);
    }

    /// Pieces of real code in any order parse more often than any text does.
    #[test]
    fn any_pieces_are_judged(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..30)) {
        let text = pieces.join(" ");
        for package in ["{}", r#"{"type": "module"}"#] {
            let sources = files(&[("index.js", &text), ("package.json", package), ("x.js", &text)]);
            judge(&sources, "nodejs22", "index.handler");
            depend(&sources, "nodejs12", "index.handler");
            handlers(&sources);
        }
    }
}

const PIECES: &[&str] = &[
    "exports",
    "module",
    ".exports",
    ".handler",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "=",
    "=>",
    ",",
    ";",
    "\n",
    "...",
    "require('./x')",
    "require('y')",
    "function",
    "async",
    "handler",
    "(event, context, callback)",
    "class",
    "export",
    "import",
    "from './x.js'",
    "* as ns",
    "default",
    "const",
    "let",
    "x",
    "1",
    "'s'",
    "`t${",
    "`",
    "/r/v",
    "/",
    "?",
    ":",
    "?.",
    "??",
    "await",
    "new",
    "this",
    "Object.assign",
    "Object.defineProperty",
    "__exportStar",
    "if",
    "else",
    "for",
    "try",
    "catch",
    "return",
    "static",
    "#p",
    "//",
    "/*",
    "*/",
    "\\",
    "<!--",
    "++",
    "@",
];
