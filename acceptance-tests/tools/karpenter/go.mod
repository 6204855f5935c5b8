module ekb.local/tools/karpenter

go 1.26.6

require github.com/aws/karpenter-provider-aws v1.14.1

// Its go.mod names a version of before the release, which is not served.
replace sigs.k8s.io/karpenter => sigs.k8s.io/karpenter v1.14.1
