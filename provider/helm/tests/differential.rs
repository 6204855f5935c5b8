//! Generated templates against the oracle. A batch of a few hundred expressions by default; `HELM_FUZZ_ROUNDS=n` runs n
//! batches, `HELM_FUZZ_SEED` begins elsewhere. What is found becomes a line of the corpus.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use helm::functions::{self, Type};
use helm::{Chart, Release, Renderer};

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

const VALUES: &str = "a: {b: 1, c: [1, 2, x], d: \"str\", e: true, f: null, g: 1.5}\ns: hello world\nl: [c, a, b]\nn: {}\nnum: 42\n";

struct Generator(u64);

impl Generator {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
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
    fn call(&mut self, depth: usize) -> String {
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

fn write_chart(folder: &Path, templates: &[(String, String)]) {
    std::fs::create_dir_all(folder.join("templates")).unwrap();
    std::fs::write(
        folder.join("Chart.yaml"),
        "apiVersion: v2\nname: c\nversion: 1.2.3\n",
    )
    .unwrap();
    std::fs::write(folder.join("values.yaml"), VALUES).unwrap();
    for (name, text) in templates {
        std::fs::write(folder.join("templates").join(name), text).unwrap();
    }
}

fn run(program: &Path, chart: &Path) -> (bool, String, String) {
    let out = Command::new(program)
        .args(["template", "rel"])
        .arg(chart)
        .args(["-n", "ns"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&out.stderr)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    (
        out.status.success(),
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned(),
        error,
    )
}

#[test]
fn generated_expressions_mean_what_they_mean_to_helm() {
    let fetched = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fetch-helm"))
        .output()
        .unwrap();
    let helm = PathBuf::from(String::from_utf8_lossy(&fetched.stdout).trim());
    let ours = Path::new(env!("CARGO_BIN_EXE_ekb-helm"));
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(default)
    };
    let seed = number("HELM_FUZZ_SEED", 1);
    let mut findings = Vec::new();
    let mut compared = 0;
    for round in 0..number("HELM_FUZZ_ROUNDS", 1) {
        let mut generator = Generator(seed.wrapping_add(round).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let work = tempfile::tempdir().unwrap();
        let (mut fine, mut failing) = (Vec::new(), Vec::new());
        for index in 0..400 {
            let expression = generator.call(2);
            let text = format!("kind: x\nv: {{{{ {expression} | toJson | quote }}}}\n");
            let folder = work.path().join(format!("e{index}"));
            write_chart(&folder, &[("t.yaml".into(), text.clone())]);
            let chart = Chart::load(&folder).unwrap();
            match Renderer::new(&chart, Release::new("rel", "ns")).render(&serde_json::json!({})) {
                Ok(_) => fine.push((format!("t{index:03}.yaml"), text)),
                Err(_) => failing.push((folder, expression)),
            }
        }
        // helm stops at the first failure: what fails for it alone is taken out and compared alone.
        let together = work.path().join("together");
        write_chart(&together, &fine);
        let (mut a, b) = (run(&helm, &together), run(ours, &together));
        for _ in 0..20 {
            if a.0 {
                break;
            }
            let Some((name, text)) = fine.iter().find(|(name, _)| a.2.contains(name.as_str())) else {
                break;
            };
            findings.push(format!("helm refuses, we do not: {text} {}", a.2));
            std::fs::remove_file(together.join("templates").join(name)).unwrap();
            a = run(&helm, &together);
        }
        let parts = |text: &str| {
            text.split("---\n# Source: c/templates/")
                .skip(1)
                .map(|p| {
                    p.split_once('\n')
                        .map(|(n, t)| (n.to_owned(), t.to_owned()))
                        .unwrap()
                })
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let (a, b) = (parts(&a.1), parts(&b.1));
        for (name, theirs) in &a {
            compared += 1;
            if b.get(name) != Some(theirs) {
                let text = fine.iter().find(|(n, _)| n == name).map_or("", |(_, t)| t);
                findings.push(format!("{text}  helm {theirs}  ours {:?}", b.get(name)));
            }
        }
        // Failures: a sample, since each costs a process.
        for (folder, expression) in failing.iter().take(30) {
            compared += 1;
            let (a, b) = (run(&helm, folder), run(ours, folder));
            if a.0 {
                findings.push(format!("we refuse, helm does not: {expression}: {}", b.2));
            }
        }
    }
    assert!(compared > 100, "{compared}");
    assert!(
        findings.is_empty(),
        "{} of {compared} differ:\n{}",
        findings.len(),
        findings.join("\n")
    );
    println!("{compared} generated expressions equal");
}
