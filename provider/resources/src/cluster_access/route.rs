//! The way to clusters whose API is not reached directly: block `kubernetes` of the provider.

use framework::{Attr, Diagnostic, Diagnostics, Model, Path, Secret};
use kubernetes::Route;

/// The way to the Kubernetes API of a cluster, where that is not its endpoint: a tunnel, a proxy.
///
/// It belongs to the place from which Terraform runs, so it is said here, for all resources, and not kept in the state.
#[derive(Model, Debug, Clone, Default)]
pub struct KubernetesBlock {
    /// Name of the cluster. Default: all that no other block names.
    #[attribute(optional, validate(length(1..=100)))]
    pub cluster: Attr<String>,
    /// Address in place of the cluster's endpoint, for example that of a tunnel: `https://localhost:8443`.
    #[attribute(optional, validate(pattern("^https://[^/?#@]+/?$")))]
    pub host: Attr<String>,
    /// Name in the certificate that is met there. Default: that of the cluster's endpoint.
    #[attribute(optional, validate(pattern("^[0-9A-Za-z.:-]+$")))]
    pub tls_server_name: Attr<String>,
    /// Address of a proxy: `http://`, `https://` or `socks5://`. Default: the provider's `https_proxy`, or `HTTPS_PROXY`.
    #[attribute(optional, sensitive, validate(pattern("^(http|https|socks5)://.+$")))]
    pub proxy_url: Attr<Secret<String>>,
}

impl KubernetesBlock {
    /// Whether one of its arguments is not known yet.
    pub(crate) fn is_unknown(&self) -> bool {
        let Self {
            cluster,
            host,
            tls_server_name,
            proxy_url,
        } = self;
        let texts = [cluster, host, tls_server_name];
        texts.iter().any(|argument| argument.is_unknown()) || proxy_url.is_unknown()
    }
}

/// Refuses ways that lead several clusters to one address, and two ways to one cluster.
pub(crate) fn check(blocks: &[KubernetesBlock], out: &mut Diagnostics) {
    let wrong = |detail: String, hint: &'static str| {
        Diagnostic::error("EKB2284", "Ways to clusters that contradict each other", detail)
            .hint(hint)
            .at(Path::from("kubernetes"))
    };
    for (place, block) in blocks.iter().enumerate() {
        if block.cluster.is_null() && !(block.host.is_null() && block.tls_server_name.is_null()) {
            out.push(wrong(
                "A block `kubernetes` without `cluster` leads all clusters to one address or name."
                    .to_owned(),
                "Say which one by `cluster`.",
            ));
        }
        let is_same = |other: &KubernetesBlock| !other.cluster.is_unknown() && other.cluster == block.cluster;
        if blocks[..place].iter().any(is_same) {
            let which = block.cluster.known().map_or("all other clusters", String::as_str);
            out.push(wrong(
                format!("Two blocks `kubernetes` say the way to {which}."),
                "Leave one of them.",
            ));
        }
    }
}

/// The way to this cluster: of its block, else of that for all, else straight.
pub(crate) fn route(blocks: &[KubernetesBlock], cluster: &str) -> Route {
    let of = |name: Option<&str>| {
        let mut all = blocks.iter();
        all.find(|block| block.cluster.known().map(String::as_str) == name)
    };
    let Some(block) = of(Some(cluster)).or_else(|| of(None)) else {
        return Route::default();
    };
    let proxy = block.proxy_url.known().cloned();
    Route {
        address: block.host.known().cloned(),
        tls_server_name: block.tls_server_name.known().cloned(),
        // Said for this cluster: exceptions that are meant for AWS's addresses do not matter.
        no_proxy: proxy.is_some().then(String::new),
        proxy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cluster: Option<&str>) -> KubernetesBlock {
        KubernetesBlock {
            cluster: Attr::from_option(cluster.map(str::to_owned)),
            ..KubernetesBlock::default()
        }
    }

    fn said(blocks: &[KubernetesBlock]) -> String {
        let mut out = Diagnostics::new();
        check(blocks, &mut out);
        format!("{out:?}")
    }

    #[test]
    fn a_cluster_has_its_own_way_or_that_of_all() {
        let blocks = [
            KubernetesBlock {
                proxy_url: Attr::Known("socks5://localhost:1080".to_owned().into()),
                ..block(None)
            },
            KubernetesBlock {
                host: "https://localhost:8443".into(),
                ..block(Some("dev"))
            },
        ];
        let dev = route(&blocks, "dev");
        assert_eq!(dev.address.as_deref(), Some("https://localhost:8443"));
        assert_eq!((dev.proxy, dev.no_proxy), (None, None));
        let other = route(&blocks, "prod");
        assert_eq!(other.address, None);
        assert_eq!(other.no_proxy.as_deref(), Some(""));
        assert_eq!(route(&[], "dev"), Route::default());
        assert_eq!(said(&blocks), format!("{:?}", Diagnostics::new()));
    }

    #[test]
    fn ways_that_contradict_each_other_are_refused() {
        let all = KubernetesBlock {
            host: "https://localhost:8443".into(),
            ..block(None)
        };
        assert!(said(&[all]).contains("EKB2284"));
        assert!(said(&[block(Some("dev")), block(Some("dev"))]).contains("the way to dev"));
        assert!(said(&[block(None), block(None)]).contains("all other clusters"));
    }
}
