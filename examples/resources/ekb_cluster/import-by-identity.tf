import {
  to = ekb_cluster.main
  identity = {
    environment = "staging"
    name        = "staging"
  }
}
