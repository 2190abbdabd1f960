"""A provider: answers for models of your own. This one has a parrot, which says what it was told."""

import opentalon_plugin
from google.protobuf.empty_pb2 import Empty
from opentalon.provider.v1 import provider_pb2 as wire, provider_pb2_grpc as rpc


class Provider(rpc.ProviderServiceServicer):
    greeting = "You said"

    def Init(self, request, context):
        """Takes what stands under `config` of the provider's entry, or refuses it in words."""
        greeting = opentalon_plugin.settings(request.config_json, context).get("greeting", self.greeting)
        if not isinstance(greeting, str) or not greeting:
            opentalon_plugin.refuse(context, "`greeting` must be a text")
        self.greeting = greeting
        return Empty()

    def Models(self, request, context):
        return wire.ModelsResponse(models=[wire.Model(id="parrot", context_window=8_000)])

    def Complete(self, request, context):
        """Yields the answer as it comes. Tries once: other credentials and models are OpenTalon's decision."""
        said = next((m.user.content for m in reversed(request.messages) if m.HasField("user")), "")
        if not said:
            # A failure is an event, too; its reason decides what OpenTalon does next.
            yield wire.CompleteEvent(
                failure=wire.Failure(
                    reason=wire.FAILURE_REASON_INVALID_REQUEST, message="nothing was said", status=400
                )
            )
            return
        words = f"{self.greeting}: {said}".split(" ")
        for number, word in enumerate(words):
            # Nobody waits for the answer any more.
            if not context.is_active():
                return
            yield wire.CompleteEvent(text_delta=word if number == 0 else f" {word}")
        usage = wire.Usage(input_tokens=len(said.split(" ")), output_tokens=len(words))
        yield wire.CompleteEvent(usage=usage)
        yield wire.CompleteEvent(finish=wire.Finish(reason=wire.FINISH_REASON_STOP))


if __name__ == "__main__":
    opentalon_plugin.serve(lambda server: rpc.add_ProviderServiceServicer_to_server(Provider(), server))
