# by environment and name …
terraform import ekb_cluster.main staging/staging
# … or a cluster that something else made, by its ARN
terraform import ekb_cluster.main arn:aws:eks:eu-central-1:111122223333:cluster/staging
