//! A stand-in for Terraform's core: it computes proposals as core does (written from the facts, not with the framework's
//! code), and checks what core would check.

use std::collections::BTreeMap;
use std::sync::Arc;

use framework::schema::{Attribute, Block, Nesting, Shape};
use framework::{Server, Type, Value};
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as _;
use serde_json::Value as Json;
use tonic::Request;

use crate::thing::{TestProvider, Thing, ThingIdentity, World};
use framework::Model as _;

pub const NAME: &str = "test_thing";

/// One instance as core stores it.
#[derive(Debug, Clone, Default)]
pub struct Instance {
    pub state: Option<Value>,
    pub private: Vec<u8>,
    pub identity: Option<pb::ResourceIdentityData>,
    pub tainted: bool,
}

/// The answer to a plan, and what core makes of it.
#[derive(Debug, Clone)]
pub struct Planned {
    pub action: Action,
    pub config: Option<Value>,
    pub state: Option<Value>,
    pub private: Vec<u8>,
    pub identity: Option<pb::ResourceIdentityData>,
    pub replace: Vec<String>,
    pub diagnostics: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    NoOp,
    Create,
    Update,
    Replace,
    Delete,
}

pub struct Core {
    pub server: Server<TestProvider>,
    pub world: Arc<World>,
}

pub fn block() -> Block {
    Thing::block()
}

pub fn ty() -> Type {
    block().ty()
}

pub fn pack(value: &Value, ty: &Type) -> Option<pb::DynamicValue> {
    Some(pb::DynamicValue {
        msgpack: value.to_msgpack(ty).unwrap(),
        json: vec![],
    })
}

pub fn unpack(value: Option<&pb::DynamicValue>, ty: &Type) -> Value {
    value.map_or(Value::Null, |v| {
        if v.msgpack.is_empty() {
            Value::Null
        } else {
            Value::from_msgpack(&v.msgpack, ty).unwrap()
        }
    })
}

/// Texts of diagnostics: `error: summary @ path: detail`.
pub fn texts(all: &[pb::Diagnostic]) -> Vec<String> {
    all.iter()
        .map(|d| {
            let severity = match d.severity() {
                pb::diagnostic::Severity::Error => "error",
                pb::diagnostic::Severity::Warning => "warning",
                pb::diagnostic::Severity::Invalid => {
                    panic!("core shows nothing of a diagnostic without severity")
                }
            };
            let at = d
                .attribute
                .as_ref()
                .map(|path| format!(" @ {}", path_text(path)))
                .unwrap_or_default();
            format!("{severity}: {}{at}: {}", d.summary, d.detail)
        })
        .collect()
}

fn path_text(path: &pb::AttributePath) -> String {
    use pb::attribute_path::step::Selector;
    let steps = path.steps.iter().map(|step| {
        match step
            .selector
            .as_ref()
            .expect("a step without selector makes core panic")
        {
            Selector::AttributeName(name) => name.clone(),
            Selector::ElementKeyString(key) => format!("[{key}]"),
            Selector::ElementKeyInt(i) => format!("[{i}]"),
        }
    });
    steps.collect::<Vec<_>>().join(".")
}

pub fn has_errors(texts: &[String]) -> bool {
    texts.iter().any(|t| t.starts_with("error"))
}

/// A value from JSON in which `"$unknown"` stands for an unknown value.
pub fn value(json: &Json, ty: &Type) -> Value {
    match (json, ty) {
        (Json::String(text), _) if text == "$unknown" => Value::UNKNOWN,
        (Json::Array(all), Type::List(of)) => Value::List(all.iter().map(|j| value(j, of)).collect()),
        (Json::Array(all), Type::Set(of)) => Value::set(all.iter().map(|j| value(j, of)).collect()),
        (Json::Object(all), Type::Map(of)) => {
            Value::Map(all.iter().map(|(k, j)| (k.clone(), value(j, of))).collect())
        }
        (Json::Object(all), Type::Object(of)) => {
            assert!(
                all.keys().all(|k| of.contains_key(k)),
                "{all:?} has what the schema has not"
            );
            Value::Object(
                of.iter()
                    .map(|(n, t)| (n.clone(), value(all.get(n).unwrap_or(&Json::Null), t)))
                    .collect(),
            )
        }
        (Json::Null, _) => Value::Null,
        (other, Type::Dynamic) => {
            Value::from_json(&serde_json::json!({"value": other, "type": "string"}), ty).unwrap()
        }
        (other, ty) => Value::from_json(other, ty).unwrap(),
    }
}

/// A configuration: blocks that are not written are empty.
pub fn config(json: Json) -> Value {
    let Value::Object(mut object) = value(&json, &ty()) else {
        panic!("an object is expected")
    };
    for nested in block().blocks {
        let value = object.get_mut(&nested.name).unwrap();
        if value.is_null() && nested.nesting == Nesting::List {
            *value = Value::list([]);
        }
    }
    Value::Object(object)
}

impl Core {
    pub fn unconfigured() -> Self {
        let world = Arc::new(World::default());
        Self {
            server: Server::new(TestProvider(Arc::clone(&world))),
            world,
        }
    }

    pub async fn new() -> Self {
        let core = Self::unconfigured();
        assert_eq!(core.configure(serde_json::json!({})).await, Vec::<String>::new());
        core
    }

    pub async fn configure(&self, json: Json) -> Vec<String> {
        let ty = crate::thing::Config::block().ty();
        let request = pb::configure_provider::Request {
            terraform_version: "1.15.5".to_owned(),
            config: pack(&value(&json, &ty), &ty),
            client_capabilities: Some(pb::ClientCapabilities {
                write_only_attributes_allowed: true,
                ..Default::default()
            }),
        };
        texts(
            &self
                .server
                .configure_provider(Request::new(request))
                .await
                .unwrap()
                .into_inner()
                .diagnostics,
        )
    }

    pub async fn validate(&self, config: &Value) -> Vec<String> {
        let request = pb::validate_resource_config::Request {
            type_name: NAME.to_owned(),
            config: pack(config, &ty()),
            client_capabilities: Some(pb::ClientCapabilities {
                write_only_attributes_allowed: true,
                ..Default::default()
            }),
        };
        texts(
            &self
                .server
                .validate_resource_config(Request::new(request))
                .await
                .unwrap()
                .into_inner()
                .diagnostics,
        )
    }

    async fn call_plan(
        &self,
        prior: Option<&Value>,
        config: Option<&Value>,
        private: &[u8],
        identity: Option<&pb::ResourceIdentityData>,
    ) -> Planned {
        let null = Value::Null;
        let proposed = config.map(|config| proposed(&block(), prior.unwrap_or(&null), config));
        let request = pb::plan_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: pack(prior.unwrap_or(&null), &ty()),
            proposed_new_state: pack(proposed.as_ref().unwrap_or(&null), &ty()),
            config: pack(config.unwrap_or(&null), &ty()),
            prior_private: private.to_vec(),
            prior_identity: identity.cloned(),
            ..Default::default()
        };
        let answer = self
            .server
            .plan_resource_change(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        assert!(!answer.legacy_type_system);
        let state = unpack(answer.planned_state.as_ref(), &ty());
        Planned {
            action: Action::NoOp,
            config: config.cloned(),
            state: (!state.is_null()).then_some(state),
            private: answer.planned_private,
            identity: answer.planned_identity,
            replace: answer.requires_replace.iter().map(path_text).collect(),
            diagnostics: texts(&answer.diagnostics),
        }
    }

    /// Plans as core does: a tainted object as a create, a replacement with a second call.
    pub async fn plan(&self, instance: &Instance, config: Option<&Value>) -> Planned {
        let prior = instance.state.as_ref();
        let Some(config) = config else {
            let mut planned = self
                .call_plan(prior, None, &instance.private, instance.identity.as_ref())
                .await;
            assert_eq!(planned.state, None, "the plan of a destroy is null");
            planned.action = Action::Delete;
            return planned;
        };
        if instance.tainted || prior.is_none() {
            let mut planned = self.call_plan(None, Some(config), &[], None).await;
            planned.action = if instance.tainted {
                Action::Replace
            } else {
                Action::Create
            };
            return self.checked(None, planned);
        }
        let mut planned = self
            .call_plan(prior, Some(config), &instance.private, instance.identity.as_ref())
            .await;
        if !planned.replace.is_empty() {
            let replace = std::mem::take(&mut planned.replace);
            planned = self
                .call_plan(None, Some(config), &planned.private, planned.identity.as_ref())
                .await;
            planned.replace = replace;
            planned.action = Action::Replace;
            return self.checked(None, planned);
        }
        planned.action = if planned.state.as_ref() == prior {
            Action::NoOp
        } else {
            Action::Update
        };
        self.checked(prior, planned)
    }

    /// What core would call an invalid plan.
    fn checked(&self, prior: Option<&Value>, planned: Planned) -> Planned {
        if has_errors(&planned.diagnostics) {
            return planned;
        }
        let (state, config) = (
            planned.state.as_ref().expect("a planned state"),
            planned.config.as_ref().unwrap(),
        );
        check_plan(&block(), prior.unwrap_or(&Value::Null), config, state, "");
        planned
    }

    async fn call_apply(
        &self,
        prior: Option<&Value>,
        planned: Option<&Value>,
        config: Option<&Value>,
        private: &[u8],
        identity: Option<&pb::ResourceIdentityData>,
    ) -> (Instance, Vec<String>) {
        let null = Value::Null;
        let request = pb::apply_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: pack(prior.unwrap_or(&null), &ty()),
            planned_state: pack(planned.unwrap_or(&null), &ty()),
            config: pack(config.unwrap_or(&null), &ty()),
            planned_private: private.to_vec(),
            planned_identity: identity.cloned(),
            provider_meta: None,
        };
        let answer = self
            .server
            .apply_resource_change(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        let diagnostics = texts(&answer.diagnostics);
        let failed = has_errors(&diagnostics);
        let mut state = unpack(answer.new_state.as_ref(), &ty());
        assert!(
            state.is_wholly_known(),
            "core calls an unknown after apply a bug in the provider: {state:?}"
        );
        if !failed {
            assert_eq!(
                state.is_null(),
                planned.is_none(),
                "null after apply exactly where null was planned"
            );
            if let Some(planned) = planned {
                assert!(
                    covers(planned, &state),
                    "inconsistent result after apply:\n{planned:?}\n{state:?}"
                );
            }
        } else if state.is_null() {
            state = prior.cloned().unwrap_or(Value::Null);
        }
        let tainted = failed && prior.is_none() && planned.is_some() && !state.is_null();
        let instance = Instance {
            state: (!state.is_null()).then_some(state),
            private: answer.private,
            identity: answer.new_identity,
            tainted,
        };
        (instance, diagnostics)
    }

    /// Applies as core does: with a second plan, that has to agree with the first; a replacement destroys first.
    pub async fn apply(&self, instance: &Instance, planned: &Planned) -> (Instance, Vec<String>) {
        let config = planned.config.as_ref();
        match planned.action {
            Action::NoOp => (instance.clone(), vec![]),
            Action::Delete => {
                self.call_apply(
                    instance.state.as_ref(),
                    None,
                    None,
                    &planned.private,
                    planned.identity.as_ref(),
                )
                .await
            }
            Action::Create => self.apply_create(planned).await,
            Action::Update => {
                let again = self
                    .call_plan(
                        instance.state.as_ref(),
                        config,
                        &instance.private,
                        instance.identity.as_ref(),
                    )
                    .await;
                assert_eq!(
                    again.state, planned.state,
                    "the plan at apply differs from that of the plan"
                );
                self.call_apply(
                    instance.state.as_ref(),
                    again.state.as_ref(),
                    config,
                    &again.private,
                    again.identity.as_ref(),
                )
                .await
            }
            Action::Replace => {
                // The destroying half gets the private state of the create plan.
                let (after, diagnostics) = self
                    .call_apply(instance.state.as_ref(), None, None, &planned.private, None)
                    .await;
                if has_errors(&diagnostics) {
                    (after, diagnostics)
                } else {
                    self.apply_create(planned).await
                }
            }
        }
    }

    async fn apply_create(&self, planned: &Planned) -> (Instance, Vec<String>) {
        let again = self.call_plan(None, planned.config.as_ref(), &[], None).await;
        assert_eq!(
            again.state, planned.state,
            "the plan at apply differs from that of the plan"
        );
        self.call_apply(
            None,
            again.state.as_ref(),
            planned.config.as_ref(),
            &again.private,
            again.identity.as_ref(),
        )
        .await
    }

    /// Plan and apply without errors; the next plan is then empty.
    pub async fn bring(&self, instance: &Instance, json: Json) -> Instance {
        let config = config(json);
        let planned = self.plan(instance, Some(&config)).await;
        assert!(!has_errors(&planned.diagnostics), "{:?}", planned.diagnostics);
        let (after, diagnostics) = self.apply(instance, &planned).await;
        assert!(!has_errors(&diagnostics), "{diagnostics:?}");
        let next = self.plan(&after, Some(&config)).await;
        assert_eq!(
            next.action,
            Action::NoOp,
            "the plan after an apply is not empty: {:?} {:?}",
            next.state,
            after.state
        );
        after
    }

    pub async fn refresh(&self, instance: &Instance) -> (Instance, Vec<String>) {
        let request = pb::read_resource::Request {
            type_name: NAME.to_owned(),
            current_state: pack(instance.state.as_ref().unwrap_or(&Value::Null), &ty()),
            private: instance.private.clone(),
            current_identity: instance.identity.clone(),
            ..Default::default()
        };
        let answer = self
            .server
            .read_resource(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        let state = unpack(answer.new_state.as_ref(), &ty());
        assert!(state.is_wholly_known());
        let instance = Instance {
            state: (!state.is_null()).then_some(state),
            private: answer.private,
            identity: answer.new_identity,
            tainted: instance.tainted,
        };
        (instance, texts(&answer.diagnostics))
    }
}

pub fn identity_text(identity: Option<&pb::ResourceIdentityData>) -> String {
    let ty = ThingIdentity::block().ty();
    unpack(identity.and_then(|i| i.identity_data.as_ref()), &ty)
        .get("id")
        .as_str()
        .unwrap_or("?")
        .to_owned()
}

/// Core's proposal: configuration, with the prior value of what is computed and not configured.
fn proposed(block: &Block, prior: &Value, config: &Value) -> Value {
    let mut object = BTreeMap::new();
    for a in &block.attributes {
        object.insert(
            a.name.clone(),
            proposed_attribute(a, prior.get(&a.name), config.get(&a.name)),
        );
    }
    for b in &block.blocks {
        object.insert(
            b.name.clone(),
            proposed_nested(b.nesting, &b.block, prior.get(&b.name), config.get(&b.name)),
        );
    }
    Value::Object(object.into())
}

fn proposed_attribute(a: &Attribute, prior: &Value, config: &Value) -> Value {
    if config.is_null() && a.computed {
        return prior.clone();
    }
    match &a.shape {
        Shape::Nested(nesting, inner) => proposed_nested(*nesting, inner, prior, config),
        Shape::Plain(_) => config.clone(),
    }
}

fn proposed_nested(nesting: Nesting, block: &Block, prior: &Value, config: &Value) -> Value {
    let null = Value::Null;
    match (nesting, config) {
        (Nesting::Single, Value::Object(_)) => proposed(block, prior, config),
        (Nesting::Set, Value::Set(all)) => {
            // The first prior element that equals the configured one in everything that is not computed.
            let same = |c: &Value, p: &Value| {
                block
                    .attributes
                    .iter()
                    .filter(|a| !a.computed || !c.get(&a.name).is_null())
                    .all(|a| c.get(&a.name) == p.get(&a.name))
            };
            let one = |c: &Value| {
                proposed(
                    block,
                    prior.elements().iter().find(|p| same(c, p)).unwrap_or(&null),
                    c,
                )
            };
            Value::set(all.iter().map(one).collect())
        }
        (_, Value::List(all)) => Value::List(
            all.iter()
                .enumerate()
                .map(|(i, c)| proposed(block, prior.elements().get(i).unwrap_or(&null), c))
                .collect(),
        ),
        (_, Value::Map(all)) => Value::Map(
            all.iter()
                .map(|(k, c)| (k.clone(), proposed(block, prior.get(k), c)))
                .collect(),
        ),
        (_, other) => other.clone(),
    }
}

/// Rules P1 to P6, in the order of the facts.
fn check_plan(block: &Block, prior: &Value, config: &Value, planned: &Value, at: &str) {
    for a in &block.attributes {
        let (p, c, n) = (prior.get(&a.name), config.get(&a.name), planned.get(&a.name));
        let here = format!("{at}{}", a.name);
        if a.write_only {
            assert!(n.is_null(), "{here}: write-only and planned");
            continue;
        }
        if let (Shape::Nested(_, inner), Value::List(c), Value::List(n)) = (&a.shape, c, n) {
            assert_eq!(c.len(), n.len(), "{here}");
            for (i, (c, n)) in c.iter().zip(n).enumerate() {
                check_plan(
                    inner,
                    p.elements().get(i).unwrap_or(&Value::Null),
                    c,
                    n,
                    &format!("{here}[{i}]."),
                );
            }
            continue;
        }
        if matches!((&a.shape, c), (Shape::Nested(..), Value::Set(_))) {
            continue;
        }
        let fine = n.clone().without_refinements() == c.clone().without_refinements()
            || (n == p && !p.is_null() && !c.is_null())
            || (a.computed && (c.is_null() || !a.optional));
        assert!(
            fine,
            "{here}: core calls this plan invalid: configured {c:?}, prior {p:?}, planned {n:?}"
        );
    }
    for b in &block.blocks {
        let (p, c, n) = (prior.get(&b.name), config.get(&b.name), planned.get(&b.name));
        match b.nesting {
            Nesting::List => {
                assert_eq!(
                    c.elements().len(),
                    n.elements().len(),
                    "{at}{}: number of blocks",
                    b.name
                );
                for (i, (c, n)) in c.elements().iter().zip(n.elements()).enumerate() {
                    check_plan(
                        &b.block,
                        p.elements().get(i).unwrap_or(&Value::Null),
                        c,
                        n,
                        &format!("{at}{}[{i}].", b.name),
                    );
                }
            }
            _ => assert_eq!(c.is_null(), n.is_null(), "{at}{}", b.name),
        }
    }
}

/// Rule A3: every known planned leaf is what came out.
pub fn covers(planned: &Value, actual: &Value) -> bool {
    match (planned, actual) {
        (Value::Unknown(_), _) => true,
        (Value::Object(p), Value::Object(a)) | (Value::Map(p), Value::Map(a)) => {
            p.len() == a.len() && p.iter().all(|(k, p)| a.get(k).is_some_and(|a| covers(p, a)))
        }
        (Value::List(p), Value::List(a)) | (Value::Tuple(p), Value::Tuple(a)) => {
            p.len() == a.len() && p.iter().zip(a).all(|(p, a)| covers(p, a))
        }
        (Value::Set(p), Value::Set(a)) => {
            a.len() <= p.len()
                && p.iter().all(|p| a.iter().any(|a| covers(p, a)))
                && a.iter().all(|a| p.iter().any(|p| covers(p, a)))
        }
        (p, a) => p == a,
    }
}
