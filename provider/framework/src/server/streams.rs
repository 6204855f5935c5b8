//! List resources and actions: calls that answer in several messages.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use proto::tfplugin6 as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};

use super::catalog::Entry;
use super::service::{Events, once};
use super::{Server, wire};
use crate::action::Progress;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::erased::{AnyAction, AnyList};
use crate::list::{Listed, Listing};
use crate::path::Path;
use crate::provider::Provider;
use crate::value::Value;
use crate::{validate, walk};

/// Things found but not yet read by the host; more are searched only when these are taken.
const AHEAD: usize = 16;

type ListEntry<C> = Entry<Arc<dyn AnyList<C>>>;
type ActionEntry<C> = Entry<Arc<dyn AnyAction<C>>>;

/// What work sends, while the work itself is driven by whoever reads: it ends with the call, and a panic in it is one of
/// the call.
fn driven<T: Send + 'static>(
    events: impl futures::Stream<Item = T> + Send + 'static,
    work: impl Future<Output = Option<T>> + Send + 'static,
) -> Events<T> {
    // The last event comes from the work itself, behind all that it sent.
    let (last, end) = tokio::sync::oneshot::channel();
    let work = stream::once(async move {
        let _ = last.send(work.await);
    });
    let work = work.filter_map(|()| async { None });
    let end = stream::once(end).filter_map(|event| async { event.ok().flatten() });
    Box::pin(stream::select(events.chain(end), work).map(Ok))
}

impl<P: Provider> Server<P> {
    fn list_entry(&self, name: &str) -> Result<&ListEntry<P::Context>, Diagnostics> {
        self.catalog().lists.get(name).ok_or_else(|| {
            let text = format!("This provider has no list resource `{name}`.");
            Diagnostic::error("F003", "Unknown list resource", text).into()
        })
    }

    fn action_entry(&self, name: &str) -> Result<&ActionEntry<P::Context>, Diagnostics> {
        self.catalog().actions.get(name).ok_or_else(|| {
            Diagnostic::error(
                "F003",
                "Unknown action",
                format!("This provider has no action `{name}`."),
            )
            .into()
        })
    }

    pub(super) fn validate_list(&self, request: &pb::validate_list_resource_config::Request) -> Diagnostics {
        let mut out = Diagnostics::new();
        match self
            .list_entry(&request.type_name)
            .and_then(|e| Ok((e, read_config(e, request.config.as_ref())?)))
        {
            Ok((entry, config)) => {
                validate::check(&entry.schema.block, &config, &Path::root(), true, &mut out);
                entry.any.validate(&config, &mut out);
            }
            Err(errors) => out.extend(errors),
        }
        out
    }

    pub(super) fn list(&self, request: pb::list_resource::Request) -> Events<pb::list_resource::Event> {
        let failed = |errors| pb::list_resource::Event {
            diagnostic: wire::diagnostics(errors),
            ..Default::default()
        };
        let asked = self.list_entry(&request.type_name).and_then(|entry| {
            let config = read_config(entry, request.config.as_ref())?;
            Ok((entry, config, self.resource(&request.type_name)?))
        });
        let (entry, config, resource) = match asked {
            Ok(asked) => asked,
            Err(errors) => return once(failed(errors)),
        };
        let Some(identity) = &resource.identity else {
            let text = format!(
                "`{}` has no identity, so nothing of it can be listed.",
                request.type_name
            );
            return once(failed(Diagnostic::error("F206", "No identity", text).into()));
        };
        let (ty, block, identity) = (
            resource.ty.clone(),
            resource.schema.block.clone(),
            identity.ty.clone(),
        );
        let event = move |one: Listed<Value, Value>| {
            let mut diagnostics = one.warnings;
            let object = one
                .resource
                .map(|state| walk::without_write_only(&block, state.unknown_as_null()));
            pb::list_resource::Event {
                display_name: one.display_name,
                resource_object: object.and_then(|state| wire::write(&state, &ty, &mut diagnostics)),
                identity: Some(pb::ResourceIdentityData {
                    identity_data: wire::write(&one.identity, &identity, &mut diagnostics),
                }),
                diagnostic: wire::diagnostics(diagnostics),
            }
        };
        let (sender, receiver) = mpsc::channel(AHEAD);
        let found = Listing {
            sender,
            left: u64::try_from(request.limit)
                .ok()
                .filter(|limit| *limit > 0)
                .unwrap_or(u64::MAX),
            include_resource: request.include_resource_object,
            types: PhantomData,
        };
        let (list, cx) = (Arc::clone(&entry.any), self.context());
        let work = async move { list.list(&cx, config, found).await.err().map(failed) };
        driven(ReceiverStream::new(receiver).map(event), work)
    }

    pub(super) fn validate_action(&self, request: &pb::validate_action_config::Request) -> Diagnostics {
        let mut out = Diagnostics::new();
        match self
            .action_entry(&request.type_name)
            .and_then(|e| Ok((e, read_config(e, request.config.as_ref())?)))
        {
            Ok((entry, config)) => {
                validate::check(&entry.schema.block, &config, &Path::root(), true, &mut out);
                entry.any.validate(&config, &mut out);
            }
            Err(errors) => out.extend(errors),
        }
        out
    }

    pub(super) async fn plan_action(&self, request: &pb::plan_action::Request) -> pb::plan_action::Response {
        let mut out = Diagnostics::new();
        match self
            .action_entry(&request.action_type)
            .and_then(|e| Ok((e, read_config(e, request.config.as_ref())?)))
        {
            Ok((entry, config)) => entry.any.plan(&self.context(), &config, &mut out).await,
            Err(errors) => out.extend(errors),
        }
        pb::plan_action::Response {
            diagnostics: wire::diagnostics(out),
            deferred: None,
        }
    }

    pub(super) fn invoke(&self, request: pb::invoke_action::Request) -> Events<pb::invoke_action::Event> {
        use pb::invoke_action::event::{Completed, Progress as Line, Type};
        let event = |event| pb::invoke_action::Event { r#type: Some(event) };
        let completed = move |all| {
            event(Type::Completed(Completed {
                diagnostics: wire::diagnostics(all),
            }))
        };
        let asked = self
            .action_entry(&request.action_type)
            .and_then(|e| Ok((e, read_config(e, request.config.as_ref())?)));
        let (entry, config) = match asked {
            Ok(asked) => asked,
            Err(errors) => return once(completed(errors)),
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        let (action, cx) = (Arc::clone(&entry.any), self.context());
        let work = async move {
            let mut said = Diagnostics::new();
            let progress = Progress(sender);
            if let Err(errors) = action.invoke(&cx, config, &progress, &mut said).await {
                said.extend(errors);
            }
            Some(completed(said))
        };
        let lines = UnboundedReceiverStream::new(receiver)
            .map(move |message| event(Type::Progress(Line { message })));
        driven(lines, work)
    }
}

/// The configuration with defaults.
fn read_config<T>(entry: &Entry<T>, config: Option<&pb::DynamicValue>) -> Result<Value, Diagnostics> {
    let config = wire::read(config, &entry.ty)?;
    Ok(walk::with_defaults(&entry.schema.block, &config, config.clone()))
}
