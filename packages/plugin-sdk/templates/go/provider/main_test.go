package main

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"opentalon-plugin/wire"
)

func TestListsItsModelsAndRefusesAWrongConfiguration(t *testing.T) {
	provider := wire.NewProviderServiceClient(startPlugin(t))
	answer, err := provider.Models(within(t), &wire.ModelsRequest{})
	if err != nil || len(answer.Models) != 1 || answer.Models[0].Id != "parrot" {
		t.Fatalf("models: %v, %v", answer, err)
	}
	_, err = provider.Init(within(t), &wire.InitRequest{ConfigJson: `{"greeting": 7}`})
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a wrong configuration gave %v", err)
	}
}

func TestAnswersInPiecesAndExplainsWhyItCannot(t *testing.T) {
	provider := wire.NewProviderServiceClient(startPlugin(t))
	if _, err := provider.Init(within(t), &wire.InitRequest{ConfigJson: "{}"}); err != nil {
		t.Fatal(err)
	}
	ask := func(text string) (said string, last *wire.CompleteEvent) {
		user := &wire.Message{Kind: &wire.Message_User{User: &wire.UserMessage{Content: text}}}
		stream, err := provider.Complete(within(t), &wire.CompleteRequest{Model: "parrot", Messages: []*wire.Message{user}})
		if err != nil {
			t.Fatal(err)
		}
		for {
			event, err := stream.Recv()
			if err != nil {
				return said, last
			}
			said, last = said+event.GetTextDelta(), event
		}
	}
	said, last := ask("good morning")
	if said != "You said: good morning" || last.GetFinish().GetReason() != wire.FinishReason_FINISH_REASON_STOP {
		t.Errorf("the answer is %q and ends with %v", said, last)
	}
	if _, last := ask(""); last.GetFailure().GetReason() != wire.FailureReason_FAILURE_REASON_INVALID_REQUEST {
		t.Errorf("an empty question ends with %v", last)
	}
}
