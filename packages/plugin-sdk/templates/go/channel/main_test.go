package main

import (
	"bufio"
	"net"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"opentalon-plugin/wire"
)

func settings(t *testing.T, address string) *wire.ConfigureRequest {
	t.Helper()
	config, err := structpb.NewStruct(map[string]any{"address": address})
	if err != nil {
		t.Fatal(err)
	}
	return &wire.ConfigureRequest{Config: config, InstanceId: "lines"}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	return probe.Addr().String()
}

func TestSaysWhatItIsAndRefusesAWrongConfiguration(t *testing.T) {
	channel := wire.NewChannelServiceClient(startChannel(t))
	capabilities, err := channel.Capabilities(within(t), &emptypb.Empty{})
	if err != nil || capabilities.Id != "my-plugin" {
		t.Fatalf("capabilities: %v, %v", capabilities, err)
	}
	_, err = channel.Configure(within(t), settings(t, "nowhere"))
	if status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a wrong configuration gave %v", err)
	}
}

func TestTakesWhatPeopleWriteAndDeliversAnswers(t *testing.T) {
	channel, address := wire.NewChannelServiceClient(startChannel(t)), freeAddress(t)
	if _, err := channel.Configure(within(t), settings(t, address)); err != nil {
		t.Fatal(err)
	}
	inbox, err := channel.Start(within(t), &emptypb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	person, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	if _, err := person.Write([]byte("Hello!\n")); err != nil {
		t.Fatal(err)
	}
	message, err := inbox.Recv()
	if err != nil || message.Content != "Hello!" {
		t.Fatalf("the message is %v, %v", message, err)
	}
	answer := &wire.OutboundMessage{ConversationId: message.ConversationId, Content: "Good morning."}
	if _, err := channel.Send(within(t), answer); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(person).ReadString('\n'); line != "Good morning.\n" {
		t.Errorf("the person got %q, %v", line, err)
	}
	_, err = channel.Send(within(t), &wire.OutboundMessage{ConversationId: "nobody", Content: "?"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("a message to nobody gave %v", err)
	}
}
