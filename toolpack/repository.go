package toolpack

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/tomallicino/caskmcp/surface"
)

// RepositoryFile is the name of the repository's own settings.
const RepositoryFile = "caskmcp.yaml"

// Repository is caskmcp.yaml. The zero value is what applies without one.
type Repository struct {
	Version string `yaml:"version"`
	// Toolpacks are glob patterns of toolpack folders, relative to the root.
	Toolpacks []string  `yaml:"toolpacks,omitempty"`
	Approvals Approvals `yaml:"approvals,omitempty"`
}

// Approvals says whose decisions count.
type Approvals struct {
	// Accept lists the ways of approval that count: "cli", "review". Empty
	// accepts every way.
	Accept []string `yaml:"accept,omitempty"`
	// Approvers maps risk tiers to logins or teams.
	Approvers map[surface.Risk][]string `yaml:"approvers,omitempty"`
	// AllowSelf lets a lone maintainer's merge count as approval.
	AllowSelf bool `yaml:"allow_self,omitempty"`
}

// LoadRepository reads caskmcp.yaml in root; it need not exist.
func LoadRepository(root string) (Repository, error) {
	name := filepath.Join(root, RepositoryFile)
	doc, err := readBounded(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Repository{}, nil
	}
	if err != nil {
		return Repository{}, fmt.Errorf("reading settings: %w", err)
	}
	return ParseRepository(name, doc)
}

// ParseRepository reads the caskmcp.yaml called name in errors.
func ParseRepository(name string, doc []byte) (Repository, error) {
	var r Repository
	if err := decodeStrict(doc, &r); err != nil {
		return Repository{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if r.Version != FormatVersion {
		return Repository{}, fmt.Errorf("reading %s: version is %q, this caskmcp reads %q", name, r.Version, FormatVersion)
	}
	for _, via := range r.Approvals.Accept {
		if !slices.Contains([]string{"cli", "review"}, via) {
			return Repository{}, fmt.Errorf("reading %s: approvals.accept: %q is neither cli nor review", name, via)
		}
	}
	for tier := range r.Approvals.Approvers {
		if tier.Rank() < 0 {
			return Repository{}, fmt.Errorf("reading %s: approvals.approvers: %q is none of safe, low, medium, high, critical", name, tier)
		}
	}
	return r, nil
}
