resource "ekb_load_balancer_controller" "main" {
  cluster            = ekb_cluster.main.name
  kubernetes_version = ekb_cluster.main.kubernetes_version
  vpc_id             = ekb_network.main.vpc_id
}
