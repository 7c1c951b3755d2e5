//! Source text in, out: what a closure reads from its syntax tree, or why there is none.

use std::thread;

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::{ParseOptions, Parser};
use oxc_span::SourceType;

use crate::model::javascript::nesting::{self, Nesting};

/// Node.js itself gives up (`Maximum call stack size exceeded`) a few thousand brackets deep, and
/// some nestings take the parser time that grows with the cube of their depth. No code that people or
/// bundlers write comes near.
const BRACKETS_MAX: usize = 500;

/// Bytes of a text that is still read: its tree takes some fifty times as many.
const SIZE_MAX: usize = 16 << 20;

/// Bytes of stack for one open bracket: three times the most that the parser and the visitors were
/// measured to take without optimisation.
const BRACKET_STACK: usize = 16 << 10;
/// The same for a token that may be one level deeper than the one before.
const TOKEN_STACK: usize = 4 << 10;
/// For everything that does not depend on the nesting.
const BASE_STACK: usize = 8 << 20;
/// Address space, not memory: a page of it is taken when it is touched.
const STACK_MAX: usize = 1 << 30;

/// Which of the two grammars a file is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    Script,
    Module,
}

/// Why a text has no syntax tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    Syntax {
        line: u32,
        message: String,
    },
    /// Nested too deep, or too long, to be read without risk.
    TooMuch,
}

/// The lines of a text, to tell an offset's.
pub struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub fn of(text: &str) -> Self {
        let after = |(index, _)| index + 1;
        Self { starts: std::iter::once(0).chain(text.match_indices('\n').map(after)).collect() }
    }

    /// From 1.
    pub fn line(&self, offset: u32) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset as usize);
        u32::try_from(line).unwrap_or(u32::MAX)
    }
}

/// Reads `text` and gives what `summarize` makes of the tree.
///
/// # Errors
/// [`Trouble`], when the text does not parse.
pub fn read<T: Send>(
    text: &str,
    goal: Goal,
    summarize: impl FnOnce(&Program<'_>, &Lines) -> T + Send,
) -> Result<T, Trouble> {
    if text.len() > SIZE_MAX {
        return Err(Trouble::TooMuch);
    }
    let stack = stack(nesting::measure(text)).ok_or(Trouble::TooMuch)?;
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(stack)
            .spawn_scoped(scope, || parse(text, goal, summarize))
            .ok()
            .and_then(|worker| worker.join().ok())
            .unwrap_or(Err(Trouble::TooMuch))
    })
}

fn stack(nesting: Nesting) -> Option<usize> {
    let depth = nesting.brackets.checked_mul(BRACKET_STACK)?;
    let tokens = nesting.tokens.checked_mul(TOKEN_STACK)?;
    let stack = depth.checked_add(tokens)?.checked_add(BASE_STACK)?;
    (nesting.brackets <= BRACKETS_MAX && stack <= STACK_MAX).then_some(stack)
}

fn parse<T>(text: &str, goal: Goal, summarize: impl FnOnce(&Program<'_>, &Lines) -> T) -> Result<T, Trouble> {
    let allocator = Allocator::default();
    let source_type = match goal {
        Goal::Script => SourceType::cjs(),
        Goal::Module => SourceType::mjs(),
    };
    let options = ParseOptions { preserve_parens: false, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, text, source_type).with_options(options).parse();
    let lines = Lines::of(text);
    match parsed.diagnostics.errors().next() {
        None => Ok(summarize(&parsed.program, &lines)),
        Some(error) => {
            let offset = error.labels.first().map_or(0, |label| label.offset());
            Err(Trouble::Syntax { line: lines.line(offset), message: as_part(&error.message) })
        }
    }
}

/// A sentence, as the end of another one.
fn as_part(sentence: &str) -> String {
    let mut chars = sentence.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
