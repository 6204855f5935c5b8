data "ekb_cluster" "main" {}

output "vpc_id" {
  value = data.ekb_cluster.main.vpc_id
}
