//! The test of an `if` in, whether it holds under the runtime out, where that can be told without
//! running anything: `TYPE_CHECKING`, `__name__ == "__main__"`, `sys.version_info`, `sys.platform`.

use std::cmp::Ordering;

use ruff_python_ast::{BoolOp, CmpOp, Expr, ExprCompare, Number, UnaryOp};

/// `version` is the interpreter's `(major, minor)`.
pub fn holds(test: &Expr, version: (u32, u32)) -> Option<bool> {
    match test {
        Expr::BooleanLiteral(literal) => Some(literal.value),
        Expr::NoneLiteral(_) => Some(false),
        Expr::NumberLiteral(_) => integer(test).map(|number| number != 0),
        Expr::Name(_) | Expr::Attribute(_) => match last_name(test) {
            Some("TYPE_CHECKING" | "PY2") => Some(false),
            Some("PY3" | "__debug__") => Some(true),
            _ => None,
        },
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => {
            holds(&unary.operand, version).map(|value| !value)
        }
        Expr::BoolOp(operation) => {
            let decides = operation.op == BoolOp::Or;
            let values: Vec<_> = operation.values.iter().map(|value| holds(value, version)).collect();
            if values.contains(&Some(decides)) {
                Some(decides)
            } else {
                values.iter().all(Option::is_some).then_some(!decides)
            }
        }
        Expr::Compare(compare) => comparison(compare, version),
        Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
            (Expr::Attribute(method), [Expr::StringLiteral(prefix)])
                if method.attr.as_str() == "startswith" && last_name(&method.value) == Some("platform") =>
            {
                Some("linux".starts_with(prefix.value.to_str()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn comparison(compare: &ExprCompare, version: (u32, u32)) -> Option<bool> {
    let ([operator], [right]) = (&*compare.ops, &*compare.comparators) else { return None };
    let left = &*compare.left;
    if is_main_test(left, right) || is_main_test(right, left) {
        return match operator {
            CmpOp::Eq => Some(false),
            CmpOp::NotEq => Some(true),
            _ => None,
        };
    }
    if let Expr::StringLiteral(literal) = right {
        let equal = literal.value.to_str() == platform_word(left)?;
        return match operator {
            CmpOp::Eq => Some(equal),
            CmpOp::NotEq => Some(!equal),
            _ => None,
        };
    }
    let ordering = version_ordering(left, right, version)?;
    match operator {
        CmpOp::Eq => Some(ordering.is_eq()),
        CmpOp::NotEq => Some(ordering.is_ne()),
        CmpOp::Lt => Some(ordering.is_lt()),
        CmpOp::LtE => Some(ordering.is_le()),
        CmpOp::Gt => Some(ordering.is_gt()),
        CmpOp::GtE => Some(ordering.is_ge()),
        _ => None,
    }
}

fn is_main_test(name: &Expr, value: &Expr) -> bool {
    matches!(name, Expr::Name(name) if name.id == "__name__")
        && matches!(value, Expr::StringLiteral(literal) if literal.value.to_str() == "__main__")
}

/// What the platform's Linux answers to `sys.platform`, `os.name` and `platform.system()`.
fn platform_word(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Attribute(attribute) => match (last_name(&attribute.value), attribute.attr.as_str()) {
            (Some("sys"), "platform") => Some("linux"),
            (Some("os"), "name") => Some("posix"),
            _ => None,
        },
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(function)
                if function.attr.as_str() == "system" && last_name(&function.value) == Some("platform") =>
            {
                Some("Linux")
            }
            _ => None,
        },
        _ => None,
    }
}

/// How the interpreter's version stands to a literal: `sys.version_info` to a tuple, one of its
/// numbers to a number, a slice of it to a tuple.
fn version_ordering(left: &Expr, right: &Expr, version: (u32, u32)) -> Option<Ordering> {
    let known = [u64::from(version.0), u64::from(version.1)];
    match left {
        _ if is_version_info(left) => {
            let wanted = integers(right)?;
            let shared = wanted.len().min(known.len());
            match known[..shared].cmp(&wanted[..shared]) {
                // The version goes on after (major, minor), so it is the greater of the two.
                Ordering::Equal if wanted.len() <= known.len() => Some(Ordering::Greater),
                Ordering::Equal => None,
                ordering => Some(ordering),
            }
        }
        Expr::Attribute(attribute) if is_version_info(&attribute.value) => {
            let index = match attribute.attr.as_str() {
                "major" => 0,
                "minor" => 1,
                _ => return None,
            };
            Some(known[index].cmp(&integer(right)?))
        }
        Expr::Subscript(subscript) if is_version_info(&subscript.value) => match &*subscript.slice {
            Expr::Slice(slice) if slice.lower.is_none() && slice.step.is_none() => {
                let length = usize::try_from(integer(slice.upper.as_deref()?)?).ok()?;
                Some(known.get(..length)?.cmp(integers(right)?.as_slice()))
            }
            index => Some(known.get(usize::try_from(integer(index)?).ok()?)?.cmp(&integer(right)?)),
        },
        _ => None,
    }
}

fn is_version_info(expr: &Expr) -> bool {
    last_name(expr) == Some("version_info")
}

fn integer(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(value) => value.as_u64(),
            _ => None,
        },
        _ => None,
    }
}

fn integers(expr: &Expr) -> Option<Vec<u64>> {
    match expr {
        Expr::Tuple(tuple) => tuple.elts.iter().map(integer).collect(),
        _ => None,
    }
}

/// The name itself, or the last of a dotted one.
pub fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}
