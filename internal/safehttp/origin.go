package safehttp

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Origin is a scheme, host and port (RFC 6454 section 4). Only origins that
// were approved as such are ever asked for anything.
type Origin struct {
	Scheme string // "http" or "https"
	Host   string // lower-case ASCII; an IPv6 address has no brackets
	Port   int
}

// ParseOrigin reads "scheme://host" or "scheme://host:port". Anything else
// that a URL may hold, such as user info or a path, is refused.
func ParseOrigin(s string) (Origin, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Origin{}, fmt.Errorf("parsing origin: %w", err)
	}
	if u.Opaque != "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return Origin{}, fmt.Errorf("%q is not an origin; want scheme://host or scheme://host:port", s)
	}
	o, err := originOf(u)
	if err != nil {
		return Origin{}, err
	}
	return o, o.Validate()
}

// originOf is the origin of an absolute URL, as it stands there.
func originOf(u *url.URL) (Origin, error) {
	o := Origin{Scheme: u.Scheme, Host: u.Hostname()}
	switch port := u.Port(); {
	case port != "":
		n, err := strconv.Atoi(port)
		if err != nil {
			return Origin{}, fmt.Errorf("port %q is not a number", port)
		}
		o.Port = n
	case u.Scheme == "http":
		o.Port = 80
	case u.Scheme == "https":
		o.Port = 443
	}
	return o, nil
}

var (
	hostLabel = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
	number    = regexp.MustCompile(`^([0-9]+|0x[0-9a-f]*)$`)
)

// Validate accepts http and https, a port, and a host that can mean only one
// thing: an IP address in its usual form without zone, or lower-case ASCII
// labels. Names whose last label is a number are refused, because resolvers
// read "127.1", "2130706433" and "0x7f.1" as IPv4 addresses.
func (o Origin) Validate() error {
	if o.Scheme != "http" && o.Scheme != "https" {
		return fmt.Errorf("scheme %q is not allowed; want http or https", o.Scheme)
	}
	if o.Port < 1 || o.Port > 65535 {
		return fmt.Errorf("port %d is not between 1 and 65535", o.Port)
	}
	if a, err := netip.ParseAddr(o.Host); err == nil {
		if a.Zone() != "" || a.String() != o.Host {
			return fmt.Errorf("host %q is not an IP address in its usual form", o.Host)
		}
		return nil
	}
	labels := strings.Split(o.Host, ".")
	if len(o.Host) > 253 || number.MatchString(labels[len(labels)-1]) {
		return fmt.Errorf("host %q is not a name that can be resolved safely", o.Host)
	}
	for _, l := range labels {
		if !hostLabel.MatchString(l) {
			return fmt.Errorf("host %q is not a lower-case ASCII name; write international names as punycode", o.Host)
		}
	}
	return nil
}

// String writes the origin as RFC 6454 section 6.2 does, without the scheme's
// default port.
func (o Origin) String() string {
	if (o.Scheme == "http" && o.Port == 80) || (o.Scheme == "https" && o.Port == 443) {
		if strings.Contains(o.Host, ":") {
			return o.Scheme + "://[" + o.Host + "]"
		}
		return o.Scheme + "://" + o.Host
	}
	return o.Scheme + "://" + net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
}
