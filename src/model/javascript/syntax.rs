//! The table of syntax that some of the platform's Node.js versions do not have.

use oxc_ast::AstKind;
use oxc_ast::ast::*;

/// A piece of syntax that came after the oldest runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Syntax {
    ClassFields,
    NumericSeparators,
    DynamicImport,
    OptionalChaining,
    NullishCoalescing,
    PrivateMethods,
    TopLevelAwait,
    LogicalAssignment,
    MatchIndices,
    PrivateIn,
    StaticBlocks,
    ImportAssertions,
    ImportAttributes,
    UnicodeSets,
    Using,
    ImportPhases,
    Decorators,
}

/// Which versions have it.
pub struct Support {
    pub syntax: Syntax,
    /// What the message calls it.
    pub name: &'static str,
    /// The first `(major, minor)` that has it without a flag; none if no version does.
    pub since: Option<(u32, u32)>,
    /// The first one that has it no more.
    pub until: Option<(u32, u32)>,
}

const fn since(syntax: Syntax, name: &'static str, since: (u32, u32)) -> Support {
    Support { syntax, name, since: Some(since), until: None }
}

/// From the release notes of Node.js: the version whose V8 turned the feature on. Import attributes
/// came to 18.20 and 20.10 at once, so within the platform's versions 18.20 is the border.
const SUPPORT: &[Support] = &[
    since(Syntax::ClassFields, "class fields", (12, 0)),
    since(Syntax::NumericSeparators, "numeric separators (`1_000`)", (12, 5)),
    since(Syntax::DynamicImport, "`import()`", (12, 17)),
    since(Syntax::OptionalChaining, "optional chaining (`?.`)", (14, 0)),
    since(Syntax::NullishCoalescing, "nullish coalescing (`??`)", (14, 0)),
    since(Syntax::PrivateMethods, "private methods (`#x()`)", (14, 6)),
    since(Syntax::TopLevelAwait, "top-level `await`", (14, 8)),
    since(Syntax::LogicalAssignment, "logical assignment (`??=`, `||=`, `&&=`)", (15, 0)),
    since(Syntax::MatchIndices, "the regular expression flag `d`", (16, 0)),
    since(Syntax::PrivateIn, "`#x in object`", (16, 4)),
    since(Syntax::StaticBlocks, "static blocks in classes", (16, 11)),
    Support {
        syntax: Syntax::ImportAssertions,
        name: "import assertions (`assert { … }`)",
        since: Some((16, 14)),
        until: Some((22, 0)),
    },
    since(Syntax::ImportAttributes, "import attributes (`with { … }`)", (18, 20)),
    since(Syntax::UnicodeSets, "the regular expression flag `v`", (20, 0)),
    since(Syntax::Using, "`using` declarations", (24, 0)),
    Support {
        syntax: Syntax::ImportPhases,
        name: "`import defer` and `import source`",
        since: None,
        until: None,
    },
    Support { syntax: Syntax::Decorators, name: "decorators", since: None, until: None },
];

impl Syntax {
    pub fn support(self) -> Option<&'static Support> {
        SUPPORT.iter().find(|support| support.syntax == self)
    }

    /// What a node is an example of. Top-level `await` depends on what is around, so the caller tells it.
    pub fn of(kind: &AstKind<'_>) -> Option<Self> {
        let has_separator = |raw: &Option<Str<'_>>| raw.as_ref().is_some_and(|raw| raw.contains('_'));
        match kind {
            AstKind::ChainExpression(_) => Some(Self::OptionalChaining),
            AstKind::LogicalExpression(logical) if logical.operator == LogicalOperator::Coalesce => {
                Some(Self::NullishCoalescing)
            }
            AstKind::AssignmentExpression(assignment) if assignment.operator.is_logical() => {
                Some(Self::LogicalAssignment)
            }
            AstKind::NumericLiteral(number) if has_separator(&number.raw) => Some(Self::NumericSeparators),
            AstKind::BigIntLiteral(number) if has_separator(&number.raw) => Some(Self::NumericSeparators),
            AstKind::PropertyDefinition(_) => Some(Self::ClassFields),
            AstKind::MethodDefinition(method) if method.key.is_private_identifier() => {
                Some(Self::PrivateMethods)
            }
            AstKind::StaticBlock(_) => Some(Self::StaticBlocks),
            AstKind::PrivateInExpression(_) => Some(Self::PrivateIn),
            AstKind::RegExpLiteral(literal) if literal.regex.flags.contains(RegExpFlags::V) => {
                Some(Self::UnicodeSets)
            }
            AstKind::RegExpLiteral(literal) if literal.regex.flags.contains(RegExpFlags::D) => {
                Some(Self::MatchIndices)
            }
            AstKind::ImportExpression(import) if import.phase.is_some() => Some(Self::ImportPhases),
            AstKind::ImportDeclaration(import) if import.phase.is_some() => Some(Self::ImportPhases),
            AstKind::ImportExpression(_) => Some(Self::DynamicImport),
            AstKind::WithClause(clause) => match clause.keyword {
                WithClauseKeyword::With => Some(Self::ImportAttributes),
                WithClauseKeyword::Assert => Some(Self::ImportAssertions),
            },
            AstKind::VariableDeclaration(declaration) if declaration.kind.is_using() => Some(Self::Using),
            AstKind::Decorator(_) | AstKind::AccessorProperty(_) => Some(Self::Decorators),
            _ => None,
        }
    }
}

impl Support {
    pub fn has(&self, version: (u32, u32)) -> bool {
        self.since.is_some_and(|since| since <= version) && self.until.is_none_or(|until| version < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_versions() {
        assert!(SUPPORT.is_sorted_by_key(|support| support.syntax));
        assert!(SUPPORT.is_sorted_by_key(|support| support.since.unwrap_or((u32::MAX, 0))));
    }
}
