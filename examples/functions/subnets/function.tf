output "subnets" {
  value = provider::ekb::subnets("10.20.0.0/16", ["eu-central-1a", "eu-central-1b", "eu-central-1c"])
}
