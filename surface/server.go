package surface

import (
	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/policy"
)

// Surface is everything an agent may be given: the desired one, as compiled,
// or the approved one, as stored. All slices are sorted by name.
type Surface struct {
	Tools    []Tool        `json:"tools"`
	Toolsets []Toolset     `json:"toolsets"`
	Policy   policy.Policy `json:"policy"`
	Server   Server        `json:"server"`
}

// Toolset names a group of tools. Membership is part of each tool's digest.
type Toolset struct {
	Name        string `json:"name" yaml:"-"`
	Description string `json:"description" yaml:"description"`
	Default     bool   `json:"default" yaml:"default,omitempty"`
}

// Digest is the SHA-256 of t's RFC 8785 form, as "sha256:…".
func (t Toolset) Digest() (string, error) { return canonical.Digest(t) }

// Server is the server block: what an agent reads of the server, which
// credentials exist, and what the guarded client may do beyond its defaults.
type Server struct {
	Name         string `json:"name"`
	Instructions string `json:"instructions,omitempty"`
	// Credentials, sorted by Ref.
	Credentials []Credential `json:"credentials,omitempty"`
	// AllowPrivate lists CIDR ranges of private or loopback addresses that
	// upstream hosts may resolve to, sorted.
	AllowPrivate []string `json:"allow_private,omitempty"`
	// AllowRedirects lists origins that a redirect of an upstream may lead
	// to, sorted. Empty means that redirects are not followed.
	AllowRedirects []string `json:"allow_redirects,omitempty"`
}

// Credential says where the value of an auth reference is found and which
// hosts may receive it. It never holds the value.
type Credential struct {
	Ref string `json:"ref"`
	// Env is the environment variable that holds the value.
	Env string `json:"env"`
	// Hosts that may receive the credential, as "host" or "host:port", sorted.
	Hosts []string `json:"hosts"`
}

// Digest is the SHA-256 of s's RFC 8785 form, as "sha256:…".
func (s Server) Digest() (string, error) { return canonical.Digest(s) }

// ParseServer reads a stored server block under the same strictness as
// ParseTool.
func ParseServer(doc []byte) (Server, error) {
	var s Server
	err := parseStrict(doc, &s)
	return s, err
}

// ParsePolicy reads a stored policy under the same strictness as ParseTool.
func ParsePolicy(doc []byte) (policy.Policy, error) {
	var p policy.Policy
	if err := parseStrict(doc, &p); err != nil {
		return policy.Policy{}, err
	}
	return p, p.Validate()
}
