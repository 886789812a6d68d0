package natsd

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Traffic is what passed between the server and some of its clients.
type Traffic struct {
	// Messages counts both directions.
	Messages int64
	// Connections counts those that are open, Closed those that are not any more, as far as the
	// server remembers them (its newest 10,000).
	Connections, Closed int
	// SlowConsumers counts the clients that the server disconnected because they did not read fast
	// enough what it had for them. It is the server's count of all clients.
	SlowConsumers int64
}

// Traffic sums up the connections whose name begins with prefix, those that are closed included.
func (s *Server) Traffic(prefix string) (t Traffic, err error) {
	const page = 1024
	for offset := 0; ; offset += page {
		conns, err := s.srv.Connz(&server.ConnzOptions{State: server.ConnAll, Offset: offset, Limit: page})
		if err != nil {
			return t, fmt.Errorf("embedded NATS: list the connections: %w", err)
		}
		for _, c := range conns.Conns {
			switch {
			case !strings.HasPrefix(c.Name, prefix):
				continue
			case c.Stop != nil:
				t.Closed++
			default:
				t.Connections++
			}
			t.Messages += c.InMsgs + c.OutMsgs
		}
		if len(conns.Conns) < page {
			break
		}
	}
	t.SlowConsumers = s.srv.NumSlowConsumers()
	return t, nil
}

// Traffic is the sum over all servers.
func (c Cluster) Traffic(prefix string) (sum Traffic, err error) {
	for _, s := range c {
		t, err := s.Traffic(prefix)
		if err != nil {
			return sum, err
		}
		sum.Messages, sum.SlowConsumers = sum.Messages+t.Messages, sum.SlowConsumers+t.SlowConsumers
		sum.Connections, sum.Closed = sum.Connections+t.Connections, sum.Closed+t.Closed
	}
	return sum, nil
}
