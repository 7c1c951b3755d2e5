//! A module's statements in, what it does that reading alone cannot follow out: names made at run
//! time, and paths that it adds to `sys.path`.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt};

use crate::model::python::condition::last_name;

/// Longer texts name no directories.
const TEXT_MAX: usize = 100;

#[derive(Debug, Default)]
pub struct Habits {
    /// Module names may be bound without a statement that binds them.
    pub dynamic: bool,
    /// Names that functions declare `global`.
    pub globals: BTreeSet<String>,
    /// Attributes that are set on something, which may be another module.
    pub attributes: BTreeSet<String>,
    /// Imports may be found elsewhere than in the archive's root.
    pub extends_path: bool,
    /// Where, if one of the texts says so.
    pub texts: BTreeSet<String>,
}

impl Habits {
    pub fn of(body: &[Stmt]) -> Self {
        let mut habits = Self::default();
        for statement in body {
            habits.visit_stmt(statement);
        }
        if !habits.extends_path {
            habits.texts.clear();
        }
        habits
    }
}

impl<'a> Visitor<'a> for Habits {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Global(global) => self.globals.extend(global.names.iter().map(ToString::to_string)),
            Stmt::Assign(assign) => {
                self.dynamic |= assign.targets.iter().any(is_namespace_item);
            }
            Stmt::AugAssign(assign) => self.dynamic |= is_namespace(&assign.target),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => self.dynamic |= binds_names(call),
            Expr::Attribute(attribute) => {
                if attribute.ctx.is_store() && !is_own(&attribute.value) {
                    self.attributes.insert(attribute.attr.to_string());
                }
                self.extends_path |=
                    attribute.attr.as_str() == "path" && last_name(&attribute.value) == Some("sys");
                self.extends_path |= matches!(attribute.attr.as_str(), "addsitedir" | "__path__");
            }
            Expr::Name(name) => self.extends_path |= name.id == "__path__",
            Expr::StringLiteral(text) if text.value.len() < TEXT_MAX => {
                self.texts.insert(text.value.to_string());
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

/// `globals()`, `vars()`, `locals()`, `sys.modules`, `x.__dict__`.
fn is_namespace(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => {
            call.arguments.args.is_empty()
                && matches!(last_name(&call.func), Some("globals" | "vars" | "locals"))
        }
        Expr::Attribute(attribute) => {
            attribute.attr.as_str() == "__dict__"
                || (attribute.attr.as_str() == "modules" && last_name(&attribute.value) == Some("sys"))
        }
        _ => false,
    }
}

fn is_namespace_item(target: &Expr) -> bool {
    matches!(target, Expr::Subscript(subscript) if is_namespace(&subscript.value))
}

/// What a method is called on, or its class.
fn is_own(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(name) if matches!(name.id.as_str(), "self" | "cls"))
}

fn binds_names(call: &ExprCall) -> bool {
    let arguments = &call.arguments.args;
    match &*call.func {
        Expr::Name(name) if name.id == "exec" => true,
        Expr::Name(name) if name.id == "setattr" => {
            // `setattr(self, ...)` says nothing about the module.
            !arguments.first().is_some_and(is_own)
        }
        Expr::Attribute(method) if is_namespace(&method.value) => {
            matches!(method.attr.as_str(), "update" | "setdefault" | "__setitem__")
        }
        // What gets the module's dictionary can write to it.
        _ => arguments.iter().any(|argument| {
            matches!(argument, Expr::Call(call) if matches!(last_name(&call.func), Some("globals")))
        }),
    }
}
