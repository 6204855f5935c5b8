# by environment and name
terraform import ekb_cluster.main staging/staging
# by its ARN: also one that others built
terraform import ekb_cluster.main arn:aws:eks:eu-central-1:111122223333:cluster/staging
