//! The token of each request: asked for when it is needed, used until shortly before its end, and told to nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, Response};
use kube::client::Body;
use reconcile::clock::{Clock, Moment};
use reconcile::failure::{Class, Failure};
use tokio::sync::Mutex;
use tower::{BoxError, Layer, Service};

use crate::access::Access;

/// How long before its end a token is no longer used: a request may take a while, and clocks differ.
const MARGIN: Duration = Duration::from_secs(120);

/// The token of one cluster. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bearer(Arc<Inner>);

struct Inner {
    access: Arc<dyn Access>,
    cluster: String,
    clock: Clock,
    held: Mutex<Option<Held>>,
}

struct Held {
    header: HeaderValue,
    since: Moment,
    until: Moment,
}

impl Bearer {
    pub(crate) fn new(access: Arc<dyn Access>, cluster: &str, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            access,
            cluster: cluster.to_owned(),
            clock,
            held: Mutex::default(),
        }))
    }

    /// The header of a request. Requests that come meanwhile wait for the same token.
    async fn header(&self) -> Result<HeaderValue, Failure> {
        let Inner {
            access,
            cluster,
            clock,
            held,
        } = &*self.0;
        let mut held = held.lock().await;
        let now = clock.now();
        if let Some(held) = held.as_ref().filter(|held| now < held.until) {
            return Ok(held.header.clone());
        }
        let token = access.token(cluster).await?;
        // A token of an odd form could stand in the error's text.
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.text.expose())).map_err(|_| {
            Failure::new(
                Class::Other,
                format!("entering the cluster {cluster}"),
                "the token has characters that a header does not take",
            )
        })?;
        header.set_sensitive(true);
        *held = Some(Held {
            header: header.clone(),
            since: now,
            until: now + token.valid_for.saturating_sub(MARGIN),
        });
        Ok(header)
    }

    /// Lets go of the token: the API server does not take it. Says whether another one may fare better, which one made a
    /// moment ago would not.
    pub(crate) async fn refused(&self) -> bool {
        let mut held = self.0.held.lock().await;
        let old = held.take();
        old.is_some_and(|old| self.0.clock.now().since(old.since) > Duration::from_secs(5))
    }
}

impl<S> Layer<S> for Bearer {
    type Service = Bearing<S>;

    fn layer(&self, inner: S) -> Bearing<S> {
        Bearing {
            bearer: self.clone(),
            // Of a service that needs a mutable reference to be called, a future can only have it shared.
            inner: Arc::new(Mutex::new(inner)),
        }
    }
}

/// A service whose requests carry the token.
pub(crate) struct Bearing<S> {
    bearer: Bearer,
    inner: Arc<Mutex<S>>,
}

impl<S, B> Service<Request<Body>> for Bearing<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let (bearer, inner) = (self.bearer.clone(), Arc::clone(&self.inner));
        Box::pin(async move {
            let header = bearer.header().await?;
            request.headers_mut().insert(AUTHORIZATION, header);
            let answer = {
                let mut inner = inner.lock().await;
                std::future::poll_fn(|context| inner.poll_ready(context)).await?;
                inner.call(request)
            };
            answer.await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::access::{Endpoint, Token};

    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Access for Counting {
        async fn endpoint(&self, _cluster: &str) -> Result<Endpoint, Failure> {
            Err(Failure::new(Class::Other, "asking", "nobody asks"))
        }

        async fn token(&self, cluster: &str) -> Result<Token, Failure> {
            Ok(Token {
                text: format!("{cluster}-{}", self.0.fetch_add(1, Ordering::Relaxed)).into(),
                valid_for: Duration::from_secs(900),
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_used_until_shortly_before_its_end() {
        let clock = Clock::scaled(1.0);
        let bearer = Bearer::new(Arc::new(Counting::default()), "main", clock.clone());
        let header = async || bearer.header().await.unwrap();
        assert_eq!(header().await, "Bearer main-0");
        clock.sleep(Duration::from_secs(779)).await;
        assert_eq!(header().await, "Bearer main-0");
        clock.sleep(Duration::from_secs(2)).await;
        let new = header().await;
        assert_eq!(new, "Bearer main-1");
        assert!(new.is_sensitive() && !format!("{new:?}").contains("main"));
        // Refused: another one is made, but not again and again.
        assert!(!bearer.refused().await, "it was made a moment ago");
        assert_eq!(header().await, "Bearer main-2");
        clock.sleep(Duration::from_secs(10)).await;
        assert!(bearer.refused().await);
        assert_eq!(header().await, "Bearer main-3");
    }
}
