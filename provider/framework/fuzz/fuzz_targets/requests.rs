//! Any bytes as any request: an answer, never a failed call and never a panic.
#![no_main]

use std::sync::Arc;

use framework::{
    Action, Applied, Arguments, Attr, Configured, Context, Create, DataSource, Delete, Diagnostics, EphemeralResource, Function,
    FunctionError, HostInfo, Import, ListResource, Listed, Listing, Model, Offers, Opened, Plan, PrivateState, Progress, Provider,
    Read, Resource, Secret, Server, Set, Timeouts, Update, Value,
};
use futures::StreamExt as _;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::tfplugin6::provider_server::Provider as _;
use tonic::Request;

/// Inner.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Model)]
struct Inner {
    /// A.
    #[attribute(required, validate(range(1..=9)))]
    a: Attr<i64>,
    /// B.
    #[attribute(default = "b")]
    b: Attr<String>,
    /// C.
    #[attribute(computed, keep)]
    c: Attr<String>,
}

/// Thing.
#[derive(Debug, Clone, Default, Model)]
struct Thing {
    /// A.
    #[attribute(required, replace, validate(length(1..=9)))]
    a: Attr<String>,
    /// B.
    #[attribute(optional)]
    b: Attr<Value>,
    /// C.
    #[attribute(optional)]
    c: Attr<Vec<Inner>>,
    /// D.
    #[attribute(optional)]
    d: Attr<Set<Inner>>,
    /// E.
    #[attribute(optional, write_only)]
    e: Attr<Secret<String>>,
    /// F.
    #[attribute(computed, keep)]
    f: Attr<String>,
    /// G.
    #[block]
    g: Attr<Vec<Inner>>,
    /// T.
    #[block]
    t: Attr<Timeouts>,
}

/// Identity.
#[derive(Debug, Clone, Default, Model)]
struct Id {
    /// F.
    #[attribute(required)]
    f: Attr<String>,
}

struct All;

fn done(mut thing: Thing) -> Applied<Thing> {
    thing.f = Attr::from("f");
    Applied::done(thing, PrivateState::new())
}

#[async_trait::async_trait]
impl Resource<()> for All {
    type Model = Thing;
    type Identity = Id;

    const NAME: &'static str = "t";

    async fn plan(&self, _: &Context<()>, _: &mut Plan<Thing>) {}
    async fn create(&self, _: &Context<()>, request: Create<Thing>) -> Applied<Thing> {
        done(request.planned)
    }
    async fn read(&self, _: &Context<()>, request: Read<Thing, Id>) -> Applied<Thing> {
        done(request.state)
    }
    async fn update(&self, _: &Context<()>, request: Update<Thing>) -> Applied<Thing> {
        done(request.planned)
    }
    async fn delete(&self, _: &Context<()>, request: Delete<Thing>) -> Applied<Thing> {
        let _ = request.marker.same_place(&request.prior);
        Applied::gone()
    }
    async fn import(&self, _: &Context<()>, _: Import<Id>) -> Applied<Thing> {
        done(Thing::default())
    }
    fn identity(&self, state: &Thing) -> Option<Id> {
        Some(Id { f: state.f.clone() })
    }
}

#[async_trait::async_trait]
impl DataSource<()> for All {
    type Model = Inner;

    const NAME: &'static str = "t";

    async fn read(&self, _: &Context<()>, config: Inner, _: &mut Diagnostics) -> Result<Inner, Diagnostics> {
        Ok(config)
    }
}

#[async_trait::async_trait]
impl EphemeralResource<()> for All {
    type Model = Inner;

    const NAME: &'static str = "t";

    async fn open(&self, _: &Context<()>, config: Inner, _: &mut Diagnostics) -> Result<Opened<Inner>, Diagnostics> {
        Ok(Opened { result: config, private: PrivateState::new(), renew_at: None })
    }
}

#[async_trait::async_trait]
impl ListResource<()> for All {
    type Config = Inner;
    type Resource = All;

    async fn list(&self, _: &Context<()>, config: Inner, found: &mut Listing<Thing, Id>) -> Result<(), Diagnostics> {
        for _ in 0..config.a.unwrap_or(0).clamp(0, 9) {
            found
                .send(Listed { display_name: String::new(), identity: Id::default(), resource: Some(Thing::default()), warnings: Diagnostics::new() })
                .await;
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Action<()> for All {
    type Config = Inner;

    const NAME: &'static str = "t";

    async fn invoke(&self, _: &Context<()>, _: Inner, progress: &Progress, _: &mut Diagnostics) -> Result<(), Diagnostics> {
        progress.say("x");
        Ok(())
    }
}

#[derive(Arguments)]
struct Two {
    /// A.
    a: Inner,
    /// B.
    #[argument(variadic)]
    b: Vec<Value>,
}

impl Function for All {
    type Arguments = Two;
    type Return = Vec<String>;

    const NAME: &'static str = "t";
    const SUMMARY: &'static str = "T.";

    fn call(&self, arguments: Two) -> Result<Vec<String>, FunctionError> {
        Ok(vec![format!("{:?}{}", arguments.a, arguments.b.len())])
    }
}

struct Just;

#[async_trait::async_trait]
impl Provider for Just {
    type Config = Inner;
    type Context = ();

    async fn configure(&self, _: Inner, _: &HostInfo, _: &mut Diagnostics) -> Result<Configured<()>, Diagnostics> {
        Ok(Arc::new(()).into())
    }

    fn offers(&self) -> Offers<()> {
        Offers::new().resource(All).data_source(All).function(All).ephemeral_resource(All).list_resource(All).action(All)
    }
}

thread_local! {
    static SERVER: Server<Just> = Server::new(Just);
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else { return };
    macro_rules! call {
        ($server:ident, $method:ident) => {
            if let Ok(request) = Message::decode(bytes) {
                $server.$method(Request::new(request)).await.expect("an answer");
            }
        };
        ($server:ident, $method:ident, stream) => {
            if let Ok(request) = Message::decode(bytes) {
                let events = $server.$method(Request::new(request)).await.expect("an answer").into_inner();
                events.for_each(|event| async { drop(event.expect("an event")) }).await;
            }
        };
    }
    SERVER.with(|server| {
        RUNTIME.with(|runtime| {
            runtime.block_on(async {
                match kind % 22 {
                    0 => call!(server, plan_resource_change),
                    1 => call!(server, apply_resource_change),
                    2 => call!(server, read_resource),
                    3 => call!(server, validate_resource_config),
                    4 => call!(server, upgrade_resource_state),
                    5 => call!(server, move_resource_state),
                    6 => call!(server, generate_resource_config),
                    7 => call!(server, import_resource_state),
                    8 => call!(server, call_function),
                    9 => call!(server, upgrade_resource_identity),
                    10 => call!(server, read_data_source),
                    11 => call!(server, validate_data_resource_config),
                    12 => call!(server, configure_provider),
                    13 => call!(server, validate_provider_config),
                    14 => call!(server, open_ephemeral_resource),
                    15 => call!(server, renew_ephemeral_resource),
                    16 => call!(server, close_ephemeral_resource),
                    17 => call!(server, validate_ephemeral_resource_config),
                    18 => call!(server, list_resource, stream),
                    19 => call!(server, validate_list_resource_config),
                    20 => call!(server, invoke_action, stream),
                    _ => call!(server, plan_action),
                }
            });
        });
    });
});
