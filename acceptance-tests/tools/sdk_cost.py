#!/usr/bin/env python3
"""What a crate of the AWS SDK adds: `sdk_cost.py FOLDER [SERVICE ...]` builds for each service a small program that makes the calls the
platform will need, beside one that only asks who it is, in a folder of its own. Prints a table, and writes it as JSON after each row.

Seconds are of CPU (user and system, all processes), so that other work on the machine matters little. Sizes are those of the programs
less that of the one that only asks who it is.
"""

import json
import pathlib
import resource
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

CALLS = {
    "sts": "get_caller_identity",
    "eks": "create_cluster describe_cluster list_clusters update_cluster_config update_cluster_version delete_cluster describe_update "
    "tag_resource untag_resource create_nodegroup describe_nodegroup list_nodegroups update_nodegroup_config "
    "update_nodegroup_version delete_nodegroup create_addon describe_addon list_addons update_addon delete_addon "
    "describe_addon_versions create_access_entry describe_access_entry list_access_entries update_access_entry "
    "delete_access_entry associate_access_policy list_associated_access_policies disassociate_access_policy "
    "create_pod_identity_association describe_pod_identity_association list_pod_identity_associations "
    "update_pod_identity_association delete_pod_identity_association",
    "elasticache": "create_replication_group describe_replication_groups modify_replication_group delete_replication_group "
    "increase_replica_count decrease_replica_count create_cache_subnet_group describe_cache_subnet_groups "
    "modify_cache_subnet_group delete_cache_subnet_group create_cache_parameter_group describe_cache_parameter_groups "
    "describe_cache_parameters modify_cache_parameter_group delete_cache_parameter_group create_user describe_users "
    "modify_user delete_user create_user_group describe_user_groups modify_user_group delete_user_group "
    "add_tags_to_resource remove_tags_from_resource list_tags_for_resource describe_snapshots delete_snapshot",
    "mq": "create_broker describe_broker list_brokers update_broker reboot_broker delete_broker create_configuration "
    "describe_configuration list_configurations update_configuration describe_configuration_revision create_user describe_user "
    "list_users update_user delete_user create_tags delete_tags list_tags",
    "acm": "request_certificate describe_certificate list_certificates delete_certificate add_tags_to_certificate "
    "remove_tags_from_certificate list_tags_for_certificate",
    "route53": "create_hosted_zone get_hosted_zone list_hosted_zones_by_name delete_hosted_zone change_resource_record_sets "
    "list_resource_record_sets get_change change_tags_for_resource list_tags_for_resource",
    "elasticloadbalancingv2": "create_load_balancer describe_load_balancers describe_load_balancer_attributes "
    "modify_load_balancer_attributes delete_load_balancer create_target_group describe_target_groups delete_target_group "
    "create_listener describe_listeners modify_listener delete_listener describe_rules add_tags remove_tags describe_tags",
    "sqs": "create_queue get_queue_url list_queues get_queue_attributes set_queue_attributes delete_queue tag_queue untag_queue "
    "list_queue_tags",
    "eventbridge": "put_rule describe_rule list_rules delete_rule put_targets list_targets_by_rule remove_targets tag_resource "
    "untag_resource list_tags_for_resource",
    "kms": "create_key describe_key list_keys enable_key_rotation get_key_rotation_status put_key_policy get_key_policy "
    "schedule_key_deletion cancel_key_deletion create_alias list_aliases update_alias delete_alias tag_resource untag_resource "
    "list_resource_tags",
    "s3": "create_bucket head_bucket list_buckets delete_bucket put_bucket_tagging get_bucket_tagging put_bucket_versioning "
    "get_bucket_versioning put_bucket_encryption get_bucket_encryption put_public_access_block get_public_access_block "
    "put_bucket_lifecycle_configuration get_bucket_lifecycle_configuration put_bucket_policy get_bucket_policy "
    "list_object_versions list_objects_v2 delete_objects",
    "dynamodb": "create_table describe_table list_tables update_table delete_table tag_resource untag_resource "
    "list_tags_of_resource update_continuous_backups describe_continuous_backups get_item put_item delete_item",
    "dlm": "create_lifecycle_policy get_lifecycle_policy get_lifecycle_policies update_lifecycle_policy delete_lifecycle_policy "
    "tag_resource untag_resource",
    "secretsmanager": "create_secret describe_secret list_secrets get_secret_value put_secret_value update_secret delete_secret "
    "restore_secret tag_resource untag_resource get_random_password",
}

MAIN = """#[tokio::main(flavor = "current_thread")]
async fn main() {{
    let settings = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let client = sdk::Client::new(&settings);
    let called = std::env::args().nth(1);
    {calls}
}}
"""


def scratch(folder, service):
    """A package that makes the service's calls, with the provider's own profile and choice of features."""
    package = folder / service
    (package / "src").mkdir(parents=True, exist_ok=True)
    calls = "\n    ".join(
        f'if called.as_deref() == Some("{call}") {{ println!("{{:?}}", client.{call}().send().await.is_ok()); }}'
        for call in CALLS[service].split()
    )
    (package / "src/main.rs").write_text(MAIN.format(calls=calls))
    features = 'default-features = false, features = ["rt-tokio", "default-https-client"]'
    (package / "Cargo.toml").write_text(
        f'[package]\nname = "use-{service}"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n'
        f'sdk = {{ package = "aws-sdk-{service}", version = "1", {features} }}\n'
        'aws-config = { version = "1", default-features = false, features = ["rt-tokio", "default-https-client"] }\n'
        'tokio = { version = "1", features = ["macros", "rt"] }\n'
    )


def workspace(folder, services):
    """One workspace, so that all share what is common. The release profile is the provider's, generated code small."""
    for service in services:
        scratch(folder, service)
    small = "".join(f'\n[profile.release.package.aws-sdk-{service}]\nopt-level = "s"\n' for service in services)
    members = ", ".join(f'"{service}"' for service in services)
    (folder / "Cargo.toml").write_text(
        f'[workspace]\nresolver = "3"\nmembers = [{members}]\n\n[profile.dev]\ndebug = "line-tables-only"\n\n'
        f'[profile.dev.package."*"]\ndebug = 0\n\n[profile.release]\nlto = "thin"\ncodegen-units = 1\nstrip = true\n{small}'
    )
    lock = ROOT / "Cargo.lock"
    if not (folder / "Cargo.lock").exists():
        (folder / "Cargo.lock").write_text(lock.read_text())


def cpu(folder, *command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["cargo", *command], cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    folder = pathlib.Path(sys.argv[1])
    services = ["sts", *(sys.argv[2:] or [service for service in CALLS if service != "sts"])]
    folder.mkdir(parents=True, exist_ok=True)
    workspace(folder, services)
    rows, base = {}, {}
    profiles = {"dev": ["build"], "clippy": ["clippy"], "release": ["build", "--release"]}
    for profile, command in profiles.items():
        for service in services:
            row = rows.setdefault(service, {})
            row[f"{profile}_cpu"] = round(cpu(folder, *command, "--quiet", "-p", f"use-{service}"), 1)
            if profile != "clippy":
                program = folder / "target" / ("debug" if profile == "dev" else profile) / f"use-{service}"
                size = program.stat().st_size / 2**20
                base.setdefault(profile, size)
                row[f"{profile}_mib"] = round(size - base[profile], 2)
            print(f"{service:24} {row}", flush=True)
            (folder / "sdk-cost.json").write_text(json.dumps(rows, indent=1))


main()
