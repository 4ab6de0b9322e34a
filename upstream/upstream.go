// Package upstream carries out admitted calls: it builds the HTTP request that
// a tool's binding and a call's arguments make, sends it through a guarded
// client with the tool's credential, and turns the response into a bounded
// result that is safe to show to a model.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/tomallicino/caskmcp/internal/safehttp"
	"github.com/tomallicino/caskmcp/surface"
)

// Options are what the operator adds to the approved surface.
type Options struct {
	// Lookup finds environment variables; credentials are read once, in New.
	Lookup func(name string) (string, bool)
	// AllowPrivate opens private address ranges beside those the approved
	// server block opens.
	AllowPrivate []netip.Prefix
	// UserAgent is sent with every request.
	UserAgent string
	// HTTP gives the guarded client's resolver, dialer and certificate
	// authorities; its origins and allowances come from the surface.
	HTTP safehttp.Options
}

// Error is a call that did not end in a response that may be shown.
type Error struct {
	// Code is the reason for audit logs: "arguments.unsafe", "credential.…",
	// "address.blocked", "origin.blocked", "redirect.blocked",
	// "upstream.timeout", "upstream.unreachable", "upstream.cancelled".
	Code string
	// Text is a sentence for the agent. It holds no credential value.
	Text string
	// Sent says that the request may have reached the upstream.
	Sent bool
}

func (e *Error) Error() string { return e.Text }

// Client calls the upstreams of one surface. It is safe for concurrent use.
type Client struct {
	server     surface.Server
	operations map[string]*operation
	http       *safehttp.Client
	secrets    *secrets
	userAgent  string
}

// New prepares the given tools. Rejected says, by tool name, which bindings
// cannot be carried out with certainty and why; those tools must not be
// served. The error is for a server block that cannot be honoured.
func New(server surface.Server, tools []surface.Tool, opt Options) (c *Client, rejected map[string]error, err error) {
	c = &Client{
		server:     server,
		operations: map[string]*operation{},
		secrets:    newSecrets(server.Credentials, opt.Lookup),
		userAgent:  opt.UserAgent,
	}
	rejected = map[string]error{}
	h := opt.HTTP
	h.Origins, h.AllowRedirects, h.AllowPrivate = nil, nil, opt.AllowPrivate
	for _, t := range tools {
		op, err := newOperation(t)
		if err != nil {
			rejected[t.Name] = err
			continue
		}
		c.operations[t.Name] = op
		h.Origins = append(h.Origins, op.origin)
	}
	for _, s := range server.AllowPrivate {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, nil, fmt.Errorf("reading allow_private of the server block: %w", err)
		}
		h.AllowPrivate = append(h.AllowPrivate, p)
	}
	for _, s := range server.AllowRedirects {
		o, err := safehttp.ParseOrigin(s)
		if err != nil {
			return nil, nil, fmt.Errorf("reading allow_redirects of the server block: %w", err)
		}
		h.AllowRedirects = append(h.AllowRedirects, o)
	}
	if c.http, err = safehttp.New(h); err != nil {
		return nil, nil, fmt.Errorf("preparing the guarded HTTP client: %w", err)
	}
	return c, rejected, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.Close() }

// Hide masks credential values in text that is about to leave the process.
func (c *Client) Hide(text string) string { return c.secrets.hide(text) }

// Call is one admitted call.
type Call struct {
	Tool string
	// Arguments were validated; numbers are json.Number.
	Arguments map[string]any
	// Conforms checks structured content against the approved outputSchema;
	// nil where there is none.
	Conforms func(v any) error
}

// Do carries out one call. An error is always an *Error; responses that the
// upstream answered with another status than 2xx are a Result with IsError.
func (c *Client) Do(ctx context.Context, call Call) (*Result, error) {
	op := c.operations[call.Tool]
	if op == nil {
		return nil, &Error{Code: "tool.unknown", Text: fmt.Sprintf("Tool %q cannot be carried out.", call.Tool)}
	}
	timeout := op.tool.Limits.Timeout
	if timeout <= 0 {
		timeout = surface.DefaultLimits.Timeout
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(timeout)*time.Second)
	defer cancel()
	req, err := op.request(limited, call.Arguments)
	if err != nil {
		return nil, c.hideError(err)
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	if err := c.authorize(req, op); err != nil {
		return nil, c.hideError(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, limited, op, err)
	}
	defer func() { _ = resp.Body.Close() }()
	result, err := c.read(op, resp, call.Conforms)
	if err != nil {
		return nil, c.failed(ctx, limited, op, err)
	}
	return result, nil
}

func (c *Client) hideError(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{Code: e.Code, Text: c.secrets.hide(e.Text), Sent: e.Sent}
	}
	return &Error{Code: "arguments.unsafe", Text: c.secrets.hide(err.Error())}
}

// failed says what went wrong on the way. Errors of net/http quote the URL,
// which may hold a credential, so their text is not passed on.
func (c *Client) failed(ctx, limited context.Context, op *operation, err error) error {
	host := op.origin.String()
	if b, ok := safehttp.AsBlocked(err); ok {
		text := fmt.Sprintf("The request to %s was blocked: %s. Nothing was sent.", host, b.Text)
		if b.Private {
			text += " If this upstream is meant to be private, allow its range under server.allow_private in toolpack.yaml (then approve and apply), or start caskmcp serve with --allow-private-cidr."
		}
		return &Error{Code: b.Code, Text: c.secrets.hide(text), Sent: b.Code == "redirect.blocked"}
	}
	switch {
	case ctx.Err() != nil:
		return &Error{Code: "upstream.cancelled", Text: "The call was cancelled; the API may have carried it out.", Sent: true}
	case limited.Err() != nil:
		return &Error{Code: "upstream.timeout", Sent: true,
			Text: fmt.Sprintf("%s did not answer within %d seconds; it may have carried out the call.", host, max(op.tool.Limits.Timeout, 1))}
	}
	return &Error{Code: "upstream.unreachable", Text: c.secrets.hide(fmt.Sprintf("%s could not be reached: %s.", host, cause(err))), Sent: op.tool.Binding.Method != http.MethodGet}
}

// cause is what happened, without the URL and without the name server's
// address.
func cause(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "looking up its name: " + dns.Err
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
