module ekb.local/tools/kwok

go 1.26

require sigs.k8s.io/kwok v0.8.0

// As Kubernetes' own programs have them: what is compiled for those is not compiled again.
require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/apiserver v0.37.2
	k8s.io/client-go v0.37.2
	k8s.io/component-base v0.37.2
	k8s.io/cri-api v0.37.2
	k8s.io/cri-client v0.37.2
	k8s.io/cri-streaming v0.37.2
	k8s.io/streaming v0.37.2
)
