//! Schemas in the protocol's form.

use proto::tfplugin6::{self as wire, schema};

use super::{Attribute, Block, NestedBlock, Nesting, Schema, Shape};
use crate::value::Value;

impl Schema {
    /// The protocol's form.
    pub fn to_wire(&self) -> wire::Schema {
        wire::Schema {
            version: self.version,
            block: Some(self.block.to_wire()),
        }
    }
}

impl Block {
    fn to_wire(&self) -> schema::Block {
        schema::Block {
            version: 0,
            attributes: self.attributes.iter().map(Attribute::to_wire).collect(),
            block_types: self.blocks.iter().map(NestedBlock::to_wire).collect(),
            description: self.description.clone(),
            description_kind: wire::StringKind::Markdown.into(),
            deprecated: self.deprecated.is_some(),
            deprecation_message: self.deprecated.clone().unwrap_or_default(),
            computed: false,
        }
    }
}

impl NestedBlock {
    fn to_wire(&self) -> schema::NestedBlock {
        use schema::nested_block::NestingMode;
        let nesting = match self.nesting {
            Nesting::Single => NestingMode::Single,
            Nesting::List => NestingMode::List,
            Nesting::Set => NestingMode::Set,
            Nesting::Map => NestingMode::Map,
        };
        schema::NestedBlock {
            type_name: self.name.clone(),
            block: Some(schema::Block {
                computed: self.computed,
                ..self.block.to_wire()
            }),
            nesting: nesting.into(),
            min_items: self.min,
            max_items: self.max,
        }
    }
}

impl Attribute {
    /// The description, and what the declaration says beside it: users read nothing that was written twice.
    pub fn full_description(&self) -> String {
        let mut notes = Vec::new();
        if !self.choices.is_empty() {
            let choices: Vec<_> = self.choices.iter().map(|c| format!("`{c}`")).collect();
            notes.push(format!("One of {}.", choices.join(", ")));
        }
        notes.extend(
            self.validators
                .iter()
                .filter(|v| !v.description.is_empty())
                .map(|v| format!("Must be {}.", v.description)),
        );
        if let Some(default) = &self.default {
            notes.push(format!("Default: `{}`.", default_text(default)));
        }
        if self.replace && (self.required || self.optional) {
            notes.push("A change replaces the resource.".to_owned());
        }
        match (self.description.is_empty(), notes.is_empty()) {
            (_, true) => self.description.clone(),
            (true, false) => notes.join(" "),
            (false, false) => format!("{}\n\n{}", self.description, notes.join(" ")),
        }
    }

    fn to_wire(&self) -> schema::Attribute {
        // Either `type` or `nested_type`, never both: core refuses the whole schema otherwise.
        let (ty, nested_type) = match &self.shape {
            Shape::Plain(ty) => (ty.to_json_bytes(), None),
            Shape::Nested(nesting, block) => (Vec::new(), Some(object(*nesting, block))),
        };
        schema::Attribute {
            name: self.name.clone(),
            r#type: ty,
            nested_type,
            description: self.full_description(),
            required: self.required,
            optional: self.optional,
            computed: self.computed,
            sensitive: self.sensitive,
            description_kind: wire::StringKind::Markdown.into(),
            deprecated: self.deprecated.is_some(),
            write_only: self.write_only,
            deprecation_message: self.deprecated.clone().unwrap_or_default(),
        }
    }
}

fn default_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => other
            .to_json(&other.infer_type())
            .map(|json| json.to_string())
            .unwrap_or_default(),
    }
}

fn object(nesting: Nesting, block: &Block) -> schema::Object {
    use schema::object::NestingMode;
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    schema::Object {
        attributes: block.attributes.iter().map(Attribute::to_wire).collect(),
        nesting: nesting.into(),
        ..Default::default()
    }
}
