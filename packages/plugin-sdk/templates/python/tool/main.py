"""A tool: two actions a model can call. The names and texts in `Capabilities` are all a model knows of them."""

import opentalon_plugin
from google.protobuf.empty_pb2 import Empty
from opentalon.plugin.v1 import plugin_pb2 as wire, plugin_pb2_grpc as rpc


def text(name: str, description: str) -> wire.Parameter:
    return wire.Parameter(name=name, description=description, type="string", required=True)


class Plugin(rpc.PluginServiceServicer):
    greeting = "Hello"

    def Init(self, request, context):
        """Takes what stands under `config` of the plugin's entry, or refuses it in words."""
        greeting = opentalon_plugin.settings(request.config_json, context).get("greeting", self.greeting)
        if not isinstance(greeting, str) or not greeting:
            opentalon_plugin.refuse(context, "`greeting` must be a text")
        self.greeting = greeting
        return Empty()

    def Capabilities(self, request, context):
        return wire.PluginCapabilities(
            name="my-plugin",
            description="Greets people and splits bills",
            actions=[
                wire.Action(
                    name="greet",
                    description="Greets somebody. Use it when the person wants to be greeted.",
                    parameters=[text("name", "Who is greeted")],
                    read_only=True,
                ),
                wire.Action(
                    name="split_bill",
                    description="Says what each person pays when a bill is split evenly.",
                    parameters=[
                        wire.Parameter(name="total", description="The bill", type="number", required=True),
                        wire.Parameter(name="people", description="How many pay, 1 to 100", type="integer", required=True),
                    ],
                    read_only=True,
                ),
            ],
        )

    def Execute(self, request, context):
        """Several calls may be under way at once. An error is an answer, in words a model can act on."""
        answer = wire.ToolResultResponse(call_id=request.id)
        try:
            answer.content = self.run(request.action, request.args)
        except (KeyError, ValueError) as error:
            answer.error = f"{request.action} failed: {error.args[0]}"
        return answer

    def run(self, action: str, args) -> str:
        """All arguments are texts; OpenTalon has checked their types before."""
        if action == "greet":
            return f"{self.greeting}, {args['name']}!"
        if action == "split_bill":
            total, people = float(args["total"]), int(args["people"])
            if not 1 <= people <= 100:
                raise ValueError(f"`people` must be from 1 to 100, not {people}")
            return f"Each pays {total / people:.2f}."
        raise ValueError("there is no such action; there are greet and split_bill")


if __name__ == "__main__":
    opentalon_plugin.serve(lambda server: rpc.add_PluginServiceServicer_to_server(Plugin(), server))
