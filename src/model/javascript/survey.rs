//! A syntax tree in, out: what it imports, and which syntax it uses.

use std::collections::BTreeMap;

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_ast_visit::VisitJs;
use oxc_span::GetSpan;

use crate::model::javascript::binding::is_function;
use crate::model::javascript::evaluate::required;
use crate::model::javascript::parse::Lines;
use crate::model::javascript::syntax::Syntax;

#[derive(Debug, Default)]
pub struct Survey {
    /// In the order of the text.
    pub imports: Vec<ImportSite>,
    /// Where each piece of newer syntax stands first.
    pub syntax: BTreeMap<Syntax, u32>,
    /// Where the file first shows that it is an ES module.
    pub module_syntax: Option<u32>,
    /// Where it first uses what only CommonJS has.
    pub commonjs: Option<u32>,
}

/// One place where a module is asked for by a fixed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSite {
    pub specifier: String,
    pub line: u32,
    pub how: How,
    pub when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Require,
    Statement,
    /// `import()`.
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When the module is loaded.
    Load,
    /// When some function is called.
    Call,
    /// In a `try`: the code is ready for it to fail.
    Try,
}

pub fn survey(program: &Program<'_>, lines: &Lines) -> Survey {
    let mut surveyor = Surveyor { lines, survey: Survey::default(), functions: Vec::new(), tries: 0 };
    surveyor.visit_program(program);
    surveyor.survey
}

struct Surveyor<'l> {
    lines: &'l Lines,
    survey: Survey,
    /// For each function around, whether its parameters hide `require`.
    functions: Vec<bool>,
    tries: usize,
}

/// Whether a function's parameters hide `require`, as those of a bundled module's function do.
fn hides_require(parameters: &FormalParameters<'_>) -> bool {
    let names = parameters.iter_bindings().flat_map(BindingPattern::get_binding_identifiers);
    names.into_iter().any(|id| id.name == "require")
}

impl Surveyor<'_> {
    fn import(&mut self, specifier: &str, span: Span, how: How) {
        let when = match (self.tries, self.functions.is_empty()) {
            (0, true) => When::Load,
            (0, false) => When::Call,
            _ => When::Try,
        };
        let line = self.lines.line(span.start);
        self.survey.imports.push(ImportSite { specifier: specifier.to_owned(), line, how, when });
    }

    fn note(&mut self, syntax: Syntax, span: Span) {
        let line = self.lines.line(span.start);
        self.survey.syntax.entry(syntax).or_insert(line);
    }

    fn module_syntax(&mut self, span: Span) {
        let line = self.lines.line(span.start);
        self.survey.module_syntax.get_or_insert(line);
    }

    fn top_level_await(&mut self, span: Span) {
        if self.functions.is_empty() {
            self.note(Syntax::TopLevelAwait, span);
            self.module_syntax(span);
        }
    }
}

impl<'b> VisitJs<'b> for Surveyor<'_> {
    fn enter_node(&mut self, kind: AstKind<'b>) {
        if let Some(syntax) = Syntax::of(&kind) {
            self.note(syntax, kind.span());
        }
        match kind {
            AstKind::Function(function) => self.functions.push(hides_require(&function.params)),
            AstKind::ArrowFunctionExpression(arrow) => self.functions.push(hides_require(&arrow.params)),
            AstKind::TryStatement(_) => self.tries += 1,
            AstKind::AwaitExpression(expression) => self.top_level_await(expression.span),
            AstKind::ForOfStatement(statement) if statement.r#await => self.top_level_await(statement.span),
            AstKind::ImportMeta(meta) => self.module_syntax(meta.span),
            AstKind::ImportDeclaration(import) => {
                self.module_syntax(import.span);
                self.import(&import.source.value, import.span, How::Statement);
            }
            AstKind::ExportFromDeclaration(export) => {
                self.module_syntax(export.span);
                self.import(&export.source.value, export.span, How::Statement);
            }
            AstKind::ExportAllDeclaration(export) => {
                self.module_syntax(export.span);
                self.import(&export.source.value, export.span, How::Statement);
            }
            AstKind::ExportDeclaration(_)
            | AstKind::ExportNamedDeclaration(_)
            | AstKind::ExportDefaultDeclaration(_) => self.module_syntax(kind.span()),
            AstKind::ImportExpression(import) => {
                if let Expression::StringLiteral(specifier) = &import.source {
                    self.import(&specifier.value, import.span, How::Call);
                }
                if import.options.is_some() {
                    self.note(Syntax::ImportAttributes, import.span);
                }
            }
            AstKind::CallExpression(call) => {
                if let Some(specifier) = required(call)
                    && !self.functions.contains(&true)
                {
                    self.import(specifier, call.span, How::Require);
                }
            }
            AstKind::IdentifierReference(id)
                if matches!(id.name.as_str(), "exports" | "module" | "require")
                    && self.functions.is_empty() =>
            {
                let line = self.lines.line(id.span.start);
                self.survey.commonjs.get_or_insert(line);
            }
            _ => {}
        }
    }

    fn leave_node(&mut self, kind: AstKind<'b>) {
        if is_function(&kind) {
            self.functions.pop();
        }
        self.tries -= usize::from(matches!(kind, AstKind::TryStatement(_)));
    }
}
