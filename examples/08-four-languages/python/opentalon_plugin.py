"""What every OpenTalon plugin does: listens on a socket, says where, and ends when it is told to or is left alone.

`serve` is for tools, hooks and providers, `serve_channel` for channels. Both return when the plugin has ended.
"""

import json
import os
import signal
import sys
import tempfile
import threading
from concurrent import futures
from pathlib import Path
from typing import Callable, NoReturn

import grpc

# The messages, as `make` generates them from the folder `proto`.
sys.path.insert(0, str(Path(__file__).parent / "generated"))

Register = Callable[[grpc.Server], None]


def serve(register: Register) -> None:
    """Serves on a socket in TMPDIR and says so on standard output: `1|unix|<path>`."""
    with tempfile.TemporaryDirectory(prefix="opentalon-plugin-") as folder:
        path = os.path.join(folder, "plugin.sock")
        _run(register, path, f"1|unix|{path}")


def serve_channel(kind: str, register: Register) -> None:
    """Serves on the socket OpenTalon looks for. Started by hand, it says where it listens: `<kind>|unix|<path>`."""
    folder = os.environ.get("OPENTALON_CHANNEL_SOCK_DIR")
    if folder:
        _run(register, os.path.join(folder, "channel.sock"), "")
        return
    with tempfile.TemporaryDirectory(prefix="opentalon-channel-") as own:
        path = os.path.join(own, "channel.sock")
        _run(register, path, f"{kind}|unix|{path}")


def settings(config_json: str, context: grpc.ServicerContext) -> dict:
    """What stands under `config` of the entry; refuses what is no JSON object."""
    try:
        config = json.loads(config_json or "{}")
    except ValueError:
        config = None
    if not isinstance(config, dict):
        refuse(context, "the configuration is not a JSON object")
    return config


def refuse(context: grpc.ServicerContext, words: str) -> NoReturn:
    """Ends `Init` or `Configure`: the plugin does not start, and the operator reads the words."""
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"configure: {words}")
    raise AssertionError


def _run(register: Register, path: str, first_line: str) -> None:
    parent = os.getppid()
    limit = _message_limit()
    options = [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=options)
    register(server)
    server.add_insecure_port(f"unix:{path}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server.start()
    if first_line:
        print(first_line, flush=True)
    # Standard output belongs to OpenTalon: what `print` writes from now on goes to standard error, and so to its log.
    sys.stdout = sys.stderr
    # A plugin whose OpenTalon is gone has nobody to serve.
    while os.getppid() == parent and not ended.wait(timeout=1):
        pass
    server.stop(grace=3).wait()
    Path(path).unlink(missing_ok=True)


def _message_limit() -> int:
    given = os.environ.get("OPENTALON_GRPC_MAX_MSG_BYTES", "")
    return int(given) if given.isascii() and given.isdigit() and 0 < int(given) < 2**31 else 32 * 1024 * 1024
