//! A folder with a configuration, and a command line that works in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use conformance::Resource;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::account::Account;
use crate::cli::Cli;
use crate::plan::Plan;
use crate::process::{Reader, Running};
use crate::rig::Rig;
use crate::run::Run;
use crate::tools;

/// Services whose addresses the provider block names.
pub(crate) const SERVICES: [&str; 8] = ["ec2", "eks", "events", "iam", "kms", "logs", "sqs", "sts"];

/// A temporary folder with a provider block for the rig, credentials of an account, and a development override for the provider.
/// State lies in it as a file.
#[derive(Debug)]
pub struct Workspace {
    cli: Cli,
    account: Account,
    folder: TempDir,
    provider: String,
    environment: Vec<(OsString, OsString)>,
    limit: Duration,
}

impl Workspace {
    /// Runs the test on every command line that is there, one after the other, each with an account of its own.
    pub fn on_every_cli(test: impl Fn(&Self, &Account)) {
        for cli in Cli::all() {
            eprintln!("-- {} {}", cli.name, cli.version);
            let account = Rig::shared().account();
            test(&Self::new(&cli, &account), &account);
        }
    }

    /// Runs the test on the n-th command line, for what does not hang on it: n spreads such tests over all. In a sweep on every
    /// one.
    pub fn in_turn(n: usize, test: impl Fn(&Self, &Account)) {
        if crate::cuts::is_sweep() {
            return Self::on_every_cli(test);
        }
        let account = Rig::shared().account();
        test(&Self::new(&Cli::in_turn(n), &account), &account);
    }

    /// On the emulator that has control planes behind its EKS clusters: on the n-th command line, in a sweep and without n on every one.
    pub fn with_clusters(n: Option<usize>, test: impl Fn(&Self, &Account)) {
        let one = n
            .filter(|_| !crate::cuts::is_sweep())
            .map(|n| vec![Cli::in_turn(n)]);
        for cli in one.unwrap_or_else(Cli::all) {
            eprintln!("-- {} {}", cli.name, cli.version);
            let account = Rig::shared_with_clusters().account();
            test(&Self::new(&cli, &account), &account);
        }
    }

    /// A workspace with the environment `test` and [`Account::REGION`].
    ///
    /// # Panics
    /// Where there is no provider binary.
    #[must_use]
    pub fn new(cli: &Cli, account: &Account) -> Self {
        let workspace = Self::bare(cli, account);
        let binary = tools::provider_binary();
        let folder = binary.parent().unwrap_or(Path::new("/")).display();
        std::fs::write(
            workspace.home().join("cli.tfrc"),
            format!(
                "provider_installation {{\n  dev_overrides {{\n    \"registry.terraform.io/ekb/ekb\" = \"{folder}\"\n    \
                 \"registry.opentofu.org/ekb/ekb\" = \"{folder}\"\n  }}\n  direct {{}}\n}}\n"
            ),
        )
        .expect("the folder is writable");
        let workspace = workspace.provider(&format!(
            "environment = \"test\"\nregion = \"{}\"\n{}",
            Account::REGION,
            endpoints(account.url())
        ));
        workspace.write(
            "terraform.tf",
            "terraform {\n  required_providers {\n    ekb = { source = \"ekb/ekb\" }\n  }\n}\n",
        );
        workspace
    }

    /// A workspace without any provider.
    ///
    /// # Panics
    /// When no folder can be made.
    #[must_use]
    pub fn bare(cli: &Cli, account: &Account) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("ekb-test-")
            .tempdir()
            .expect("a temporary folder");
        let home = folder.path().join("home");
        for inner in ["home", "work", "home/tmp"] {
            std::fs::create_dir(folder.path().join(inner)).expect("the folder is writable");
        }
        std::fs::write(home.join("cli.tfrc"), "").expect("the folder is writable");
        let workspace = Self {
            cli: cli.clone(),
            account: account.clone(),
            folder,
            provider: String::new(),
            environment: Vec::new(),
            limit: Duration::from_secs(300),
        };
        // Nothing of the developer's own environment but the path.
        workspace
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("TMPDIR", home.join("tmp"))
            .env("TF_CLI_CONFIG_FILE", home.join("cli.tfrc"))
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_ACCESS_KEY_ID", account.access_key())
            .env("AWS_SECRET_ACCESS_KEY", account.secret_key())
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Replaces the arguments of the provider block.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn provider(mut self, arguments: &str) -> Self {
        arguments.clone_into(&mut self.provider);
        self.write_provider();
        self
    }

    /// Adds arguments or blocks to the provider block, for example `default_tags { … }`.
    #[must_use]
    pub fn provider_also(mut self, arguments: &str) -> Self {
        self.provider = format!("{}\n{arguments}", self.provider);
        self.write_provider();
        self
    }

    fn write_provider(&self) {
        self.write(
            "provider.tf",
            &format!("provider \"ekb\" {{\n{}\n}}\n", self.provider),
        );
    }

    /// Sets a variable of the commands' environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Unsets a variable of the commands' environment.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// How long a command may take in real time; 300 s unless set.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command line.
    #[must_use]
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The folder of the configuration.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file of the configuration.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(&path)).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }

    /// Removes a file of the configuration, or the state.
    pub fn remove(&self, name: &str) {
        let _perhaps_absent = std::fs::remove_file(self.path().join(name));
    }

    /// Writes a state that holds just this resource, made by a [`crate::Session`]: `address` as in `ekb_network.main`. So many
    /// command lines go on with what was made once.
    ///
    /// # Panics
    /// Where the resource is not there.
    pub fn take_over(&self, address: &str, resource: &Resource) {
        let instance = resource.current.as_ref().expect("it is there");
        let (kind, name) = address.split_once('.').expect("a type and a name");
        let mut object = json!({
            "schema_version": instance.schema_version, "attributes": instance.attributes, "sensitive_attributes": [],
            "private": BASE64_STANDARD.encode(&instance.private),
        });
        if let Some((version, identity)) = &instance.identity {
            object["identity_schema_version"] = json!(version);
            object["identity"] = identity.clone();
        }
        let state = json!({
            "version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "taken-over", "outputs": {},
            "resources": [{
                "mode": "managed", "type": kind, "name": name, "provider": format!("provider[\"{}\"]", self.cli.address_of_provider()),
                "instances": [object],
            }],
        });
        self.write("terraform.tfstate", &format!("{state:#}"));
    }

    /// A file's text, if it is there.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path().join(name)).ok()
    }

    fn reader(&self) -> Reader {
        let scale = self.account.time_scale().to_string();
        let mut environment = self.environment.clone();
        if !environment.iter().any(|(name, _)| name == "EKB_TIME_SCALE") {
            environment.push(("EKB_TIME_SCALE".into(), scale.into()));
        }
        Reader {
            program: self.cli.program.clone(),
            folder: self.path(),
            environment,
            limit: self.limit,
        }
    }

    /// Starts a command and does not wait for it: for interrupts and parallel runs.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.reader().start(arguments)
    }

    /// Runs a command to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.start(arguments).wait(self.limit)
    }

    /// `plan`, saved.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.plan_with(&[])
    }

    /// `plan` with more arguments, for example `-destroy` or `-refresh=false`.
    #[must_use]
    pub fn plan_with(&self, more: &[&str]) -> Plan {
        // Each its own file: a plan may be read after others were made.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = self.home().join(format!("plan{number}"));
        let out = format!("-out={}", file.display());
        let mut arguments = vec!["plan", "-no-color", "-detailed-exitcode", &out];
        arguments.extend(more);
        let reader = self.reader();
        Plan::new(reader.run(&arguments), file, reader)
    }

    /// What a `plan` printed.
    #[must_use]
    pub fn plan_only(&self, more: &[&str]) -> Run {
        self.plan_with(more).run
    }

    /// `apply -auto-approve`.
    #[must_use]
    pub fn apply(&self) -> Run {
        self.apply_with(&[])
    }

    /// `apply -auto-approve` with more arguments, for example `-replace=ADDRESS`.
    #[must_use]
    pub fn apply_with(&self, more: &[&str]) -> Run {
        self.run(&[&["apply", "-no-color", "-auto-approve"], more].concat())
    }

    /// `apply` of a saved plan.
    #[must_use]
    pub fn apply_plan(&self, plan: &Plan) -> Run {
        self.run(&["apply", "-no-color", &plan.file.display().to_string()])
    }

    /// `destroy -auto-approve`.
    #[must_use]
    pub fn destroy(&self) -> Run {
        self.run(&["destroy", "-no-color", "-auto-approve"])
    }

    /// `apply -refresh-only -auto-approve`.
    #[must_use]
    pub fn refresh(&self) -> Run {
        self.apply_with(&["-refresh-only"])
    }

    /// `import ADDRESS ID`.
    #[must_use]
    pub fn import(&self, address: &str, id: &str) -> Run {
        self.run(&["import", "-no-color", address, id])
    }

    /// `validate`.
    #[must_use]
    pub fn validate(&self) -> Run {
        self.run(&["validate", "-no-color"])
    }

    /// `taint ADDRESS`.
    #[must_use]
    pub fn taint(&self, address: &str) -> Run {
        self.run(&["taint", address])
    }

    /// `untaint ADDRESS`.
    #[must_use]
    pub fn untaint(&self, address: &str) -> Run {
        self.run(&["untaint", address])
    }

    /// `state rm ADDRESS`.
    #[must_use]
    pub fn state_rm(&self, address: &str) -> Run {
        self.run(&["state", "rm", address])
    }

    /// `state mv FROM TO`.
    #[must_use]
    pub fn state_mv(&self, from: &str, to: &str) -> Run {
        self.run(&["state", "mv", from, to])
    }

    /// `show -json` of the state.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    #[track_caller]
    pub fn show(&self) -> Value {
        serde_json::from_str(&self.run(&["show", "-json", "-no-color"]).ok().stdout).expect("a state in JSON")
    }

    /// The attributes of a resource of the root module in the state; none where it is not there.
    #[must_use]
    #[track_caller]
    pub fn resource(&self, address: &str) -> Option<Value> {
        // From the file where it is simple, for that costs no command: values of any type stand there with their types.
        let state = self.read("terraform.tfstate");
        let state: Option<Value> = state.and_then(|text| serde_json::from_str(&text).ok());
        let named = address
            .split_once('.')
            .filter(|(kind, _)| kind.starts_with("ekb_"));
        if let (Some(mut state), Some((kind, name))) = (state, named) {
            let is_it = |one: &&mut Value| {
                one["mode"] == "managed"
                    && one["type"] == kind
                    && one["name"] == name
                    && one.get("module").is_none()
            };
            let found = state["resources"].as_array_mut()?.iter_mut().find(is_it);
            if let Some(attributes) = found.and_then(|one| one["instances"][0].get_mut("attributes")) {
                return Some(attributes.take());
            }
        }
        let mut state = self.show();
        let resources = state["values"]["root_module"]["resources"].as_array_mut()?;
        let found = resources
            .iter_mut()
            .find(|resource| resource["address"] == address)?;
        Some(found["values"].take())
    }

    /// Whether a resource of the root module is tainted.
    #[must_use]
    #[track_caller]
    pub fn is_tainted(&self, address: &str) -> bool {
        let state = self.show();
        let resources = state["values"]["root_module"]["resources"].as_array();
        resources.is_some_and(|all| {
            all.iter()
                .any(|one| one["address"] == address && one["tainted"] == true)
        })
    }

    /// `output -json`, values only.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    #[track_caller]
    pub fn outputs(&self) -> Value {
        let mut all: Value = serde_json::from_str(&self.run(&["output", "-json", "-no-color"]).ok().stdout)
            .expect("outputs in JSON");
        if let Some(members) = all.as_object_mut() {
            members
                .values_mut()
                .for_each(|output| *output = output["value"].take());
        }
        all
    }

    /// `providers schema -json`.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    #[track_caller]
    pub fn schema(&self) -> Value {
        serde_json::from_str(&self.run(&["providers", "schema", "-json"]).ok().stdout)
            .expect("a schema in JSON")
    }
}

/// The `endpoints` block for an emulator at `url`.
fn endpoints(url: &str) -> String {
    let lines: Vec<String> = SERVICES
        .iter()
        .map(|service| format!("    {service} = \"{url}\"\n"))
        .collect();
    format!("endpoints {{\n{}}}", lines.concat())
}

/// A configuration that writes into `token.txt`, a line each, the token of `ekb_cluster_token` for the cluster of this name (an
/// expression), its endpoint, and when it ends: nothing else takes an ephemeral value without another provider.
#[must_use]
pub fn token_to_file(name: &str) -> String {
    let token = "ephemeral.ekb_cluster_token.main";
    format!(
        r#"
ephemeral "ekb_cluster_token" "main" {{
  name = {name}
}}

resource "terraform_data" "user" {{
  provisioner "local-exec" {{
    command     = "printf '%s\n%s\n%s\n' \"$TOKEN\" \"$ENDPOINT\" \"$EXPIRES\" > $OUT"
    environment = {{
      TOKEN    = {token}.token
      ENDPOINT = {token}.endpoint
      EXPIRES  = {token}.expires_at
      OUT      = "${{path.module}}/token.txt"
    }}
  }}
}}
"#
    )
}
