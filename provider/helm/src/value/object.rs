//! The structs that templates meet: `.Capabilities`, `.Files`, versions, times, certificates; their fields.

use std::sync::Arc;

use super::semver::Version;
use super::time::{self, Time};
use super::{Elem, Value};

/// A struct.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// `*common.Capabilities`
    Capabilities(Capabilities),
    /// `common.KubeVersion`, reached through the capabilities.
    KubeVersion(KubeVersion),
    /// A copy of it, as functions get it: Go then no longer finds its methods.
    KubeVersionCopy(KubeVersion),
    /// `version.BuildInfo`: the helm version that we stand for.
    HelmVersion,
    /// `*semver.Version`
    Version(Version),
    /// `semver.Version`, as the methods return it that make a new one: Go then does not find those of the pointer.
    VersionValue(Version),
    /// `*time.Location`: the offset from UTC in seconds, and whether it is UTC by name, as in [`Time`].
    Location {
        /// Seconds.
        offset: i32,
        /// UTC by name.
        utc: bool,
    },
    /// `time.Time`
    Time(Time),
    /// `time.Duration`, in nanoseconds.
    Duration(i64),
    /// `time.Month`
    Month(u32),
    /// `time.Weekday`
    Weekday(u32),
    /// `sprig.certificate`: certificate and key, PEM.
    Certificate {
        /// Certificate.
        cert: Arc<str>,
        /// Private key.
        key: Arc<str>,
    },
}

/// What the cluster can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Version of Kubernetes.
    pub kube_version: KubeVersion,
    /// `group/version` and `group/version/Kind` that exist.
    pub api_versions: Arc<Vec<String>>,
}

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// `v1.34.0`, or `v1.34.1-eks-1a2b3c`
    pub version: String,
    /// `1`
    pub major: String,
    /// `34`
    pub minor: String,
}

impl KubeVersion {
    /// A version as somebody wrote it.
    ///
    /// # Errors
    /// What is no version, in helm's words.
    pub fn parse(source: &str) -> Result<KubeVersion, String> {
        let text = source.trim_start();
        let plain = text.strip_prefix('v').unwrap_or(text);
        let end = plain
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(plain.len());
        let mut parts: Vec<&str> = plain[..end].split('.').collect();
        // What follows the numbers is free.
        parts.truncate(
            parts
                .iter()
                .position(|part| part.is_empty())
                .unwrap_or(parts.len()),
        );
        if parts.is_empty() {
            return Err(format!(
                "could not parse {} as version",
                crate::value::gofmt::quote(source)
            ));
        }
        if parts.len() < 2 {
            return Err(format!(
                "illegal version string {}",
                crate::value::gofmt::quote(source)
            ));
        }
        if let Some(part) = parts[..2]
            .iter()
            .find(|part| part.len() > 1 && part.starts_with('0'))
        {
            return Err(format!(
                "illegal zero-prefixed version component {} in {}",
                crate::value::gofmt::quote(part),
                crate::value::gofmt::quote(source)
            ));
        }
        Ok(KubeVersion {
            version: format!("v{plain}"),
            major: parts[0].to_owned(),
            minor: parts[1].to_owned(),
        })
    }
    /// Without what a distribution adds, such as `-eks-1a2b3c`.
    pub fn normalized(&self) -> &str {
        self.version.split(['-', '+']).next().unwrap_or_default()
    }
    /// As Go prints the struct.
    fn fields(&self) -> String {
        format!(
            "{{{} {} {} {}}}",
            self.version,
            self.normalized(),
            self.major,
            self.minor
        )
    }
}

impl Object {
    /// Truth: structs are always true, numbers are when not zero.
    pub fn truth(&self) -> bool {
        match self {
            Object::Duration(n) => *n != 0,
            Object::Month(n) | Object::Weekday(n) => *n != 0,
            _ => true,
        }
    }
    /// Go's kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Object::Capabilities(_) | Object::Version(_) | Object::Location { .. } => "ptr",
            Object::Duration(_) => "int64",
            Object::Month(_) | Object::Weekday(_) => "int",
            _ => "struct",
        }
    }
    /// Go's type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Object::Capabilities(_) => "common.Capabilities",
            Object::KubeVersion(_) | Object::KubeVersionCopy(_) => "common.KubeVersion",
            Object::HelmVersion => "version.BuildInfo",
            Object::Version(_) | Object::VersionValue(_) => "semver.Version",
            Object::Location { .. } => "time.Location",
            Object::Time(_) => "time.Time",
            Object::Duration(_) => "time.Duration",
            Object::Month(_) => "time.Month",
            Object::Weekday(_) => "time.Weekday",
            Object::Certificate { .. } => "sprig.certificate",
        }
    }
    /// The number in it, if it is one.
    pub fn integer(&self) -> i64 {
        match self {
            Object::Duration(n) => *n,
            Object::Month(n) | Object::Weekday(n) => i64::from(*n),
            _ => 0,
        }
    }
    /// What `%v` prints.
    pub fn print(&self) -> String {
        match self {
            Object::Capabilities(c) => {
                format!(
                    "&{{{} [{}] {}}}",
                    c.kube_version.fields(),
                    c.api_versions.join(" "),
                    Object::HelmVersion.print()
                )
            }
            Object::KubeVersion(v) => v.normalized().to_owned(),
            Object::KubeVersionCopy(v) => v.fields(),
            Object::HelmVersion => format!("{{{HELM_VERSION} {HELM_COMMIT} clean {HELM_GO} {HELM_CLIENT}}}"),
            Object::Version(v) | Object::VersionValue(v) => v.canonical(),
            Object::Location { utc: true, .. } => "UTC".into(),
            Object::Location { offset: 0, .. } => "Local".into(),
            Object::Location { .. } => String::new(),
            Object::Time(t) => t.to_string(),
            Object::Duration(n) => time::duration_text(*n),
            Object::Month(n) => time::MONTHS
                .get((*n as usize).wrapping_sub(1))
                .unwrap_or(&"")
                .to_string(),
            Object::Weekday(n) => time::DAYS.get(*n as usize).unwrap_or(&"").to_string(),
            Object::Certificate { cert, key } => format!("{{{cert} {key}}}"),
        }
    }
    /// A field by name.
    pub fn field(&self, name: &str) -> Option<Value> {
        Some(match (self, name) {
            (Object::Capabilities(c), "KubeVersion") => object(Object::KubeVersion(c.kube_version.clone())),
            (Object::Capabilities(c), "APIVersions") => {
                let mut list = match Value::strings(c.api_versions.iter().map(String::as_str)) {
                    Value::List(list) => list,
                    _ => return None,
                };
                list.elem = Elem::VersionSet;
                Value::List(list)
            }
            (Object::Capabilities(_), "HelmVersion") => object(Object::HelmVersion),
            (Object::KubeVersion(v) | Object::KubeVersionCopy(v), "Version") => {
                Value::str(v.version.as_str())
            }
            (Object::KubeVersion(v) | Object::KubeVersionCopy(v), "Major") => Value::str(v.major.as_str()),
            (Object::KubeVersion(v) | Object::KubeVersionCopy(v), "Minor") => Value::str(v.minor.as_str()),
            (Object::HelmVersion, "Version") => Value::str(HELM_VERSION),
            (Object::HelmVersion, "GitCommit") => Value::str(HELM_COMMIT),
            (Object::HelmVersion, "GitTreeState") => Value::str("clean"),
            (Object::HelmVersion, "GoVersion") => Value::str(HELM_GO),
            (Object::HelmVersion, "KubeClientVersion") => Value::str(HELM_CLIENT),
            (Object::Certificate { cert, .. }, "Cert") => Value::Str(cert.clone()),
            (Object::Certificate { key, .. }, "Key") => Value::Str(key.clone()),
            _ => return None,
        })
    }
    /// Fields as `toJson` prints them, in their order; `None` for what is no struct.
    pub fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(match self {
            Object::Capabilities(c) => vec![
                ("KubeVersion", object(Object::KubeVersion(c.kube_version.clone()))),
                (
                    "APIVersions",
                    Value::strings(c.api_versions.iter().map(String::as_str)),
                ),
                ("HelmVersion", object(Object::HelmVersion)),
            ],
            Object::KubeVersion(v) | Object::KubeVersionCopy(v) => vec![
                ("Version", Value::str(v.version.as_str())),
                ("Major", Value::str(v.major.as_str())),
                ("Minor", Value::str(v.minor.as_str())),
            ],
            Object::HelmVersion => vec![
                ("version", Value::str(HELM_VERSION)),
                ("git_commit", Value::str(HELM_COMMIT)),
                ("git_tree_state", Value::str("clean")),
                ("go_version", Value::str(HELM_GO)),
                ("kube_client_version", Value::str(HELM_CLIENT)),
            ],
            Object::Certificate { cert, key } => {
                vec![
                    ("Cert", Value::Str(cert.clone())),
                    ("Key", Value::Str(key.clone())),
                ]
            }
            _ => return None,
        })
    }
    /// Fields under Go's names, in their order, for writers that do not know of JSON; `None` for what is no struct.
    pub fn go_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let names: &[&'static str] = match self {
            Object::Capabilities(_) => &["KubeVersion", "APIVersions", "HelmVersion"],
            Object::KubeVersion(_) | Object::KubeVersionCopy(_) => &["Version", "Major", "Minor"],
            Object::HelmVersion => &[
                "Version",
                "GitCommit",
                "GitTreeState",
                "GoVersion",
                "KubeClientVersion",
            ],
            Object::Certificate { .. } => &["Cert", "Key"],
            _ => return None,
        };
        let field = |name: &&'static str| (*name, self.field(name).unwrap_or_default());
        Some(names.iter().map(field).collect())
    }
    /// As a value of plain maps and strings.
    pub fn json(&self) -> Value {
        match self {
            Object::Version(v) | Object::VersionValue(v) => Value::str(v.canonical()),
            Object::Time(t) => Value::str(t.rfc3339()),
            Object::Duration(_) | Object::Month(_) | Object::Weekday(_) => Value::int64(self.integer()),
            other => {
                Value::map(other.json_fields().unwrap_or_default().into_iter().map(
                    |(key, value)| match value {
                        Value::Object(inner) => (key, inner.json()),
                        value => (key, value),
                    },
                ))
            }
        }
    }
}

/// The version of helm whose output this crate equals.
pub const HELM_VERSION: &str = "v4.3.1";
const HELM_COMMIT: &str = "c0d08d0d6d9424d4a14febb5e8a3e51b0dd00dff";
const HELM_GO: &str = "go1.27.2";
const HELM_CLIENT: &str = "v1.37";

/// How the capabilities are printed, with the ampersand of a pointer, which an action does not print.
pub fn capabilities_text(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) if matches!(**object, Object::Capabilities(_)) => Some(object.print()),
        _ => None,
    }
}

/// An object as a value.
pub fn object(object: Object) -> Value {
    Value::Object(std::rc::Rc::new(object))
}

/// The bytes of a file, which are kept as a string.
pub fn file_bytes(value: &Value) -> Value {
    value
        .string_bytes()
        .map_or(Value::Nil, |b| Value::Bytes(b.into()))
}

/// Go's type where the value is reached directly: pointers show their star.
pub fn pointer_type(value: &Value) -> &'static str {
    match value {
        Value::Object(o) => match &**o {
            Object::Capabilities(_) => "*common.Capabilities",
            Object::Version(_) => "*semver.Version",
            Object::Location { .. } => "*time.Location",
            _ => o.type_name(),
        },
        other => other.type_name(),
    }
}
