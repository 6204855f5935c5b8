use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

/// Values of the type, at any depth.
pub(crate) fn any_value(ty: Type) -> BoxedStrategy<Value> {
    let known = match &ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(|n| Value::Number(n.into())),
            "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,3})?".prop_map(|text| number(&text)),
            any::<f64>().prop_filter_map("NaN", |f| Number::from_f64_exact(f).map(Value::Number)),
        ]
        .boxed(),
        Type::String => any::<String>().prop_map(Value::string).boxed(),
        Type::Dynamic => any_type()
            .prop_filter("dynamic in dynamic", |ty| *ty != Type::Dynamic)
            .prop_flat_map(|ty| {
                any_value(ty.clone()).prop_map(move |value| Value::Dynamic(Box::new((ty.clone(), value))))
            })
            // A wholly unknown value travels without its type.
            .prop_filter("untyped unknown", |value| !value.is_unknown())
            .boxed(),
        Type::List(of) => prop::collection::vec(any_value((**of).clone()), 0..4)
            .prop_map(Value::list)
            .boxed(),
        Type::Set(of) => prop::collection::vec(any_value((**of).clone()), 0..4)
            .prop_map(Value::set)
            .boxed(),
        Type::Map(of) => {
            let entry = (
                any::<String>().prop_map(|key| nfc(&key)),
                any_value((**of).clone()),
            );
            prop::collection::btree_map(entry.0, entry.1, 0..4)
                .prop_map(Value::map)
                .boxed()
        }
        Type::Tuple(of) => of
            .iter()
            .cloned()
            .map(any_value)
            .collect::<Vec<_>>()
            .prop_map(Value::tuple)
            .boxed(),
        Type::Object(of) => {
            let names: Vec<_> = of.keys().cloned().collect();
            let values: Vec<_> = of.values().cloned().map(any_value).collect();
            values
                .prop_map(move |values| Value::Object(names.iter().cloned().zip(values).collect()))
                .boxed()
        }
    };
    prop_oneof![6 => known, 1 => Just(Value::Null), 1 => any_unknown(&ty)].boxed()
}

fn any_unknown(ty: &Type) -> BoxedStrategy<Value> {
    let refined = match ty {
        Type::String => ("[a-z-]{1,300}", any::<bool>())
            .prop_map(|(prefix, not_null)| Refinements {
                prefix: Some(prefix.chars().take(256).collect()),
                not_null,
                ..Refinements::default()
            })
            .boxed(),
        Type::Number => (any::<i64>(), any::<bool>())
            .prop_map(|(n, inclusive)| Refinements {
                lower: Some((n.into(), inclusive)),
                not_null: true,
                ..Refinements::default()
            })
            .boxed(),
        _ => (0..9_u64)
            .prop_map(|n| Refinements {
                min_length: Some(n),
                max_length: Some(n + 3),
                ..Refinements::default()
            })
            .boxed(),
    };
    prop_oneof![
        Just(Value::UNKNOWN),
        refined.prop_map(|r| Value::Unknown(Some(Box::new(r))))
    ]
    .boxed()
}

pub(crate) fn any_type() -> BoxedStrategy<Type> {
    let leaf = prop_oneof![
        Just(Type::Bool),
        Just(Type::Number),
        Just(Type::String),
        Just(Type::Dynamic)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        // Terraform has no sets with dynamic parts.
        let firm = inner
            .clone()
            .prop_filter("dynamic in a set", |ty| !ty.has_dynamic());
        prop_oneof![
            inner.clone().prop_map(Type::list),
            firm.prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Type::Tuple),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..3).prop_map(Type::Object),
        ]
    })
    .boxed()
}

fn any_pair() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| any_value(ty.clone()).prop_map(move |value| (ty.clone(), value)))
}

proptest! {
    #[test]
    fn msgpack_gives_back_what_went_in((ty, value) in any_pair()) {
        let bytes = value.to_msgpack(&ty).unwrap();
        prop_assert_eq!(Value::from_msgpack(&bytes, &ty).unwrap(), value);
    }

    #[test]
    fn json_gives_back_what_went_in((ty, value) in any_pair()) {
        let known = value.unknown_as_null();
        // JSON has no infinity.
        prop_assume!(!known.any(&mut |v| matches!(v, Value::Number(n) if n.is_infinite())));
        let json = known.to_json(&ty).unwrap();
        let text = serde_json::to_string_pretty(&json).unwrap();
        let back = Value::from_json(&serde_json::from_str(&text).unwrap(), &ty).unwrap();
        // A typed null in a dynamic place keeps its type, a bare one has none.
        prop_assert_eq!(back, known);
    }

    #[test]
    fn every_value_conforms_to_its_type((ty, value) in any_pair()) {
        prop_assert_eq!(value.conformance(&ty), vec![]);
    }

    #[test]
    fn types_give_back_what_went_in(ty in any_type()) {
        prop_assert_eq!(Type::from_json_bytes(&ty.to_json_bytes()).unwrap(), ty);
    }

    #[test]
    fn rubbish_is_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), ty in any_type()) {
        let _ = Value::from_msgpack(&bytes, &ty);
        let _ = Type::from_json_bytes(&bytes);
    }

    #[test]
    fn a_truncated_value_is_an_error((ty, value) in any_pair(), cut in 1..8_usize) {
        let bytes = value.to_msgpack(&ty).unwrap();
        if let Some(rest) = bytes.len().checked_sub(cut) {
            prop_assert!(Value::from_msgpack(&bytes[..rest], &ty).is_err());
        }
    }

    #[test]
    fn sets_have_no_order(mut elements in prop::collection::vec("[a-c]{1,2}", 0..6)) {
        let one = Value::set(elements.iter().map(Value::string).collect());
        elements.reverse();
        elements.extend(elements.clone());
        prop_assert_eq!(Value::set(elements.iter().map(Value::string).collect()), one);
    }
}

/// The bytes that core was seen to send: plugin-protocol facts, section 4.
#[test]
fn bytes_seen_on_the_wire_are_read_and_written() {
    let refined = |r: Refinements| Value::Unknown(Some(Box::new(r)));
    for (bytes, ty, value) in [
        ("c0", Type::String, Value::Null),
        ("d4 00 00", Type::String, Value::UNKNOWN),
        (
            "c7 09 0c 82 01 c2 02 a4 75 6e 6b 20",
            Type::String,
            refined(Refinements {
                not_null: true,
                prefix: Some("unk ".to_owned()),
                ..Refinements::default()
            }),
        ),
        (
            "c7 03 0c 81 01 c2",
            Type::Number,
            refined(Refinements {
                not_null: true,
                ..Refinements::default()
            }),
        ),
        ("a3 30 2e 31", Type::Number, number("0.1")),
        ("cb 3f f8 00 00 00 00 00 00", Type::Number, number("1.5")),
        (
            "cf 00 20 00 00 00 00 00 01",
            Type::Number,
            number("9007199254740993"),
        ),
        (
            "cb 7f f0 00 00 00 00 00 00",
            Type::Number,
            Value::Number(Number::INFINITY),
        ),
        ("90", Type::list(Type::String), Value::list([])),
        (
            "81 a1 61 c3",
            Type::object([("a", Type::Bool)]),
            Value::object([("a", Value::Bool(true))]),
        ),
        (
            "92 c4 08 22 73 74 72 69 6e 67 22 a1 78",
            Type::Dynamic,
            Value::Dynamic(Box::new((Type::String, Value::string("x")))),
        ),
        (
            "92 c4 08 22 73 74 72 69 6e 67 22 c0",
            Type::Dynamic,
            Value::Dynamic(Box::new((Type::String, Value::Null))),
        ),
    ] {
        let bytes = hex(bytes);
        assert_eq!(
            Value::from_msgpack(&bytes, &ty).unwrap(),
            value,
            "reading {bytes:x?}"
        );
        assert_eq!(value.to_msgpack(&ty).unwrap(), bytes, "writing {value:?}");
    }
}

/// Pitfall 9: numbers that no binary float holds travel as text.
#[test]
fn large_and_decimal_numbers_travel_as_text() {
    for text in [
        "18446744073709551616",
        "1000000000000000000000",
        "0.1",
        "3.14159265358979323846264338327950288",
    ] {
        let bytes = number(text).to_msgpack(&Type::Number).unwrap();
        let body = [
            if text.len() < 32 {
                vec![0xa0 | text.len() as u8]
            } else {
                vec![0xd9, text.len() as u8]
            },
            text.into(),
        ]
        .concat();
        assert_eq!(bytes, body, "{text}");
        assert_eq!(Value::from_msgpack(&bytes, &Type::Number).unwrap(), number(text));
    }
    // What core writes as uint64 is an unsigned integer beyond i64 too.
    assert_eq!(
        Value::from_msgpack(&hex("cf ff ff ff ff ff ff ff ff"), &Type::Number).unwrap(),
        number("18446744073709551615")
    );
    assert_eq!(
        Value::from_msgpack(&hex("ca 3f c0 00 00"), &Type::Number).unwrap(),
        number("1.5"),
        "a short float"
    );
}

#[test]
fn any_short_extension_is_unknown_and_foreign_refinements_are_read_over() {
    assert_eq!(
        Value::from_msgpack(&hex("d4 05 07"), &Type::String).unwrap(),
        Value::UNKNOWN
    );
    assert_eq!(
        Value::from_msgpack(&hex("c7 00 00"), &Type::String).unwrap(),
        Value::UNKNOWN
    );
    // Key 9 is none of those known; what was read before it stands.
    let value = Value::from_msgpack(&hex("c7 05 0c 82 01 c2 09 c3"), &Type::String).unwrap();
    assert_eq!(
        value,
        Value::Unknown(Some(Box::new(Refinements {
            not_null: true,
            ..Refinements::default()
        })))
    );
    assert!(
        Value::from_msgpack(&hex("d5 05 00 00"), &Type::String).is_err(),
        "an extension of another type"
    );
}

/// Pitfall 10: text is compared in NFC, whoever wrote it.
#[test]
fn text_is_normalised() {
    let decomposed = "e\u{301}";
    assert_eq!(Value::string(decomposed), Value::string("\u{e9}"));
    let bytes = hex("a3 65 cc 81");
    assert_eq!(
        Value::from_msgpack(&bytes, &Type::String).unwrap(),
        Value::string("\u{e9}")
    );
    let keys = Value::from_msgpack(&hex("81 a3 65 cc 81 c3"), &Type::map(Type::Bool)).unwrap();
    assert_eq!(keys, Value::map([("\u{e9}", Value::Bool(true))]));
    assert_eq!(
        Value::String(decomposed.into())
            .to_msgpack(&Type::String)
            .unwrap(),
        hex("a2 c3 a9")
    );
}

#[test]
fn unknown_elements_of_a_set_are_not_the_same() {
    assert_eq!(
        Value::set(vec![Value::UNKNOWN, Value::UNKNOWN]).elements().len(),
        2
    );
    assert_eq!(
        Value::set(vec![Value::from(1), Value::from(1)]).elements().len(),
        1
    );
}

#[test]
fn a_mismatch_names_its_place() {
    let ty = Type::object([("zones", Type::list(Type::object([("cidr", Type::String)])))]);
    let zones = Value::list(vec![
        Value::object([("cidr", Value::string("a"))]),
        Value::object([("cidr", Value::Bool(true))]),
    ]);
    let wrong = Value::object([("zones", zones)]).to_msgpack(&ty).unwrap_err();
    assert_eq!(wrong.to_string(), "zones[1].cidr: string expected, got a bool");
    let missing = Value::Object(BTreeMap::new().into()).conformance(&ty);
    assert_eq!(missing[0].to_string(), "zones: missing");
    assert!(
        Value::from_msgpack(&hex("81 a1 78 c0"), &ty).is_err(),
        "an attribute that the schema does not have"
    );
}

#[test]
fn json_is_read_as_leniently_as_terraform_does() {
    let read = |json: &str, ty| Value::from_json(&serde_json::from_str(json).unwrap(), &ty);
    assert_eq!(read("\"1\"", Type::Bool).unwrap(), Value::Bool(true));
    assert_eq!(read("\"1.50\"", Type::Number).unwrap(), number("1.5"));
    assert_eq!(read("12", Type::String).unwrap(), Value::string("12"));
    assert_eq!(
        read("123456789012345678901234567890.5", Type::Number).unwrap(),
        number("123456789012345678901234567890.5")
    );
    assert!(read("\"maybe\"", Type::Bool).is_err());
    assert!(read("[]", Type::String).is_err());
}

/// The depth that is read fits into half a thread's stack, even unoptimised.
#[test]
fn the_deepest_value_that_is_read_fits_the_stack() {
    let small = std::thread::Builder::new().stack_size(1 << 20).spawn(|| {
        let mut ty = Type::String;
        for _ in 0..MAX_DEPTH {
            ty = Type::object([("a", Type::list(ty))]);
        }
        let bytes = [[0x81, 0xa1, b'a', 0x91].repeat(MAX_DEPTH / 2), vec![0xc0]].concat();
        let value = Value::from_msgpack(&bytes, &ty).unwrap();
        assert_eq!(value.conformance(&ty), vec![]);
        assert_eq!(value.to_msgpack(&ty).unwrap(), bytes);
        assert_eq!(
            Value::from_json(&value.to_json(&ty).unwrap(), &ty).unwrap(),
            value
        );
    });
    small.unwrap().join().unwrap();
}

#[test]
fn endless_nesting_is_an_error_and_no_overflow() {
    let mut ty = Type::String;
    for _ in 0..10_000 {
        ty = Type::list(ty);
    }
    let mut bytes = vec![0x91; 10_000];
    bytes.push(0xc0);
    assert!(
        Value::from_msgpack(&bytes, &ty)
            .unwrap_err()
            .reason
            .contains("deep")
    );
    // A type of ten thousand levels would also drop recursively.
    std::mem::forget(ty);
}
