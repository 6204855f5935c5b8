//! Scalars of every form, read from values, by `fromYaml` and `fromJson`; and what every writer makes of every type.

use crate::Generator;
use crate::charts::Case;

/// Pieces of scalars, from which texts are made that look like numbers, times, markers and nothing of the kind.
const PIECES: [&str; 88] = [
    "0",
    "1",
    "7",
    "10",
    "2001",
    "12",
    "59",
    "00",
    "123456789012345678901",
    "9223372036854775807",
    "308",
    "400",
    ".",
    ".5",
    "-",
    "-",
    "+",
    "e",
    "E",
    "e3",
    "e+",
    "e-7",
    "0x",
    "0o",
    "0b",
    "_",
    ":",
    ":20",
    "-1",
    "-01",
    "T",
    "t",
    " ",
    "Z",
    "+1",
    "f",
    "a",
    "b c",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "true",
    "TRUE",
    "False",
    "null",
    "Null",
    "~",
    ".inf",
    ".NaN",
    "=",
    "<<",
    "!",
    "&",
    "*",
    "%",
    "@",
    "`",
    "'",
    "\"",
    "#",
    " #",
    ": ",
    "- ",
    "? ",
    "|",
    ">",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\\",
    "/",
    "<",
    "é",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{7f}",
    "\u{1f600}",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    "word ",
    "---",
];

impl Generator {
    fn piece_text(&mut self) -> String {
        (0..1 + self.below(4)).map(|_| self.pick(&PIECES)).collect()
    }
    fn long_text(&mut self) -> String {
        (0..5 + self.below(40))
            .map(|_| self.pick(&["word ", "a", " ", "longer-one ", "é ", ": ", "\n"]))
            .collect()
    }
    /// A scalar as it stands in YAML.
    fn yaml_scalar(&mut self) -> String {
        let text = self.piece_text();
        match self.below(12) {
            0 => serde_json::to_string(&text).unwrap(),
            1 => format!("'{}'", text.replace('\'', "''")),
            2 => {
                let tag = self.pick(&[
                    "!!str",
                    "!!int",
                    "!!float",
                    "!!bool",
                    "!!null",
                    "!!binary",
                    "!!timestamp",
                    "!x",
                    "!",
                ]);
                format!("{tag} {text}")
            }
            3 => {
                let style = self.pick(&["|", "|-", "|+", ">", ">-", ">+", "|2", ">1-"]);
                format!("{style}\n    {}", text.replace('\n', "\n    "))
            }
            4 => {
                let escape = self.pick(&[
                    "\\x41",
                    "\\u00e9",
                    "\\U0001F600",
                    "\\/",
                    "\\e",
                    "\\N",
                    "\\_",
                    "\\L",
                    "\\q",
                    "\\\n  ",
                    "\\ud800",
                    "\\0",
                ]);
                format!("\"a{escape}b\"")
            }
            5 => self.numberlike(),
            6 => self.timelike(),
            _ => text.replace('\n', "\n  "),
        }
    }
    fn numberlike(&mut self) -> String {
        let mut out = self.pick(&["", "", "", "-", "+"]).to_owned();
        out += self.pick(&["", "", "", "0x", "0o", "0b", "0", "0X", "00"]);
        for _ in 0..1 + self.below(4) {
            out += self.pick(&["1", "0", "9", "12", "a", "_", "777", "345678901234567890"]);
        }
        if self.below(3) == 0 {
            out += self.pick(&[".", ".0", ".5", ".25_1", ":30", ":3:2"]);
        }
        if self.below(3) == 0 {
            out += self.pick(&["e1", "e3", "E+2", "e-4", "e400", "e-400", "e", "e1_0"]);
        }
        out
    }
    fn timelike(&mut self) -> String {
        let mut out = self.pick(&["2001", "0001", "9999", "201", "12001"]).to_owned();
        out += self.pick(&["-1-1", "-01-01", "-12-31", "-02-30", "-13-01", "-1-01"]);
        if self.below(3) > 0 {
            out += self.pick(&["T", "t", " ", "  ", "\t", "x"]);
            out += self.pick(&[
                "1:1:1", "01:01:01", "23:59:59", "24:00:00", "1:01", "01:1:61", "12:30:45",
            ]);
            out += self.pick(&["", "", ".5", ".123456789", ".1234567890", ","]);
            out += self.pick(&[
                "", "Z", "z", " Z", "+01:00", "-5", "+0130", " +01:00", "-23:59", "+1:00",
            ]);
        }
        out
    }
    /// Scalars in values, as keys too, and as texts for the reading functions.
    pub fn scalars(&mut self) -> Case {
        let mut case = chart();
        let scalar = self.yaml_scalar();
        let values = match self.below(8) {
            0 => format!("a: [{scalar}, 1]\n"),
            1 => format!("a: {{b: {scalar}}}\n"),
            2 => format!("a:\n- {scalar}\n- {}\n", self.yaml_scalar()),
            3 => format!("{scalar}: 1\n"),
            4 => format!("? {scalar}\n: {}\n", self.yaml_scalar()),
            5 if self.below(4) == 0 => scalar.clone(),
            5 => format!("m: &m {{x: {scalar}}}\na:\n  <<: *m\n  y: 1\n"),
            _ => format!("a: {scalar}\n"),
        };
        if self.below(2) == 0 {
            case.files.insert("values.yaml".into(), values.clone());
        }
        let text = serde_json::to_string(&values).unwrap();
        let alone = serde_json::to_string(&format!("[{scalar}]")).unwrap();
        let json = self.json_text();
        let json = serde_json::to_string(&json).unwrap();
        case.set_json.push(format!("texts=[{text},{alone},{json}]"));
        let mut template = String::from("{{ $t := .Values.texts }}{{ $v := omit .Values \"texts\" }}");
        let shown = [
            "$v",
            "fromYaml (index $t 0)",
            "fromYamlArray (index $t 1)",
            "fromJson (index $t 2)",
            "fromJsonArray (index $t 2)",
        ];
        for what in shown {
            // Which of several mistakes is told is not compared.
            let refused = if what.contains("Array") {
                "and (len $r | eq 1) (kindIs \"string\" (first $r)) (regexMatch \"JSON|json|invalid|unexpected\" (first $r))"
            } else {
                "hasKey $r \"Error\""
            };
            template +=
                &format!("{{{{ $r := {what} }}}}{{{{ if {refused} }}}}{what} is refused\n{{{{ else }}}}");
            for writer in [
                "toYaml",
                "toJson",
                "toToml",
                "toYamlPretty",
                "print",
                "printf \"%T %v\"",
            ] {
                template += &format!("{what} {writer}: {{{{ $r | {writer} | quote }}}}\n");
            }
            template += "{{ end }}";
        }
        case.files.insert("templates/a.yaml".into(), template);
        case
    }
    /// A rendered template with scalars where helm looks, and elsewhere.
    pub fn manifest(&mut self) -> Case {
        let mut case = chart();
        let mut text = String::new();
        for _ in 0..1 + self.below(2) {
            let mut scalar = |usual: &str| match self.below(3) {
                0 => self.yaml_scalar(),
                _ => usual.to_owned(),
            };
            text += &format!(
                "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n  annotations:\n    {}: {}\nv: {}\n",
                scalar("v1"),
                scalar("Pod"),
                scalar("a"),
                scalar("helm.sh/hook"),
                scalar("pre-install"),
                scalar("1"),
            );
            text += self.pick(&["---\n", "--- # next\n", "---x\n", "\n---  \n"]);
        }
        // Numbers without an end are told before what else is wrong, and helm takes some of them for texts.
        let text = text.replace(".inf", "inf").replace(".NaN", "NaN");
        // As a text of the template, so that no action is read in it.
        let text = serde_json::to_string(&text).unwrap().replace("\\/", "/");
        case.files
            .insert("templates/a.yaml".into(), format!("{{{{ {text} }}}}"));
        case
    }
    fn json_text(&mut self) -> String {
        let pieces = [
            "1",
            "-0",
            "1.5e3",
            "1e999",
            "01",
            "true",
            "null",
            "nul",
            "\"a\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud800\\u0041\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\u{1}\"",
            "[1, 2]",
            "[1,]",
            "[",
            "{\"a\": 1}",
            "{\"a\" 1}",
            "{a: 1}",
            "{\"a\":1,\"a\":2}",
            "\"é\"",
            "",
            " ",
            "'a'",
            "12345678901234567890",
            "1.0",
            "\"<&>\"",
            "1 2",
            "é",
        ];
        let piece = self.pick(&pieces);
        match self.below(4) {
            0 => piece.to_owned(),
            1 => format!("[{piece}]"),
            2 => format!("{{\"k\": {piece}}}"),
            _ => format!("{{\"k\": [{piece}, {}]}}", self.pick(&pieces)),
        }
    }
    /// An expression of any type that a template can make.
    fn expression(&mut self, depth: usize) -> String {
        let text = |text: &str| {
            let text = serde_json::to_string(text).unwrap();
            // Of the escapes of JSON, Go's texts lack these.
            text.replace("\\/", "/")
        };
        match self.below(if depth > 0 { 14 } else { 9 }) {
            0..=2 => {
                let piece = self.piece_text();
                text(&piece)
            }
            3 => {
                let long = self.long_text();
                text(&long)
            }
            4 => self
                .pick(&[
                    "0",
                    "1",
                    "-5",
                    "9223372036854775807",
                    "1.5",
                    "0.1",
                    "1e6",
                    "123456.7",
                    "1e20",
                    "1e21",
                    "1e22",
                    "1e-6",
                    "1e-7",
                    "-0.0",
                    "(divf 1 3)",
                    "(float64 1073741824)",
                    "(float64 \"1e400\")",
                    "(float64 \"NaN\")",
                    "(int 7)",
                    "(int64 7)",
                    "5e-324",
                    "1.7976931348623157e308",
                    "100000.0",
                    "123456789.0",
                    "'a'",
                ])
                .to_owned(),
            5 => self
                .pick(&["true", "false", "nil", "(list)", "(dict)", "\"\""])
                .to_owned(),
            6 => self
                .pick(&[
                    "(toDate \"2006-01-02\" \"2001-02-03\")",
                    "(semver \"1.2.3-rc.1+b\")",
                    "(splitList \",\" \"a,b\")",
                    "(split \",\" \"a,b\")",
                    "(until 3)",
                    "(chunk 2 (list 1 2 3))",
                    "$.Capabilities.KubeVersion",
                    "$.Capabilities.KubeVersion.Version",
                    "$.Release",
                    "$.Chart",
                    "$.Chart.Maintainers",
                    "$.Chart.Annotations",
                    "$.Files",
                    "($.Files.Get \"f.txt\")",
                    "($.Files.GetBytes \"f.txt\")",
                    "($.Files.Lines \"f.txt\")",
                    "$.Values",
                    "$.Values.nope",
                    "$.Subcharts",
                    "$.Template",
                    "(mustToDuration \"1h2m\")",
                    "(adler32sum \"a\")",
                    "(toDecimal 777)",
                    "(len \"abc\")",
                ])
                .to_owned(),
            7 => "$.Values.a".to_owned(),
            8 => "$.Values.b".to_owned(),
            9..=11 => {
                let mut out = String::from("(dict");
                for _ in 0..self.below(4) {
                    let key = self.piece_text();
                    out += &format!(" {} {}", text(&key), self.expression(depth - 1));
                }
                out + ")"
            }
            _ => {
                let mut out = String::from("(list");
                for _ in 0..self.below(4) {
                    out += " ";
                    out += &self.expression(depth - 1);
                }
                out + ")"
            }
        }
    }
    /// What every writer makes of an expression.
    pub fn writers(&mut self) -> Case {
        let mut case = chart();
        let mut tree = |depth| self.json_tree(depth);
        let values = serde_json::json!({"a": tree(3), "b": tree(2)});
        case.set_json.push(values.to_string());
        let expression = self.expression(3);
        let mut template = String::new();
        for writer in [
            "toYaml",
            "toJson",
            "toToml",
            "toYamlPretty",
            "toPrettyJson",
            "toRawJson",
            "print",
            "printf \"%#v %T\"",
            "quote",
        ] {
            // Go prints the address of a pointer in a container.
            if (writer.starts_with("print") || writer == "quote")
                && (expression.contains("semver") || expression.contains("$."))
            {
                continue;
            }
            template += &format!("{writer}: {{{{ {expression} | {writer} | toString | b64enc }}}}\n");
        }
        case.files.insert("templates/a.yaml".into(), template);
        case
    }
    fn json_tree(&mut self, depth: usize) -> serde_json::Value {
        match self.below(if depth > 0 { 12 } else { 6 }) {
            0..=1 => self.piece_text().into(),
            2 => self.long_text().into(),
            3 => serde_json::from_str(self.pick(&[
                "0",
                "1",
                "-1",
                "1000000",
                "1073741824",
                "999999",
                "1e20",
                "1e21",
                "123456789012345680000",
                "0.1",
                "1e-7",
                "1e-5",
                "-0.0",
                "1.5",
                "100000000000000000000000",
                "2.5e-9",
            ]))
            .unwrap(),
            4 => serde_json::Value::Null,
            5 => (self.below(2) == 0).into(),
            6..=8 => (0..self.below(4)).map(|_| self.json_tree(depth - 1)).collect(),
            _ => {
                let entries = (0..self.below(4)).map(|_| (self.piece_text(), self.json_tree(depth - 1)));
                serde_json::Value::Object(entries.collect())
            }
        }
    }
}

fn chart() -> Case {
    let mut case = Case::default();
    for (name, text) in [
        (
            "Chart.yaml",
            "{apiVersion: v2, name: c, version: 1.0.0, annotations: {a: b}, maintainers: [{name: m, email: e}], keywords: [k]}",
        ),
        ("f.txt", "one\ntwo\n"),
    ] {
        case.files.insert(name.to_owned(), text.to_owned());
    }
    case
}
