//! Charts in charts: nulls, globals, dependencies with conditions, tags, aliases and imports, and the user's values at every
//! level.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use crate::Generator;

/// A chart with what the user gives.
#[derive(Debug, Default, serde::Serialize)]
pub struct Case {
    /// Files of the chart, by path.
    pub files: BTreeMap<String, String>,
    /// Contents of the files of `-f`.
    pub values: Vec<String>,
    /// Arguments of `--set-json`.
    pub set_json: Vec<String>,
    /// Arguments of `--set`.
    pub set: Vec<String>,
    /// Arguments of `--set-string`.
    pub set_string: Vec<String>,
    /// Arguments of `--set-file`.
    pub set_file: Vec<String>,
    /// Arguments of `--set-literal`.
    pub set_literal: Vec<String>,
}

impl Case {
    /// Writes the chart `c` and the files of `-f` into a folder, and gives the arguments that name them.
    pub fn write(&self, folder: &Path) -> Vec<String> {
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (name, text) in &self.files {
            write(folder.join("c").join(name), text);
        }
        let mut out = Vec::new();
        for (number, text) in self.values.iter().enumerate() {
            let path = folder.join(format!("v{number}.yaml"));
            out.extend(["-f".to_owned(), path.display().to_string()]);
            write(path, text);
        }
        for (flag, arguments) in [
            ("--set-json", &self.set_json),
            ("--set", &self.set),
            ("--set-string", &self.set_string),
            ("--set-file", &self.set_file),
            ("--set-literal", &self.set_literal),
        ] {
            for argument in arguments {
                out.extend([flag.to_owned(), argument.clone()]);
            }
        }
        out
    }
}

/// A chart on its way to its files.
struct Sketch {
    name: &'static str,
    version: &'static str,
    subcharts: Vec<Sketch>,
    /// Entries of `dependencies`, if it has any.
    declared: Option<Vec<Json>>,
}

impl Sketch {
    /// The keys of its values that mean something: names of subcharts and their aliases.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.subcharts.iter().map(|sub| sub.name.to_owned()).collect();
        for entry in self.declared.iter().flatten() {
            names.extend(entry["alias"].as_str().map(str::to_owned));
        }
        names
    }
}

const CHARTS: [&str; 4] = ["s", "t", "u", "v"];

impl Generator {
    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
    /// A chart named `c` with charts in it.
    pub fn case(&mut self) -> Case {
        let root = self.sketch("c", 0);
        let mut case = Case::default();
        self.write(&root, "", &mut case.files);
        for _ in 0..self.below(4) {
            let text = self.document_text(&root);
            case.values.push(text);
        }
        for _ in 0..self.below(3) {
            match self.below(5) {
                0 => {
                    let value = self.chart_values(&root, 0);
                    case.set_json.push(value.to_string());
                }
                1 => {
                    let (path, value) = (self.path(&root), self.leaf(0));
                    case.set_json.push(format!("{path}={value}"));
                }
                2 => {
                    let path = self.path(&root);
                    case.set_string.push(format!("{path}=1"));
                }
                _ => {
                    let path = self.path(&root);
                    let value = self.pick(&["1", "null", "true", "false", "x", "{}", "{a,b}"]);
                    case.set.push(format!("{path}={value}"));
                }
            }
        }
        case
    }
    fn sketch(&mut self, name: &'static str, depth: usize) -> Sketch {
        let mut subcharts: Vec<Sketch> = Vec::new();
        let most = [3, 2, 2, 0][depth];
        if most > 0 {
            for name in CHARTS {
                if subcharts.len() < most && self.below(4) >= 2 - usize::from(depth == 0) {
                    subcharts.push(self.sketch(name, depth + 1));
                }
            }
        }
        let declared = match self.below(6) {
            0 => None,
            1 if self.one_in(3) => Some(Vec::new()),
            _ => Some(self.declarations(&subcharts)),
        };
        Sketch {
            name,
            version: self.pick_static(&["1.0.0", "1.0.0", "2.1.0"]),
            subcharts,
            declared: declared.filter(|list| !list.is_empty() || name != "u"),
        }
    }
    fn pick_static(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }
    fn declarations(&mut self, subcharts: &[Sketch]) -> Vec<Json> {
        let mut out: Vec<Json> = Vec::new();
        for sub in subcharts {
            if self.one_in(5) {
                continue;
            }
            for _ in 0..1 + usize::from(self.one_in(5)) {
                let constraint = self.pick(&["*", "*", ">=0", "1.0.0", "^2"]);
                let mut entry = json!({"name": sub.name, "version": constraint, "repository": ""});
                let mut name = sub.name;
                if self.one_in(4) {
                    name = self.pick_static(&["x", "y", "z", "t"]);
                    entry["alias"] = json!(name);
                }
                let taken = |other: &Json| {
                    let named = other["alias"].as_str().or(other["name"].as_str());
                    named == Some(name)
                };
                if out.iter().any(taken) && !self.one_in(100) {
                    continue;
                }
                if self.one_in(4) {
                    let inner = self.pick(&["enabled", "a", "b"]);
                    entry["condition"] = json!(match self.below(4) {
                        0 => format!("{name}.{inner},{}.a", sub.name),
                        1 => inner.to_owned(),
                        _ => format!("{name}.{inner}"),
                    });
                }
                if self.one_in(5) {
                    entry["tags"] = json!([self.pick(&["a", "b"]), self.pick(&["a", "c"])]);
                }
                if self.one_in(3) {
                    let imports: Vec<Json> = (0..1 + self.below(2)).map(|_| self.import()).collect();
                    entry["import-values"] = imports.into();
                }
                out.push(entry);
            }
        }
        out
    }
    fn import(&mut self) -> Json {
        match self.below(8) {
            0..=2 => json!(self.pick(&["a", "b", "c", "global"])),
            3 => json!({"child": self.pick(&["a", "exports.b", "global"])}),
            _ => {
                let child = self.pick(&[
                    "a",
                    "b",
                    "a.b",
                    "exports",
                    "exports.a",
                    "global",
                    "global.a",
                    "s",
                    "t.a",
                ]);
                let parent = self.pick(&[
                    ".",
                    "a",
                    "b",
                    "a.b",
                    "global",
                    "global.a",
                    "exports",
                    "exports.a",
                    "x.a",
                    "",
                ]);
                let parent = if self.one_in(20) { "s" } else { parent };
                json!({"child": child, "parent": parent})
            }
        }
    }
    fn write(&mut self, chart: &Sketch, folder: &str, files: &mut BTreeMap<String, String>) {
        let mut metadata = json!({"apiVersion": "v2", "name": chart.name, "version": chart.version});
        if let Some(declared) = &chart.declared {
            metadata["dependencies"] = declared.clone().into();
        }
        files.insert(format!("{folder}Chart.yaml"), metadata.to_string());
        if !self.one_in(8) {
            let text = self.document_text(chart);
            files.insert(format!("{folder}values.yaml"), text);
        }
        let mut template = String::from("kind: x\n");
        // What a template changes is seen where the map is shared.
        if self.one_in(3) {
            let path = self.pick(&[
                "",
                "\"global\"",
                "\"global\" \"a\"",
                "\"global\" \"a\" \"b\"",
                "\"a\"",
                "\"s\"",
            ]);
            template += &format!(
                "{{{{ $m := .Values }}}}{{{{ range list {path} }}}}{{{{ if kindIs \"map\" $m }}}}{{{{ $m = get $m . }}}}{{{{ end }}}}{{{{ end }}}}\
                 {{{{ if kindIs \"map\" $m }}}}{{{{ $_ := set $m \"w{}\" .Template.Name }}}}{{{{ end }}}}",
                chart.name
            );
        }
        template += "v: {{ .Values | toJson | quote }}\nc: {{ .Chart.Name }}\nd:{{ range .Chart.Dependencies }} {{ .Name }} {{ .Alias }} {{ .Enabled }}{{ end }}\n";
        files.insert(format!("{folder}templates/a.yaml"), template);
        for (number, sub) in chart.subcharts.iter().enumerate() {
            let folder = if self.one_in(6) {
                format!("{folder}charts/f{number}/")
            } else {
                format!("{folder}charts/{}/", sub.name)
            };
            self.write(sub, &folder, files);
        }
    }
    /// A file of values, now and then of several documents.
    fn document_text(&mut self, chart: &Sketch) -> String {
        let mut out = String::new();
        if self.one_in(6) {
            out += self.pick(&["---\n", "--- # first\n", "# c\n---\n", "---\n---\n"]);
        }
        out += &self.chart_values(chart, 0).to_string();
        while self.one_in(4) {
            out += self.pick(&["\n---\n", "\n--- # next\n", "\n---\n---\n", "\n...\n---\n"]);
            if self.one_in(300) {
                out += self.pick(&["[1]", "x", "1", "--- x", "null", ""]);
            } else {
                out += &self.chart_values(chart, 0).to_string();
            }
        }
        out + self.pick(&["", "\n", "\n---", "\n---\n"])
    }
    /// Values of a chart, with a part for each of its subcharts.
    fn chart_values(&mut self, chart: &Sketch, depth: usize) -> Json {
        let mut out = Map::new();
        for key in ["a", "b"] {
            if self.one_in(2) {
                out.insert(key.into(), self.leaf(0));
            }
        }
        if self.one_in(2) {
            let global = match self.below(12) {
                0 => Json::Null,
                1 => json!(1),
                _ => self.table(0),
            };
            out.insert("global".into(), global);
        }
        if self.one_in(3) {
            let exports = json!({"a": self.leaf(1), "b": self.leaf(1), "c": self.table(1)});
            out.insert("exports".into(), exports);
        }
        if self.one_in(6) {
            let tags = json!({"a": self.one_in(2), "b": self.one_in(3), "c": self.leaf(2)});
            out.insert("tags".into(), tags);
        }
        if self.one_in(4) {
            out.insert("enabled".into(), json!(self.one_in(2)));
        }
        for name in chart.names() {
            if self.one_in(2) {
                continue;
            }
            let value = match (
                chart.subcharts.iter().find(|sub| sub.name == name),
                self.below(600),
            ) {
                (_, 0..5) => Json::Null,
                (_, 5) => json!(1),
                (Some(sub), 6..500) if depth < 3 => self.chart_values(sub, depth + 1),
                _ => self.table(0),
            };
            out.insert(name, value);
        }
        Json::Object(out)
    }
    fn leaf(&mut self, depth: usize) -> Json {
        match self.below(12) {
            0..=2 => Json::Null,
            3 => json!(self.below(3)),
            4 => json!(self.one_in(2)),
            5 => json!("x"),
            6 => json!([self.below(3), null]),
            7 if depth < 2 => json!([{"a": null, "b": 1}]),
            _ if depth < 3 => self.table(depth),
            _ => json!(0.5),
        }
    }
    fn table(&mut self, depth: usize) -> Json {
        let mut out = Map::new();
        for key in ["a", "b", "c"] {
            if self.one_in(2) {
                out.insert(key.into(), self.leaf(depth + 1));
            }
        }
        Json::Object(out)
    }
    fn path(&mut self, chart: &Sketch) -> String {
        let mut out = String::new();
        let mut chart = chart;
        while !chart.subcharts.is_empty() && self.one_in(2) {
            let at = self.below(chart.subcharts.len());
            chart = &chart.subcharts[at];
            out += chart.name;
            out += ".";
        }
        out + self.pick(&[
            "a",
            "b",
            "a.b",
            "global.a",
            "global.a.b",
            "global.c",
            "x.a",
            "exports.a.a",
            "enabled",
            "tags.a",
        ])
    }
}
