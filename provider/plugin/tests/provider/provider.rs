//! A provider for the tests: one resource and one data source that pass everything through, and ways to go wrong.
//!
//! Environment: `PROBE_PANIC=call` makes every call panic, `late` only the streams, after their first message, `task` a
//! task that `GetProviderSchema` starts, and `start` the making of the provider.

use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use proto::tfplugin6::provider_server::Provider;
use proto::tfplugin6::{self as tf, schema};
use std::collections::HashMap;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

const ABOUT: plugin::About = plugin::About {
    name: "probe",
    version: "1.2.3",
    address: "registry.terraform.io/ekb/probe",
    summary: "passes everything through.",
    crates: &["plugin_test_provider"],
};

fn main() -> ExitCode {
    plugin::run(ABOUT, |host| {
        let panic = std::env::var("PROBE_PANIC").unwrap_or_default();
        assert_ne!(panic, "start", "the test asked for it");
        Probe {
            host,
            stopped: CancellationToken::new(),
            panic,
        }
    })
}

struct Probe {
    host: plugin::Host,
    stopped: CancellationToken,
    panic: String,
}

impl Probe {
    fn panic_if_asked(&self) {
        if self.panic == "call" {
            panic!("the test asked for it");
        }
    }

    /// A stream of one message, followed by a panic where that was asked for.
    fn items<T: Send + 'static>(
        &self,
        item: T,
    ) -> Result<Response<BoxStream<'static, Result<T, Status>>>, Status> {
        self.panic_if_asked();
        let late = self.panic == "late";
        let end = stream::poll_fn(move |_| {
            if late {
                panic!("the test asked for it");
            }
            std::task::Poll::Ready(None)
        });
        Ok(Response::new(stream::iter([Ok(item)]).chain(end).boxed()))
    }
}

fn attribute(name: &str, r#type: &str) -> schema::Attribute {
    schema::Attribute {
        name: name.into(),
        r#type: r#type.into(),
        optional: true,
        ..Default::default()
    }
}

fn schema(attributes: &[&str]) -> tf::Schema {
    let attributes = attributes
        .iter()
        .map(|name| attribute(name, r#""string""#))
        .collect();
    tf::Schema {
        version: 0,
        block: Some(schema::Block {
            attributes,
            ..Default::default()
        }),
    }
}

/// Implements the calls that answer with nothing, and takes the others as they are.
macro_rules! provider {
    ($($empty:ident($module:ident);)* ; $($other:item)*) => {
        #[tonic::async_trait]
        impl Provider for Probe {
            $(async fn $empty(
                &self,
                _: Request<tf::$module::Request>,
            ) -> Result<Response<tf::$module::Response>, Status> {
                self.panic_if_asked();
                Ok(Response::new(Default::default()))
            })*
            $($other)*
        }
    };
}

provider! {
    get_metadata(get_metadata);
    validate_provider_config(validate_provider_config);
    validate_resource_config(validate_resource_config);
    validate_data_resource_config(validate_data_resource_config);
    get_resource_identity_schemas(get_resource_identity_schemas);
    upgrade_resource_identity(upgrade_resource_identity);
    configure_provider(configure_provider);
    import_resource_state(import_resource_state);
    move_resource_state(move_resource_state);
    generate_resource_config(generate_resource_config);
    validate_ephemeral_resource_config(validate_ephemeral_resource_config);
    open_ephemeral_resource(open_ephemeral_resource);
    renew_ephemeral_resource(renew_ephemeral_resource);
    close_ephemeral_resource(close_ephemeral_resource);
    validate_list_resource_config(validate_list_resource_config);
    get_functions(get_functions);
    call_function(call_function);
    validate_state_store_config(validate_state_store);
    configure_state_store(configure_state_store);
    lock_state(lock_state);
    unlock_state(unlock_state);
    get_states(get_states);
    delete_state(delete_state);
    plan_action(plan_action);
    validate_action_config(validate_action_config);
    ;

    async fn get_provider_schema(
        &self,
        _: Request<tf::get_provider_schema::Request>,
    ) -> Result<Response<tf::get_provider_schema::Response>, Status> {
        self.panic_if_asked();
        if self.panic == "task" {
            let task = tokio::spawn(async { panic!("the test asked for it") });
            assert!(task.await.is_err());
        }
        tracing::info!(debug = self.host.debug, "the schema was asked for");
        Ok(Response::new(tf::get_provider_schema::Response {
            provider: Some(schema(&[])),
            resource_schemas: HashMap::from([
                ("probe_thing".to_owned(), schema(&["text"])),
                ("probe_panic".to_owned(), schema(&["text"])),
            ]),
            data_source_schemas: HashMap::from([
                ("probe_echo".to_owned(), schema(&["text"])),
                ("probe_slow".to_owned(), schema(&["text"])),
            ]),
            ..Default::default()
        }))
    }

    /// Hands the state back as it came.
    async fn upgrade_resource_state(
        &self,
        request: Request<tf::upgrade_resource_state::Request>,
    ) -> Result<Response<tf::upgrade_resource_state::Response>, Status> {
        self.panic_if_asked();
        let json = request.into_inner().raw_state.unwrap_or_default().json;
        Ok(Response::new(tf::upgrade_resource_state::Response {
            upgraded_state: Some(tf::DynamicValue { msgpack: vec![], json }),
            diagnostics: vec![],
        }))
    }

    async fn read_resource(
        &self,
        request: Request<tf::read_resource::Request>,
    ) -> Result<Response<tf::read_resource::Response>, Status> {
        self.panic_if_asked();
        let request = request.into_inner();
        Ok(Response::new(tf::read_resource::Response {
            new_state: request.current_state,
            private: request.private,
            ..Default::default()
        }))
    }

    async fn plan_resource_change(
        &self,
        request: Request<tf::plan_resource_change::Request>,
    ) -> Result<Response<tf::plan_resource_change::Response>, Status> {
        self.panic_if_asked();
        let request = request.into_inner();
        if request.type_name == "probe_panic" {
            panic!("this resource always does");
        }
        Ok(Response::new(tf::plan_resource_change::Response {
            planned_state: request.proposed_new_state,
            planned_private: request.prior_private,
            ..Default::default()
        }))
    }

    async fn apply_resource_change(
        &self,
        request: Request<tf::apply_resource_change::Request>,
    ) -> Result<Response<tf::apply_resource_change::Response>, Status> {
        self.panic_if_asked();
        let request = request.into_inner();
        Ok(Response::new(tf::apply_resource_change::Response {
            new_state: request.planned_state,
            private: request.planned_private,
            ..Default::default()
        }))
    }

    /// `probe_slow` waits for `StopProvider`.
    async fn read_data_source(
        &self,
        request: Request<tf::read_data_source::Request>,
    ) -> Result<Response<tf::read_data_source::Response>, Status> {
        self.panic_if_asked();
        let request = request.into_inner();
        if request.type_name == "probe_slow" {
            tracing::info!("waiting for the stop");
            self.stopped.cancelled().await;
        }
        Ok(Response::new(tf::read_data_source::Response { state: request.config, ..Default::default() }))
    }

    async fn stop_provider(
        &self,
        _: Request<tf::stop_provider::Request>,
    ) -> Result<Response<tf::stop_provider::Response>, Status> {
        self.panic_if_asked();
        self.stopped.cancel();
        Ok(Response::new(tf::stop_provider::Response::default()))
    }

    type ListResourceStream = BoxStream<'static, Result<tf::list_resource::Event, Status>>;

    async fn list_resource(
        &self,
        _: Request<tf::list_resource::Request>,
    ) -> Result<Response<Self::ListResourceStream>, Status> {
        self.items(tf::list_resource::Event { display_name: "one".into(), ..Default::default() })
    }

    type ReadStateBytesStream = BoxStream<'static, Result<tf::read_state_bytes::Response, Status>>;

    async fn read_state_bytes(
        &self,
        _: Request<tf::read_state_bytes::Request>,
    ) -> Result<Response<Self::ReadStateBytesStream>, Status> {
        self.items(tf::read_state_bytes::Response { total_length: 1, ..Default::default() })
    }

    type InvokeActionStream = BoxStream<'static, Result<tf::invoke_action::Event, Status>>;

    async fn invoke_action(
        &self,
        _: Request<tf::invoke_action::Request>,
    ) -> Result<Response<Self::InvokeActionStream>, Status> {
        let progress = tf::invoke_action::event::Progress { message: "one".into() };
        self.items(tf::invoke_action::Event { r#type: Some(tf::invoke_action::event::Type::Progress(progress)) })
    }

    async fn write_state_bytes(
        &self,
        request: Request<Streaming<tf::write_state_bytes::RequestChunk>>,
    ) -> Result<Response<tf::write_state_bytes::Response>, Status> {
        self.panic_if_asked();
        let mut chunks = request.into_inner();
        while chunks.message().await?.is_some() {}
        Ok(Response::new(tf::write_state_bytes::Response::default()))
    }
}
