//! A call in, out: which members it puts on which object, for the helpers that compilers and bundlers
//! emit and for `Object`'s own functions.

use oxc_ast::ast::*;

/// Where a value comes from.
#[derive(Clone)]
pub enum Source<'b> {
    Expression(&'b Expression<'b>),
    /// What the function returns.
    Getter(&'b Expression<'b>),
    Method(&'b Function<'b>),
    Function(&'b Function<'b>),
    Class(&'b Class<'b>),
    Member(&'b Expression<'b>, String),
    Import {
        specifier: &'b str,
        name: Option<&'b str>,
    },
    Opaque,
}

/// What is done to an object.
#[derive(Clone)]
pub enum Effect<'b> {
    Member {
        name: String,
        source: Source<'b>,
        offset: u32,
    },
    /// It gets all members of another one.
    From(Source<'b>),
    /// It gets members that nobody can see.
    Open,
}

/// Which object.
pub enum Target<'b> {
    Expression(&'b Expression<'b>),
    /// The module's `exports`, which the helper reaches without being given it.
    Exports,
}

type Effects<'b> = Option<(Target<'b>, Vec<Effect<'b>>)>;

/// Nothing when the call is none of the known ones.
pub fn of<'b>(call: &'b CallExpression<'b>) -> Effects<'b> {
    let (object, name) = callee(&call.callee)?;
    let mut arguments = Vec::new();
    for argument in &call.arguments {
        match argument.as_expression() {
            Some(argument) => arguments.push(argument),
            None => return None,
        }
    }
    let offset = call.span.start;
    let on_object = object.is_some_and(|object| object.is_specific_id("Object"));
    let on_reflect = object.is_some_and(|object| object.is_specific_id("Reflect"));
    let on_helpers = !on_object && !on_reflect;
    let (target, effects) = match (name, arguments.as_slice()) {
        ("defineProperty", [target, key, descriptor]) if !on_helpers => {
            (*target, vec![define(key, descriptor, offset)])
        }
        ("defineProperties", [target, Expression::ObjectExpression(properties)]) if on_object => {
            (*target, each(properties, |value| descriptor_source(value)))
        }
        ("assign", [target, sources @ ..]) if on_object => {
            (*target, sources.iter().map(|source| Effect::From(Source::Expression(source))).collect())
        }
        ("freeze" | "seal" | "preventExtensions" | "keys" | "values" | "entries", [target]) if on_object => {
            (*target, Vec::new())
        }
        // TypeScript, in the file or from tslib.
        ("__exportStar", [from, target]) => (*target, vec![Effect::From(Source::Expression(from))]),
        ("__createBinding", [target, from, Expression::StringLiteral(key), rest @ ..]) => {
            let name = match rest {
                [Expression::StringLiteral(name)] => &name.value,
                _ => &key.value,
            };
            let source = Source::Member(from, key.value.to_string());
            (*target, vec![Effect::Member { name: name.to_string(), source, offset }])
        }
        ("__export", [from]) if on_helpers => {
            return Some((Target::Exports, vec![Effect::From(Source::Expression(from))]));
        }
        // esbuild.
        ("__export", [target, Expression::ObjectExpression(getters)]) if on_helpers => {
            (*target, each(getters, Source::Getter))
        }
        ("__reExport", [target, from, ..]) => (*target, vec![Effect::From(Source::Expression(from))]),
        ("__toCommonJS" | "__markAsModule", [target]) => (*target, Vec::new()),
        // webpack: its `d` defines getters, its `r` only marks.
        ("d", [target, Expression::ObjectExpression(getters)]) if is_webpack(object) => {
            (*target, each(getters, Source::Getter))
        }
        ("d", [target, Expression::StringLiteral(key), getter]) if is_webpack(object) => {
            let name = key.value.to_string();
            (*target, vec![Effect::Member { name, source: Source::Getter(getter), offset }])
        }
        ("r", [target]) if is_webpack(object) => (*target, Vec::new()),
        _ => return None,
    };
    Some((Target::Expression(target), effects))
}

/// The last name of what is called, and what it is taken from: `(0, tslib_1.__exportStar)(…)`.
pub fn callee<'b>(callee: &'b Expression<'b>) -> Option<(Option<&'b Expression<'b>>, &'b str)> {
    match callee {
        Expression::Identifier(id) => Some((None, id.name.as_str())),
        Expression::StaticMemberExpression(member) => {
            Some((Some(&member.object), member.property.name.as_str()))
        }
        Expression::SequenceExpression(sequence) => match sequence.expressions.last() {
            Some(Expression::Identifier(id)) => Some((None, id.name.as_str())),
            Some(Expression::StaticMemberExpression(member)) => {
                Some((Some(&member.object), member.property.name.as_str()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// What a function that only returns something returns.
pub fn returned<'b>(getter: &'b Expression<'b>) -> Option<&'b Expression<'b>> {
    let statements = match getter {
        Expression::ArrowFunctionExpression(arrow) => match &arrow.body {
            ArrowFunctionBody::FunctionBody(body) => &body.statements,
            body => return body.as_expression(),
        },
        Expression::FunctionExpression(function) => &function.body.as_ref()?.statements,
        _ => return None,
    };
    only_return(statements)
}

pub fn only_return<'b>(statements: &'b [Statement<'b>]) -> Option<&'b Expression<'b>> {
    match statements {
        [Statement::ReturnStatement(statement)] => statement.argument.as_ref(),
        _ => None,
    }
}

fn is_webpack(object: Option<&Expression<'_>>) -> bool {
    object.is_some_and(|object| object.is_specific_id("__webpack_require__"))
}

fn define<'b>(key: &'b Expression<'b>, descriptor: &'b Expression<'b>, offset: u32) -> Effect<'b> {
    match key {
        Expression::StringLiteral(key) => {
            Effect::Member { name: key.value.to_string(), source: descriptor_source(descriptor), offset }
        }
        _ => Effect::Open,
    }
}

fn descriptor_source<'b>(descriptor: &'b Expression<'b>) -> Source<'b> {
    let Expression::ObjectExpression(descriptor) = descriptor else { return Source::Opaque };
    for property in &descriptor.properties {
        let Some(property) = property.as_property() else { return Source::Opaque };
        match (property.key.static_name().as_deref(), property.kind, &property.value) {
            (Some("value"), PropertyKind::Init, value) => return Source::Expression(value),
            (Some("get"), PropertyKind::Init, value) => return Source::Getter(value),
            _ => {}
        }
    }
    Source::Opaque
}

fn each<'b>(
    object: &'b ObjectExpression<'b>,
    source: impl Fn(&'b Expression<'b>) -> Source<'b>,
) -> Vec<Effect<'b>> {
    let effect = |property: &'b ObjectPropertyKind<'b>| {
        let Some(property) = property.as_property().filter(|property| !property.computed) else {
            return Effect::Open;
        };
        let Some(name) = property.key.static_name() else { return Effect::Open };
        let source = source(&property.value);
        Effect::Member { name: name.into_owned(), source, offset: property.span.start }
    };
    object.properties.iter().map(effect).collect()
}
