//! A module's statements in, its imports out, with what is known of whether they are reached.

use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::{ExceptHandler, Expr, Stmt, StmtTry};

use crate::model::python::condition::{holds, last_name};
use crate::model::python::expression::exits;
use crate::model::python::finder::absolute;
use crate::model::python::scope::Surroundings;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The absolute dotted name; nothing if a relative import leads out of the archive's root.
    pub module: Option<String>,
    /// As it is written: `..tools`.
    pub written: String,
    /// What `from module import ...` takes: names or submodules. Empty for `import module`.
    pub names: Vec<String>,
    pub line: u32,
    pub reach: Reach,
}

/// How sure it is that the statement runs, and that its failing is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Some test decides that cannot be told here.
    Depends,
    Certain,
    /// The code goes on without it if there is no such module.
    Optional,
    /// The code goes on without it whatever is wrong with it.
    Forgiven,
}

pub fn read(body: &[Stmt], surroundings: &Surroundings<'_>) -> Vec<Import> {
    let mut reader = Reader { surroundings, imports: Vec::new() };
    reader.run(body, Reach::Certain);
    reader.imports
}

struct Reader<'a> {
    surroundings: &'a Surroundings<'a>,
    imports: Vec<Import>,
}

impl Reader<'_> {
    fn run(&mut self, body: &[Stmt], reach: Reach) {
        for statement in body {
            self.step(statement, reach);
            let ends = match statement {
                Stmt::Raise(_) | Stmt::Return(_) => true,
                Stmt::Expr(statement) => exits(&statement.value),
                _ => false,
            };
            if ends {
                return;
            }
        }
    }

    fn step(&mut self, statement: &Stmt, reach: Reach) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.to_string();
                    self.imports.push(Import {
                        written: module.clone(),
                        module: Some(module),
                        names: Vec::new(),
                        line: self.surroundings.lines.line(import),
                        reach,
                    });
                }
            }
            Stmt::ImportFrom(import) => {
                let target = import.module.as_deref().unwrap_or_default();
                let Surroundings { module, is_package, .. } = *self.surroundings;
                let dots: String = (0..import.level.min(64)).map(|_| '.').collect();
                self.imports.push(Import {
                    module: absolute(module, is_package, import.level, target),
                    written: format!("{dots}{target}"),
                    names: import.names.iter().map(|alias| alias.name.to_string()).collect(),
                    line: self.surroundings.lines.line(import),
                    reach,
                });
            }
            Stmt::FunctionDef(function) => self.run(&function.body, reach),
            Stmt::ClassDef(class) => self.run(&class.body, reach),
            Stmt::If(statement) => {
                let mut branches = vec![(Some(&*statement.test), &statement.body[..])];
                branches.extend(
                    statement.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body[..])),
                );
                self.branches(&branches, reach);
            }
            Stmt::While(statement) => {
                self.run(&statement.body, reach);
                self.run(&statement.orelse, reach);
            }
            Stmt::For(statement) => {
                self.run(&statement.body, reach);
                self.run(&statement.orelse, reach);
            }
            Stmt::With(statement) => {
                let suppressed =
                    statement.items.iter().filter_map(|item| suppressed(&item.context_expr)).max();
                self.run(&statement.body, suppressed.map_or(reach, |forgiven| reach.max(forgiven)));
            }
            Stmt::Match(statement) => {
                for case in &statement.cases {
                    self.run(&case.body, reach.max_of_doubt());
                }
            }
            Stmt::Try(statement) => self.attempt(statement, reach),
            _ => {}
        }
    }

    fn branches(&mut self, branches: &[(Option<&Expr>, &[Stmt])], reach: Reach) {
        let mut reach = reach;
        for (test, body) in branches {
            match test.map_or(Some(true), |test| holds(test, self.surroundings.version)) {
                Some(false) => {}
                Some(true) => {
                    self.run(body, reach);
                    return;
                }
                None => {
                    reach = reach.max_of_doubt();
                    let asks = test.is_some_and(asks_for_modules);
                    self.run(body, if asks { Reach::Optional.max(reach) } else { reach });
                }
            }
        }
    }

    fn attempt(&mut self, statement: &StmtTry, reach: Reach) {
        let caught = statement
            .handlers
            .iter()
            .filter_map(|ExceptHandler::ExceptHandler(handler)| forgives(handler.type_.as_deref()))
            .max();
        self.run(&statement.body, caught.map_or(reach, |forgiven| reach.max(forgiven)));
        self.run(&statement.orelse, reach);
        for ExceptHandler::ExceptHandler(handler) in &statement.handlers {
            // What stands in for a module is imported only where that module is not.
            let stands_in = forgives(handler.type_.as_deref()).is_some();
            self.run(
                &handler.body,
                if stands_in { Reach::Optional.max(reach) } else { reach.max_of_doubt() },
            );
        }
        self.run(&statement.finalbody, reach);
    }
}

impl Reach {
    /// The same behind a test that cannot be decided.
    fn max_of_doubt(self) -> Self {
        if self == Self::Certain { Self::Depends } else { self }
    }
}

/// What a handler for that exception makes of a missing module.
fn forgives(exception: Option<&Expr>) -> Option<Reach> {
    let Some(exception) = exception else { return Some(Reach::Forgiven) };
    match exception {
        Expr::Tuple(tuple) => tuple.elts.iter().filter_map(|element| forgives(Some(element))).max(),
        _ => match last_name(exception)? {
            "ImportError" | "ModuleNotFoundError" => Some(Reach::Optional),
            "Exception" | "BaseException" => Some(Reach::Forgiven),
            _ => None,
        },
    }
}

/// `contextlib.suppress(ImportError)`.
fn suppressed(context: &Expr) -> Option<Reach> {
    match context {
        Expr::Call(call) if last_name(&call.func) == Some("suppress") => {
            call.arguments.args.iter().filter_map(|argument| forgives(Some(argument))).max()
        }
        _ => None,
    }
}

/// `if importlib.util.find_spec("x"):` asks whether the module is there before it imports it.
fn asks_for_modules(test: &Expr) -> bool {
    any_over_expr(test, |expr| matches!(last_name(expr), Some("find_spec" | "find_loader")))
}
