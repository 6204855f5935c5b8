//! What a human sees who starts the binary by hand.

use crate::About;
use std::ffi::OsString;
use std::path::Path;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Serve the host that started us.
    Serve,
    /// Serve whoever attaches, until interrupted.
    Debug,
    Help,
    Version,
}

/// Hosts give no arguments; flags are taken with one dash or two, as Go programs do.
pub(crate) fn command(arguments: impl Iterator<Item = OsString>) -> Command {
    for argument in arguments {
        match argument.to_str().map(|text| text.trim_start_matches('-')) {
            Some("debug") => return Command::Debug,
            Some("help" | "h") => return Command::Help,
            Some("version" | "v") => return Command::Version,
            _ => {}
        }
    }
    Command::Serve
}

/// `--version`.
pub(crate) fn version(about: &About) -> String {
    format!(
        "terraform-provider-{} {} (plugin protocol 6)\n",
        about.name, about.version
    )
}

/// The reason why the program ends at once when it is started by hand, and what to do instead.
pub(crate) fn not_a_host(about: &About, binary: &Path) -> String {
    format!(
        "This is a plugin: Terraform and OpenTofu start it themselves.\n\n{}",
        help(about, binary)
    )
}

/// `--help`. `binary` is the path of this very file: its folder is what `dev_overrides` needs.
pub(crate) fn help(about: &About, binary: &Path) -> String {
    let About {
        name,
        version,
        summary,
        ..
    } = about;
    let source = about.source();
    let folder = binary
        .parent()
        .map_or_else(|| "/path/to/folder".into(), |folder| folder.display().to_string());
    let variable = name.to_uppercase().replace('-', "_");
    format!(
        r#"terraform-provider-{name} {version}: {summary}

Use it from a configuration:

  terraform {{
    required_providers {{
      {name} = {{
        source  = "{source}"
        version = "{version}"
      }}
    }}
  }}

To use this very binary instead of a released one, put into the CLI configuration (~/.terraformrc or ~/.tofurc):

  provider_installation {{
    dev_overrides {{
      "{source}" = "{folder}"
    }}
    direct {{}}
  }}

Options:
  -debug      serve until interrupted, and print the TF_REATTACH_PROVIDERS variable to attach to
  -version    print the version
  -help       print this text

Logs: TF_LOG_PROVIDER_{variable}, TF_LOG_PROVIDER or TF_LOG = TRACE, DEBUG, INFO, WARN, ERROR, OFF
"#
    )
}

/// What `-debug` prints: the variable by which a host attaches to this process, for each shell.
pub(crate) fn reattach(about: &About, network: &str, address: &str) -> String {
    // The short address, so that Terraform and OpenTofu both put their own registry's host before it.
    // Test: true makes the host leave the process alone when it is done.
    let providers = serde_json::json!({ about.source(): {
        "Protocol": "grpc",
        "ProtocolVersion": crate::handshake::PROTOCOL,
        "Pid": std::process::id(),
        "Test": true,
        "Addr": { "Network": network, "String": address },
    } })
    .to_string();
    let quoted = providers.replace('\'', r"'\''");
    format!(
        "The provider serves until it is interrupted (Ctrl-C). Attach to it with\n\n  \
         bash, zsh:   export TF_REATTACH_PROVIDERS='{quoted}'\n  \
         fish:        set -gx TF_REATTACH_PROVIDERS '{fish}'\n  \
         PowerShell:  $env:TF_REATTACH_PROVIDERS = '{powershell}'\n",
        fish = providers.replace('\'', r"\'"),
        powershell = providers.replace('\'', "''"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About = About {
        name: "probe",
        version: "1.2.3",
        address: "registry.terraform.io/ekb/probe",
        summary: "Probes.",
        crates: &[],
    };

    fn parse(arguments: &[&str]) -> Command {
        command(arguments.iter().map(OsString::from))
    }

    #[test]
    fn flags_with_one_dash_or_two() {
        assert_eq!(parse(&[]), Command::Serve);
        for (flag, expected) in [
            ("debug", Command::Debug),
            ("help", Command::Help),
            ("h", Command::Help),
            ("version", Command::Version),
        ] {
            assert_eq!(parse(&[&format!("-{flag}")]), expected);
            assert_eq!(parse(&[&format!("--{flag}")]), expected);
        }
    }

    #[test]
    fn help_can_be_pasted() {
        let text = help(&ABOUT, Path::new("/opt/plugins/terraform-provider-probe"));
        assert!(
            text.contains("source  = \"ekb/probe\"\n        version = \"1.2.3\""),
            "{text}"
        );
        assert!(text.contains("\"ekb/probe\" = \"/opt/plugins\""), "{text}");
        assert!(text.contains("TF_LOG_PROVIDER_PROBE"), "{text}");
    }

    #[test]
    fn reattach_is_valid_json_in_shell_quotes() {
        let text = reattach(&ABOUT, "unix", "/tmp/p");
        for shell in [
            "export TF_REATTACH_PROVIDERS='",
            "set -gx TF_REATTACH_PROVIDERS '",
        ] {
            let json = text.split(shell).nth(1).unwrap().split('\'').next().unwrap();
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(value["ekb/probe"]["Addr"]["String"], "/tmp/p");
            assert_eq!(value["ekb/probe"]["ProtocolVersion"], 6);
        }
    }
}
