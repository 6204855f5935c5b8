//! Any bytes as a value of any type: an error or a value that comes back the same, never a panic.
#![no_main]

use framework::{Type, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&length, rest)) = data.split_first() else { return };
    let (ty, bytes) = rest.split_at(usize::from(length).min(rest.len()));
    // Half of the inputs bring their own type, the others are dynamic.
    let ty = Type::from_json_bytes(ty).unwrap_or(Type::Dynamic);
    if let Ok(value) = Value::from_msgpack(bytes, &ty) {
        assert_eq!(value.conformance(&ty), vec![]);
        let again = value.to_msgpack(&ty).expect("what was read can be written");
        assert_eq!(Value::from_msgpack(&again, &ty).expect("what was written can be read"), value);
        if let Ok(json) = value.to_json(&ty) {
            assert_eq!(Value::from_json(&json, &ty).expect("what was written can be read"), value);
        }
    }
    if let Ok(json) = serde_json::from_slice(bytes)
        && let Ok(value) = Value::from_json(&json, &ty)
    {
        let again = value.to_json(&ty).expect("what was read can be written");
        assert_eq!(Value::from_json(&again, &ty).expect("what was written can be read"), value);
    }
});
