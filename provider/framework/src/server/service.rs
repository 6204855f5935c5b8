//! The 36 calls of the protocol. Each hands over to where its work is done.

use std::pin::Pin;

use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as Service;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::{Server, wire};
use crate::diagnostics::Diagnostic;
use crate::provider::Provider;

type Answer<T> = Result<Response<T>, Status>;
/// Events of a streaming call.
pub(super) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn none(what: &str, name: &str) -> Vec<pb::Diagnostic> {
    wire::diagnostics(
        Diagnostic::error(
            "F003",
            format!("Unknown {what}"),
            format!("This provider has no {what} `{name}`."),
        )
        .into(),
    )
}

pub(super) fn once<T: Send + 'static>(event: T) -> Events<T> {
    Box::pin(tokio_stream::once(Ok(event)))
}

fn answer<T>(message: T) -> Answer<T> {
    Ok(Response::new(message))
}

#[async_trait::async_trait]
impl<P: Provider> Service for Server<P> {
    type ListResourceStream = Events<pb::list_resource::Event>;
    type ReadStateBytesStream = Events<pb::read_state_bytes::Response>;
    type InvokeActionStream = Events<pb::invoke_action::Event>;

    async fn get_metadata(
        &self,
        _request: Request<pb::get_metadata::Request>,
    ) -> Answer<pb::get_metadata::Response> {
        answer(self.metadata())
    }

    async fn get_provider_schema(
        &self,
        _request: Request<pb::get_provider_schema::Request>,
    ) -> Answer<pb::get_provider_schema::Response> {
        answer(self.schema())
    }

    async fn validate_provider_config(
        &self,
        request: Request<pb::validate_provider_config::Request>,
    ) -> Answer<pb::validate_provider_config::Response> {
        let diagnostics = wire::diagnostics(self.validate_config(request.into_inner()));
        answer(pb::validate_provider_config::Response { diagnostics })
    }

    async fn validate_resource_config(
        &self,
        request: Request<pb::validate_resource_config::Request>,
    ) -> Answer<pb::validate_resource_config::Response> {
        let diagnostics = wire::diagnostics(self.validate_resource(request.into_inner()));
        answer(pb::validate_resource_config::Response { diagnostics })
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<pb::validate_data_resource_config::Request>,
    ) -> Answer<pb::validate_data_resource_config::Response> {
        let diagnostics = wire::diagnostics(self.validate_data_source(request.into_inner()));
        answer(pb::validate_data_resource_config::Response { diagnostics })
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<pb::upgrade_resource_state::Request>,
    ) -> Answer<pb::upgrade_resource_state::Response> {
        answer(self.upgrade(request.get_ref()))
    }

    async fn get_resource_identity_schemas(
        &self,
        _request: Request<pb::get_resource_identity_schemas::Request>,
    ) -> Answer<pb::get_resource_identity_schemas::Response> {
        answer(self.identity_schemas())
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<pb::upgrade_resource_identity::Request>,
    ) -> Answer<pb::upgrade_resource_identity::Response> {
        answer(self.upgrade_identity(request.get_ref()))
    }

    async fn configure_provider(
        &self,
        request: Request<pb::configure_provider::Request>,
    ) -> Answer<pb::configure_provider::Response> {
        let diagnostics = wire::diagnostics(self.configure(request.into_inner()).await);
        answer(pb::configure_provider::Response { diagnostics })
    }

    async fn read_resource(
        &self,
        request: Request<pb::read_resource::Request>,
    ) -> Answer<pb::read_resource::Response> {
        answer(self.read(request.into_inner()).await)
    }

    async fn plan_resource_change(
        &self,
        request: Request<pb::plan_resource_change::Request>,
    ) -> Answer<pb::plan_resource_change::Response> {
        answer(self.plan(request.into_inner()).await)
    }

    async fn apply_resource_change(
        &self,
        request: Request<pb::apply_resource_change::Request>,
    ) -> Answer<pb::apply_resource_change::Response> {
        answer(self.apply(request.into_inner()).await)
    }

    async fn import_resource_state(
        &self,
        request: Request<pb::import_resource_state::Request>,
    ) -> Answer<pb::import_resource_state::Response> {
        answer(self.import(request.into_inner()).await)
    }

    async fn move_resource_state(
        &self,
        request: Request<pb::move_resource_state::Request>,
    ) -> Answer<pb::move_resource_state::Response> {
        answer(self.move_state(request.into_inner()))
    }

    async fn read_data_source(
        &self,
        request: Request<pb::read_data_source::Request>,
    ) -> Answer<pb::read_data_source::Response> {
        answer(self.read_data_source(request.into_inner()).await)
    }

    async fn generate_resource_config(
        &self,
        request: Request<pb::generate_resource_config::Request>,
    ) -> Answer<pb::generate_resource_config::Response> {
        answer(self.generate_config(request.get_ref()))
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<pb::validate_ephemeral_resource_config::Request>,
    ) -> Answer<pb::validate_ephemeral_resource_config::Response> {
        let diagnostics = wire::diagnostics(self.validate_ephemeral(request.get_ref()));
        answer(pb::validate_ephemeral_resource_config::Response { diagnostics })
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<pb::open_ephemeral_resource::Request>,
    ) -> Answer<pb::open_ephemeral_resource::Response> {
        answer(self.open(request.get_ref()).await)
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<pb::renew_ephemeral_resource::Request>,
    ) -> Answer<pb::renew_ephemeral_resource::Response> {
        answer(self.renew(request.get_ref()).await)
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<pb::close_ephemeral_resource::Request>,
    ) -> Answer<pb::close_ephemeral_resource::Response> {
        answer(self.close(request.get_ref()).await)
    }

    async fn list_resource(
        &self,
        request: Request<pb::list_resource::Request>,
    ) -> Answer<Self::ListResourceStream> {
        answer(self.list(request.into_inner()))
    }

    async fn validate_list_resource_config(
        &self,
        request: Request<pb::validate_list_resource_config::Request>,
    ) -> Answer<pb::validate_list_resource_config::Response> {
        let diagnostics = wire::diagnostics(self.validate_list(request.get_ref()));
        answer(pb::validate_list_resource_config::Response { diagnostics })
    }

    async fn get_functions(
        &self,
        _request: Request<pb::get_functions::Request>,
    ) -> Answer<pb::get_functions::Response> {
        answer(pb::get_functions::Response {
            functions: self.functions(),
            diagnostics: Vec::new(),
        })
    }

    async fn call_function(
        &self,
        request: Request<pb::call_function::Request>,
    ) -> Answer<pb::call_function::Response> {
        answer(self.call(request.into_inner()))
    }

    async fn validate_state_store_config(
        &self,
        request: Request<pb::validate_state_store::Request>,
    ) -> Answer<pb::validate_state_store::Response> {
        answer(pb::validate_state_store::Response {
            diagnostics: none("state store", &request.get_ref().type_name),
        })
    }

    async fn configure_state_store(
        &self,
        request: Request<pb::configure_state_store::Request>,
    ) -> Answer<pb::configure_state_store::Response> {
        let capabilities = Some(pb::StateStoreServerCapabilities::default());
        answer(pb::configure_state_store::Response {
            diagnostics: none("state store", &request.get_ref().type_name),
            capabilities,
        })
    }

    async fn read_state_bytes(
        &self,
        request: Request<pb::read_state_bytes::Request>,
    ) -> Answer<Self::ReadStateBytesStream> {
        let diagnostics = none("state store", &request.get_ref().type_name);
        answer(once(pb::read_state_bytes::Response {
            diagnostics,
            ..Default::default()
        }))
    }

    async fn write_state_bytes(
        &self,
        _request: Request<Streaming<pb::write_state_bytes::RequestChunk>>,
    ) -> Answer<pb::write_state_bytes::Response> {
        answer(pb::write_state_bytes::Response {
            diagnostics: none("state store", ""),
        })
    }

    async fn lock_state(
        &self,
        request: Request<pb::lock_state::Request>,
    ) -> Answer<pb::lock_state::Response> {
        answer(pb::lock_state::Response {
            diagnostics: none("state store", &request.get_ref().type_name),
            ..Default::default()
        })
    }

    async fn unlock_state(
        &self,
        request: Request<pb::unlock_state::Request>,
    ) -> Answer<pb::unlock_state::Response> {
        answer(pb::unlock_state::Response {
            diagnostics: none("state store", &request.get_ref().type_name),
        })
    }

    async fn get_states(
        &self,
        request: Request<pb::get_states::Request>,
    ) -> Answer<pb::get_states::Response> {
        answer(pb::get_states::Response {
            diagnostics: none("state store", &request.get_ref().type_name),
            ..Default::default()
        })
    }

    async fn delete_state(
        &self,
        request: Request<pb::delete_state::Request>,
    ) -> Answer<pb::delete_state::Response> {
        answer(pb::delete_state::Response {
            diagnostics: none("state store", &request.get_ref().type_name),
        })
    }

    async fn plan_action(
        &self,
        request: Request<pb::plan_action::Request>,
    ) -> Answer<pb::plan_action::Response> {
        answer(self.plan_action(request.get_ref()).await)
    }

    async fn invoke_action(
        &self,
        request: Request<pb::invoke_action::Request>,
    ) -> Answer<Self::InvokeActionStream> {
        answer(self.invoke(request.into_inner()))
    }

    async fn validate_action_config(
        &self,
        request: Request<pb::validate_action_config::Request>,
    ) -> Answer<pb::validate_action_config::Response> {
        let diagnostics = wire::diagnostics(self.validate_action(request.get_ref()));
        answer(pb::validate_action_config::Response { diagnostics })
    }

    async fn stop_provider(
        &self,
        _request: Request<pb::stop_provider::Request>,
    ) -> Answer<pb::stop_provider::Response> {
        answer(self.stop_provider())
    }
}
