//! Everything beside plan and apply: schemas, validation, configuration, refresh, import, upgrade, move, data sources,
//! functions, stop.

use std::sync::Arc;

use framework::{Applied, Attr, AttributeType, Diagnostic, Model, PrivateState, Value};
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as _;
use serde_json::json;
use tonic::Request;

use crate::core::{
    Core, Instance, NAME, block, config, has_errors, identity_text, pack, texts, ty, unpack, value,
};
use crate::thing::{Lookup, Thing, ThingIdentity};

async fn schema(core: &Core) -> pb::get_provider_schema::Response {
    core.server
        .get_provider_schema(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner()
}

fn attribute<'a>(block: &'a pb::schema::Block, name: &str) -> &'a pb::schema::Attribute {
    block.attributes.iter().find(|a| a.name == name).unwrap()
}

#[tokio::test]
async fn the_schema_is_what_the_struct_says() {
    let answer = schema(&Core::unconfigured()).await;
    assert_eq!(texts(&answer.diagnostics), Vec::<String>::new());
    let thing = &answer.resource_schemas[NAME];
    assert_eq!(thing.version, 2);
    let block = thing.block.as_ref().unwrap();
    assert_eq!(
        block.description, "A thing.\n\nSecond paragraph, with `code`.",
        "paragraphs are kept"
    );

    let name = attribute(block, "name");
    assert!(name.required && !name.optional && !name.computed);
    assert_eq!(name.r#type, b"\"string\"");
    assert_eq!(
        name.description,
        "Name.\n\nMust be of a length from 1 to 40. Must be text of the form `[a-z-]+`. A change replaces the resource."
    );
    let size = attribute(block, "size");
    assert!(
        !size.required && size.optional && size.computed,
        "a default is optional and computed"
    );
    assert_eq!(
        size.description,
        "Size.\n\nMust be a number from 1 to 5. Default: `1`."
    );
    assert!(
        attribute(block, "mode")
            .description
            .contains("One of `per_zone`, `single`, `none`. Default: `per_zone`.")
    );
    assert!(attribute(block, "password_wo").write_only);
    assert_eq!(attribute(block, "labels").r#type, br#"["map","string"]"#);
    assert_eq!(attribute(block, "anything").r#type, b"\"dynamic\"");

    // Pitfall 7: never both `type` and `nested_type`.
    for a in &block.attributes {
        assert_ne!(a.r#type.is_empty(), a.nested_type.is_none(), "{}", a.name);
    }
    let rules = attribute(block, "rules").nested_type.as_ref().unwrap();
    assert_eq!(rules.nesting(), pb::schema::object::NestingMode::List);
    assert!(rules.attributes.iter().any(|a| a.name == "rule_id" && a.computed));
    let blocks: Vec<_> = block
        .block_types
        .iter()
        .map(|b| (b.type_name.as_str(), b.nesting()))
        .collect();
    use pb::schema::nested_block::NestingMode;
    assert_eq!(
        blocks,
        [("disk", NestingMode::List), ("timeouts", NestingMode::Single)]
    );

    let provider = answer.provider.unwrap().block.unwrap();
    let region = attribute(&provider, "region");
    assert!(
        region.optional && !region.computed,
        "a provider computes none of its own arguments"
    );
    assert!(attribute(&provider, "token").sensitive);
    // Pitfall 19: no provider_meta schema, so no request carries it.
    assert_eq!(answer.provider_meta, None);
    assert!(answer.server_capabilities.unwrap().plan_destroy);
}

/// Pitfalls 16 and 17: no call needs another before it; without configuration there is an error, not a failure of the call.
#[tokio::test]
async fn calls_come_in_any_order_and_before_configure() {
    let core = Core::unconfigured();
    let config = config(json!({"name": "a"}));
    assert_eq!(core.validate(&config).await, Vec::<String>::new());
    let planned = core.plan(&Instance::default(), Some(&config)).await;
    assert!(
        !has_errors(&planned.diagnostics),
        "the resource decides whether it needs the provider"
    );
    let answer = core
        .server
        .read_data_source(Request::new(read_request(json!({"name": "a"}))))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&answer.diagnostics)[0].starts_with("error: The provider is not configured (F201)"));

    assert_eq!(
        core.configure(json!({"region": "$unknown"})).await,
        Vec::<String>::new(),
        "an unknown configuration is no error"
    );
    assert!(!has_errors(
        &core.plan(&Instance::default(), Some(&config)).await.diagnostics
    ));
    let answer = core
        .server
        .read_data_source(Request::new(read_request(json!({"name": "a"}))))
        .await
        .unwrap()
        .into_inner();
    let said = texts(&answer.diagnostics);
    assert!(
        said[0].contains("F202") && said[0].contains("`region`"),
        "{said:?}"
    );
}

#[tokio::test]
async fn metadata_names_everything() {
    let core = Core::unconfigured();
    let answer = core
        .server
        .get_metadata(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.resources[0].type_name, NAME);
    assert_eq!(answer.data_sources[0].type_name, "test_things");
    assert_eq!(answer.functions[0].name, "join");
    // Pitfall 21: OpenTofu asks again by this call.
    let functions = core
        .server
        .get_functions(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner()
        .functions;
    assert_eq!(functions, schema(&core).await.functions);
}

#[tokio::test]
async fn every_violation_is_reported_at_once_with_its_path() {
    let core = Core::unconfigured();
    let json = json!({
        "name": "Bad Name", "size": 9, "mode": "sometimes", "note": "forbidden", "networks": ["10.0.0.0/8", "10.0.0/8", "010.0.0.0/8"],
        "password_wo": "x", "rules": [{"port": 80}, {"port": 0}], "timeouts": {"create": "soon"},
    });
    let mut said = core.validate(&config(json)).await;
    said.sort();
    assert_eq!(
        said,
        [
            "error: Conflicting arguments (F304) @ networks: `networks` and `note` exclude each other.\n\nRemove one of them.",
            "error: Invalid value (F101) @ mode: Must be one of `per_zone`, `single`, `none`, got `sometimes`.",
            "error: Invalid value (F101) @ networks.[1]: Expected an IPv4 network in CIDR notation, for example `10.20.0.0/16`, got `10.0.0/8`: invalid IP address syntax.\n\nAt `networks[1]`.",
            "error: Invalid value (F101) @ networks.[2]: Expected an IPv4 network in CIDR notation, for example `10.20.0.0/16`, got `010.0.0.0/8`: invalid IP address syntax.\n\nAt `networks[2]`.",
            "error: Invalid value (F101) @ timeouts.create: Expected a duration, for example `30m` or `1h30m`, got `soon`: numbers with units `h`, `m`, `s`, `ms`, `us`, `ns` are expected.\n\nAt `timeouts.create`.",
            "error: Invalid value (F301) @ name: Must be text of the form `[a-z-]+`, got `Bad Name`.",
            "error: Invalid value (F301) @ rules.[1].port: Must be a number from 1 to 65535, got 0.\n\nAt `rules[1].port`.",
            "error: Invalid value (F301) @ size: Must be a number from 1 to 5, got 9.",
            "error: Missing argument (F305) @ password_wo: `password_wo` needs `password_wo_version`.\n\nSet `password_wo_version` too, or remove `password_wo`.",
        ]
    );
    let said = core
        .validate(&config(json!({"name": "a", "note": "forbidden"})))
        .await;
    assert_eq!(
        said,
        [
            "error: Forbidden note (T001) @ note: This note is forbidden.",
            "warning: Odd name (T002) @ name: Be careful."
        ]
    );
}

#[tokio::test]
async fn refusals_of_secrets_do_not_tell_them() {
    let core = Core::unconfigured();
    let json = json!({"name": "a", "hidden_network": "10.9.8.7x", "password_wo": "Hunter2 and more than twenty", "password_wo_version": 1});
    let said = core.validate(&config(json)).await;
    assert_eq!(said.len(), 3, "{said:?}");
    for secret in ["10.9", "Hunter2", "28"] {
        assert!(
            !said.iter().any(|text| text.contains(secret)),
            "{said:?} tell {secret}"
        );
    }
}

#[tokio::test]
async fn a_set_element_is_not_addressed() {
    let core = Core::unconfigured();
    let Value::Object(mut object) = config(json!({"name": "a"})) else {
        panic!()
    };
    object.insert(
        "doors".to_owned(),
        Value::set(vec![
            Value::object([("colour", Value::Null), ("serial", Value::Null)]),
            Value::Null,
        ]),
    );
    let said = core.validate(&Value::Object(object)).await;
    assert_eq!(
        said,
        [
            "error: Missing argument (F303) @ doors: This argument is required; it is null.\n\nGive it a value.\n\nAt `doors[…].colour`.",
            "error: Null is not allowed (F103) @ doors: This value must not be null.\n\nAt `doors[…]`."
        ],
        "the path ends at the set"
    );
}

#[tokio::test]
async fn write_only_needs_a_host_that_knows_it() {
    let core = Core::unconfigured();
    let request = pb::validate_resource_config::Request {
        type_name: NAME.to_owned(),
        config: pack(
            &config(json!({"name": "a", "password_wo": "x", "password_wo_version": 1})),
            &ty(),
        ),
        client_capabilities: None,
    };
    let answer = core
        .server
        .validate_resource_config(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&answer.diagnostics)[0].contains("F302"));
}

#[tokio::test]
async fn the_provider_is_validated_and_warns_while_it_configures() {
    let core = Core::unconfigured();
    let provider = crate::thing::Config::block().ty();
    let request = pb::validate_provider_config::Request {
        config: pack(&value(&json!({"region": "nowhere"}), &provider), &provider),
    };
    let answer = core
        .server
        .validate_provider_config(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        texts(&answer.diagnostics),
        ["error: No such region (T020) @ region: There is no region `nowhere`."]
    );
    assert_eq!(
        core.configure(json!({"region": "warn"})).await,
        ["warning: Odd region (T021) @ region: Odd."]
    );
}

#[tokio::test]
async fn a_refresh_that_could_not_look_keeps_everything() {
    let core = Core::new().await;
    let before = core.bring(&Instance::default(), json!({"name": "a"})).await;
    let (same, said) = core.refresh(&before).await;
    assert_eq!(
        (same.state.as_ref(), &same.private, said),
        (before.state.as_ref(), &before.private, vec![])
    );
    assert_eq!(identity_text(same.identity.as_ref()), "t-1");

    core.world.on_read(|_| {
        Applied::failed(
            None,
            PrivateState::new(),
            Diagnostic::error("T300", "Denied", "Access denied."),
        )
    });
    let (after, said) = core.refresh(&before).await;
    assert_eq!(said, ["error: Denied (T300): Access denied."]);
    assert_eq!(
        (after.state, after.private),
        (before.state.clone(), before.private.clone())
    );

    core.world.on_read(|_| Applied::gone());
    assert_eq!(core.refresh(&before).await.0.state, None);

    core.world.on_read(|request| {
        Applied::done(
            Thing {
                note: Attr::Unknown,
                ..request.state
            },
            request.private,
        )
    });
    let (after, said) = core.refresh(&before).await;
    assert!(said[0].contains("F401") && after.state.is_some(), "{said:?}");
}

#[tokio::test]
async fn a_refresh_while_the_configuration_is_unknown_keeps_everything_and_says_so() {
    let core = Core::new().await;
    let before = core.bring(&Instance::default(), json!({"name": "a"})).await;
    assert_eq!(
        core.configure(json!({"region": "$unknown"})).await,
        Vec::<String>::new()
    );
    core.world.on_read(|_| panic!("there is nothing to look with"));
    let (same, said) = core.refresh(&before).await;
    assert_eq!(
        (same.state, same.private, same.identity),
        (before.state, before.private, before.identity)
    );
    assert!(
        said.len() == 1 && said[0].starts_with("warning: Not refreshed (F211)"),
        "{said:?}"
    );
}

/// Pitfall 18: nothing at all is null.
#[tokio::test]
async fn an_absent_value_is_null() {
    let core = Core::new().await;
    let request = pb::read_resource::Request {
        type_name: NAME.to_owned(),
        ..Default::default()
    };
    let answer = core
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(unpack(answer.new_state.as_ref(), &ty()).is_null() && answer.diagnostics.is_empty());
    let empty = pb::DynamicValue::default();
    let request = pb::read_resource::Request {
        type_name: NAME.to_owned(),
        current_state: Some(empty),
        ..Default::default()
    };
    let answer = core
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(unpack(answer.new_state.as_ref(), &ty()).is_null());
}

fn import_request(id: &str, identity: Option<serde_json::Value>) -> pb::import_resource_state::Request {
    let ty = ThingIdentity::block().ty();
    pb::import_resource_state::Request {
        type_name: NAME.to_owned(),
        id: id.to_owned(),
        identity: identity.map(|json| pb::ResourceIdentityData {
            identity_data: pack(&value(&json, &ty), &ty),
        }),
        client_capabilities: None,
    }
}

#[tokio::test]
async fn import_by_id_and_by_identity() {
    let core = Core::new().await;
    for request in [
        import_request("t-7", None),
        import_request("", Some(json!({"id": "t-7"}))),
    ] {
        let answer = core
            .server
            .import_resource_state(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        let [imported] = &answer.imported_resources[..] else {
            panic!("{answer:?}")
        };
        let state = unpack(imported.state.as_ref(), &ty());
        assert_eq!(state.get("id"), &Value::string("t-7"));
        assert_eq!(state.get("disk"), &Value::list([]), "blocks are never null");
        assert!(state.get("password_wo").is_null(), "pitfall 15");
        assert_eq!(identity_text(imported.identity.as_ref()), "t-7");
    }
    let answer = core
        .server
        .import_resource_state(Request::new(import_request("missing", None)))
        .await
        .unwrap()
        .into_inner();
    assert!(answer.imported_resources.is_empty());
    assert!(texts(&answer.diagnostics)[0].contains("F207"));
}

#[tokio::test]
async fn identities_have_a_schema_and_are_upgraded() {
    let core = Core::unconfigured();
    let schemas = core
        .server
        .get_resource_identity_schemas(Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner()
        .identity_schemas;
    let attributes = &schemas[NAME].identity_attributes;
    let marks: Vec<_> = attributes
        .iter()
        .map(|a| (a.name.as_str(), a.required_for_import, a.optional_for_import))
        .collect();
    assert_eq!(marks, [("id", true, false), ("region", false, true)]);
    let upgrade = async |version, json: &str| {
        let raw_identity = Some(pb::RawState {
            json: json.as_bytes().to_vec(),
            ..Default::default()
        });
        let request = pb::upgrade_resource_identity::Request {
            type_name: NAME.to_owned(),
            version,
            raw_identity,
        };
        core.server
            .upgrade_resource_identity(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    for (version, json) in [
        (0, r#"{"no":1}"#),
        (1, r#"{"number":1}"#),
        (2, r#"{"id":"t-1","gone":1}"#),
    ] {
        let answer = upgrade(version, json).await;
        assert_eq!(
            identity_text(answer.upgraded_identity.as_ref()),
            "t-1",
            "from version {version}"
        );
    }
    assert!(texts(&upgrade(3, "{}").await.diagnostics)[0].contains("F209"));
}

async fn upgrade(core: &Core, version: i64, json: &str) -> (Value, Vec<String>) {
    let request = pb::upgrade_resource_state::Request {
        type_name: NAME.to_owned(),
        version,
        raw_state: Some(pb::RawState {
            json: json.as_bytes().to_vec(),
            ..Default::default()
        }),
    };
    let answer = core
        .server
        .upgrade_resource_state(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    (
        unpack(answer.upgraded_state.as_ref(), &ty()),
        texts(&answer.diagnostics),
    )
}

#[tokio::test]
async fn states_are_upgraded_one_version_at_a_time() {
    let core = Core::unconfigured();
    let (state, said) = upgrade(
        &core,
        0,
        "{\n  \"title\": \"a\",\n  \"size\": \"small\",\n  \"long_gone\": [1]\n}",
    )
    .await;
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(
        (state.get("name"), state.get("size")),
        (&Value::string("a"), &Value::from(1))
    );
    assert_eq!(
        state.get("disk"),
        &Value::list([]),
        "a block that is new is empty"
    );
    let (state, _) = upgrade(&core, 1, r#"{"name": "a", "size": "large"}"#).await;
    assert_eq!(state.get("size"), &Value::from(5));
    // Also called where nothing is to be done.
    let (state, said) = upgrade(
        &core,
        2,
        r#"{"name": "a", "size": 3, "rules": [{"port": 1, "old": true}], "password_wo": "x"}"#,
    )
    .await;
    assert_eq!((state.get("size"), said), (&Value::from(3), vec![]));
    assert_eq!(
        state.get("rules").elements()[0].get("port"),
        &Value::from(1),
        "dropped attributes inside lists too"
    );
    assert!(
        state.get("password_wo").is_null(),
        "a state written by something else may hold it"
    );

    let (state, said) = upgrade(&core, 3, "{}").await;
    assert!(
        state.is_null() && said[0].contains("State of a newer provider (F209)"),
        "{said:?}"
    );
    let (_, said) = upgrade(&core, 2, "not json").await;
    assert!(said[0].contains("F205"), "{said:?}");
    let (_, said) = upgrade(&core, 2, r#"{"size": [1]}"#).await;
    assert!(said[0].contains("size: number expected"), "{said:?}");
}

#[tokio::test]
async fn moves_come_from_types_that_the_resource_knows() {
    let core = Core::unconfigured();
    let request = |source: &str| pb::move_resource_state::Request {
        source_provider_address: "registry.terraform.io/x/other".to_owned(),
        source_type_name: source.to_owned(),
        source_state: Some(pb::RawState {
            json: br#"{"title": "a"}"#.to_vec(),
            ..Default::default()
        }),
        target_type_name: NAME.to_owned(),
        ..Default::default()
    };
    let answer = core
        .server
        .move_resource_state(Request::new(request("other_thing")))
        .await
        .unwrap()
        .into_inner();
    let state = unpack(answer.target_state.as_ref(), &ty());
    assert_eq!(state.get("name"), &Value::string("a"));
    assert!(state.get("password_wo").is_null(), "pitfall 15");
    assert_eq!(identity_text(answer.target_identity.as_ref()), "t-9");
    let answer = core
        .server
        .move_resource_state(Request::new(request("strange_thing")))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&answer.diagnostics)[0].contains("F208"));
}

fn read_request(json: serde_json::Value) -> pb::read_data_source::Request {
    let ty = Lookup::block().ty();
    pb::read_data_source::Request {
        type_name: "test_things".to_owned(),
        config: pack(&value(&json, &ty), &ty),
        ..Default::default()
    }
}

#[tokio::test]
async fn data_sources_have_defaults_warnings_and_errors() {
    let core = Core::new().await;
    let ty = Lookup::block().ty();
    let read = async |json| {
        let answer = core
            .server
            .read_data_source(Request::new(read_request(json)))
            .await
            .unwrap()
            .into_inner();
        (unpack(answer.state.as_ref(), &ty), texts(&answer.diagnostics))
    };
    let (state, said) = read(json!({"name": "a"})).await;
    assert_eq!(
        state.get("ids"),
        &Value::list(vec![Value::string("limit-10")]),
        "the default reached the resource"
    );
    assert_eq!(state.get("limit"), &Value::from(10));
    assert_eq!(said, ["warning: Slow (T010) @ name: This may take a while."]);
    let (state, said) = read(json!({"name": "nothing"})).await;
    assert!(state.is_null());
    assert_eq!(said[1], "error: Not found (T011) @ name: Nothing of that name.");
    let (state, said) = read(json!({"name": "broken"})).await;
    assert!(state.get("ids").is_null() && said[1].contains("F401"), "{said:?}");
}

#[tokio::test]
async fn functions_have_null_variadic_and_argument_errors() {
    let core = Core::unconfigured();
    let functions = schema(&core).await.functions;
    let join = &functions["join"];
    let parameters: Vec<_> = join
        .parameters
        .iter()
        .map(|p| (p.name.as_str(), p.allow_null_value, p.allow_unknown_values))
        .collect();
    assert_eq!(parameters, [("separator", false, false), ("prefix", true, false)]);
    assert_eq!(join.variadic_parameter.as_ref().unwrap().name, "parts");
    assert_eq!(join.r#return.as_ref().unwrap().r#type, b"\"string\"");

    let call = async |arguments: &[Value]| {
        let arguments = arguments
            .iter()
            .map(|v| pack(v, &framework::Type::String).unwrap())
            .collect();
        let request = pb::call_function::Request {
            name: "join".to_owned(),
            arguments,
        };
        core.server
            .call_function(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    let [comma, null, a, b, bad] = [
        Value::string(","),
        Value::Null,
        "a".into(),
        "b".into(),
        "bad".into(),
    ];
    let result = call(&[comma.clone(), null.clone(), a.clone(), b.clone()])
        .await
        .result;
    assert_eq!(
        unpack(result.as_ref(), &framework::Type::String),
        Value::string("a,b")
    );
    let result = call(&[comma.clone(), "> ".into()]).await.result;
    assert_eq!(
        unpack(result.as_ref(), &framework::Type::String),
        Value::string("> "),
        "no variadic values at all"
    );
    let error = call(&[comma.clone(), null.clone(), a.clone(), bad])
        .await
        .error
        .unwrap();
    assert_eq!(
        (error.text.as_str(), error.function_argument),
        ("a bad part", Some(3))
    );
    let error = call(&[null.clone(), null]).await.error.unwrap();
    assert_eq!(error.function_argument, Some(0), "{error:?}");
    assert!(call(&[comma]).await.error.unwrap().text.contains("expected"));
}

#[tokio::test]
async fn stop_ends_a_wait_at_once_and_a_new_run_starts_fresh() {
    let core = Core::new().await;
    let config = config(json!({"name": "a", "note": "wait"}));
    let planned = core.plan(&Instance::default(), Some(&config)).await;
    let nothing = Instance::default();
    let (applied, ()) = tokio::join!(core.apply(&nothing, &planned), async {
        while core.world.log.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        core.server
            .stop_provider(Request::new(Default::default()))
            .await
            .unwrap();
    });
    assert_eq!(applied.1, ["error: Interrupted (T400): Stopped while waiting."]);
    assert!(applied.0.state.is_some(), "the partial state is kept");
    // Calls after a stop still answer, but find themselves cancelled …
    assert!(has_errors(&core.apply(&Instance::default(), &planned).await.1));
    // … until a host that keeps the process begins another run.
    assert_eq!(core.configure(json!({})).await, Vec::<String>::new());
    core.server
        .stop_provider(Request::new(Default::default()))
        .await
        .unwrap();
    assert_eq!(core.configure(json!({})).await, Vec::<String>::new());
    core.bring(&Instance::default(), json!({"name": "a"})).await;
    assert_eq!(*core.world.log.lock().unwrap(), ["create", "create", "create"]);
}

#[tokio::test]
async fn two_resources_of_one_name_are_told_apart_within_a_run_only() {
    let core = Core::new().await;
    let cx = framework::Context::for_tests(framework::Configured::from(Arc::clone(&core.world)));
    assert!(cx.claim("network/main"));
    assert!(!cx.claim("network/main"), "a second resource of the name");
    assert!(cx.claim("network/other"));
}

#[tokio::test]
async fn unknown_names_are_errors_in_the_answer() {
    let core = Core::new().await;
    let request = pb::read_resource::Request {
        type_name: "test_nothing".to_owned(),
        current_state: pack(&Value::Null, &ty()),
        ..Default::default()
    };
    let answer = core
        .server
        .read_resource(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&answer.diagnostics)[0].contains("Unknown resource type (F003)"));
    let request = pb::call_function::Request {
        name: "nothing".to_owned(),
        arguments: vec![],
    };
    assert!(
        core.server
            .call_function(Request::new(request))
            .await
            .unwrap()
            .into_inner()
            .error
            .is_some()
    );
    let request = pb::get_states::Request {
        type_name: "x".to_owned(),
    };
    let answer = core
        .server
        .get_states(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    assert!(texts(&answer.diagnostics)[0].contains("state store"));
}

#[tokio::test]
async fn a_generated_configuration_is_valid_and_gives_the_state() {
    let core = Core::new().await;
    let before = core
        .bring(
            &Instance::default(),
            json!({"name": "a", "size": 3, "rules": [{"port": 80, "action": "deny"}], "disk": [{"size": 1}]}),
        )
        .await;
    let request = pb::generate_resource_config::Request {
        type_name: NAME.to_owned(),
        state: pack(before.state.as_ref().unwrap(), &ty()),
    };
    let answer = core
        .server
        .generate_resource_config(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    let generated = unpack(answer.config.as_ref(), &ty());
    assert!(generated.get("mode").is_null(), "defaults are left out");
    assert!(
        generated.get("id").is_null() && generated.get("rules").elements()[0].get("rule_id").is_null(),
        "what is computed is left out"
    );
    assert_eq!(core.validate(&generated).await, Vec::<String>::new());
    let planned = core.plan(&before, Some(&generated)).await;
    assert_eq!(planned.state, before.state, "it describes what is there");
}

#[test]
fn encoding_has_every_attribute_of_the_schema() {
    assert_eq!(Thing::default().encode().conformance(&block().ty()), vec![]);
    assert_eq!(
        framework::schema::defects(&framework::schema::Schema {
            version: 0,
            block: block()
        }),
        Vec::<String>::new()
    );
}
