module ekb.local/tools/aws-iam-authenticator

go 1.26

require sigs.k8s.io/aws-iam-authenticator v0.7.10

// As Kubernetes' own programs have them: what is compiled for those is not compiled again.
require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/client-go v0.37.2
	k8s.io/component-base v0.37.2
)
