# The network of one environment and its cluster: what `make demo` applies on the emulator.
terraform {
  required_providers {
    ekb = {
      source = "ekb/ekb"
    }
  }
}

provider "ekb" {
  environment = "demo"
  region      = "eu-central-1"
}

resource "ekb_network" "main" {
  cidr = "10.20.0.0/16"
}

resource "ekb_cluster" "main" {
  kubernetes_version = "1.35"
  vpc_id             = ekb_network.main.vpc_id
  subnet_ids         = ekb_network.main.private_subnet_ids

  # Who reaches the Kubernetes API from outside of the VPC: the addresses of your CI and of your people.
  endpoint_access = { public_cidrs = ["203.0.113.0/24"] }

  system_nodes = { min = 3 }
}

output "endpoint" {
  value = ekb_cluster.main.endpoint
}
