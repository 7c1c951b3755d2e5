//! A syntax tree in, out: what it imports, and which syntax it uses.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Where it first uses each of [`GLOBALS`], if it does not bring its own.
    pub globals: BTreeMap<&'static str, u32>,
    /// Those that it puts, or may put, into the global object for all modules.
    pub provided: BTreeSet<&'static str>,
}

/// What Node.js has from version 18 on without an import.
pub const GLOBALS: [&str; 5] = ["fetch", "FormData", "Headers", "Request", "Response"];
pub const GLOBALS_SINCE: (u32, u32) = (18, 0);

fn global(name: &str) -> Option<&'static str> {
    GLOBALS.into_iter().find(|global| *global == name)
}

/// One place where a module is asked for by a fixed name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportSite {
    pub specifier: String,
    /// Those of the module's exports that an import statement names.
    pub names: Vec<String>,
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
    /// When a condition holds that cannot be told here.
    Depends,
    /// In a `try` or before a `catch`: the code is ready for it to fail.
    Try,
}

pub fn survey(program: &Program<'_>, lines: &Lines) -> Survey {
    let mut surveyor = Surveyor {
        lines,
        survey: Survey::default(),
        functions: Vec::new(),
        doubts: [0; 4],
        bound: BTreeSet::new(),
    };
    surveyor.visit_program(program);
    let Surveyor { mut survey, bound, .. } = surveyor;
    survey.globals.retain(|name, _| !bound.contains(name));
    survey
}

struct Surveyor<'l> {
    lines: &'l Lines,
    survey: Survey,
    /// For each function around, whether its parameters hide `require`.
    functions: Vec<bool>,
    /// How much is around of what keeps the text from being run for sure, by [`Doubt`].
    doubts: [usize; 4],
    /// Globals that the file has names of its own for, or asks for before it uses them.
    bound: BTreeSet<&'static str>,
}

/// What keeps a part of the text from being run for sure.
#[derive(Clone, Copy)]
enum Doubt {
    Depends,
    Never,
    /// Whatever fails is caught.
    Caught,
    /// A promise that fails is caught.
    PromiseCaught,
}

/// The doubt about all that is below a node.
fn doubt(kind: &AstKind<'_>) -> Option<Doubt> {
    match kind {
        AstKind::SwitchCase(_)
        | AstKind::ForStatement(_)
        | AstKind::ForInStatement(_)
        | AstKind::ForOfStatement(_)
        | AstKind::WhileStatement(_) => Some(Doubt::Depends),
        AstKind::AssignmentExpression(assignment) if assignment.operator.is_logical() => Some(Doubt::Depends),
        AstKind::TryStatement(_) => Some(Doubt::Caught),
        AstKind::CallExpression(call) => {
            let catches = match call.callee.as_member_expression()?.static_property_name()? {
                "catch" => 1,
                "then" => 2,
                _ => return None,
            };
            (call.arguments.len() >= catches).then_some(Doubt::PromiseCaught)
        }
        _ => None,
    }
}

/// The doubt about what runs when a condition's value is `wanted`.
fn doubt_if(test: &Expression<'_>, wanted: bool) -> Option<Doubt> {
    match holds(test) {
        Some(value) => (value != wanted).then_some(Doubt::Never),
        None => Some(Doubt::Depends),
    }
}

/// Whether a condition holds on the platform, where that can be told: it loads the code with `require`, so
/// no module of it is the process's main one.
fn holds(test: &Expression<'_>) -> Option<bool> {
    let is_main = |side: &Expression<'_>| side.is_specific_member_access("require", "main");
    match test {
        Expression::BooleanLiteral(literal) => Some(literal.value),
        Expression::NumericLiteral(literal) => Some(literal.value != 0.0),
        Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::LogicalNot => {
            holds(&unary.argument).map(|value| !value)
        }
        Expression::BinaryExpression(comparison) if comparison.operator.is_equality() => {
            let (left, right) = (&comparison.left, &comparison.right);
            let compares = (is_main(left) && right.is_specific_id("module"))
                || (is_main(right) && left.is_specific_id("module"));
            let differs =
                matches!(comparison.operator, BinaryOperator::Inequality | BinaryOperator::StrictInequality);
            compares.then_some(differs)
        }
        _ => None,
    }
}

/// Whether a function's parameters hide `require`, as those of a bundled module's function do.
fn hides_require(parameters: &FormalParameters<'_>) -> bool {
    let names = parameters.iter_bindings().flat_map(BindingPattern::get_binding_identifiers);
    names.into_iter().any(|id| id.name == "require")
}

impl Surveyor<'_> {
    fn import(&mut self, specifier: &str, names: Vec<String>, span: Span, how: How) {
        let around = |doubt: Doubt| self.doubts[doubt as usize] > 0;
        if around(Doubt::Never) {
            return;
        }
        if ["fetch", "polyfill", "undici"].iter().any(|word| specifier.contains(word)) {
            self.survey.provided.extend(GLOBALS);
        }
        let when = if around(Doubt::Caught) || (how == How::Call && around(Doubt::PromiseCaught)) {
            When::Try
        } else if around(Doubt::Depends) {
            When::Depends
        } else if self.functions.is_empty() {
            When::Load
        } else {
            When::Call
        };
        let line = self.lines.line(span.start);
        self.survey.imports.push(ImportSite { specifier: specifier.to_owned(), names, line, how, when });
    }

    fn within(&mut self, doubt: Option<Doubt>, visit: impl FnOnce(&mut Self)) {
        if let Some(doubt) = doubt {
            self.doubts[doubt as usize] += 1;
        }
        visit(self);
        if let Some(doubt) = doubt {
            self.doubts[doubt as usize] -= 1;
        }
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
        if let Some(doubt) = doubt(&kind) {
            self.doubts[doubt as usize] += 1;
        }
        match kind {
            AstKind::Function(function) => self.functions.push(hides_require(&function.params)),
            AstKind::ArrowFunctionExpression(arrow) => self.functions.push(hides_require(&arrow.params)),
            AstKind::AwaitExpression(expression) => self.top_level_await(expression.span),
            AstKind::ForOfStatement(statement) if statement.r#await => self.top_level_await(statement.span),
            AstKind::ImportMeta(meta) => self.module_syntax(meta.span),
            AstKind::ImportDeclaration(import) => {
                self.module_syntax(import.span);
                let names = import.specifiers.iter().flatten().filter_map(|specifier| match specifier {
                    ImportDeclarationSpecifier::ImportSpecifier(one) => Some(one.imported.name().to_string()),
                    ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => Some("default".to_owned()),
                    ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => None,
                });
                self.import(&import.source.value, names.collect(), import.span, How::Statement);
            }
            AstKind::ExportFromDeclaration(export) => {
                self.module_syntax(export.span);
                let names = export.specifiers.iter().map(|specifier| specifier.local.name().to_string());
                self.import(&export.source.value, names.collect(), export.span, How::Statement);
            }
            AstKind::ExportAllDeclaration(export) => {
                self.module_syntax(export.span);
                self.import(&export.source.value, Vec::new(), export.span, How::Statement);
            }
            AstKind::ExportDeclaration(_)
            | AstKind::ExportNamedDeclaration(_)
            | AstKind::ExportDefaultDeclaration(_) => self.module_syntax(kind.span()),
            AstKind::ImportExpression(import) => {
                if let Expression::StringLiteral(specifier) = &import.source {
                    self.import(&specifier.value, Vec::new(), import.span, How::Call);
                }
                if import.options.is_some() {
                    self.note(Syntax::ImportAttributes, import.span);
                }
            }
            AstKind::CallExpression(call) => {
                if let Some(specifier) = required(call)
                    && !self.functions.contains(&true)
                {
                    self.import(specifier, Vec::new(), call.span, How::Require);
                }
            }
            AstKind::BindingIdentifier(id) => self.bound.extend(global(id.name.as_str())),
            AstKind::UnaryExpression(unary) if unary.operator == UnaryOperator::Typeof => {
                let id = unary.argument.get_identifier_reference();
                self.bound.extend(id.and_then(|id| global(id.name.as_str())));
            }
            AstKind::AssignmentExpression(assignment) => {
                let name = assignment.left.get_identifier_name();
                self.survey.provided.extend(name.and_then(global));
            }
            AstKind::StaticMemberExpression(member)
                if ["globalThis", "global"].iter().any(|object| member.object.is_specific_id(object)) =>
            {
                self.survey.provided.extend(global(member.property.name.as_str()));
            }
            AstKind::IdentifierReference(id)
                if matches!(id.name.as_str(), "exports" | "module" | "require")
                    && self.functions.is_empty() =>
            {
                let line = self.lines.line(id.span.start);
                self.survey.commonjs.get_or_insert(line);
            }
            AstKind::IdentifierReference(id) => {
                if let Some(name) = global(id.name.as_str())
                    && self.doubts[Doubt::Never as usize] == 0
                {
                    let line = self.lines.line(id.span.start);
                    self.survey.globals.entry(name).or_insert(line);
                }
            }
            _ => {}
        }
    }

    fn leave_node(&mut self, kind: AstKind<'b>) {
        if is_function(&kind) {
            self.functions.pop();
        }
        if let Some(doubt) = doubt(&kind) {
            self.doubts[doubt as usize] -= 1;
        }
    }

    fn visit_if_statement(&mut self, statement: &IfStatement<'b>) {
        let test = &statement.test;
        self.visit_expression(test);
        self.within(doubt_if(test, true), |this| this.visit_statement(&statement.consequent));
        if let Some(alternate) = &statement.alternate {
            self.within(doubt_if(test, false), |this| this.visit_statement(alternate));
        }
    }

    fn visit_conditional_expression(&mut self, conditional: &ConditionalExpression<'b>) {
        let test = &conditional.test;
        self.visit_expression(test);
        self.within(doubt_if(test, true), |this| this.visit_expression(&conditional.consequent));
        self.within(doubt_if(test, false), |this| this.visit_expression(&conditional.alternate));
    }

    fn visit_logical_expression(&mut self, logical: &LogicalExpression<'b>) {
        self.enter_node(AstKind::LogicalExpression(self.alloc(logical)));
        self.visit_expression(&logical.left);
        let doubt = match logical.operator {
            LogicalOperator::And => doubt_if(&logical.left, true),
            LogicalOperator::Or => doubt_if(&logical.left, false),
            LogicalOperator::Coalesce => Some(Doubt::Depends),
        };
        self.within(doubt, |this| this.visit_expression(&logical.right));
    }
}
