//! Arguments of `--set` and its kin: paths, values of every form, and what is none.

use crate::Generator;
use crate::charts::Case;

/// A file that is read where the tests run.
const FILE: &str = "Cargo.toml";

impl Generator {
    /// A chart that shows its values, and arguments that make them.
    pub fn arguments(&mut self) -> Case {
        let mut case = Case::default();
        let mut file = |name: &str, text: &str| case.files.insert(name.to_owned(), text.to_owned());
        file("Chart.yaml", "{apiVersion: v2, name: c, version: 1.0.0}");
        file("templates/a.yaml", "kind: x\nv: {{ .Values | toJson | quote }}\n");
        if self.below(3) == 0 {
            let values = self.pick(&[
                "a: x",
                "a: [1, null, {b: 1}]",
                "a: {b: [[1], 2]}",
                "a: null",
                "b: {}",
                "a: {}",
            ]);
            case.values.push(values.to_owned());
        }
        for _ in 0..1 + self.below(3) {
            let kind = self.below(5);
            let mut text = String::new();
            for _ in 0..1 + self.below(3) {
                text += &self.path_of_set();
                text += self.pick(&["=", "=", "=", "=", "=", "", "==", "= "]);
                text += &match kind {
                    0 => self.json_of_set(),
                    3 => self
                        .pick(&[
                            FILE,
                            FILE,
                            "{Cargo.toml}",
                            "{Cargo.toml,Cargo.toml}",
                            "",
                            "nope",
                            "src",
                            "{nope}",
                        ])
                        .to_owned(),
                    _ => self.value_of_set(),
                };
                text += self.pick(&[",", ",", ",", "", " ", ",,", ", ", "}", "\\"]);
            }
            if self.below(3) > 0 {
                text = text.trim_end_matches([',', ' ', '\\']).to_owned();
            }
            let arguments = match kind {
                0 => &mut case.set_json,
                1 => &mut case.set,
                2 => &mut case.set_string,
                3 => &mut case.set_file,
                _ => &mut case.set_literal,
            };
            arguments.push(text);
        }
        case
    }
    fn path_of_set(&mut self) -> String {
        let mut out = String::new();
        for part in 0..1 + self.below(3) {
            if part > 0 {
                out += self.pick(&[".", ".", ".", ".", "..", "[", "\\."]);
            }
            out += self.pick(&["a", "a", "b", "b", "c", "", "a b", "a\\,b", "é"]);
            while self.below(4) == 0 {
                out += self.pick(&[
                    "[0]",
                    "[0]",
                    "[1]",
                    "[2]",
                    "[-1]",
                    "[x]",
                    "[]",
                    "[",
                    "]",
                    "[65537]",
                    "[0]x",
                    "[+1]",
                    "[01]",
                    "[99999999999999999999]",
                ]);
            }
        }
        out
    }
    fn value_of_set(&mut self) -> String {
        let simple = [
            "1",
            "0",
            "-1",
            "+49123",
            "007",
            "-0",
            "+0",
            "1.5",
            "1e3",
            "9223372036854775807",
            "9223372036854775808",
            "true",
            "False",
            "TRUE",
            "null",
            "NULL",
            "~",
            "",
            "x",
            "x y",
            " 1",
            "1 ",
            "\\1",
            "a\\,b",
            "a=b",
            "a.b",
            "[1]",
            "fal\u{17f}e",
            "-",
            "+",
            "0x1",
            "\"q\"",
            "{",
            "}",
            "\\{a}",
            "1_000",
            "é",
        ];
        if self.below(4) > 0 {
            return self.pick(&simple).to_owned();
        }
        let items: Vec<&str> = (0..self.below(4)).map(|_| self.pick(&simple)).collect();
        format!(
            "{{{}{}",
            items.join(","),
            self.pick(&["}", "}", "}", "}", "", "}x", "},"])
        )
    }
    fn json_of_set(&mut self) -> String {
        self.pick(&[
            "1",
            "1.5",
            "-0",
            "1e3",
            "1e999",
            "-1e999",
            "01",
            "1.",
            "12x",
            "true",
            "tru",
            "null",
            "\"a,b\"",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\x\"",
            "\"",
            "[1]",
            "[1,{\"a\":null}]",
            "[1,]",
            "[",
            "{}",
            "{\"b\":{\"c\":1}}",
            "{\"b\":1,\"b\":2}",
            "{",
            "",
            " ",
            "\t1",
            "1 ",
            " [] ",
            "x",
            "'a'",
            "12345678901234567890",
            "\"\u{7}\"",
            "\"é\"",
            "[1] b=2",
        ])
        .to_owned()
    }
}
