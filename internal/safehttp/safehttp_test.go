package safehttp

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// answers is a resolver that gives its answers one after the other.
type answers struct {
	lists [][]netip.Addr
	asked int
}

func (a *answers) LookupNetIP(_ context.Context, _, _ string) ([]netip.Addr, error) {
	list := a.lists[min(a.asked, len(a.lists)-1)]
	a.asked++
	return list, nil
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// noConnect fails the test's request and counts: nothing may be dialled.
type noConnect struct{ dialled []string }

var errNotDialled = errors.New("not dialled in tests")

func (n *noConnect) connect(_ context.Context, _, address string) (net.Conn, error) {
	n.dialled = append(n.dialled, address)
	return nil, errNotDialled
}

var apiOrigin = Origin{Scheme: "http", Host: "api.example.com", Port: 80}

// get returns the body of the response.
func get(t *testing.T, c *Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	return send(t, c, req)
}

func send(t *testing.T, c *Client, req *http.Request) (string, error) {
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return string(body), nil
}

func TestAddresses(t *testing.T) {
	tests := []struct {
		address string
		private bool // may be opened by AllowPrivate
	}{
		{"169.254.169.254", false}, {"169.254.170.2", false}, {"169.254.170.23", false}, {"100.100.100.200", false}, {"168.63.129.16", false},
		{"192.0.0.192", false}, {"fd00:ec2::254", false}, {"fd00:ec2::23", false}, {"fd20:ce::254", false},
		{"0.0.0.0", false}, {"0.1.2.3", false}, {"127.0.0.1", true}, {"127.255.0.1", true}, {"10.0.0.1", true}, {"172.16.0.1", true},
		{"172.31.255.254", true}, {"192.168.1.1", true}, {"100.64.0.1", true}, {"198.18.0.1", false}, {"192.0.2.1", false},
		{"224.0.0.1", false}, {"240.0.0.1", false}, {"255.255.255.255", false},
		{"::1", true}, {"::", false}, {"fc00::1", true}, {"fd12:3456::1", true},
		{"::ffff:169.254.169.254", false}, {"::ffff:127.0.0.1", true}, {"::ffff:10.0.0.1", true}, {"::127.0.0.1", false}, {"::a9fe:a9fe", false},
		{"64:ff9b::a9fe:a9fe", false}, {"64:ff9b::808:808", false}, {"64:ff9b:1::a9fe:a9fe", false}, {"2002:7f00:1::", false}, {"2002:a9fe:a9fe::1", false},
		{"2001::1", false}, {"2001:db8::1", false}, {"3fff::1", false},
		{"fe80::1", false}, {"fe80::1%lo", false}, {"fec0::1", false}, {"ff02::1", false}, {"5f00::1", false}, {"2606:4700::1%eth0", false},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			for _, allowed := range [][]netip.Prefix{nil, PrivateRanges()} {
				n := &noConnect{}
				c, err := New(Options{Origins: []Origin{apiOrigin}, AllowPrivate: allowed, Connect: n.connect, Resolver: &answers{lists: [][]netip.Addr{addrs(tt.address)}}})
				require.NoError(t, err)
				_, err = get(t, c, "http://api.example.com/")
				if tt.private && allowed != nil {
					require.ErrorIs(t, err, errNotDialled)
					require.Len(t, n.dialled, 1)
					continue
				}
				b, ok := AsBlocked(err)
				require.True(t, ok, "%v", err)
				require.Equal(t, "address.blocked", b.Code)
				require.Equal(t, tt.private, b.Private)
				require.Empty(t, n.dialled)
				// The dial-time check alone would have stopped it too.
				g := newGuard(allowed)
				network := "tcp4"
				if netip.MustParseAddr(tt.address).Is6() {
					network = "tcp6"
				}
				require.Error(t, g.control(network, net.JoinHostPort(tt.address, "80"), nil))
			}
		})
	}
	for _, public := range []string{"93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"} {
		require.NoError(t, newGuard(nil).check(netip.MustParseAddr(public)), public)
	}
	require.Error(t, newGuard(nil).control("unix", "/run/docker.sock", nil))
	require.Error(t, newGuard(nil).control("udp4", "93.184.216.34:53", nil))
	require.Error(t, newGuard(nil).control("tcp4", "api.example.com:80", nil))
}

func TestAllowPrivateIsPrivate(t *testing.T) {
	for _, p := range []string{"0.0.0.0/0", "::/0", "169.254.0.0/16", "8.8.8.0/24", "10.0.0.0/7", "fe80::/10"} {
		_, err := New(Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix(p)}})
		require.ErrorContains(t, err, "not a loopback or private range", p)
	}
	c, err := New(Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	require.NoError(t, err)
	require.NoError(t, c.guard.check(netip.MustParseAddr("10.1.2.3")))
	require.Error(t, c.guard.check(netip.MustParseAddr("127.0.0.1")), "only the range that was named is open")
}

func TestDNS(t *testing.T) {
	public, loopback := addrs("93.184.216.34"), addrs("127.0.0.1")
	t.Run("rebinding", func(t *testing.T) {
		n, r := &noConnect{}, &answers{lists: [][]netip.Addr{public, loopback}}
		c, err := New(Options{Origins: []Origin{apiOrigin}, Connect: n.connect, Resolver: r})
		require.NoError(t, err)
		_, err = get(t, c, "http://api.example.com/")
		require.ErrorIs(t, err, errNotDialled)
		require.Equal(t, []string{"93.184.216.34:80"}, n.dialled, "the address that was checked is the one that is dialled")
		require.Equal(t, 1, r.asked)
		_, err = get(t, c, "http://api.example.com/")
		_, ok := AsBlocked(err)
		require.True(t, ok, "a new dial is checked again")
		require.Len(t, n.dialled, 1)
	})
	t.Run("one bad address blocks the name", func(t *testing.T) {
		n := &noConnect{}
		c, err := New(Options{Origins: []Origin{apiOrigin}, Connect: n.connect, Resolver: &answers{lists: [][]netip.Addr{addrs("93.184.216.34", "10.0.0.1")}}})
		require.NoError(t, err)
		_, err = get(t, c, "http://api.example.com/")
		_, ok := AsBlocked(err)
		require.True(t, ok)
		require.Empty(t, n.dialled)
	})
	t.Run("localhost is this machine", func(t *testing.T) {
		for host, want := range map[string][]string{
			"localhost": {"127.0.0.1:80", "[::1]:80"}, "shop.localhost": {"127.0.0.1:80", "[::1]:80"}, "notlocalhost": {"93.184.216.34:80"},
		} {
			n := &noConnect{}
			c, err := New(Options{Origins: []Origin{{Scheme: "http", Host: host, Port: 80}}, AllowPrivate: PrivateRanges(), Connect: n.connect, Resolver: &answers{lists: [][]netip.Addr{public}}})
			require.NoError(t, err)
			_, err = get(t, c, "http://"+host+"/")
			require.ErrorIs(t, err, errNotDialled)
			require.Equal(t, want, n.dialled)
			c, err = New(Options{Origins: []Origin{{Scheme: "http", Host: host, Port: 80}}, Connect: n.connect, Resolver: &answers{lists: [][]netip.Addr{public}}})
			require.NoError(t, err)
			_, err = get(t, c, "http://"+host+"/")
			_, blocked := AsBlocked(err)
			require.Equal(t, host != "notlocalhost", blocked, "it is blocked like any loopback address")
			n = &noConnect{}
			c, err = New(Options{Origins: []Origin{{Scheme: "http", Host: host, Port: 80}}, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Connect: n.connect, Resolver: &answers{lists: [][]netip.Addr{public}}})
			require.NoError(t, err)
			_, err = get(t, c, "http://"+host+"/")
			require.ErrorIs(t, err, errNotDialled)
			require.Equal(t, want[:1], n.dialled, "one of its two addresses may be all that is allowed")
		}
	})
	t.Run("no address", func(t *testing.T) {
		c, err := New(Options{Origins: []Origin{apiOrigin}, Resolver: &answers{lists: [][]netip.Addr{nil}}})
		require.NoError(t, err)
		_, err = get(t, c, "http://api.example.com/")
		require.ErrorContains(t, err, "0 addresses")
	})
}

func TestParseOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://api.example.com":       "https://api.example.com",
		"https://api.example.com:443/":  "https://api.example.com",
		"http://api.example.com:8080":   "http://api.example.com:8080",
		"http://93.184.216.34":          "http://93.184.216.34",
		"http://[::1]:9090":             "http://[::1]:9090",
		"http://[::1]":                  "http://[::1]",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
		"http://localhost:3000":         "http://localhost:3000",
	} {
		o, err := ParseOrigin(in)
		require.NoError(t, err, in)
		require.Equal(t, want, o.String())
	}
	for _, in := range []string{
		"http://2130706433/", "http://0x7f.0.0.1/", "http://0x7f.1", "http://127.1/", "http://017700000001", "http://127.0.0.01", "http://0x",
		"http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "https://bücher.example", "https://api.example.com@evil.test/", "https://user:pw@api.example.com",
		`https://api.example.com\@evil.test/`, "https://API.EXAMPLE.COM./", "https://API.example.com", "https://api.example.com.", "https://*.example.com",
		"file:///etc/passwd", "gopher://api.example.com", "ftp://api.example.com", "unix:///var/run/docker.sock", "data:text/plain,x", "https:api.example.com",
		"https://api.example.com:0", "https://api.example.com:65536", "https://api.example.com:x", "https://api.example.com/path", "https://api.example.com?q",
		"https://", "https://:443", "https://a..b", "https://-a.example", "https://a_.-b", "http://[fe80::1%25lo]/", "http://[::ffff:127.0.0.1]x", "//api.example.com", "",
		"https://" + strings.Repeat("a.", 130) + "com",
	} {
		o, err := ParseOrigin(in)
		require.Error(t, err, "%q was read as %v", in, o)
	}
}

func TestOnlyApprovedOrigins(t *testing.T) {
	n := &noConnect{}
	c, err := New(Options{
		Origins: []Origin{{Scheme: "https", Host: "api.example.com", Port: 443}}, Connect: n.connect,
		Resolver: &answers{lists: [][]netip.Addr{addrs("93.184.216.34")}},
	})
	require.NoError(t, err)
	for _, u := range []string{
		"http://api.example.com/", "https://api.example.com:6379/", "https://a.api.example.com/", "https://example.com/", "https://API.example.com/",
		"https://api.example.com./", "https://user@api.example.com/", "https://127.0.0.1/", "ftp://api.example.com/",
	} {
		_, err := get(t, c, u)
		b, ok := AsBlocked(err)
		require.True(t, ok, u)
		require.Equal(t, "origin.blocked", b.Code, u)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com/", nil)
	require.NoError(t, err)
	req.Host = "evil.test"
	_, err = send(t, c, req)
	_, ok := AsBlocked(err)
	require.True(t, ok)
	require.Empty(t, n.dialled)
}

// local is a client for test servers on loopback.
func local(t *testing.T, redirects []string, servers ...*httptest.Server) *Client {
	opt := Options{AllowPrivate: PrivateRanges(), RootCAs: x509.NewCertPool()}
	for i, s := range servers {
		o, err := ParseOrigin(s.URL)
		require.NoError(t, err)
		if i == 0 {
			opt.Origins = []Origin{o}
		}
		if s.Certificate() != nil {
			opt.RootCAs.AddCert(s.Certificate())
		}
	}
	for _, r := range redirects {
		o, err := ParseOrigin(r)
		require.NoError(t, err)
		opt.AllowRedirects = append(opt.AllowRedirects, o)
	}
	c, err := New(opt)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestProxyEnvironmentIsIgnored(t *testing.T) {
	var hits atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer proxy.Close()
	for _, v := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(v, proxy.URL)
	}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer up.Close()
	c := local(t, nil, up)
	require.Nil(t, c.transport.Proxy)
	body, err := get(t, c, up.URL)
	require.NoError(t, err)
	require.Equal(t, "direct", body)
	require.Zero(t, hits.Load())
}

func TestUnknownCertificateAuthority(t *testing.T) {
	up := httptest.NewTLSServer(http.NotFoundHandler())
	defer up.Close()
	o, err := ParseOrigin(up.URL)
	require.NoError(t, err)
	c, err := New(Options{Origins: []Origin{o}, AllowPrivate: PrivateRanges()})
	require.NoError(t, err)
	_, err = get(t, c, up.URL)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
}

func TestHeaderLimit(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 10_000 {
			w.Header().Add("X-Filler", strings.Repeat("a", 200))
		}
	}))
	defer up.Close()
	_, err := get(t, local(t, nil, up), up.URL)
	require.ErrorContains(t, err, "header")
}

func TestRedirects(t *testing.T) {
	type hit struct{ method, path, auth, key, cookie string }
	var hits []hit
	record := func(_ http.ResponseWriter, r *http.Request) {
		hits = append(hits, hit{r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), r.Header.Get("Cookie")})
	}
	other := httptest.NewServer(http.HandlerFunc(record))
	defer other.Close()
	var location string
	status := http.StatusFound
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record(w, r)
		if r.URL.Path != "/end" {
			w.Header().Set("Location", location)
			w.Header().Set("Refresh", "0; url=/refresh")
			w.WriteHeader(status)
		}
	})
	first := httptest.NewServer(handler)
	defer first.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	tests := []struct {
		name      string
		from      *httptest.Server
		method    string
		status    int
		location  string
		allowed   []string
		wantHits  []string // "path" on the first server, "other:path" elsewhere
		wantFinal int
	}{
		{"off by default", first, "GET", 302, other.URL + "/x", nil, []string{"/start"}, 302},
		{"same origin needs approval too", first, "GET", 302, "/end", nil, []string{"/start"}, 302},
		{"same origin", first, "GET", 302, "/end", []string{first.URL}, []string{"/start", "/end"}, 200},
		{"other approved origin", first, "GET", 307, other.URL + "/x", []string{other.URL}, []string{"/start", "/x"}, 200},
		{"other origin, not the approved one", first, "GET", 302, other.URL + "/x", []string{first.URL}, []string{"/start"}, 302},
		{"scheme-relative", first, "GET", 302, "//evil.test/x", []string{first.URL}, []string{"/start"}, 302},
		{"metadata", first, "GET", 302, "http://169.254.169.254/", []string{first.URL}, []string{"/start"}, 302},
		{"a write is never repeated", first, "POST", 307, "/end", []string{first.URL}, []string{"/start"}, 307},
		{"a write is never turned into a read", first, "POST", 301, "/end", []string{first.URL}, []string{"/start"}, 301},
		{"https to http", secure, "GET", 302, other.URL + "/x", []string{other.URL}, []string{"/start"}, 302},
		{"no location", first, "GET", 302, "", []string{first.URL}, []string{"/start"}, 302},
		{"304 is not a redirect", first, "GET", 304, "/end", []string{first.URL}, []string{"/start"}, 304},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hits, location, status = nil, tt.location, tt.status
			c := local(t, tt.allowed, tt.from, other)
			req, err := http.NewRequestWithContext(t.Context(), tt.method, tt.from.URL+"/start", nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer secret")
			req.Header.Set("X-Api-Key", "secret")
			req.Header.Set("Cookie", "sid=secret")
			resp, err := c.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, tt.wantFinal, resp.StatusCode)
			var paths []string
			for _, h := range hits {
				paths = append(paths, h.path)
				if h.path == "/x" {
					require.Equal(t, hit{method: "GET", path: "/x"}, h, "credentials stay with the first origin")
				} else {
					require.Equal(t, "Bearer secret", h.auth)
				}
			}
			require.Equal(t, tt.wantHits, paths)
		})
	}
	t.Run("loop", func(t *testing.T) {
		hits, location, status = nil, "/again", 302
		_, err := get(t, local(t, []string{first.URL}, first), first.URL+"/start")
		b, ok := AsBlocked(err)
		require.True(t, ok)
		require.Equal(t, "redirect.blocked", b.Code)
		require.Len(t, hits, maxRedirects+1)
	})
}

func FuzzParseOrigin(f *testing.F) {
	for _, s := range []string{"https://api.example.com", "http://[::1]:80", "http://127.1", "https://a@b", "http://0x7f.1:99"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := ParseOrigin(s)
		if err != nil {
			return
		}
		again, err := ParseOrigin(o.String())
		require.NoError(t, err)
		require.Equal(t, o, again)
		if a, err := netip.ParseAddr(o.Host); err == nil {
			require.Equal(t, o.Host, a.String())
		}
	})
}
