//! Apply: markers, partial state, private state, write-only values, and answers that break core's rules.

use framework::{Applied, Attr, Diagnostic, Marker, PlanKind, PrivateState, Value};
use serde_json::json;

use crate::core::{Action, Core, Instance, config, has_errors, identity_text};
use crate::thing::{Thing, filled};

fn failure() -> Diagnostic {
    Diagnostic::error("T200", "Service failed", "It said no.")
        .hint("Ask again.")
        .at("size")
}

async fn planned_and_applied(
    core: &Core,
    instance: &Instance,
    json: serde_json::Value,
) -> (Instance, Vec<String>) {
    let config = config(json);
    let planned = core.plan(instance, Some(&config)).await;
    assert!(!has_errors(&planned.diagnostics), "{:?}", planned.diagnostics);
    core.apply(instance, &planned).await
}

/// Pitfalls 11 and 12: a failed create keeps what was made, and what was remembered about it.
#[tokio::test]
async fn a_create_that_fails_half_way_keeps_its_partial_state_and_private_data() {
    let core = Core::new().await;
    core.world.on_create(|request| {
        let mut private = request.private;
        private.set("vpc", "vpc-1");
        // Unknown is what was not made; it may not stay unknown.
        let partial = Thing {
            id: Attr::from("t-1"),
            ..request.planned
        };
        Applied::failed(Some(partial), private, failure())
    });
    let (after, diagnostics) = planned_and_applied(
        &core,
        &Instance::default(),
        json!({"name": "a", "rules": [{"port": 1}]}),
    )
    .await;
    assert_eq!(
        diagnostics,
        ["error: Service failed (T200) @ size: It said no.\n\nAsk again."]
    );
    assert!(after.tainted);
    let state = after.state.as_ref().unwrap();
    assert_eq!(state.get("id"), &Value::string("t-1"));
    assert!(state.get("stamp").is_null(), "not made, so null");
    assert_eq!(
        PrivateState::from_wire(&after.private).unwrap().get("vpc"),
        Some(b"vpc-1".as_slice())
    );
    assert_eq!(identity_text(after.identity.as_ref()), "t-1");
}

#[tokio::test]
async fn a_create_that_made_nothing_leaves_nothing() {
    let core = Core::new().await;
    core.world
        .on_create(|request| Applied::failed(None, request.private, failure()));
    let (after, diagnostics) = planned_and_applied(&core, &Instance::default(), json!({"name": "a"})).await;
    assert!(has_errors(&diagnostics) && after.state.is_none() && !after.tainted);
}

#[tokio::test]
async fn a_tainted_thing_of_the_same_place_is_told_from_one_that_is_replaced() {
    let core = Core::new().await;
    core.world.on_create(|request| {
        Applied::failed(
            Some(Thing {
                id: Attr::from("t-1"),
                ..request.planned
            }),
            PrivateState::new(),
            failure(),
        )
    });
    core.world.on_delete(|request| {
        // What design.md asks of a resource: what will be continued is left alone.
        assert_eq!(
            request.private,
            PrivateState::new(),
            "core gives a tainted object no private state"
        );
        if request.marker.same_place(&request.prior) {
            Applied::gone()
        } else {
            Applied::failed(Some(request.prior), request.private, failure())
        }
    });
    let (tainted, _) = planned_and_applied(&core, &Instance::default(), json!({"name": "a"})).await;

    // The same place: the destroying half leaves everything, the creating half continues.
    *core.world.create.lock().unwrap() = None;
    let (after, diagnostics) = planned_and_applied(&core, &tainted, json!({"name": "a", "size": 3})).await;
    assert_eq!(diagnostics, Vec::<String>::new());
    assert_eq!(after.state.unwrap().get("size"), &Value::from(3));

    // Another place: really destroyed (here that fails).
    let (after, diagnostics) = planned_and_applied(&core, &tainted, json!({"name": "b"})).await;
    assert!(has_errors(&diagnostics));
    assert_eq!(after.state, tainted.state);

    // Unknown at plan whether it is the same place: really destroyed.
    let unknown = core
        .plan(&tainted, Some(&config(json!({"name": "$unknown"}))))
        .await;
    let private = PrivateState::from_wire(&unknown.private).unwrap();
    assert!(private.get(".marker").is_some());
    let (_, diagnostics) = core
        .apply(
            &tainted,
            &crate::core::Planned {
                action: Action::Delete,
                ..unknown
            },
        )
        .await;
    assert!(has_errors(&diagnostics));
}

#[tokio::test]
async fn each_kind_of_plan_leaves_its_marker_and_none_is_stored() {
    let core = Core::new().await;
    core.world.on_plan(|plan| {
        let inherited = plan.private.get("made").is_some();
        assert_eq!(
            inherited,
            matches!(plan.kind, PlanKind::Update | PlanKind::Destroy),
            "{:?}",
            plan.kind
        );
        plan.private.set("planned", "yes");
    });
    let after = core.bring(&Instance::default(), json!({"name": "a"})).await;
    let stored = PrivateState::from_wire(&after.private).unwrap();
    assert_eq!(stored.get("made"), Some(b"yes".as_slice()));
    assert_eq!(stored.get(".marker"), None, "the marker is not stored");

    let (after, _) = planned_and_applied(&core, &after, json!({"name": "b"})).await;
    let destroy = core.plan(&after, None).await;
    core.apply(&after, &destroy).await;

    let markers = core.world.markers.lock().unwrap().clone();
    let [
        (created, _),
        (replaced, of_old),
        (_, of_new),
        (destroyed, of_destroyed),
    ] = &markers[..]
    else {
        panic!("{markers:?}")
    };
    assert!(matches!(created, Marker::Create { force_new } if force_new["name"] == Some(json!("a"))));
    assert_eq!(replaced, &Marker::Replace, "the destroying half of a replacement");
    assert_eq!(
        of_old.get("made"),
        Some(b"yes".as_slice()),
        "it has the private state of what it destroys"
    );
    assert_eq!(of_new.get("made"), None, "the new thing does not inherit it");
    assert_eq!(of_new.get("planned"), Some(b"yes".as_slice()));
    for private in [of_old, of_new, of_destroyed] {
        assert_eq!(
            private.get(".marker"),
            None,
            "what is the framework's own is not shown to the resource"
        );
    }
    assert_eq!(destroyed, &Marker::Destroy);
    assert_eq!(of_destroyed.get("made"), Some(b"yes".as_slice()));
}

#[tokio::test]
async fn a_resource_cannot_write_what_is_the_frameworks() {
    let core = Core::new().await;
    core.world.on_create(|request| {
        let mut private = request.private;
        private.set(".marker", r#"{"kind":"create","force_new":{}}"#);
        private.set("own", "x");
        Applied::done(filled(request.planned), private)
    });
    let after = core.bring(&Instance::default(), json!({"name": "a"})).await;
    let stored = PrivateState::from_wire(&after.private).unwrap();
    assert_eq!(
        (stored.get(".marker"), stored.get("own")),
        (None, Some(b"x".as_slice()))
    );
}

#[tokio::test]
async fn an_update_that_fails_keeps_state_and_private_data() {
    let core = Core::new().await;
    let before = core.bring(&Instance::default(), json!({"name": "a"})).await;
    // With the state as it is now …
    core.world.on_update(|request| {
        Applied::failed(
            Some(Thing {
                size: Attr::Known(2),
                ..request.prior
            }),
            request.private,
            failure(),
        )
    });
    let (after, diagnostics) =
        planned_and_applied(&core, &before, json!({"name": "a", "size": 3, "note": "x"})).await;
    assert!(has_errors(&diagnostics) && !after.tainted);
    assert_eq!(
        after.state.as_ref().unwrap().get("size"),
        &Value::from(2),
        "half way"
    );
    assert_eq!(after.private, before.private);
    // … and without.
    core.world
        .on_update(|_| Applied::failed(None, PrivateState::new(), failure()));
    let (after, _) = planned_and_applied(&core, &before, json!({"name": "a", "size": 3})).await;
    assert_eq!(
        (after.state, after.private),
        (before.state.clone(), before.private.clone())
    );
}

#[tokio::test]
async fn a_delete_that_fails_keeps_state_and_private_data() {
    let core = Core::new().await;
    let before = core.bring(&Instance::default(), json!({"name": "a"})).await;
    core.world
        .on_delete(|_| Applied::failed(None, PrivateState::new(), failure()));
    let planned = core.plan(&before, None).await;
    let (after, diagnostics) = core.apply(&before, &planned).await;
    assert!(has_errors(&diagnostics));
    assert_eq!((after.state, after.private), (before.state, before.private));
}

/// Pitfall 15: write-only values reach create and update, and nothing else.
#[tokio::test]
async fn write_only_values_are_given_to_the_operation_and_stored_nowhere() {
    let core = Core::new().await;
    // A resource that gives back what it should not.
    core.world.on_create(|request| {
        Applied::done(
            Thing {
                password_wo: request.config.password_wo,
                ..filled(request.planned)
            },
            request.private,
        )
    });
    core.world.on_plan(|plan| {
        if let (Some(planned), Some(config)) = (&mut plan.planned, &plan.config) {
            planned.password_wo = config.password_wo.clone();
        }
    });
    let after = core
        .bring(
            &Instance::default(),
            json!({"name": "a", "password_wo": "hunter2", "password_wo_version": 1}),
        )
        .await;
    assert!(after.state.as_ref().unwrap().get("password_wo").is_null());
    core.world.on_read(|request| {
        Applied::done(
            Thing {
                password_wo: Attr::Known("hunter2".to_owned().into()),
                ..request.state
            },
            request.private,
        )
    });
    let (after, _) = core.refresh(&after).await;
    assert!(after.state.as_ref().unwrap().get("password_wo").is_null());

    // A new password alone changes nothing, its version does.
    let planned = core
        .plan(
            &after,
            Some(&config(
                json!({"name": "a", "password_wo": "other", "password_wo_version": 1}),
            )),
        )
        .await;
    assert_eq!(planned.action, Action::NoOp);
    core.bring(
        &after,
        json!({"name": "a", "password_wo": "other", "password_wo_version": 2}),
    )
    .await;
    let given = core
        .world
        .passwords
        .lock()
        .unwrap()
        .iter()
        .map(|p| p.known().unwrap().expose().clone())
        .collect::<Vec<_>>();
    assert_eq!(given, ["hunter2", "other"]);
}

/// Core would taint the thing (and the next apply destroy it) for a defect of ours.
#[tokio::test]
async fn a_create_that_breaks_its_plan_is_a_warning_and_the_thing_stays() {
    let core = Core::new().await;
    core.world.on_create(|request| {
        let mut made = filled(request.planned);
        made.note = Attr::from("other");
        made.stamp = Attr::Unknown;
        made.rules = Attr::Known(vec![]);
        Applied::done(made, request.private)
    });
    // `planned_and_applied` checks rules A2 to A4 as core does.
    let (after, diagnostics) = planned_and_applied(
        &core,
        &Instance::default(),
        json!({"name": "a", "note": "mine", "rules": [{"port": 1}]}),
    )
    .await;
    assert!(!after.tainted);
    let [warning] = &diagnostics[..] else {
        panic!("Terraform shows only the first of several: {diagnostics:?}")
    };
    assert!(
        warning.starts_with("warning: Defect of the provider (F401)"),
        "{warning}"
    );
    for place in [
        "`note`: the result",
        "`rules`: there are",
        "`stamp`: still unknown",
    ] {
        assert!(warning.contains(place), "{place} is not named in {warning}");
    }
    let state = after.state.unwrap();
    assert_eq!(
        state.get("note"),
        &Value::string("mine"),
        "as planned: the next refresh shows what is different"
    );
    assert_eq!(state.get("id"), &Value::string("t-1"), "what was right is kept");
}

#[tokio::test]
async fn an_update_that_breaks_its_plan_is_our_own_error_with_the_state_as_it_is() {
    let core = Core::new().await;
    let before = core.bring(&Instance::default(), json!({"name": "a"})).await;
    core.world.on_update(|request| {
        let made = filled(request.planned);
        Applied::done(
            Thing {
                note: Attr::from("other"),
                stamp: Attr::Unknown,
                ..made
            },
            request.private,
        )
    });
    let (after, diagnostics) =
        planned_and_applied(&core, &before, json!({"name": "a", "note": "mine"})).await;
    assert_eq!(diagnostics.len(), 2, "{diagnostics:?}");
    assert!(
        diagnostics
            .iter()
            .all(|d| d.starts_with("error: Defect of the provider")),
        "{diagnostics:?}"
    );
    assert_eq!(after.state.as_ref().unwrap().get("note"), &Value::string("other"));
    assert!(after.state.unwrap().get("stamp").is_null());
}

#[tokio::test]
async fn answers_without_state_or_error_are_our_own_errors() {
    let core = Core::new().await;
    core.world.on_create(|_| Applied::gone());
    let (after, diagnostics) = planned_and_applied(&core, &Instance::default(), json!({"name": "a"})).await;
    assert!(after.state.is_none());
    assert!(
        diagnostics[0].contains("neither a state nor an error"),
        "{diagnostics:?}"
    );

    *core.world.create.lock().unwrap() = None;
    let before = core.bring(&Instance::default(), json!({"name": "a"})).await;
    core.world.on_update(|_| Applied::gone());
    let (after, diagnostics) = planned_and_applied(&core, &before, json!({"name": "a", "size": 2})).await;
    assert!(
        diagnostics[0].contains("neither a state nor an error"),
        "{diagnostics:?}"
    );
    assert_eq!(after.state, before.state);

    core.world
        .on_delete(|request| Applied::done(request.prior, request.private));
    let planned = core.plan(&before, None).await;
    let (after, diagnostics) = core.apply(&before, &planned).await;
    assert!(
        diagnostics[0].contains("left a state without an error"),
        "{diagnostics:?}"
    );
    assert_eq!(after.state, before.state);
}

#[tokio::test]
async fn a_promise_about_an_unknown_value_is_kept() {
    use framework::value::Refinements;
    let core = Core::new().await;
    let Value::Object(mut object) = config(json!({"name": "a"})) else {
        panic!()
    };
    let refined = Refinements {
        prefix: Some("vpc-".to_owned()),
        not_null: true,
        ..Refinements::default()
    };
    let promise = Value::Unknown(Some(Box::new(refined)));
    object.insert("note".to_owned(), promise.clone());
    let planned = core
        .plan(&Instance::default(), Some(&Value::Object(object)))
        .await;
    assert_eq!(
        planned.state.as_ref().unwrap().get("note"),
        &promise,
        "what core knows is not forgotten by us"
    );
    core.world.on_create(|request| {
        Applied::done(
            Thing {
                note: Attr::from("subnet-1"),
                ..filled(request.planned)
            },
            request.private,
        )
    });
    let (_, diagnostics) = core.apply(&Instance::default(), &planned).await;
    assert!(
        diagnostics[0].contains("outside of what the plan promised"),
        "{diagnostics:?}"
    );
}
