//! Blocks that the provider alone gives: with a host that allows them and with one that does not.

use std::sync::Arc;

use async_trait::async_trait;
use framework::{
    Applied, Attr, Configured, Context, Create, Delete, Diagnostics, HostInfo, Model, Offers, Provider, Read,
    Resource, Server, Type, Update, Value,
};
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as _;
use tonic::Request;

use crate::core::{pack, texts, unpack};

/// A diary.
#[derive(Debug, Clone, Default, Model)]
struct Diary {
    /// What is written next.
    #[attribute(optional)]
    line: Attr<String>,
    /// What was written.
    #[block(computed)]
    entry: Attr<Vec<Entry>>,
}

/// An entry.
#[derive(Debug, Clone, Default, Model)]
struct Entry {
    /// Its number.
    #[attribute(computed)]
    number: Attr<i64>,
}

struct Diaries;

fn with_entries(mut diary: Diary, count: i64) -> Diary {
    let entry = |number| Entry {
        number: Attr::Known(number),
    };
    diary.entry = Attr::Known((1..=count).map(entry).collect());
    diary
}

#[async_trait]
impl Resource<()> for Diaries {
    type Model = Diary;
    type Identity = ();

    const NAME: &'static str = "test_diary";

    async fn create(&self, _cx: &Context<()>, request: Create<Diary>) -> Applied<Diary> {
        Applied::done(with_entries(request.planned, 1), request.private)
    }

    async fn read(&self, _cx: &Context<()>, request: Read<Diary, ()>) -> Applied<Diary> {
        Applied::done(with_entries(request.state, 1), request.private)
    }

    async fn update(&self, _cx: &Context<()>, request: Update<Diary>) -> Applied<Diary> {
        Applied::done(with_entries(request.planned, 2), request.private)
    }

    async fn delete(&self, _cx: &Context<()>, _request: Delete<Diary>) -> Applied<Diary> {
        Applied::gone()
    }
}

struct Shelf;

#[async_trait]
impl Provider for Shelf {
    type Config = ();
    type Context = ();

    async fn configure(
        &self,
        _: (),
        _: &HostInfo,
        _: &mut Diagnostics,
    ) -> Result<Configured<()>, Diagnostics> {
        Ok(Arc::new(()).into())
    }

    fn offers(&self) -> Offers<()> {
        Offers::new().resource(Diaries)
    }
}

/// A host, and what it says of itself.
struct Host {
    server: Server<Shelf>,
    allows: bool,
}

fn ty() -> Type {
    Diary::block().ty()
}

fn diary(line: &str, entries: Value) -> Value {
    Value::object([("line", Value::string(line)), ("entry", entries)])
}

fn entries(count: i64) -> Value {
    Value::List(
        (1..=count)
            .map(|n| Value::object([("number", Value::from(n))]))
            .collect(),
    )
}

impl Host {
    fn new(allows: bool) -> Self {
        Self {
            server: Server::new(Shelf),
            allows,
        }
    }

    fn capabilities(&self) -> Option<pb::ClientCapabilities> {
        Some(pb::ClientCapabilities {
            computed_blocks_allowed: self.allows,
            ..Default::default()
        })
    }

    /// As the host sends blocks that are not written.
    fn config(&self, line: &str) -> Value {
        diary(line, if self.allows { Value::Null } else { entries(0) })
    }

    async fn plan(&self, prior: &Value, line: &str) -> (Value, Vec<u8>) {
        let config = self.config(line);
        let request = pb::plan_resource_change::Request {
            type_name: Diaries::NAME.to_owned(),
            prior_state: pack(prior, &ty()),
            proposed_new_state: pack(&config, &ty()),
            config: pack(&config, &ty()),
            client_capabilities: self.capabilities(),
            ..Default::default()
        };
        let answer = self
            .server
            .plan_resource_change(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(texts(&answer.diagnostics), Vec::<String>::new());
        (
            unpack(answer.planned_state.as_ref(), &ty()),
            answer.planned_private,
        )
    }

    async fn apply(&self, prior: &Value, line: &str) -> Value {
        let (planned, private) = self.plan(prior, line).await;
        let request = pb::apply_resource_change::Request {
            type_name: Diaries::NAME.to_owned(),
            prior_state: pack(prior, &ty()),
            planned_state: pack(&planned, &ty()),
            config: pack(&self.config(line), &ty()),
            planned_private: private,
            ..Default::default()
        };
        let answer = self
            .server
            .apply_resource_change(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(texts(&answer.diagnostics), Vec::<String>::new());
        unpack(answer.new_state.as_ref(), &ty())
    }

    async fn read(&self, state: &Value) -> Value {
        let request = pb::read_resource::Request {
            type_name: Diaries::NAME.to_owned(),
            current_state: pack(state, &ty()),
            client_capabilities: self.capabilities(),
            ..Default::default()
        };
        let answer = self
            .server
            .read_resource(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(texts(&answer.diagnostics), Vec::<String>::new());
        unpack(answer.new_state.as_ref(), &ty())
    }
}

#[tokio::test]
async fn a_host_that_allows_computed_blocks_gets_them() {
    let host = Host::new(true);
    let (planned, _) = host.plan(&Value::Null, "a").await;
    assert_eq!(planned, diary("a", Value::UNKNOWN));
    let made = host.apply(&Value::Null, "a").await;
    assert_eq!(made, diary("a", entries(1)));
    assert_eq!(host.read(&made).await, made);
    assert_eq!(
        host.plan(&made, "a").await.0,
        made,
        "nothing changes, nothing is unknown"
    );
    assert_eq!(host.apply(&made, "b").await, diary("b", entries(2)));
}

#[tokio::test]
async fn a_host_that_does_not_gets_none() {
    let host = Host::new(false);
    let none = diary("a", entries(0));
    assert_eq!(host.plan(&Value::Null, "a").await.0, none);
    assert_eq!(host.apply(&Value::Null, "a").await, none);
    assert_eq!(
        host.read(&diary("a", entries(3))).await,
        none,
        "also where a newer host stored some"
    );
    assert_eq!(host.plan(&none, "a").await.0, none);
    assert_eq!(host.apply(&none, "b").await, diary("b", entries(0)));
}

#[tokio::test]
async fn the_schema_says_which_blocks_are_computed() {
    let host = Host::new(true);
    let request = Request::new(pb::get_provider_schema::Request {});
    let schema = host
        .server
        .get_provider_schema(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(texts(&schema.diagnostics), Vec::<String>::new());
    let block = schema.resource_schemas[Diaries::NAME].block.as_ref().unwrap();
    assert!(block.block_types[0].block.as_ref().unwrap().computed && !block.computed);
}
