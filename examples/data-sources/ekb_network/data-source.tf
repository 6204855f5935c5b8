data "ekb_network" "main" {}

output "vpc_id" {
  value = data.ekb_network.main.vpc_id
}
