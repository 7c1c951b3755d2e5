//! Bytes of a Python file in, its syntax tree or the reason why there is none out.

use std::borrow::Cow;

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ModModule, PythonVersion};
use ruff_python_parser::{
    Mode, ParseOptions, Parsed, UnsupportedSyntaxErrorKind, lexer::lex, parse_unchecked,
};
use ruff_text_size::{Ranged, TextSize};

use crate::model::finding::{self, Finding};
use crate::model::python::misplaced;
use crate::model::runtime::Runtime;

/// CPython's own bounds (`MAXLEVEL` and `MAXINDENT` of its tokenizer): beyond them it refuses the file.
const BRACKETS_MAX: usize = 200;
const INDENTS_MAX: usize = 100;
/// How many operators may nest in one logical line. CPython's bound is higher and depends on its
/// version; what lies between is not judged, because walking such a tree needs a stack as deep.
const CHAIN_MAX: u32 = 800;
/// Bytes of a file that is still read.
const SIZE_MAX: usize = 16 << 20;

/// A file that parses. `too_new` are findings about syntax that the runtime does not have.
pub struct Source {
    pub tree: Parsed<ModModule>,
    pub lines: Lines,
    pub too_new: Vec<Box<Finding>>,
}

pub enum Unparsed {
    /// The interpreter refuses the file.
    Broken(Box<Finding>),
    /// It may well be right, but it cannot be judged here.
    Undecided,
}

/// Where lines begin, to turn offsets into line numbers.
pub struct Lines(Vec<u32>);

impl Lines {
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let starts = bytes.iter().enumerate().filter(|(index, byte)| {
            **byte == b'\n' || (**byte == b'\r' && bytes.get(index + 1) != Some(&b'\n'))
        });
        Self(starts.map(|(index, _)| u32::try_from(index).unwrap_or(u32::MAX)).collect())
    }

    /// The line, from 1, that a node begins on.
    pub fn line(&self, node: &impl Ranged) -> u32 {
        self.at(node.start())
    }

    fn at(&self, offset: TextSize) -> u32 {
        let offset = u32::from(offset);
        u32::try_from(self.0.partition_point(|end| *end < offset)).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// # Errors
/// [`Unparsed`], with [`finding::SOURCE_SYNTAX`] if the interpreter would refuse the file.
pub fn parse(path: &str, bytes: &[u8], runtime: &Runtime) -> Result<Source, Unparsed> {
    if bytes.len() > SIZE_MAX {
        return Err(Unparsed::Undecided);
    }
    let text = decode(path, bytes)?;
    check_depth(path, &text)?;
    let (major, minor) = runtime.version();
    let version = PythonVersion {
        major: u8::try_from(major).unwrap_or(u8::MAX),
        minor: u8::try_from(minor).unwrap_or(u8::MAX),
    };
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    let Some(tree) = parse_unchecked(&text, options).try_into_module() else {
        return Err(Unparsed::Undecided);
    };
    let lines = Lines::of(&text);
    if let Some(error) = tree.errors().first() {
        let line = lines.at(error.location.start());
        let problem = broken(path, line, &uncapitalised(&error.error.to_string()));
        let problem = match python2(&text, &tree) {
            Some(sign) => problem
                .why(format!("{sign} is Python 2, and the runtime is Python {major}.{minor}"))
                .fix("port the file to Python 3 (the tool `2to3` did that up to Python 3.12)"),
            None => problem,
        };
        // What the parser makes of a broken file is not bounded by `check_depth`, and dropping it recurses.
        std::mem::forget(tree);
        return Err(Unparsed::Broken(problem));
    }
    if let Some(misplaced) = misplaced::first(tree.suite()) {
        let line = lines.at(misplaced.start);
        return Err(Unparsed::Broken(broken(path, line, misplaced.problem)));
    }
    let too_new = too_new(path, &tree, &lines, runtime);
    Ok(Source { tree, lines, too_new })
}

fn too_new(path: &str, tree: &Parsed<ModModule>, lines: &Lines, runtime: &Runtime) -> Vec<Box<Finding>> {
    let errors = tree.unsupported_syntax_errors();
    // One finding for a kind of syntax is enough: the remedy is the same for all places.
    let firsts = errors.iter().enumerate().filter(|(index, error)| {
        !errors[..*index].iter().any(|earlier| earlier.to_string() == error.to_string())
    });
    firsts
        .map(|(_, error)| {
            let line = lines.at(error.range.start());
            let finding = finding::SYNTAX_TOO_NEW
                .finding(format!("`{path}` line {line}: {}", uncapitalised(&error.to_string())))
                .at(path)
                .line(line);
            match error.kind {
                UnsupportedSyntaxErrorKind::UnparenthesizedExceptionTypes => finding
                    .why("`except A, b:` is also how Python 2 named a caught exception")
                    .fix("write `except (A, B):`, or `except A as b:` if `b` is meant to be the exception"),
                _ => finding
                    .why(format!("`{}` runs Python {}", runtime.id, runtime.interpreter))
                    .fix("write it without that syntax, or take a newer runtime"),
            }
        })
        .collect()
}

fn broken(path: &str, line: u32, problem: &str) -> Box<Finding> {
    finding::SOURCE_SYNTAX
        .finding(format!("`{path}` line {line} does not parse: {problem}"))
        .at(path)
        .line(line)
}

/// The text of a file, by its byte order mark or its coding comment (PEP 263), else UTF-8.
fn decode<'a>(path: &str, bytes: &'a [u8]) -> Result<Cow<'a, str>, Unparsed> {
    if bytes.contains(&0) && bytes.first() != Some(&0xFF) && bytes.first() != Some(&0xFE) {
        return Err(Unparsed::Broken(
            broken(path, 1, "it contains null bytes").fix("save the file as UTF-8"),
        ));
    }
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let declared = declared_encoding(body);
    match declared.as_deref() {
        None | Some("utf-8" | "utf8" | "u8" | "utf" | "utf-8-sig") => match str::from_utf8(body) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => {
                let before = body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
                let line = u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1);
                let finding = finding::SOURCE_SYNTAX
                    .finding(format!("`{path}` line {line} is not UTF-8"))
                    .why("Python reads a file as UTF-8 unless its first or second line declares another encoding")
                    .fix("save the file as UTF-8, or declare its encoding: `# -*- coding: cp1251 -*-`")
                    .at(path)
                    .line(line);
                Err(Unparsed::Broken(finding))
            }
        },
        // In all of these a byte is a character and the lower half is ASCII. What the upper half
        // means matters only inside strings and comments, so any letters do.
        Some(name) if SINGLE_BYTE.iter().any(|prefix| name.starts_with(prefix)) => {
            Ok(Cow::Owned(body.iter().map(|byte| char::from(*byte)).collect()))
        }
        Some(_) => Err(Unparsed::Undecided),
    }
}

const SINGLE_BYTE: [&str; 8] =
    ["latin", "iso-8859", "iso8859", "cp125", "windows-125", "koi8", "ascii", "us-ascii"];

/// The encoding that the first or second line declares, in lower case and with hyphens.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    for line in bytes.split(|byte| *byte == b'\n').take(2) {
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let comment = text.strip_prefix(b"#")?;
        if let Some(name) = encoding_in(comment) {
            return Some(name);
        }
    }
    None
}

fn encoding_in(comment: &[u8]) -> Option<String> {
    const WORD: &[u8] = b"coding";
    let mut rest = comment;
    while let Some(start) = rest.windows(WORD.len()).position(|window| window == WORD) {
        rest = &rest[start + WORD.len()..];
        if let Some((b':' | b'=', value)) = rest.split_first() {
            let name: String = value
                .iter()
                .skip_while(|byte| matches!(byte, b' ' | b'\t'))
                .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
                .map(|byte| if *byte == b'_' { '-' } else { char::from(byte.to_ascii_lowercase()) })
                .collect();
            return (!name.is_empty()).then_some(name);
        }
    }
    None
}

/// Refuses what nests so deeply that a tree of it could not be walked (or dropped) on an ordinary
/// stack. The lexer does not recurse, so it can look first.
fn check_depth(path: &str, text: &str) -> Result<(), Unparsed> {
    let mut lexer = lex(text, Mode::Module);
    let mut depth = Depth::new();
    loop {
        let kind = lexer.next_token();
        if kind == TokenKind::EndOfFile {
            return Ok(());
        }
        depth.count(kind);
        // The first is the line's own.
        if depth.chains.len() > BRACKETS_MAX + 1 {
            return Err(Unparsed::Broken(broken(path, 1, "too many nested parentheses")));
        }
        if depth.indents >= INDENTS_MAX {
            return Err(Unparsed::Broken(broken(path, 1, "too many levels of indentation")));
        }
        if depth.total > CHAIN_MAX {
            return Err(Unparsed::Undecided);
        }
    }
}

/// An upper bound of how deeply the expressions of one logical line nest.
struct Depth {
    indents: usize,
    /// For each open bracket the operators since the last comma, and whether there is a lambda:
    /// a comma between a lambda's parameters does not end it.
    chains: Vec<(u32, bool)>,
    total: u32,
}

impl Depth {
    fn new() -> Self {
        Self { indents: 0, chains: vec![(0, false)], total: 0 }
    }

    fn begin_line(&mut self) {
        self.chains.clear();
        self.chains.push((0, false));
        self.total = 0;
    }

    fn count(&mut self, kind: TokenKind) {
        match kind {
            TokenKind::Indent => self.indents += 1,
            TokenKind::Dedent => self.indents = self.indents.saturating_sub(1),
            TokenKind::Newline => self.begin_line(),
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringStart
            | TokenKind::FStringMiddle
            | TokenKind::FStringEnd
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace if self.chains.len() > 1 => {
                let (chain, _) = self.chains.pop().unwrap_or_default();
                self.total = self.total.saturating_sub(chain);
            }
            TokenKind::Comma => {
                if let Some((chain, false)) = self.chains.last_mut() {
                    self.total = self.total.saturating_sub(*chain);
                    *chain = 0;
                }
            }
            // None of these can stand in brackets: the bracket before was never closed, and the
            // parser goes on with a new statement.
            TokenKind::Def
            | TokenKind::Class
            | TokenKind::Return
            | TokenKind::Import
            | TokenKind::Try
            | TokenKind::While
            | TokenKind::With
            | TokenKind::Raise
                if self.chains.len() > 1 =>
            {
                self.begin_line();
            }
            _ => {
                if let Some((chain, lambda)) = self.chains.last_mut() {
                    // A brace opens a value of its own; a bracket or parenthesis may be one of a chain.
                    if kind != TokenKind::Lbrace {
                        *chain += 1;
                        self.total += 1;
                    }
                    *lambda |= kind == TokenKind::Lambda;
                }
                if matches!(kind, TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace) {
                    self.chains.push((0, false));
                }
            }
        }
    }
}

/// What in a file that does not parse shows that it is Python 2.
fn python2(text: &str, tree: &Parsed<ModModule>) -> Option<&'static str> {
    let tokens: Vec<_> = tree
        .tokens()
        .iter()
        .filter(|token| !matches!(token.kind(), TokenKind::Comment | TokenKind::NonLogicalNewline))
        .collect();
    let begins = |index: usize| {
        index == 0
            || matches!(
                tokens[index - 1].kind(),
                TokenKind::Newline
                    | TokenKind::Indent
                    | TokenKind::Dedent
                    | TokenKind::Semi
                    | TokenKind::Colon
            )
    };
    let words = tokens.iter().enumerate().filter(|(index, token)| {
        token.kind() == TokenKind::Name && begins(*index) && index + 1 < tokens.len()
    });
    for (index, token) in words {
        let operand = matches!(
            tokens[index + 1].kind(),
            TokenKind::String | TokenKind::Name | TokenKind::Int | TokenKind::Float
        );
        match text.get(std::ops::Range::<usize>::from(token.range())) {
            Some("print") if operand => return Some("a `print` statement without parentheses"),
            Some("exec") if operand => return Some("an `exec` statement without parentheses"),
            _ => {}
        }
    }
    let raises = tokens.windows(3).any(|three| {
        three[0].kind() == TokenKind::Raise
            && three[1].kind() == TokenKind::Name
            && three[2].kind() == TokenKind::Comma
    });
    raises.then_some("`raise E, value`")
}

fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
