//! Statements in, the names they declare out, each with all that is ever done to it.

use std::collections::BTreeMap;

use oxc_ast::AstKind;
use oxc_ast::ast::*;
use oxc_ast_visit::VisitJs;

use crate::model::javascript::effect::{self, Effect, Source, Target};
use crate::model::javascript::value::Certainty;

/// The names of one function or module.
#[derive(Default)]
pub struct Scope<'b> {
    pub bindings: BTreeMap<&'b str, Binding<'b>>,
}

#[derive(Default)]
pub struct Binding<'b> {
    /// What is assigned to it, in the order of the text.
    pub sources: Vec<(Source<'b>, Certainty)>,
    /// What is done to the value it holds.
    pub effects: Vec<(Effect<'b>, Certainty)>,
    declared: bool,
    /// A `const`: an assignment to its name is one to another scope's.
    constant: bool,
}

impl<'b> Scope<'b> {
    pub fn of(parameters: Option<&'b FormalParameters<'b>>, body: &'b [Statement<'b>]) -> Self {
        let mut collector = Collector::default();
        for pattern in parameters.iter().flat_map(|parameters| parameters.iter_bindings()) {
            collector.declare_pattern(pattern, None, Certainty::Certain);
        }
        for statement in body {
            collector.visit_statement(statement);
        }
        let mut bindings = collector.bindings;
        // What is assigned but not declared is another scope's, or a global.
        bindings.retain(|_, binding| binding.declared);
        Self { bindings }
    }
}

#[derive(Default)]
struct Collector<'b> {
    bindings: BTreeMap<&'b str, Binding<'b>>,
    /// Names whose value was another name's.
    aliases: BTreeMap<&'b str, &'b str>,
    /// How many functions are around.
    functions: usize,
    /// How many statements or expressions are around that may not run, or run again.
    conditions: usize,
}

impl<'b> Collector<'b> {
    fn certainty(&self) -> Certainty {
        if self.functions == 0 && self.conditions == 0 { Certainty::Certain } else { Certainty::Possible }
    }

    fn binding(&mut self, name: &'b str) -> &mut Binding<'b> {
        self.bindings.entry(name).or_default()
    }

    fn declare(&mut self, name: &'b str, source: Option<Source<'b>>, certainty: Certainty) {
        let binding = self.binding(name);
        binding.declared = true;
        binding.sources.extend(source.map(|source| (source, certainty)));
    }

    fn declare_pattern(
        &mut self,
        pattern: &'b BindingPattern<'b>,
        init: Option<&'b Expression<'b>>,
        certainty: Certainty,
    ) {
        match (pattern, init) {
            (BindingPattern::BindingIdentifier(id), Some(init)) => {
                self.declare(id.name.as_str(), Some(Source::Expression(init)), certainty);
            }
            (BindingPattern::ObjectPattern(object), Some(init)) => {
                for property in &object.properties {
                    let key = property.key.static_name().filter(|_| !property.computed);
                    match (key, &property.value) {
                        (Some(key), BindingPattern::BindingIdentifier(id)) => {
                            let source = Source::Member(init, key.into_owned());
                            self.declare(id.name.as_str(), Some(source), certainty);
                        }
                        (_, value) => self.declare_pattern(value, None, certainty),
                    }
                }
                if let Some(rest) = &object.rest {
                    self.declare_pattern(&rest.argument, None, certainty);
                }
            }
            (pattern, _) => {
                for id in pattern.get_binding_identifiers() {
                    self.declare(id.name.as_str(), Some(Source::Opaque), certainty);
                }
            }
        }
    }

    fn declare_variables(&mut self, declaration: &'b VariableDeclaration<'b>) {
        // `let` and `const` in a block are the block's own; `var` is the function's.
        if self.functions > 0 || (self.conditions > 0 && !declaration.kind.is_var()) {
            return;
        }
        let certainty = self.certainty();
        for declarator in &declaration.declarations {
            for id in declarator.id.get_binding_identifiers().iter().filter(|_| declaration.kind.is_const()) {
                let binding = self.binding(id.name.as_str());
                binding.constant = true;
                binding.sources.clear();
            }
            match (&declarator.id, &declarator.init) {
                (BindingPattern::BindingIdentifier(id), None) => {
                    self.declare(id.name.as_str(), None, certainty);
                }
                (pattern, init) => self.declare_pattern(pattern, init.as_ref(), certainty),
            }
        }
    }

    fn import(&mut self, import: &'b ImportDeclaration<'b>) {
        for specifier in import.specifiers.iter().flatten() {
            let name = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(specifier) => {
                    Some(specifier.imported.name().as_str())
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => Some("default"),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => None,
            };
            let source = Source::Import { specifier: import.source.value.as_str(), name };
            self.declare(specifier.local().name.as_str(), Some(source), Certainty::Certain);
        }
    }

    fn assign(&mut self, assignment: &'b AssignmentExpression<'b>) {
        let certainty = self.certainty();
        let plain = assignment.operator == AssignmentOperator::Assign;
        match &assignment.left {
            AssignmentTarget::AssignmentTargetIdentifier(id) => {
                let source = if plain { Source::Expression(&assignment.right) } else { Source::Opaque };
                self.alias(id.name.as_str(), &assignment.right);
                let binding = self.binding(id.name.as_str());
                if !binding.constant {
                    binding.sources.push((source, certainty));
                }
            }
            target => {
                let Some(member) = target.as_member_expression() else { return };
                let Expression::Identifier(object) = member.object() else { return };
                let effect = match member.static_property_name() {
                    Some(name) if plain => Effect::Member {
                        name: name.to_owned(),
                        source: Source::Expression(&assignment.right),
                        offset: assignment.span.start,
                    },
                    _ => Effect::Open,
                };
                self.affect(object.name.as_str(), effect, certainty);
            }
        }
    }

    /// What one name holds gets another name: whoever knows that one may put members on it.
    fn alias(&mut self, alias: &'b str, value: &'b Expression<'b>) {
        if let Expression::Identifier(id) = value {
            self.aliases.insert(alias, id.name.as_str());
            self.affect(id.name.as_str(), Effect::Open, Certainty::Possible);
        }
    }

    /// Something is done to what a name holds, and perhaps to what the name was made from.
    fn affect(&mut self, name: &'b str, effect: Effect<'b>, certainty: Certainty) {
        if let Some(origin) = self.aliases.get(name) {
            self.binding(origin).effects.push((effect.clone(), Certainty::Possible));
        }
        self.binding(name).effects.push((effect, certainty));
    }

    fn call(&mut self, call: &'b CallExpression<'b>) {
        let certainty = self.certainty();
        match effect::of(call) {
            Some((Target::Expression(Expression::Identifier(target)), effects)) => {
                for effect in effects {
                    self.affect(target.name.as_str(), effect, certainty);
                }
            }
            Some(_) => {}
            None => {
                // Whoever gets an object may put members on it.
                for argument in &call.arguments {
                    if let Argument::Identifier(id) = argument {
                        self.affect(id.name.as_str(), Effect::Open, certainty);
                    }
                }
            }
        }
    }
}

/// Whether what is below a node may not run.
fn is_condition(kind: &AstKind<'_>) -> bool {
    matches!(
        kind,
        AstKind::BlockStatement(_)
            | AstKind::IfStatement(_)
            | AstKind::ForStatement(_)
            | AstKind::ForInStatement(_)
            | AstKind::ForOfStatement(_)
            | AstKind::WhileStatement(_)
            | AstKind::DoWhileStatement(_)
            | AstKind::SwitchStatement(_)
            | AstKind::TryStatement(_)
            | AstKind::LabeledStatement(_)
            | AstKind::ConditionalExpression(_)
            | AstKind::LogicalExpression(_)
    )
}

/// Whether what is below a node runs when somebody calls it.
pub fn is_function(kind: &AstKind<'_>) -> bool {
    matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_))
}

impl<'b> VisitJs<'b> for Collector<'b> {
    fn enter_node(&mut self, kind: AstKind<'b>) {
        match kind {
            AstKind::Function(function) if function.is_function_declaration() => {
                if let (Some(id), 0, 0) = (&function.id, self.functions, self.conditions) {
                    self.declare(id.name.as_str(), Some(Source::Function(function)), Certainty::Certain);
                }
            }
            AstKind::Class(class) if class.is_declaration() => {
                if let (Some(id), 0, 0) = (&class.id, self.functions, self.conditions) {
                    self.declare(id.name.as_str(), Some(Source::Class(class)), Certainty::Certain);
                }
            }
            AstKind::VariableDeclaration(declaration) => self.declare_variables(declaration),
            AstKind::VariableDeclarator(declarator) => {
                if let (BindingPattern::BindingIdentifier(id), Some(init)) =
                    (&declarator.id, &declarator.init)
                {
                    self.alias(id.name.as_str(), init);
                }
            }
            AstKind::ImportDeclaration(import) => self.import(import),
            AstKind::AssignmentExpression(assignment) => self.assign(assignment),
            AstKind::CallExpression(call) => self.call(call),
            _ => {}
        }
        self.functions += usize::from(is_function(&kind));
        self.conditions += usize::from(is_condition(&kind));
    }

    fn leave_node(&mut self, kind: AstKind<'b>) {
        self.functions -= usize::from(is_function(&kind));
        self.conditions -= usize::from(is_condition(&kind));
    }
}
