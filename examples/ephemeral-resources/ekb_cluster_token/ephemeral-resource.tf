# For what is still in the Kubernetes provider's hands: nothing of the token is stored.
ephemeral "ekb_cluster_token" "main" {
  name = ekb_cluster.main.id
}

provider "kubernetes" {
  host                   = ephemeral.ekb_cluster_token.main.endpoint
  cluster_ca_certificate = ephemeral.ekb_cluster_token.main.certificate_authority
  token                  = ephemeral.ekb_cluster_token.main.token
}
