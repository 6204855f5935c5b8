//! The generated code against the counts and numbers of the protocol: a slip in a `.proto` would otherwise only show
//! as data silently lost on the wire.

use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};

fn file(package: &str) -> FileDescriptorProto {
    let set =
        FileDescriptorSet::decode(&include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"))[..]).unwrap();
    set.file
        .into_iter()
        .find(|file| file.package() == package)
        .unwrap()
}

fn message(file: &FileDescriptorProto, path: &str) -> DescriptorProto {
    let mut names = path.split('.');
    let first = names.next().unwrap();
    let top = file
        .message_type
        .iter()
        .find(|message| message.name() == first)
        .unwrap()
        .clone();
    names.fold(top, |outer, name| {
        outer
            .nested_type
            .iter()
            .find(|message| message.name() == name)
            .unwrap()
            .clone()
    })
}

fn field(file: &FileDescriptorProto, path: &str, name: &str) -> FieldDescriptorProto {
    message(file, path)
        .field
        .into_iter()
        .find(|field| field.name() == name)
        .unwrap()
}

/// Messages (without map entries), fields and enums, nested ones included.
fn count(message: &DescriptorProto) -> (usize, usize, usize) {
    if message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry())
    {
        return (0, 0, 0);
    }
    message
        .nested_type
        .iter()
        .map(count)
        .fold((1, message.field.len(), message.enum_type.len()), |sum, inner| {
            (sum.0 + inner.0, sum.1 + inner.1, sum.2 + inner.2)
        })
}

fn streams(service: &ServiceDescriptorProto) -> Vec<(&str, bool, bool)> {
    let method = |m: &'_ prost_types::MethodDescriptorProto| (m.client_streaming(), m.server_streaming());
    service
        .method
        .iter()
        .filter(|m| method(m) != (false, false))
        .map(|m| (m.name(), method(m).0, method(m).1))
        .collect()
}

#[test]
fn protocol_6_11_is_complete() {
    let file = file("tfplugin6");
    assert_eq!(file.service.len(), 1);
    assert_eq!(file.service[0].method.len(), 36);
    let (messages, fields, enums) = file
        .message_type
        .iter()
        .map(count)
        .fold((0, 0, file.enum_type.len()), |sum, inner| {
            (sum.0 + inner.0, sum.1 + inner.1, sum.2 + inner.2)
        });
    assert_eq!((messages, fields, enums), (143, 296, 5));
}

#[test]
fn streaming_calls_are_the_four_of_the_protocol() {
    assert_eq!(
        streams(&file("tfplugin6").service[0]),
        [
            ("ListResource", false, true),
            ("ReadStateBytes", false, true),
            ("WriteStateBytes", true, false),
            ("InvokeAction", false, true),
        ]
    );
}

#[test]
fn field_numbers_that_are_not_in_order_of_declaration() {
    let file = file("tfplugin6");
    for (path, name, number) in [
        ("ValidateProviderConfig.Response", "diagnostics", 2),
        ("Schema.Object", "nesting", 3),
        ("Schema.Attribute", "nested_type", 10),
        ("Schema.Attribute", "write_only", 11),
        ("GetProviderSchema.Response", "diagnostics", 4),
        ("GetProviderSchema.Response", "provider_meta", 5),
        ("GetProviderSchema.Response", "server_capabilities", 6),
        ("GetProviderSchema.Response", "functions", 7),
        ("GetProviderSchema.Response", "action_schemas", 11),
        ("PlanResourceChange.Request", "planned_private", 9),
        ("PlanResourceChange.Response", "planned_identity", 7),
        ("ApplyResourceChange.Response", "private", 2),
        ("ReadResource.Response", "private", 3),
        ("MoveResourceState.Request", "source_identity_schema_version", 8),
        ("ClientCapabilities", "computed_blocks_allowed", 4),
        ("InvokeAction.Event", "completed", 2),
    ] {
        assert_eq!(field(&file, path, name).number(), number, "{path}.{name}");
    }
}

#[test]
fn optional_fields_tell_absent_from_empty() {
    let file = file("tfplugin6");
    for (path, name) in [
        ("OpenEphemeralResource.Response", "renew_at"),
        ("OpenEphemeralResource.Response", "private"),
        ("RenewEphemeralResource.Request", "private"),
        ("CloseEphemeralResource.Request", "private"),
        ("ListResource.Event", "resource_object"),
        ("FunctionError", "function_argument"),
        ("WriteStateBytes.RequestChunk", "meta"),
    ] {
        assert!(field(&file, path, name).proto3_optional(), "{path}.{name}");
    }
}

#[test]
fn the_host_services_are_there() {
    let file = file("plugin");
    let services: Vec<_> = file
        .service
        .iter()
        .map(|service| (service.name(), streams(service)))
        .collect();
    assert_eq!(
        services,
        [
            ("GRPCBroker", vec![("StartStream", true, true)]),
            ("GRPCController", vec![]),
            ("GRPCStdio", vec![("StreamStdio", false, true)]),
        ]
    );
}

#[test]
fn gaps_and_oneofs_encode_as_the_host_expects() {
    use crate::tfplugin6::{self as tf, attribute_path::step::Selector};
    let diagnostic = tf::Diagnostic {
        severity: tf::diagnostic::Severity::Error.into(),
        summary: "no".into(),
        detail: String::new(),
        attribute: Some(tf::AttributePath {
            steps: vec![tf::attribute_path::Step {
                selector: Some(Selector::ElementKeyInt(7)),
            }],
        }),
    };
    assert_eq!(
        diagnostic.encode_to_vec(),
        b"\x08\x01\x12\x02no\x22\x04\x0a\x02\x18\x07"
    );
}
