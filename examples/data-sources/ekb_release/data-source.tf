data "ekb_release" "ingress" {
  name      = "ingress-nginx"
  namespace = "ingress"
  cluster   = "main"
}

output "hosts" {
  value = data.ekb_release.ingress.hosts
}
