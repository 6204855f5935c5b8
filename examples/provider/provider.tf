terraform {
  required_providers {
    ekb = {
      source = "ekb/ekb"
    }
  }
}

provider "ekb" {
  environment = "staging"
  region      = "eu-central-1"

  default_tags {
    tags = {
      team = "platform"
    }
  }
}
