// A provider: answers for models of your own. This one has a parrot, which says what it was told.
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

type provider struct {
	wire.UnimplementedProviderServiceServer
	greeting atomic.Value
}

// Init takes what stands under `config` of the provider's entry, or refuses it in words.
func (p *provider) Init(_ context.Context, request *wire.InitRequest) (*emptypb.Empty, error) {
	config := struct{ Greeting string }{"You said"}
	if err := json.Unmarshal([]byte(request.ConfigJson), &config); err != nil || config.Greeting == "" {
		return nil, status.Error(codes.InvalidArgument, "configure: `greeting` must be a text")
	}
	p.greeting.Store(config.Greeting)
	return &emptypb.Empty{}, nil
}

func (p *provider) Models(context.Context, *wire.ModelsRequest) (*wire.ModelsResponse, error) {
	return &wire.ModelsResponse{Models: []*wire.Model{{Id: "parrot", ContextWindow: 8_000}}}, nil
}

// Complete sends the answer as it comes. It tries once: other credentials and models are OpenTalon's decision.
func (p *provider) Complete(request *wire.CompleteRequest, stream grpc.ServerStreamingServer[wire.CompleteEvent]) error {
	said := ""
	for _, message := range request.Messages {
		if user := message.GetUser(); user != nil {
			said = user.Content
		}
	}
	if said == "" {
		// A failure is an event, too; its reason decides what OpenTalon does next.
		failure := &wire.Failure{Reason: wire.FailureReason_FAILURE_REASON_INVALID_REQUEST, Message: "nothing was said", Status: 400}
		return stream.Send(&wire.CompleteEvent{Kind: &wire.CompleteEvent_Failure{Failure: failure}})
	}
	words := strings.SplitAfter(p.greeting.Load().(string)+": "+said, " ")
	for _, word := range words {
		// Fails when nobody waits for the answer any more.
		if err := stream.Send(&wire.CompleteEvent{Kind: &wire.CompleteEvent_TextDelta{TextDelta: word}}); err != nil {
			return err
		}
	}
	usage := &wire.Usage{InputTokens: uint64(len(strings.Fields(said))), OutputTokens: uint64(len(words))}
	if err := stream.Send(&wire.CompleteEvent{Kind: &wire.CompleteEvent_Usage{Usage: usage}}); err != nil {
		return err
	}
	finish := &wire.Finish{Reason: wire.FinishReason_FINISH_REASON_STOP}
	return stream.Send(&wire.CompleteEvent{Kind: &wire.CompleteEvent_Finish{Finish: finish}})
}

func main() {
	serve(func(server *grpc.Server) { wire.RegisterProviderServiceServer(server, &provider{}) })
}
