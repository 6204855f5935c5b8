//! Ephemeral resources, list resources and actions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use framework::{
    Action, Attr, Context, Diagnostic, Diagnostics, EphemeralResource, ListResource, Listed, Listing, Model,
    Opened, PrivateState, Progress, Renewed, Secret, Value,
};
use futures::StreamExt as _;
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as _;
use serde_json::json;
use tonic::Request;

use crate::core::{Core, NAME, block, identity_text, pack, texts, unpack, value};
use crate::thing::{Thing, ThingIdentity, ThingResource, World};

/// A token.
#[derive(Debug, Clone, Model)]
pub struct Token {
    /// For whom.
    #[attribute(required)]
    pub audience: Attr<String>,
    /// For how long.
    #[attribute(default = 60)]
    pub seconds: Attr<i64>,
    /// The token.
    #[attribute(computed, sensitive)]
    pub token: Attr<Secret<String>>,
}

fn refuse_nobody(code: &'static str, at: &'static str, name: Option<&String>, out: &mut Diagnostics) {
    if name.is_some_and(|name| name == "nobody") {
        out.error(code, at, "Nobody", "There is nobody.");
    }
}

pub struct TokenResource(pub Arc<World>);

#[async_trait]
impl EphemeralResource<World> for TokenResource {
    type Model = Token;

    const NAME: &'static str = "test_token";

    fn validate(&self, config: &Token, out: &mut Diagnostics) {
        refuse_nobody("T503", "audience", config.audience.known(), out);
    }

    async fn open(
        &self,
        _cx: &Context<World>,
        config: Token,
        warnings: &mut Diagnostics,
    ) -> Result<Opened<Token>, Diagnostics> {
        let audience = config.audience.known().cloned().unwrap();
        match audience.as_str() {
            "denied" => {
                return Err(Diagnostic::error("T500", "Denied", "No token.")
                    .at("audience")
                    .into());
            }
            "odd" => warnings.warning("T501", "audience", "Odd", "Odd audience."),
            _ => {}
        }
        let mut private = PrivateState::new();
        private.set("lease", audience.clone());
        let token = if audience == "broken" {
            Attr::Unknown
        } else {
            Attr::Known(format!("{audience}-secret").into())
        };
        let renew_at =
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(config.seconds.unwrap_or(0).unsigned_abs()));
        Ok(Opened {
            result: Token { token, ..config },
            private,
            renew_at,
        })
    }

    async fn renew(&self, _cx: &Context<World>, private: PrivateState) -> Result<Renewed, Diagnostics> {
        if private.get("lease") == Some(b"stubborn") {
            return Err(Diagnostic::error("T502", "Not renewed", "No.").into());
        }
        Ok(Renewed {
            private,
            renew_at: None,
        })
    }

    async fn close(&self, _cx: &Context<World>, private: PrivateState) -> Result<(), Diagnostics> {
        let lease = String::from_utf8(private.get("lease").unwrap().to_vec()).unwrap();
        self.0.log.lock().unwrap().push(format!("closed {lease}"));
        Ok(())
    }
}

/// Narrows the list of things down.
#[derive(Debug, Clone, Model)]
pub struct Filter {
    /// How many there are.
    #[attribute(default = 3, validate(range(0..=1000)))]
    pub many: Attr<i64>,
}

pub struct ThingList(pub Arc<World>);

#[async_trait]
impl ListResource<World> for ThingList {
    type Config = Filter;
    type Resource = ThingResource;

    fn validate(&self, config: &Filter, out: &mut Diagnostics) {
        if config.many.known() == Some(&13) {
            out.error("T602", "many", "Unlucky", "Not thirteen.");
        }
    }

    async fn list(
        &self,
        _cx: &Context<World>,
        config: Filter,
        found: &mut Listing<Thing, ThingIdentity>,
    ) -> Result<(), Diagnostics> {
        for i in 0..config.many.unwrap_or(0) {
            let id = Attr::Known(format!("t-{i}"));
            let mut warnings = Diagnostics::new();
            if i == 1 {
                warnings.warning(
                    "T600",
                    framework::Path::root(),
                    "Half visible",
                    "Tags could not be read.",
                );
            }
            let one = Listed {
                display_name: format!("Thing {i}"),
                identity: ThingIdentity {
                    id: id.clone(),
                    region: Attr::Null,
                },
                resource: Some(Thing {
                    id,
                    stamp: Attr::Unknown,
                    password_wo: Attr::Known("x".to_owned().into()),
                    ..Thing::default()
                }),
                warnings,
            };
            self.0.log.lock().unwrap().push(format!("found {i}"));
            if !found.send(one).await {
                return Ok(());
            }
        }
        Err(Diagnostic::error("T601", "Search ended early", "The service said no.").into())
    }
}

/// Restarts something.
#[derive(Debug, Clone, Model)]
pub struct Restart {
    /// What.
    #[attribute(required)]
    pub target: Attr<String>,
    /// How often.
    #[attribute(default = 2)]
    pub times: Attr<i64>,
}

pub struct RestartAction;

#[async_trait]
impl Action<World> for RestartAction {
    type Config = Restart;

    const NAME: &'static str = "test_restart";

    fn validate(&self, config: &Restart, out: &mut Diagnostics) {
        refuse_nobody("T703", "target", config.target.known(), out);
    }

    async fn plan(&self, _cx: &Context<World>, config: &Restart, out: &mut Diagnostics) {
        if config.target.is_unknown() {
            out.warning(
                "T700",
                "target",
                "Not known yet",
                "What is restarted is known only later.",
            );
        }
    }

    async fn invoke(
        &self,
        _cx: &Context<World>,
        config: Restart,
        progress: &Progress,
        warnings: &mut Diagnostics,
    ) -> Result<(), Diagnostics> {
        for i in 1..=config.times.unwrap_or(0) {
            progress.say(format!("restart {i}"));
            tokio::task::yield_now().await;
        }
        warnings.warning("T701", "target", "Slow", "It took a while.");
        match config.target.known().map(String::as_str) {
            Some("broken") => Err(Diagnostic::error("T702", "Failed", "It broke.").into()),
            _ => Ok(()),
        }
    }
}

async fn open(core: &Core, json: serde_json::Value) -> (pb::open_ephemeral_resource::Response, Vec<String>) {
    let ty = Token::block().ty();
    let request = pb::open_ephemeral_resource::Request {
        type_name: "test_token".to_owned(),
        config: pack(&value(&json, &ty), &ty),
        client_capabilities: None,
    };
    let answer = core
        .server
        .open_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    let said = texts(&answer.diagnostics);
    (answer, said)
}

/// Pitfall 20: `private` and `renew_at` are present or absent, not empty.
#[tokio::test]
async fn an_ephemeral_resource_is_opened_renewed_and_closed() {
    let core = Core::new().await;
    let (answer, said) = open(&core, json!({"audience": "me"})).await;
    assert_eq!(said, Vec::<String>::new());
    let result = unpack(answer.result.as_ref(), &Token::block().ty());
    assert_eq!(result.get("token"), &Value::string("me-secret"));
    assert_eq!(result.get("seconds"), &Value::from(60), "the default");
    assert_eq!(answer.renew_at.unwrap().seconds, 60);
    let private = answer.private.unwrap();

    let request = pb::renew_ephemeral_resource::Request {
        type_name: "test_token".to_owned(),
        private: Some(private.clone()),
    };
    let renewed = core
        .server
        .renew_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (renewed.renew_at, renewed.private.as_ref()),
        (None, Some(&private))
    );
    let request = pb::close_ephemeral_resource::Request {
        type_name: "test_token".to_owned(),
        private: renewed.private,
    };
    let closed = core
        .server
        .close_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(closed.diagnostics.is_empty());
    assert_eq!(*core.world.log.lock().unwrap(), ["closed me"]);
}

#[tokio::test]
async fn what_an_ephemeral_resource_does_wrong_is_said() {
    let core = Core::new().await;
    assert_eq!(
        open(&core, json!({"audience": "denied"})).await.1,
        ["error: Denied (T500) @ audience: No token."]
    );
    assert_eq!(
        open(&core, json!({"audience": "odd"})).await.1,
        ["warning: Odd (T501) @ audience: Odd audience."]
    );
    let (answer, said) = open(&core, json!({"audience": "broken"})).await;
    assert!(
        said[0].starts_with("error: Defect of the provider (F401) @ token"),
        "{said:?}"
    );
    assert!(unpack(answer.result.as_ref(), &Token::block().ty()).is_wholly_known());

    let (answer, _) = open(&core, json!({"audience": "stubborn"})).await;
    let request = pb::renew_ephemeral_resource::Request {
        type_name: "test_token".to_owned(),
        private: answer.private.clone(),
    };
    let renewed = core
        .server
        .renew_ephemeral_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&renewed.diagnostics)[0].contains("T502"));
    assert_eq!(renewed.private, answer.private, "it still has to be closed");
}

async fn list(
    core: &Core,
    json: serde_json::Value,
    limit: i64,
    include_resource_object: bool,
) -> Vec<pb::list_resource::Event> {
    let ty = Filter::block().ty();
    let config = pack(&value(&json, &ty), &ty);
    let request = pb::list_resource::Request {
        type_name: NAME.to_owned(),
        config,
        include_resource_object,
        limit,
    };
    let events = core
        .server
        .list_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    events.map(Result::unwrap).collect().await
}

#[tokio::test]
async fn a_list_streams_up_to_its_limit() {
    let core = Core::new().await;
    let events = list(&core, json!({"many": 1000}), 2, false).await;
    let names: Vec<_> = events
        .iter()
        .map(|e| (e.display_name.as_str(), identity_text(e.identity.as_ref())))
        .collect();
    assert_eq!(
        names,
        [("Thing 0", "t-0".to_owned()), ("Thing 1", "t-1".to_owned())]
    );
    assert!(
        events.iter().all(|e| e.resource_object.is_none()),
        "not asked for"
    );
    assert_eq!(
        texts(&events[1].diagnostic),
        ["warning: Half visible (T600): Tags could not be read."]
    );
    assert_eq!(
        core.world.log.lock().unwrap().len(),
        2,
        "nothing is searched beyond the limit"
    );
}

#[tokio::test]
async fn a_list_gives_states_and_ends_with_its_error() {
    let core = Core::new().await;
    let events = list(&core, json!({}), 0, true).await;
    assert_eq!(events.len(), 4, "three by default, and the error");
    let state = unpack(events[0].resource_object.as_ref(), &block().ty());
    assert_eq!(state.get("id"), &Value::string("t-0"));
    assert!(state.get("password_wo").is_null() && state.is_wholly_known());
    assert!(texts(&events[3].diagnostic)[0].contains("T601"));
}

#[tokio::test]
async fn a_list_that_nobody_reads_searches_no_further() {
    let core = Core::new().await;
    let ty = Filter::block().ty();
    let request = pb::list_resource::Request {
        type_name: NAME.to_owned(),
        config: pack(&value(&json!({"many": 1000}), &ty), &ty),
        include_resource_object: false,
        limit: 0,
    };
    let mut events = core
        .server
        .list_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    events.next().await.unwrap().unwrap();
    drop(events);
    assert!(core.world.log.lock().unwrap().len() < 100);
}

async fn invoke(core: &Core, json: serde_json::Value) -> (Vec<String>, Vec<String>) {
    use pb::invoke_action::event::Type;
    let ty = Restart::block().ty();
    let request = pb::invoke_action::Request {
        action_type: "test_restart".to_owned(),
        config: pack(&value(&json, &ty), &ty),
        client_capabilities: None,
    };
    let mut events = core
        .server
        .invoke_action(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    let mut lines = Vec::new();
    while let Some(event) = events.next().await {
        match event
            .unwrap()
            .r#type
            .expect("an event without type makes core panic")
        {
            Type::Progress(line) => lines.push(line.message),
            Type::Completed(end) => {
                assert!(events.next().await.is_none(), "nothing follows the end");
                return (lines, texts(&end.diagnostics));
            }
        }
    }
    panic!("the action did not complete")
}

#[tokio::test]
async fn an_action_is_planned_and_says_how_far_it_is() {
    let core = Core::new().await;
    let ty = Restart::block().ty();
    let request = pb::plan_action::Request {
        action_type: "test_restart".to_owned(),
        config: pack(&value(&json!({"target": "$unknown"}), &ty), &ty),
        client_capabilities: None,
    };
    let planned = core
        .server
        .plan_action(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        texts(&planned.diagnostics),
        ["warning: Not known yet (T700) @ target: What is restarted is known only later."]
    );

    let (lines, said) = invoke(&core, json!({"target": "web"})).await;
    assert_eq!(lines, ["restart 1", "restart 2"]);
    assert_eq!(said, ["warning: Slow (T701) @ target: It took a while."]);
    let (lines, said) = invoke(&core, json!({"target": "broken", "times": 0})).await;
    assert_eq!((lines.len(), said.len()), (0, 2));
    assert!(said[1].contains("T702"));
}

/// Beside the schema's checks each has its own, and both are asked.
#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_opened_listed_or_done() {
    let core = Core::unconfigured();
    let token = async |json| {
        let request = pb::validate_ephemeral_resource_config::Request {
            type_name: "test_token".to_owned(),
            config: pack(&value(&json, &Token::block().ty()), &Token::block().ty()),
        };
        let answer = core
            .server
            .validate_ephemeral_resource_config(Request::new(request))
            .await;
        texts(&answer.unwrap().into_inner().diagnostics)
    };
    let list = async |json| {
        let request = pb::validate_list_resource_config::Request {
            type_name: NAME.to_owned(),
            config: pack(&value(&json, &Filter::block().ty()), &Filter::block().ty()),
            ..Default::default()
        };
        let answer = core
            .server
            .validate_list_resource_config(Request::new(request))
            .await;
        texts(&answer.unwrap().into_inner().diagnostics)
    };
    let action = async |json| {
        let request = pb::validate_action_config::Request {
            type_name: "test_restart".to_owned(),
            config: pack(&value(&json, &Restart::block().ty()), &Restart::block().ty()),
        };
        let answer = core.server.validate_action_config(Request::new(request)).await;
        texts(&answer.unwrap().into_inner().diagnostics)
    };
    assert_eq!(token(json!({"audience": "me"})).await, [""; 0]);
    assert_eq!(list(json!({"many": 12})).await, [""; 0]);
    assert_eq!(action(json!({"target": "web"})).await, [""; 0]);
    assert_eq!(
        token(json!({"audience": "nobody"})).await,
        ["error: Nobody (T503) @ audience: There is nobody."]
    );
    assert_eq!(
        list(json!({"many": 13})).await,
        ["error: Unlucky (T602) @ many: Not thirteen."]
    );
    assert_eq!(
        action(json!({"target": "nobody"})).await,
        ["error: Nobody (T703) @ target: There is nobody."]
    );
    for said in [
        token(json!({"audience": null})).await,
        list(json!({"many": 5000})).await,
        action(json!({"target": null})).await,
    ] {
        assert!(said.len() == 1 && said[0].contains("F30"), "{said:?}");
    }
}

#[tokio::test]
async fn all_of_them_have_schemas() {
    let core = Core::unconfigured();
    let schema = core
        .server
        .get_provider_schema(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(texts(&schema.diagnostics), Vec::<String>::new());
    let token = schema.ephemeral_resource_schemas["test_token"]
        .block
        .as_ref()
        .unwrap();
    assert!(
        token.attributes.iter().any(|a| a.name == "seconds" && a.computed),
        "its result has the default"
    );
    let filter = schema.list_resource_schemas[NAME].block.as_ref().unwrap();
    let restart = schema.action_schemas["test_restart"]
        .schema
        .as_ref()
        .unwrap()
        .block
        .as_ref()
        .unwrap();
    for a in filter.attributes.iter().chain(&restart.attributes) {
        assert!(
            !a.computed,
            "{}: there is no result that it could be computed in",
            a.name
        );
    }
    let metadata = core
        .server
        .get_metadata(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    let names = (
        &metadata.ephemeral_resources[0].type_name,
        &metadata.list_resources[0].type_name,
        &metadata.actions[0].type_name,
    );
    assert_eq!(
        names,
        (
            &"test_token".to_owned(),
            &NAME.to_owned(),
            &"test_restart".to_owned()
        )
    );
}
