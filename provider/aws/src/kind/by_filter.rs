//! Parts that EC2 lists by filters; ours are told by their tags.
//!
//! What a part of this shape says of itself: [`ByFilter`]. [`Filtered`] makes a [`Kind`] of it.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared, join_all};
use reconcile::failure::Failure;
use reconcile::part::{
    Ask, Call, Condition, Deleted, Difference, Kind, KindTraits, Loss, Made, Object, Part, Tags,
};
use serde_json::Value;

use super::{Api, Place, is_same, no_answer, observed};

/// EC2, and what is being done there.
pub(crate) type Ec2 = Api<aws_sdk_ec2::Client>;

/// Filters of a describing call: name and values.
pub(crate) type Filters = Vec<(String, Vec<String>)>;

/// One filter.
pub(crate) fn by(name: &str, value: &str) -> Filters {
    vec![(name.to_owned(), vec![value.to_owned()])]
}

/// What EC2 lists by one of its describing calls.
#[async_trait]
pub(crate) trait Listed: Clone + Send + Sync + 'static {
    /// What messages call more than one of them.
    const MANY: &'static str;
    /// The filter for ids: unlike a list of ids it gives no error for one that is gone.
    const BY_ID: &'static str;

    /// Its id.
    fn id(&self) -> Option<&str>;

    /// All its tags.
    fn all_tags(&self) -> Tags;

    /// All that the filters let through.
    async fn list(ec2: &Ec2, filters: Filters) -> Result<Vec<Self>, Failure>;
}

/// How objects of a kind are filtered by the VPC they lie in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum InVpc {
    /// This filter gives everything of the VPC, ours or not: it takes the place of the look by tags.
    All(&'static str),
    /// This filter misses some of ours (a gateway not attached yet): asked only where tags find nothing.
    Attached(&'static str),
    /// There is no such filter.
    None,
}

/// A part that EC2 lists by filters. Its `tags` are set by `ec2:CreateTags`.
#[async_trait]
pub(crate) trait ByFilter: Part {
    /// What EC2 lists.
    type Item: Listed;

    /// Constant facts. IAM actions: the describing call is read, `ec2:CreateTags` and `ec2:DeleteTags` are written.
    const TRAITS: KindTraits;
    /// How it is listed by its VPC.
    const IN_VPC: InVpc = InVpc::All("vpc-id");
    /// An object without our tags that has the same in these fields is the declared part.
    const SAME: &'static [&'static str] = &[];
    /// What is lost with an object.
    const LOSS: Loss = Loss::Nothing;

    /// What is listed as an object, without id and tags; none where it is of another kind.
    fn see(ec2: &Ec2, item: Self::Item) -> Option<Object>;

    /// Makes it, with tags and client token in the creating call.
    async fn make(&self, ec2: &Ec2, call: &Call) -> Result<Made, Failure>;

    /// Mends the differences in place; needed where a field is not replaced.
    async fn change(
        &self,
        _ec2: &Ec2,
        _is: &Object,
        _what: &[Difference],
        _call: &Call,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// Deletes it.
    async fn unmake(ec2: &Ec2, object: &Object) -> Result<Deleted, Failure>;

    /// Everything that is asked for, where one listing does not tell all of it.
    async fn find(ec2: &Ec2, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let found = find(ec2, ask, Self::IN_VPC).await?;
        Ok(found
            .into_iter()
            .filter_map(|item| seen::<Self>(ec2, item))
            .collect())
    }

    /// See [`Kind::stands_for`].
    fn stands_for(declared: &Value, object: &Object) -> bool {
        is_same(Self::SAME, declared, object)
    }

    /// See [`Kind::excludes`].
    fn excludes(_declared: &Value, _object: &Object) -> bool {
        false
    }

    /// See [`Kind::in_the_way`].
    async fn in_the_way(
        _ec2: &Ec2,
        _it: &Object,
        _going: &[&Object],
        _ours: &[&Object],
    ) -> Result<(), Failure> {
        Ok(())
    }
}

/// The kind of parts `P`.
pub(crate) struct Filtered<P> {
    place: Place,
    part: PhantomData<fn() -> P>,
}

/// The kind of parts `P` in a place.
pub(crate) fn by_filter<P: ByFilter>(place: &Place) -> Filtered<P> {
    Filtered {
        place: place.clone(),
        part: PhantomData,
    }
}

#[async_trait]
impl<P: ByFilter> Kind for Filtered<P> {
    type Part = P;

    fn traits(&self) -> KindTraits {
        P::TRAITS
    }

    async fn observe(&self, ask: &Ask) -> Result<Vec<Object>, Failure> {
        let ec2 = self.place.api(format!("looking for {}", P::Item::MANY)).await?;
        P::find(&ec2, ask).await
    }

    async fn create(&self, part: &P, call: &Call) -> Result<Made, Failure> {
        let ec2 = self
            .place
            .api(format!("creating {} ({})", P::TRAITS.title, call.key))
            .await?;
        part.make(&ec2, call).await
    }

    async fn update(&self, part: &P, is: &Object, what: &[Difference], call: &Call) -> Result<(), Failure> {
        let ec2 = self
            .place
            .api(format!("changing {} {}", P::TRAITS.title, is.id))
            .await?;
        part.change(&ec2, is, what, call).await
    }

    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let ec2: Ec2 = self
            .place
            .api(format!("tagging {} {id}", P::TRAITS.title))
            .await?;
        ec2.tag(id, set, remove).await
    }

    async fn delete(&self, object: &Object, _: &Call) -> Result<Deleted, Failure> {
        let ec2 = self
            .place
            .api(format!("deleting {} {}", P::TRAITS.title, object.id))
            .await?;
        P::unmake(&ec2, object).await
    }

    async fn in_the_way(&self, object: &Object, going: &[&Object], ours: &[&Object]) -> Result<(), Failure> {
        match self.place.api("looking what is in the way").await {
            Ok(ec2) => P::in_the_way(&ec2, object, going, ours).await,
            Err(_) => Ok(()),
        }
    }

    fn stands_for(&self, declared: &Value, object: &Object) -> bool {
        P::stands_for(declared, object)
    }

    fn excludes(&self, declared: &Value, object: &Object) -> bool {
        P::excludes(declared, object)
    }

    fn loss(&self) -> Loss {
        P::LOSS
    }
}

/// What is listed as an object, whole.
pub(crate) fn seen<P: ByFilter>(ec2: &Ec2, item: P::Item) -> Option<Object> {
    let (id, tags) = (item.id()?.to_owned(), item.all_tags());
    Some(observed(
        id,
        Object {
            tags,
            ..P::see(ec2, item)?
        },
    ))
}

/// What the creating call answers. An old token gives the object of then, though it be gone.
pub(crate) fn made<P: ByFilter>(ec2: &Ec2, item: Option<P::Item>, call: &Call) -> Result<Made, Failure> {
    let object = item
        .and_then(|item| seen::<P>(ec2, item))
        .ok_or_else(|| no_answer(call))?;
    let condition = match object.condition {
        Condition::Deleting => Condition::Dead,
        other => other,
    };
    Ok(Made {
        id: object.id,
        arn: object.arn,
        condition,
        outputs: object.outputs,
    })
}

/// The ownership tags, as filters. Whole environments and other resources are left out by AWS itself.
fn by_owner(ask: &Ask) -> Filters {
    let resources = [&ask.owner.resource].into_iter().chain(&ask.formerly);
    [
        ("environment", vec![ask.owner.environment.clone()]),
        ("region", vec![ask.owner.region.clone()]),
        ("resource", resources.cloned().collect()),
    ]
    .map(|(tag, values)| (format!("tag:ekb:{tag}"), values))
    .to_vec()
}

/// Everything that [`Ask`] names, by as few calls as can be: one where nothing is amiss.
pub(crate) async fn find<T: Listed>(ec2: &Ec2, ask: &Ask, in_vpc: InVpc) -> Result<Vec<T>, Failure> {
    // What belongs to a cluster lies in a VPC that is another resource's.
    let vpc = ask.root.as_ref().filter(|root| root.starts_with("vpc-"));
    let mut found: Vec<T> = match (in_vpc, vpc) {
        (InVpc::All(filter), Some(root)) => ec2.list(by(filter, root)).await?,
        _ => ec2.list(by_owner(ask)).await?,
    };
    let missing: Vec<String> = {
        let there: HashSet<&str> = found.iter().filter_map(T::id).collect();
        ask.known
            .values()
            .filter(|id| !there.contains(id.as_str()))
            .cloned()
            .collect()
    };
    let mut more = Vec::new();
    if let (InVpc::Attached(filter), Some(root), true) = (in_vpc, vpc, found.is_empty()) {
        more.push(by(filter, root));
    }
    if !missing.is_empty() {
        more.push(vec![(T::BY_ID.to_owned(), missing)]);
    }
    for further in join_all(more.into_iter().map(|filters| ec2.list::<T>(filters))).await {
        for object in further? {
            if !found.iter().any(|other| other.id() == object.id()) {
                found.push(object);
            }
        }
    }
    Ok(found)
}

impl Ec2 {
    /// What the filters let through. Asked for twice at once (two kinds of endpoints), it is one call.
    pub(crate) async fn list<T: Listed>(&self, filters: Filters) -> Result<Vec<T>, Failure> {
        let ec2 = self.to(format!("looking for {}", T::MANY));
        let describe = |filters| async move { T::list(&ec2, filters).await };
        let looks = self.place.looks.of::<T>();
        Ok(Arc::unwrap_or_clone(looks.look(filters, describe).await?))
    }
}

/// The looks of a place that are under way, by type of what is listed.
#[derive(Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>);

impl Looks {
    fn of<T: Send + Sync + 'static>(&self) -> Together<T> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = looks
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(Together::<T>::default()));
        looks.downcast_ref::<Together<T>>().cloned().unwrap_or_default()
    }
}

/// The same look asked for twice at once is one call.
struct Together<T>(Arc<Mutex<HashMap<Filters, WeakShared<Look<T>>>>>);

type Look<T> = BoxFuture<'static, Result<Arc<Vec<T>>, Failure>>;

impl<T> Clone for Together<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + Sync + 'static> Together<T> {
    /// The look that is under way with these filters, or a new one.
    async fn look<F>(
        &self,
        filters: Filters,
        describe: impl FnOnce(Filters) -> F,
    ) -> Result<Arc<Vec<T>>, Failure>
    where
        F: Future<Output = Result<Vec<T>, Failure>> + Send + 'static,
    {
        let look: Shared<Look<T>> = {
            let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            looks.retain(|_, look| look.upgrade().is_some());
            // One that has ended is old news: a call after it may have changed what it saw.
            let under_way = looks
                .get(&filters)
                .and_then(WeakShared::upgrade)
                .filter(|look| look.peek().is_none());
            under_way.unwrap_or_else(|| {
                let look = describe(filters.clone())
                    .map(|result| result.map(Arc::new))
                    .boxed()
                    .shared();
                looks.extend(look.downgrade().map(|weak| (filters, weak)));
                look
            })
        };
        look.await
    }
}
