//! An expression in, what its value may be out.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprCall, ExprLambda, Operator, Stmt, UnaryOp};

use crate::model::python::condition::last_name;
use crate::model::python::value::{Value, union};

/// The names that an expression sees.
pub trait Names {
    /// What a name may be bound to here.
    fn lookup(&self, name: &str) -> Vec<Value>;

    /// A lambda is a function too.
    fn lambda(&self, lambda: &ExprLambda) -> Value;
}

/// All that the expression may give.
pub fn values(expr: &Expr, names: &dyn Names) -> Vec<Value> {
    match expr {
        // A name that nothing in the module binds is one of the language's own.
        Expr::Name(name) => union([names
            .lookup(&name.id)
            .into_iter()
            .map(|value| match value {
                Value::Unbound => Value::Import { module: "builtins".into(), name: name.id.as_str().into() },
                value => value,
            })
            .collect()]),
        Expr::If(either) => union([values(&either.body, names), values(&either.orelse, names)]),
        Expr::BoolOp(operation) => union(operation.values.iter().map(|value| values(value, names))),
        Expr::Named(named) => values(&named.value, names),
        Expr::Attribute(attribute) => values(&attribute.value, names)
            .into_iter()
            .map(|of| match of.shallow() {
                Value::Unknown => Value::Unknown,
                of => Value::Attribute(Rc::new(of), attribute.attr.as_str().into()),
            })
            .collect(),
        Expr::Call(call) => called(call, names),
        Expr::Lambda(lambda) => vec![names.lambda(lambda)],
        _ => vec![constant(expr).map_or(Value::Unknown, Value::Constant)],
    }
}

/// The one thing that the expression gives, or [`Value::Unknown`].
pub fn value(expr: &Expr, names: &dyn Names) -> Value {
    // `Generic[T]` is a base as good as `Generic`.
    let expr = match expr {
        Expr::Subscript(subscript) => &subscript.value,
        _ => expr,
    };
    match <[Value; 1]>::try_from(values(expr, names)) {
        // Nobody exports these by a star.
        Ok([Value::Star { name, .. }])
            if matches!(&*name, "staticmethod" | "classmethod" | "property" | "object") =>
        {
            Value::Import { module: "builtins".into(), name }
        }
        Ok([value]) => value,
        Err(_) => Value::Unknown,
    }
}

fn called(call: &ExprCall, names: &dyn Names) -> Vec<Value> {
    let functions = values(&call.func, names);
    let calls = functions.into_iter().map(|function| match function.shallow() {
        Value::Import { module, name } if &*module == "functools" && &*name == "partial" => {
            partial(call, names)
        }
        Value::Attribute(module, name)
            if &*name == "partial"
                && matches!(&*module, Value::Module(module) if &**module == "functools") =>
        {
            partial(call, names)
        }
        function @ (Value::Class(_) | Value::Import { .. } | Value::Star { .. } | Value::Attribute(..)) => {
            Value::Call(Rc::new(function))
        }
        _ => Value::Unknown,
    });
    calls.collect()
}

fn partial(call: &ExprCall, names: &dyn Names) -> Value {
    match call.arguments.args.first() {
        Some(function) => Value::Partial(Rc::new(value(function, names).shallow())),
        None => Value::Unknown,
    }
}

/// What an expression is that is certainly nothing to call.
fn constant(expr: &Expr) -> Option<&'static str> {
    Some(match expr {
        Expr::StringLiteral(_) | Expr::FString(_) => "a string",
        Expr::BytesLiteral(_) => "bytes",
        Expr::NumberLiteral(_) => "a number",
        Expr::BooleanLiteral(_) => "a boolean",
        Expr::NoneLiteral(_) => "`None`",
        Expr::EllipsisLiteral(_) => "`...`",
        Expr::Dict(_) | Expr::DictComp(_) => "a dict",
        Expr::List(_) | Expr::ListComp(_) => "a list",
        Expr::Set(_) | Expr::SetComp(_) => "a set",
        Expr::Tuple(_) => "a tuple",
        Expr::Generator(_) => "a generator",
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => "a boolean",
        Expr::UnaryOp(unary) => return constant(&unary.operand).filter(|kind| *kind == "a number"),
        Expr::BinOp(operation) if operation.op == Operator::Add || operation.op == Operator::Mod => {
            return constant(&operation.left).filter(|kind| *kind == "a string");
        }
        _ => return None,
    })
}

/// The elements of a tuple or list display.
pub fn elements(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(tuple) => Some(&tuple.elts),
        Expr::List(list) => Some(&list.elts),
        _ => None,
    }
}

/// `sys.exit()`, `exit()`, `quit()`, `os._exit()`.
pub fn exits(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else { return false };
    match &*call.func {
        Expr::Name(name) => matches!(name.id.as_str(), "exit" | "quit"),
        Expr::Attribute(attribute) => match last_name(&attribute.value) {
            Some("sys") => attribute.attr.as_str() == "exit",
            Some("os") => attribute.attr.as_str() == "_exit",
            _ => false,
        },
        _ => false,
    }
}

/// `__all__`, if the module sets it once, to strings.
pub fn exported(body: &[Stmt]) -> Option<Vec<String>> {
    let mut found = None;
    for statement in body {
        let (target, list) = match statement {
            Stmt::Assign(assign) => (assign.targets.first()?, Some(&assign.value)),
            Stmt::AnnAssign(assign) => (&*assign.target, assign.value.as_ref()),
            Stmt::AugAssign(assign) => (&*assign.target, None),
            _ => continue,
        };
        if !matches!(target, Expr::Name(name) if name.id == "__all__") {
            continue;
        }
        if found.is_some() {
            return None;
        }
        let strings = elements(list?)?.iter().map(|element| match element {
            Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
            _ => None,
        });
        found = Some(strings.collect::<Option<Vec<_>>>()?);
    }
    found
}
