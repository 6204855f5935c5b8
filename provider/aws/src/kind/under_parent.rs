//! Parts that are listed under another object: what belongs to an EKS cluster.
//!
//! What a part of this shape says of itself: [`UnderParent`]. [`Child`] makes a [`Kind`] of it. Its id is that of its parent and
//! its name there, with a slash between them.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use async_trait::async_trait;
use futures::future::try_join_all;
use futures::try_join;
use reconcile::failure::{Class, Failure};
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Kind, KindTraits, Loss, Made, Object, Part, Tags, Target,
};
use serde_json::Value;

use super::{Api, Client, Place, is_same, observed};

/// A part that is listed under another object, by a name that is unique there.
#[async_trait]
pub(crate) trait UnderParent: Part {
    /// The client of its service.
    type Client: TagsByArn;

    /// Constant facts.
    const TRAITS: KindTraits;
    /// What messages call more than one of them.
    const MANY: &'static str;
    /// The kind under which it is listed.
    const PARENT: &'static str;
    /// The field that has its parent's id.
    const PARENT_FIELD: &'static str = "cluster";
    /// The field that has its name.
    const NAME: &'static str = "name";
    /// An object without our tags that has the same in these fields is the declared part.
    const SAME: &'static [&'static str] = &["name"];
    /// Fields that are left to the service where they are not declared.
    const LEFT_OPEN: &'static [&'static str] = &[];
    /// What is lost with an object.
    const LOSS: Loss = Loss::Nothing;
    /// It ends with its parent, and is not deleted before it ([`Kind::ends_with_parent`]).
    const ENDS_WITH_PARENT: bool = false;

    /// What it is made under, a part or something that is named: a field called [`UnderParent::PARENT_FIELD`].
    fn parent(&self) -> &Target;

    /// Whether the parent may have any: where not, it is not asked, as it would refuse.
    fn may_be_under(_parent: &Object) -> bool {
        true
    }

    /// The names of those under the parent.
    async fn list(api: &Api<Self::Client>, parent: &str) -> Result<Vec<String>, Failure>;

    /// The one of this name, with all its tags; none, or class `NotFound`: there is none.
    async fn see(api: &Api<Self::Client>, parent: &str, name: &str) -> Result<Option<Object>, Failure>;

    /// The name that the fields of a declared part say.
    fn name_of(declared: &Value) -> Option<String> {
        declared[Self::NAME].as_str().map(str::to_owned)
    }

    /// Makes it, with tags in the creating call. The id is [`id_under`].
    async fn make(&self, api: &Api<Self::Client>, parent: &str, call: &Call) -> Result<Made, Failure>;

    /// Mends the differences in place; needed where a field is not replaced.
    async fn change(
        &self,
        _api: &Api<Self::Client>,
        _at: At<'_>,
        _is: &Object,
        _what: &[Difference],
        _call: &Call,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Deletes it.
    async fn unmake(api: &Api<Self::Client>, at: At<'_>) -> Result<Deleted, Failure>;
}

/// A service whose objects are all tagged in the same way, by their ARNs.
#[async_trait]
pub(crate) trait TagsByArn: Client {
    /// Sets tags of the object of this ARN.
    async fn tag(api: &Api<Self>, arn: &str, tags: &Tags) -> Result<(), Failure>;

    /// Removes tags of the object of this ARN.
    async fn untag(api: &Api<Self>, arn: &str, tags: &[String]) -> Result<(), Failure>;
}

impl<C: TagsByArn> Api<C> {
    /// Sets tags of the object of this ARN.
    pub(crate) async fn tag(&self, arn: &str, tags: &Tags) -> Result<(), Failure> {
        C::tag(self, arn, tags).await
    }

    /// Removes tags of the object of this ARN.
    pub(crate) async fn untag(&self, arn: &str, tags: &[String]) -> Result<(), Failure> {
        C::untag(self, arn, tags).await
    }
}

/// Where an object is: its parent's id, and its name there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) parent: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> At<'a> {
    /// What the id says. Names of parents have no slash.
    fn of(id: &'a str) -> Self {
        let (parent, name) = id.split_once('/').unwrap_or(("", id));
        Self { parent, name }
    }
}

/// The id of what has this name under the parent.
pub(crate) fn id_under(parent: &str, name: &str) -> String {
    format!("{parent}/{name}")
}

/// The kind of parts `P`.
pub(crate) struct Child<P> {
    place: Place,
    part: PhantomData<fn() -> P>,
}

/// The kind of parts `P` in a place.
pub(crate) fn under_parent<P: UnderParent>(place: &Place) -> Child<P> {
    Child {
        place: place.clone(),
        part: PhantomData,
    }
}

impl<P: UnderParent> Child<P> {
    async fn api(&self, verb: &str, id: &str) -> Result<Api<P::Client>, Failure> {
        self.place.api(format!("{verb} {} {id}", P::TRAITS.title)).await
    }

    /// What is there under one parent. What is declared or known is looked at while the others are listed.
    async fn look(&self, parent: &str, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let api: Api<P::Client> = self
            .place
            .api(format!("looking for {} of {parent}", P::MANY))
            .await?;
        let named = names::<P>(ask, parent);
        let all = try_join!(P::list(&api, parent), see_all::<P>(&api, parent, &named));
        let (listed, mut found) = match all {
            // The parent is gone by now, and with it all that was in it.
            Err(failure) if failure.class == Class::NotFound => return Ok(Vec::new()),
            all => all?,
        };
        let others: BTreeSet<String> = listed.into_iter().filter(|name| !named.contains(name)).collect();
        found.extend(see_all::<P>(&api, parent, &others).await?);
        for object in &mut found {
            leave_open::<P>(ask, object);
        }
        Ok(found)
    }
}

async fn see_all<P: UnderParent>(
    api: &Api<P::Client>,
    parent: &str,
    names: &BTreeSet<String>,
) -> Result<Vec<Object>, Failure> {
    let all = names.iter().map(|name| async {
        let id = id_under(parent, name);
        let api = api.to(format!("looking for {} {id}", P::TRAITS.title));
        match P::see(&api, parent, name).await {
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            other => Ok(other?.map(|object| {
                let mut object = observed(id, object);
                object.references.push(parent.to_owned());
                object
            })),
        }
    });
    Ok(try_join_all(all).await?.into_iter().flatten().collect())
}

/// The names under the parent that are known or declared. A declared one that hangs on what is not made yet is none.
fn names<P: UnderParent>(ask: &Ask, parent: &str) -> BTreeSet<String> {
    let known = ask.known.values().map(|id| At::of(id));
    let known = known
        .filter(|at| at.parent == parent)
        .map(|at| at.name.to_owned());
    let declared = ask
        .declared
        .values()
        .filter_map(P::name_of)
        .filter(|name| !name.contains("${"));
    known.chain(declared).collect()
}

/// Takes out what the part that the object stands for leaves to the service.
fn leave_open<P: UnderParent>(ask: &Ask, object: &mut Object) {
    let by_tag = object.tags.get("ekb:part");
    let is_it = |key: &str, fields: &Value| match by_tag {
        Some(part) => part == key,
        None => {
            ask.known.iter().any(|(of, id)| of.0 == key && *id == object.id)
                || is_same(P::SAME, fields, object)
        }
    };
    let Some((_, declared)) = ask.declared.iter().find(|(key, fields)| is_it(&key.0, fields)) else {
        return;
    };
    for field in P::LEFT_OPEN.iter().filter(|field| declared[**field].is_null()) {
        object.fields[*field] = Value::Null;
    }
}

#[async_trait]
impl<P: UnderParent> Kind for Child<P> {
    type Part = P;

    fn traits(&self) -> KindTraits {
        P::TRAITS
    }

    fn parent(&self) -> Option<&'static str> {
        Some(P::PARENT)
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let able = ask.parents.iter();
        let able = able.filter(|parent| can_tell(parent) && P::may_be_under(parent));
        let mut parents: BTreeSet<&str> = able.map(|parent| parent.id.as_str()).collect();
        if ask.parents.is_empty() {
            // No part of the graph: those that are named.
            parents.extend(ask.known.values().map(|id| At::of(id).parent));
            let declared = ask.declared.values();
            let declared = declared.filter_map(|fields| fields[P::PARENT_FIELD].as_str());
            parents.extend(declared.filter(|parent| !parent.contains("${")));
        }
        let found = try_join_all(parents.into_iter().map(|parent| self.look(parent, ask))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, part: &P, call: &Call) -> Result<Made, Failure> {
        let parent = call.target(part.parent())?;
        let doing = format!("creating {} of {parent} ({})", P::TRAITS.title, call.key);
        part.make(&self.place.api(doing).await?, parent, call).await
    }

    async fn update(&self, part: &P, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let api = self.api("changing", &is.id).await?;
        part.change(&api, At::of(&is.id), is, what, call).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let (api, at) = (self.api("tagging", id).await?, At::of(id));
        // Tags go by ARN, of which the id says too little.
        let object = P::see(&api, at.parent, at.name).await?;
        let arn = object.and_then(|object| object.arn).ok_or_else(|| {
            Failure::new(Class::NotFound, api.doing(), "it is gone").code(crate::failure::codes::NOT_FOUND)
        })?;
        if !set.is_empty() {
            api.tag(&arn, set).await?;
        }
        if !remove.is_empty() {
            api.untag(&arn, remove).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let api = self.api("deleting", &object.id).await?;
        P::unmake(&api, At::of(&object.id)).await
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        is_same(P::SAME, declared, object)
    }

    fn loss(&self) -> Loss {
        P::LOSS
    }

    fn ends_with_parent(&self) -> bool {
        P::ENDS_WITH_PARENT
    }

    async fn outlook(&self, object: &Object, _: std::time::Duration) -> Result<(), Failure> {
        self.place.under_way.outlook(P::TRAITS.title, object)
    }
}

/// A parent that is being made has nothing under it, and may not be able to say so yet.
fn can_tell(parent: &Object) -> bool {
    !matches!(&parent.condition, Condition::Changing(word) if ["CREATING", "PENDING"].contains(&word.as_str()))
}
