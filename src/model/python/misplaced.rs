//! A module's statements in, the first one out that the interpreter refuses where it stands although
//! it parses: `return` outside a function, `await` outside an `async def`, `break` outside a loop.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

/// What stands where it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misplaced {
    pub start: TextSize,
    pub problem: &'static str,
}

pub fn first(body: &[Stmt]) -> Option<Misplaced> {
    let mut search = Search { function: Function::None, in_loop: false, found: None };
    search.all(body);
    search.found
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    None,
    Plain,
    Async,
}

struct Search {
    /// The innermost function that a statement runs in.
    function: Function,
    in_loop: bool,
    found: Option<Misplaced>,
}

impl Search {
    fn report(&mut self, node: &impl Ranged, problem: &'static str) {
        if self.found.is_none() {
            self.found = Some(Misplaced { start: node.start(), problem });
        }
    }

    fn within(&mut self, function: Function, body: &[Stmt]) {
        let before = (self.function, self.in_loop);
        (self.function, self.in_loop) = (function, false);
        self.all(body);
        (self.function, self.in_loop) = before;
    }

    fn looped(&mut self, body: &[Stmt], otherwise: &[Stmt]) {
        let before = std::mem::replace(&mut self.in_loop, true);
        self.all(body);
        self.in_loop = before;
        self.all(otherwise);
    }

    fn all(&mut self, body: &[Stmt]) {
        for statement in body {
            self.visit_stmt(statement);
        }
    }
}

impl<'a> Visitor<'a> for Search {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let kind = if function.is_async { Function::Async } else { Function::Plain };
                self.within(kind, &function.body);
            }
            Stmt::ClassDef(class) => self.within(Function::None, &class.body),
            Stmt::For(statement) => {
                if statement.is_async && self.function != Function::Async {
                    self.report(statement, "`async for` outside an `async def`");
                }
                self.visit_expr(&statement.iter);
                self.looped(&statement.body, &statement.orelse);
            }
            Stmt::While(statement) => {
                self.visit_expr(&statement.test);
                self.looped(&statement.body, &statement.orelse);
            }
            Stmt::With(with) => {
                if with.is_async && self.function != Function::Async {
                    self.report(with, "`async with` outside an `async def`");
                }
                walk_stmt(self, statement);
            }
            Stmt::Return(_) => {
                if self.function == Function::None {
                    self.report(statement, "`return` outside a function");
                }
                walk_stmt(self, statement);
            }
            Stmt::Break(_) if !self.in_loop => self.report(statement, "`break` outside a loop"),
            Stmt::Continue(_) if !self.in_loop => self.report(statement, "`continue` outside a loop"),
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // These have rules of their own, which changed from version to version.
            Expr::Lambda(_)
            | Expr::Generator(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_) => {}
            Expr::Await(_) => {
                if self.function != Function::Async {
                    self.report(expr, "`await` outside an `async def`");
                }
                walk_expr(self, expr);
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                if self.function == Function::None {
                    self.report(expr, "`yield` outside a function");
                }
                walk_expr(self, expr);
            }
            _ => walk_expr(self, expr),
        }
    }

    /// Annotations are not run everywhere, and hold none of these.
    fn visit_annotation(&mut self, _expr: &'a Expr) {}
}
