//! Which version of a controller goes with which Kubernetes.

use framework::{Attr, Diagnostic, Diagnostics, Path};

use super::model::Installation;

/// Major and minor.
type Minor = (u32, u32);

/// What is known of a controller's versions, newest first.
#[derive(Debug)]
pub struct Versions {
    /// Lines of versions.
    pub lines: &'static [Line],
    /// Where it is said, and when that was read.
    pub source: &'static str,
}

/// The versions of one minor, and the minor versions of Kubernetes (the 35 of 1.35) that they go with.
#[derive(Debug)]
pub struct Line {
    /// The controller's minor version.
    pub minor: Minor,
    /// Its newest version that was there when this was written.
    pub newest: &'static str,
    /// With older ones it does not work.
    pub works_from: u32,
    /// With newer ones it does not work; none: it was not tested with them.
    pub works_until: Option<u32>,
    /// What its makers tested it with, from and until.
    pub tested: (u32, u32),
}

/// Major and minor of a version.
pub fn minor(version: &str) -> Option<Minor> {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn kubernetes_minor(version: &Attr<String>) -> Option<u32> {
    minor(version.known()?).map(|(_, minor)| minor)
}

impl Line {
    fn is_tested_with(&self, kubernetes: u32) -> bool {
        (self.tested.0..=self.tested.1).contains(&kubernetes)
    }

    fn works_with(&self, kubernetes: u32) -> bool {
        self.works_from <= kubernetes && self.works_until.is_none_or(|until| kubernetes <= until)
    }
}

impl Versions {
    fn line(&self, version: &str) -> Option<&Line> {
        let of = minor(version)?;
        self.lines.iter().find(|line| line.minor == of)
    }

    /// The newest version that is tested with this minor version of Kubernetes; else the newest that works with it.
    fn default(&self, kubernetes: u32) -> Option<&'static str> {
        let tested = self.lines.iter().find(|line| line.is_tested_with(kubernetes));
        let works = || self.lines.iter().find(|line| line.works_with(kubernetes));
        tested
            .or_else(works)
            .or(self.lines.first())
            .map(|line| line.newest)
    }

    /// Sets the version, where none is given: what there is stays as long as it is tested with the cluster's version.
    pub fn complete(&self, config: &Installation, prior: Option<&Installation>, planned: &mut Installation) {
        if !config.version.is_null() {
            return;
        }
        let is_local = |chart: &String| chart.starts_with(['/', '.']) || std::path::Path::new(chart).exists();
        if config.chart.known().is_some_and(is_local) {
            // It is what it is.
            planned.version = Attr::Null;
            return;
        }
        let Some(kubernetes) = kubernetes_minor(&planned.kubernetes_version) else {
            planned.version = prior.map_or(Attr::Unknown, |prior| prior.version.clone());
            return;
        };
        let kept = prior.and_then(|prior| prior.version.known()).filter(|version| {
            self.line(version)
                .is_some_and(|line| line.is_tested_with(kubernetes))
        });
        let default = || self.default(kubernetes).map(str::to_owned);
        planned.version = Attr::from_option(kept.cloned().or_else(default));
    }

    /// Says what is known of the version that is planned.
    pub fn check(&self, title: &str, planned: &Installation, out: &mut Diagnostics) {
        // Of a chart in a folder its own version counts.
        let version = planned.version.known().or(planned.chart_version.known());
        let (Some(version), Some(kubernetes)) = (version, kubernetes_minor(&planned.kubernetes_version))
        else {
            return;
        };
        let Some(line) = self.line(version) else { return };
        let fitting = self.default(kubernetes).unwrap_or_default();
        if !line.works_with(kubernetes) {
            let why = format!(
                "Version {version} of the {title} does not work with Kubernetes 1.{kubernetes} ({}).",
                self.source
            );
            out.push(
                Diagnostic::error("EKB2431", "The versions do not go together", why)
                    .hint(format!("Take `version = \"{fitting}\"`, or leave it out."))
                    .at(Path::from("version")),
            );
        } else if !line.is_tested_with(kubernetes) {
            let (from, until) = line.tested;
            let why = format!(
                "Version {version} of the {title} is tested with Kubernetes 1.{from} to 1.{until}, and this is 1.{kubernetes} ({}).",
                self.source
            );
            out.push(
                Diagnostic::warning("EKB2432", "The versions were not tested together", why)
                    .hint(format!(
                        "Tested, or the nearest to it: `version = \"{fitting}\"`."
                    ))
                    .at(Path::from("version")),
            );
        }
    }
}
