//! The exercise provider with one defect, named by the environment variable `BREAK`: the rule that is broken, and after a
//! dot in which way (none: nothing is broken). `RECORD` is a file to which it writes how it is asked to read, plan and apply. Its answers are those of the sound provider, changed on their way out. What the framework does not
//! offer yet (ephemeral and list resources, actions) is made here from nothing.
#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

mod exercise;
mod tamper;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use framework::{Model as _, Server, Type, Value};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use proto::tfplugin6::provider_server::Provider;
use proto::tfplugin6::{self as pb, schema};
use tonic::{Request, Response, Status, Streaming};

use exercise::{Exercise, Thing, ThingIdentity};
use tamper::{attribute, edit, error, identity, pack, thing_block};

fn main() -> std::process::ExitCode {
    plugin::run(exercise::ABOUT, |_host| Broken {
        inner: Server::new(Exercise),
        switch: std::env::var("BREAK").unwrap_or_default(),
        plans: AtomicUsize::new(0),
        calls: AtomicUsize::new(0),
    })
}

struct Broken {
    inner: Server<Exercise>,
    switch: String,
    /// Plans of updates and creates so far.
    plans: AtomicUsize,
    calls: AtomicUsize,
}

type Object = std::collections::BTreeMap<String, Value>;

impl Broken {
    fn is(&self, switch: &str) -> bool {
        self.switch == switch
    }

    /// Writes down a request: the call and its bytes.
    fn record(&self, call: &str, request: &impl prost::Message) {
        use std::io::Write as _;
        let Some(path) = std::env::var_os("RECORD") else {
            return;
        };
        let hex: String = request
            .encode_to_vec()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(format!("{call} {hex}\n").as_bytes()).unwrap();
    }

    /// Changes the state in an answer where the switch is on.
    fn change(&self, switch: &str, state: &mut Option<pb::DynamicValue>, change: impl FnOnce(&mut Object)) {
        if self.is(switch) {
            edit(state, change);
        }
    }

    fn schema(&self, answer: &mut pb::get_provider_schema::Response) {
        let empty = || pb::Schema {
            version: 0,
            block: Some(schema::Block::default()),
        };
        answer
            .list_resource_schemas
            .insert("exercise_thing".into(), empty());
        answer.action_schemas.insert(
            "exercise_shout".into(),
            pb::ActionSchema {
                schema: Some(empty()),
            },
        );
        let mut token = empty();
        token.block.as_mut().unwrap().attributes = vec![
            schema::Attribute {
                optional: true,
                ..attribute("length", r#""number""#)
            },
            schema::Attribute {
                computed: true,
                ..attribute("token", r#""string""#)
            },
        ];
        answer
            .ephemeral_resource_schemas
            .insert("exercise_token".into(), token);
        tamper::schema(&self.switch, answer);
    }

    fn planned(
        &self,
        request: &pb::plan_resource_change::Request,
        answer: &mut pb::plan_resource_change::Response,
    ) {
        let text = |text: &str| Value::from(text);
        let destroying = tamper::is_null(request.config.as_ref());
        let creating = tamper::is_null(request.prior_state.as_ref());
        let state = &mut answer.planned_state;
        if destroying {
            if self.is("P1.destroy") {
                *state = request.prior_state.clone();
            }
            if self.is("P8.destroy") {
                answer.planned_identity = identity(Value::UNKNOWN);
            }
            return;
        }
        let count = self.plans.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is("P1.null") {
            *state = pack(&Value::Null, &Type::Dynamic);
        }
        if self.is("P2.type") {
            tamper::retype(state, "note", Value::from(7), Type::Number);
        }
        if self.is("P2.missing") {
            tamper::without(state, "note");
        }
        let known = Value::from("known");
        self.change("P3", state, |s| {
            drop(s.insert("password_wo".into(), text("secret")))
        });
        self.change("P4.other", state, |s| {
            drop(s.insert("note".into(), text("other")))
        });
        self.change("P4.extra", state, |s| drop(s.insert("on".into(), true.into())));
        self.change("P4.unknown", state, |s| {
            drop(s.insert("note".into(), Value::UNKNOWN))
        });
        self.change("P4.single", state, |s| tamper::port(s.get_mut("main"), 9));
        self.change("P4.list", state, |s| {
            if let Some(Value::List(all)) = s.get_mut("ports") {
                tamper::port(all.first_mut(), 9);
            }
        });
        self.change("P4.map", state, |s| {
            if let Some(Value::Map(all)) = s.get_mut("named") {
                tamper::port(all.values_mut().next(), 9);
            }
        });
        self.change("P4.block", state, |s| {
            if let Some(Value::List(all)) = s.get_mut("disk")
                && let Some(Value::Object(disk)) = all.first_mut()
            {
                disk.insert("size".into(), 99.into());
            }
        });
        self.change("P5.count", state, |s| tamper::twice(s.get_mut("ports")));
        self.change("P5.null", state, |s| drop(s.insert("main".into(), Value::Null)));
        self.change("P5.unknown", state, |s| {
            drop(s.insert("ports".into(), Value::UNKNOWN))
        });
        self.change("P5.key", state, |s| {
            if let Some(Value::Map(all)) = s.get_mut("named")
                && let Some((_, value)) = all.pop_first()
            {
                all.insert("other".into(), value);
            }
        });
        self.change("P5.set", state, |s| {
            drop(s.insert("doors".into(), Value::set(vec![])))
        });
        self.change("P6.count", state, |s| tamper::twice(s.get_mut("disk")));
        self.change("P6.null", state, |s| drop(s.insert("disk".into(), Value::Null)));
        self.change("P6.unknown", state, |s| {
            drop(s.insert("disk".into(), Value::UNKNOWN))
        });
        self.change("P6.element", state, |s| {
            drop(s.insert("disk".into(), Value::list(vec![Value::UNKNOWN, Value::UNKNOWN])));
        });
        if self.is("P7") && !creating {
            answer.requires_replace.push(tamper::path("nowhere"));
        }
        if self.is("X2") {
            let step = pb::attribute_path::Step { selector: None };
            answer
                .requires_replace
                .push(pb::AttributePath { steps: vec![step] });
        }
        if self.is("X1") {
            answer.diagnostics.push(pb::Diagnostic {
                summary: "neither".into(),
                ..Default::default()
            });
        }
        if self.is("P8.type") {
            let data = pack(
                &Value::object([("other", known.clone())]),
                &Type::object([("other", Type::String)]),
            );
            answer.planned_identity = Some(pb::ResourceIdentityData { identity_data: data });
        }
        if self.is("P8.unknown") && !creating {
            answer.planned_identity = identity(Value::UNKNOWN);
        }
        // No defect: OpenTofu 1.12.6 cannot store a plan whose identity is unknown.
        if self.is("opentofu") && creating {
            answer.planned_identity = None;
        }
        if self.is("P9") {
            answer.deferred = Some(pb::Deferred { reason: 1 });
        }
        if self.is("P10") {
            answer.legacy_type_system = true;
        }
        if count == 2 {
            self.change("P11.value", &mut answer.planned_state, |s| {
                drop(s.insert("size".into(), 4.into()))
            });
        }
        // The plan of an update: the first time that the size changes is the plan, the second the apply.
        let growing =
            || tamper::number(&answer.planned_state, "size") != tamper::number(&request.prior_state, "size");
        if self.is("P11.action") && !creating && growing() && self.calls.fetch_add(1, Ordering::SeqCst) == 1 {
            answer.requires_replace.push(tamper::path("size"));
        }
        if self.is("A8.plan") && !creating {
            answer.planned_private.clear();
        }
        let promise = framework::value::Refinements {
            prefix: Some("q-".into()),
            ..Default::default()
        };
        self.change("A3.promise", &mut answer.planned_state, |s| {
            if s["id"].is_unknown() {
                s.insert("id".into(), Value::Unknown(Some(Box::new(promise))));
            }
        });
    }

    fn applied(
        &self,
        request: &pb::apply_resource_change::Request,
        answer: &mut pb::apply_resource_change::Response,
    ) {
        let destroying = tamper::is_null(request.planned_state.as_ref());
        let creating = tamper::is_null(request.prior_state.as_ref());
        let null = || pack(&Value::Null, &Type::Dynamic);
        let state = &mut answer.new_state;
        if destroying {
            match self.switch.as_str() {
                "A4.delete" => *state = request.prior_state.clone(),
                "A7.delete" => answer.diagnostics.push(error()),
                _ => {}
            }
            return;
        }
        match self.switch.as_str() {
            "A1.type" => tamper::retype(state, "note", Value::from(7), Type::Number),
            "A4.create" => *state = null(),
            "A7.create" if creating => {
                *state = null();
                answer.diagnostics.push(error());
            }
            "A7.update" if !creating => {
                *state = null();
                answer.diagnostics.push(error());
            }
            "A7.partial" if !creating => {
                edit(state, |s| drop(s.insert("revision".into(), 77.into())));
                answer.diagnostics.push(error());
            }
            "A6.unknown" => answer.new_identity = identity(Value::UNKNOWN),
            "A6.type" => {
                let data = pack(
                    &Value::object([("other", true.into())]),
                    &Type::object([("other", Type::Bool)]),
                );
                answer.new_identity = Some(pb::ResourceIdentityData { identity_data: data });
            }
            "A8.apply" if !creating => answer.private.clear(),
            "A10" => answer.legacy_type_system = true,
            _ => {}
        }
        let state = &mut answer.new_state;
        self.change("A2", state, |s| drop(s.insert("zone".into(), Value::UNKNOWN)));
        self.change("A3.value", state, |s| {
            drop(s.insert("note".into(), "other".into()))
        });
        self.change("A3.gone", state, |s| drop(s.insert("note".into(), Value::Null)));
        self.change("A3.come", state, |s| drop(s.insert("on".into(), true.into())));
        self.change("A3.list", state, |s| tamper::twice(s.get_mut("words")));
        self.change("A3.map", state, |s| {
            drop(s.insert("labels".into(), Value::map::<String>([])))
        });
        self.change("A3.set", state, |s| {
            if let Some(Value::Set(all)) = s.get_mut("doors") {
                all.pop();
            }
        });
        self.change("A3.grown", state, |s| {
            if let Some(Value::Set(all)) = s.get_mut("doors")
                && let Some(Value::Object(mut door)) = all.first().cloned()
            {
                door.insert("colour".into(), "new".into());
                all.push(Value::Object(door));
            }
        });
        self.change("A3.block", state, |s| tamper::twice(s.get_mut("disk")));
        self.change("A3.nested", state, |s| tamper::port(s.get_mut("main"), 9));
        self.change("A3.dynamic", state, |s| {
            drop(s.insert("anything".into(), Value::from("other").into_dynamic()))
        });
        self.change("A3.promise", state, |s| drop(s.insert("id".into(), "t-a".into())));
        self.change("A5", state, |s| {
            drop(s.insert("password_wo".into(), "secret".into()))
        });
    }

    fn read(&self, answer: &mut pb::read_resource::Response) {
        let state = &mut answer.new_state;
        if self.is("R1") {
            tamper::retype(state, "note", Value::from(7), Type::Number);
        }
        self.change("R2", state, |s| drop(s.insert("zone".into(), Value::UNKNOWN)));
        self.change("R3", state, |s| {
            drop(s.insert("password_wo".into(), "secret".into()))
        });
        match self.switch.as_str() {
            "R4" => answer.new_identity = identity(Value::UNKNOWN),
            "R5" => answer.deferred = Some(pb::Deferred { reason: 1 }),
            "A8.read" => answer.private.clear(),
            _ => {}
        }
    }

    fn imported(&self, answer: &mut pb::import_resource_state::Response) {
        let all = &mut answer.imported_resources;
        match self.switch.as_str() {
            "I1.none" => all.clear(),
            "I1.two" => all.extend(all.clone()),
            "I1.null" => all[0].state = None,
            "I2.name" => all[0].type_name = "other".into(),
            "I2.type" => tamper::retype(&mut all[0].state, "note", Value::from(7), Type::Number),
            _ => {}
        }
        if let Some(one) = all.first_mut() {
            self.change("I3", &mut one.state, |s| {
                drop(s.insert("password_wo".into(), "secret".into()))
            });
        }
    }
}

macro_rules! pass_on {
    ($($rpc:ident($module:ident) $(=> |$this:ident, $request:ident, $answer:ident| $change:expr)?;)*) => {
        #[tonic::async_trait]
        impl Provider for Broken {
            $(async fn $rpc(
                &self,
                request: Request<pb::$module::Request>,
            ) -> Result<Response<pb::$module::Response>, Status> {
                let asked = request.get_ref().clone();
                let mut response = self.inner.$rpc(request).await?;
                $({
                    let ($this, $request, $answer) = (self, &asked, response.get_mut());
                    $change;
                })?
                let _ = (&asked, &mut response);
                Ok(response)
            })*

            type ListResourceStream = BoxStream<'static, Result<pb::list_resource::Event, Status>>;
            async fn list_resource(
                &self,
                _request: Request<pb::list_resource::Request>,
            ) -> Result<Response<Self::ListResourceStream>, Status> {
                let object = thing_block().absent("t-listed");
                let mut event = pb::list_resource::Event {
                    identity: identity(Value::from("t-listed")),
                    display_name: "listed".into(),
                    resource_object: pack(&object, &Thing::block().ty()),
                    diagnostic: vec![],
                };
                match self.switch.as_str() {
                    "L1.none" => event.identity = None,
                    "L1.unknown" => event.identity = identity(Value::UNKNOWN),
                    "L3.none" => event.resource_object = None,
                    "L3.type" => tamper::retype(&mut event.resource_object, "note", Value::from(7), Type::Number),
                    _ => {}
                }
                let count = if self.is("L2") { 3 } else { 2 };
                let events = std::iter::repeat_n(Ok(event), count).collect::<Vec<_>>();
                Ok(Response::new(futures::stream::iter(events).boxed()))
            }

            type InvokeActionStream = BoxStream<'static, Result<pb::invoke_action::Event, Status>>;
            async fn invoke_action(
                &self,
                _request: Request<pb::invoke_action::Request>,
            ) -> Result<Response<Self::InvokeActionStream>, Status> {
                use pb::invoke_action::event::{Completed, Progress, Type as Said};
                let mut events = vec![
                    Some(Said::Progress(Progress { message: "hey".into() })),
                    Some(Said::Completed(Completed { diagnostics: vec![] })),
                ];
                match self.switch.as_str() {
                    "C1.empty" => events[0] = None,
                    "C1.end" => drop(events.pop()),
                    _ => {}
                }
                let events: Vec<_> =
                    events.into_iter().map(|r#type| Ok(pb::invoke_action::Event { r#type })).collect();
                Ok(Response::new(futures::stream::iter(events).boxed()))
            }

            type ReadStateBytesStream = <Server<Exercise> as Provider>::ReadStateBytesStream;
            async fn read_state_bytes(
                &self,
                request: Request<pb::read_state_bytes::Request>,
            ) -> Result<Response<Self::ReadStateBytesStream>, Status> {
                self.inner.read_state_bytes(request).await
            }

            async fn write_state_bytes(
                &self,
                request: Request<Streaming<pb::write_state_bytes::RequestChunk>>,
            ) -> Result<Response<pb::write_state_bytes::Response>, Status> {
                self.inner.write_state_bytes(request).await
            }

            async fn plan_action(
                &self,
                _request: Request<pb::plan_action::Request>,
            ) -> Result<Response<pb::plan_action::Response>, Status> {
                Ok(Response::new(Default::default()))
            }

            async fn validate_action_config(
                &self,
                _request: Request<pb::validate_action_config::Request>,
            ) -> Result<Response<pb::validate_action_config::Response>, Status> {
                Ok(Response::new(Default::default()))
            }

            async fn validate_list_resource_config(
                &self,
                _request: Request<pb::validate_list_resource_config::Request>,
            ) -> Result<Response<pb::validate_list_resource_config::Response>, Status> {
                Ok(Response::new(Default::default()))
            }

            async fn validate_ephemeral_resource_config(
                &self,
                _request: Request<pb::validate_ephemeral_resource_config::Request>,
            ) -> Result<Response<pb::validate_ephemeral_resource_config::Response>, Status> {
                Ok(Response::new(Default::default()))
            }

            async fn open_ephemeral_resource(
                &self,
                _request: Request<pb::open_ephemeral_resource::Request>,
            ) -> Result<Response<pb::open_ephemeral_resource::Response>, Status> {
                let length = Value::from(if self.is("E1.value") { 9 } else { 8 });
                let token = if self.is("E2") { Value::UNKNOWN } else { Value::from("12345678") };
                let token_type = if self.is("E1.type") { Type::Dynamic } else { Type::String };
                let ty = Type::object([("length", Type::Number), ("token", token_type.clone())]);
                let token = if token_type == Type::Dynamic { Value::from(true).into_dynamic() } else { token };
                let result = pack(&Value::object([("length", length), ("token", token)]), &ty);
                Ok(Response::new(pb::open_ephemeral_resource::Response { result, ..Default::default() }))
            }

            async fn renew_ephemeral_resource(
                &self,
                _request: Request<pb::renew_ephemeral_resource::Request>,
            ) -> Result<Response<pb::renew_ephemeral_resource::Response>, Status> {
                Ok(Response::new(Default::default()))
            }

            async fn close_ephemeral_resource(
                &self,
                _request: Request<pb::close_ephemeral_resource::Request>,
            ) -> Result<Response<pb::close_ephemeral_resource::Response>, Status> {
                Ok(Response::new(Default::default()))
            }
        }
    };
}

pass_on! {
    get_metadata(get_metadata) => |this, _request, answer| {
        use pb::get_metadata::{ActionMetadata, EphemeralMetadata, FunctionMetadata, ListResourceMetadata};
        answer.list_resources.push(ListResourceMetadata { type_name: "exercise_thing".into() });
        answer.actions.push(ActionMetadata { type_name: "exercise_shout".into() });
        answer.ephemeral_resources.push(EphemeralMetadata { type_name: "exercise_token".into() });
        if this.is("S12.list") {
            answer
                .list_resources
                .push(ListResourceMetadata { type_name: "exercise_other".into() });
        }
        if this.is("S13.metadata") {
            answer.functions.push(FunctionMetadata { name: "other".into() });
        }
    };
    get_provider_schema(get_provider_schema) => |this, _request, answer| this.schema(answer);
    validate_provider_config(validate_provider_config);
    validate_resource_config(validate_resource_config);
    validate_data_resource_config(validate_data_resource_config);
    upgrade_resource_state(upgrade_resource_state) => |this, _request, answer| {
        let state = &mut answer.upgraded_state;
        match this.switch.as_str() {
            "U1.null" => *state = None,
            "U1.type" => tamper::retype(state, "note", Value::from(7), Type::Number),
            _ => {}
        }
        this.change("U2", state, |s| drop(s.insert("zone".into(), Value::UNKNOWN)));
        this.change("U3", state, |s| drop(s.insert("password_wo".into(), "secret".into())));
    };
    get_resource_identity_schemas(get_resource_identity_schemas) => |this, _request, answer| {
        tamper::identities(&this.switch, &mut answer.identity_schemas);
    };
    upgrade_resource_identity(upgrade_resource_identity) => |this, _request, answer| {
        if this.is("U4") {
            answer.upgraded_identity = identity(Value::UNKNOWN);
        }
    };
    configure_provider(configure_provider);
    read_resource(read_resource) => |this, request, answer| {
        this.record("read", request);
        this.read(answer);
    };
    plan_resource_change(plan_resource_change) => |this, request, answer| {
        this.record("plan", request);
        this.planned(request, answer);
    };
    apply_resource_change(apply_resource_change) => |this, request, answer| {
        this.record("apply", request);
        this.applied(request, answer);
    };
    import_resource_state(import_resource_state) => |this, _request, answer| this.imported(answer);
    move_resource_state(move_resource_state);
    read_data_source(read_data_source) => |this, _request, answer| {
        let ty = Type::object([("text", Type::String), ("count", Type::Number)]);
        let of = |count| pack(&Value::object([("text", Value::from("abc")), ("count", count)]), &ty);
        match this.switch.as_str() {
            "D1" => answer.state = None,
            "D2" => answer.state = pack(&Value::from(true), &Type::Bool),
            "D3" => answer.state = of(Value::UNKNOWN),
            _ => {}
        }
    };
    generate_resource_config(generate_resource_config);
    get_functions(get_functions) => |this, _request, answer| {
        if this.is("S13.functions") {
            answer.functions = HashMap::new();
        }
        tamper::functions(&this.switch, &mut answer.functions);
    };
    call_function(call_function) => |this, _request, answer| {
        match this.switch.as_str() {
            "F1.none" => answer.result = None,
            "F1.type" => answer.result = pack(&Value::from(true), &Type::Bool),
            "F2" => {
                let count = this.calls.fetch_add(1, Ordering::SeqCst);
                answer.result = pack(&Value::from(count.to_string()), &Type::String);
            }
            _ => {}
        }
    };
    validate_state_store_config(validate_state_store);
    configure_state_store(configure_state_store);
    lock_state(lock_state);
    unlock_state(unlock_state);
    get_states(get_states);
    delete_state(delete_state);
    stop_provider(stop_provider);
}

/// Keeps the identity's form in one place.
fn identity_type() -> Type {
    ThingIdentity::block().ty()
}
