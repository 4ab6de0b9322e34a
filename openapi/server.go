package openapi

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/tomallicino/caskmcp/surface"
)

// origin is a scheme, host and port.
type origin struct {
	scheme, host string
	port         int
}

// allowed is the entry of an allow-list for o.
func (o origin) allowed() string {
	if o.port == surface.DefaultPort(o.scheme) {
		return o.host
	}
	return net.JoinHostPort(o.host, strconv.Itoa(o.port))
}

// server is an origin with the base path of its operations, without a slash
// at its end.
type server struct {
	origin
	base string
}

// servers picks the server of an operation.
type servers struct {
	override *server  // ImportOptions.Server
	fallback *origin  // the only host of ImportOptions.Hosts
	allow    []string // ImportOptions.Hosts
	root     any      // the document's own list
}

func newServers(d *document, opt ImportOptions) (*servers, error) {
	s := &servers{root: d.root["servers"]}
	if opt.Server != "" {
		u, err := url.Parse(opt.Server)
		if err == nil && !absolute(u) {
			err = errors.New("want an absolute http or https URL")
		}
		if err != nil {
			return nil, fmt.Errorf("server %q: %w", opt.Server, err)
		}
		own, err := fromURL(u)
		if err != nil {
			return nil, fmt.Errorf("server %q: %w", opt.Server, err)
		}
		s.override = &own
	}
	var exact []origin
	for _, h := range opt.Hosts {
		o, err := s.allowHost(strings.ToLower(strings.TrimSpace(h)))
		if err != nil {
			return nil, fmt.Errorf("host %q: %w", h, err)
		}
		if o != nil {
			exact = append(exact, *o)
		}
	}
	if len(exact) == 1 {
		s.fallback = &exact[0]
	}
	return s, nil
}

// allowHost adds an entry to the allow-list. A wildcard is no origin.
func (s *servers) allowHost(h string) (*origin, error) {
	if suffix, wild := strings.CutPrefix(h, "*."); wild && suffix != "" && !strings.ContainsAny(suffix, "*/: ") {
		s.allow = append(s.allow, h)
		return nil, nil
	}
	text := h
	if !strings.Contains(h, "://") {
		text = "https://" + bracketed(h)
	}
	u, err := url.Parse(text)
	if err != nil || !absolute(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New(`want "host", "host:port", "*.host" or an origin such as "https://host"`)
	}
	if text != h && loopback(u.Hostname()) {
		u.Scheme = "http"
	}
	own, err := fromURL(u)
	if err != nil {
		return nil, err
	}
	s.allow = append(s.allow, own.allowed())
	return &own.origin, nil
}

// bracketed writes a bare IPv6 address as a URL has it.
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func absolute(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// errNotAllowed reports that no server of an operation is in the allow-list.
var errNotAllowed = errors.New("is not in the list of allowed hosts")

// pick is the server for an operation whose own, path's and document's lists
// are given in that order; the first list that there is counts (OpenAPI 3.1
// section 4.8.5). In it, the first server that is allowed is taken.
func (s *servers) pick(lists ...any) (server, error) {
	list, own := s.root, false
	for _, l := range lists {
		if entries, _ := l.([]any); len(entries) > 0 {
			list, own = l, true
			break
		}
	}
	entries, _ := list.([]any)
	if len(entries) == 0 {
		entries = []any{map[string]any{"url": "/"}}
	}
	var first error
	for _, e := range entries {
		chosen, err := s.one(e, own)
		if err == nil && !s.isAllowed(chosen.origin) {
			err = fmt.Errorf("the host %s %w", chosen.allowed(), errNotAllowed)
		}
		if err == nil {
			return chosen, nil
		}
		if first == nil {
			first = err
		}
	}
	return server{}, first
}

// one reads a Server Object. own says that it is not the document's.
func (s *servers) one(entry any, own bool) (server, error) {
	text, tenant, err := expand(entry)
	if err != nil {
		return server{}, err
	}
	u, err := url.Parse(text)
	if err != nil {
		return server{}, fmt.Errorf("the server URL %q is not valid", clip(text, 200))
	}
	if u.Host != "" && u.Scheme == "" {
		u.Scheme = "https"
	}
	switch {
	case u.Scheme != "" && !absolute(u):
		return server{}, fmt.Errorf("the server URL %q is not http or https", clip(text, 200))
	case tenant && s.override == nil && s.fallback != nil:
		return server{*s.fallback, basePath(u)}, nil
	case absolute(u) && (s.override == nil || own):
		if strings.Contains(u.Host, unset) {
			return server{}, fmt.Errorf(`%w: %q has a variable without a default; pass the origin, as in "-a https://api.example.com"`, ErrNoServer, clip(text, 200))
		}
		return fromURL(u)
	case s.override != nil:
		out := *s.override
		if out.base == "" {
			out.base = basePath(u)
		}
		return out, nil
	case s.fallback != nil:
		return server{*s.fallback, basePath(u)}, nil
	}
	return server{}, fmt.Errorf(`%w; pass the origin that serves the API, as in "-a https://api.example.com"`, ErrNoServer)
}

// unset stands for a variable of a host that has no default.
const unset = "caskmcp-unset"

// expand replaces server variables by their defaults. tenant says that the
// host has a variable, so that it is for the options to say which host it is.
func expand(entry any) (text string, tenant bool, err error) {
	m, _ := entry.(map[string]any)
	text, ok := m["url"].(string)
	if !ok {
		return "", false, errors.New("a server has no URL")
	}
	authority := authorityOf(text)
	variables, _ := m["variables"].(map[string]any)
	for _, name := range sortedKeys(variables) {
		v, _ := variables[name].(map[string]any)
		value := scalar(v["default"])
		if values, _ := v["enum"].([]any); v["default"] == nil && len(values) > 0 {
			value = scalar(values[0])
		}
		if value != "" || v["default"] != nil {
			text = strings.ReplaceAll(text, "{"+name+"}", value)
		}
	}
	expanded := authorityOf(text)
	text = strings.Replace(text, expanded, pathVariable.ReplaceAllString(expanded, unset), 1)
	if strings.ContainsAny(text, "{}") {
		return "", false, fmt.Errorf("the server URL %q has a variable without a default", clip(text, 200))
	}
	return strings.TrimSpace(text), strings.Contains(authority, "{"), nil
}

// authorityOf is what stands between "//" and the path, which url.Parse does
// not find while variables are in it.
func authorityOf(text string) string {
	_, rest, ok := strings.Cut(text, "//")
	if !ok {
		return ""
	}
	authority, _, _ := strings.Cut(rest, "/")
	return authority
}

func fromURL(u *url.URL) (server, error) {
	if u.User != nil {
		return server{}, errors.New("a server URL must not hold a user name or password")
	}
	host := strings.ToLower(u.Hostname())
	ascii, err := idna.Lookup.ToASCII(host)
	if _, notAddress := netip.ParseAddr(host); notAddress == nil {
		ascii, err = host, nil
	}
	if err != nil || ascii == "" || strings.ContainsAny(ascii, "*/ ") {
		return server{}, fmt.Errorf("the host name %q is not valid", clip(host, 200))
	}
	port := surface.DefaultPort(u.Scheme)
	if p := u.Port(); p != "" {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return server{}, fmt.Errorf("the port %q is not valid", clip(p, 20))
		}
	}
	return server{origin{u.Scheme, ascii, port}, basePath(u)}, nil
}

// basePath is u's path without dot segments and without a slash at its end.
func basePath(u *url.URL) string {
	path := (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: u.Path, RawPath: u.RawPath}).EscapedPath()
	return strings.TrimRight(path, "/")
}

func (s *servers) isAllowed(o origin) bool {
	if len(s.allow) == 0 {
		return true
	}
	return slices.ContainsFunc(s.allow, func(a string) bool {
		if a == o.host || a == o.allowed() {
			return true
		}
		suffix, wild := strings.CutPrefix(a, "*")
		return wild && strings.HasPrefix(suffix, ".") && strings.HasSuffix(o.host, suffix)
	})
}
