//! Everything that a provider offers, by name, with its schemas. Built when first needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::erased::{AnyAction, AnyDataSource, AnyEphemeral, AnyFunction, AnyList, AnyResource};
use crate::model::Model as _;
use crate::provider::Provider;
use crate::schema::{Block, Schema, defects};
use crate::value::Type;

pub(super) struct Catalog<C> {
    pub config: Entry<()>,
    pub resources: BTreeMap<&'static str, ResourceEntry<C>>,
    pub data_sources: BTreeMap<&'static str, DataSourceEntry<C>>,
    pub functions: BTreeMap<&'static str, Box<dyn AnyFunction>>,
    pub ephemerals: BTreeMap<&'static str, Entry<Box<dyn AnyEphemeral<C>>>>,
    pub lists: BTreeMap<&'static str, Entry<Arc<dyn AnyList<C>>>>,
    pub actions: BTreeMap<&'static str, Entry<Arc<dyn AnyAction<C>>>>,
    /// What is offered twice.
    doubles: Vec<String>,
}

/// A data source.
pub(super) type DataSourceEntry<C> = Entry<Box<dyn AnyDataSource<C>>>;

/// A thing with its schema and the type of its values.
pub(super) struct Entry<T> {
    pub any: T,
    pub schema: Schema,
    pub ty: Type,
}

pub(super) struct ResourceEntry<C> {
    pub any: Box<dyn AnyResource<C>>,
    pub schema: Schema,
    pub ty: Type,
    pub identity: Option<Identity>,
}

pub(super) struct Identity {
    pub version: i64,
    pub block: Block,
    pub ty: Type,
}

impl<T> Entry<T> {
    fn new(any: T, schema: Schema) -> Self {
        let ty = schema.block.ty();
        Self { any, schema, ty }
    }
}

impl<C: Send + Sync + 'static> Catalog<C> {
    pub fn new<P: Provider<Context = C>>(provider: &P) -> Self {
        let offers = provider.offers();
        let mut config = Schema {
            version: 0,
            block: P::Config::block(),
        };
        inputs_only(&mut config.block);
        let resources = offers.resources.into_iter().map(|any| {
            let schema = any.schema();
            let identity = any.identity_schema().map(|(version, block)| {
                let ty = block.ty();
                Identity { version, block, ty }
            });
            let ty = schema.block.ty();
            (
                any.name(),
                ResourceEntry {
                    any,
                    schema,
                    ty,
                    identity,
                },
            )
        });
        let data_sources = offers.data_sources.into_iter().map(|any| {
            let schema = any.schema();
            (any.name(), Entry::new(any, schema))
        });
        let ephemerals = offers.ephemerals.into_iter().map(|any| {
            let schema = any.schema();
            (any.name(), Entry::new(any, schema))
        });
        let lists = offers.lists.into_iter().map(|any| {
            let mut schema = any.schema();
            inputs_only(&mut schema.block);
            (any.name(), Entry::new(any, schema))
        });
        let actions = offers.actions.into_iter().map(|any| {
            let mut schema = any.schema();
            inputs_only(&mut schema.block);
            (any.name(), Entry::new(any, schema))
        });
        let mut doubles = Vec::new();
        Self {
            config: Entry::new((), config),
            resources: unique("resource", resources, &mut doubles),
            data_sources: unique("data source", data_sources, &mut doubles),
            ephemerals: unique("ephemeral resource", ephemerals, &mut doubles),
            lists: unique("list resource", lists, &mut doubles),
            actions: unique("action", actions, &mut doubles),
            functions: unique(
                "function",
                offers.functions.into_iter().map(|any| (any.name(), any)),
                &mut doubles,
            ),
            doubles,
        }
    }

    /// What Terraform would refuse the schemas for.
    pub fn defects(&self) -> Diagnostics {
        let resources = self.resources.iter().map(|(name, entry)| (*name, &entry.schema));
        let data_sources = self
            .data_sources
            .iter()
            .map(|(name, entry)| (*name, &entry.schema));
        let all = resources
            .chain(data_sources)
            .chain(self.ephemerals.iter().map(|(name, entry)| (*name, &entry.schema)))
            .chain(self.lists.iter().map(|(name, entry)| (*name, &entry.schema)))
            .chain(self.actions.iter().map(|(name, entry)| (*name, &entry.schema)))
            .chain([("provider", &self.config.schema)]);
        let defect = |text: String| Diagnostic::error("F402", "Defect of a schema", text);
        let of_schemas = all.flat_map(|(name, schema)| {
            defects(schema)
                .into_iter()
                .map(move |text| defect(format!("{name}: {text}")))
        });
        // Core lists what it knows as a resource, by its identity.
        let nameless = self
            .lists
            .keys()
            .filter(|name| self.resources.get(*name).is_none_or(|r| r.identity.is_none()));
        let nameless = nameless.map(|name| {
            defect(format!(
                "list resource {name}: there is no resource with an identity of that name"
            ))
        });
        of_schemas
            .chain(self.doubles.iter().map(|text| defect(text.clone())))
            .chain(nameless)
            .collect()
    }
}

/// A configuration that is only read has nothing computed: a default is applied by the framework.
pub(super) fn inputs_only(block: &mut Block) {
    for attribute in &mut block.attributes {
        attribute.computed = false;
    }
    for nested in &mut block.blocks {
        nested.computed = false;
        inputs_only(&mut nested.block);
    }
}

/// The things by name; a second one of a name is noted.
fn unique<T>(
    what: &str,
    all: impl Iterator<Item = (&'static str, T)>,
    doubles: &mut Vec<String>,
) -> BTreeMap<&'static str, T> {
    let mut out = BTreeMap::new();
    for (name, thing) in all {
        if out.insert(name, thing).is_some() {
            doubles.push(format!("{what} {name}: offered twice"));
        }
    }
    out
}
