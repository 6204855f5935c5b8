//! Plans: unknown only where something changes, replacement, the resource's own step, determinism.

use std::sync::Arc;

use framework::{Applied, Attr, Path, Plan, PlanKind, Value};
use serde_json::json;

use crate::core::{Action, Core, Instance, config, has_errors, identity_text};
use crate::thing::{Thing, filled};

#[tokio::test]
async fn a_create_knows_everything_but_what_the_service_invents() {
    let core = Core::new().await;
    let config = config(json!({"name": "a", "rules": [{"port": 80}], "disk": [{"size": 1}]}));
    let planned = core.plan(&Instance::default(), Some(&config)).await;
    let state = planned.state.unwrap();
    assert_eq!(planned.action, Action::Create);
    assert_eq!(state.get("size"), &Value::from(1), "the default");
    assert_eq!(state.get("mode"), &Value::string("per_zone"), "the default");
    assert_eq!(
        state.get("rules").elements()[0].get("action"),
        &Value::string("allow"),
        "a default inside a list"
    );
    let unknown = |v: &Value, name: &str| v.get(name).is_unknown();
    for name in ["id", "stamp", "zone", "drift"] {
        assert!(unknown(&state, name), "{name} is not known before apply");
    }
    assert!(unknown(&state.get("rules").elements()[0], "rule_id"));
    assert!(
        unknown(&state.get("disk").elements()[0], "device"),
        "computed inside a block"
    );
    for name in ["note", "labels", "networks", "doors", "anything"] {
        assert!(state.get(name).is_null(), "{name} was not set");
    }
}

/// Pitfall 13: an unneeded unknown turns a plan without changes into an update.
#[tokio::test]
async fn nothing_is_unknown_where_nothing_changes() {
    let core = Core::new().await;
    let json = json!({"name": "a", "rules": [{"port": 80}], "doors": [{"colour": "red"}], "disk": [{"size": 1}], "anything": "x"});
    let after = core.bring(&Instance::default(), json.clone()).await;
    let planned = core.plan(&after, Some(&config(json))).await;
    assert_eq!(planned.action, Action::NoOp);
    assert_eq!(planned.state, after.state);
}

#[tokio::test]
async fn an_update_marks_what_may_change_and_keeps_what_stays() {
    let core = Core::new().await;
    let after = core
        .bring(
            &Instance::default(),
            json!({"name": "a", "rules": [{"port": 80}, {"port": 81}]}),
        )
        .await;
    let planned = core
        .plan(
            &after,
            Some(&config(
                json!({"name": "a", "note": "new", "rules": [{"port": 80}, {"port": 82}]}),
            )),
        )
        .await;
    let state = planned.state.unwrap();
    assert_eq!(planned.action, Action::Update);
    assert_eq!(state.get("id"), &Value::string("t-1"), "marked `keep`");
    assert!(state.get("stamp").is_unknown(), "computed, may change");
    assert!(
        state.get("zone").is_unknown(),
        "optional, computed, not configured"
    );
    assert_eq!(
        state.get("rules").elements()[0].get("rule_id"),
        &Value::string("r-0"),
        "kept inside a list"
    );
}

#[tokio::test]
async fn only_a_change_of_a_marked_argument_replaces() {
    let core = Core::new().await;
    let after = core
        .bring(
            &Instance::default(),
            json!({"name": "a", "disk": [{"size": 1, "kind": "x"}]}),
        )
        .await;
    for (json, replace) in [
        (
            json!({"name": "a", "size": 2, "disk": [{"size": 2, "kind": "x"}]}),
            vec![],
        ),
        (
            json!({"name": "b", "disk": [{"size": 1, "kind": "x"}]}),
            vec!["name"],
        ),
        (
            json!({"name": "$unknown", "disk": [{"size": 1, "kind": "x"}]}),
            vec!["name"],
        ),
        (
            json!({"name": "b", "disk": [{"size": 1, "kind": "y"}]}),
            vec!["disk.[0].kind", "name"],
        ),
        (json!({"name": "a", "disk": []}), vec!["disk.[0].kind"]),
    ] {
        let planned = core.plan(&after, Some(&config(json.clone()))).await;
        assert_eq!(planned.replace, replace, "{json}");
        assert_eq!(
            planned.action,
            if replace.is_empty() {
                Action::Update
            } else {
                Action::Replace
            }
        );
    }
}

#[tokio::test]
async fn a_replacement_knows_nothing_of_what_it_replaces() {
    let core = Core::new().await;
    let after = core.bring(&Instance::default(), json!({"name": "a"})).await;
    let planned = core.plan(&after, Some(&config(json!({"name": "b"})))).await;
    assert!(
        planned.state.unwrap().get("id").is_unknown(),
        "the id of the old thing is not that of the new one"
    );
    assert_eq!(
        *core.world.kinds.lock().unwrap().last().unwrap(),
        PlanKind::Replace
    );
    let after = core.bring(&after, json!({"name": "b"})).await;
    assert_eq!(after.state.unwrap().get("name"), &Value::string("b"));
    assert_eq!(*core.world.log.lock().unwrap(), ["create", "delete", "create"]);
}

#[tokio::test]
async fn the_resources_step_sets_computed_values_and_nothing_is_marked_after_it() {
    let core = Core::new().await;
    let after = core.bring(&Instance::default(), json!({"name": "a"})).await;
    // A refresh found drift; the plan sets it to empty: an update in place in which nothing else is unknown.
    let Some(Value::Object(mut state)) = after.state.clone() else {
        panic!()
    };
    state.insert(
        "drift".to_owned(),
        Value::list(vec![Value::string("route missing")]),
    );
    let drifted = Instance {
        state: Some(Value::Object(state)),
        ..after
    };
    core.world.on_plan(|plan| {
        if let Some(planned) = &mut plan.planned {
            planned.drift = Attr::Known(vec![]);
        }
    });
    let planned = core.plan(&drifted, Some(&config(json!({"name": "a"})))).await;
    assert_eq!(planned.action, Action::Update);
    let state = planned.state.unwrap();
    assert_eq!(state.get("drift"), &Value::list([]));
    assert!(state.is_wholly_known(), "nothing else became unknown: {state:?}");
}

#[tokio::test]
async fn a_step_that_takes_the_change_back_leaves_no_change() {
    let core = Core::new().await;
    let after = core
        .bring(
            &Instance::default(),
            json!({"name": "a", "zone": "Zone-A", "rules": [{"port": 1}], "doors": [{"colour": "red"}]}),
        )
        .await;
    // The service says zone-a; what the user writes means the same.
    core.world.on_plan(|plan| {
        if let (Some(planned), Some(prior)) = (&mut plan.planned, &plan.prior)
            && planned.zone.known().map(|z| z.to_lowercase()) == prior.zone.known().map(|z| z.to_lowercase())
        {
            planned.zone = prior.zone.clone();
        }
    });
    let planned = core
        .plan(
            &after,
            Some(&config(
                json!({"name": "a", "zone": "ZONE-A", "rules": [{"port": 1}], "doors": [{"colour": "red"}]}),
            )),
        )
        .await;
    assert_eq!(planned.diagnostics, Vec::<String>::new());
    assert_eq!(planned.action, Action::NoOp, "{:?}", planned.state);
}

#[tokio::test]
async fn a_step_can_replace_and_its_paths_come_sorted_and_once() {
    let core = Core::new().await;
    let after = core
        .bring(&Instance::default(), json!({"name": "a", "note": "x"}))
        .await;
    core.world.on_plan(|plan| {
        let names = ["stamp", "note", "note", "name", "id"];
        plan.replace.extend(names.map(Path::from));
    });
    let planned = core
        .plan(&after, Some(&config(json!({"name": "a", "note": "y"}))))
        .await;
    assert_eq!(
        planned.replace,
        ["note", "stamp"],
        "paths that do not change are dropped: core would refuse or ignore them"
    );
}

#[tokio::test]
async fn a_step_that_contradicts_the_configuration_is_our_own_error() {
    let core = Core::new().await;
    core.world.on_plan(|plan| {
        if let Some(planned) = &mut plan.planned {
            planned.note = Attr::from("something else");
        }
    });
    let planned = core
        .plan(
            &Instance::default(),
            Some(&config(json!({"name": "a", "note": "mine"}))),
        )
        .await;
    assert_eq!(planned.diagnostics.len(), 1);
    assert!(
        planned.diagnostics[0]
            .starts_with("error: Defect of the provider (F401) @ note: `note`: another value was planned"),
        "{:?}",
        planned.diagnostics
    );
    let planned = core
        .plan(&Instance::default(), Some(&config(json!({"name": "a"}))))
        .await;
    assert!(
        planned.diagnostics[0].contains("for an argument that is not set"),
        "{:?}",
        planned.diagnostics
    );
}

/// Pitfall 8: an unknown argument is never taken for a zero value, nor lost.
#[tokio::test]
async fn unknown_arguments_stay_unknown() {
    let core = Core::new().await;
    core.world.on_plan(|plan| {
        let config = plan.config.as_ref().unwrap();
        assert_eq!(config.size, Attr::Unknown);
        assert_eq!(
            config.networks,
            Attr::Unknown,
            "one unknown element makes a list of plain elements unknown"
        );
        assert_eq!(config.disk.known().unwrap()[0].size, Attr::Unknown);
        assert_eq!(config.labels, Attr::Unknown);
    });
    let config = config(json!({
        "name": "a", "size": "$unknown", "networks": ["10.0.0.0/8", "$unknown"], "labels": {"a": "$unknown"},
        "disk": [{"size": "$unknown"}], "rules": "$unknown",
    }));
    assert_eq!(core.validate(&config).await, Vec::<String>::new());
    let planned = core.plan(&Instance::default(), Some(&config)).await;
    assert!(!has_errors(&planned.diagnostics), "{:?}", planned.diagnostics);
    let state = planned.state.unwrap();
    for name in ["size", "networks", "labels", "rules"] {
        assert_eq!(
            state.get(name),
            config.get(name),
            "{name} stays as configured, down to its known elements"
        );
    }
}

/// A step that asks only "is it known?" would plan another value than the configuration will have.
#[tokio::test]
async fn a_step_cannot_overwrite_what_is_not_known_yet() {
    let core = Core::new().await;
    core.world.on_plan(|plan| {
        let planned = plan.planned.as_mut().unwrap();
        planned.note = Attr::from("mine");
        planned.zone = Attr::from("zone-b");
        planned.networks = Attr::Known(vec![]);
        if let Attr::Known(disks) = &mut planned.disk {
            disks[0].size = Attr::Known(1);
        }
    });
    let config = config(json!({
        "name": "a", "note": "$unknown", "zone": "$unknown", "networks": ["10.0.0.0/8", "$unknown"],
        "disk": [{"size": "$unknown"}],
    }));
    let planned = core.plan(&Instance::default(), Some(&config)).await;
    assert!(!has_errors(&planned.diagnostics), "{:?}", planned.diagnostics);
    let state = planned.state.unwrap();
    for name in ["note", "zone", "networks"] {
        assert_eq!(state.get(name), config.get(name), "{name} stays as configured");
    }
    assert!(state.get("disk").elements()[0].get("size").is_unknown());
}

#[tokio::test]
async fn an_identity_changes_only_by_replacement() {
    let core = Core::new().await;
    let after = core.bring(&Instance::default(), json!({"name": "a"})).await;
    assert_eq!(identity_text(after.identity.as_ref()), "t-1");
    let says = |diagnostics: &[String]| {
        assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
        assert!(
            diagnostics[0].contains("error: Defect of the provider (F401): `id` of the identity"),
            "{diagnostics:?}"
        );
    };
    let changed = config(json!({"name": "a", "note": "x"}));
    let with_id =
        |id: Attr<String>| move |plan: &mut Plan<Thing>| plan.planned.as_mut().unwrap().id = id.clone();
    core.world.on_plan(with_id(Attr::from("t-2")));
    says(&core.plan(&after, Some(&changed)).await.diagnostics);
    // Unknown at plan: found out at apply. What was changed stays in the state, under the old identity.
    core.world.on_plan(with_id(Attr::Unknown));
    core.world.on_update(|request| {
        let thing = Thing {
            id: Attr::from("t-2"),
            ..filled(request.planned)
        };
        Applied::done(thing, request.private)
    });
    let planned = core.plan(&after, Some(&changed)).await;
    let (updated, diagnostics) = core.apply(&after, &planned).await;
    says(&diagnostics);
    assert_eq!(updated.state.unwrap().get("note").as_str(), Some("x"));
    assert_eq!(identity_text(updated.identity.as_ref()), "t-1");
    // A refresh that finds another thing has not found this one.
    core.world.on_read(|request| {
        let thing = Thing {
            id: Attr::from("t-3"),
            ..request.state
        };
        Applied::done(thing, request.private)
    });
    let (refreshed, diagnostics) = core.refresh(&after).await;
    says(&diagnostics);
    assert_eq!(
        (&refreshed.state, identity_text(refreshed.identity.as_ref())),
        (&after.state, "t-1".to_owned())
    );
}

/// Core would call it an invalid plan of the provider.
#[tokio::test]
async fn elements_that_defaults_make_equal_are_refused_with_a_reason() {
    let core = Core::new().await;
    let json = json!({"name": "a", "tickets": [{"row": 1}, {"row": 1, "price": 5}]});
    let planned = core.plan(&Instance::default(), Some(&config(json))).await;
    assert_eq!(planned.diagnostics.len(), 1, "{:?}", planned.diagnostics);
    assert!(
        planned.diagnostics[0].starts_with("error: Equal elements (F307) @ tickets"),
        "{:?}",
        planned.diagnostics
    );
    core.bring(
        &Instance::default(),
        json!({"name": "a", "tickets": [{"row": 1}, {"row": 2}, {"row": 2, "price": 6}]}),
    )
    .await;
}

/// Pitfall 14: the same question gets the same answer, also from another process.
#[tokio::test]
async fn plans_are_deterministic() {
    let json = json!({"name": "a", "rules": [{"port": 80}], "doors": [{"colour": "red"}, {"colour": "blue"}], "labels": {"z": "1", "a": "2"}});
    let (one, two) = (Core::new().await, Core::new().await);
    let first = one.plan(&Instance::default(), Some(&config(json.clone()))).await;
    let again = one.plan(&Instance::default(), Some(&config(json.clone()))).await;
    let other = two.plan(&Instance::default(), Some(&config(json))).await;
    assert_eq!((&first.state, &first.private), (&again.state, &again.private));
    assert_eq!((&first.state, &first.private), (&other.state, &other.private));
}

#[tokio::test]
async fn a_destroy_asks_the_resource_too() {
    let core = Core::new().await;
    let after = core.bring(&Instance::default(), json!({"name": "a"})).await;
    let world = Arc::clone(&core.world);
    core.world.on_plan(move |plan| {
        if plan.kind == PlanKind::Destroy {
            assert!(plan.planned.is_none() && plan.config.is_none());
            world.log.lock().unwrap().push(format!(
                "destroying {}",
                plan.prior.as_ref().unwrap().id.known().unwrap()
            ));
            plan.diagnostics
                .warning("T100", Path::root(), "Snapshots stay", "…");
        }
    });
    let planned = core.plan(&after, None).await;
    assert_eq!(planned.diagnostics, ["warning: Snapshots stay (T100): …"]);
    assert!(
        core.world
            .log
            .lock()
            .unwrap()
            .contains(&"destroying t-1".to_owned())
    );
    let (after, diagnostics) = core.apply(&after, &planned).await;
    assert_eq!((after.state, diagnostics), (None, vec![]));
}
