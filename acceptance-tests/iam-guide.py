"""iam-guide.py BINARY SCHEMA: the guide on IAM permissions, from what the provider says that each resource needs."""

import json
import subprocess
import sys

binary, schema = sys.argv[1:]
print("""---
page_title: "IAM permissions - EKB"
subcategory: ""
description: |-
  The IAM policy that each resource needs.
---

# IAM permissions

What each resource calls, generated from its parts. The statement `Plan` alone is enough to plan: an identity of CI that
may only read can tell what an apply would do. The provider prints the same, for as many resources as you name:

```shell
terraform-provider-ekb iam-policy ekb_network
```

Narrow `Resource` to your account, region and the names of the environment, and the tag `ekb:environment`, as your rules
ask for.""")
with open(schema) as file:
    provider = next(iter(json.load(file)["provider_schemas"].values()))
for name in sorted(provider["resource_schemas"]):
    policy = subprocess.run([binary, "iam-policy", name], check=True, capture_output=True, text=True).stdout
    print(f"\n## {name}\n\n```json\n{policy.rstrip()}\n```")
