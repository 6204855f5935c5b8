# Whoever uses it asks `aws eks get-token` for a token of their own: the output holds no secret.
output "kubeconfig" {
  value = provider::ekb::kubeconfig(
    "dev-main",
    "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
    file("${path.module}/ca.pem"),
    "eu-central-1",
    null, # ARN of a role to assume
    "dev" # profile of the AWS CLI
  )
}
