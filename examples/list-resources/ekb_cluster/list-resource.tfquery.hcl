# terraform query                                   shows them
# terraform query -generate-config-out=found.tf     writes resource and import blocks
list "ekb_cluster" "interrupted" {
  provider = ekb
  config {
    status = "incomplete"
  }
}
