// Package safehttp is an HTTP client for requests that somebody else chose:
// it talks to approved origins only, checks the address it really connects
// to, uses no proxy, keeps no cookies and follows no redirects unless their
// target is approved too.
package safehttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxHeader bounds the bytes of a response's header.
	maxHeader = 256 << 10
	// maxRedirects bounds the redirects followed for one request.
	maxRedirects = 5
	// maxAddresses bounds the addresses of one name that are looked at.
	maxAddresses = 32
)

// Resolver looks up the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options say what a Client may do. The zero Options allow nothing.
type Options struct {
	// Origins may be asked.
	Origins []Origin
	// AllowPrivate opens loopback and private address ranges; see
	// PrivateRanges. Link-local and metadata addresses stay closed.
	AllowPrivate []netip.Prefix
	// AllowRedirects are origins that a redirect of a GET or HEAD may lead to.
	AllowRedirects []Origin
	// RootCAs replaces the system's certificate authorities when not nil.
	RootCAs *x509.CertPool
	// Resolver replaces net.DefaultResolver when not nil.
	Resolver Resolver
	// Connect replaces dialling when not nil. It gets addresses that were
	// checked, as "ip:port".
	Connect func(ctx context.Context, network, address string) (net.Conn, error)
}

// Blocked is the error for a request that the client refuses to send.
type Blocked struct {
	// Code is "origin.blocked", "address.blocked", "network.blocked" or
	// "redirect.blocked".
	Code string
	// Text says what was refused.
	Text string
	// Private says that the address is in a private range, which
	// Options.AllowPrivate could open.
	Private bool
}

func (b *Blocked) Error() string { return b.Text }

// Client sends guarded requests. It is safe for concurrent use.
type Client struct {
	origins   []Origin
	redirects []Origin
	transport *http.Transport
	guard     *guard
	resolver  Resolver
	connect   func(ctx context.Context, network, address string) (net.Conn, error)
}

// New returns a client that may do what opt says. It fails where an origin is
// not valid or a range of opt.AllowPrivate is not private.
func New(opt Options) (*Client, error) {
	for _, o := range slices.Concat(opt.Origins, opt.AllowRedirects) {
		if err := o.Validate(); err != nil {
			return nil, err
		}
	}
	for _, p := range opt.AllowPrivate {
		if !slices.ContainsFunc(private, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Contains(p.Addr()) }) {
			return nil, fmt.Errorf("range %s is not a loopback or private range", p)
		}
	}
	c := &Client{
		origins:   slices.Clone(opt.Origins),
		redirects: slices.Clone(opt.AllowRedirects),
		guard:     newGuard(opt.AllowPrivate),
		resolver:  opt.Resolver,
		connect:   opt.Connect,
	}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	if c.connect == nil {
		c.connect = (&net.Dialer{Timeout: 10 * time.Second, Control: c.guard.control}).DialContext
	}
	c.transport = &http.Transport{
		// A nil Proxy ignores HTTP_PROXY and its kin.
		Proxy:                  nil,
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: opt.RootCAs},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    64,
		MaxConnsPerHost:        128,
		IdleConnTimeout:        60 * time.Second,
		ForceAttemptHTTP2:      true,
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// dial resolves the host once, refuses it if any of its addresses is refused,
// and connects to the addresses it checked: a second answer of the name server
// is never asked for.
func (c *Client) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := c.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if err := c.guard.check(a); err != nil {
			return nil, err
		}
	}
	var last error
	for _, a := range addrs {
		network := "tcp6"
		if a.Unmap().Is4() {
			network = "tcp4"
		}
		conn, err := c.connect(ctx, network, net.JoinHostPort(a.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

func (c *Client) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	// These names mean this machine, whatever a name server says (RFC 6761
	// section 6.3); several systems do not resolve them at all.
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		both := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
		allowed := slices.DeleteFunc(slices.Clone(both), func(a netip.Addr) bool { return c.guard.check(a) != nil })
		if len(allowed) > 0 {
			return allowed, nil
		}
		return both, nil
	}
	addrs, err := c.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 || len(addrs) > maxAddresses {
		return nil, fmt.Errorf("looking up %s: %d addresses", host, len(addrs))
	}
	return addrs, nil
}

// Do sends req and returns the response; the caller closes its body. Redirects
// of GET and HEAD are followed where Options.AllowRedirects names the target's
// origin and the scheme does not fall back to http; headers that the caller
// set, credentials among them, go to the first origin only. Every other 3xx is
// returned as it is. A *Blocked error, possibly wrapped, says that nothing was
// sent to the refused target.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	first, err := c.approve(req, c.origins)
	if err != nil {
		return nil, err
	}
	for range maxRedirects + 1 {
		resp, err := c.transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		next := c.follow(req, resp, first)
		if next == nil {
			return resp, nil
		}
		_ = resp.Body.Close()
		req = next
	}
	return nil, &Blocked{Code: "redirect.blocked", Text: "more than " + strconv.Itoa(maxRedirects) + " redirects"}
}

func (c *Client) approve(req *http.Request, origins []Origin) (Origin, error) {
	o, err := originOf(req.URL)
	if err == nil {
		err = o.Validate()
	}
	if err != nil {
		return o, &Blocked{Code: "origin.blocked", Text: err.Error()}
	}
	if req.URL.User != nil || req.URL.Opaque != "" || (req.Host != "" && req.Host != req.URL.Host) {
		return o, &Blocked{Code: "origin.blocked", Text: "the request names user info or another host than its URL"}
	}
	if !slices.Contains(origins, o) {
		return o, &Blocked{Code: "origin.blocked", Text: fmt.Sprintf("origin %s is not approved", o)}
	}
	return o, nil
}

// follow is the request that a redirect leads to, or nil where resp is to be
// returned as it is.
func (c *Client) follow(req *http.Request, resp *http.Response, first Origin) *http.Request {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return nil
	}
	to, err := resp.Location()
	if err != nil {
		return nil
	}
	next, err := http.NewRequestWithContext(req.Context(), req.Method, to.String(), nil)
	if err != nil {
		return nil
	}
	o, err := c.approve(next, c.redirects)
	if err != nil || (req.URL.Scheme == "https" && o.Scheme != "https") {
		return nil
	}
	next.Header.Set("User-Agent", req.Header.Get("User-Agent"))
	next.Header.Set("Accept", req.Header.Get("Accept"))
	if before, err := originOf(req.URL); err == nil && o == first && before == first {
		next.Header = req.Header.Clone()
	}
	return next
}

// AsBlocked finds a *Blocked in err's chain.
func AsBlocked(err error) (*Blocked, bool) {
	var b *Blocked
	ok := errors.As(err, &b)
	return b, ok
}
