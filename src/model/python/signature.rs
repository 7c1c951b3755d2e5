//! A function's parameters in, whether it can be called with `(event, context)` out.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprLambda, Parameters, Stmt, StmtFunctionDef};

/// What a call needs to know of a function.
#[derive(Debug, Clone, Default)]
pub struct Signature {
    /// Positional parameters in order.
    pub positional: Vec<String>,
    /// How many of them have no default.
    pub required: usize,
    /// `*args`.
    pub variadic: bool,
    /// Keyword-only parameters without a default: no positional call can give them.
    pub keywords: Vec<String>,
    /// A call gives a generator.
    pub yields: bool,
    /// Whether there is a `return` with a value (or a `yield`) in it.
    pub answers: bool,
}

impl Signature {
    pub fn of(function: &StmtFunctionDef) -> Self {
        let mut answers = Answers::default();
        for statement in &function.body {
            answers.visit_stmt(statement);
        }
        let yields = answers.yields;
        // A coroutine or a generator is an answer, and so is whatever a body that only raises would give.
        let only_raises = matches!(function.body.last(), Some(Stmt::Raise(_)));
        let answers = answers.returns || yields || function.is_async || only_raises;
        Self { yields, answers, ..Self::parameters(&function.parameters) }
    }

    pub fn of_lambda(lambda: &ExprLambda) -> Self {
        let signature = lambda.parameters.as_deref().map(Self::parameters).unwrap_or_default();
        Self { answers: true, ..signature }
    }

    fn parameters(parameters: &Parameters) -> Self {
        let positional = || parameters.posonlyargs.iter().chain(&parameters.args);
        Self {
            positional: positional().map(|parameter| parameter.parameter.name.to_string()).collect(),
            required: positional().filter(|parameter| parameter.default.is_none()).count(),
            variadic: parameters.vararg.is_some(),
            keywords: parameters
                .kwonlyargs
                .iter()
                .filter(|parameter| parameter.default.is_none())
                .map(|parameter| parameter.parameter.name.to_string())
                .collect(),
            yields: false,
            answers: false,
        }
    }

    /// Why a call with `given` positional arguments fails, of which the first `hidden` (an instance,
    /// a class) are not the caller's.
    pub fn refuses(&self, given: usize, hidden: usize) -> Option<String> {
        let takes = |count: usize| {
            let visible = count.saturating_sub(hidden);
            let listed: Vec<_> =
                self.positional.iter().skip(hidden).map(|name| format!("`{name}`")).collect();
            match (visible, listed.is_empty()) {
                (0, _) | (_, true) => "no argument".to_owned(),
                (1, _) => format!("one argument ({})", listed.join(", ")),
                _ => format!("{visible} arguments ({})", listed.join(", ")),
            }
        };
        if !self.variadic && self.positional.len() < given {
            return Some(format!("takes {}", takes(self.positional.len())));
        }
        if self.required > given {
            return Some(format!("needs {}", takes(self.required)));
        }
        self.keywords.first().map(|keyword| format!("needs the keyword argument `{keyword}`"))
    }
}

/// What a function's own statements answer with; functions and classes within it answer for themselves.
#[derive(Default)]
struct Answers {
    yields: bool,
    returns: bool,
}

impl<'a> Visitor<'a> for Answers {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::Return(answer) => {
                self.returns |= answer.value.is_some();
                walk_stmt(self, statement);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Yield(_) | Expr::YieldFrom(_) => self.yields = true,
            _ => walk_expr(self, expr),
        }
    }
}
