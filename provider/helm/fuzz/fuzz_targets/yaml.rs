//! Any text as YAML: what can be read can be written, and is then read as the same.
#![no_main]

use helm::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(value) = yaml::parse(text) {
        // Some characters can be read, but not written.
        let Ok(written) = yaml::emit(&value) else { return };
        let again = yaml::parse(&written).expect("what was written can be read");
        assert_eq!(yaml::emit(&again).expect("what was read can be written"), written, "{written}");
        assert_eq!(helm::chart::to_json(&again), helm::chart::to_json(&value), "{written}");
        let _ = yaml::emit_pretty(&value);
    }
    let _ = yaml::parse_documents(text);
});
