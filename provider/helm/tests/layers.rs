//! The modules of the crate are layers, in the order in which lib.rs declares them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::path::Path;

fn sources(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The names that follow `crate::`, also in braces.
fn imported(text: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut out = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find(';').unwrap_or(list.len())];
                out.extend(list.split(',').map(name));
            }
            None => out.push(name(rest)),
        }
    }
    out
}

#[test]
fn a_module_imports_only_from_layers_beneath_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = std::fs::read_to_string(root.join("lib.rs")).unwrap();
    let layers: Vec<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(layers.len() > 5, "{layers:?}");
    let mut upwards = Vec::new();
    for (own, layer) in layers.iter().enumerate() {
        let mut files = Vec::new();
        sources(&root.join(layer), &mut files);
        assert!(!files.is_empty(), "{layer} is a folder");
        for file in files {
            for name in imported(&std::fs::read_to_string(&file).unwrap()) {
                // What lib.rs hands on has no layer of its own: inside of the crate it is named where it is defined.
                if !layers[..=own].contains(&name.as_str()) {
                    upwards.push(format!("{} imports crate::{name}", file.display()));
                }
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");
}
