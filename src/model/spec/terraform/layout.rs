//! HCL that hcl-rs formatted in, the same with its equals signs aligned as `terraform fmt` does out.

use hcl::edit::Span;
use hcl::edit::expr::{Expression, Object};
use hcl::edit::structure::{Body, Structure};

/// Spaces are put after keys, where the parser found them: what it would write anew stays as it is. Text
/// that cannot be parsed is given back.
pub fn aligned(text: &str) -> String {
    let Ok(body) = text.parse::<Body>() else { return text.to_owned() };
    let mut gaps = Vec::new();
    align_body(&body, &mut gaps);
    let mut out = String::with_capacity(text.len() * 2);
    let mut done = 0;
    for (offset, width) in gaps {
        if let Some(part) = text.get(done..offset) {
            out.push_str(part);
            out.extend(std::iter::repeat_n(' ', width));
            done = offset;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// Lines that follow each other are aligned with each other. An attribute of several lines stands for
/// itself, and so do blocks.
fn align_body(body: &Body, gaps: &mut Vec<(usize, usize)>) {
    let keys: Vec<_> = body
        .iter()
        .map(|structure| match structure {
            Structure::Attribute(attribute) if !is_long(&attribute.value) => {
                Some((attribute.key.len(), attribute.key.span()?.end))
            }
            _ => None,
        })
        .collect();
    for (structure, gap) in body.iter().zip(fill(&keys)) {
        gaps.extend(gap);
        match structure {
            Structure::Attribute(attribute) => {
                if let Expression::Object(object) = &attribute.value {
                    align_object(object, gaps);
                }
            }
            Structure::Block(block) => align_body(&block.body, gaps),
        }
    }
}

fn align_object(object: &Object, gaps: &mut Vec<(usize, usize)>) {
    let keys: Vec<_> = object
        .iter()
        .map(|(key, value)| {
            let end = key.span()?.end;
            let length = key.as_ident()?.as_str().len();
            (!is_long(value.expr())).then_some((length, end))
        })
        .collect();
    gaps.extend(fill(&keys).into_iter().flatten());
}

/// Only objects take several lines here: texts have escapes, and lists stand in one.
fn is_long(value: &Expression) -> bool {
    value.as_object().is_some_and(|object| !object.is_empty())
}

/// Where each key of a run ends and how many spaces are missing there, from lengths and ends.
fn fill(keys: &[Option<(usize, usize)>]) -> Vec<Option<(usize, usize)>> {
    let mut gaps = Vec::new();
    for run in keys.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let longest = run.iter().flatten().map(|(length, _)| *length).max().unwrap_or_default();
        gaps.extend(run.iter().map(|key| key.map(|(length, end)| (end, longest - length))));
    }
    gaps
}
