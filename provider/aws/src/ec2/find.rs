//! What all kinds of EC2 objects share: finding them in few calls, tags, ARNs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared, join_all};
use reconcile::failure::Failure;
use reconcile::part::{Ask, Tags};

use crate::client::Clients;
use crate::kind::Place;
use crate::partition::partition;

/// Filters of a describing call: name and values.
pub(crate) type Filters = Vec<(String, Vec<String>)>;

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
///
/// `by_id` is the filter for ids: unlike a list of ids it gives no error for one that is gone.
pub(crate) async fn find<T, F>(
    ask: &Ask,
    by_id: &str,
    in_vpc: InVpc,
    id_of: fn(&T) -> Option<&str>,
    describe: impl Fn(Filters) -> F,
) -> Result<Vec<T>, Failure>
where
    T: Clone,
    F: Future<Output = Result<Vec<T>, Failure>>,
{
    let in_root = |filter: &str, root: &String| vec![(filter.to_owned(), vec![root.clone()])];
    let mut found = match (in_vpc, &ask.root) {
        (InVpc::All(filter), Some(root)) => describe(in_root(filter, root)).await?,
        _ => describe(by_owner(ask)).await?,
    };
    let missing: Vec<String> = {
        let there: HashSet<&str> = found.iter().filter_map(id_of).collect();
        ask.known
            .values()
            .filter(|id| !there.contains(id.as_str()))
            .cloned()
            .collect()
    };
    let mut more = Vec::new();
    if let (InVpc::Attached(filter), Some(root), true) = (in_vpc, &ask.root, found.is_empty()) {
        more.push(in_root(filter, root));
    }
    if !missing.is_empty() {
        more.push(vec![(by_id.to_owned(), missing)]);
    }
    for further in join_all(more.into_iter().map(describe)).await {
        for object in further? {
            let known = found.iter().any(|other| id_of(other) == id_of(&object));
            if !known {
                found.push(object);
            }
        }
    }
    Ok(found)
}

/// A describing call of EC2, page by page.
macro_rules! pages {
    ($place:expr, $action:literal, $doing:expr, $call:ident, $set_filters:ident, $items:ident, $filters:expr) => {
        pages!(
            $place,
            $action,
            $doing,
            $call,
            $set_filters,
            $items,
            $filters,
            1000
        )
    };
    ($place:expr, $action:literal, $doing:expr, $call:ident, $set_filters:ident, $items:ident, $filters:expr, $size:literal) => {{
        let place = $place;
        let ec2 = place.ec2().await?;
        let filters = $crate::ec2::find::filters($filters);
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = ec2
                .read
                .$call()
                .$set_filters(Some(filters.clone()))
                .max_results($size)
                .set_next_token(next.take())
                .send();
            let answer = place.aws.call($action, $doing, page).await?;
            items.extend(answer.$items.unwrap_or_default());
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break Ok::<_, reconcile::failure::Failure>(items);
            }
        }
    }};
}
pub(crate) use pages;

pub(crate) fn filters(filters: Filters) -> Vec<Filter> {
    filters
        .into_iter()
        .map(|(name, values)| Filter::builder().name(name).set_values(Some(values)).build())
        .collect()
}

impl Place {
    pub(crate) async fn ec2(&self) -> Result<Clients<aws_sdk_ec2::Client>, Failure> {
        self.aws.ec2(&self.region).await
    }

    /// ARN of an EC2 object, where its owner is known.
    pub(crate) fn arn(&self, owner: Option<&str>, what: &str, id: &str) -> Option<String> {
        let owner = owner.filter(|owner| !owner.is_empty())?;
        Some(format!(
            "arn:{}:ec2:{}:{owner}:{what}/{id}",
            partition(&self.region),
            self.region
        ))
    }

    /// Sets and removes tags of an EC2 object.
    pub(crate) async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let ec2 = self.ec2().await?;
        if !set.is_empty() {
            let call = ec2
                .write
                .create_tags()
                .resources(id)
                .set_tags(Some(tag_list(set)))
                .send();
            self.aws
                .call("ec2:CreateTags", format!("tagging {id}"), call)
                .await?;
        }
        if !remove.is_empty() {
            let tags = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
            let call = ec2.write.delete_tags().resources(id).set_tags(Some(tags)).send();
            self.aws
                .call("ec2:DeleteTags", format!("removing tags of {id}"), call)
                .await?;
        }
        Ok(())
    }
}

fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// Tags for the creating call.
pub(crate) fn tags_of_new(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(tag_list(tags)))
        .build()
}

/// Tags of an answer.
pub(crate) fn tags(list: Option<Vec<Tag>>) -> Tags {
    list.unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

/// The same look asked for by two kinds at once is one call.
pub(crate) struct Together<T>(Arc<Mutex<HashMap<Filters, WeakShared<Look<T>>>>>);

type Look<T> = BoxFuture<'static, Result<Arc<Vec<T>>, Failure>>;

impl<T> Clone for Together<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> Together<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The look that is under way with these filters, or a new one.
    pub(crate) async fn look<F>(
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
