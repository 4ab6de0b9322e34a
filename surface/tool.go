// Package surface holds what agents may be given: tools, toolsets and the
// server block, with the identity and digest that approvals are bound to.
package surface

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tomallicino/caskmcp/internal/canonical"
)

// Effect says what a call does to the upstream.
type Effect string

// The effects, from harmless to irreversible.
const (
	Read        Effect = "read"
	Write       Effect = "write"
	Destructive Effect = "destructive"
)

// Risk is a tool's tier. It decides who must approve a change and how the
// reviewer sees it sorted.
type Risk string

// The tiers, from lowest to highest.
const (
	Safe     Risk = "safe"
	Low      Risk = "low"
	Medium   Risk = "medium"
	High     Risk = "high"
	Critical Risk = "critical"
)

// Risks lists the tiers from lowest to highest.
var Risks = []Risk{Safe, Low, Medium, High, Critical}

// Rank is r's place in Risks, or -1 for a tier that does not exist.
func (r Risk) Rank() int {
	for i, x := range Risks {
		if r == x {
			return i
		}
	}
	return -1
}

// Confirm says whether a person must confirm each call.
type Confirm string

// The confirmation modes.
const (
	Never  Confirm = "never"
	Always Confirm = "always"
)

// Tool is one approved or proposed capability. Everything an agent reads or
// can do is in it; all of it but Evidence is covered by Digest.
type Tool struct {
	// What the agent reads (MCP 2025-11-25, server/tools).
	Name         string          `json:"name"`
	Title        string          `json:"title,omitempty"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
	Annotations  Annotations     `json:"annotations"`

	// What a call does.
	Binding Binding `json:"binding"`
	Auth    *Auth   `json:"auth,omitempty"`
	Effect  Effect  `json:"effect"`
	Risk    Risk    `json:"risk"`
	Confirm Confirm `json:"confirm"`
	Limits  Limits  `json:"limits"`
	// Redact lists response object keys whose values are masked, sorted.
	Redact []string `json:"redact,omitempty"`
	// Toolsets the tool is a member of, sorted.
	Toolsets []string `json:"toolsets"`
	// Expires is the last day (YYYY-MM-DD, UTC) the tool is served; empty
	// means never.
	Expires string `json:"expires,omitempty"`

	// Evidence is where the definition came from. It is not in the digest.
	Evidence *Evidence `json:"evidence,omitempty"`
}

// Annotations are MCP's hints. All four are always written, so that no client
// falls back to a default of its own.
type Annotations struct {
	ReadOnly    bool `json:"readOnlyHint"`
	Destructive bool `json:"destructiveHint"`
	Idempotent  bool `json:"idempotentHint"`
	OpenWorld   bool `json:"openWorldHint"`
}

// Binding says which HTTP request a call becomes.
type Binding struct {
	Method string `json:"method"`
	Scheme string `json:"scheme"`
	// Host is lower-case ASCII without port; IPv6 addresses have no brackets.
	Host string `json:"host"`
	Port int    `json:"port"`
	// Path is an absolute path template; each {name} is a path argument and
	// may share its segment with literal text ("/reports/{id}.csv").
	// Literal braces and reserved characters are percent-encoded.
	Path string `json:"path"`
	// Arguments says where each argument goes, sorted by name.
	Arguments []Argument `json:"arguments"`
	// Encoding is the request body's media type, empty when there is none.
	Encoding string `json:"encoding,omitempty"`
	// Accept is sent as the Accept header when not empty.
	Accept string `json:"accept,omitempty"`
	// Fixed values are always sent and cannot be set by the agent.
	Fixed []Fixed `json:"fixed,omitempty"`
	// Result is the key under which a successful response body is given to the
	// agent when bodies are arrays or scalars: structured content and
	// outputSchema are objects (MCP 2025-11-25). Empty means that the body is
	// given as it is.
	Result string `json:"result,omitempty"`
	// Operation tells apart operations that share one method and path.
	Operation *Operation `json:"operation,omitempty"`
}

// Where an argument or fixed value goes (Argument.In, Fixed.In).
const (
	InPath   = "path"
	InQuery  = "query"
	InHeader = "header"
	InBody   = "body"
)

// Argument maps one property of the input schema to its place in the request.
type Argument struct {
	Name string `json:"name"`
	In   string `json:"in"`
	// Key is the name on the wire: the template variable, query key, header,
	// or top-level body property. An empty Key with In "body" means that the
	// argument is the whole body.
	Key string `json:"key"`
	// Style says how an array is written in a query or form: "repeat" (one
	// pair for each value, the default) or "comma".
	Style string `json:"style,omitempty"`
	// EscapedSlash says that values of a path argument may hold "/", which is
	// sent as %2F: the argument is the whole segment, and this API reads it so.
	EscapedSlash bool `json:"escaped_slash,omitempty"`
}

// Fixed is a request value that is part of the definition.
type Fixed struct {
	In    string          `json:"in"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	// Recorded says that every recorded call had the value. Such values come
	// and go with what was recorded, so they are no part of the identity.
	Recorded bool `json:"recorded,omitempty"`
}

// Operation is a discriminator inside one method and path.
type Operation struct {
	Kind string `json:"kind"` // "graphql" or "jsonrpc"
	Name string `json:"name"` // "query GetUser", "eth_call", or a hash for anonymous documents
}

// Auth refers to a credential of the server block. It never holds a secret.
type Auth struct {
	Ref    string   `json:"ref"`
	Kind   string   `json:"kind"` // "bearer", "basic", "apiKey", "cookie", "oauth2"
	In     string   `json:"in,omitempty"`
	Name   string   `json:"name,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
	// Optional says that the API answers without the credential, too: it is sent
	// where it is set, and calls go without where it is not.
	Optional bool `json:"optional,omitempty"`
	// Also are further credentials that every call sends beside it, sorted by
	// Ref: an application's key beside a user's token. They are optional where it
	// is.
	Also []Sent `json:"also,omitempty"`
}

// Sent is one credential as a call sends it. The fields are those of Auth.
type Sent struct {
	Ref    string   `json:"ref"`
	Kind   string   `json:"kind"`
	In     string   `json:"in,omitempty"`
	Name   string   `json:"name,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
}

// All are the credentials of a call, the main one first; none for nil.
func (a *Auth) All() []Sent {
	if a == nil {
		return nil
	}
	return append([]Sent{{Ref: a.Ref, Kind: a.Kind, In: a.In, Name: a.Name, Scopes: a.Scopes}}, a.Also...)
}

// Limits bound one tool.
type Limits struct {
	Rate          int   `json:"rate"`           // calls a minute
	ResponseBytes int64 `json:"response_bytes"` // decoded bytes
	Timeout       int   `json:"timeout"`        // seconds for the whole call
}

// DefaultLimits apply where toolpack.yaml says nothing.
var DefaultLimits = Limits{Rate: 60, ResponseBytes: 1 << 20, Timeout: 30}

// Evidence is what a definition was compiled from.
type Evidence struct {
	Captures     []string `json:"captures,omitempty"`
	Observations int      `json:"observations,omitempty"`
	// Overrides names the fields that toolpack.yaml had set, sorted.
	Overrides []string `json:"overrides,omitempty"`
}

// Digest is the SHA-256 of the RFC 8785 form of t without its evidence, as
// "sha256:…". Nothing is normalised first. It fails on numbers that RFC 8785
// would round.
func (t Tool) Digest() (string, error) {
	t.Evidence = nil
	d, err := canonical.Digest(t)
	if err != nil {
		return "", fmt.Errorf("computing digest of tool %q: %w", t.Name, err)
	}
	return d, nil
}

// ParseTool reads an approved definition. It refuses unknown, duplicate and
// misspelt keys: a byte that the digest does not cover must not be in the file.
func ParseTool(doc []byte) (Tool, error) {
	var t Tool
	if err := parseStrict(doc, &t); err != nil {
		return Tool{}, err
	}
	return t, nil
}

// ParseToolDigest is ParseTool and Digest in one. A definition that is spelt as
// MarshalIndent spells it says nothing else than what was read from it, so that
// its canonical form is computed once and not three times; any other spelling
// takes ParseTool's way.
func ParseToolDigest(doc []byte) (Tool, string, error) {
	var t Tool
	var stored, written bytes.Buffer
	enc := json.NewEncoder(&written)
	enc.SetEscapeHTML(false)
	if json.Unmarshal(doc, &t) != nil || json.Compact(&stored, doc) != nil || enc.Encode(t) != nil ||
		!bytes.Equal(stored.Bytes(), bytes.TrimSuffix(written.Bytes(), []byte("\n"))) {
		var err error
		if t, err = ParseTool(doc); err != nil {
			return Tool{}, "", err
		}
	}
	digest, err := t.Digest()
	if err != nil {
		return Tool{}, "", err
	}
	return t, digest, nil
}

// MarshalIndent writes v as stored files are written: two-space indentation,
// no HTML escaping, a newline at the end.
func MarshalIndent(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return indent(buf.Bytes()), nil
}

// errNotCanonical reports a stored document that says something else than
// what was read from it.
var errNotCanonical = errors.New("the file has a key that caskmcp does not know, an empty value that is never written, or a different spelling of a key")

// parseStrict decodes doc into v and checks that v is all that doc says.
func parseStrict(doc []byte, v any) error {
	want, err := canonical.Transform(doc)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(doc, v); err != nil {
		return err
	}
	got, err := canonical.JSON(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(want, got) {
		return errNotCanonical
	}
	return nil
}
