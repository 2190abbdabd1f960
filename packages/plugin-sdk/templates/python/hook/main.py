"""A hook: sees each message before a model does (`prepare`) and each answer before the person does (`format`)."""

import json

import opentalon_plugin
from google.protobuf.empty_pb2 import Empty
from opentalon.plugin.v1 import plugin_pb2 as wire, plugin_pb2_grpc as rpc


def hook(name: str, description: str, *parameters: str) -> wire.Action:
    # `user_only` keeps it from models, which have no business with it.
    return wire.Action(
        name=name,
        description=description,
        parameters=[wire.Parameter(name=each, description=each, type="string") for each in parameters],
        user_only=True,
        read_only=True,
    )


class Plugin(rpc.PluginServiceServicer):
    words: dict[str, str] = {}

    def Init(self, request, context):
        """Takes what stands under `config` of the plugin's entry, or refuses it in words."""
        words = opentalon_plugin.settings(request.config_json, context).get("words", {})
        if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
            opentalon_plugin.refuse(context, "`words` must map words to texts")
        self.words = words
        return Empty()

    def Capabilities(self, request, context):
        return wire.PluginCapabilities(
            name="my-plugin",
            description="Rules that hold whatever a model thinks of them",
            actions=[
                hook("prepare", "Sees each message before a model does", "text", "search_text"),
                hook("format", "Sees each answer before the person does", "text", "response_format"),
            ],
        )

    def Execute(self, request, context):
        answer = wire.ToolResultResponse(call_id=request.id)
        if request.action == "prepare":
            # As JSON: what a person wrote must not pass for a verdict.
            answer.content = json.dumps(self.prepare(request.args["text"]))
        elif request.action == "format":
            answer.content = self.format(request.args["text"])
        else:
            answer.error = f"there is no action {request.action}; there are prepare and format"
        return answer

    def prepare(self, text: str) -> dict:
        if "salary" in text.lower():
            return {"send_to_llm": False, "message": "Questions about salaries go to people@example.com."}
        return {"message": " ".join(self.words.get(word, word) for word in text.split(" "))}

    def format(self, text: str) -> str:
        return f"{text}\n\nRefunds are decided by people." if "refund" in text.lower() else text


if __name__ == "__main__":
    opentalon_plugin.serve(lambda server: rpc.add_PluginServiceServicer_to_server(Plugin(), server))
