# by environment and name …
terraform import ekb_network.main staging/staging
# … or a network that something else made, by the id of its VPC
terraform import ekb_network.main vpc-0123456789abcdef0
