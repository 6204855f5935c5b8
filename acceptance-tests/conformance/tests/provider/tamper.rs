//! How answers are changed.

use std::collections::{BTreeMap, HashMap};

use framework::{Model as _, Type, Value};
use proto::tfplugin6::{self as pb, attribute_path, schema};

use crate::exercise::Thing;
use crate::identity_type;

/// A value on the wire.
pub fn pack(value: &Value, ty: &Type) -> Option<pb::DynamicValue> {
    Some(pb::DynamicValue {
        msgpack: value.to_msgpack(ty).unwrap(),
        json: vec![],
    })
}

/// The identity with this id.
pub fn identity(id: Value) -> Option<pb::ResourceIdentityData> {
    let identity_data = pack(&Value::object([("id", id)]), &identity_type());
    Some(pb::ResourceIdentityData { identity_data })
}

pub fn is_null(value: Option<&pb::DynamicValue>) -> bool {
    value.is_none_or(|value| value.msgpack == [0xc0])
}

fn unpack(value: &Option<pb::DynamicValue>) -> Option<BTreeMap<String, Value>> {
    match Value::from_msgpack(&value.as_ref()?.msgpack, &Thing::block().ty()) {
        Ok(Value::Object(object)) => Some(object.into_inner()),
        _ => None,
    }
}

/// An attribute of a thing's state.
pub fn number(state: &Option<pb::DynamicValue>, name: &str) -> Option<Value> {
    unpack(state)?.remove(name)
}

/// Changes a thing's state.
pub fn edit(state: &mut Option<pb::DynamicValue>, change: impl FnOnce(&mut BTreeMap<String, Value>)) {
    if let Some(mut object) = unpack(state) {
        change(&mut object);
        *state = pack(&Value::Object(object.into()), &Thing::block().ty());
    }
}

/// A thing's state in which an attribute is of another type.
pub fn retype(state: &mut Option<pb::DynamicValue>, name: &str, value: Value, ty: Type) {
    let (Some(mut object), Type::Object(mut types)) = (unpack(state), Thing::block().ty()) else {
        return;
    };
    object.insert(name.into(), value);
    types.insert(name.into(), ty);
    *state = pack(&Value::Object(object.into()), &Type::Object(types));
}

/// A thing's state without an attribute.
pub fn without(state: &mut Option<pb::DynamicValue>, name: &str) {
    let (Some(mut object), Type::Object(mut types)) = (unpack(state), Thing::block().ty()) else {
        return;
    };
    object.remove(name);
    types.remove(name);
    *state = pack(&Value::Object(object.into()), &Type::Object(types));
}

/// Sets the number of a port.
pub fn port(port: Option<&mut Value>, number: i64) {
    if let Some(Value::Object(port)) = port {
        port.insert("number".into(), number.into());
    }
}

/// Repeats the last element of a list.
pub fn twice(list: Option<&mut Value>) {
    if let Some(Value::List(all)) = list {
        let last = all.last().cloned();
        all.extend(last);
    }
}

pub fn path(name: &str) -> pb::AttributePath {
    let selector = Some(attribute_path::step::Selector::AttributeName(name.into()));
    pb::AttributePath {
        steps: vec![attribute_path::Step { selector }],
    }
}

pub fn error() -> pb::Diagnostic {
    pb::Diagnostic {
        severity: 1,
        summary: "As asked".into(),
        ..Default::default()
    }
}

/// An attribute that is neither required nor optional nor computed.
pub fn attribute(name: &str, ty: &str) -> schema::Attribute {
    schema::Attribute {
        name: name.into(),
        r#type: ty.into(),
        ..Default::default()
    }
}

/// Makes things of which nothing is known but the id.
pub struct ThingBlock;

pub fn thing_block() -> ThingBlock {
    ThingBlock
}

impl ThingBlock {
    pub fn absent(&self, id: &str) -> Value {
        let Type::Object(types) = Thing::block().ty() else {
            return Value::Null;
        };
        let mut object: BTreeMap<_, _> = types.into_keys().map(|name| (name, Value::Null)).collect();
        object.insert("id".into(), id.into());
        object.insert("disk".into(), Value::list([]));
        Value::Object(object.into())
    }
}

fn optional(name: &str, ty: &str) -> schema::Attribute {
    schema::Attribute {
        optional: true,
        ..attribute(name, ty)
    }
}

fn nested(name: &str, nesting: i32, attributes: Vec<schema::Attribute>) -> schema::Attribute {
    let nested_type = Some(schema::Object {
        attributes,
        nesting,
        ..Default::default()
    });
    schema::Attribute {
        nested_type,
        ..optional(name, "")
    }
}

fn block(
    name: &str,
    nesting: i32,
    (min, max): (i64, i64),
    attributes: Vec<schema::Attribute>,
) -> schema::NestedBlock {
    schema::NestedBlock {
        type_name: name.into(),
        block: Some(schema::Block {
            attributes,
            ..Default::default()
        }),
        nesting,
        min_items: min,
        max_items: max,
    }
}

const SINGLE: i32 = 1;
const LIST: i32 = 2;
const SET: i32 = 3;
const MAP: i32 = 4;
const GROUP: i32 = 5;

/// Breaks a rule of schemas.
pub fn schema(switch: &str, answer: &mut pb::get_provider_schema::Response) {
    let thing = answer.resource_schemas.get_mut("exercise_thing").unwrap();
    let top = thing.block.as_mut().unwrap();
    let text = r#""string""#;
    let mut add = |attribute| top.attributes.push(attribute);
    match switch {
        "S1.neither" => add(attribute("x", text)),
        "S1.both" => add(schema::Attribute {
            required: true,
            ..optional("x", text)
        }),
        "S1.computed" => add(schema::Attribute {
            required: true,
            computed: true,
            ..attribute("x", text)
        }),
        "S2.neither" => add(optional("x", "")),
        "S2.both" => add(schema::Attribute {
            r#type: text.into(),
            ..nested("x", LIST, vec![])
        }),
        "S2.type" => add(optional("x", r#"["list"]"#)),
        "S2.nesting" => add(nested("x", 0, vec![])),
        "S3" => add(schema::Attribute {
            deprecation_message: "gone".into(),
            ..optional("x", text)
        }),
        "S4.twice" => add(optional("note", text)),
        "S4.clash" => top.block_types.push(block("note", LIST, (0, 0), vec![])),
        "S4.name" => top.block_types.push(block("Big", LIST, (0, 0), vec![])),
        "S5.mode" => top.block_types.push(block("x", 0, (0, 0), vec![])),
        "S5.single" => top.block_types.push(block("x", SINGLE, (0, 1), vec![])),
        "S5.list" => top.block_types.push(block("x", LIST, (3, 2), vec![])),
        "S5.negative" => top.block_types.push(block("x", LIST, (-1, 0), vec![])),
        "S5.map" => top.block_types.push(block("x", MAP, (0, 1), vec![])),
        "S5.group" => top.block_types.push(block("x", GROUP, (1, 1), vec![])),
        "S6.dynamic" => add(nested("x", SET, vec![optional("y", r#""dynamic""#)])),
        "S6.writeonly" => {
            add(nested(
                "x",
                SET,
                vec![schema::Attribute {
                    write_only: true,
                    ..optional("y", text)
                }],
            ));
        }
        "S6.block" => top.block_types.push(block(
            "x",
            SET,
            (0, 0),
            vec![optional("y", r#"["list","dynamic"]"#)],
        )),
        "S7.attribute" | "S7.min" => {
            let inner = schema::Attribute {
                computed: true,
                ..optional("y", text)
            };
            let (inner, least) = if switch == "S7.min" {
                (inner, 1)
            } else {
                (optional("y", text), 0)
            };
            let mut computed = block("x", LIST, (least, 0), vec![inner]);
            computed.block.as_mut().unwrap().computed = true;
            top.block_types.push(computed);
        }
        "S8.schema" => thing.version = -1,
        "S11" => answer.provider = None,
        "S12.list" => {
            let list = answer.list_resource_schemas["exercise_thing"].clone();
            answer.list_resource_schemas.insert("exercise_other".into(), list);
        }
        _ => {}
    }
    functions(switch, &mut answer.functions);
}

/// Breaks a rule of functions.
pub fn functions(switch: &str, all: &mut HashMap<String, pb::Function>) {
    let Some(join) = all.get_mut("join") else {
        return;
    };
    match switch {
        "S10.name" => join.parameters[0].name = "not a name".into(),
        "S10.twice" => join.variadic_parameter.as_mut().unwrap().name = "separator".into(),
        "S10.type" => join.parameters[0].r#type = "text".into(),
        "S10.return" => join.r#return = None,
        _ => {}
    }
}

/// Breaks a rule of identities.
pub fn identities(switch: &str, all: &mut HashMap<String, pb::ResourceIdentitySchema>) {
    let thing = all.get_mut("exercise_thing").unwrap();
    match switch {
        "S8.identity" => thing.version = -1,
        "S9.neither" => thing.identity_attributes[0].required_for_import = false,
        "S9.type" => thing.identity_attributes[0].r#type = r#"["map","string"]"#.into(),
        "S12.identity" => {
            let other = thing.clone();
            all.insert("exercise_other".into(), other);
        }
        _ => {}
    }
}
