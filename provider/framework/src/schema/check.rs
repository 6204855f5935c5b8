//! The rules that Terraform's core has for schemas, checked here so that a defect names the attribute.

use std::collections::BTreeSet;

use super::{Attribute, Block, Nesting, Schema, Shape};
use crate::path::Path;

/// What is wrong with a schema: sentences for its author. Terraform refuses a provider with such a schema as a whole.
pub fn defects(schema: &Schema) -> Vec<String> {
    let mut out = Vec::new();
    if schema.version < 0 {
        out.push("the version is negative".to_owned());
    }
    check_block(&schema.block, &Path::root(), false, &mut out);
    out
}

fn check_block(block: &Block, at: &Path, in_set: bool, out: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    let all = block
        .attributes
        .iter()
        .map(|a| &a.name)
        .chain(block.blocks.iter().map(|b| &b.name));
    for name in all.clone() {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(legal) {
            out.push(format!(
                "{}: a name has lower-case letters, digits and underscores only",
                at.attribute(name)
            ));
        }
        if !names.insert(name) {
            out.push(format!("{}: declared twice", at.attribute(name)));
        }
    }
    let relations = block
        .attributes
        .iter()
        .flat_map(|a| a.relations.iter().map(move |r| (&a.name, r)));
    for (name, relation) in relations.chain(
        block
            .blocks
            .iter()
            .flat_map(|b| b.relations.iter().map(move |r| (&b.name, r))),
    ) {
        use crate::validate::Relation;
        let others = match relation {
            Relation::Conflicts(other) | Relation::RequiredWith(other) => std::slice::from_ref(other),
            Relation::ExactlyOneOf(others) => others,
        };
        for other in others.iter().filter(|other| !all.clone().any(|n| n == *other)) {
            out.push(format!(
                "{}: names `{other}`, which is no sibling",
                at.attribute(name)
            ));
        }
    }
    for attribute in &block.attributes {
        check_attribute(attribute, &at.attribute(&attribute.name), in_set, out);
    }
    for nested in &block.blocks {
        let here = at.attribute(&nested.name);
        let ty_in_set = in_set || nested.nesting == Nesting::Set;
        if nested.nesting == Nesting::Set && nested.block.ty().has_dynamic() {
            out.push(format!("{here}: a set holds no dynamic types"));
        }
        if nested.block.attributes.is_empty() && nested.block.blocks.is_empty() {
            out.push(format!(
                "{here}: a block needs the type of a model, or a list, set or map of models"
            ));
        }
        let is_input = |a: &Attribute| a.required || a.optional;
        if nested.computed
            && (!at.is_root()
                || nested.min > 0
                || !nested.block.blocks.is_empty()
                || nested.block.attributes.iter().any(is_input))
        {
            out.push(format!(
                "{here}: a computed block stands at the top, has no least number and computed attributes only"
            ));
        }
        check_block(&nested.block, &here, ty_in_set, out);
    }
}

fn check_attribute(a: &Attribute, at: &Path, in_set: bool, out: &mut Vec<String>) {
    let mut complain = |text: &str| out.push(format!("{at}: {text}"));
    if !(a.required || a.optional || a.computed) {
        complain("neither required nor optional nor computed");
    }
    if a.required && (a.optional || a.computed) {
        complain("required excludes optional, computed and a default");
    }
    if a.write_only && (a.computed || in_set) {
        complain("write-only excludes computed, a default, and a place in a set");
    }
    if a.replace && !(a.required || a.optional) && !a.computed {
        complain("only what can change can replace");
    }
    if a.keep && !a.computed {
        complain("only computed attributes can keep their value");
    }
    if let Some(default) = &a.default {
        if default.is_null() || !default.conformance(&a.shape.ty()).is_empty() {
            complain("the default is no value of its type");
        }
        if !a.choices.is_empty() && !default.as_str().is_none_or(|text| a.choices.contains(&text)) {
            complain("the default is none of the choices");
        }
    }
    match &a.shape {
        Shape::Plain(_) => {}
        Shape::Nested(nesting, block) => {
            if !block.blocks.is_empty() {
                complain("nested attributes cannot hold blocks");
            }
            if *nesting == Nesting::Set && block.ty().has_dynamic() {
                complain("a set holds no dynamic types");
            }
            check_block(block, at, in_set || *nesting == Nesting::Set, out);
        }
    }
}
