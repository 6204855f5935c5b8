resource "ekb_network" "main" {
  cidr = "10.20.0.0/16"

  interface_endpoints = ["ecr.api", "ecr.dkr"]

  flow_logs = {
    destination    = "cloudwatch"
    retention_days = 14
    retain_logs    = true
  }
}

output "private_subnets" {
  value = ekb_network.main.private_subnets
}
