//! A module's statements in, what each of its names is bound to at the end out. Nothing is run:
//! where branches differ a name keeps all its possible values.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{
    ExceptHandler, Expr, ExprLambda, Stmt, StmtClassDef, StmtFunctionDef, StmtImport, StmtImportFrom,
    StmtMatch, StmtTry,
};

use crate::model::python::captures::{Captures, Walruses};
use crate::model::python::condition::{holds, last_name};
use crate::model::python::expression::{self, Names};
use crate::model::python::finder::absolute;
use crate::model::python::habits::Habits;
use crate::model::python::signature::Signature;
use crate::model::python::source::Lines;
use crate::model::python::value::{Class, Function, Value, depth, union};

/// What a module's names are bound to once it is loaded.
#[derive(Debug, Default)]
pub struct Scope {
    pub names: BTreeMap<String, Vec<Value>>,
    /// `__all__`, if it is a list of strings.
    pub exported: Option<Vec<String>>,
    /// Modules that are star-imported, by absolute name; nothing for one that cannot be named.
    pub stars: Vec<Option<Rc<str>>>,
    /// Names may appear that no statement binds.
    pub dynamic: bool,
    /// Names that functions declare `global`, so that a call may bind them.
    pub globals: BTreeSet<String>,
    /// Attributes that are set on something, which may be another module.
    pub attributes: BTreeSet<String>,
    /// Imports may be found elsewhere than in the archive's root.
    pub extends_path: bool,
    /// Where, if one of the texts says so.
    pub texts: BTreeSet<String>,
}

/// What the statements are read against.
pub struct Surroundings<'a> {
    pub module: &'a str,
    pub path: &'a str,
    pub is_package: bool,
    pub version: (u32, u32),
    pub lines: &'a Lines,
}

pub fn read(body: &[Stmt], surroundings: &Surroundings<'_>) -> Scope {
    let habits = Habits::of(body);
    let mut reader = Reader {
        surroundings,
        path: surroundings.path.into(),
        frames: vec![Frame::new()],
        stars: Vec::new(),
    };
    reader.run(body);
    let names = reader.frames.pop().unwrap_or_default();
    let dynamic = habits.dynamic || names.contains_key("__getattr__");
    Scope {
        names,
        exported: expression::exported(body),
        stars: reader.stars,
        dynamic,
        globals: habits.globals,
        attributes: habits.attributes,
        extends_path: habits.extends_path,
        texts: habits.texts,
    }
}

type Frame = BTreeMap<String, Vec<Value>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Falls,
    /// Ends by raising or exiting: what it bound is never seen.
    Leaves,
}

struct Reader<'a> {
    surroundings: &'a Surroundings<'a>,
    path: Rc<str>,
    /// The module's names, then what each branch that is being read binds on top of them.
    frames: Vec<Frame>,
    stars: Vec<Option<Rc<str>>>,
}

impl Reader<'_> {
    fn run(&mut self, body: &[Stmt]) -> Flow {
        for statement in body {
            match statement {
                Stmt::Raise(_) => return Flow::Leaves,
                Stmt::Break(_) | Stmt::Continue(_) => return Flow::Falls,
                _ => {
                    if self.step(statement) == Flow::Leaves {
                        return Flow::Leaves;
                    }
                }
            }
        }
        Flow::Falls
    }

    fn step(&mut self, statement: &Stmt) -> Flow {
        self.bind_walruses(statement);
        match statement {
            Stmt::FunctionDef(function) => {
                let value = Value::Function(Rc::new(self.function(function)));
                self.bind(&function.name, vec![value]);
            }
            Stmt::ClassDef(class) => {
                let value = Value::Class(Rc::new(self.class(class)));
                self.bind(&class.name, vec![value]);
            }
            Stmt::Assign(assign) => {
                let values = expression::values(&assign.value, self);
                for target in &assign.targets {
                    self.bind_target(target, &values, Some(&assign.value));
                }
            }
            Stmt::AnnAssign(assign) => {
                if let Some(expr) = &assign.value {
                    let values = expression::values(expr, self);
                    self.bind_target(&assign.target, &values, Some(expr));
                }
            }
            Stmt::AugAssign(assign) => self.bind_target(&assign.target, &[Value::Unknown], None),
            Stmt::TypeAlias(alias) => {
                self.bind_target(&alias.name, &[Value::Constant("a type alias")], None);
            }
            Stmt::Delete(delete) => {
                for target in &delete.targets {
                    self.bind_target(target, &[Value::Unbound], None);
                }
            }
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::If(statement) => {
                let mut branches = vec![(Some(&*statement.test), &statement.body[..])];
                branches.extend(
                    statement.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body[..])),
                );
                return self.branches(&branches);
            }
            Stmt::While(statement) => {
                let end = self.branch(|reader| reader.run(&statement.body)).0;
                self.merge(vec![Some(end), Some(Frame::new())]);
                return self.run(&statement.orelse);
            }
            Stmt::For(statement) => {
                let end = self
                    .branch(|reader| {
                        reader.bind_target(&statement.target, &[Value::Unknown], None);
                        reader.run(&statement.body)
                    })
                    .0;
                self.merge(vec![Some(end), Some(Frame::new())]);
                return self.run(&statement.orelse);
            }
            Stmt::With(statement) => {
                for item in &statement.items {
                    if let Some(target) = &item.optional_vars {
                        self.bind_target(target, &[Value::Unknown], None);
                    }
                }
                let (end, flow) = self.branch(|reader| reader.run(&statement.body));
                // A context manager may swallow what ends its body half-way.
                let swallows = statement.items.iter().any(|item| swallows(&item.context_expr));
                let ends = if swallows {
                    vec![Some(end), Some(Frame::new())]
                } else {
                    vec![(flow == Flow::Falls).then_some(end)]
                };
                return self.merge(ends);
            }
            Stmt::Match(statement) => return self.cases(statement),
            Stmt::Try(statement) => return self.attempt(statement),
            Stmt::Expr(statement) if expression::exits(&statement.value) => return Flow::Leaves,
            _ => {}
        }
        Flow::Falls
    }

    fn branches(&mut self, branches: &[(Option<&Expr>, &[Stmt])]) -> Flow {
        let mut ends = Vec::new();
        let mut complete = false;
        for (test, body) in branches {
            let holds = test.map_or(Some(true), |test| holds(test, self.surroundings.version));
            if holds == Some(false) {
                continue;
            }
            let (end, flow) = self.branch(|reader| reader.run(body));
            ends.push((flow == Flow::Falls).then_some(end));
            if holds == Some(true) {
                complete = true;
                break;
            }
        }
        if !complete {
            ends.push(Some(Frame::new()));
        }
        self.merge(ends)
    }

    fn cases(&mut self, statement: &StmtMatch) -> Flow {
        let mut ends = Vec::new();
        let mut complete = false;
        for case in &statement.cases {
            let (end, flow) = self.branch(|reader| {
                let mut captures = Captures::default();
                captures.visit_pattern(&case.pattern);
                for name in captures.names {
                    reader.bind(&name, vec![Value::Unknown]);
                }
                reader.run(&case.body)
            });
            ends.push((flow == Flow::Falls).then_some(end));
            complete |= case.guard.is_none() && case.pattern.is_irrefutable();
        }
        if !complete {
            ends.push(Some(Frame::new()));
        }
        self.merge(ends)
    }

    fn attempt(&mut self, statement: &StmtTry) -> Flow {
        let (whole, flow) = self.branch(|reader| reader.run(&statement.body));
        // The body may end anywhere before a handler begins.
        let partial: Frame = whole
            .iter()
            .map(|(name, values)| (name.clone(), union([self.lookup(name), values.clone()])))
            .collect();
        let mut ends = Vec::new();
        self.frames.push(whole);
        let completes = flow == Flow::Falls && self.run(&statement.orelse) == Flow::Falls;
        let end = self.frames.pop().unwrap_or_default();
        ends.push(completes.then_some(end));
        for ExceptHandler::ExceptHandler(handler) in &statement.handlers {
            self.frames.push(partial.clone());
            let flow = self.run(&handler.body);
            let end = self.frames.pop().unwrap_or_default();
            ends.push((flow == Flow::Falls).then_some(end));
        }
        let flow = self.merge(ends);
        match self.run(&statement.finalbody) {
            Flow::Leaves => Flow::Leaves,
            Flow::Falls => flow,
        }
    }

    /// Runs something on top of what is bound so far, and gives what it bound.
    fn branch(&mut self, run: impl FnOnce(&mut Self) -> Flow) -> (Frame, Flow) {
        self.frames.push(Frame::new());
        let flow = run(self);
        (self.frames.pop().unwrap_or_default(), flow)
    }

    /// Goes on after branches of which one ran: `None` for one that never comes here.
    fn merge(&mut self, ends: Vec<Option<Frame>>) -> Flow {
        let ends: Vec<Frame> = ends.into_iter().flatten().collect();
        if ends.is_empty() {
            return Flow::Leaves;
        }
        let names: BTreeSet<String> = ends.iter().flat_map(|end| end.keys().cloned()).collect();
        for name in names {
            let values =
                union(ends.iter().map(|end| end.get(&name).cloned().unwrap_or_else(|| self.lookup(&name))));
            self.bind(&name, values);
        }
        Flow::Falls
    }

    fn bind(&mut self, name: &str, values: Vec<Value>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.insert(name.to_owned(), values);
        }
    }

    fn bind_target(&mut self, target: &Expr, values: &[Value], expr: Option<&Expr>) {
        match target {
            Expr::Name(name) => self.bind(&name.id, values.to_vec()),
            Expr::Starred(starred) => self.bind_target(&starred.value, &[Value::Constant("a list")], None),
            Expr::Tuple(_) | Expr::List(_) => {
                let targets = expression::elements(target).unwrap_or_default();
                let parts = expr.and_then(expression::elements).filter(|parts| {
                    parts.len() == targets.len()
                        && !parts.iter().chain(targets).any(|part| part.is_starred_expr())
                });
                for (index, target) in targets.iter().enumerate() {
                    let part = parts.and_then(|parts| parts.get(index));
                    let values = match part {
                        Some(part) => expression::values(part, self),
                        None => vec![Value::Unknown],
                    };
                    self.bind_target(target, &values, part);
                }
            }
            _ => {}
        }
    }

    fn bind_walruses(&mut self, statement: &Stmt) {
        let mut walruses = Walruses::default();
        walruses.visit_stmt(statement);
        for walrus in walruses.found {
            let values = expression::values(&walrus.value, self);
            self.bind_target(&walrus.target, &values, Some(&walrus.value));
        }
    }

    fn import(&mut self, import: &StmtImport) {
        for alias in &import.names {
            let (name, module) = match &alias.asname {
                Some(name) => (name.as_str(), alias.name.as_str()),
                None => {
                    let top = alias.name.split('.').next().unwrap_or_default();
                    (top, top)
                }
            };
            self.bind(name, vec![Value::Module(module.into())]);
        }
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let target = import.module.as_deref().unwrap_or_default();
        let Surroundings { module, is_package, .. } = *self.surroundings;
        let module: Option<Rc<str>> = absolute(module, is_package, import.level, target).map(Into::into);
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                self.star(module.clone());
                continue;
            }
            let value = match &module {
                Some(module) => Value::Import { module: module.clone(), name: alias.name.as_str().into() },
                None => Value::Unknown,
            };
            self.bind(alias.asname.as_ref().unwrap_or(&alias.name), vec![value]);
        }
    }

    /// Any name bound before may be another one after.
    fn star(&mut self, module: Option<Rc<str>>) {
        let names: BTreeSet<String> = self.frames.iter().flat_map(|frame| frame.keys().cloned()).collect();
        for name in names {
            let star = match &module {
                Some(module) => Value::Star { module: module.clone(), name: name.as_str().into() },
                None => Value::Unknown,
            };
            let values = union([self.lookup(&name), vec![star]]);
            self.bind(&name, values);
        }
        self.stars.push(module);
    }

    fn function(&self, function: &StmtFunctionDef) -> Function {
        let decorators: Vec<Value> = function
            .decorator_list
            .iter()
            .map(|decorator| expression::value(&decorator.expression, self).shallow())
            .collect();
        Function {
            path: self.path.clone(),
            line: self.surroundings.lines.line(&function.name),
            signature: Signature::of(function),
            depth: depth(&decorators),
            decorators,
        }
    }

    fn class(&mut self, class: &StmtClassDef) -> Class {
        let (mut names, _) = self.branch(|reader| reader.run(&class.body));
        for value in names.values_mut().flatten() {
            *value = std::mem::replace(value, Value::Unknown).shallow();
        }
        let bases: Vec<Value> =
            class.bases().iter().map(|base| expression::value(base, self).shallow()).collect();
        // These are known not to add a `__call__`.
        let foreign = class.decorator_list.iter().any(|decorator| {
            let decorator = match &decorator.expression {
                Expr::Call(call) => &call.func,
                expression => expression,
            };
            !matches!(
                last_name(decorator),
                Some("dataclass" | "final" | "total_ordering" | "runtime_checkable")
            )
        });
        let metaclass = class
            .keywords()
            .iter()
            .any(|keyword| keyword.arg.is_none() || keyword.arg.as_deref() == Some("metaclass"));
        Class {
            name: class.name.to_string(),
            path: self.path.clone(),
            line: self.surroundings.lines.line(&class.name),
            depth: depth(&bases).max(depth(names.values().flatten())),
            bases,
            names,
            opaque: foreign || metaclass,
            decorated: !class.decorator_list.is_empty(),
        }
    }
}

impl Names for Reader<'_> {
    fn lookup(&self, name: &str) -> Vec<Value> {
        let bound = self.frames.iter().rev().find_map(|frame| frame.get(name));
        match bound {
            Some(values) => values.clone(),
            None => match self.stars.last() {
                Some(Some(module)) => vec![Value::Star { module: module.clone(), name: name.into() }],
                Some(None) => vec![Value::Unknown],
                None => vec![Value::Unbound],
            },
        }
    }

    fn lambda(&self, lambda: &ExprLambda) -> Value {
        Value::Function(Rc::new(Function {
            path: self.path.clone(),
            line: self.surroundings.lines.line(lambda),
            signature: Signature::of_lambda(lambda),
            decorators: Vec::new(),
            depth: 0,
        }))
    }
}

fn swallows(context: &Expr) -> bool {
    matches!(context, Expr::Call(call) if matches!(last_name(&call.func), Some("suppress" | "raises")))
}
