package main

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"opentalon-plugin/wire"
)

func TestTakesItsConfigurationAndSaysWhatItCanDo(t *testing.T) {
	plugin := wire.NewPluginServiceClient(startPlugin(t))
	if _, err := plugin.Init(within(t), &wire.PluginInitRequest{ConfigJson: "{}"}); err != nil {
		t.Fatal(err)
	}
	capabilities, err := plugin.Capabilities(within(t), &emptypb.Empty{})
	if err != nil || capabilities.Name != "hello-go" || len(capabilities.Actions) != 2 {
		t.Fatalf("capabilities: %v, %v", capabilities, err)
	}
	_, err = plugin.Init(within(t), &wire.PluginInitRequest{ConfigJson: `{"greeting": 7}`})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a wrong configuration gave %v", err)
	}
}

func TestAnswersCallsAndExplainsWhatIsWrong(t *testing.T) {
	plugin := wire.NewPluginServiceClient(startPlugin(t))
	if _, err := plugin.Init(within(t), &wire.PluginInitRequest{ConfigJson: `{"greeting": "Welcome"}`}); err != nil {
		t.Fatal(err)
	}
	for _, each := range []struct {
		action  string
		args    map[string]string
		content string
		problem string
	}{
		{"greet", map[string]string{"name": "Ada"}, "Welcome, Ada!", ""},
		{"split_bill", map[string]string{"total": "50", "people": "4"}, "Each pays 12.50.", ""},
		{"split_bill", map[string]string{"total": "50", "people": "0"}, "", "from 1 to 100"},
		{"fly", nil, "", "no such action"},
	} {
		answer, err := plugin.Execute(within(t), &wire.ToolCallRequest{Id: "c1", Action: each.action, Args: each.args})
		if err != nil || answer.CallId != "c1" || answer.Content != each.content {
			t.Errorf("%s gave %v, %v", each.action, answer, err)
		}
		if (answer.GetError() == "") != (each.problem == "") || !strings.Contains(answer.GetError(), each.problem) {
			t.Errorf("%s gave the error %q", each.action, answer.GetError())
		}
	}
}
