import {
  to = ekb_network.main
  identity = {
    environment = "staging"
    name        = "staging"
  }
}
