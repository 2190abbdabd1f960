package main

// What every OpenTalon plugin does: listens on a socket, says where, and ends when it is told to or is left alone.

import (
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
)

// serve serves a tool, hook or provider on a socket in TMPDIR and says so on standard output: `1|unix|<path>`.
// It returns when the plugin has ended.
func serve(register func(*grpc.Server)) {
	folder, err := os.MkdirTemp("", "opentalon-plugin-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "plugin.sock")
	run(register, path, "1|unix|"+path)
}

// serveChannel serves a channel on the socket OpenTalon looks for. Started by hand, it says where it listens:
// `<kind>|unix|<path>`. It returns when the channel has ended.
func serveChannel(kind string, register func(*grpc.Server)) {
	if folder := os.Getenv("OPENTALON_CHANNEL_SOCK_DIR"); folder != "" {
		run(register, filepath.Join(folder, "channel.sock"), "")
		return
	}
	folder, err := os.MkdirTemp("", "opentalon-channel-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "channel.sock")
	run(register, path, kind+"|unix|"+path)
}

func run(register func(*grpc.Server), path, firstLine string) {
	listener, err := net.Listen("unix", path)
	if err != nil {
		log.Print(err)
		return
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(messageLimit()))
	register(server)
	parent := os.Getppid()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for waiting := true; waiting; {
			select {
			case <-signals:
				waiting = false
			case <-time.After(time.Second):
				// A plugin whose OpenTalon is gone has nobody to serve.
				waiting = os.Getppid() == parent
			}
		}
		time.AfterFunc(3*time.Second, server.Stop)
		server.GracefulStop()
	}()
	if firstLine != "" {
		fmt.Println(firstLine)
	}
	// Standard output belongs to OpenTalon: what is printed from now on goes to standard error, and so to its log.
	os.Stdout = os.Stderr
	if err := server.Serve(listener); err != nil {
		log.Print(err)
	}
}

func messageLimit() int {
	limit, err := strconv.ParseInt(os.Getenv("OPENTALON_GRPC_MAX_MSG_BYTES"), 10, 32)
	if err != nil || limit < 1 {
		return 32 << 20
	}
	return int(limit)
}
