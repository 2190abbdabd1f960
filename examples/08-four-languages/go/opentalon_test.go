package main

// For tests: starts the plugin as OpenTalon does, and connects to it.

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// startPlugin gives a connection to a tool, hook or provider, which says where it listens.
func startPlugin(t *testing.T) *grpc.ClientConn {
	t.Helper()
	command, _ := prepare(t)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, command)
	line, err := bufio.NewReader(output).ReadString('\n')
	path, found := strings.CutPrefix(strings.TrimSpace(line), "1|unix|")
	if err != nil || !found {
		t.Fatalf("the first line is %q: %v", line, err)
	}
	return connect(t, path)
}

// startChannel gives a connection to a channel, which listens where it is told to.
func startChannel(t *testing.T) *grpc.ClientConn {
	t.Helper()
	command, folder := prepare(t)
	command.Env = append(command.Env, "OPENTALON_CHANNEL_SOCK_DIR="+folder)
	start(t, command)
	path := filepath.Join(folder, "channel.sock")
	for giveUp := time.Now().Add(10 * time.Second); ; time.Sleep(25 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return connect(t, path)
		}
		if time.Now().After(giveUp) {
			t.Fatal("the channel does not listen")
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	deadline, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return deadline
}

// prepare gives a command and the temporary folder it will have.
func prepare(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	program := os.Getenv("PLUGIN_PROGRAM")
	if program == "" {
		t.Fatal("PLUGIN_PROGRAM is not set: use `make test`")
	}
	// Not t.TempDir, whose path can be too long for a socket.
	folder, err := os.MkdirTemp("", "opentalon-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	command := exec.Command(program)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "TMPDIR=" + folder}
	command.Stderr = os.Stderr
	t.Cleanup(func() {
		if left, _ := os.ReadDir(folder); len(left) > 0 {
			t.Errorf("it left %v behind", left)
		}
	})
	return command, folder
}

func start(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		overdue := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		defer overdue.Stop()
		if err := command.Wait(); err != nil {
			t.Errorf("SIGINT did not end it in good order: %v", err)
		}
	})
}

func connect(t *testing.T, path string) *grpc.ClientConn {
	t.Helper()
	plain := grpc.WithTransportCredentials(insecure.NewCredentials())
	// A socket may be there a moment before somebody listens on it.
	patient := grpc.WithDefaultCallOptions(grpc.WaitForReady(true))
	connection, err := grpc.NewClient("unix:"+path, plain, patient)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}
