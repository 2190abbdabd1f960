// A channel: joins a messaging platform. This one is the platform, too: each TCP connection is a conversation, each
// line a message. Try it with `nc 127.0.0.1 7070`. Everybody on this machine can connect, so it is a toy.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"opentalon-plugin/wire"
)

type channel struct {
	wire.UnimplementedChannelServiceServer
	inbox       chan *wire.InboundMessage
	connections sync.Map
	count       atomic.Int64
}

func (c *channel) Capabilities(context.Context, *emptypb.Empty) (*wire.ChannelCapabilities, error) {
	return &wire.ChannelCapabilities{Id: "my-plugin", Name: "Lines over TCP"}, nil
}

// Configure takes what stands under `config` of the channel's entry, or refuses it in words.
func (c *channel) Configure(_ context.Context, request *wire.ConfigureRequest) (*wire.ConfigureResponse, error) {
	address := "127.0.0.1:7070"
	if given, found := request.GetConfig().GetFields()["address"]; found {
		address = given.GetStringValue()
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "`address` must be a free host:port: %v", err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go c.read(strconv.FormatInt(c.count.Add(1), 10), connection)
		}
	}()
	return &wire.ConfigureResponse{}, nil
}

func (c *channel) read(name string, connection net.Conn) {
	c.connections.Store(name, connection)
	defer c.connections.Delete(name)
	defer connection.Close()
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		c.inbox <- &wire.InboundMessage{ConversationId: name, SenderId: name, Content: lines.Text(), Timestamp: timestamppb.Now()}
	}
}

// Start streams what people write, for as long as OpenTalon listens.
func (c *channel) Start(_ *emptypb.Empty, stream grpc.ServerStreamingServer[wire.InboundMessage]) error {
	for {
		select {
		case message := <-c.inbox:
			if err := stream.Send(message); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (c *channel) Send(_ context.Context, message *wire.OutboundMessage) (*wire.SendResponse, error) {
	// Says that an answer is being written, which cannot be shown here.
	if message.Metadata["_typing"] == "true" {
		return &wire.SendResponse{}, nil
	}
	connection, found := c.connections.Load(message.ConversationId)
	if !found {
		return nil, status.Error(codes.NotFound, "the person has hung up")
	}
	_, err := fmt.Fprintln(connection.(net.Conn), message.Content)
	return &wire.SendResponse{}, err
}

func main() {
	it := &channel{inbox: make(chan *wire.InboundMessage, 100)}
	serveChannel("my-plugin", func(server *grpc.Server) { wire.RegisterChannelServiceServer(server, it) })
}
