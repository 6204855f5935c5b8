//! Load balancers that Services of a cluster say are theirs.

use aws::eks::inside::{Guest, What};
use kubernetes::Cluster;
use reconcile::failure::Failure;
use serde_json::Value;

/// The load balancers of Services. A network load balancer may have no security group, by which AWS would tell whose it is.
///
/// # Errors
/// There is no way into the cluster.
pub async fn load_balancers(cluster: &Cluster) -> Result<Vec<Guest>, Failure> {
    let doing = format!("listing the Services in the cluster {}", cluster.name());
    let services = cluster.list(&doing, "/api/v1/services", "").await?;
    Ok(services.iter().flat_map(of).collect())
}

fn of(service: &Value) -> Vec<Guest> {
    let metadata = &service["metadata"];
    // What is being deleted takes it along.
    if service["spec"]["type"] != "LoadBalancer" || metadata["deletionTimestamp"].is_string() {
        return Vec::new();
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ingress = service["status"]["loadBalancer"]["ingress"].as_array();
    let names = ingress
        .into_iter()
        .flatten()
        .filter_map(|at| name(at["hostname"].as_str()?));
    let guest = |name: String| Guest {
        what: What::LoadBalancer,
        name,
        maker: Some(format!(
            "the Service {}/{}",
            text(&metadata["namespace"]),
            text(&metadata["name"])
        )),
    };
    names.map(guest).collect()
}

/// The name of the load balancer of AWS at this address: `k8s-shop-web-0123-4567.elb.eu-central-1.amazonaws.com` of a network load
/// balancer, `internal-a0123-4567.eu-central-1.elb.amazonaws.com` of another (Elastic Load Balancing, `DNSName`).
fn name(address: &str) -> Option<String> {
    let (label, domain) = address.split_once('.')?;
    let is_aws = domain.ends_with(".amazonaws.com") || domain.ends_with(".amazonaws.com.cn");
    let is_balancer = domain.split('.').any(|label| label == "elb");
    let (name, _digits) = label.rsplit_once('-').filter(|_| is_aws && is_balancer)?;
    Some(name.strip_prefix("internal-").unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(kind: &str, address: &str) -> Value {
        json!({
            "metadata": { "namespace": "shop", "name": "web" }, "spec": { "type": kind },
            "status": { "loadBalancer": { "ingress": [{ "hostname": address }] } },
        })
    }

    #[test]
    fn a_service_names_its_load_balancer() {
        let net = "k8s-shop-web-5c1d-0a1b2c3d4e5f6071.elb.eu-central-1.amazonaws.com";
        let classic = "internal-a0123-1122334455.eu-central-1.elb.amazonaws.com";
        let china = "k8s-shop-web-5c1d-0a1b.elb.cn-north-1.amazonaws.com.cn";
        for (address, told) in [
            (
                net,
                Some("load balancer k8s-shop-web-5c1d (of the Service shop/web)"),
            ),
            (classic, Some("load balancer a0123 (of the Service shop/web)")),
            (
                china,
                Some("load balancer k8s-shop-web-5c1d (of the Service shop/web)"),
            ),
            ("web.example.com", None),
            ("elb-1.example.com", None),
        ] {
            let named = of(&service("LoadBalancer", address));
            let named = named.first().map(ToString::to_string);
            assert_eq!(named.as_deref(), told, "{address}");
        }
        assert!(of(&service("ClusterIP", net)).is_empty());
        let mut going = service("LoadBalancer", net);
        going["metadata"]["deletionTimestamp"] = json!("2026-11-27T00:00:00Z");
        assert!(of(&going).is_empty());
    }
}
