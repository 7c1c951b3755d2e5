//! A CommonJS module's statements in, the value of its `module.exports` out.
//!
//! Top-level statements are followed one by one. What stands in functions, branches and loops may or
//! may not run, so what it does to the exports is only possible.

use std::collections::BTreeSet;

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_ast_visit::{VisitJs, walk_js};

use crate::model::javascript::binding::{Scope, is_function};
use crate::model::javascript::effect::{self, Target};
use crate::model::javascript::evaluate::{Evaluator, Exports};
use crate::model::javascript::parse::Lines;
use crate::model::javascript::value::{Certainty, Exported, Value};

pub fn exported(program: &Program<'_>, lines: &Lines) -> Exported {
    let exports = Exports { module: Value::object(), detached: None };
    let evaluator = Evaluator::new(Scope::of(None, &program.body), Some(exports), lines);
    let declared = evaluator.declared();
    let mut interpreter = Interpreter {
        evaluator,
        aliases: BTreeSet::new(),
        shadows: Vec::new(),
        functions: 0,
        detached: None,
    };
    interpreter.statements(&program.body);
    let value = interpreter.evaluator.exports.map_or_else(Value::unknown, |exports| exports.module);
    Exported { value, detached: interpreter.detached, declared }
}

struct Interpreter<'b, 'l> {
    evaluator: Evaluator<'b, 'l>,
    /// Variables that hold `module.exports`.
    aliases: BTreeSet<String>,
    /// For each function around, whether its parameters hide `exports` or `module`.
    shadows: Vec<bool>,
    /// How many of the functions that are run where they stand have a `this` of their own.
    functions: usize,
    detached: Option<u32>,
}

/// What an expression has to do with the exports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `module.exports`, or a name for the same object.
    Module,
    /// `exports` after `module.exports` was set to another object.
    Detached,
}

impl<'b> Interpreter<'b, '_> {
    fn statements(&mut self, statements: &'b [Statement<'b>]) {
        for statement in statements {
            match statement {
                Statement::ExpressionStatement(statement) => self.run(&statement.expression),
                Statement::BlockStatement(block) => self.statements(&block.body),
                Statement::VariableDeclaration(declaration) => {
                    for declarator in &declaration.declarations {
                        self.declarator(declarator);
                    }
                }
                // TypeScript's old helper for `export *`: its calls are known, its body would look
                // like any loop over the exports.
                Statement::FunctionDeclaration(function)
                    if function.name().is_some_and(|name| name == "__export") => {}
                statement => self.visit_statement(statement),
            }
        }
    }

    fn declarator(&mut self, declarator: &'b VariableDeclarator<'b>) {
        let Some(init) = &declarator.init else { return };
        let name = declarator.id.get_identifier_name();
        if let (Some(name), Some(Place::Module)) = (name, self.place(init)) {
            self.aliases.insert(name.to_string());
        } else if let (Some(name), Expression::AssignmentExpression(assignment)) = (name, init) {
            if self.assign(assignment, Certainty::Certain) {
                self.aliases.insert(name.to_string());
            }
        } else {
            self.run(init);
        }
    }

    /// Follows an expression that surely runs.
    fn run(&mut self, expression: &'b Expression<'b>) {
        match expression {
            Expression::AssignmentExpression(assignment) => {
                self.assign(assignment, Certainty::Certain);
            }
            Expression::SequenceExpression(sequence) => {
                for expression in &sequence.expressions {
                    self.run(expression);
                }
            }
            Expression::UnaryExpression(unary) if unary.operator != UnaryOperator::Typeof => {
                self.run(&unary.argument);
            }
            // What esbuild adds so that others can read the names: it never runs.
            Expression::LogicalExpression(logical)
                if logical.operator == LogicalOperator::And && logical.left.is_number_0() => {}
            Expression::CallExpression(call) if call.arguments.is_empty() => match &call.callee {
                Expression::ArrowFunctionExpression(arrow) if !arrow.r#async => {
                    match arrow.get_function_body() {
                        Some(body) => self.run_inside(&arrow.params, body),
                        None => self.visit_expression(expression),
                    }
                }
                Expression::FunctionExpression(function) if !function.r#async && !function.generator => {
                    match &function.body {
                        Some(body) => {
                            self.functions += 1;
                            self.run_inside(&function.params, body);
                            self.functions -= 1;
                        }
                        None => self.visit_expression(expression),
                    }
                }
                _ => self.visit_expression(expression),
            },
            Expression::CallExpression(call) => {
                if !self.help(call, Certainty::Certain) {
                    self.visit_expression(expression);
                }
            }
            _ => self.visit_expression(expression),
        }
    }

    /// Follows a function that is called where it stands, as bundlers wrap everything in one.
    fn run_inside(&mut self, parameters: &'b FormalParameters<'b>, body: &'b FunctionBody<'b>) {
        self.evaluator.scopes.push(Scope::of(Some(parameters), &body.statements));
        self.statements(&body.statements);
        self.evaluator.scopes.pop();
    }

    fn place(&self, expression: &Expression<'_>) -> Option<Place> {
        let hidden = |name| self.shadows.contains(&true) || self.evaluator.is_declared(name);
        match expression {
            Expression::Identifier(id) if id.name == "exports" && !hidden("exports") => {
                Some(self.place_of_exports())
            }
            Expression::Identifier(id) if self.aliases.contains(id.name.as_str()) => Some(Place::Module),
            Expression::ThisExpression(_) if self.shadows.is_empty() && self.functions == 0 => {
                Some(self.place_of_exports())
            }
            expression => {
                let member = expression.as_member_expression()?;
                let is_module = member.object().is_specific_id("module") && !hidden("module");
                (is_module && member.static_property_name() == Some("exports")).then_some(Place::Module)
            }
        }
    }

    fn place_of_exports(&self) -> Place {
        let detached = self.evaluator.exports.as_ref().is_some_and(|exports| exports.detached.is_some());
        if detached { Place::Detached } else { Place::Module }
    }

    /// The same for the left side of an assignment, where `exports` is the variable itself.
    fn place_of_target(&self, target: &AssignmentTarget<'_>) -> Option<Place> {
        let member = target.as_member_expression()?;
        let hidden = self.shadows.contains(&true) || self.evaluator.is_declared("module");
        let is_module = member.object().is_specific_id("module") && !hidden;
        (is_module && member.static_property_name() == Some("exports")).then_some(Place::Module)
    }

    fn is_exports_variable(&self, target: &AssignmentTarget<'_>) -> bool {
        let hidden = self.shadows.contains(&true) || self.evaluator.is_declared("exports");
        matches!(target, AssignmentTarget::AssignmentTargetIdentifier(id) if id.name == "exports" && !hidden)
    }

    /// `a = b = value`: every target gets the one value, and the two names for the exports stay one
    /// object only when both are among the targets. Whether `module.exports` is one of them.
    fn assign(&mut self, assignment: &AssignmentExpression<'b>, certainty: Certainty) -> bool {
        let mut targets = vec![(&assignment.left, assignment.span.start)];
        let mut right = &assignment.right;
        let mut plain = assignment.operator == AssignmentOperator::Assign;
        while let Expression::AssignmentExpression(inner) = right {
            targets.push((&inner.left, inner.span.start));
            right = &inner.right;
            plain &= inner.operator == AssignmentOperator::Assign;
        }
        let certainty = if plain { certainty } else { Certainty::Possible };
        let sets_module =
            targets.iter().any(|(target, _)| self.place_of_target(target) == Some(Place::Module));
        let variable = targets.iter().find(|(target, _)| self.is_exports_variable(target));
        let concerned = sets_module
            || variable.is_some()
            || targets.iter().any(|(target, _)| self.owner(target).is_some());
        if !concerned {
            for (target, _) in targets {
                self.visit_assignment_target(target);
            }
            self.visit_expression(right);
            return false;
        }
        let value = self.evaluator.value(right);
        // What stands in the value may do something to the exports too, but an object or a name that
        // is exported is no leak.
        if self.place(right).is_none() && !matches!(right, Expression::Identifier(_)) {
            self.visit_expression(right);
        }
        match (sets_module, variable, certainty) {
            (true, _, Certainty::Certain) => {
                let to_itself = self.place(right) == Some(Place::Module);
                self.replace(value.clone(), variable.is_some() || to_itself);
            }
            (true, _, Certainty::Possible) => {
                if let Some(exports) = &mut self.evaluator.exports {
                    let before = std::mem::replace(&mut exports.module, Value::object());
                    exports.module.from = vec![before, value.clone()];
                    exports.module.open = true;
                }
            }
            (false, Some((_, offset)), Certainty::Certain) => {
                let back = self.place(right) == Some(Place::Module);
                self.detach((!back).then(|| (value.clone(), *offset)));
            }
            _ => {}
        }
        for (target, offset) in targets {
            if let Some((place, name)) = self.owner(target) {
                self.set(place, name.as_deref(), value.clone(), offset, certainty);
            }
        }
        sets_module
    }

    /// Whose member a target is, and its name where it has a fixed one.
    fn owner(&self, target: &AssignmentTarget<'_>) -> Option<(Place, Option<String>)> {
        let member = target.as_member_expression()?;
        let place = self.place(member.object())?;
        Some((place, member.static_property_name().map(str::to_owned)))
    }

    fn replace(&mut self, value: Value, keeps_exports: bool) {
        self.aliases.clear();
        if let Some(exports) = &mut self.evaluator.exports {
            let before = std::mem::replace(&mut exports.module, value);
            if keeps_exports {
                exports.detached = None;
            } else {
                exports.detached.get_or_insert(before);
            }
        }
    }

    /// `exports = …`: from here on it names something else, or `module.exports` again.
    fn detach(&mut self, to: Option<(Value, u32)>) {
        let line = to.as_ref().map(|(_, offset)| self.evaluator.lines.line(*offset));
        self.detached = self.detached.or(line);
        if let Some(exports) = &mut self.evaluator.exports {
            exports.detached = to.map(|(value, _)| value);
        }
    }

    fn set(&mut self, place: Place, name: Option<&str>, value: Value, offset: u32, certainty: Certainty) {
        let line = self.evaluator.lines.line(offset);
        let Some(object) = self.object(place) else { return };
        match name {
            Some(name) => object.set(name, value, line, certainty),
            None => object.open = true,
        }
    }

    fn object(&mut self, place: Place) -> Option<&mut Value> {
        let exports = self.evaluator.exports.as_mut()?;
        match place {
            Place::Module => Some(&mut exports.module),
            Place::Detached => exports.detached.as_mut(),
        }
    }

    /// Applies a known helper's call; whether it was one, on the exports.
    fn help(&mut self, call: &CallExpression<'_>, certainty: Certainty) -> bool {
        let Some((target, effects)) = effect::of(call) else { return false };
        let place = match target {
            Target::Exports => Some(self.place_of_exports()),
            Target::Expression(target) => self.place(target),
        };
        let Some(place) = place else { return false };
        for effect in &effects {
            let mut effect_value = Value::object();
            self.evaluator.apply(&mut effect_value, effect, Certainty::Certain);
            let Some(object) = self.object(place) else { continue };
            for (name, member) in effect_value.members {
                object.set(&name, member.value, member.line, certainty);
            }
            object.from.extend(effect_value.from);
            object.open |= effect_value.open;
        }
        true
    }

    /// The exports were handed to code that may do anything to them.
    fn leak(&mut self, place: Place) {
        if let Some(object) = self.object(place) {
            object.open = true;
        }
    }
}

/// Whether a function's parameters hide the names that export.
fn hides_exports(parameters: &FormalParameters<'_>) -> bool {
    let names = parameters.iter_bindings().flat_map(BindingPattern::get_binding_identifiers);
    names.into_iter().any(|id| id.name == "exports" || id.name == "module")
}

/// What may happen to the exports in code that may or may not run.
impl<'b> VisitJs<'b> for Interpreter<'b, '_> {
    fn enter_node(&mut self, kind: AstKind<'b>) {
        match kind {
            AstKind::Function(function) => self.shadows.push(hides_exports(&function.params)),
            AstKind::ArrowFunctionExpression(arrow) => self.shadows.push(hides_exports(&arrow.params)),
            _ => {}
        }
    }

    fn leave_node(&mut self, kind: AstKind<'b>) {
        if is_function(&kind) {
            self.shadows.pop();
        }
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'b>) {
        self.assign(assignment, Certainty::Possible);
    }

    fn visit_simple_assignment_target(&mut self, target: &SimpleAssignmentTarget<'b>) {
        // Only the parts of a pattern get here with a member of the exports.
        if let Some(member) = target.as_member_expression()
            && let Some(place) = self.place(member.object())
        {
            self.leak(place);
        }
        walk_js::walk_simple_assignment_target(self, target);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'b>) {
        if self.help(call, Certainty::Possible) {
            return;
        }
        for argument in &call.arguments {
            if let Some(place) = argument.as_expression().and_then(|argument| self.place(argument)) {
                self.leak(place);
            }
        }
        walk_js::walk_call_expression(self, call);
    }

    fn visit_member_expression(&mut self, member: &MemberExpression<'b>) {
        // To read a member changes nothing.
        if self.place(member.object()).is_some() || member.object().is_specific_id("module") {
            if let MemberExpression::ComputedMemberExpression(member) = member {
                self.visit_expression(&member.expression);
            }
            return;
        }
        walk_js::walk_member_expression(self, member);
    }

    fn visit_expression(&mut self, expression: &Expression<'b>) {
        match (self.place(expression), expression) {
            // `this` is everywhere in emitted helpers; only as an argument does it leak.
            (Some(_), Expression::ThisExpression(_)) => {}
            (Some(place), _) => self.leak(place),
            (None, Expression::Identifier(id)) if id.name == "module" => {
                let hidden = self.shadows.contains(&true) || self.evaluator.is_declared("module");
                if !hidden {
                    self.leak(Place::Module);
                }
            }
            (None, expression) => walk_js::walk_expression(self, expression),
        }
    }

    fn visit_binary_expression(&mut self, binary: &BinaryExpression<'b>) {
        // `require.main === module`, the idiom for "was this file started itself".
        for side in [&binary.left, &binary.right] {
            if !side.is_specific_id("module") {
                self.visit_expression(side);
            }
        }
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'b>) {
        if unary.operator != UnaryOperator::Typeof {
            walk_js::walk_unary_expression(self, unary);
        }
    }
}
