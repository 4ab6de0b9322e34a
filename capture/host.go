package capture

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// hostList is an allow-list: "host", "host:port" or "*.host".
type hostList struct {
	patterns []string // sorted, lower-case
}

func parseHosts(patterns []string) (hostList, error) {
	var list hostList
	for _, raw := range patterns {
		p, err := parseHost(raw)
		if err != nil {
			return list, err
		}
		list.patterns = append(list.patterns, p)
	}
	slices.Sort(list.patterns)
	list.patterns = slices.Compact(list.patterns)
	return list, nil
}

func parseHost(raw string) (string, error) {
	p := strings.ToLower(strings.TrimSpace(raw))
	wildcard := strings.HasPrefix(p, "*.")
	name, port := splitHostPort(strings.TrimPrefix(p, "*."))
	name, err := canonicalHost(name)
	if err != nil || port < 0 || wildcard && port > 0 {
		return "", fmt.Errorf("%q is no host: write host, host:port or *.host", raw)
	}
	if strings.Contains(name, ":") && port > 0 {
		name = "[" + name + "]"
	}
	if port > 0 {
		name += ":" + strconv.Itoa(port)
	}
	if wildcard {
		name = "*." + name
	}
	return name, nil
}

// splitHostPort returns port 0 if there is none and -1 if it is none.
func splitHostPort(hostport string) (string, int) {
	if strings.Count(hostport, ":") != 1 && !strings.HasPrefix(hostport, "[") {
		return hostport, 0
	}
	if strings.HasPrefix(hostport, "[") && strings.HasSuffix(hostport, "]") {
		return hostport[1 : len(hostport)-1], 0
	}
	host, text, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport, -1
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return host, -1
	}
	return host, int(port)
}

// canonicalHost returns a host in lower-case ASCII without brackets.
func canonicalHost(host string) (string, error) {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if a, err := netip.ParseAddr(host); err == nil && a.Zone() == "" {
		return a.String(), nil
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Names with underscores resolve, though IDNA has none of it.
		ascii = host
	}
	if ascii == "" || len(ascii) > 253 {
		return "", fmt.Errorf("no host name")
	}
	for _, c := range []byte(ascii) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return "", fmt.Errorf("no host name")
		}
	}
	return ascii, nil
}

// allows reports whether a host and port are on the list.
func (l hostList) allows(host string, port int) bool {
	for _, p := range l.patterns {
		if suffix, ok := strings.CutPrefix(p, "*"); ok {
			if strings.HasSuffix(host, suffix) {
				return true
			}
			continue
		}
		name, want := splitHostPort(p)
		if name == host && (want == 0 || want == port) {
			return true
		}
	}
	return false
}

// origin is where a request went.
type origin struct {
	scheme string
	host   string
	port   int
}

func (o origin) String() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.port == defaultPort(o.scheme) {
		return host
	}
	return host + ":" + strconv.Itoa(o.port)
}

func defaultPort(scheme string) int {
	if scheme == "http" || scheme == "ws" {
		return 80
	}
	return 443
}

// originOf returns the origin of a URL; ok is false if it is not of a kind
// that an API can have.
func originOf(u *url.URL) (origin, bool) {
	o := origin{scheme: strings.ToLower(u.Scheme)}
	switch o.scheme {
	case "http", "https", "ws", "wss":
	default:
		return o, false
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return o, false
	}
	o.host, o.port = host, defaultPort(o.scheme)
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return o, false
		}
		o.port = int(port)
	}
	return o, true
}
