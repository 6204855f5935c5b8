#!/usr/bin/env python3
"""`make test`: sets up what is needed, runs every check and test, says what each costs, and ends with cargo's own result lines.

Tests mostly wait for emulated time, so test programs run side by side. Cargo runs them one after the other and knows nothing else,
so it is asked twice, with this file as its runner of programs: at first the runner only notes what cargo would run (program, folder,
environment), then all of that is run here, and at last the runner prints what each program had printed, with its exit code.

Clippy compiles our crates (RUSTC_WORKSPACE_WRAPPER, from the Makefile): they are linted as they are built. `test.py warnings` says
what it found.
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or HERE.parent / "target")
# What each test program printed; stays there for whoever wants to look while it runs.
OUTPUT = TARGET / "test-output"
SECONDS = TARGET / "test-seconds.json"
BUILD = ["cargo", "build", "--workspace", "--all-targets"]

# At most so many test programs at a time, each with as many threads as there are cores. 1 is what cargo does: with two programs
# on two cores, tests whose faults last some seconds of the emulator's time meet them too late.
SIDE_BY_SIDE = int(os.environ.get("EKB_SIDE_BY_SIDE") or 1)

CLIS = ["venv", "terraform-1.15", "tofu"]
CONTROL_PLANE = ["venv", "helm", "etcd", "kube-apiserver"]
CLUSTERS = ["venv", "etcd", "aws-iam-authenticator", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]
CONTROLLERS = ["controller-charts", "keda-operator", "keda-admission-webhooks", "keda-adapter", "karpenter", "aws-load-balancer-controller"]
# Tools that test programs need: as long as they are being made, other tests run. What is missing here is no fault: a test waits
# for its tools by itself.
NEEDS = {
    "documentation": ["venv", "terraform-1.15", "tfplugindocs"],
    "clis": CLIS,
    "cluster": [*CLIS, *CLUSTERS],
    "cluster_access": [*CLIS, *CLUSTERS],
    "controllers": [*CLIS, *CLUSTERS, *CONTROLLERS],
    "helm_charts": ["helm", "karpenter-charts"],
    "helm_releases": CONTROL_PLANE,
    "kubernetes_parts": CONTROL_PLANE,
    "network": CLIS,
    "network_faults": CLIS,
    "network_plans": CLIS,
    "network_query": CLIS,
    "platform": CLIS,
    "release": [*CLIS, *CLUSTERS, "helm"],
    "rig_charts": ["venv", "helm", "controller-charts"],
    "rig_cli": CLIS,
    "rig_clusters": CLUSTERS,
    "rig_control_plane": CONTROL_PLANE,
    "rig_controllers": [*CLUSTERS, "helm", *CONTROLLERS],
}


def main():
    sys.path.insert(0, str(HERE / "tools"))
    global tools
    import tools

    os.chdir(HERE.parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    start = time.monotonic()
    rows = []
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)

    def phase(name, *commands):
        print(f"\n== {name} ({time.monotonic() - start:.0f} s)", flush=True)
        since, cpu = time.monotonic(), tools.children_cpu()
        for command in commands:
            if subprocess.call(command) != 0:
                sys.exit(1)
        rows.append((name, time.monotonic() - since, tools.children_cpu() - cpu, ""))

    with open(OUTPUT / "tools", "w") as log:
        # Beneath the tests, whose time-outs are those of a fast clock. No session of its own: Linux shares time between sessions alike.
        made = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, HERE / "tools/tools.py", "ensure"], stderr=log, process_group=0)
    jobs = []
    try:
        phase("formatting", ["cargo", "fmt", "--all", "--check"])
        phase("build", BUILD)
        no_warnings()

        say(f"tests, {SIDE_BY_SIDE} programs at a time ({time.monotonic() - start:.0f} s); what they print: {OUTPUT}")
        noting = subprocess.run(cargo_test("note"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if noting.returncode != 0:
            sys.exit(noting.stdout)
        jobs = [Job(json.loads(noted.read_text())) for noted in sorted(OUTPUT.glob("*.json"))]
        jobs.append(Job.of("documentation", [HERE / "docs.sh", "check"]))
        jobs.append(Job.of("doctests", ["cargo", "test", "--workspace", "--doc", "--no-fail-fast"]))
        run(jobs, made)
    finally:
        for job in jobs:
            job.kill()
        if made.poll() is None:
            os.killpg(made.pid, signal.SIGTERM)

    SECONDS.write_text(json.dumps({job.name: job.seconds for job in jobs}))
    for line in (OUTPUT / "tools").read_text().splitlines():
        if " made " in line:
            rows.append((line.split(": ", 1)[1], None, None, ""))
    for job in sorted(jobs, key=lambda job: -job.seconds):
        rows.append((job.name, job.seconds, job.cpu, "" if job.code == 0 else "FAILED"))
    rows.append(("all", time.monotonic() - start, tools.children_cpu(), ""))
    say("what it cost")
    print(f"{'':44} seconds   of CPU")
    for name, seconds, cpu, remark in rows:
        print(f"{name:44} {seconds:7.1f} {cpu:8.1f} {remark}" if seconds is not None else name)

    documentation, doctests = jobs[-2:]
    if documentation.code != 0:
        print(documentation.output.read_text())
    say("results")
    sys.stdout.flush()
    code = subprocess.call(cargo_test("print"))
    print(doctests.output.read_text(), end="", flush=True)
    sys.exit(code or documentation.code or doctests.code)


def no_warnings():
    """What was built was also linted; now that all is built, a build prints nothing but warnings."""
    warnings = subprocess.run([*BUILD, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    if warnings.strip():
        sys.exit(f"{warnings}\ntest.py: warnings count as errors")


def say(text):
    print(f"\n== {text}", flush=True)


def cargo_test(mode):
    """`cargo test` with this file as the runner of test programs."""
    runner = json.dumps([os.path.realpath(sys.executable), "-IS", str(HERE / "test.py"), mode])
    targets = ["--lib", "--bins", "--tests"]
    return ["cargo", "--config", f'target."cfg(all())".runner={runner}', "test", "--workspace", "--no-fail-fast", *targets]


class Job:
    """A program that runs beside others; its output goes to a file."""

    def __init__(self, noted):
        self.command, self.folder, self.environment = noted["command"], noted["folder"], noted["environment"]
        self.key = key(self.command[0])
        # The program's name is cargo's name of the target and, after a dash, a digest.
        self.target = noted.get("name") or self.key.rsplit("-", 1)[0]
        self.name = noted.get("name") or f"{self.environment['CARGO_PKG_NAME']} {self.target}"
        self.output = OUTPUT / f"{self.key}.out"
        self.process, self.code, self.seconds, self.cpu = None, None, 0.0, 0.0

    @classmethod
    def of(cls, name, command):
        command = [str(part) for part in command]
        job = cls({"command": command, "folder": os.getcwd(), "environment": dict(os.environ), "name": name})
        job.output = OUTPUT / f"{name}.out"
        return job

    def is_ready(self):
        return all(tools.TOOLS[tool].path.exists() for tool in NEEDS.get(self.target, []))

    def start(self):
        self.since = time.monotonic()
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def has_ended(self):
        pid, status, used = os.wait4(self.process.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.code = self.process.returncode = os.waitstatus_to_exitcode(status)
        self.seconds, self.cpu = time.monotonic() - self.since, used.ru_utime + used.ru_stime
        (OUTPUT / f"{self.key}.code").write_text(str(self.code))
        return True

    def kill(self):
        if self.process and self.code is None:
            self.process.kill()


def run(jobs, made):
    """Runs all; first what took longest the last time."""
    last = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
    waiting = sorted(jobs, key=lambda job: -last.get(job.name, 60 if job.target in NEEDS else 1))
    running, told = [], []
    while waiting or running:
        for job in [job for job in running if job.has_ended()]:
            running.remove(job)
            print(f"{'ok    ' if job.code == 0 else 'FAILED'} {job.seconds:6.1f} s  {job.name}", flush=True)
        free = SIDE_BY_SIDE - len(running)
        # A tool that could not be made is missed by its tests, which then say why.
        ready = [job for job in waiting if job.is_ready() or made.poll() is not None]
        for job in ready[:free]:
            waiting.remove(job)
            job.start()
            running.append(job)
        if waiting and not running:
            said = (OUTPUT / "tools").read_text().splitlines()[-1:]
            if said != told:
                print(*said, flush=True)
            told = said
        time.sleep(0.05)


def key(program):
    return os.path.basename(program)


def note(command):
    noted = {"command": command, "folder": os.getcwd(), "environment": dict(os.environ)}
    (OUTPUT / f"{key(command[0])}.json").write_text(json.dumps(noted))


def print_kept(command):
    kept = OUTPUT / f"{key(command[0])}.out"
    sys.stdout.buffer.write(kept.read_bytes())
    sys.stdout.flush()
    code = int(kept.with_suffix(".code").read_text())
    # A program that was killed by a signal.
    if code < 0:
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == ["note"]:
        note(sys.argv[2:])
    elif sys.argv[1:] == ["warnings"]:
        os.chdir(HERE.parent)
        no_warnings()
    elif sys.argv[1:2] == ["print"]:
        sys.exit(print_kept(sys.argv[2:]))
    else:
        main()
