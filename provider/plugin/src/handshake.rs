//! go-plugin's handshake: what the host says in environment variables, and the one line on stdout that answers it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A shared "secret" that only says "you are meant to be a plugin": a provider started by hand lacks it.
pub(crate) const COOKIE_NAME: &str = "TF_PLUGIN_MAGIC_COOKIE";
pub(crate) const COOKIE_VALUE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
/// Version of go-plugin's own protocol.
pub(crate) const CORE_PROTOCOL: u32 = 1;
/// Terraform's provider protocol.
pub(crate) const PROTOCOL: u32 = 6;

/// What the host asks for. Read once, from the environment.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// The magic cookie is there and right.
    pub cookie: bool,
    /// PEM of the only certificate a client may present. `None`: no TLS (`TF_DISABLE_PLUGIN_TLS`).
    pub client_certificate: Option<String>,
    /// Directory for the socket, where the host wants a certain one.
    pub socket_directory: Option<String>,
    /// TCP ports to choose from where there are no unix sockets.
    #[cfg_attr(unix, allow(dead_code, reason = "unix systems have sockets"))]
    pub ports: (u16, u16),
    /// The host knows multiplexing, so it expects an answer on it.
    pub multiplexing: bool,
}

impl Environment {
    /// `variable` gives the value of an environment variable, where it is set and not empty.
    ///
    /// `PLUGIN_PROTOCOL_VERSIONS` is not read: there is one version to offer, and a host that does not know it gives
    /// a better error than a plugin without a voice could.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let port = |name, default| {
            variable(name)
                .and_then(|port| port.parse().ok())
                .unwrap_or(default)
        };
        Self {
            cookie: variable(COOKIE_NAME).as_deref() == Some(COOKIE_VALUE),
            client_certificate: variable("PLUGIN_CLIENT_CERT"),
            socket_directory: variable("PLUGIN_UNIX_SOCKET_DIR"),
            ports: (port("PLUGIN_MIN_PORT", 10_000), port("PLUGIN_MAX_PORT", 25_000)),
            multiplexing: variable("PLUGIN_MULTIPLEX_GRPC").is_some(),
        }
    }
}

/// The line by which the host learns where to connect and which certificate to trust, newline included.
/// `certificate` is the server's leaf as DER.
pub(crate) fn line(network: &str, address: &str, certificate: Option<&[u8]>, multiplexing: bool) -> String {
    // Standard alphabet without padding: that is what the host decodes.
    let certificate = certificate
        .map(|der| STANDARD_NO_PAD.encode(der))
        .unwrap_or_default();
    let multiplexing = if multiplexing { "|false" } else { "" };
    format!("{CORE_PROTOCOL}|{PROTOCOL}|{network}|{address}|grpc|{certificate}{multiplexing}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn read(variables: &[(&str, &str)]) -> Environment {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        Environment::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn only_the_right_cookie_is_a_host() {
        assert!(read(&[(COOKIE_NAME, COOKIE_VALUE)]).cookie);
        assert!(!read(&[(COOKIE_NAME, "1")]).cookie);
        assert!(!read(&[]).cookie);
    }

    #[test]
    fn ports_are_the_hosts_or_the_usual_ones() {
        assert_eq!(
            read(&[("PLUGIN_MIN_PORT", "30000"), ("PLUGIN_MAX_PORT", "30010")]).ports,
            (30_000, 30_010)
        );
        assert_eq!(read(&[("PLUGIN_MIN_PORT", "x")]).ports, (10_000, 25_000));
    }

    #[test]
    fn line_has_six_fields_and_a_seventh_only_when_asked() {
        assert_eq!(line("unix", "/tmp/p", None, false), "1|6|unix|/tmp/p|grpc|\n");
        // Bytes whose base64 needs both special characters and, were it padded, an equals sign.
        assert_eq!(
            line("unix", "/tmp/p", Some(&[0xfb, 0xef, 0xff, 0xff]), false),
            "1|6|unix|/tmp/p|grpc|++///w\n"
        );
        assert_eq!(
            line("tcp", "127.0.0.1:1", None, true),
            "1|6|tcp|127.0.0.1:1|grpc||false\n"
        );
    }
}
