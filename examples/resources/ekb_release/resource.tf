resource "ekb_release" "cert_manager" {
  name       = "cert-manager"
  cluster    = ekb_cluster.main.name
  chart      = "cert-manager"
  repository = "https://charts.jetstack.io"
  version    = "1.19.2"

  kubernetes_version = ekb_cluster.main.kubernetes_version
  values = {
    crds     = { enabled = true }
    replicas = 2
  }
}

resource "ekb_release" "shop" {
  name      = "shop"
  cluster   = ekb_cluster.main.name
  namespace = "shop"
  chart     = "${path.module}/charts/shop"

  values_files = ["${path.module}/values/staging.yaml"]
}
