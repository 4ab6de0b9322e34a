// Package openapi reads OpenAPI and Swagger documents into captures, and
// writes a surface as an OpenAPI contract. Nothing outside of the document is
// ever read: neither files nor the network.
package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
)

// ImportOptions say how a document is read. The zero value reads a document
// that names its servers.
type ImportOptions struct {
	// Name of the capture.
	Name string
	// Hosts is the allow-list: "host", "host:port", "*.host", or an origin.
	// Operations of other hosts are skipped. Where the document names no
	// server, or one whose host has variables, the only host without a wildcard
	// is the server: by https, or by http on loopback, unless an origin says it.
	Hosts []string
	// Server is an absolute http or https URL. It is the base of relative
	// server URLs and replaces the origin of the document's own servers; one
	// with a path replaces their base path too. Servers of single paths and
	// operations are replaced only where they are relative.
	Server string
	// MaxSize is the largest document in bytes; 0 means DefaultMaxSize.
	MaxSize int64
}

// DefaultMaxSize is the size in bytes beyond which documents are refused.
const DefaultMaxSize = 64 << 20

// Limits that keep a hostile document from costing more than it says.
const (
	maxDepth      = 200       // nesting of the document
	maxNodes      = 4 << 20   // values in the document, YAML aliases expanded
	maxOperations = 20_000    // declared operations
	maxEmitted    = 256 << 20 // bytes of all schemas together
	maxText       = 16 << 10  // bytes of one summary or description
)

// Skipped is an operation, or a part of one, that was not imported.
type Skipped struct {
	// Request is the operation, as "GET /users/{id}".
	Request string `json:"request"`
	// Part is what was left out of an operation that is imported otherwise,
	// as "parameter cursor" or "body: /properties/id/maximum". It is empty
	// where the whole operation was left out.
	Part   string `json:"part,omitempty"`
	Reason string `json:"reason"`
}

// String is the line people read.
func (s Skipped) String() string {
	if s.Part == "" {
		return s.Request + ": " + s.Reason
	}
	return s.Request + ", " + s.Part + ": " + s.Reason
}

// ErrNoServer is returned for a document that does not say which host serves
// it, when the options do not say either.
var ErrNoServer = errors.New("the document does not name an absolute server URL")

// Import reads an OpenAPI 3.0, 3.1 or 3.2 or a Swagger 2.0 document, in JSON
// or YAML, into a sealed capture of declarations. Every operation is declared
// or listed as skipped; webhooks and callbacks are calls in the other
// direction and neither. Equal declarations are equal bytes: examples,
// extensions, contact and the order of keys leave no trace.
//
// References are resolved inside the document only. Schemas become
// self-contained JSON Schema 2020-12 documents of bounded size. Values that
// RFC 8785 cannot represent, such as bounds beyond 2^53, are left out and
// listed.
func Import(doc []byte, opt ImportOptions) (*capture.Capture, []Skipped, error) {
	limit := opt.MaxSize
	if limit <= 0 {
		limit = DefaultMaxSize
	}
	if int64(len(doc)) > limit {
		return nil, nil, fmt.Errorf("the document has %d bytes, the limit is %d", len(doc), limit)
	}
	d, err := parse(doc)
	if err != nil {
		return nil, nil, err
	}
	servers, err := newServers(d, opt)
	if err != nil {
		return nil, nil, err
	}
	im := &importer{doc: d, servers: servers, seen: map[string]string{}}
	if err := im.paths(); err != nil {
		return nil, nil, err
	}
	c := &capture.Capture{
		Version:      capture.FormatVersion,
		Name:         opt.Name,
		Sealed:       true,
		Observations: []capture.Observation{},
		Declarations: im.declarations,
	}
	c.Hosts = hosts(servers.allow, im.declarations)
	slices.SortFunc(c.Declarations, func(a, b capture.Declaration) int {
		return strings.Compare(sortKey(a), sortKey(b))
	})
	slices.SortFunc(im.skipped, func(a, b Skipped) int { return strings.Compare(a.String(), b.String()) })
	return c, im.skipped, im.emptyError()
}

// importer collects declarations and what is left out.
type importer struct {
	doc          *document
	servers      *servers
	declarations []capture.Declaration
	skipped      []Skipped
	// seen maps identities to the request that has it.
	seen    map[string]string
	emitted int
	// noServer is the last reason why an operation has no server.
	noServer error
}

func (im *importer) skip(request, part, reason string) {
	im.skipped = append(im.skipped, Skipped{Request: request, Part: part, Reason: reason})
}

// emptyError says why there is nothing to compile.
func (im *importer) emptyError() error {
	if len(im.declarations) > 0 {
		return nil
	}
	if im.noServer != nil {
		return im.noServer
	}
	if len(im.skipped) > 0 {
		return fmt.Errorf("none of the operations can be imported; the first: %s", im.skipped[0])
	}
	return errors.New("the document declares no operation under \"paths\"")
}

func sortKey(d capture.Declaration) string {
	return fmt.Sprintf("%s\x00%05d\x00%s\x00%s\x00%s", d.Host, d.Port, d.Scheme, d.Path, d.Method)
}

// hosts is the allow-list, or the hosts declared.
func hosts(allowed []string, declarations []capture.Declaration) []string {
	out := slices.Clone(allowed)
	if len(out) == 0 {
		for _, d := range declarations {
			out = append(out, origin{d.Scheme, d.Host, d.Port}.allowed())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
