"""`python -m emulator [--scale N] [--clusters]`: prints one JSON line with its address, and ends when its standard input closes."""

import argparse
import gc
import json
import logging
import os
import sys
import threading

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
# The catalogue of images takes most of a new account's time and memory. A service that needs images adds its own.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_ACM_VALIDATION_WAIT", "2")
os.environ.setdefault("AWS_ACCESS_KEY_ID", "unused")
os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "unused")


def main():
    arguments = argparse.ArgumentParser(prog="emulator")
    arguments.add_argument("--scale", type=float, default=1.0, help="time scale of new accounts (default: AWS's own pace)")
    arguments.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    arguments.add_argument("--clusters", action="store_true", help="a real control plane behind each EKS cluster")
    options = arguments.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    from . import server

    listening, emulator = server.serve(options.scale, options.port)
    if options.clusters:
        from . import clusters

        clusters.start(emulator)
    # What is loaded by now stays: no need to look through it for garbage again and again.
    gc.freeze()
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    print(json.dumps({"url": f"http://127.0.0.1:{listening.server_port}", "pid": os.getpid()}), flush=True)
    # Whoever started us holds the other end: when it ends, however it ends, so do we.
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


main()
