import unittest

import grpc
import opentalon_plugin  # noqa: F401 (makes the generated messages known)
from google.protobuf.empty_pb2 import Empty
from opentalon.plugin.v1 import plugin_pb2 as wire, plugin_pb2_grpc as rpc
from plugin_process import running_plugin


class ToolTest(unittest.TestCase):
    def test_takes_its_configuration_and_says_what_it_can_do(self):
        with running_plugin() as channel:
            plugin = rpc.PluginServiceStub(channel)
            plugin.Init(wire.PluginInitRequest(config_json="{}"), timeout=10)
            capabilities = plugin.Capabilities(Empty(), timeout=10)
            self.assertEqual(capabilities.name, "hello-python")
            self.assertEqual([action.name for action in capabilities.actions], ["greet", "split_bill"])
            with self.assertRaises(grpc.RpcError) as refused:
                plugin.Init(wire.PluginInitRequest(config_json='{"greeting": 7}'), timeout=10)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_answers_calls_and_explains_what_is_wrong(self):
        with running_plugin() as channel:
            plugin = rpc.PluginServiceStub(channel)

            def call(action: str, **args: str) -> wire.ToolResultResponse:
                answer = plugin.Execute(wire.ToolCallRequest(id="c1", action=action, args=args), timeout=10)
                self.assertEqual(answer.call_id, "c1")
                return answer

            plugin.Init(wire.PluginInitRequest(config_json='{"greeting": "Welcome"}'), timeout=10)
            self.assertEqual(call("greet", name="Ada").content, "Welcome, Ada!")
            self.assertEqual(call("split_bill", total="50", people="4").content, "Each pays 12.50.")
            self.assertRegex(call("split_bill", total="50", people="0").error, "from 1 to 100")
            self.assertRegex(call("fly").error, "no such action")
