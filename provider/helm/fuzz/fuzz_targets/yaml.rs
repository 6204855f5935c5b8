//! Any text as YAML: what can be read can be written, and is then read as the same.
//! Except with Unicode's other line ends, which helm itself does not read back the same: those only must not panic.
#![no_main]

use helm::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(value) = yaml::parse(text) {
        // Some characters can be read, but not written.
        let Ok(written) = yaml::emit(&value) else { return };
        let _ = yaml::emit_pretty(&value);
        let json = helm::chart::to_json(&value);
        if json.to_string().contains(['\u{85}', '\u{2028}', '\u{2029}']) {
            return;
        }
        let again = yaml::parse(&written).expect("what was written can be read");
        assert_eq!(yaml::emit(&again).expect("what was read can be written"), written, "{written}");
        assert_eq!(helm::chart::to_json(&again), json, "{written}");
    }
    let _ = yaml::parse_documents(text);
});
