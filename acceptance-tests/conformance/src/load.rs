//! Reading schemas from the wire, with the rules that core checks when it loads them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use framework::{Path, Type};
use proto::tfplugin6::{self as pb, schema};

use crate::rule::{Found, Rule};
use crate::schema::{
    Attribute, Block, Function, Identity, NestedBlock, Nesting, Parameter, ProviderSchema, ResourceSchema,
    Schema, Shape,
};

/// Reads everything; what breaks a rule is reported, and read as well as it can be.
pub(crate) fn provider(
    answer: &pb::get_provider_schema::Response,
    identities: &HashMap<String, pb::ResourceIdentitySchema>,
    found: &mut Found,
) -> ProviderSchema {
    let mut reader = Reader { found };
    let at = Path::root();
    let provider = match &answer.provider {
        Some(schema) if schema.block.is_some() => reader.schema(schema, &at.attribute("provider")),
        _ => {
            reader
                .found
                .add(Rule::S11, &at.attribute("provider"), "no schema");
            Schema::default()
        }
    };
    if let Some(meta) = &answer.provider_meta {
        reader.schema(meta, &at.attribute("provider_meta"));
    }
    let mut schemas = |all: &HashMap<String, pb::Schema>, kind: &str| -> BTreeMap<String, Schema> {
        let all = sorted(all);
        all.into_iter()
            .map(|(name, s)| {
                (
                    name.clone(),
                    reader.schema(s, &at.attribute(kind).attribute(name)),
                )
            })
            .collect()
    };
    let resources = schemas(&answer.resource_schemas, "resource");
    let data_sources = schemas(&answer.data_source_schemas, "data");
    let ephemeral_resources = schemas(&answer.ephemeral_resource_schemas, "ephemeral");
    let list_resources = schemas(&answer.list_resource_schemas, "list");
    schemas(&answer.state_store_schemas, "state_store");
    let actions = answer.action_schemas.iter();
    let actions = actions
        .filter_map(|(name, action)| Some((name.clone(), action.schema.clone()?)))
        .collect();
    let actions = schemas(&actions, "action");
    let mut identities: BTreeMap<String, Identity> = sorted(identities)
        .into_iter()
        .map(|(name, s)| {
            (
                name.clone(),
                reader.identity(s, &at.attribute("identity").attribute(name)),
            )
        })
        .collect();
    for name in identities.keys().filter(|name| !resources.contains_key(*name)) {
        reader.found.add(
            Rule::S12,
            &at.attribute("identity").attribute(name),
            "no managed resource of that name",
        );
    }
    for name in list_resources.keys() {
        let reason = match (resources.contains_key(name), identities.contains_key(name)) {
            (false, _) => "no managed resource of that name",
            (true, false) => "the managed resource has no identity",
            (true, true) => continue,
        };
        reader
            .found
            .add(Rule::S12, &at.attribute("list").attribute(name), reason);
    }
    let functions = sorted(&answer.functions)
        .into_iter()
        .map(|(name, f)| {
            (
                name.clone(),
                reader.function(f, &at.attribute("function").attribute(name), name),
            )
        })
        .collect();
    let resources = resources
        .into_iter()
        .map(|(name, schema)| {
            let identity = identities.remove(&name);
            (name, ResourceSchema { schema, identity })
        })
        .collect();
    let capabilities = answer.server_capabilities.unwrap_or_default();
    ProviderSchema {
        provider,
        resources,
        data_sources,
        ephemeral_resources,
        list_resources,
        actions,
        functions,
        plan_destroy: capabilities.plan_destroy,
        move_state: capabilities.move_resource_state,
    }
}

/// Metadata and functions say what the schema says.
pub(crate) fn metadata(
    schema: &pb::get_provider_schema::Response,
    metadata: &pb::get_metadata::Response,
    functions: &pb::get_functions::Response,
    found: &mut Found,
) {
    fn names<T>(all: &HashMap<String, T>) -> BTreeSet<&str> {
        all.keys().map(String::as_str).collect()
    }
    let mut same = |kind: &str, mut said: Vec<&str>, known: BTreeSet<&str>| {
        said.sort_unstable();
        if said != known.iter().copied().collect::<Vec<_>>() {
            let reason = format!("the schema has {known:?}, the other answer {said:?}");
            found.add(Rule::S13, &Path::root().attribute(kind), reason);
        }
    };
    let m = metadata;
    same(
        "resource",
        m.resources.iter().map(|r| &*r.type_name).collect(),
        names(&schema.resource_schemas),
    );
    same(
        "data",
        m.data_sources.iter().map(|r| &*r.type_name).collect(),
        names(&schema.data_source_schemas),
    );
    same(
        "ephemeral",
        m.ephemeral_resources.iter().map(|r| &*r.type_name).collect(),
        names(&schema.ephemeral_resource_schemas),
    );
    same(
        "list",
        m.list_resources.iter().map(|r| &*r.type_name).collect(),
        names(&schema.list_resource_schemas),
    );
    same(
        "action",
        m.actions.iter().map(|r| &*r.type_name).collect(),
        names(&schema.action_schemas),
    );
    same(
        "function",
        m.functions.iter().map(|f| &*f.name).collect(),
        names(&schema.functions),
    );
    same(
        "get_functions",
        names(&functions.functions).into_iter().collect(),
        names(&schema.functions),
    );
    for (name, function) in &functions.functions {
        if schema.functions.get(name).is_some_and(|f| f != function) {
            found.add(
                Rule::S13,
                &Path::root().attribute("function").attribute(name),
                "GetFunctions says otherwise",
            );
        }
    }
    if metadata.server_capabilities != schema.server_capabilities {
        found.add(
            Rule::S13,
            &Path::root().attribute("server_capabilities"),
            "GetMetadata says otherwise",
        );
    }
}

fn sorted<T>(all: &HashMap<String, T>) -> BTreeMap<&String, &T> {
    all.iter().collect()
}

/// A type whose collections of objects hold something of type `dynamic`, at any depth.
fn has_dynamic(ty: &Type) -> bool {
    match ty {
        Type::Dynamic => true,
        Type::Bool | Type::Number | Type::String => false,
        Type::List(of) | Type::Set(of) | Type::Map(of) => has_dynamic(of),
        Type::Object(all) => all.values().any(has_dynamic),
        Type::Tuple(all) => all.iter().any(has_dynamic),
    }
}

fn has_write_only(attributes: &BTreeMap<String, Attribute>) -> bool {
    attributes
        .values()
        .any(|a| a.write_only || matches!(&a.shape, Shape::Nested(_, inner) if has_write_only(inner)))
}

fn block_has_write_only(block: &Block) -> bool {
    has_write_only(&block.attributes) || block.blocks.values().any(|b| block_has_write_only(&b.block))
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

struct Reader<'a> {
    found: &'a mut Found,
}

impl Reader<'_> {
    fn schema(&mut self, schema: &pb::Schema, at: &Path) -> Schema {
        if schema.version < 0 {
            self.found
                .add(Rule::S8, at, format!("version {}", schema.version));
        }
        let block = match &schema.block {
            Some(block) => self.block(block, at, false),
            None => {
                self.found.add(Rule::S11, at, "no block");
                Block::default()
            }
        };
        Schema {
            version: schema.version,
            block,
        }
    }

    fn block(&mut self, block: &schema::Block, at: &Path, computed: bool) -> Block {
        self.deprecation(block.deprecated, &block.deprecation_message, at);
        let attributes = self.attributes(&block.attributes, at);
        if computed {
            for (name, _) in attributes.iter().filter(|(_, a)| !a.computed) {
                self.found
                    .add(Rule::S7, &at.attribute(name), "not computed, in a computed block");
            }
        }
        let mut blocks = BTreeMap::new();
        for nested in &block.block_types {
            let name = &nested.type_name;
            let at = at.attribute(name);
            if attributes.contains_key(name) || blocks.contains_key(name) {
                self.found.add(Rule::S4, &at, "the name is taken");
            }
            if name.is_empty()
                || !name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            {
                self.found.add(
                    Rule::S4,
                    &at,
                    "only lower-case letters, digits and underscores may stand in it",
                );
            }
            let nested = self.nested(nested, &at, computed);
            blocks.insert(name.clone(), nested);
        }
        Block { attributes, blocks }
    }

    fn nested(&mut self, nested: &schema::NestedBlock, at: &Path, within_computed: bool) -> NestedBlock {
        use schema::nested_block::NestingMode;
        let (min, max) = (nested.min_items, nested.max_items);
        let inner = nested.block.clone().unwrap_or_default();
        let computed = inner.computed;
        let block = self.block(&inner, at, computed);
        if within_computed && !computed {
            self.found.add(Rule::S7, at, "not computed, in a computed block");
        }
        if computed && min > 0 {
            self.found
                .add(Rule::S7, at, format!("computed, and at least {min}"));
        }
        let nesting = match nested.nesting() {
            NestingMode::Single => Some(Nesting::Single),
            NestingMode::Group => Some(Nesting::Group),
            NestingMode::List => Some(Nesting::List),
            NestingMode::Set => Some(Nesting::Set),
            NestingMode::Map => Some(Nesting::Map),
            NestingMode::Invalid => None,
        };
        let wrong = match nesting {
            None => Some("no nesting mode".to_owned()),
            _ if min < 0 || max < 0 => Some(format!("{min} to {max} items")),
            Some(Nesting::Single) if min != max || min > 1 => {
                Some(format!("a single block of {min} to {max} items"))
            }
            Some(Nesting::Group | Nesting::Map) if (min, max) != (0, 0) => {
                Some(format!("a group or map with {min} to {max} items"))
            }
            Some(Nesting::Group) if computed => Some("a computed group".to_owned()),
            Some(Nesting::List | Nesting::Set) if min > max && max != 0 => {
                Some(format!("{min} to {max} items"))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.found.add(Rule::S5, at, wrong);
        }
        if nesting == Some(Nesting::Set) {
            self.set(has_dynamic(&block.ty()), block_has_write_only(&block), at);
        }
        NestedBlock {
            nesting: nesting.unwrap_or(Nesting::List),
            block,
            min,
            max,
            computed,
        }
    }

    fn set(&mut self, dynamic: bool, write_only: bool, at: &Path) {
        if dynamic {
            self.found.add(Rule::S6, at, "a set with dynamic types in it");
        }
        if write_only {
            self.found
                .add(Rule::S6, at, "a set with write-only attributes in it");
        }
    }

    fn attributes(&mut self, all: &[schema::Attribute], at: &Path) -> BTreeMap<String, Attribute> {
        let mut out = BTreeMap::new();
        for attribute in all {
            let at = at.attribute(&attribute.name);
            let read = self.attribute(attribute, &at);
            if attribute.name.is_empty() || out.insert(attribute.name.clone(), read).is_some() {
                self.found.add(Rule::S4, &at, "the name is taken, or empty");
            }
        }
        out
    }

    fn attribute(&mut self, a: &schema::Attribute, at: &Path) -> Attribute {
        use schema::object::NestingMode;
        let wrong = match (a.required, a.optional, a.computed) {
            (false, false, false) => Some("neither required nor optional nor computed"),
            (true, true, _) => Some("required and optional"),
            (true, _, true) => Some("required and computed"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.found.add(Rule::S1, at, wrong);
        }
        self.deprecation(a.deprecated, &a.deprecation_message, at);
        let shape = match (&a.nested_type, a.r#type.is_empty()) {
            (None, true) => {
                self.found.add(Rule::S2, at, "neither a type nor a nested type");
                Shape::Plain(Type::Dynamic)
            }
            (None, false) => Shape::Plain(self.ty(&a.r#type, at, Rule::S2)),
            (Some(nested), empty) => {
                if !empty {
                    self.found.add(Rule::S2, at, "a type and a nested type");
                }
                let attributes = self.attributes(&nested.attributes, at);
                let nesting = match nested.nesting() {
                    NestingMode::Single => Nesting::Single,
                    NestingMode::List => Nesting::List,
                    NestingMode::Set => Nesting::Set,
                    NestingMode::Map => Nesting::Map,
                    NestingMode::Invalid => {
                        self.found.add(Rule::S2, at, "a nested type without nesting mode");
                        Nesting::List
                    }
                };
                let read = Shape::Nested(nesting, attributes);
                if let Shape::Nested(Nesting::Set, attributes) = &read {
                    let dynamic = attributes.values().any(|a| has_dynamic(&a.ty()));
                    self.set(dynamic, has_write_only(attributes), at);
                }
                read
            }
        };
        Attribute {
            shape,
            required: a.required,
            optional: a.optional,
            computed: a.computed,
            write_only: a.write_only,
        }
    }

    fn deprecation(&mut self, deprecated: bool, message: &str, at: &Path) {
        if !deprecated && !message.is_empty() {
            self.found
                .add(Rule::S3, at, format!("not deprecated, yet {message:?}"));
        }
    }

    fn ty(&mut self, json: &[u8], at: &Path, rule: Rule) -> Type {
        let read = serde_json::from_slice(json)
            .map_err(|e| e.to_string())
            .and_then(|json| Type::from_json(&json).map_err(|e| e.to_string()));
        read.unwrap_or_else(|reason| {
            self.found.add(rule, at, reason);
            Type::Dynamic
        })
    }

    fn identity(&mut self, schema: &pb::ResourceIdentitySchema, at: &Path) -> Identity {
        if schema.version < 0 {
            self.found
                .add(Rule::S8, at, format!("version {}", schema.version));
        }
        let mut all = BTreeMap::new();
        for attribute in &schema.identity_attributes {
            let at = at.attribute(&attribute.name);
            let ty = self.ty(&attribute.r#type, &at, Rule::S9);
            if attribute.required_for_import == attribute.optional_for_import {
                self.found
                    .add(Rule::S9, &at, "required and optional for import, or neither");
            }
            if matches!(ty, Type::Map(_) | Type::Set(_) | Type::Object(_)) {
                self.found.add(Rule::S9, &at, format!("the type {ty}"));
            }
            all.insert(attribute.name.clone(), ty);
        }
        Identity {
            version: schema.version,
            ty: Type::Object(all),
        }
    }

    fn function(&mut self, function: &pb::Function, at: &Path, name: &str) -> Function {
        if !is_identifier(name) {
            self.found.add(Rule::S10, at, "the name is no identifier");
        }
        let mut seen = BTreeSet::new();
        let mut read = |reader: &mut Self, p: &pb::function::Parameter| {
            let at = at.attribute(&p.name);
            if !is_identifier(&p.name) || !seen.insert(p.name.clone()) {
                reader
                    .found
                    .add(Rule::S10, &at, "the parameter's name is no identifier, or taken");
            }
            Parameter {
                name: p.name.clone(),
                ty: reader.ty(&p.r#type, &at, Rule::S10),
                null: p.allow_null_value,
                unknown: p.allow_unknown_values,
            }
        };
        let parameters = function.parameters.iter().map(|p| read(self, p)).collect();
        let variadic = function.variadic_parameter.as_ref().map(|p| read(self, p));
        let returns = function
            .r#return
            .as_ref()
            .map(|r| r.r#type.clone())
            .unwrap_or_default();
        let returns = self.ty(&returns, &at.attribute("return"), Rule::S10);
        Function {
            parameters,
            variadic,
            returns,
        }
    }
}
