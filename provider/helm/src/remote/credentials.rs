//! Credentials, and where helm and docker keep them.

use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use zeroize::Zeroizing;

use crate::chart::fetch::{Class, FetchFailure};
use crate::text::yaml;
use crate::value::Value;

/// What a registry or repository is shown. Never printed.
#[derive(Clone)]
pub enum Credentials {
    /// User name and password.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: Zeroizing<String>,
    },
    /// A bearer token.
    Token(Zeroizing<String>),
    /// An identity token of docker's configuration: a registry gives tokens for it.
    Identity(Zeroizing<String>),
}

impl Credentials {
    /// User name and password.
    pub fn basic(username: impl Into<String>, password: impl Into<String>) -> Self {
        Credentials::Basic {
            username: username.into(),
            password: Zeroizing::new(password.into()),
        }
    }
    /// A bearer token.
    pub fn token(token: impl Into<String>) -> Self {
        Credentials::Token(Zeroizing::new(token.into()))
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Credentials::Basic { .. } => "Basic(…)",
            Credentials::Token(_) => "Token(…)",
            Credentials::Identity(_) => "Identity(…)",
        })
    }
}

/// Files in which helm and docker keep credentials. Those that do not exist are skipped.
#[derive(Clone, Debug, Default)]
pub struct ConfigFiles {
    /// Credentials of registries, in docker's format; the first that has some for a registry wins. Their credential
    /// helpers are run.
    pub registries: Vec<PathBuf>,
    /// helm's `repositories.yaml`: names, URLs and credentials of repositories.
    pub repositories: Option<PathBuf>,
}

/// A repository that the user gave a name. Its URL may hold a password.
pub(super) struct Repository {
    pub name: String,
    pub url: String,
    pub credentials: Option<Credentials>,
    pub pass_credentials: bool,
}

impl ConfigFiles {
    /// Where helm and docker look: `HELM_REGISTRY_CONFIG`, `HELM_REPOSITORY_CONFIG` and `DOCKER_CONFIG`, else below
    /// `HELM_CONFIG_HOME`, `XDG_CONFIG_HOME` and the home folder.
    pub fn from_environment() -> Self {
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let home = set("HOME").or_else(|| set("USERPROFILE"));
        let helm = set("HELM_CONFIG_HOME").or_else(|| {
            let base = set("XDG_CONFIG_HOME").or_else(|| {
                if cfg!(windows) {
                    set("APPDATA")
                } else if cfg!(target_os = "macos") {
                    Some(home.as_ref()?.join("Library/Preferences"))
                } else {
                    Some(home.as_ref()?.join(".config"))
                }
            })?;
            Some(base.join("helm"))
        });
        let in_helm = |file: &str| Some(helm.as_ref()?.join(file));
        let docker = set("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
        ConfigFiles {
            registries: set("HELM_REGISTRY_CONFIG")
                .or_else(|| in_helm("registry/config.json"))
                .into_iter()
                .chain(docker.map(|folder| folder.join("config.json")))
                .collect(),
            repositories: set("HELM_REPOSITORY_CONFIG").or_else(|| in_helm("repositories.yaml")),
        }
    }

    /// Credentials for a registry, and the file that has them.
    pub(super) fn registry(&self, host: &str) -> Result<Option<(Credentials, PathBuf)>, FetchFailure> {
        for path in &self.registries {
            let Ok(text) = std::fs::read(path) else { continue };
            let server = match host {
                "docker.io" | "registry-1.docker.io" | "index.docker.io" => "https://index.docker.io/v1/",
                host => host,
            };
            let bad = |what: String| {
                FetchFailure::new(
                    Class::Denied,
                    format!("credentials for {host} in {}: {what}", path.display()),
                )
            };
            match docker_credential::get_credential_from_reader(text.as_slice(), server) {
                Ok(DockerCredential::UsernamePassword(username, password)) => {
                    return Ok(Some((Credentials::basic(username, password), path.clone())));
                }
                Ok(DockerCredential::IdentityToken(token)) => {
                    let identity = Credentials::Identity(Zeroizing::new(token));
                    return Ok(Some((identity, path.clone())));
                }
                Err(CredentialRetrievalError::NoCredentialConfigured) => {}
                // What helpers say where they have nothing.
                Err(CredentialRetrievalError::HelperFailure { stdout, .. })
                    if stdout.contains("credentials not found") => {}
                // Its output may hold a secret.
                Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
                    return Err(bad(format!("{helper} fails")).hint("run it by hand to see why"));
                }
                Err(error) => return Err(bad(error.to_string())),
            }
        }
        Ok(None)
    }

    /// The repositories that the user gave names.
    pub(super) fn repositories(&self) -> Vec<Repository> {
        let text = self
            .repositories
            .as_ref()
            .and_then(|path| std::fs::read_to_string(path).ok());
        let Some(Ok(Value::Map(file))) = text.map(|text| yaml::parse(&text)) else {
            return Vec::new();
        };
        let entries = file
            .get("repositories")
            .and_then(|v| v.items())
            .unwrap_or_default();
        let mut out = Vec::new();
        for entry in entries.iter() {
            let Value::Map(entry) = entry else { continue };
            let text = |key: &str| match entry.get(key) {
                Some(Value::Str(s)) => s.to_string(),
                _ => String::new(),
            };
            let (username, password) = (text("username"), text("password"));
            out.push(Repository {
                name: text("name"),
                url: text("url"),
                credentials: (!username.is_empty() || !password.is_empty())
                    .then(|| Credentials::basic(username, password)),
                pass_credentials: entry.get("pass_credentials_all").is_some_and(|v| v.truth()),
            });
        }
        out
    }
}
