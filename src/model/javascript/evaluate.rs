//! Expressions in, values out: what can be told of them from one module's text.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_ast_visit::VisitJs;

use crate::model::javascript::binding::{Binding, Scope};
use crate::model::javascript::effect::{self, Effect, Source};
use crate::model::javascript::parse::Lines;
use crate::model::javascript::value::{Certainty, DefaultMember, Kind, Parameter, Signature, Value};

/// How many steps all of a module's values may take, and one of them. Real ones take a few dozen; this
/// ends those that were made to grow without bound, and those of minified code, where one letter is
/// the name of a hundred variables.
const MODULE_FUEL: usize = 100_000;
const VALUE_FUEL: usize = 2_000;
/// How deep names and expressions may lead.
const DEPTH_MAX: usize = 200;

pub struct Evaluator<'b, 'l> {
    /// The module's scope, then those of the functions that are run where they stand.
    pub scopes: Vec<Scope<'b>>,
    /// `exports` and `module.exports`; nothing in an ES module.
    pub exports: Option<Exports>,
    pub lines: &'l Lines,
    /// What is left for the module, and for the value that is being looked for.
    module_fuel: Cell<usize>,
    fuel: Cell<usize>,
    depth: Cell<usize>,
    signatures: RefCell<BTreeMap<u32, Signature>>,
}

/// The two names that CommonJS exports under.
pub struct Exports {
    /// `module.exports`.
    pub module: Value,
    /// What `exports` still names when `module.exports` was set to something else.
    pub detached: Option<Value>,
}

impl<'b, 'l> Evaluator<'b, 'l> {
    pub fn new(scope: Scope<'b>, exports: Option<Exports>, lines: &'l Lines) -> Self {
        Self {
            scopes: vec![scope],
            exports,
            lines,
            module_fuel: Cell::new(MODULE_FUEL),
            fuel: Cell::new(0),
            depth: Cell::new(0),
            signatures: RefCell::default(),
        }
    }

    pub fn is_declared(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.bindings.contains_key(name))
    }

    /// The names of the module's own scope.
    pub fn declared(&self) -> BTreeSet<String> {
        let scope = self.scopes.first();
        scope.iter().flat_map(|scope| scope.bindings.keys()).map(|name| (*name).to_owned()).collect()
    }

    pub fn source(&self, source: &Source<'_>) -> Value {
        match source {
            Source::Expression(expression) => self.value(expression),
            Source::Getter(getter) => effect::returned(getter).map_or_else(Value::unknown, |e| self.value(e)),
            Source::Method(function) => {
                let returned = function.body.as_ref().and_then(|body| effect::only_return(&body.statements));
                returned.map_or_else(Value::unknown, |e| self.value(e))
            }
            Source::Function(function) => {
                let is_used = || {
                    usage_in(&function.params, |usage| {
                        if let Some(body) = &function.body {
                            usage.visit_function_body(body);
                        }
                    })
                };
                let waits = function.r#async || function.generator;
                self.function(function.span, &function.params, is_used, || {
                    !waits && function.body.as_ref().is_some_and(|body| gives_nothing(body))
                })
            }
            Source::Class(class) => self.class(class),
            Source::Member(object, name) => self.value(object).member(name),
            Source::Import { specifier, name } => {
                let path: Vec<&str> = name.iter().copied().collect();
                Value::import(specifier, &path, DefaultMember::Whole)
            }
            Source::Opaque => Value::unknown(),
        }
    }

    /// Applies what is done to an object to what is known of it.
    pub fn apply(&self, value: &mut Value, effect: &Effect<'_>, certainty: Certainty) {
        match effect {
            Effect::Member { name, source, offset } => {
                value.set(name, self.source(source), self.lines.line(*offset), certainty);
            }
            Effect::From(source) => value.from.push(self.source(source)),
            Effect::Open => value.open = true,
        }
    }

    pub fn value(&self, expression: &Expression<'_>) -> Value {
        if self.depth.get() > 0 {
            return self.step(expression);
        }
        let fuel = self.module_fuel.get().min(VALUE_FUEL);
        self.fuel.set(fuel);
        let value = self.step(expression);
        self.module_fuel.set(self.module_fuel.get() - (fuel - self.fuel.get()));
        value
    }

    fn step(&self, expression: &Expression<'_>) -> Value {
        let fuel = self.fuel.get();
        if fuel == 0 || self.depth.get() >= DEPTH_MAX {
            return Value::unknown();
        }
        self.fuel.set(fuel - 1);
        self.depth.set(self.depth.get() + 1);
        let value = self.evaluate(expression);
        self.depth.set(self.depth.get() - 1);
        // What is large is copied wherever it is named.
        let size = value.members.len() + value.from.len();
        self.fuel.set(self.fuel.get().saturating_sub(size));
        value
    }

    fn evaluate(&self, expression: &Expression<'_>) -> Value {
        match expression {
            Expression::FunctionExpression(function) => self.source(&Source::Function(function)),
            Expression::ArrowFunctionExpression(arrow) => {
                let is_used =
                    || usage_in(&arrow.params, |usage| usage.visit_arrow_function_body(&arrow.body));
                self.function(arrow.span, &arrow.params, is_used, || match &arrow.body {
                    ArrowFunctionBody::FunctionBody(body) => !arrow.r#async && gives_nothing(body),
                    _ => false,
                })
            }
            Expression::ClassExpression(class) => self.class(class),
            Expression::Identifier(id) => self.identifier(id.name.as_str()),
            Expression::ObjectExpression(object) => self.object(object),
            Expression::AssignmentExpression(assignment) => match assignment.operator {
                AssignmentOperator::Assign => self.value(&assignment.right),
                _ => Value::unknown(),
            },
            Expression::SequenceExpression(sequence) => {
                sequence.expressions.last().map_or_else(Value::unknown, |last| self.value(last))
            }
            Expression::ConditionalExpression(conditional) => {
                self.value(&conditional.consequent).or(self.value(&conditional.alternate))
            }
            Expression::LogicalExpression(logical) => self.logical(logical),
            Expression::CallExpression(call) => self.call(call),
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::CallExpression(call) => self.call(call),
                element => element.as_member_expression().map_or_else(Value::unknown, |m| self.member(m)),
            },
            Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => Value::data("a string"),
            Expression::NumericLiteral(_)
            | Expression::BigIntLiteral(_)
            | Expression::UpdateExpression(_) => Value::data("a number"),
            Expression::BooleanLiteral(_) => Value::data("a boolean"),
            Expression::NullLiteral(_) => Value::data("null"),
            Expression::RegExpLiteral(_) => Value::data("a regular expression"),
            Expression::ArrayExpression(_) => Value::data("an array"),
            Expression::BinaryExpression(_) => Value::data("a string, number or boolean"),
            Expression::ImportExpression(_) => Value::data("a promise"),
            Expression::UnaryExpression(unary) => match unary.operator {
                UnaryOperator::Void => Value::data("undefined"),
                UnaryOperator::Typeof => Value::data("a string"),
                UnaryOperator::LogicalNot | UnaryOperator::Delete => Value::data("a boolean"),
                _ => Value::data("a number"),
            },
            expression => {
                expression.as_member_expression().map_or_else(Value::unknown, |member| self.member(member))
            }
        }
    }

    /// What a name of this module holds.
    pub fn identifier(&self, name: &str) -> Value {
        if let Some(binding) = self.scopes.iter().rev().find_map(|scope| scope.bindings.get(name)) {
            return self.binding(binding);
        }
        match (name, &self.exports) {
            ("exports", Some(exports)) => exports.detached.as_ref().unwrap_or(&exports.module).clone(),
            ("undefined", _) => Value::data("undefined"),
            ("NaN" | "Infinity", _) => Value::data("a number"),
            _ => Value::unknown(),
        }
    }

    fn binding(&self, binding: &Binding<'_>) -> Value {
        let mut value: Option<Value> = None;
        for (source, certainty) in &binding.sources {
            let next = match source {
                Source::Expression(expression) => self.value(expression),
                Source::Member(object, name) => self.value(object).member(name),
                source => self.source(source),
            };
            value = Some(match (value, certainty) {
                (_, Certainty::Certain) => next,
                (None, Certainty::Possible) => next.perhaps(),
                (Some(before), Certainty::Possible) => before.or(next),
            });
        }
        let mut value = value.unwrap_or_else(|| Value::data("undefined"));
        for (effect, certainty) in &binding.effects {
            self.apply(&mut value, effect, *certainty);
        }
        value
    }

    fn object(&self, object: &ObjectExpression<'_>) -> Value {
        let mut value = Value::object();
        for property in &object.properties {
            let property = match property {
                ObjectPropertyKind::SpreadProperty(spread) => {
                    value.from.push(self.value(&spread.argument));
                    continue;
                }
                ObjectPropertyKind::ObjectProperty(property) => property,
            };
            let Some(name) = property.key.static_name().filter(|_| !property.computed) else {
                value.open = true;
                continue;
            };
            let member = match (property.kind, &property.value) {
                (PropertyKind::Init, expression) => self.value(expression),
                (PropertyKind::Get, getter) => self.source(&Source::Getter(getter)),
                (PropertyKind::Set, _) => Value::data("undefined"),
            };
            value.set(&name, member, self.lines.line(property.span.start), Certainty::Certain);
        }
        value
    }

    fn class(&self, class: &Class<'_>) -> Value {
        let mut value = Value::new(Kind::Class);
        // What it inherits, static members too, is not looked into.
        value.open = class.heritage.is_some();
        for element in class.body.body.iter().filter(|element| element.r#static()) {
            let Some(name) = element.static_name() else {
                value.open = true;
                continue;
            };
            let (member, span) = match element {
                ClassElement::MethodDefinition(method) if method.kind.is_method() => {
                    (self.source(&Source::Function(&method.value)), method.span)
                }
                ClassElement::MethodDefinition(method) => {
                    (self.source(&Source::Method(&method.value)), method.span)
                }
                ClassElement::PropertyDefinition(property) => {
                    let member = property.value.as_ref().map(|expression| self.value(expression));
                    (member.unwrap_or_else(|| Value::data("undefined")), property.span)
                }
                _ => (Value::unknown(), class.span),
            };
            value.set(&name, member, self.lines.line(span.start), Certainty::Certain);
        }
        value
    }

    fn logical(&self, logical: &LogicalExpression<'_>) -> Value {
        let left = self.value(&logical.left);
        let truthy = match left.kind {
            Kind::Function(_) | Kind::Class | Kind::Object => true,
            Kind::Data("undefined" | "null") => false,
            _ => return Value::unknown(),
        };
        if truthy == (logical.operator == LogicalOperator::And) { self.value(&logical.right) } else { left }
    }

    fn call(&self, call: &CallExpression<'_>) -> Value {
        if let Some(specifier) = required(call).filter(|_| !self.is_declared("require")) {
            return Value::import(specifier, &[], DefaultMember::Plain);
        }
        let first = call.arguments.first().and_then(Argument::as_expression);
        let (Some((object, name)), Some(first)) = (effect::callee(&call.callee), first) else {
            return Value::unknown();
        };
        let on_object = object.is_some_and(|object| object.is_specific_id("Object"));
        match name {
            "__importDefault"
            | "__importStar"
            | "__toESM"
            | "_interopRequireDefault"
            | "_interopRequireWildcard" => {
                let mut value = self.value(first);
                match &mut value.kind {
                    Kind::Import(import) if import.path.is_empty() => import.default = DefaultMember::Marked,
                    _ => return Value::unknown(),
                }
                value
            }
            "__toCommonJS" => self.value(first),
            "freeze" | "seal" | "preventExtensions" if on_object => self.value(first),
            "assign" | "defineProperty" | "defineProperties" if on_object => {
                let mut value = self.value(first);
                match effect::of(call) {
                    Some((_, effects)) => {
                        for effect in &effects {
                            self.apply(&mut value, effect, Certainty::Certain);
                        }
                    }
                    None => value.open = true,
                }
                value
            }
            _ => Value::unknown(),
        }
    }

    fn member(&self, member: &MemberExpression<'_>) -> Value {
        let Some(name) = member.static_property_name() else { return Value::unknown() };
        if let Some(exports) = &self.exports
            && name == "exports"
            && member.object().is_specific_id("module")
            && !self.is_declared("module")
        {
            return exports.module.clone();
        }
        self.value(member.object()).member(name)
    }

    fn function(
        &self,
        span: Span,
        parameters: &FormalParameters<'_>,
        is_used: impl Fn() -> bool,
        gives_nothing: impl Fn() -> bool,
    ) -> Value {
        let signature = self.signatures.borrow().get(&span.start).cloned().unwrap_or_else(|| {
            let third = parameters.items.get(2).filter(|third| third.initializer.is_none());
            let third = third.map(|third| {
                let name = third.pattern.get_identifier_name().map_or("{…}", |name| name.as_str()).to_owned();
                Parameter { name, used: is_used(), line: self.lines.line(third.span.start) }
            });
            Signature { names_event: names_event(parameters), third, gives_nothing: gives_nothing() }
        });
        self.signatures.borrow_mut().insert(span.start, signature.clone());
        Value::new(Kind::Function(signature))
    }
}

/// Whether parameters are called as those of a handler are.
fn names_event(parameters: &FormalParameters<'_>) -> bool {
    let is_named = |index: usize, names: &[&str]| {
        let name = parameters.items.get(index).map(|parameter| parameter.pattern.get_identifier_name());
        name.map(|name| name.is_some_and(|name| names.contains(&name.trim_start_matches('_'))))
    };
    is_named(0, &["event", "evt", "e"]) == Some(true)
        && is_named(1, &["context", "ctx", "c", ""]) != Some(false)
}

/// The module that a call requires, if it is such a call.
pub fn required<'b>(call: &'b CallExpression<'b>) -> Option<&'b str> {
    if !call.callee.is_specific_id("require") {
        return None;
    }
    match call.arguments.first()? {
        Argument::StringLiteral(specifier) => Some(specifier.value.as_str()),
        Argument::TemplateLiteral(template) => template.single_quasi().map(|text| text.as_str()),
        _ => None,
    }
}

/// Whether a function uses a parameter that it will not be given: the third or one after it.
fn usage_in(parameters: &FormalParameters<'_>, visit: impl FnOnce(&mut Usage)) -> bool {
    let beyond = || parameters.items.iter().skip(2).map(|parameter| &parameter.pattern);
    let names = beyond().filter_map(BindingPattern::get_identifier_name).map(|name| name.to_string());
    // To take `undefined` apart is an error, so that counts as use.
    let found = beyond().any(BindingPattern::is_destructuring_pattern);
    let mut usage = Usage { names: names.collect(), found };
    visit(&mut usage);
    usage.found
}

/// Whether a body has no statement of its own that returns or throws anything.
fn gives_nothing(body: &FunctionBody<'_>) -> bool {
    let mut results = Results { depth: 0, found: false };
    results.visit_function_body(body);
    !results.found
}

struct Results {
    /// Functions inside: what stands in them is theirs.
    depth: usize,
    found: bool,
}

const fn is_function(kind: &AstKind<'_>) -> bool {
    matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_))
}

impl<'b> VisitJs<'b> for Results {
    fn enter_node(&mut self, kind: AstKind<'b>) {
        self.depth += usize::from(is_function(&kind));
        self.found |= self.depth == 0
            && match kind {
                AstKind::ReturnStatement(statement) => statement.argument.is_some(),
                AstKind::ThrowStatement(_) => true,
                _ => false,
            };
    }

    fn leave_node(&mut self, kind: AstKind<'b>) {
        self.depth -= usize::from(is_function(&kind));
    }
}

struct Usage {
    names: Vec<String>,
    found: bool,
}

impl<'b> VisitJs<'b> for Usage {
    fn enter_node(&mut self, kind: AstKind<'b>) {
        if let AstKind::IdentifierReference(id) = kind {
            self.found |= self.names.iter().any(|name| id.name == name.as_str());
        }
    }
}
