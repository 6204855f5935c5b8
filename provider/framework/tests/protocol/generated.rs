//! Generated configurations: whatever users write, plan and apply keep core's rules.

use framework::schema::{Attribute, Block, Nesting, Shape};
use framework::{Type, Value};
use proptest::prelude::*;

use crate::core::{Action, Core, Instance, block, covers, has_errors};

/// Known values of an attribute that pass its validators.
fn known(attribute: &Attribute) -> BoxedStrategy<Value> {
    let text = |pattern: &'static str| pattern.prop_map(Value::string).boxed();
    match attribute.name.as_str() {
        "name" => text("[ab]"),
        "size" => (1..=5_i64).prop_map(Value::from).boxed(),
        // Never the default, so that no two tickets are equal.
        "price" => (6..=9_i64).prop_map(Value::from).boxed(),
        "port" => (1..=9_i64).prop_map(Value::from).boxed(),
        "mode" => prop::sample::select(&["per_zone", "single", "none"][..])
            .prop_map(Value::string)
            .boxed(),
        "hidden_network" => text("10\\.[0-9]\\.0\\.0/16"),
        "networks" => prop::collection::vec("10\\.[0-9]\\.0\\.0/16".prop_map(Value::string), 0..3)
            .prop_map(Value::list)
            .boxed(),
        "create" | "read" | "update" | "delete" => text("[1-9]m"),
        _ => match &attribute.shape {
            Shape::Nested(nesting, inner) => nested(*nesting, inner),
            Shape::Plain(ty) => plain(ty),
        },
    }
}

fn plain(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => (0..3_i64).prop_map(Value::from).boxed(),
        Type::String => "[xyz]".prop_map(Value::string).boxed(),
        Type::Dynamic => plain(&Type::String).prop_map(Value::into_dynamic).boxed(),
        Type::List(of) => prop::collection::vec(plain(of), 0..3)
            .prop_map(Value::list)
            .boxed(),
        Type::Set(of) => prop::collection::vec(plain(of), 0..3)
            .prop_map(Value::set)
            .boxed(),
        Type::Map(of) => prop::collection::btree_map("[kl]", plain(of), 0..3)
            .prop_map(Value::map)
            .boxed(),
        Type::Object(_) | Type::Tuple(_) => unreachable!("the thing has none of these"),
    }
}

fn nested(nesting: Nesting, block: &Block) -> BoxedStrategy<Value> {
    let one = configured(block);
    match nesting {
        Nesting::Single => one,
        Nesting::List => prop::collection::vec(one, 0..3).prop_map(Value::list).boxed(),
        Nesting::Set => prop::collection::vec(one, 0..3).prop_map(Value::set).boxed(),
        Nesting::Map => prop::collection::btree_map("[kl]", one, 0..3)
            .prop_map(Value::map)
            .boxed(),
    }
}

fn configured(block: &Block) -> BoxedStrategy<Value> {
    let mut fields: Vec<BoxedStrategy<(String, Value)>> = Vec::new();
    for a in &block.attributes {
        let name = a.name.clone();
        let value = match (a.required, a.optional) {
            (true, _) => known(a),
            (false, true) => prop_oneof![1 => Just(Value::Null), 2 => known(a)].boxed(),
            (false, false) => Just(Value::Null).boxed(),
        };
        fields.push(value.prop_map(move |value| (name.clone(), value)).boxed());
    }
    for b in &block.blocks {
        let name = b.name.clone();
        let value = match b.nesting {
            Nesting::Single => prop_oneof![Just(Value::Null), nested(b.nesting, &b.block)].boxed(),
            _ => nested(b.nesting, &b.block),
        };
        fields.push(value.prop_map(move |value| (name.clone(), value)).boxed());
    }
    fields.prop_map(Value::object).boxed()
}

fn any_config() -> BoxedStrategy<Value> {
    configured(&block())
        .prop_map(|value| {
            let Value::Object(mut object) = value else {
                unreachable!()
            };
            // The two exclude each other, and one of these needs the other.
            if !object["note"].is_null() {
                object.insert("networks".to_owned(), Value::Null);
            }
            if object["password_wo_version"].is_null() {
                object.insert("password_wo".to_owned(), Value::Null);
            }
            Value::Object(object)
        })
        .boxed()
}

/// The configuration with some of its values not known yet.
fn masked(value: &Value, seed: &mut u64) -> Value {
    let mut dice = || {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % 8
    };
    match value {
        Value::Null => Value::Null,
        Value::Object(all) => Value::Object(all.iter().map(|(n, v)| (n.clone(), masked(v, seed))).collect()),
        _ if dice() == 0 => Value::UNKNOWN,
        Value::Map(all) => Value::Map(all.iter().map(|(n, v)| (n.clone(), masked(v, seed))).collect()),
        Value::List(all) => Value::List(all.iter().map(|v| masked(v, seed)).collect()),
        Value::Set(all) => Value::set(all.iter().map(|v| masked(v, seed)).collect()),
        known => known.clone(),
    }
}

async fn step(core: &Core, instance: &Instance, config: &Value, mut seed: u64) -> Instance {
    assert_eq!(core.validate(config).await, Vec::<String>::new());
    let early = core.plan(instance, Some(&masked(config, &mut seed))).await;
    assert!(!has_errors(&early.diagnostics), "{:?}", early.diagnostics);

    let planned = core.plan(instance, Some(config)).await;
    assert!(!has_errors(&planned.diagnostics), "{:?}", planned.diagnostics);
    let (before, after) = (early.state.unwrap(), planned.state.clone().unwrap());
    // What was promised while something was unknown holds once it is known (a replacement that turns out not to be one
    // keeps more than was promised).
    if early.action == planned.action {
        assert!(
            covers(&before, &after),
            "an earlier plan promised something else:\n{before:?}\n{after:?}"
        );
    }
    let (after, diagnostics) = core.apply(instance, &planned).await;
    assert_eq!(diagnostics, Vec::<String>::new());
    let next = core.plan(&after, Some(config)).await;
    assert_eq!(
        next.action,
        Action::NoOp,
        "not empty after apply:\n{:?}\n{:?}",
        next.state,
        after.state
    );
    let (refreshed, _) = core.refresh(&after).await;
    assert_eq!(refreshed.state, after.state);
    after
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_configurations_keeps_cores_rules(configs in prop::collection::vec((any_config(), any::<u64>()), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let core = Core::new().await;
            let mut instance = Instance::default();
            for (config, seed) in &configs {
                instance = step(&core, &instance, config, *seed).await;
            }
            let destroy = core.plan(&instance, None).await;
            let (gone, diagnostics) = core.apply(&instance, &destroy).await;
            assert_eq!((gone.state, diagnostics), (None, vec![]));
        });
    }
}
