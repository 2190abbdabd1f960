"""For tests: starts the plugin as OpenTalon does, and connects to it."""

import os
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from typing import Iterator

import grpc


@contextmanager
def running_plugin() -> Iterator[grpc.Channel]:
    """A connection to a plugin, tool, hook or provider, that says where it listens."""
    with _started(first_line=True) as (process, _):
        handshake = process.stdout.readline().strip()
        assert handshake.startswith("1|unix|"), f"the first line is {handshake!r}"
        with grpc.insecure_channel(f"unix:{handshake.removeprefix('1|unix|')}") as channel:
            yield channel


@contextmanager
def running_channel() -> Iterator[grpc.Channel]:
    """A connection to a channel, which listens where it is told to."""
    with _started(first_line=False) as (process, folder):
        path = os.path.join(folder, "channel.sock")
        give_up = time.monotonic() + 10
        while not os.path.exists(path):
            assert process.poll() is None, "the channel ended"
            assert time.monotonic() < give_up, "the channel does not listen"
            time.sleep(0.025)
        with grpc.insecure_channel(f"unix:{path}") as channel:
            # A socket may be there a moment before somebody listens on it.
            grpc.channel_ready_future(channel).result(timeout=10)
            yield channel


@contextmanager
def _started(first_line: bool) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with tempfile.TemporaryDirectory(prefix="opentalon-test-") as folder:
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder}
        if not first_line:
            environment["OPENTALON_CHANNEL_SOCK_DIR"] = folder
        program = os.environ["PLUGIN_PROGRAM"]
        process = subprocess.Popen([program], env=environment, stdout=subprocess.PIPE, text=True)
        try:
            yield process, folder
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0, "SIGINT did not end it in good order"
            assert os.listdir(folder) == [], "it left its socket behind"
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
