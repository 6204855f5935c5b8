//! A service of AWS as kinds call it.

use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use reconcile::failure::Failure;

use super::Place;
use crate::client::Clients;

/// The SDK's client of a service.
#[async_trait]
pub(crate) trait Client: Clone + Send + Sync + 'static {
    /// Those of a place: one for reads, one for writes.
    async fn of(place: &Place) -> Result<Clients<Self>, Failure>;
}

/// A service in a place, and what is being done there: whatever fails says so.
#[derive(Clone)]
pub(crate) struct Api<C> {
    pub(crate) place: Place,
    /// For calls that change nothing: repeated by the SDK.
    pub(crate) read: C,
    /// For calls that change something: sent once.
    pub(crate) write: C,
    doing: Arc<str>,
}

impl Place {
    /// The service, to do this: gerund, kind and name, for example `creating subnet (private_subnet/a)`.
    pub(crate) async fn api<C: Client>(&self, doing: impl Into<Arc<str>>) -> Result<Api<C>, Failure> {
        let Clients { read, write } = C::of(self).await?;
        let (place, doing) = (self.clone(), doing.into());
        Ok(Api {
            place,
            read,
            write,
            doing,
        })
    }
}

impl<C: Clone> Api<C> {
    /// The same service, to do something else.
    pub(crate) fn to(&self, doing: impl Into<Arc<str>>) -> Self {
        Self {
            doing: doing.into(),
            ..self.clone()
        }
    }

    /// What is being done.
    pub(crate) fn doing(&self) -> &str {
        &self.doing
    }

    /// Makes one call: the future that `send` of the SDK gives. `action` is `service:Operation`, as IAM writes it.
    pub(crate) async fn call<T, E>(
        &self,
        action: &'static str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.place.aws.call(action, &*self.doing, send).await
    }
}

/// All pages of a listing. `page` is given the mark of the page and gives what that has, and the mark of the next.
pub(crate) async fn pages<T, F>(page: impl Fn(Option<String>) -> F) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<(Option<Vec<T>>, Option<String>), Failure>>,
{
    let mut items = Vec::new();
    let mut next = None;
    loop {
        let (found, mark) = page(next).await?;
        items.extend(found.unwrap_or_default());
        next = mark.filter(|mark| !mark.is_empty());
        if next.is_none() {
            return Ok(items);
        }
    }
}
