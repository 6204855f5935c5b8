//! Parts that have a fixed name, by which they are found: AWS lists them without tags.
//!
//! What a part of this shape says of itself: [`ByName`]. [`Named`] makes a [`Kind`] of it.

use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use reconcile::failure::{Class, Failure};
use reconcile::part::{Ask, Call, Deleted, Difference, Kind, KindTraits, Loss, Made, Object, Part, Tags};

use serde_json::Value;

use super::{Api, Client, Place, names, observed};

/// A part whose name is its id. Its field `name` cannot be changed.
#[async_trait]
pub(crate) trait ByName: Part {
    /// The client of its service.
    type Client: Client;

    /// Constant facts.
    const TRAITS: KindTraits;
    /// What is lost with an object.
    const LOSS: Loss = Loss::Nothing;

    /// Its name.
    fn name(&self) -> &str;

    /// The names of all that there are, for lists: only where it is a resource's root. What is less is found with its root.
    async fn all(_api: &Api<Self::Client>) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// The object of this name, with all its tags; none, or class `NotFound`: there is none.
    async fn see(api: &Api<Self::Client>, name: &str) -> Result<Option<Object>, Failure>;

    /// Makes it, with tags in the creating call.
    async fn make(&self, api: &Api<Self::Client>, call: &Call) -> Result<Made, Failure>;

    /// Mends the differences in place; needed where a field is not replaced.
    async fn change(
        &self,
        _api: &Api<Self::Client>,
        _is: &Object,
        _what: &[Difference],
        _call: &Call,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Sets tags.
    async fn tag(api: &Api<Self::Client>, name: &str, tags: &Tags) -> Result<(), Failure>;

    /// Removes tags.
    async fn untag(api: &Api<Self::Client>, name: &str, tags: &[String]) -> Result<(), Failure>;

    /// Deletes it.
    async fn unmake(api: &Api<Self::Client>, object: &Object) -> Result<Deleted, Failure>;

    /// The lock of the account and region that every changing call holds ([`Kind::lock`]), by its name.
    fn lock(_name: &str) -> Option<String> {
        None
    }

    /// See [`Kind::in_the_way`].
    async fn in_the_way(
        _api: &Api<Self::Client>,
        _it: &Object,
        _going: &[&Object],
        _ours: &[&Object],
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// The kind of parts `P`.
pub(crate) struct Named<P> {
    place: Place,
    part: PhantomData<fn() -> P>,
}

/// The kind of parts `P` in a place.
pub(crate) fn by_name<P: ByName>(place: &Place) -> Named<P> {
    Named {
        place: place.clone(),
        part: PhantomData,
    }
}

impl<P: ByName> Named<P> {
    async fn look(&self, name: String) -> Result<Option<Object>, Failure> {
        let api = self
            .place
            .api(format!("looking for {} {name}", P::TRAITS.title))
            .await?;
        match P::see(&api, &name).await {
            Err(failure) if failure.class == Class::NotFound => Ok(None),
            other => Ok(other?.map(|object| observed(name, object))),
        }
    }
}

#[async_trait]
impl<P: ByName> Kind for Named<P> {
    type Part = P;

    fn traits(&self) -> KindTraits {
        P::TRAITS
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let mut names = names(ask);
        // Whoever has it ([`Ask::owner`]).
        if ask.owner.resource.ends_with("/*") {
            let api = self
                .place
                .api(format!("listing every {}", P::TRAITS.title))
                .await?;
            names.extend(P::all(&api).await?);
        }
        let found = try_join_all(names.into_iter().map(|name| self.look(name))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(&self, part: &P, call: &Call) -> Result<Made, Failure> {
        let doing = format!("creating {} {} ({})", P::TRAITS.title, part.name(), call.key);
        part.make(&self.place.api(doing).await?, call).await
    }

    async fn update(&self, part: &P, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let api = self
            .place
            .api(format!("changing {} {}", P::TRAITS.title, is.id))
            .await?;
        part.change(&api, is, what, call).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let api = self
            .place
            .api(format!("tagging {} {id}", P::TRAITS.title))
            .await?;
        if !set.is_empty() {
            P::tag(&api, id, set).await?;
        }
        if !remove.is_empty() {
            P::untag(&api, id, remove).await?;
        }
        Ok(())
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let api = self
            .place
            .api(format!("deleting {} {}", P::TRAITS.title, object.id))
            .await?;
        P::unmake(&api, object).await
    }

    async fn in_the_way(&self, object: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        match self.place.api("looking what is in the way").await {
            Ok(api) => P::in_the_way(&api, object, going, ours).await,
            Err(_) => Ok(()),
        }
    }

    fn lock(&self, fields: &Value) -> Option<String> {
        let lock = P::lock(fields["name"].as_str()?)?;
        Some(format!("{}: {lock}", self.place.region))
    }

    fn loss(&self) -> Loss {
        P::LOSS
    }

    async fn outlook(&self, object: &Object, _: Duration) -> Result<(), Failure> {
        self.place.under_way.outlook(P::TRAITS.title, object)
    }
}
