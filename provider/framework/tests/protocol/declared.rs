//! What a declaration gives: validators, relations, names, flattening, and the defects that are found in it.

use std::collections::BTreeMap;

use framework::schema::{Schema, defects};
use framework::{Attr, AttributeType, Diagnostics, Model, Path, Set, Value};
use proto::tfplugin6 as pb;
use proto::tfplugin6::provider_server::Provider as _;

use crate::core::texts;

/// What all have in common.
#[derive(Debug, Clone, Default, PartialEq, Model)]
struct Common {
    /// Region.
    #[attribute(optional, computed, keep)]
    region: Attr<String>,
    /// Notes.
    #[block]
    note: Attr<Vec<Note>>,
}

/// A note.
#[derive(Debug, Clone, Default, PartialEq, Model)]
#[model(deprecated = "Write it down elsewhere.")]
struct Note {
    /// Its text.
    #[attribute(required)]
    text: Attr<String>,
}

fn even(number: &i64) -> Result<(), String> {
    if number % 2 == 0 {
        Ok(())
    } else {
        Err(format!("Must be even, got {number}."))
    }
}

/// Every setting.
#[derive(Debug, Clone, Default, PartialEq, Model)]
struct Settings {
    #[flatten]
    common: Common,
    /// A keyword of Rust as a name.
    #[attribute(optional)]
    r#type: Attr<String>,
    /// Another name than the field's.
    #[attribute(optional, name = "for")]
    whom: Attr<String>,
    /// Words.
    #[attribute(optional, validate(one_of("a", "b"), length(1..=2)))]
    words: Attr<Set<String>>,
    /// A network.
    #[attribute(optional, validate(cidr))]
    cidr: Attr<String>,
    /// ARNs by name.
    #[attribute(optional, validate(arn))]
    arns: Attr<BTreeMap<String, String>>,
    /// When.
    #[attribute(optional, validate(cron))]
    schedule: Attr<String>,
    /// An even number.
    #[attribute(optional, validate(range(2..), with(even)))]
    even: Attr<i64>,
    /// One way.
    #[attribute(optional, exactly_one_of("one", "other"))]
    one: Attr<String>,
    /// The other way.
    #[attribute(optional, exactly_one_of("one", "other"))]
    other: Attr<String>,
    /// Not both.
    #[attribute(optional, conflicts("note"))]
    alone: Attr<String>,
    /// Defaults of other kinds.
    #[attribute(default = ["x", "y"])]
    defaults: Attr<Set<String>>,
    /// By expression.
    #[attribute(default = BTreeMap::from([("k".to_owned(), -1)]))]
    expression: Attr<BTreeMap<String, i64>>,
    /// Negative.
    #[attribute(default = -5)]
    negative: Attr<i64>,
}

fn object(fields: &[(&str, Value)]) -> Value {
    let Value::Object(mut all) = Settings::default().encode() else {
        panic!()
    };
    all.extend(
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    Value::Object(all)
}

/// The complaints about a configuration, as a provider with it as its block has them.
async fn complaints(config: Value) -> Vec<String> {
    use std::sync::Arc;

    use framework::{Configured, HostInfo, Offers, Provider, Server};

    struct Just;

    #[async_trait::async_trait]
    impl Provider for Just {
        type Config = Settings;
        type Context = ();

        async fn configure(
            &self,
            _: Settings,
            _: &HostInfo,
            _: &mut Diagnostics,
        ) -> Result<Configured<()>, Diagnostics> {
            Ok(Arc::new(()).into())
        }

        fn offers(&self) -> Offers<()> {
            Offers::new()
        }
    }

    let request = pb::validate_provider_config::Request {
        config: crate::core::pack(&config, &Settings::block().ty()),
    };
    let answer = Server::new(Just)
        .validate_provider_config(tonic::Request::new(request))
        .await
        .unwrap()
        .into_inner();
    texts(&answer.diagnostics)
        .into_iter()
        .map(|text| text.split_once(") ").unwrap_or(("", &text)).1.to_owned())
        .collect()
}

fn text(value: &str) -> Value {
    Value::string(value)
}

#[tokio::test]
async fn validators_take_what_is_right_and_name_what_is_wrong() {
    let one = ("one", text("x"));
    for (name, right, wrong, complaint) in [
        (
            "words",
            Value::set(vec![text("a")]),
            Value::set(vec![text("a"), text("c")]),
            "@ words: Must be one of `a`, `b`, got `c`.",
        ),
        (
            "words",
            Value::set(vec![text("b")]),
            Value::set(vec![]),
            "@ words: Must be of a length from 1 to 2, this one has 0.",
        ),
        (
            "cidr",
            text("10.0.0.0/8"),
            text("10.0.0.1/8"),
            "without host bits",
        ),
        ("cidr", text("fd00::/8"), text("10.0.0.0"), "got `10.0.0.0`."),
        (
            "arns",
            Value::map([("k", text("arn:aws:s3:::bucket"))]),
            Value::map([("k", text("arn:aws:s3"))]),
            "@ arns.[k]: Must be an ARN",
        ),
        (
            "arns",
            Value::map([("k", text("arn:aws-cn:iam::1:role/a:b"))]),
            Value::map([("k", text("arn::iam::1:role"))]),
            "ARN",
        ),
        (
            "even",
            Value::from(4),
            Value::from(0),
            "@ even: Must be a number of at least 2, got 0.",
        ),
        (
            "even",
            Value::from(2),
            Value::from(3),
            "@ even: Must be even, got 3.",
        ),
        (
            "even",
            Value::UNKNOWN,
            Value::Number("2.5".parse().unwrap()),
            "whole number",
        ),
    ] {
        assert_eq!(
            complaints(object(&[one.clone(), (name, right)])).await,
            Vec::<String>::new(),
            "{name}"
        );
        let said = complaints(object(&[one.clone(), (name, wrong.clone())])).await;
        assert!(
            said.len() == 1 && said[0].contains(complaint),
            "{name} = {wrong:?}: {said:?}"
        );
    }
}

#[tokio::test]
async fn schedules_are_those_that_cron_knows() {
    for (schedule, right) in [
        ("0 3 * * *", true),
        ("*/15 0-6,22 1 jan-mar mon", true),
        ("@daily", true),
        ("0 3 * *", false),
        ("60 3 * * *", false),
        ("0 3 * * moonday", false),
        ("*/0 3 * * *", false),
        ("@never", false),
        ("rate(1 day)", false),
    ] {
        let said = complaints(object(&[("one", text("x")), ("schedule", text(schedule))])).await;
        assert_eq!(said.is_empty(), right, "{schedule}: {said:?}");
    }
}

#[tokio::test]
async fn relations_wait_for_what_is_not_known() {
    let x = || text("x");
    let notes = || ("note", Value::list(vec![Value::object([("text", text("t"))])]));
    for (fields, complaint) in [
        (
            vec![],
            Some("Exactly one of `one`, `other` must be set; none is set."),
        ),
        (vec![("one", x())], None),
        (vec![("one", Value::UNKNOWN)], None),
        (vec![("one", x()), ("other", Value::UNKNOWN)], None),
        (vec![("one", x()), ("other", x())], Some("2 are set.")),
        (vec![("one", x()), ("alone", x())], None),
        (
            vec![("one", x()), ("alone", x()), notes()],
            Some("`alone` and `note` exclude each other."),
        ),
        (vec![("one", x()), ("alone", Value::UNKNOWN), notes()], None),
    ] {
        let said = complaints(object(&fields)).await;
        match complaint {
            None => assert_eq!(said, Vec::<String>::new(), "{fields:?}"),
            // Said once, though both arguments declare it.
            Some(complaint) => assert!(
                said.len() == 1 && said[0].contains(complaint),
                "{fields:?}: {said:?}"
            ),
        }
    }
}

#[test]
fn a_declaration_gives_names_defaults_and_the_way_back() {
    let block = Settings::block();
    assert_eq!(
        defects(&Schema {
            version: 0,
            block: block.clone()
        }),
        Vec::<String>::new()
    );
    for name in ["type", "for", "region"] {
        assert!(block.attribute(name).is_some(), "{name}");
    }
    let note = block.nested("note").expect("the blocks of a flattened model");
    assert_eq!(note.block.deprecated.as_deref(), Some("Write it down elsewhere."));
    let default = |name: &str| block.attribute(name).unwrap().default.clone().unwrap();
    assert_eq!(default("defaults"), Value::set(vec![text("y"), text("x")]));
    assert_eq!(default("expression"), Value::map([("k", Value::from(-1))]));
    assert_eq!(default("negative"), Value::from(-5));

    let settings = Settings {
        common: Common {
            region: Attr::Unknown,
            note: Attr::Known(vec![Note {
                text: Attr::from("n"),
            }]),
        },
        r#type: Attr::from("t"),
        whom: Attr::from("w"),
        ..Settings::default()
    };
    let value = settings.encode();
    assert_eq!(
        (value.get("type"), value.get("for"), value.get("region")),
        (&text("t"), &text("w"), &Value::UNKNOWN)
    );
    assert_eq!(value.conformance(&block.ty()), vec![]);
    let back = Settings::decode(&value, &Path::root()).unwrap();
    assert_eq!(back, settings);
}

/// Terraform would refuse the whole provider for each of these.
#[test]
fn defects_of_a_declaration_are_named() {
    /// Wrong in every way.
    #[derive(Debug, Clone, Model)]
    struct Wrong {
        /// Neither.
        #[attribute(sensitive)]
        neither: Attr<String>,
        /// Both.
        #[attribute(required, default = "x")]
        both: Attr<String>,
        /// Write-only and computed.
        #[attribute(optional, computed, write_only)]
        secret: Attr<String>,
        /// Another type than its default.
        #[attribute(default = 5)]
        text: Attr<String>,
        /// Its sibling is missing.
        #[attribute(optional, conflicts("missing"))]
        alone: Attr<String>,
        /// Not nested.
        #[block]
        plain: Attr<Vec<String>>,
        /// Upper case.
        #[attribute(optional, name = "Upper")]
        upper: Attr<String>,
        /// Anything in a set.
        #[attribute(optional)]
        any: Attr<Set<Loose>>,
    }

    /// Loose.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Model)]
    struct Loose {
        /// Anything.
        #[attribute(optional)]
        anything: Attr<Value>,
    }

    let found = defects(&Schema {
        version: -1,
        block: Wrong::block(),
    });
    for expected in [
        "the version is negative",
        "neither: neither required nor optional nor computed",
        "both: required excludes optional, computed and a default",
        "secret: write-only excludes computed",
        "text: the default is no value of its type",
        "alone: names `missing`, which is no sibling",
        "plain: a block needs the type of a model",
        "Upper: a name has lower-case letters",
        "any: a set holds no dynamic types",
    ] {
        assert!(
            found.iter().any(|text| text.starts_with(expected)),
            "{expected} is not in {found:#?}"
        );
    }
}

#[tokio::test]
async fn what_is_offered_twice_or_cannot_be_listed_is_a_defect() {
    use std::sync::Arc;

    use framework::{Configured, HostInfo, Offers, Provider, Server};

    use crate::extras::{RestartAction, ThingList};

    struct Twice;

    #[async_trait::async_trait]
    impl Provider for Twice {
        type Config = ();
        type Context = crate::thing::World;

        async fn configure(
            &self,
            (): (),
            _: &HostInfo,
            _: &mut Diagnostics,
        ) -> Result<Configured<Self::Context>, Diagnostics> {
            Ok(Configured::Unknown)
        }

        fn offers(&self) -> Offers<Self::Context> {
            Offers::new()
                .action(RestartAction)
                .action(RestartAction)
                .list_resource(ThingList(Arc::default()))
        }
    }

    let answer = Server::new(Twice)
        .get_provider_schema(tonic::Request::new(Default::default()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        texts(&answer.diagnostics),
        [
            "error: Defect of a schema (F402): action test_restart: offered twice",
            "error: Defect of a schema (F402): list resource test_thing: there is no resource with an identity of that name",
        ]
    );
}
