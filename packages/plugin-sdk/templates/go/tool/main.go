// A tool: two actions a model can call. The names and texts in Capabilities are all a model knows of them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"opentalon-plugin/wire"
)

type plugin struct {
	wire.UnimplementedPluginServiceServer
	greeting atomic.Value
}

// Init takes what stands under `config` of the plugin's entry, or refuses it in words.
func (p *plugin) Init(_ context.Context, request *wire.PluginInitRequest) (*emptypb.Empty, error) {
	config := struct{ Greeting string }{"Hello"}
	if err := json.Unmarshal([]byte(request.ConfigJson), &config); err != nil || config.Greeting == "" {
		return nil, status.Error(codes.InvalidArgument, "configure: `greeting` must be a text")
	}
	p.greeting.Store(config.Greeting)
	return &emptypb.Empty{}, nil
}

func (p *plugin) Capabilities(context.Context, *emptypb.Empty) (*wire.PluginCapabilities, error) {
	return &wire.PluginCapabilities{Name: "my-plugin", Description: "Greets people and splits bills", Actions: []*wire.Action{
		{
			Name: "greet", Description: "Greets somebody. Use it when the person wants to be greeted.", ReadOnly: true,
			Parameters: []*wire.Parameter{{Name: "name", Description: "Who is greeted", Type: "string", Required: true}},
		},
		{
			Name: "split_bill", Description: "Says what each person pays when a bill is split evenly.", ReadOnly: true,
			Parameters: []*wire.Parameter{
				{Name: "total", Description: "The bill", Type: "number", Required: true},
				{Name: "people", Description: "How many pay, 1 to 100", Type: "integer", Required: true},
			},
		},
	}}, nil
}

// Execute may run several calls at once. An error is an answer, in words a model can act on.
func (p *plugin) Execute(_ context.Context, call *wire.ToolCallRequest) (*wire.ToolResultResponse, error) {
	content, err := p.run(call.Action, call.Args)
	if err != nil {
		return &wire.ToolResultResponse{CallId: call.Id, Error: fmt.Sprintf("%s failed: %v", call.Action, err)}, nil
	}
	return &wire.ToolResultResponse{CallId: call.Id, Content: content}, nil
}

// run gets all arguments as texts; OpenTalon has checked their types before.
func (p *plugin) run(action string, args map[string]string) (string, error) {
	switch action {
	case "greet":
		return fmt.Sprintf("%s, %s!", p.greeting.Load(), args["name"]), nil
	case "split_bill":
		total, err := strconv.ParseFloat(args["total"], 64)
		people, _ := strconv.Atoi(args["people"])
		if people < 1 || people > 100 {
			return "", fmt.Errorf("`people` must be from 1 to 100, not %s", args["people"])
		}
		return fmt.Sprintf("Each pays %.2f.", total/float64(people)), err
	}
	return "", fmt.Errorf("there is no such action; there are greet and split_bill")
}

func main() {
	serve(func(server *grpc.Server) { wire.RegisterPluginServiceServer(server, &plugin{}) })
}
