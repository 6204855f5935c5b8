//! Any text as a template: rendered twice the same, or refused; never a panic, never without end.
#![no_main]

use helm::chart::File;
use helm::value::Value;
use helm::{Chart, Release, Renderer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let file = |name: &str, text: &str| File {
        name: name.into(),
        data: text.as_bytes().into(),
    };
    let values = "a: {b: 1, c: [1, x, null], d: s}\nl: [c, a, b]\nn: {}\nt: \"{{ .Values.a }}\"\n";
    let chart = Chart::from_files(vec![
        file("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        file("values.yaml", values),
        file("templates/_d.tpl", "{{ define \"d\" }}{{ . }}{{ end }}"),
        file("templates/t.yaml", text),
    ])
    .expect("the chart is in order");
    let render = || {
        let mut renderer = Renderer::new(&chart, Release::new("r", "ns"));
        renderer.limits.work = 200_000;
        renderer.limits.value = 100_000;
        renderer.limits.depth = 20;
        renderer.files(&Value::from_json(&serde_json::json!({}))).map(|r| r.files)
    };
    // Keys and certificates are new every time, and take their time.
    if ["gen", "crypt", "htpasswd", "derivePassword", "AES"].iter().any(|word| text.contains(word)) {
        return;
    }
    match (render(), render()) {
        (Ok(a), Ok(b)) => assert_eq!(a, b),
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        (a, b) => panic!("{:?} {:?}", a.map_err(|e| e.to_string()), b.map_err(|e| e.to_string())),
    }
});
