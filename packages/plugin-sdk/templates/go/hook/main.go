// A hook: sees each message before a model does (prepare) and each answer before the person does (format).
package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"opentalon-plugin/wire"
)

type plugin struct {
	wire.UnimplementedPluginServiceServer
	words atomic.Pointer[map[string]string]
}

// Init takes what stands under `config` of the plugin's entry, or refuses it in words.
func (p *plugin) Init(_ context.Context, request *wire.PluginInitRequest) (*emptypb.Empty, error) {
	var config struct{ Words map[string]string }
	if err := json.Unmarshal([]byte(request.ConfigJson), &config); err != nil {
		return nil, status.Error(codes.InvalidArgument, "configure: `words` must map words to texts")
	}
	p.words.Store(&config.Words)
	return &emptypb.Empty{}, nil
}

func (p *plugin) Capabilities(context.Context, *emptypb.Empty) (*wire.PluginCapabilities, error) {
	return &wire.PluginCapabilities{
		Name:        "my-plugin",
		Description: "Rules that hold whatever a model thinks of them",
		Actions: []*wire.Action{
			hook("prepare", "Sees each message before a model does", "text", "search_text"),
			hook("format", "Sees each answer before the person does", "text", "response_format"),
		},
	}, nil
}

// hook describes an action that is kept from models, which have no business with it.
func hook(name, description string, parameters ...string) *wire.Action {
	action := &wire.Action{Name: name, Description: description, UserOnly: true, ReadOnly: true}
	for _, each := range parameters {
		action.Parameters = append(action.Parameters, &wire.Parameter{Name: each, Description: each, Type: "string"})
	}
	return action
}

func (p *plugin) Execute(_ context.Context, call *wire.ToolCallRequest) (*wire.ToolResultResponse, error) {
	answer := &wire.ToolResultResponse{CallId: call.Id}
	switch text := call.Args["text"]; call.Action {
	case "prepare":
		// As JSON: what a person wrote must not pass for a verdict.
		verdict, err := json.Marshal(p.prepare(text))
		answer.Content = string(verdict)
		return answer, err
	case "format":
		answer.Content = text
		if strings.Contains(strings.ToLower(text), "refund") {
			answer.Content += "\n\nRefunds are decided by people."
		}
	default:
		answer.Error = "there is no action " + call.Action + "; there are prepare and format"
	}
	return answer, nil
}

func (p *plugin) prepare(text string) map[string]any {
	if strings.Contains(strings.ToLower(text), "salary") {
		return map[string]any{"send_to_llm": false, "message": "Questions about salaries go to people@example.com."}
	}
	words := strings.Split(text, " ")
	for index, word := range words {
		if meaning, found := (*p.words.Load())[word]; found {
			words[index] = meaning
		}
	}
	return map[string]any{"message": strings.Join(words, " ")}
}

func main() {
	serve(func(server *grpc.Server) { wire.RegisterPluginServiceServer(server, &plugin{}) })
}
