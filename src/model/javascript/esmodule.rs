//! An ES module's statements in, the value of its namespace out.

use oxc_ast::ast::*;

use crate::model::javascript::binding::Scope;
use crate::model::javascript::effect::Source;
use crate::model::javascript::evaluate::Evaluator;
use crate::model::javascript::parse::Lines;
use crate::model::javascript::value::{Certainty, DefaultMember, Exported, Value};

pub fn exported(program: &Program<'_>, lines: &Lines) -> Exported {
    let evaluator = Evaluator::new(Scope::of(None, &program.body), None, lines);
    let mut namespace = Value::object();
    for statement in &program.body {
        let Some(declaration) = statement.as_module_declaration() else { continue };
        export(&mut namespace, declaration, &evaluator);
    }
    // The name under which a module tells require() what to give instead of its namespace.
    let value = match namespace.members.remove("module.exports") {
        // An import statement gets the namespace all the same.
        Some(member) => Value { open: true, ..member.value },
        None => namespace,
    };
    Exported { value, detached: None, declared: evaluator.declared() }
}

fn export(namespace: &mut Value, declaration: &ModuleDeclaration<'_>, evaluator: &Evaluator<'_, '_>) {
    let mut set = |name: &str, value: Value, span: Span| {
        namespace.set(name, value, evaluator.lines.line(span.start), Certainty::Certain);
    };
    match declaration {
        ModuleDeclaration::ExportDeclaration(export) => match &export.declaration {
            Declaration::VariableDeclaration(variables) => {
                for declarator in &variables.declarations {
                    for id in declarator.id.get_binding_identifiers() {
                        set(&id.name, evaluator.identifier(&id.name), id.span);
                    }
                }
            }
            declaration => {
                if let Some(id) = declaration.id() {
                    set(&id.name, evaluator.identifier(&id.name), id.span);
                }
            }
        },
        ModuleDeclaration::ExportNamedDeclaration(export) => {
            for specifier in &export.specifiers {
                set(
                    &specifier.exported.name(),
                    evaluator.identifier(&specifier.local.name()),
                    specifier.span,
                );
            }
        }
        ModuleDeclaration::ExportFromDeclaration(export) => {
            for specifier in &export.specifiers {
                let path = [specifier.local.name().as_str()];
                let value = Value::import(&export.source.value, &path, DefaultMember::Whole);
                set(&specifier.exported.name(), value, specifier.span);
            }
        }
        ModuleDeclaration::ExportAllDeclaration(export) => {
            let value = Value::import(&export.source.value, &[], DefaultMember::Whole);
            match &export.exported {
                Some(name) => set(&name.name(), value, export.span),
                None => namespace.from.push(value),
            }
        }
        ModuleDeclaration::ExportDefaultDeclaration(export) => {
            let value = match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                    evaluator.source(&Source::Function(function))
                }
                ExportDefaultDeclarationKind::ClassDeclaration(class) => {
                    evaluator.source(&Source::Class(class))
                }
                declaration => {
                    declaration.as_expression().map_or_else(Value::unknown, |value| evaluator.value(value))
                }
            };
            set("default", value, export.span);
        }
        _ => {}
    }
}
