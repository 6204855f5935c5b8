//! Figures for `make bench`, one JSON object a line: a chart of KEDA's size (80 templates, 1 MB of output), rendered
//! warm by this crate and by helm as a process. Arguments: further charts to render.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use helm::{Chart, Release, Renderer};

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed(rounds: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

/// Writes a chart of 60 small templates, as charts have them, and 20 large ones, as definitions of resources are.
fn write_chart(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join("templates"))?;
    std::fs::write(
        folder.join("Chart.yaml"),
        "apiVersion: v2\nname: large\nversion: 1.0.0\n",
    )?;
    let mut values =
        String::from("replicas: 2\nimage: {repository: example/app, tag: v1, pullPolicy: IfNotPresent}\n");
    values.push_str("labels: {team: platform, tier: backend}\nresources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 100m, memory: 100Mi}}\ncomponents:\n");
    for n in 0..60 {
        let _ = writeln!(
            values,
            "  c{n}: {{enabled: true, port: {}, env: [{{name: A, value: \"{n}\"}}, {{name: B, value: x}}]}}",
            8000 + n
        );
    }
    std::fs::write(folder.join("values.yaml"), values)?;
    std::fs::write(
        folder.join("templates/_helpers.tpl"),
        "{{- define \"large.labels\" -}}\nhelm.sh/chart: {{ printf \"%s-%s\" .Chart.Name .Chart.Version | replace \"+\" \"_\" | trunc 63 }}\n\
         app.kubernetes.io/managed-by: {{ .Release.Service }}\n{{- with .Values.labels }}\n{{ toYaml . }}\n{{- end }}\n{{- end }}\n",
    )?;
    for n in 0..60 {
        let text = format!(
            "{{{{- $c := index .Values.components \"c{n}\" }}}}\n{{{{- if $c.enabled }}}}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  \
             name: {{{{ .Release.Name }}}}-c{n}\n  labels:\n    {{{{- include \"large.labels\" . | nindent 4 }}}}\nspec:\n  \
             replicas: {{{{ .Values.replicas }}}}\n  template:\n    spec:\n      containers:\n      - name: main\n        \
             image: \"{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag | default .Chart.AppVersion }}}}\"\n        \
             ports:\n        - containerPort: {{{{ $c.port | int }}}}\n        env:\n        {{{{- range $c.env }}}}\n        \
             - name: {{{{ .name }}}}\n          value: {{{{ .value | quote }}}}\n        {{{{- end }}}}\n        \
             resources:\n          {{{{- toYaml .Values.resources | nindent 10 }}}}\n{{{{- end }}}}\n"
        );
        std::fs::write(folder.join(format!("templates/c{n}.yaml")), text)?;
    }
    for n in 0..20 {
        let mut text = format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: kind{n}.example.com\n  \
             labels:\n    {{{{- include \"large.labels\" . | nindent 4 }}}}\nspec:\n  group: example.com\n  versions:\n  \
             - name: v1\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n"
        );
        for field in 0..230 {
            let _ = write!(
                text,
                "          field{field}:\n            description: What this field is for, in a sentence that says a little more than its name\n            \
                 type: object\n            properties:\n              name:\n                type: string\n"
            );
        }
        std::fs::write(folder.join(format!("templates/crd{n}.yaml")), text)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let work = tempfile::tempdir()?;
    write_chart(work.path())?;
    let mut charts = vec![("keda-size".to_owned(), work.path().to_owned())];
    charts.extend(
        std::env::args()
            .skip(1)
            .map(|path| (path.clone(), PathBuf::from(path))),
    );
    let cache = std::env::var("EKB_CACHE").map_or_else(
        |_| PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache/ekb"),
        PathBuf::from,
    );
    let oracle = cache.join("tools/helm-4.3.1/helm");
    let mut out = std::io::stdout().lock();
    for (name, folder) in charts {
        let chart = Chart::load(&folder)?;
        let user = serde_json::json!({});
        let renderer = || Renderer::new(&chart, Release::new("bench", "ns"));
        let rendered = renderer().render(&user)?;
        let bytes: usize = rendered.documents.manifests.iter().map(|d| d.text.len()).sum();
        let render = timed(21, || {
            let _ = renderer().render(&user);
        });
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        let process = oracle.exists().then(|| {
            timed(5, || {
                let _ = Command::new(&oracle)
                    .arg("template")
                    .arg("bench")
                    .arg(&folder)
                    .args(["-n", "ns"])
                    .output();
            })
        });
        writeln!(
            out,
            "{}",
            serde_json::json!({"chart": name, "templates": chart.templates.len(), "documents": rendered.documents.manifests.len(),
                "output_bytes": bytes, "helm_render_ms": render, "helm_process_ms": process,
                "helm_rss_mib": peak.map(|kib| kib / 1024.0), "debug_build": cfg!(debug_assertions)})
        )?;
    }
    Ok(())
}
