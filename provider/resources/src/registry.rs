//! All resources of the provider: a line each. Resource, data source, list resource and IAM policy follow from it.

use aws::Aws;
use framework::Offers;
use reconcile::kinds::Kinds;
use reconcile::resource::{Declared, offer};

use crate::cluster::ClusterResource;
use crate::controller::ControllerResource;
use crate::controller::karpenter::Karpenter;
use crate::controller::keda::Keda;
use crate::controller::load_balancer::LoadBalancerController;
use crate::network::NetworkResource;
use crate::node_class::NodeClassResource;
use crate::platform::Platform;
use crate::release::ReleaseResource;

/// What is done with every resource.
pub(crate) trait Visitor {
    fn visit<D: Declared<Platform> + Clone>(&mut self, resource: D);
}

/// Shows all resources to the visitor.
pub(crate) fn visit(visitor: &mut impl Visitor) {
    visitor.visit(NetworkResource);
    visitor.visit(ClusterResource);
    visitor.visit(ReleaseResource::default());
    visitor.visit(ControllerResource::<LoadBalancerController>::default());
    visitor.visit(ControllerResource::<Keda>::default());
    visitor.visit(ControllerResource::<Karpenter>::default());
    visitor.visit(NodeClassResource);
}

/// All resources, with their data sources and list resources.
pub(crate) fn offers() -> Offers<Platform> {
    struct Offering(Offers<Platform>);
    impl Visitor for Offering {
        fn visit<D: Declared<Platform> + Clone>(&mut self, resource: D) {
            self.0 = offer(std::mem::take(&mut self.0), resource);
        }
    }
    let mut all = Offering(Offers::new());
    visit(&mut all);
    all.0
}

/// The names of all resources.
pub fn names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl Visitor for Names {
        fn visit<D: Declared<Platform> + Clone>(&mut self, _resource: D) {
            self.0.push(D::NAME);
        }
    }
    let mut all = Names(Vec::new());
    visit(&mut all);
    all.0
}

/// The kinds of the parts of all resources.
pub fn kinds(aws: &Aws, region: &str) -> Kinds {
    struct All<'a>(Platform, &'a str, Kinds);
    impl Visitor for All<'_> {
        fn visit<D: Declared<Platform> + Clone>(&mut self, resource: D) {
            let Self(platform, region, kinds) = self;
            *kinds = std::mem::take(kinds).and(resource.kinds(platform, region));
        }
    }
    let mut all = All(Platform::bare(aws.clone()), region, Kinds::new());
    visit(&mut all);
    all.2
}
