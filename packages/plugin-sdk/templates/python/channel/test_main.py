import socket
import unittest

import grpc
import opentalon_plugin  # noqa: F401 (makes the generated messages known)
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from opentalon.channel.v1 import channel_pb2 as wire, channel_pb2_grpc as rpc
from plugin_process import running_channel


def settings(address: object) -> wire.ConfigureRequest:
    config = Struct()
    config.update({"address": address})
    return wire.ConfigureRequest(config=config, instance_id="lines")


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class ChannelTest(unittest.TestCase):
    def test_says_what_it_is_and_refuses_a_wrong_configuration(self):
        with running_channel() as connection:
            channel = rpc.ChannelServiceStub(connection)
            self.assertEqual(channel.Capabilities(Empty(), timeout=10).id, "my-plugin")
            with self.assertRaises(grpc.RpcError) as refused:
                channel.Configure(settings("nowhere"), timeout=10)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_takes_what_people_write_and_delivers_answers(self):
        address = free_address()
        with running_channel() as connection:
            channel = rpc.ChannelServiceStub(connection)
            channel.Configure(settings(address), timeout=10)
            inbox = channel.Start(Empty(), timeout=30)
            host, _, port = address.partition(":")
            with socket.create_connection((host, int(port)), timeout=10) as person:
                person.sendall(b"Hello!\n")
                message = next(inbox)
                self.assertEqual(message.content, "Hello!")
                answer = wire.OutboundMessage(conversation_id=message.conversation_id, content="Good morning.")
                channel.Send(answer, timeout=10)
                self.assertEqual(person.makefile().readline(), "Good morning.\n")
            inbox.cancel()
            with self.assertRaises(grpc.RpcError) as gone:
                channel.Send(wire.OutboundMessage(conversation_id="nobody", content="?"), timeout=10)
            self.assertEqual(gone.exception.code(), grpc.StatusCode.NOT_FOUND)
