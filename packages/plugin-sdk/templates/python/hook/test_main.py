import json
import unittest

import grpc
import opentalon_plugin  # noqa: F401 (makes the generated messages known)
from google.protobuf.empty_pb2 import Empty
from opentalon.plugin.v1 import plugin_pb2 as wire, plugin_pb2_grpc as rpc
from plugin_process import running_plugin


class HookTest(unittest.TestCase):
    def test_is_kept_from_models_and_refuses_a_wrong_configuration(self):
        with running_plugin() as channel:
            plugin = rpc.PluginServiceStub(channel)
            capabilities = plugin.Capabilities(Empty(), timeout=10)
            self.assertEqual(capabilities.name, "my-plugin")
            self.assertEqual([action.name for action in capabilities.actions], ["prepare", "format"])
            self.assertTrue(all(action.user_only for action in capabilities.actions))
            with self.assertRaises(grpc.RpcError) as refused:
                plugin.Init(wire.PluginInitRequest(config_json='{"words": 7}'), timeout=10)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_prepares_messages_and_formats_answers(self):
        with running_plugin() as channel:
            plugin = rpc.PluginServiceStub(channel)

            def call(action: str, text: str) -> str:
                request = wire.ToolCallRequest(id="c1", action=action, args={"text": text})
                answer = plugin.Execute(request, timeout=10)
                self.assertEqual((answer.call_id, answer.error), ("c1", ""))
                return answer.content

            plugin.Init(wire.PluginInitRequest(config_json='{"words": {"PTO": "paid time off"}}'), timeout=10)
            self.assertEqual(json.loads(call("prepare", "my PTO")), {"message": "my paid time off"})
            self.assertIs(json.loads(call("prepare", "Her salary?"))["send_to_llm"], False)
            self.assertEqual(call("format", "Fine."), "Fine.")
            self.assertIn("decided by people", call("format", "A refund is due."))
