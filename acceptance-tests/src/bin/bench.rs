//! `make bench`: measures the release binary against the emulator; prints a table and writes `bench.json`.
//!
//! Figures are medians of several runs. Goals are those of the project; a missed one is marked, not hidden.
#![expect(clippy::print_stdout, reason = "prints a table")]

use std::path::{Path, PathBuf};

use acceptance_tests::{Account, Fault, Rig, Stopwatch};
use conformance::{Core, Resource};
use serde_json::{Map, Value, json};

type Failure = Box<dyn std::error::Error>;

/// AWS seconds on the critical path of a network's creation: the VPC, then a NAT gateway, before, between and after which
/// there are only calls (`State` rows of `emulator/ec2.py`).
const NETWORK_PATH: f64 = 2.0 + 100.0;
/// What a cluster after it adds: the control plane, the system nodes, and the add-ons that run on them (`emulator/eks.py`).
const CLUSTER_PATH: f64 = 540.0 + 150.0 + 30.0;
/// Time scales of the creation; low, so that what is measured is the engine and not the emulator.
const NETWORK_SCALE: f64 = 2.0;
const CLUSTER_SCALE: f64 = 10.0;
/// Latency of a call for the time of a plan, in seconds.
const LATENCY: f64 = 0.05;

/// What is measured: name, goal, what it is.
const FIGURES: [(&str, Option<f64>, &str); 29] = [
    ("binary_mib", Some(40.0), "release binary"),
    ("handshake_ms", Some(10.0), "exec to handshake line"),
    ("rss_schema_mib", Some(20.0), "memory after the schema"),
    ("rss_noop_mib", Some(40.0), "memory after a plan without changes"),
    ("noop_calls", Some(12.0), "AWS calls of a plan without changes"),
    ("noop_depth", Some(3.0), "its round trips one after the other"),
    ("noop_ms", None, "its time at 50 ms latency"),
    (
        "create_ratio",
        Some(1.03),
        "time to create / the waits on its critical path",
    ),
    ("plan_cpu_ms", None, "CPU of a plan, from start to end"),
    (
        "cluster_noop_calls",
        Some(55.0),
        "AWS calls of a plan without changes of network and cluster",
    ),
    (
        "cluster_noop_depth",
        Some(4.0),
        "its round trips one after the other",
    ),
    ("cluster_noop_ms", None, "its time at 50 ms latency"),
    ("cluster_rss_schema_mib", None, "memory before it"),
    ("cluster_rss_mib", Some(60.0), "memory after it"),
    ("cluster_plan_cpu_ms", None, "CPU of it, from start to end"),
    (
        "cluster_create_ratio",
        Some(1.03),
        "time to create both / the waits on its critical path",
    ),
    (
        "release_noop_ms",
        None,
        "a plan without changes of a release of 60 objects",
    ),
    ("release_noop_calls", None, "its calls to the Kubernetes API"),
    (
        "release_noop_ratio",
        Some(0.5),
        "its time / that of `helm upgrade --dry-run=server`",
    ),
    ("objects_2000_create_s", None, "a release of 2,000 objects made"),
    ("objects_2000_noop_s", None, "a plan of it without changes"),
    ("objects_2000_destroy_s", None, "it destroyed"),
    (
        "helm_render_ms",
        Some(10.0),
        "a chart of KEDA's size, rendered warm",
    ),
    ("helm_process_ms", None, "the same by helm, as a process"),
    ("helm_rss_mib", None, "memory of rendering it"),
    (
        "sweep_cases",
        None,
        "calls that went wrong, of the last `make sweep`",
    ),
    ("sweep_failures", Some(0.0), "of them without a way on"),
    (
        "drift_fields",
        None,
        "fields changed outside, of the last `make sweep`",
    ),
    ("drift_missed", Some(0.0), "of them not shown or not mended"),
];

/// What `make sweep` writes.
const SWEPT: &str = "sweep.json";

fn main() -> Result<(), Failure> {
    let binary = match std::env::var_os("EKB_PROVIDER_BINARY") {
        Some(path) => PathBuf::from(path),
        None => acceptance_tests::provider_binary()
            .with_file_name("")
            .join("../release/terraform-provider-ekb"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut figures = runtime.block_on(measure(&binary))?;
    figures.extend(helm(&binary)?);
    figures.extend(swept()?);
    println!("{:<16} {:>10} {:>8}  ", "figure", "measured", "goal");
    for (name, goal, what) in FIGURES {
        let Some(measured) = figures.get(name).and_then(Value::as_f64) else {
            println!("{name:<16} {:>10} {:>8}  {what}", "not run", "");
            continue;
        };
        let goal_text = goal.map_or_else(String::new, |goal| format!("≤ {goal}"));
        let missed = if goal.is_some_and(|goal| measured > goal) {
            "  MISSED"
        } else {
            ""
        };
        println!("{name:<16} {measured:>10.2} {goal_text:>8}  {what}{missed}");
    }
    let sections = sections(&binary)?;
    println!("\nWhat fills the binary: {sections}");
    std::fs::write(
        "bench.json",
        serde_json::to_string_pretty(&Value::Object(figures))?,
    )?;
    Ok(())
}

async fn measure(binary: &Path) -> Result<Map<String, Value>, Failure> {
    let mut figures = Map::new();
    let mut put = |name: &str, value: f64| {
        figures.insert(name.to_owned(), json!((value * 1000.0).round() / 1000.0));
    };
    put("binary_mib", mib(std::fs::metadata(binary)?.len()));

    let mut handshakes = Vec::new();
    for _ in 0..21 {
        let client = plugin::client::Client::spawn(binary, &[]).await?;
        handshakes.push(client.handshake.as_secs_f64() * 1000.0);
        client.close().await?;
    }
    put("handshake_ms", median(handshakes));

    let rig = Rig::start();
    let bench = Bench {
        binary,
        prefix: "",
        also: false,
    };
    bench.no_change(&rig.account(), &mut put).await?;
    let mut ratios = Vec::new();
    for _ in 0..3 {
        ratios.push(bench.create(&rig.account(), NETWORK_SCALE, NETWORK_PATH).await?);
    }
    put("create_ratio", median(ratios));

    // One with a real control plane: a plan looks into the cluster too.
    let rig = Rig::start_with_clusters();
    let bench = Bench {
        binary,
        prefix: "cluster_",
        also: true,
    };
    bench.no_change(&rig.account(), &mut put).await?;
    let path = NETWORK_PATH + CLUSTER_PATH;
    put(
        "cluster_create_ratio",
        bench.create(&rig.account(), CLUSTER_SCALE, path).await?,
    );
    releases(binary, &rig.account(), &mut put).await?;
    Ok(figures)
}

/// A chart of so many objects that are ready at once.
fn chart(folder: &Path) -> Result<(), Failure> {
    let template = "{{- range $i := until (int .Values.count) }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one-{{ $i }}\n  \
                    labels: {app: bench}\ndata:\n  value: \"{{ $i }}\"\n{{- end }}\n";
    std::fs::create_dir_all(folder.join("templates"))?;
    std::fs::write(
        folder.join("Chart.yaml"),
        "apiVersion: v2\nname: bench\nversion: 1.0.0\n",
    )?;
    std::fs::write(folder.join("values.yaml"), "count: 60\n")?;
    Ok(std::fs::write(folder.join("templates/all.yaml"), template)?)
}

/// Releases on a real API server, beside the real helm.
async fn releases(binary: &Path, account: &Account, put: &mut impl FnMut(&str, f64)) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    chart(folder.path())?;
    account.set_time_scale(CLUSTER_SCALE);
    let create = json!({
        "name": "main", "version": "1.35", "roleArn": format!("arn:aws:iam::{}:role/cluster", account.id()),
        "resourcesVpcConfig": { "subnetIds": account.subnets() },
        "accessConfig": { "authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": true },
    });
    account.eks("CreateCluster", &create);
    account.advance(3600.0);
    let is_active =
        || account.eks("DescribeCluster", &json!({"name": "main"}))["cluster"]["status"] == "ACTIVE";
    acceptance_tests::until("the cluster", std::time::Duration::from_secs(120), is_active);
    let chart = folder.path().display().to_string();
    let config = |count: usize| json!({ "name": format!("bench-{count}"), "cluster": "main", "chart": chart, "values": { "count": count } });
    let start = || async { start(binary, account).await };

    let core = start().await?;
    let small = core.config("ekb_release", &config(60))?;
    let mut release = Resource::new("ekb_release");
    core.bring(&mut release, &small).await?;
    core.close().await?;
    let (mut ours, mut theirs, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        // The process is part of it, as it is of helm's.
        let watch = Stopwatch::start();
        let core = start().await?;
        plan_all(&core, &vec![(release.clone(), small.clone())]).await?;
        ours.push(watch.elapsed().as_secs_f64() * 1000.0);
        let logs = core.logs();
        calls.push(
            logs.iter()
                .filter(|line| line.contains("Kubernetes call"))
                .count() as f64,
        );
        core.close().await?;
        let watch = Stopwatch::start();
        let arguments = ["upgrade", "bench-60", &chart, "--dry-run=server"];
        account.cluster("main").helm("bench-60", &arguments).ok();
        theirs.push(watch.elapsed().as_secs_f64() * 1000.0);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    put("release_noop_ms", ours);
    put("release_noop_calls", median(calls));
    put("release_noop_ratio", ours / theirs);

    let core = start().await?;
    let large = core.config("ekb_release", &config(2000))?;
    let mut release = Resource::new("ekb_release");
    let watch = Stopwatch::start();
    core.bring(&mut release, &large).await?;
    put("objects_2000_create_s", watch.elapsed().as_secs_f64());
    let watch = Stopwatch::start();
    plan_all(&core, &vec![(release.clone(), large)]).await?;
    put("objects_2000_noop_s", watch.elapsed().as_secs_f64());
    let watch = Stopwatch::start();
    core.destroy(&mut release, None).await?;
    put("objects_2000_destroy_s", watch.elapsed().as_secs_f64());
    core.close().await?;
    Ok(())
}

/// An environment that is measured: a network, and perhaps a cluster in it.
struct Bench<'a> {
    binary: &'a Path,
    /// Of the figures' names.
    prefix: &'static str,
    /// Whether there is a cluster too.
    also: bool,
}

/// What stands in the state, and its configuration.
type Known = Vec<(Resource, framework::Value)>;

impl Bench<'_> {
    /// Brings one resource after the other, as their references make core do it.
    async fn bring(&self, core: &Core) -> Result<Known, Failure> {
        let config = core.config("ekb_network", &json!({ "cidr": "10.20.0.0/16" }))?;
        let mut network = Resource::new("ekb_network");
        core.bring(&mut network, &config).await?;
        let mut known = vec![(network, config)];
        if self.also {
            let network = known[0].0.current.as_ref().ok_or("no network")?;
            let config = json!({
                "kubernetes_version": "1.35", "endpoint_access": { "public_cidrs": ["0.0.0.0/0"] },
                "vpc_id": network.attributes["vpc_id"], "subnet_ids": network.attributes["private_subnet_ids"],
            });
            let config = core.config("ekb_cluster", &config)?;
            let mut cluster = Resource::new("ekb_cluster");
            core.bring(&mut cluster, &config).await?;
            known.push((cluster, config));
        }
        Ok(known)
    }

    /// Plans without changes.
    async fn no_change(&self, account: &Account, put: &mut impl FnMut(&str, f64)) -> Result<(), Failure> {
        let core = start(self.binary, account).await?;
        let known = self.bring(&core).await?;
        core.close().await?;
        let (mut schema, mut after, mut calls, mut depth, mut times, mut cpu) =
            <(Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
        for _ in 0..5 {
            let core = start(self.binary, account).await?;
            schema.push(memory(&core, "VmRSS:")?);
            account.clear_log();
            plan_all(&core, &known).await?;
            after.push(memory(&core, "VmHWM:")?);
            calls.push(account.log().len() as f64);
            cpu.push(processor(&core)?);
            core.close().await?;

            let core = start(self.binary, account).await?;
            account.fault(&Fault::slow(LATENCY).always());
            account.clear_log();
            let watch = Stopwatch::start();
            plan_all(&core, &known).await?;
            times.push(watch.elapsed().as_secs_f64() * 1000.0);
            depth.push(waves(account));
            account.clear_faults();
            core.close().await?;
        }
        let mut put = |name: &str, value| put(&format!("{}{name}", self.prefix), value);
        put("rss_schema_mib", median(schema));
        put(if self.also { "rss_mib" } else { "rss_noop_mib" }, median(after));
        put("noop_calls", median(calls));
        put("noop_depth", median(depth));
        put("noop_ms", median(times));
        put("plan_cpu_ms", median(cpu));
        Ok(())
    }

    /// Time of the creation divided by the AWS seconds on its critical path.
    async fn create(&self, account: &Account, scale: f64, path: f64) -> Result<f64, Failure> {
        account.set_time_scale(scale);
        let core = start(self.binary, account).await?;
        let watch = Stopwatch::start();
        self.bring(&core).await?;
        let ratio = watch.elapsed().as_secs_f64() / (path / scale);
        core.close().await?;
        Ok(ratio)
    }
}

/// Refreshes and plans everything at once, as core does; nothing is to be done.
async fn plan_all(core: &Core, known: &Known) -> Result<(), Failure> {
    let all = known.iter().map(|(resource, config)| async {
        let mut resource = resource.clone();
        core.refresh(&mut resource).await?;
        let plan = core.plan(&resource, config).await?;
        assert!(plan.is_empty(), "{plan}");
        Ok::<_, Failure>(())
    });
    futures::future::try_join_all(all).await?;
    Ok(())
}

/// The figures of the Helm renderer, which its own benchmark measures.
fn helm(binary: &Path) -> Result<Map<String, Value>, Failure> {
    let bench = binary.with_file_name("examples").join("bench");
    let output = std::process::Command::new(&bench).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", bench.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    let first = output
        .stdout
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let mut figures: Map<String, Value> = serde_json::from_slice(first)?;
    figures.retain(|name, _| FIGURES.iter().any(|(known, ..)| known == name));
    Ok(figures)
}

/// The counts of the last `make sweep`; nothing where there was none.
fn swept() -> Result<Map<String, Value>, Failure> {
    let mut figures = Map::new();
    let Ok(text) = std::fs::read_to_string(SWEPT) else {
        return Ok(figures);
    };
    let all: Map<String, Value> = serde_json::from_str(&text)?;
    for (name, tally) in all {
        let (cases, failures) = if name == "drift of fields" {
            ("drift_fields", "drift_missed")
        } else {
            ("sweep_cases", "sweep_failures")
        };
        let counts = [
            (cases, tally["cases"].as_u64()),
            (failures, tally["failures"].as_array().map(|all| all.len() as u64)),
        ];
        for (name, count) in counts {
            let before = figures.get(name).and_then(Value::as_u64).unwrap_or_default();
            figures.insert(name.to_owned(), json!(before + count.unwrap_or_default()));
        }
    }
    Ok(figures)
}

/// A provider that is configured for the account.
async fn start(binary: &Path, account: &Account) -> Result<Core, Failure> {
    let scale = account.time_scale().to_string();
    let environment = [
        ("AWS_ACCESS_KEY_ID", account.access_key()),
        ("AWS_SECRET_ACCESS_KEY", account.secret_key()),
        ("AWS_ENDPOINT_URL", account.url()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("EKB_TIME_SCALE", scale.as_str()),
    ];
    let core = Core::start(binary, &environment).await?;
    core.configure(&json!({ "environment": "bench", "region": Account::REGION }))
        .await?;
    Ok(core)
}

/// How many round trips the calls took one after the other: a call that began when an earlier one must have been
/// answered belongs to the next.
fn waves(account: &Account) -> f64 {
    let mut times: Vec<f64> = account.log().iter().map(|call| call.time).collect();
    times.sort_by(f64::total_cmp);
    let (mut waves, mut began) = (0.0, f64::MIN);
    // The log has AWS time.
    let latency = LATENCY * account.time_scale();
    for time in times {
        if time - began > latency * 0.8 {
            waves += 1.0;
            began = time;
        }
    }
    waves
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// A line of the process's `/proc/PID/status`, in MiB.
fn memory(core: &Core, line: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", core.pid().unwrap_or_default()))?;
    let found = status
        .lines()
        .find_map(|text| text.strip_prefix(line))
        .ok_or("no such line")?;
    let kib: u64 = found.trim().trim_end_matches(" kB").parse()?;
    Ok(mib(kib * 1024))
}

/// CPU time of the process so far, in ms.
fn processor(core: &Core) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", core.pid().unwrap_or_default()))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields
        .get(11..13)
        .ok_or("a short line")?
        .iter()
        .filter_map(|t| t.parse::<f64>().ok())
        .sum();
    // Linux counts in hundredths of a second.
    Ok(ticks * 10.0)
}

/// The largest sections of the binary.
fn sections(binary: &Path) -> Result<String, Failure> {
    let output = std::process::Command::new("size")
        .arg("-A")
        .arg(binary)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found: Vec<(f64, String)> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, size) = (words.next()?, words.next()?.parse::<u64>().ok()?);
            name.starts_with('.').then(|| (mib(size), name.to_owned()))
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let largest = found
        .iter()
        .take(5)
        .map(|(size, name)| format!("{name} {size:.1} MiB"));
    Ok(largest.collect::<Vec<_>>().join(", "))
}
