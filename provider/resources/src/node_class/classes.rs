//! What a class of nodes stands for.

/// What a class of this name has, where the arguments say nothing else.
#[derive(Debug)]
pub struct Class {
    /// Its name.
    pub name: &'static str,
    /// What instances have to have: label, operator, values.
    pub requirements: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// `on-demand`, `spot`.
    pub capacity_types: &'static [&'static str],
    /// Taints: key and value.
    pub taints: &'static [(&'static str, Option<&'static str>)],
    /// When nodes go.
    pub consolidation_policy: &'static str,
    /// How long they are left alone before.
    pub consolidate_after: &'static str,
    /// How old they get.
    pub expire_after: &'static str,
    /// How long they are drained at most; none: for ever.
    pub termination_grace_period: Option<&'static str>,
    /// Size of the disk.
    pub disk_gib: i64,
}

const CATEGORY: &str = "karpenter.k8s.aws/instance-category";
const GENERATION: &str = "karpenter.k8s.aws/instance-generation";
const BOTH: &[&str] = &["on-demand", "spot"];
/// Older ones are slower and dearer.
const RECENT: (&str, &str, &[&str]) = (GENERATION, "Gt", &["2"]);

const USUAL: Class = Class {
    name: "general",
    requirements: &[(CATEGORY, "In", &["c", "m", "r"]), RECENT],
    capacity_types: BOTH,
    taints: &[],
    consolidation_policy: "WhenEmptyOrUnderutilized",
    consolidate_after: "1m",
    expire_after: "720h",
    // Without it a pod that may not be disturbed holds its node for ever (kubernetes-sigs/karpenter#2466).
    termination_grace_period: Some("1h"),
    disk_gib: 50,
};

/// All of them.
pub static CLASSES: [Class; 5] = [
    USUAL,
    Class {
        name: "compute",
        requirements: &[(CATEGORY, "In", &["c"]), RECENT],
        ..USUAL
    },
    Class {
        name: "memory",
        requirements: &[(CATEGORY, "In", &["r", "x"]), RECENT],
        ..USUAL
    },
    Class {
        name: "database",
        requirements: &[(CATEGORY, "In", &["m", "r"]), RECENT],
        capacity_types: &["on-demand"],
        taints: &[("workload", Some("database"))],
        // A database moves when its owner says so.
        consolidation_policy: "WhenEmpty",
        consolidate_after: "10m",
        expire_after: "Never",
        termination_grace_period: None,
        ..USUAL
    },
    Class {
        name: "gpu",
        requirements: &[("karpenter.k8s.aws/instance-gpu-manufacturer", "In", &["nvidia"])],
        taints: &[("nvidia.com/gpu", None)],
        // Drivers and models take room.
        disk_gib: 100,
        ..USUAL
    },
];

/// The class of this name.
pub fn class(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}
