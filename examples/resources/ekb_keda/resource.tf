resource "ekb_keda" "main" {
  cluster            = ekb_cluster.main.name
  kubernetes_version = ekb_cluster.main.kubernetes_version
}
