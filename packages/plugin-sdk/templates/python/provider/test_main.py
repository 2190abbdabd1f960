import unittest

import grpc
import opentalon_plugin  # noqa: F401 (makes the generated messages known)
from opentalon.provider.v1 import provider_pb2 as wire, provider_pb2_grpc as rpc
from plugin_process import running_plugin


class ProviderTest(unittest.TestCase):
    def test_lists_its_models_and_refuses_a_wrong_configuration(self):
        with running_plugin() as channel:
            provider = rpc.ProviderServiceStub(channel)
            models = provider.Models(wire.ModelsRequest(), timeout=10).models
            self.assertEqual([model.id for model in models], ["parrot"])
            with self.assertRaises(grpc.RpcError) as refused:
                provider.Init(wire.InitRequest(config_json='{"greeting": 7}'), timeout=10)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_answers_in_pieces_and_explains_why_it_cannot(self):
        with running_plugin() as channel:
            provider = rpc.ProviderServiceStub(channel)

            def ask(text: str) -> list[wire.CompleteEvent]:
                messages = [wire.Message(user=wire.UserMessage(content=text))]
                return list(provider.Complete(wire.CompleteRequest(model="parrot", messages=messages), timeout=10))

            provider.Init(wire.InitRequest(config_json="{}"), timeout=10)
            *pieces, usage, finish = ask("good morning")
            self.assertEqual("".join(piece.text_delta for piece in pieces), "You said: good morning")
            self.assertEqual(usage.usage.input_tokens, 2)
            self.assertEqual(finish.finish.reason, wire.FINISH_REASON_STOP)
            [failure] = ask("")
            self.assertEqual(failure.failure.reason, wire.FAILURE_REASON_INVALID_REQUEST)
