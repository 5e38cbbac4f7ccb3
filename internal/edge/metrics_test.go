//go:build integration

package edge_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/link/nstest"
)

// reader is a token of an account that may read metrics.
func (c *cluster) reader() string {
	c.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "reader"}}
	c.create(account)
	c.create(&rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "metrics"},
		Rules:      []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}}},
	})
	c.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "metrics"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "metrics"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "reader"}},
	})
	request := &authenticationv1.TokenRequest{}
	if err := c.SubResource("token").Create(c.t.Context(), account, request); err != nil {
		c.t.Fatal(err)
	}
	return request.Status.Token
}

// metrics are what the edge of a node says.
func metrics(t *testing.T, n *sidestest.Node, token string) (text string, status int) {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			nstest.Do(t, n.NetNS, func() error {
				conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
				return nil
			})
			return conn, err
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // it signs its own
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+metricsAddress+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err.Error(), 0
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return string(body), response.StatusCode
}

// tellsInMetrics: what an edge counts of its peers can be read by who may, and by nobody else.
func tellsInMetrics(t *testing.T, w *world) {
	t.Helper()
	a, b := w.clusters[0], w.clusters[1]
	if text, status := metrics(t, a.Edges[0], ""); status != http.StatusUnauthorized {
		t.Errorf("metrics without a token: %d: %s", status, text)
	}
	token := a.reader()
	endpoint := fmt.Sprintf(`endpoint="%s",peer="b"`, b.Edges[0].WAN)
	a.eventually(func(g gomega.Gomega) {
		text, status := metrics(t, a.Edges[0], token)
		g.Expect(status).To(gomega.Equal(http.StatusOK), text)
		for _, line := range []string{
			"l2sm_edge_session_up{" + endpoint + "} 1", "l2sm_edge_reachable{" + endpoint + "} 1",
			"l2sm_edge_routes_received{" + endpoint + "} 4", // type 3, the MAC address, and with two addresses
			`l2sm_edge_routes_sent{peer="b"} 4`, `l2sm_edge_macs{peer="b"} 1`, "l2sm_edge_networks 1",
			`l2sm_edge_frames_dropped_total{direction="in",peer="b",reason="FloodRate"} 0`,
		} {
			g.Expect(text).To(gomega.ContainSubstring(line + "\n"))
		}
		g.Expect(text).To(gomega.MatchRegexp(`l2sm_edge_frames_total{direction="in",peer="b"} [1-9]`))
		g.Expect(text).To(gomega.MatchRegexp(`l2sm_edge_bytes_total{direction="out",peer="b"} [1-9]`))
	})
}
