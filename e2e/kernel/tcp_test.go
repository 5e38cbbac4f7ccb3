//go:build kernel

package kernel_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"strings"

	"l2sm.io/l2sm/e2e/lab/netns"
)

// transferred is what one connection carries, in bytes.
const transferred = 8 << 20

// tcp sends bytes from node to node and on one node, with the offloads that the kernel's datapath allows, and with none on
// the underlay. What arrives must be the same.
func (c *chain) tcp() {
	for _, offload := range []string{"tx-checksumming: on", "tcp-segmentation-offload: on"} {
		if out := c.ping.run("ethtool", "-k", "net1"); !strings.Contains(out, offload) {
			c.Errorf("a pod on the kernel's datapath lacks %q:\n%s", offload, out)
		}
	}
	c.carries("with offloads", c.pong, c.pong.ips...)
	c.carries("on one node", c.near, c.near.ips...)
	for _, n := range c.nodes {
		args := []string{"ethtool", "-K", "eth0", "tx", "off", "rx", "off", "gso", "off", "tso", "off", "gro", "off"}
		if out, err := n.Node.Command(c.Context(), args...).CombinedOutput(); err != nil {
			c.Fatalf("%v: %s", err, out)
		}
	}
	c.carries("without offloads on the underlay", c.pong, c.pong.ips...)
}

func (c *chain) carries(how string, to *pod, ips ...string) {
	c.Helper()
	sent := make([]byte, transferred)
	if _, err := rand.Read(sent); err != nil {
		c.Fatal(err)
	}
	for _, ip := range ips {
		got, err := c.transfer(to, ip, sent)
		if err != nil {
			c.Errorf("TCP to %s, %s: %v", ip, how, err)
			continue
		}
		if want := sha256.Sum256(sent); got != want {
			c.Errorf("TCP to %s, %s: received hash %x, sent %x", ip, how, got, want)
		}
	}
}

// transfer returns the hash of what the other pod received.
func (c *chain) transfer(to *pod, ip string, data []byte) (hash [sha256.Size]byte, err error) {
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	var listener net.Listener
	err = netns.Do(to.namespace(), func() (err error) {
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(ip, "5001"))
		return err
	})
	if err != nil {
		return hash, err
	}
	defer listener.Close()
	received := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			received <- err
			return
		}
		defer conn.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, conn)
		copy(hash[:], sum.Sum(nil))
		if err == nil && n != int64(len(data)) {
			err = fmt.Errorf("received %d bytes of %d", n, len(data))
		}
		received <- err
	}()
	conn, err := netns.Dial(ctx, c.ping.namespace(), "tcp", listener.Addr().String())
	if err != nil {
		return hash, err
	}
	defer conn.Close()
	if _, err := io.Copy(conn, bytes.NewReader(data)); err != nil {
		return hash, err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return hash, err
	}
	select {
	case err = <-received:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return hash, err
}
