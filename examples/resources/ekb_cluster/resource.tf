resource "ekb_network" "main" {
  cidr = "10.20.0.0/16"
}

resource "ekb_cluster" "main" {
  kubernetes_version = "1.35"
  vpc_id             = ekb_network.main.vpc_id
  subnet_ids         = ekb_network.main.private_subnet_ids

  # Who reaches the Kubernetes API from outside of the VPC.
  endpoint_access = { public_cidrs = ["203.0.113.0/24"] }

  # Who enters it, beside the identity that creates it.
  access = {
    platform = {
      principal_arn = "arn:aws:iam::111122223333:role/platform"
      level         = "admin"
    }
    plan = {
      principal_arn = "arn:aws:iam::111122223333:role/ci-plan"
      level         = "admin_view"
    }
    shop = {
      principal_arn = "arn:aws:iam::111122223333:role/shop"
      level         = "edit"
      namespaces    = ["shop"]
    }
  }

  system_nodes = {
    instance_types = ["m7g.large"]
    min            = 2
    max            = 4
  }

  addons = {
    coredns = { configuration = jsonencode({ replicaCount = 3 }) }
    # Left out.
    snapshot-controller = { enabled = false }
  }

  logging = {
    types          = ["audit", "authenticator"]
    retention_days = 90
  }
}

output "endpoint" {
  value = ekb_cluster.main.endpoint
}
