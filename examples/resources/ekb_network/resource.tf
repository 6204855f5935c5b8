resource "ekb_network" "main" {
  cidr = "10.20.0.0/16"

  # A range for pods, and subnets in it.
  secondary_cidrs = ["100.64.0.0/16"]
  private_tiers = {
    pods = {
      subnets = {
        eu-central-1a = "100.64.0.0/18"
        eu-central-1b = "100.64.64.0/18"
      }
    }
  }

  interface_endpoints      = ["ecr.api", "ecr.dkr", "transcribe"]
  interface_endpoint_zones = { transcribe = ["eu-central-1a", "eu-central-1b"] }

  flow_logs = {
    destination    = "cloudwatch"
    retention_days = 14
    retain_logs    = true
  }
}

output "private_subnets" {
  value = ekb_network.main.private_subnets
}
