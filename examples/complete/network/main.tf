# The network of one environment: what `make demo` applies on the emulator.
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

  tags = {
    team = "platform"
  }
}

output "vpc_id" {
  value = ekb_network.main.vpc_id
}

output "private_subnets" {
  value = ekb_network.main.private_subnets
}
