//! A provider whose calls cannot take the process with them: a panic becomes an error diagnostic of the call that
//! panicked, with what is known of the object kept, so that the host forgets nothing.

use crate::About;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use proto::tfplugin6::provider_server::Provider;
use proto::tfplugin6::{self as tf, diagnostic::Severity};
use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument as _;

tokio::task_local! {
    /// Set while a guarded call runs: the panic hook leaves the place of a panic here.
    static PLACE: RefCell<Option<String>>;
}

/// Sets what happens when anything panics. A guarded call's panic is an error in the log (and a diagnostic); one in a
/// task is an error in the log, as whoever awaits the task learns of it; only what ends the program is written the way
/// that makes the host report a crash.
pub(crate) fn install_panic_hook(about: About) {
    std::panic::set_hook(Box::new(move |panic| {
        let message = text(panic.payload());
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let guarded = PLACE.try_with(|slot| slot.replace(Some(place.clone()))).is_ok();
        // Empty unless RUST_BACKTRACE asks for it.
        let backtrace = std::backtrace::Backtrace::capture();
        if guarded || tokio::task::try_id().is_some() {
            tracing::error!(place, %backtrace, "panic: {message}");
        } else {
            let About { name, version, .. } = about;
            eprintln!("panic: {message}\n\nterraform-provider-{name} {version}, {place}\n{backtrace}");
        }
    }));
}

/// The words of a panic.
fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)")
}

/// The wrapper around the provider `P`.
pub(crate) struct Guard<P> {
    about: About,
    provider: Arc<P>,
    calls: AtomicU64,
}

/// A panic that was caught, in the words that a user sees.
struct Defect {
    summary: String,
    detail: String,
}

impl Defect {
    fn diagnostic(self) -> tf::Diagnostic {
        let Self { summary, detail } = self;
        tf::Diagnostic {
            severity: Severity::Error.into(),
            summary,
            detail,
            attribute: None,
        }
    }

    fn diagnostics(self) -> Vec<tf::Diagnostic> {
        vec![self.diagnostic()]
    }

    fn sentence(self) -> String {
        format!("{}: {}", self.summary, self.detail)
    }
}

impl<P> Guard<P> {
    pub(crate) fn new(about: About, provider: P) -> Self {
        Self {
            about,
            provider: Arc::new(provider),
            calls: AtomicU64::new(1),
        }
    }

    /// Runs one call in a span of its own; `Err` is a panic.
    async fn caught<T>(&self, rpc: &'static str, call: impl Future<Output = T>) -> Result<T, Defect> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let span = tracing::error_span!("call", tf_rpc = rpc, tf_req_id = number);
        let call = async {
            tracing::trace!("asked");
            let outcome = catch(self.about, rpc, call).await;
            tracing::trace!("answered");
            outcome
        };
        call.instrument(span).await
    }

    /// A call with one answer. `defect` makes the answer of a call that panicked.
    async fn answer<T>(
        &self,
        rpc: &'static str,
        call: impl Future<Output = Result<Response<T>, Status>>,
        defect: impl FnOnce(Defect) -> T,
    ) -> Result<Response<T>, Status> {
        self.caught(rpc, call)
            .await
            .unwrap_or_else(|panic| Ok(Response::new(defect(panic))))
    }

    /// A call answered by a stream: a panic, also later within the stream, is its last message.
    async fn stream<S, T: Send + 'static>(
        &self,
        rpc: &'static str,
        call: impl Future<Output = Result<Response<S>, Status>>,
        defect: impl Fn(Defect) -> T + Send + 'static,
    ) -> Result<Response<BoxStream<'static, Result<T, Status>>>, Status>
    where
        S: futures::Stream<Item = Result<T, Status>> + Send + 'static,
    {
        let (about, answer) = match self.caught(rpc, call).await {
            Err(panic) => return Ok(Response::new(futures::stream::iter([Ok(defect(panic))]).boxed())),
            Ok(answer) => (self.about, answer?),
        };
        Ok(answer.map(|items| {
            futures::stream::unfold(Some((items.boxed(), defect)), move |rest| async move {
                let (mut items, defect) = rest?;
                match catch(about, rpc, items.next()).await {
                    Ok(item) => Some((item?, Some((items, defect)))),
                    Err(panic) => Some((Ok(defect(panic)), None)),
                }
            })
            .boxed()
        }))
    }
}

/// Runs a future to its end or its panic.
async fn catch<T>(about: About, rpc: &'static str, call: impl Future<Output = T>) -> Result<T, Defect> {
    PLACE
        .scope(RefCell::new(None), async {
            // What a panic leaves half done inside the provider is for its own locks to show; here nothing is shared.
            AssertUnwindSafe(call).catch_unwind().await.map_err(|payload| {
                let place = PLACE
                    .with(RefCell::take)
                    .unwrap_or_else(|| "an unknown place".to_owned());
                defect(about, rpc, text(payload.as_ref()), &place)
            })
        })
        .await
}

fn defect(about: About, rpc: &str, message: &str, place: &str) -> Defect {
    let About { name, version, .. } = about;
    Defect {
        summary: format!("Defect in the provider {name}: {rpc} panicked"),
        detail: format!(
            "{message} (at {place})\n\nThis is a bug in terraform-provider-{name} {version}, not in the \
             configuration. What was known of the object before this call is kept. Please report it together with \
             the text above."
        ),
    }
}

/// Null, in whichever way a host writes it.
fn is_null(value: Option<&tf::DynamicValue>) -> bool {
    value.is_none_or(|value| match (value.msgpack.as_slice(), value.json.as_slice()) {
        ([], json) => json.is_empty() || json == b"null",
        (msgpack, _) => msgpack == [0xc0],
    })
}

/// Implements the trait: calls whose answer to a panic is just diagnostics are only listed, the others say what they
/// keep of the request and which answer they make of it.
macro_rules! guard {
    (
        diagnostics { $($plain:ident($plain_module:ident, $plain_name:literal);)* }
        keeping { $($rpc:ident($module:ident, $name:literal) keeps |$request:ident| $kept:expr
            => |$saved:pat_param, $panic:ident| $answer:expr;)* }
        streams { $($stream:ident($stream_type:ident, $stream_name:literal, $stream_request:ty => $item:ty)
            $stream_answer:expr;)* }
    ) => {
        #[allow(clippy::needless_update, reason = "some answers are nothing but diagnostics")]
        #[tonic::async_trait]
        impl<P: Provider> Provider for Guard<P> {
            $(async fn $plain(
                &self,
                request: Request<tf::$plain_module::Request>,
            ) -> Result<Response<tf::$plain_module::Response>, Status> {
                self.answer($plain_name, async { self.provider.$plain(request).await }, |panic| {
                    tf::$plain_module::Response { diagnostics: panic.diagnostics(), ..Default::default() }
                })
                .await
            })*

            $(async fn $rpc(
                &self,
                request: Request<tf::$module::Request>,
            ) -> Result<Response<tf::$module::Response>, Status> {
                let kept = { let $request = request.get_ref(); $kept };
                self.answer($name, async { self.provider.$rpc(request).await }, |$panic| {
                    let $saved = kept;
                    $answer
                })
                .await
            })*

            $(type $stream_type = BoxStream<'static, Result<$item, Status>>;

            async fn $stream(
                &self,
                request: Request<$stream_request>,
            ) -> Result<Response<Self::$stream_type>, Status> {
                self.stream($stream_name, async { self.provider.$stream(request).await }, $stream_answer).await
            })*

            async fn write_state_bytes(
                &self,
                request: Request<Streaming<tf::write_state_bytes::RequestChunk>>,
            ) -> Result<Response<tf::write_state_bytes::Response>, Status> {
                self.answer("WriteStateBytes", async { self.provider.write_state_bytes(request).await }, |panic| {
                    tf::write_state_bytes::Response { diagnostics: panic.diagnostics() }
                })
                .await
            }
        }
    };
}

guard! {
    diagnostics {
        get_metadata(get_metadata, "GetMetadata");
        get_provider_schema(get_provider_schema, "GetProviderSchema");
        validate_provider_config(validate_provider_config, "ValidateProviderConfig");
        validate_resource_config(validate_resource_config, "ValidateResourceConfig");
        validate_data_resource_config(validate_data_resource_config, "ValidateDataResourceConfig");
        upgrade_resource_state(upgrade_resource_state, "UpgradeResourceState");
        get_resource_identity_schemas(get_resource_identity_schemas, "GetResourceIdentitySchemas");
        upgrade_resource_identity(upgrade_resource_identity, "UpgradeResourceIdentity");
        configure_provider(configure_provider, "ConfigureProvider");
        import_resource_state(import_resource_state, "ImportResourceState");
        move_resource_state(move_resource_state, "MoveResourceState");
        read_data_source(read_data_source, "ReadDataSource");
        generate_resource_config(generate_resource_config, "GenerateResourceConfig");
        validate_ephemeral_resource_config(validate_ephemeral_resource_config, "ValidateEphemeralResourceConfig");
        open_ephemeral_resource(open_ephemeral_resource, "OpenEphemeralResource");
        close_ephemeral_resource(close_ephemeral_resource, "CloseEphemeralResource");
        validate_list_resource_config(validate_list_resource_config, "ValidateListResourceConfig");
        get_functions(get_functions, "GetFunctions");
        validate_state_store_config(validate_state_store, "ValidateStateStoreConfig");
        configure_state_store(configure_state_store, "ConfigureStateStore");
        lock_state(lock_state, "LockState");
        unlock_state(unlock_state, "UnlockState");
        get_states(get_states, "GetStates");
        delete_state(delete_state, "DeleteState");
        plan_action(plan_action, "PlanAction");
        validate_action_config(validate_action_config, "ValidateActionConfig");
    }
    keeping {
        read_resource(read_resource, "ReadResource")
            keeps |request| (request.current_state.clone(), request.private.clone(), request.current_identity.clone())
            => |(new_state, private, new_identity), panic| tf::read_resource::Response {
                new_state,
                private,
                new_identity,
                diagnostics: panic.diagnostics(),
                ..Default::default()
            };
        plan_resource_change(plan_resource_change, "PlanResourceChange")
            keeps |request| (
                request.prior_state.clone(),
                request.prior_private.clone(),
                request.prior_identity.clone(),
            )
            => |(planned_state, planned_private, planned_identity), panic| tf::plan_resource_change::Response {
                planned_state,
                planned_private,
                planned_identity,
                diagnostics: panic.diagnostics(),
                ..Default::default()
            };
        apply_resource_change(apply_resource_change, "ApplyResourceChange")
            keeps |request| (
                request.prior_state.clone(),
                request.planned_private.clone(),
                // Of a create the planned identity is unknown yet, and that may not be answered.
                request.planned_identity.clone().filter(|_| !is_null(request.prior_state.as_ref())),
            )
            => |(new_state, private, new_identity), panic| tf::apply_resource_change::Response {
                new_state,
                private,
                new_identity,
                diagnostics: panic.diagnostics(),
                ..Default::default()
            };
        renew_ephemeral_resource(renew_ephemeral_resource, "RenewEphemeralResource")
            keeps |request| request.private.clone()
            => |private, panic| tf::renew_ephemeral_resource::Response {
                private,
                diagnostics: panic.diagnostics(),
                ..Default::default()
            };
        call_function(call_function, "CallFunction")
            keeps |_request| ()
            => |(), panic| tf::call_function::Response {
                result: None,
                error: Some(tf::FunctionError { text: panic.sentence(), function_argument: None }),
            };
        stop_provider(stop_provider, "StopProvider")
            keeps |_request| ()
            => |(), panic| tf::stop_provider::Response { error: panic.sentence() };
    }
    streams {
        list_resource(
            ListResourceStream, "ListResource", tf::list_resource::Request => tf::list_resource::Event
        ) |panic| tf::list_resource::Event { diagnostic: panic.diagnostics(), ..Default::default() };
        read_state_bytes(
            ReadStateBytesStream, "ReadStateBytes", tf::read_state_bytes::Request => tf::read_state_bytes::Response
        ) |panic| tf::read_state_bytes::Response { diagnostics: panic.diagnostics(), ..Default::default() };
        invoke_action(
            InvokeActionStream, "InvokeAction", tf::invoke_action::Request => tf::invoke_action::Event
        ) |panic| tf::invoke_action::Event {
            r#type: Some(tf::invoke_action::event::Type::Completed(tf::invoke_action::event::Completed {
                diagnostics: panic.diagnostics(),
            })),
        };
    }
}
