resource "ekb_node_class" "general" {
  cluster            = ekb_karpenter.main.cluster
  node_role          = ekb_karpenter.main.node_role_name
  kubernetes_version = ekb_cluster.main.kubernetes_version
  class              = "general"
}

# Databases move only when their owner says so.
resource "ekb_node_class" "database" {
  cluster            = ekb_karpenter.main.cluster
  node_role          = ekb_karpenter.main.node_role_name
  kubernetes_version = ekb_cluster.main.kubernetes_version
  class              = "database"

  architectures = ["arm64"]
  limits        = { cpu = "64", memory = "512Gi" }
  requirements = {
    "karpenter.k8s.aws/instance-family" = { values = ["r7g", "r8g"] }
  }
}
