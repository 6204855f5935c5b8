#!/usr/bin/env bash
# docs.sh write | check: docs/ from the provider's schema and examples/, in the registry's layout, by tfplugindocs.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="python3 acceptance-tests/tools/tools.py"
docs=$($tools path tfplugindocs)
terraform=$($tools path terraform-1.15)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The schema, as a CLI sees it.
cat >"$work/cli.tfrc" <<EOF
provider_installation {
  dev_overrides { "ekb/ekb" = "${CARGO_TARGET_DIR:-$PWD/target}/debug" }
  direct {}
}
EOF
mkdir "$work/schema"
cp examples/provider/provider.tf "$work/schema/"
(cd "$work/schema" && TF_CLI_CONFIG_FILE="$work/cli.tfrc" "$terraform" providers schema -json) >"$work/raw.json"
# tfplugindocs knows providers of HashiCorp's namespace only.
sed 's#"registry.terraform.io/ekb/ekb"#"registry.terraform.io/hashicorp/ekb"#' "$work/raw.json" >"$work/schema.json"

# tfplugindocs works on a whole provider directory: give it a copy.
mkdir "$work/provider"
cp -r examples "$work/provider/"
[ -d templates ] && cp -r templates "$work/provider/"
mkdir -p "$work/provider/templates/guides"
python3 acceptance-tests/iam-guide.py "${CARGO_TARGET_DIR:-$PWD/target}/debug/terraform-provider-ekb" \
    "$work/raw.json" >"$work/provider/templates/guides/iam-permissions.md"
"$docs" generate --provider-dir "$work/provider" --provider-name ekb --rendered-provider-name EKB \
    --providers-schema "$work/schema.json" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

case "${1:-check}" in
write)
    rm -rf docs
    cp -r "$work/provider/docs" docs
    ;;
check)
    diff -r docs "$work/provider/docs" || { echo "docs/ is out of date: run make docs"; exit 1; }
    "$docs" validate --provider-dir . --provider-name ekb --providers-schema "$work/schema.json" >"$work/log" 2>&1 ||
        { cat "$work/log"; exit 1; }
    ;;
esac
