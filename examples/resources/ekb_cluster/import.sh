# by environment and name
terraform import ekb_cluster.main staging/staging
