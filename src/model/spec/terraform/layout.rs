//! HCL in, the same with its equals signs aligned as `terraform fmt` does out.

use hcl::edit::Decorate;
use hcl::edit::expr::{Expression, Object};
use hcl::edit::structure::{Body, Structure};

/// Text that hcl-rs formatted, aligned. What cannot be parsed is given back as it is.
pub fn aligned(text: &str) -> String {
    let Ok(mut body) = text.parse::<Body>() else { return text.to_owned() };
    align_body(&mut body);
    body.to_string()
}

/// Lines that follow each other are aligned with each other. An attribute of several lines stands for
/// itself, and so do blocks.
fn align_body(body: &mut Body) {
    let widths: Vec<_> = body
        .iter()
        .map(|structure| match structure {
            Structure::Attribute(attribute) if !is_long(&attribute.value) => Some(attribute.key.len()),
            _ => None,
        })
        .collect();
    for (structure, pad) in body.iter_mut().zip(pads(&widths)) {
        let mut structure = structure;
        if let Some(mut attribute) = structure.as_attribute_mut() {
            if let Some(pad) = pad {
                attribute.key_decor_mut().set_suffix(" ".repeat(pad));
            }
            if let Expression::Object(object) = attribute.value_mut() {
                align_object(object);
            }
        } else if let Some(block) = structure.as_block_mut() {
            align_body(&mut block.body);
        }
    }
}

fn align_object(object: &mut Object) {
    let widths: Vec<_> = object
        .iter()
        .map(|(key, value)| key.as_ident().map(|name| name.as_str().len()).filter(|_| !is_long(value.expr())))
        .collect();
    for ((mut key, _), pad) in object.iter_mut().zip(pads(&widths)) {
        if let Some(pad) = pad {
            key.decor_mut().set_suffix(" ".repeat(pad));
        }
    }
}

/// Only objects take several lines here: texts have escapes, and lists of tags stand in one.
fn is_long(value: &Expression) -> bool {
    value.as_object().is_some_and(|object| !object.is_empty())
}

/// The spaces before each equals sign.
fn pads(widths: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut pads = Vec::new();
    for run in widths.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let widest = run.iter().flatten().max().copied().unwrap_or_default();
        pads.extend(run.iter().map(|width| width.map(|width| widest - width + 1)));
    }
    pads
}
