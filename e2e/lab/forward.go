package lab

import (
	"fmt"
	"io"
	"net"
	"os"
)

// ForwardAPI is the main function of the process that startForwarder starts: from the listening socket that it inherited
// as descriptor 3 to the API server of the network namespace that it runs in.
func ForwardAPI() error {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return fmt.Errorf("take over listening socket: %w", err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go forward(client, net.JoinHostPort(apiIP, apiPort))
	}
}

// forward copies both ways, and passes the end of each direction on.
func forward(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return // the client sees its connection close
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}
