"""A channel: joins a messaging platform. This one is the platform, too: each TCP connection is a conversation, each line
a message. Try it with `nc 127.0.0.1 7070`. Everybody on this machine can connect, so it is a toy."""

import itertools
import queue
import socketserver
import threading

import grpc
import opentalon_plugin
from opentalon.channel.v1 import channel_pb2 as wire, channel_pb2_grpc as rpc


class Channel(rpc.ChannelServiceServicer):
    def __init__(self):
        self.inbox: queue.Queue[wire.InboundMessage] = queue.Queue(maxsize=100)
        self.connections: dict[str, socketserver.StreamRequestHandler] = {}
        self.numbers = itertools.count(1)

    def Capabilities(self, request, context):
        return wire.ChannelCapabilities(id="my-plugin", name="Lines over TCP")

    def Configure(self, request, context):
        """Takes what stands under `config` of the channel's entry, or refuses it in words."""
        address = dict(request.config).get("address", "127.0.0.1:7070")
        host, _, port = str(address).rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
            opentalon_plugin.refuse(context, "`address` must be host:port")
        try:
            server = Listener((host, int(port)), Connection)
        except OSError as error:
            opentalon_plugin.refuse(context, f"cannot listen on {address}: {error}")
        server.channel = self
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return wire.ConfigureResponse()

    def Start(self, request, context):
        """Streams what people write, for as long as OpenTalon listens."""
        while context.is_active():
            try:
                yield self.inbox.get(timeout=0.2)
            except queue.Empty:
                continue

    def Send(self, request, context):
        # Says that an answer is being written, which cannot be shown here.
        if request.metadata.get("_typing") == "true":
            return wire.SendResponse()
        connection = self.connections.get(request.conversation_id)
        if connection is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "the person has hung up")
        connection.wfile.write(f"{request.content}\n".encode())
        return wire.SendResponse()


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    channel: Channel


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        channel, name = self.server.channel, str(next(self.server.channel.numbers))
        channel.connections[name] = self
        try:
            while line := self.rfile.readline(65_536):
                content = line.decode(errors="replace").strip()
                message = wire.InboundMessage(conversation_id=name, sender_id=name, content=content)
                message.timestamp.GetCurrentTime()
                channel.inbox.put(message)
        finally:
            del channel.connections[name]


if __name__ == "__main__":
    serve_it = lambda server: rpc.add_ChannelServiceServicer_to_server(Channel(), server)  # noqa: E731
    opentalon_plugin.serve_channel("my-plugin", serve_it)
