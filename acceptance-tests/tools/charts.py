"""The charts of the platform's controllers, from what their Go modules hold, and beside them the files that an OCI registry and a
chart repository serve.

    charts.py FOLDER KUBECTL MODULES     MODULES is JSON: {name: folder of the module}

    FOLDER/charts/NAME/                  the charts
    FOLDER/earlier/NAME/                 of some an earlier version
    FOLDER/served/charts/                a repository: index.yaml, NAME-VERSION.tgz
    FOLDER/served/v2/charts/NAME/        a registry, as paths of the OCI distribution API
"""

import gzip
import hashlib
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

import yaml

# --- charts that are there ------------------------------------------------------------------------------------------


def copy(source, target, replaced=()):
    """A chart of a module; in the texts of its root other words stand where a release has them."""
    # Files of the module cache are read-only.
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in [path for path in target.iterdir() if path.is_file()]:
        text = path.read_text()
        for old, new in replaced:
            text = re.sub(old, new, text)
        path.write_text(text)


def definitions(templates, folder):
    """Karpenter's chart has them too, by a link that modules do not hold; here without what makes templates of them."""
    folder.mkdir()
    for path in templates.iterdir():
        plain = [line for line in path.read_text().splitlines() if "{{" not in line]
        (folder / path.name).write_text("\n".join(plain) + "\n")


# Karpenter's module holds the charts of the release before; a release writes its own version and digest in.
KARPENTER = [(r"\b1\.13\.0\b", "1.14.1"), (r"digest: sha256:\w+", 'digest: ""')]

CERT_MANAGER = [(r"(?m)^((?:app)?[vV]ersion): v0\.0\.0$", r"\1: v1.21.2")]

# --- KEDA: manifests become a chart in the form of the public one -----------------------------------------------------

KEDA_VERSION = "2.21.0"
KEDA_VALUES = """\
image:
  pullPolicy: Always
  keda: {registry: ghcr.io, repository: kedacore/keda, tag: ""}
  metricsApiServer: {registry: ghcr.io, repository: kedacore/keda-metrics-apiserver, tag: ""}
  webhooks: {registry: ghcr.io, repository: kedacore/keda-admission-webhooks, tag: ""}
crds: {install: true, additionalAnnotations: {}}
imagePullSecrets: []
operator: {name: keda-operator, replicaCount: 1}
metricsServer: {replicaCount: 1}
webhooks: {name: keda-admission-webhooks, replicaCount: 1, failurePolicy: Ignore}
serviceAccount:
  operator: {name: keda-operator, annotations: {}}
podAnnotations: {keda: {}, metricsAdapter: {}, webhooks: {}}
podLabels: {keda: {}, metricsAdapter: {}, webhooks: {}}
resources:
  operator: {limits: {cpu: 1, memory: 1000Mi}, requests: {cpu: 100m, memory: 100Mi}}
  metricServer: {limits: {cpu: 1, memory: 1000Mi}, requests: {cpu: 100m, memory: 100Mi}}
  webhooks: {limits: {cpu: 1, memory: 1000Mi}, requests: {cpu: 100m, memory: 100Mi}}
nodeSelector: {}
tolerations: []
affinity: {}
topologySpreadConstraints: {operator: [], metricsServer: [], webhooks: []}
priorityClassName: ""
"""
# The names that the public chart gives.
KEDA_NAMES = [
    (r"(?<!/)\bkeda-metrics-apiserver\b", "keda-operator-metrics-apiserver"),
    (r"\bname: keda-admission\n(?=  namespace)", "name: keda-admission-webhooks\n"),
]
# Deployment: image, replicas, and the other keys of its values.
KEDA_PARTS = {
    "keda-operator": ("keda", "operator", "keda", "operator", "operator"),
    "keda-operator-metrics-apiserver": ("metricsApiServer", "metricsServer", "metricsAdapter", "metricServer", "metricsServer"),
    "keda-admission-webhooks": ("webhooks", "webhooks", "webhooks", "webhooks", "webhooks"),
}


def mark(expression):
    """Stands in a document for a template's expression until it is written."""
    return f"@@{expression}@@"


def json_of(values):
    return mark(f"toJson .Values.{values}")


def template(document):
    text = yaml.safe_dump(document, sort_keys=False, width=10**9)
    text = text.replace("{{", '{{ "{{" }}')
    return re.sub(r"'?@@(.*?)@@'?", r"{{ \1 }}", text)


def keda_chart(module, kubectl, target):
    (target / "templates").mkdir(parents=True)
    (target / "Chart.yaml").write_text(yaml.safe_dump({
        "apiVersion": "v2", "name": "keda", "version": KEDA_VERSION, "appVersion": KEDA_VERSION, "type": "application",
        "description": "Event-based autoscaler for workloads on Kubernetes"}, sort_keys=False))
    (target / "values.yaml").write_text(KEDA_VALUES)
    text = subprocess.run([kubectl, "kustomize", module / "config/default"], check=True, capture_output=True, text=True).stdout
    for old, new in KEDA_NAMES:
        text = re.sub(old, new, text)
    for document in yaml.safe_load_all(text):
        kind, name = document["kind"], document["metadata"]["name"]
        if kind == "Namespace":
            continue
        for_keda(document)
        body = template(document)
        if kind == "CustomResourceDefinition":
            body = f"{{{{- if .Values.crds.install }}}}\n{body}{{{{- end }}}}\n"
        (target / "templates" / f"{kind.lower()}-{name.lower().replace(':', '-')}.yaml").write_text(body)


def for_keda(document):
    """What values of the chart decide, in place of the manifest's own."""
    kind, metadata = document["kind"], document["metadata"]
    labels = metadata.setdefault("labels", {})
    labels["app.kubernetes.io/version"] = mark(".Chart.AppVersion | quote")
    labels["app.kubernetes.io/managed-by"] = mark(".Release.Service")
    labels["app.kubernetes.io/instance"] = mark(".Release.Name")
    in_namespace(document)
    if kind == "CustomResourceDefinition":
        metadata["annotations"] = {**metadata.get("annotations", {})}
    elif kind == "ServiceAccount" and metadata["name"] == "keda-operator":
        metadata["annotations"] = json_of("serviceAccount.operator.annotations")
    elif kind == "ValidatingWebhookConfiguration":
        for webhook in document["webhooks"]:
            webhook["failurePolicy"] = mark(".Values.webhooks.failurePolicy")
    elif kind == "Deployment":
        image, replicas, pod, resources, spread = KEDA_PARTS[metadata["name"]]
        spec = document["spec"]
        spec["replicas"] = mark(f".Values.{replicas}.replicaCount")
        spec["template"]["metadata"]["annotations"] = json_of(f"podAnnotations.{pod}")
        pod_spec = spec["template"]["spec"]
        selector = pod_spec.get("nodeSelector", {})
        pod_spec["nodeSelector"] = mark(f"toJson (merge (dict {words(selector)}) .Values.nodeSelector)")
        pod_spec |= {"tolerations": json_of("tolerations"), "affinity": json_of("affinity"),
                     "topologySpreadConstraints": json_of(f"topologySpreadConstraints.{spread}"),
                     "priorityClassName": mark(".Values.priorityClassName | quote"),
                     "imagePullSecrets": json_of("imagePullSecrets")}
        [container] = pod_spec["containers"]
        container["image"] = mark(f'printf "%s/%s:%s" .Values.image.{image}.registry .Values.image.{image}.repository '
                                  f"(.Values.image.{image}.tag | default .Chart.AppVersion) | quote")
        container["imagePullPolicy"] = mark(".Values.image.pullPolicy")
        container["resources"] = json_of(f"resources.{resources}")
        if image == "keda":
            container["args"].append("--metrics-server-service-name=keda-operator-metrics-apiserver")


def words(values):
    return " ".join(f'"{key}" "{value}"' for key, value in values.items())


def in_namespace(thing):
    """The manifests' namespace is the release's."""
    if isinstance(thing, list):
        for one in thing:
            in_namespace(one)
    elif isinstance(thing, dict):
        for key, value in thing.items():
            if key == "namespace" and value == "keda":
                thing[key] = mark(".Release.Namespace")
            else:
                in_namespace(value)


# --- earlier versions: as the later ones, but for a field of a definition ---------------------------------------------

# Chart: version, file of the definition, and the field.
EARLIER = {
    "keda": ("2.20.0", "templates/customresourcedefinition-scaledobjects.keda.sh.yaml", "initialCooldownPeriod"),
    "karpenter": ("1.13.0", "crds/karpenter.sh_nodepools.yaml", "terminationGracePeriod"),
}


def earlier(chart, target, version, file, field):
    now = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    shutil.copytree(chart, target)
    for name in ("Chart.yaml", "values.yaml"):
        (target / name).write_text((target / name).read_text().replace(now, version))
    lines, kept, within = (target / file).read_text().splitlines(), [], None
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if within is None and line.strip() == f"{field}:":
            within = depth
        elif within is not None and depth <= within and line.strip():
            within = None
        if within is None:
            kept.append(line)
    if kept == lines:
        raise SystemExit(f"charts.py: {file} has no {field}")
    (target / file).write_text("\n".join(kept) + "\n")


# --- served ---------------------------------------------------------------------------------------------------------


def pack(folder):
    """The archive of a chart, always of the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder)}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return gzip.compress(packed.getvalue(), mtime=0)


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def serve(folders, served):
    """The later versions of a chart before the earlier ones."""
    entries, repository = {}, served / "charts"
    repository.mkdir(parents=True)
    for folder in folders:
        chart = yaml.safe_load((folder / "Chart.yaml").read_text())
        name, version, archive = chart["name"], chart["version"], pack(folder)
        (repository / f"{name}-{version}.tgz").write_bytes(archive)
        entries.setdefault(name, []).append({
            **chart, "digest": hashlib.sha256(archive).hexdigest(), "urls": [f"{name}-{version}.tgz"], "created": "2026-11-27T00:00:00Z"})
        registry = served / "v2/charts" / name
        for sub in ("blobs", "manifests", "tags"):
            (registry / sub).mkdir(parents=True, exist_ok=True)
        config = json.dumps(chart).encode()
        for blob in (config, archive):
            (registry / "blobs" / digest(blob)).write_bytes(blob)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": digest(archive),
                        "size": len(archive)}]}).encode()
        # A `+` of a version is no character of a tag.
        for reference in (version.replace("+", "_"), digest(manifest)):
            (registry / "manifests" / reference).write_bytes(manifest)
        tags = [one["version"].replace("+", "_") for one in entries[name]]
        (registry / "tags/list").write_text(json.dumps({"name": f"charts/{name}", "tags": tags}))
    (repository / "index.yaml").write_text(yaml.safe_dump({
        "apiVersion": "v1", "generated": "2026-11-27T00:00:00Z", "entries": entries}))


def main(folder, kubectl, modules):
    folder, modules = pathlib.Path(folder), {name: pathlib.Path(path) for name, path in json.loads(modules).items()}
    charts = folder / "charts"
    charts.mkdir()
    keda_chart(modules["keda"], kubectl, charts / "keda")
    for name in ("karpenter", "karpenter-crd"):
        copy(modules["karpenter"] / "charts" / name, charts / name, KARPENTER)
    definitions(charts / "karpenter-crd" / "templates", charts / "karpenter" / "crds")
    copy(modules["aws-load-balancer-controller"] / "helm/aws-load-balancer-controller", charts / "aws-load-balancer-controller")
    copy(modules["metrics-server"] / "charts/metrics-server", charts / "metrics-server")
    copy(modules["aws-ebs-csi-driver"] / "charts/aws-ebs-csi-driver", charts / "aws-ebs-csi-driver")
    copy(modules["cert-manager"] / "deploy/charts/cert-manager", charts / "cert-manager", CERT_MANAGER)
    for name, what in EARLIER.items():
        earlier(charts / name, folder / "earlier" / name, *what)
    serve([*sorted(charts.iterdir()), *sorted((folder / "earlier").iterdir())], folder / "served")


if __name__ == "__main__":
    main(*sys.argv[1:])
