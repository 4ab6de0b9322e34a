package surface

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/tomallicino/caskmcp/internal/canonical"
)

var variable = regexp.MustCompile(`\{[^{}/]*\}`)

// EraseNames replaces every {name} of a path template by {}.
func EraseNames(template string) string { return variable.ReplaceAllString(template, "{}") }

// Identity says which operation the binding is, across time and renames:
// method, scheme, host, port, path template with names erased, the
// GraphQL or RPC discriminator, and the fixed values toolpack.yaml added.
// Two tools with one identity are the same tool.
func (b Binding) Identity() string {
	id := fmt.Sprintf("%s %s://%s%s", b.Method, b.Scheme, net.JoinHostPort(b.Host, strconv.Itoa(b.Port)), EraseNames(b.Path))
	if b.Operation != nil {
		id += " " + b.Operation.Kind + ":" + b.Operation.Name
	}
	var fixed []Fixed
	for _, f := range b.Fixed {
		// The document of a GraphQL operation is its text, not its identity.
		if !f.Recorded && (b.Operation == nil || f.In != InBody) {
			fixed = append(fixed, f)
		}
	}
	if len(fixed) > 0 {
		if d, err := canonical.Digest(fixed); err == nil {
			id += " fixed:" + strings.TrimPrefix(d, "sha256:")[:12]
		}
	}
	return id
}

// Request is the binding for people: method, scheme, host, path, and the port
// where it is not the scheme's own.
func (b Binding) Request() string {
	r := b.Method + " " + b.Origin() + b.Path
	if b.Operation != nil {
		r += " (" + b.Operation.Name + ")"
	}
	return r
}

// Origin is the scheme, host and port, without the scheme's default port.
func (b Binding) Origin() string { return Origin(b.Scheme, b.Host, b.Port) }

// Origin writes scheme, host and port as RFC 6454 section 6.2 does.
func Origin(scheme, host string, port int) string {
	if port == DefaultPort(scheme) {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// DefaultPort is 443 for https, 80 for http, and 0 otherwise.
func DefaultPort(scheme string) int {
	switch scheme {
	case "https":
		return 443
	case "http":
		return 80
	}
	return 0
}
