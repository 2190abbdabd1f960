package main

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"opentalon-plugin/wire"
)

func TestIsKeptFromModelsAndRefusesAWrongConfiguration(t *testing.T) {
	plugin := wire.NewPluginServiceClient(startPlugin(t))
	capabilities, err := plugin.Capabilities(within(t), &emptypb.Empty{})
	if err != nil || capabilities.Name != "my-plugin" || len(capabilities.Actions) != 2 {
		t.Fatalf("capabilities: %v, %v", capabilities, err)
	}
	for _, action := range capabilities.Actions {
		if !action.UserOnly {
			t.Errorf("%s is offered to models", action.Name)
		}
	}
	_, err = plugin.Init(within(t), &wire.PluginInitRequest{ConfigJson: `{"words": 7}`})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a wrong configuration gave %v", err)
	}
}

func TestPreparesMessagesAndFormatsAnswers(t *testing.T) {
	plugin := wire.NewPluginServiceClient(startPlugin(t))
	config := `{"words": {"PTO": "paid time off"}}`
	if _, err := plugin.Init(within(t), &wire.PluginInitRequest{ConfigJson: config}); err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct{ action, text, expected string }{
		{"prepare", "my PTO", `{"message":"my paid time off"}`},
		{"prepare", "Her salary?", `"send_to_llm":false`},
		{"format", "Fine.", "Fine."},
		{"format", "A refund is due.", "decided by people"},
	} {
		args := map[string]string{"text": each.text}
		answer, err := plugin.Execute(within(t), &wire.ToolCallRequest{Id: "c1", Action: each.action, Args: args})
		if err != nil || answer.CallId != "c1" || !strings.Contains(answer.Content, each.expected) {
			t.Errorf("%s of %q gave %v, %v", each.action, each.text, answer, err)
		}
	}
}
