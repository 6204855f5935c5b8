//! Calls of functions with arguments of the types that they declare, now and then of others.

use helm::functions;
use helm::template::call::Type;

use crate::Generator;

/// Functions whose result is random, depends on the time, or is in no order of its own.
const UNSTABLE: &[&str] = &[
    "ago",
    "bcrypt",
    "buildCustomCert",
    "call",
    "date",
    "dateInZone",
    "date_in_zone",
    "derivePassword",
    "durationRound",
    "encryptAES",
    "fail",
    "fromToml",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "getHostByName",
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "include",
    "keys",
    "lookup",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "required",
    "shuffle",
    "template",
    "tpl",
    "uuidv4",
    "values",
    "printf",
    "decryptAES",
    "repeat",
    "untilStep",
    "until",
    "seq",
    "fromJson",
    "fromJsonArray",
    "mustFromJson",
    "regexMatch",
];

/// The values that the expressions see.
pub const VALUES: &str = "a: {b: 1, c: [1, 2, x], d: \"str\", e: true, f: null, g: 1.5}\ns: hello world\nl: [c, a, b]\nn: {}\nnum: 42\n";

impl Generator {
    fn argument(&mut self, ty: Type, depth: usize) -> String {
        if depth > 0 && self.below(3) == 0 {
            return format!("({})", self.call(depth - 1));
        }
        let strings = [
            "\"\"",
            "\"abc\"",
            "\"a,b,c\"",
            "\"1.2.3\"",
            "\">=1.0\"",
            "\"Foo Bar_baz\"",
            "\"é x\"",
            "\"[a-c]+\"",
            "\"a: 1\\nb: [x]\"",
            "\"12\"",
            "\"/a/../b.c\"",
            "\"yes\"",
            ".Values.s",
            ".Values.a.d",
            "`a\"b`",
            "\"x\\ty\\n\"",
        ];
        let numbers = ["0", "1", "2", "-1", "7", "100"];
        let any = [
            "nil",
            "true",
            "1.5",
            "3",
            "\"z\"",
            ".Values.a",
            ".Values.l",
            ".Values.nope",
            ".Values.num",
            ".Values.n",
            "(list 1 \"a\" nil)",
            "(list)",
            "(dict \"k\" 1)",
            "(list 3 1 2)",
            "(int 5)",
            ".Values.a.f",
            ".Release.Name",
        ];
        match ty {
            Type::Str => self.pick(&strings).to_owned(),
            Type::Int | Type::Int64 | Type::Uint32 => self.pick(&numbers).to_owned(),
            Type::Float => "0.5".to_owned(),
            Type::Bool => self.pick(&["true", "false"]).to_owned(),
            Type::Map => self
                .pick(&[
                    "(dict \"a\" 1 \"b\" \"x\")",
                    ".Values.n",
                    "(dict)",
                    "(dict \"m\" (dict \"x\" 1))",
                ])
                .to_owned(),
            Type::List => self.pick(&["(list 1 2)", "(list)", ".Values.l"]).to_owned(),
            _ if self.below(3) == 0 => self.pick(&strings).to_owned(),
            _ => self.pick(&any).to_owned(),
        }
    }
    /// A call whose arguments are calls, down to a depth.
    pub fn call(&mut self, depth: usize) -> String {
        let names: Vec<_> = functions::names()
            .into_iter()
            .filter(|n| !UNSTABLE.contains(n))
            .collect();
        let function = functions::find(self.pick(&names)).unwrap();
        let mut out = function.name.to_owned();
        for ty in function.parameters {
            out.push(' ');
            out.push_str(&self.argument(*ty, depth));
        }
        if let Some(ty) = function.variadic {
            for _ in 0..self.below(3) {
                out.push(' ');
                out.push_str(&self.argument(ty, depth));
            }
        }
        out
    }
}
