// Package capture reads traffic and keeps what can be said about it without
// keeping it: a set of observations, not a log.
package capture

import (
	"encoding/json"

	"github.com/tomallicino/caskmcp/schema"
)

// FormatVersion is the version of the capture file format. Large files that
// share what declarations have in common, and files that say why segments
// became placeholders, have versions of their own.
const FormatVersion = "1.0"

// Capture is a set of observations of one or more APIs. An unsealed capture
// still has literal path segments that may turn out to be parameters; only a
// sealed one may be written. Every slice is sorted, so equal sets are equal
// bytes.
type Capture struct {
	Version string `json:"version"`
	Name    string `json:"name"`
	Sealed  bool   `json:"sealed"`
	// Hosts is the allow-list the capture was made with, sorted: "host",
	// "host:port" or "*.host".
	Hosts        []string      `json:"hosts"`
	Observations []Observation `json:"observations"`
	// Inferred is why path segments became placeholders when the capture was
	// sealed, one for each place.
	Inferred []Inferred `json:"inferred,omitempty"`
	// Declarations are operations that a specification declares.
	Declarations []Declaration `json:"declarations,omitempty"`
	// Dropped counts what was seen and left out, by reason.
	Dropped []Dropped `json:"dropped,omitempty"`
	// Identifiers are the JSON keys that some body of the same host also holds
	// as a value, sorted. They are evidence for sealing, and a sealed capture
	// has none.
	Identifiers []string `json:"-"`
}

// Dropped counts exchanges that are not part of the API.
type Dropped struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Key is what exchanges are grouped by.
type Key struct {
	Method string `json:"method"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"` // lower-case, no port, no brackets
	Port   int    `json:"port"`
	// Path is absolute. A segment, or a part of one, that is "{class}" stands
	// for values of that class ("{int}", "{uuid}", "{word}"); literal braces
	// are percent-encoded, and an encoded slash stays "%2F".
	Path string `json:"path"`
	// Operation tells apart operations that share a path: "graphql:query Name",
	// "graphql:mutation Name", "jsonrpc:method"; otherwise empty.
	Operation string `json:"operation,omitempty"`
	Status    int    `json:"status"`
	// Failed says that a successful status came with an error in the body, as
	// JSON-RPC and GraphQL have it.
	Failed       bool   `json:"failed,omitempty"`
	RequestType  string `json:"request_type,omitempty"`  // media type without parameters
	ResponseType string `json:"response_type,omitempty"` // media type without parameters
}

// Observation is a group of exchanges with one Key.
type Observation struct {
	Key
	Count int `json:"count"`
	// Segments is the evidence for single path segments, by index; segments
	// about which there is nothing to say are left out.
	Segments []Segment `json:"segments,omitempty"`
	// Query and Headers are the parameters seen, sorted by name.
	// Headers holds only request headers that are neither standard nor
	// credentials.
	Query   []Parameter `json:"query,omitempty"`
	Headers []Parameter `json:"headers,omitempty"`
	// Request and Response are the bodies' shapes. Forms are objects of
	// strings. RequestBodies and ResponseBodies count the bodies that were
	// there and could be decoded.
	Request        *schema.Shape `json:"request,omitempty"`
	RequestBodies  int           `json:"request_bodies,omitempty"`
	Response       *schema.Shape `json:"response,omitempty"`
	ResponseBodies int           `json:"response_bodies,omitempty"`
	// Auth counts how requests were authenticated, sorted.
	Auth []Auth `json:"auth,omitempty"`
	// Traits counts facts that fit nowhere else, such as "link_next",
	// "retry_after", "cacheable"; see the Trait constants.
	Traits map[string]int `json:"traits,omitempty"`
	// Document is the normalised text of a GraphQL operation, its literals
	// replaced by variables or defaults of their type.
	Document string `json:"document,omitempty"`
	// Sources are the kinds of input seen: "har", "browser", "proxy"; sorted.
	Sources []string `json:"sources"`
}

// Segment is the evidence for one path segment, summed over the group.
type Segment struct {
	Index int `json:"index"`
	// Classes counts the values of a placeholder by class.
	Classes map[string]int `json:"classes,omitempty"`
	// Distinct is how many different values the placeholder stood for, at
	// least: merging sealed captures keeps the larger.
	Distinct int `json:"distinct,omitempty"`
	// Slashes counts the exchanges whose value held an escaped slash (%2F).
	Slashes int `json:"slashes,omitempty"`
	// EchoOwn counts exchanges whose own successful response held the value.
	EchoOwn int `json:"echo_own,omitempty"`
	// EchoKeys counts, for EchoOwn, the JSON keys the value was found under.
	EchoKeys map[string]int `json:"echo_keys,omitempty"`
	// EchoID says that the value was found under an id-like key of some
	// successful response of the capture; EchoAny, under any key.
	EchoID  bool `json:"echo_id,omitempty"`
	EchoAny bool `json:"echo_any,omitempty"`
	// EchoAbove counts exchanges whose value was held by a successful response
	// to GET or POST of the path that ends right above the segment, as a
	// collection names its members; EchoAboveID, those where it was found
	// under an id-like key; EchoFar, those where only a path farther above
	// held it.
	EchoAbove   int `json:"echo_above,omitempty"`
	EchoAboveID int `json:"echo_above_id,omitempty"`
	EchoFar     int `json:"echo_far,omitempty"`
	// Sent counts exchanges whose value someone had sent in a successful POST
	// or PUT to the host, under a key that names things, where the answer held
	// it too or was 201.
	Sent int `json:"sent,omitempty"`
	// JoinedHead and JoinedTail count exchanges whose value a body of the host
	// held in one text with the segments after it, or with those before it, with
	// slashes between and under a key that names things: "alice/recipes";
	// JoinedOwn those whose own successful response held such a text.
	JoinedHead int `json:"joined_head,omitempty"`
	JoinedTail int `json:"joined_tail,omitempty"`
	JoinedOwn  int `json:"joined_own,omitempty"`
}

// Parameter is a query parameter or request header.
type Parameter struct {
	Name string `json:"name"`
	// Count is the number of exchanges that had it, Repeated of those that
	// had it more than once.
	Count    int `json:"count"`
	Repeated int `json:"repeated,omitempty"`
	// Distinct is how many different values a header had in the successful
	// exchanges of its origin, up to 8; merging keeps the larger.
	Distinct int `json:"distinct,omitempty"`
	// Words counts the values of a header that are words of a protocol, such
	// as a version of the API, and so nobody's data. Other values are not kept.
	Words map[string]int `json:"words,omitempty"`
	// Shape is the values' shape; text that spells an integer, number or
	// boolean is counted as such.
	Shape *schema.Shape `json:"shape,omitempty"`
}

// Auth is one way of authentication. Kind is "bearer", "basic", "apiKey",
// "cookie", "csrf" for the token that goes with a cookie, "none", or "unknown"
// where the exporter may have removed it.
type Auth struct {
	Kind  string `json:"kind"`
	In    string `json:"in,omitempty"`   // "header", "query", "cookie"
	Name  string `json:"name,omitempty"` // of the header, query parameter or cookie
	Count int    `json:"count"`
}

// Declaration is an operation of a specification. Schemas are JSON Schema
// 2020-12 with references resolved and examples removed.
type Declaration struct {
	Method      string                `json:"method"`
	Scheme      string                `json:"scheme"`
	Host        string                `json:"host"`
	Port        int                   `json:"port"`
	Path        string                `json:"path"` // template with parameter names: /users/{user_id}
	OperationID string                `json:"operation_id,omitempty"`
	Summary     string                `json:"summary,omitempty"`
	Description string                `json:"description,omitempty"`
	Tags        []string              `json:"tags,omitempty"`
	Deprecated  bool                  `json:"deprecated,omitempty"`
	Parameters  []DeclaredParameter   `json:"parameters,omitempty"`
	Body        *DeclaredBody         `json:"body,omitempty"`
	Responses   []DeclaredResponse    `json:"responses,omitempty"`
	Security    []DeclaredRequirement `json:"security,omitempty"`
}

// DeclaredParameter is an OpenAPI parameter (OpenAPI 3.1 section 4.8.12).
type DeclaredParameter struct {
	Name        string          `json:"name"`
	In          string          `json:"in"` // path, query, header
	Required    bool            `json:"required,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
	// Style is "comma" for non-exploded arrays; otherwise empty.
	Style string `json:"style,omitempty"`
}

// DeclaredBody is a request body of the one media type we send.
type DeclaredBody struct {
	Type        string          `json:"type"`
	Required    bool            `json:"required,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
}

// DeclaredResponse is one response. Status 0 stands for "default"; a range such
// as 4XX is written as its first status where that is not declared itself.
type DeclaredResponse struct {
	Status      int             `json:"status"`
	Type        string          `json:"type,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`
}

// DeclaredRequirement is one way of authentication that suffices; no
// requirement at all means that none is needed.
type DeclaredRequirement struct {
	Name   string   `json:"name"` // of the security scheme
	Kind   string   `json:"kind"` // bearer, basic, apiKey, oauth2, cookie, none, or unknown where a document has no security at all
	In     string   `json:"in,omitempty"`
	Key    string   `json:"key,omitempty"` // of the header, query parameter or cookie
	Scopes []string `json:"scopes,omitempty"`
	// Group is 0 for a requirement that suffices alone. Requirements of one
	// group are needed together.
	Group int `json:"group,omitempty"`
}
