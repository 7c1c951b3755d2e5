//! Statements and patterns in, the names out that they bind in passing.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_pattern};
use ruff_python_ast::{Expr, ExprNamed, Pattern, Stmt};

/// Assignment expressions of a statement's own expressions: those in its body are other statements',
/// those in a lambda are the lambda's.
#[derive(Default)]
pub struct Walruses<'a> {
    pub found: Vec<&'a ExprNamed>,
}

impl<'a> Visitor<'a> for Walruses<'a> {
    fn visit_body(&mut self, _body: &'a [Stmt]) {}

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Named(named) => {
                self.found.push(named);
                walk_expr(self, expr);
            }
            _ => walk_expr(self, expr),
        }
    }
}

/// Names that a pattern binds.
#[derive(Default)]
pub struct Captures {
    pub names: Vec<String>,
}

impl<'a> Visitor<'a> for Captures {
    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        self.names.extend(name.map(ToString::to_string));
        walk_pattern(self, pattern);
    }
}
