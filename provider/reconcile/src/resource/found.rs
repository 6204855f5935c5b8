//! Data source and list resource of a declared resource: they follow from its declaration.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use async_trait::async_trait;
use framework::model::Fields;
use framework::schema::{Attribute, Block, Nesting, Shape};
use framework::{
    Attr, AttributeType, Context, DataSource, DecodeError, Diagnostic, Diagnostics, ListResource, Listing,
    Model, Offers, Path, Value,
};

use super::look::{find, list};
use super::{Declared, Identity, Managed, Reconciled, Surroundings};

/// Attributes of a resource that say nothing of a thing that is only looked at.
const NOT_SHOWN: [&str; 5] = ["default_tags", "drift", "incarnation", "objects", "tags_all"];

/// By which it is looked up.
const GIVEN: [&str; 2] = ["name", "region"];

/// The resource with its data source and its list resource, of one name, where it has them.
pub fn offer<C: Surroundings, D: Declared<C> + Clone>(offers: Offers<C>, declared: D) -> Offers<C> {
    let offers = offers.resource(Reconciled(declared.clone()));
    if !D::IS_FOUND {
        return offers;
    }
    offers
        .data_source(Data(declared.clone()))
        .list_resource(All(declared))
}

/// The data source of a resource: what is there, as an import would have it, whichever state or unit made it.
#[derive(Debug, Clone)]
pub struct Data<D>(pub D);

#[async_trait]
impl<C: Surroundings, D: Declared<C> + Clone> DataSource<C> for Data<D> {
    type Model = Looked<C, D>;

    const NAME: &'static str = D::NAME;

    async fn read(
        &self,
        cx: &Context<C>,
        config: Looked<C, D>,
        warnings: &mut Diagnostics,
    ) -> Result<Looked<C, D>, Diagnostics> {
        let name = config.0.name().known().cloned();
        let region = config.0.common().region.known().cloned();
        let (found, messages) = find(self.0.clone(), cx, name.clone(), region).await?;
        warnings.extend(messages);
        found.map(|found| Looked(found, PhantomData)).ok_or_else(|| {
            let environment = cx.ready().and_then(|context| context.environment().map(str::to_owned));
            let environment = environment.unwrap_or_default();
            let name = name.unwrap_or_else(|| environment.clone());
            let title = D::TITLE;
            Diagnostic::error(
                "EKB2111",
                format!("No such {title}"),
                format!("The environment {environment} has no {title} {name}."),
            )
            .hint(format!(
                "Check `name`, and the provider's `environment` and `region`; or create it with a resource `{}`.",
                D::NAME
            ))
            .into()
        })
    }
}

/// A resource's model as its data source has it: name and region are given, all else is computed.
pub struct Looked<C, D: Declared<C>>(D::Model, PhantomData<C>)
where
    C: Surroundings;

impl<C: Surroundings, D: Declared<C>> Clone for Looked<C, D> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<C: Surroundings, D: Declared<C>> fmt::Debug for Looked<C, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C: Surroundings, D: Declared<C>> Model for Looked<C, D> {
    fn block() -> Block {
        let attributes = D::Model::block().attributes.into_iter();
        // What can only be given says how it was made; what it is has attributes of its own.
        let shown = attributes.filter(|attribute| attribute.computed || attribute.required);
        let shown = shown.filter(|attribute| !NOT_SHOWN.contains(&attribute.name.as_str()));
        let read = shown.map(|attribute| {
            let is_given = GIVEN.contains(&attribute.name.as_str());
            let validators = if is_given {
                attribute.validators.clone()
            } else {
                Vec::new()
            };
            Attribute {
                optional: is_given,
                validators,
                ..computed(attribute)
            }
        });
        Block {
            attributes: read.collect(),
            description: format!(
                "A {} of the environment, whichever state or unit made it.",
                D::TITLE
            ),
            ..Block::default()
        }
    }
}

/// The attribute, and what is nested in it, as the provider alone gives it.
fn computed(attribute: Attribute) -> Attribute {
    let shape = match attribute.shape {
        Shape::Nested(nesting, block) => Shape::Nested(
            nesting,
            Box::new(Block {
                attributes: block.attributes.into_iter().map(computed).collect(),
                ..*block
            }),
        ),
        plain @ Shape::Plain(_) => plain,
    };
    Attribute {
        shape,
        required: false,
        optional: false,
        computed: true,
        replace: false,
        keep: false,
        default: None,
        validators: Vec::new(),
        relations: Vec::new(),
        ..attribute
    }
}

impl<C: Surroundings, D: Declared<C>> AttributeType for Looked<C, D> {
    fn shape() -> Shape {
        Shape::Nested(Nesting::Single, Box::new(Self::block()))
    }

    fn decode(value: &Value, at: &Path) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(value, at)?;
        let (name, region) = (fields.take("name"), fields.take("region"));
        fields.finish()?;
        let mut model = D::Model::default();
        *model.name_mut() = name.unwrap_or_default();
        model.common_mut().region = region.unwrap_or_default();
        Ok(Self(model, PhantomData))
    }

    fn encode(&self) -> Value {
        let Value::Object(all) = self.0.encode() else {
            return Value::Null;
        };
        let shown = Self::block().attributes.into_iter();
        let one = |attribute: Attribute| {
            let value = all.get(&attribute.name).cloned().unwrap_or(Value::Null);
            (attribute.name, value)
        };
        Value::Object(shown.map(one).collect::<BTreeMap<_, _>>().into())
    }
}

/// Those of the environment in one region, whichever state made them: also what an interrupted run left and no state knows.
#[derive(Model, Debug, Clone, Default)]
pub struct ListConfig {
    /// AWS region. Default: the provider's.
    #[attribute(optional)]
    pub region: Attr<String>,
    /// Only those that are `complete`, or only those that are `incomplete`: creating them was interrupted.
    #[attribute(optional, validate(one_of("complete", "incomplete")))]
    pub status: Attr<String>,
}

/// The list resource of a resource: all of the environment in one region, whichever state made them; also what an
/// interrupted run left and no state knows.
#[derive(Debug, Clone)]
pub struct All<D>(pub D);

#[async_trait]
impl<C: Surroundings, D: Declared<C> + Clone> ListResource<C> for All<D> {
    type Config = ListConfig;
    type Resource = Reconciled<D>;

    async fn list(
        &self,
        cx: &Context<C>,
        config: ListConfig,
        found: &mut Listing<D::Model, Identity>,
    ) -> Result<(), Diagnostics> {
        let status = config.status.into_known();
        let wanted = |is: &str| status.as_ref().is_none_or(|status| status == is);
        list(self.0.clone(), cx, config.region.into_known(), wanted, found).await
    }
}
