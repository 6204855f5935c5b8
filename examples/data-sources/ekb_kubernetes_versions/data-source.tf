data "ekb_kubernetes_versions" "all" {}

output "supported" {
  value = [for version in data.ekb_kubernetes_versions.all.versions : version.version if version.support == "standard"]
}
