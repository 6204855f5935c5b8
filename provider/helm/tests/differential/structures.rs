//! Control structures, variables, definitions, white space; and values of all shapes.

use crate::Generator;

/// The values that the templates see.
pub const VALUES: &str = r#"
list: [a, b, "", c]
numbers: [3, 0, 1.5, 2]
mixed: [1, "x", null, true, {k: v}, [1, 2]]
empty: []
map: {one: 1, two: "zwei", three: null, four: {deep: {er: x}}}
none: {}
yes: true
no: false
zero: 0
word: hello
blank: ""
nothing: null
text: |
  first line
    second line

  last
"#;

/// Keys of generated values.
pub const KEYS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// What a position of a template can see.
#[derive(Clone)]
struct Scope {
    variables: Vec<String>,
    depth: usize,
    in_range: bool,
    definitions: Vec<String>,
}

impl Generator {
    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
    /// An action's text between delimiters that may trim.
    fn action(&mut self, text: &str) -> String {
        let left = self.pick(&["{{ ", "{{", "{{- ", "{{- ", "{{-\n  "]);
        let right = self.pick(&[" }}", "}}", " -}}", " -}}", "\n-}}"]);
        format!("{left}{text}{right}")
    }
    fn text(&mut self) -> String {
        self.pick(&[
            " ", "\n", "  \n  ", "x", "key: v\n", "\t", "- ", "}} ", "{ { ", "é", "\r\n", "a\n\n\nb", "\"",
        ])
        .to_owned()
    }
    fn comment(&mut self) -> String {
        let left = self.pick(&["{{", "{{", "{{- ", "{{-\n"]);
        let text = self.pick(&["/* c */", "/* {{ . }} */", "/* two\nlines */", "/**/"]);
        // A space before the end is a mistake.
        let right = if self.chance(60) {
            " }}"
        } else {
            self.pick(&["}}", " -}}", "\n-}}"])
        };
        format!("{left}{text}{right}")
    }
    fn value(&mut self, scope: &Scope) -> String {
        if !scope.variables.is_empty() && self.chance(3) {
            let at = self.below(scope.variables.len());
            let variable = scope.variables[at].clone();
            return if self.chance(25) {
                format!("{variable}.k")
            } else {
                variable
            };
        }
        // Not the dot of the file: Go prints addresses in it.
        if scope.in_range && self.chance(4) {
            return ".".to_owned();
        }
        if self.chance(25) {
            return self
                .pick(&[
                    ".k",
                    ".deep",
                    "nil",
                    "$.Values.missing.x",
                    ".Values.map",
                    ".Values.list",
                ])
                .to_owned();
        }
        self.pick(&[
            "$.Values.word",
            "$.Values.word",
            "$.Values.list",
            "$.Values.numbers",
            "$.Values.mixed",
            "$.Values.empty",
            "$.Values.map",
            "$.Values.none",
            "$.Values.yes",
            "$.Values.no",
            "$.Values.zero",
            "$.Values.blank",
            "$.Values.nothing",
            "$.Values.map.two",
            "$.Values.map.three",
            "$.Values.map.four.deep.er",
            "$.Values.map.missing",
            "$.Values.text",
            "$.Values.list",
            "$.Values.map",
            "$.Values.numbers",
            "$.Values.mixed",
            "\"s\"",
            "\"\"",
            "`r\nw`",
            "1",
            "0",
            "-2",
            "1.5",
            "true",
            "false",
            "'a'",
            "$.Release.Name",
            "$.Release.IsInstall",
            "$.Chart.Name",
            "(list 1 2 3)",
            "(dict \"k\" \"v\")",
            "(until 3)",
            "3",
            "$.Values.map.four",
        ])
        .to_owned()
    }
    fn pipeline(&mut self, scope: &Scope, depth: usize) -> String {
        let value = self.value(scope);
        if depth == 0 || self.chance(3) {
            return value;
        }
        let other = if self.chance(2) {
            format!("({})", self.pipeline(scope, depth - 1))
        } else {
            self.value(scope)
        };
        // Mostly what fits any type; now and then what may not.
        let wild = self.chance(12);
        match self.below(if wild { 26 } else { 15 }) {
            0 => format!("{value} | default {other}"),
            1 => format!("and {value} {other}"),
            2 => format!("or {value} {other}"),
            3 => format!("not {other}"),
            4 => format!("{value} | quote"),
            5 => format!("printf \"%v-%v\" {value} {other}"),
            6 => format!("{other} | toJson"),
            7 => format!("{other} | toYaml | nindent 2"),
            8 => format!("kindOf {other} | eq \"map\""),
            9 => format!(
                "ternary {value} {other} {}",
                self.pick(&["true", "false", "$.Values.yes"])
            ),
            10 => format!("{other} | toString | upper | trunc 20"),
            11 => format!("{other} | empty"),
            12 => format!("print {value} {other}"),
            13 => format!("coalesce {value} {other} \"z\""),
            14 => format!(
                "tpl {} .",
                self.pick(&[
                    "\"{{ . | kindOf }}\"",
                    "\"a{{- /* c */ -}} b\"",
                    "\"{{ $x := 1 }}{{ $x }}\"",
                    "$.Values.word"
                ])
            ),
            15 => format!("eq {value} {other}"),
            16 => format!("len {other}"),
            17 => format!("index {other} 0"),
            18 => format!("lt {value} {other}"),
            19 => format!("ne {value} {other}"),
            20 => format!("first {other}"),
            21 => format!("hasKey {other} \"one\""),
            22 => format!("get {other} \"two\""),
            23 => format!("({value}).k"),
            24 => format!("{other} | trim"),
            _ => format!("dig \"four\" \"deep\" {value} $.Values.map"),
        }
    }
    fn body(&mut self, scope: &mut Scope) -> String {
        let mut out = String::new();
        let mark = scope.variables.len();
        for _ in 0..1 + self.below(3) {
            if self.chance(2) {
                out.push_str(&self.text());
            }
            let statement = self.statement(scope);
            out.push_str(&statement);
        }
        scope.variables.truncate(mark);
        out
    }
    fn inner(&mut self, scope: &Scope, variables: &[&str], in_range: bool) -> String {
        let mut inner = scope.clone();
        inner.depth += 1;
        inner.in_range |= in_range;
        inner.variables.extend(variables.iter().map(|v| (*v).to_owned()));
        self.body(&mut inner)
    }
    fn statement(&mut self, scope: &mut Scope) -> String {
        let simple = scope.depth >= 3;
        let pipe = self.pipeline(scope, 2);
        match self.below(if simple { 8 } else { 16 }) {
            0 => self.text(),
            1 => self.comment(),
            2 => {
                let name = format!("$v{}", self.below(3));
                let statement = self.action(&format!("{name} := {pipe}"));
                scope.variables.push(name);
                statement
            }
            3 if !scope.variables.is_empty() => {
                let at = self.below(scope.variables.len());
                let name = scope.variables[at].clone();
                self.action(&format!("{name} = {pipe}"))
            }
            4 if scope.in_range && self.chance(2) => {
                let word = self.pick(&["break", "continue"]).to_owned();
                let condition = self.value(scope);
                let (begin, jump, end) = (
                    self.action(&format!("if {condition}")),
                    self.action(&word),
                    self.action("end"),
                );
                format!("{begin}{jump}{end}")
            }
            5 if !scope.definitions.is_empty() => {
                let at = self.below(scope.definitions.len());
                let name = scope.definitions[at].clone();
                let argument = self.value(scope);
                match self.below(4) {
                    0 => self.action(&format!("template {name:?} {argument}")),
                    1 => self.action(&format!("template {name:?}")),
                    2 => self.action(&format!("include {name:?} {argument} | indent 2")),
                    _ => self.action(&format!("include {name:?} . | trim | quote")),
                }
            }
            3..=7 => self.action(&pipe),
            8 | 9 => {
                let begin = self.action(&format!("if {pipe}"));
                let then = self.inner(scope, &[], false);
                let mut out = begin + &then;
                if self.chance(3) {
                    let condition = self.pipeline(scope, 1);
                    out += &self.action(&format!("else if {condition}"));
                    out += &self.inner(scope, &[], false);
                }
                self.otherwise(scope, out)
            }
            10 | 11 => {
                let (declaration, variables): (&str, &[&str]) = if self.chance(2) {
                    ("$w := ", &["$w"])
                } else {
                    ("", &[])
                };
                let begin = self.action(&format!("with {declaration}{pipe}"));
                let then = self.inner(scope, variables, false);
                let mut out = begin + &then;
                if self.chance(5) {
                    let condition = self.pipeline(scope, 1);
                    out += &self.action(&format!("else with {condition}"));
                    out += &self.inner(scope, &[], false);
                }
                self.otherwise(scope, out)
            }
            12..=14 => {
                let (declaration, variables): (&str, &[&str]) = match self.below(4) {
                    0 => ("", &[]),
                    1 => ("$e := ", &["$e"]),
                    2 => ("$i, $e := ", &["$i", "$e"]),
                    _ => ("$_, $e := ", &["$_", "$e"]),
                };
                let over = if self.chance(2) {
                    self.pick(&[
                        "$.Values.list",
                        "$.Values.map",
                        "$.Values.mixed",
                        "$.Values.empty",
                        "3",
                        "(until 2)",
                        "$.Values.none",
                        "$.Values.numbers",
                    ])
                    .to_owned()
                } else {
                    pipe
                };
                let begin = self.action(&format!("range {declaration}{over}"));
                let then = self.inner(scope, variables, true);
                let out = begin + &then;
                self.otherwise(scope, out)
            }
            _ => {
                let name = format!("block{}-{}", scope.depth, self.below(1 << 20));
                let begin = self.action(&format!("block {name:?} {pipe}"));
                let inner = Scope {
                    variables: Vec::new(),
                    depth: scope.depth + 1,
                    in_range: false,
                    definitions: Vec::new(),
                };
                let then = self.body(&mut inner.clone());
                let end = self.action("end");
                format!("{begin}{then}{end}")
            }
        }
    }
    fn otherwise(&mut self, scope: &Scope, mut out: String) -> String {
        if self.chance(2) {
            out += &self.action("else");
            out += &self.inner(scope, &[], false);
        }
        out + &self.action("end")
    }
    /// A file with definitions, whose one document is what its body prints.
    pub fn file(&mut self, index: usize) -> String {
        let mut out = String::new();
        let mut definitions = Vec::new();
        for number in 0..self.below(3) {
            let name = format!("f{index}.d{number}");
            let mut scope = Scope {
                variables: Vec::new(),
                depth: 2,
                in_range: false,
                definitions: definitions.clone(),
            };
            let begin = self.action(&format!("define {name:?}"));
            let body = self.body(&mut scope);
            let end = self.action("end");
            out += &format!("{begin}{body}{end}\n");
            definitions.push(name);
        }
        let mut scope = Scope {
            variables: Vec::new(),
            depth: 0,
            in_range: false,
            definitions,
        };
        let body = self.body(&mut scope);
        // Once in a while it cannot be parsed.
        let body = if self.chance(40) {
            body.replacen("end", self.pick(&["ende", "", "else", "end 1"]), 1)
        } else {
            body
        };
        out += &format!(
            "{{{{ define \"f{index}\" }}}}{body}{{{{ end }}}}\nkind: x\nv: {{{{ include \"f{index}\" . | toJson }}}}\n"
        );
        out
    }

    /// Values as people write them, and as they should not.
    pub fn values(&mut self) -> String {
        let mut out = String::new();
        for key in KEYS {
            let value = self.node(0);
            if value.starts_with('\n') {
                out += &format!("{key}:{value}\n");
            } else {
                out += &format!("{key}: {value}\n");
            }
        }
        out
    }
    /// Scalars; now and then ones that are none, or that helm refuses.
    fn scalar(&mut self) -> &'static str {
        if self.chance(60) {
            return self.pick(&[
                "@at",
                "`tick",
                "%percent",
                "?q",
                "[",
                "---",
                "...",
                "*anchor",
                "!local x",
                "|",
                ">",
                "a]",
                "0xg",
                "&anchor x",
                "a: b",
                "- dash",
                ".nan",
                ".inf",
                "-.Inf",
                "<<",
                "!!int \"5\"",
                "!!bool \"yes\"",
                "!",
                ":colon",
                "1E400",
            ]);
        }
        self.pick(&[
            "1",
            "0",
            "-1",
            "+1",
            "1.0",
            "1.5",
            "-0",
            "0.1e3",
            "1e3",
            "012",
            "0o14",
            "0x1F",
            "0b11",
            "1_000",
            "190:20:30",
            "1:20",
            ".5",
            "5.",
            "true",
            "True",
            "TRUE",
            "yes",
            "No",
            "on",
            "OFF",
            "y",
            "n",
            "null",
            "Null",
            "~",
            "\"\"",
            "''",
            "abc",
            "\"a\\nb\\t\\u00e9\"",
            "'it''s'",
            "a b c",
            "x#y",
            "x #y",
            "2001-01-01",
            "2001-12-14t21:59:43.10-05:00",
            "!!str 5",
            "!!float 3",
            "!!binary aGVsbG8=",
            "{}",
            "[]",
            "1234567890123456789",
            "12345678901234567890",
            "0.30000000000000004",
            "1e21",
            "9007199254740993",
            "é",
            "\"\\x41\"",
            "=",
            "!!null ''",
            "\"multi\n   line\"",
            "plain\n   goes on",
            "a,b",
            "{a: 1}",
            "[1, yes, '2']",
            "{\"a\":1}",
            "0.0",
            "1.10",
            "00",
            "1__0",
            "_1",
            "-",
            "--1",
        ])
    }
    fn node(&mut self, depth: usize) -> String {
        let pad = "  ".repeat(depth + 1);
        match self.below(if depth < 2 { 9 } else { 5 }) {
            0..=4 => self.scalar().to_owned(),
            5 => {
                let mut out = String::new();
                for _ in 0..1 + self.below(3) {
                    let item = self.node(depth + 1);
                    out += &if item.starts_with('\n') {
                        format!("\n{pad}-{item}")
                    } else {
                        format!("\n{pad}- {item}")
                    };
                }
                out
            }
            6 => {
                let mut out = String::new();
                for number in 0..1 + self.below(4) {
                    let key = match self.below(3) {
                        0 => self
                            .pick(&[
                                "1",
                                "yes",
                                "1.5",
                                "\"q k\"",
                                "null",
                                "~",
                                "true",
                                "0x10",
                                "a.b",
                                "'1'",
                                "2001-01-01",
                            ])
                            .to_owned(),
                        _ => format!("k{number}"),
                    };
                    let item = self.node(depth + 1);
                    out += &if item.starts_with('\n') {
                        format!("\n{pad}{key}:{item}")
                    } else {
                        format!("\n{pad}{key}: {item}")
                    };
                }
                out
            }
            7 => {
                let style = self.pick(&["|", "|-", "|+", ">", ">-", ">+", "|2", "|1-"]);
                let lines = self.pick(&[
                    "one\n{}two",
                    "one\n\n{}two\n",
                    "\n{}x",
                    "  more\n{}less",
                    "one  \n{}two\n\n\n",
                    "# no comment\n{}: x",
                ]);
                format!("{style}\n{pad}{}", lines.replace("{}", &pad))
            }
            _ => {
                let (a, b) = (self.scalar(), self.scalar());
                self.pick(&[
                    "{a: A, b: B}",
                    "[A, B]",
                    "[A, [B, {c: A}]]",
                    "{a: A, 'b': [B]}",
                    "{A: B}",
                    "[A,B,]",
                ])
                .replace('A', a)
                .replace('B', b)
            }
        }
    }
}
