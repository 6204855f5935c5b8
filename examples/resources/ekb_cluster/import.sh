# by environment and name
terraform import ekb_cluster.main staging/staging
# by the cluster's name, in the provider's region
terraform import ekb_cluster.main staging
# by ARN
terraform import ekb_cluster.main arn:aws:eks:eu-central-1:111122223333:cluster/staging
