package toolpack

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/surface"
)

// RepositoryFile is the name of the repository's own settings.
const RepositoryFile = "caskmcp.yaml"

// Repository is caskmcp.yaml. The zero value is what applies without one.
type Repository struct {
	Version   string    `yaml:"version"`
	Approvals Approvals `yaml:"approvals,omitempty"`
	GitHub    GitHub    `yaml:"github,omitempty"`
}

// GitHub says who caskmcp is there.
type GitHub struct {
	// App is the login of the GitHub App that runs caskmcp, as "name[bot]".
	// Empty: the job's own token does, as github-actions[bot].
	App string `yaml:"app,omitempty"`
}

// sharedApp is the app that every workflow of a repository writes as: to name
// it would make everybody's word caskmcp's.
const sharedApp = "github-actions[bot]"

// appLogin matches the login of a GitHub App.
var appLogin = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}\[bot\]$`)

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
	switch app := r.GitHub.App; {
	case app == "":
	case !appLogin.MatchString(app):
		return Repository{}, fmt.Errorf("reading %s: github.app: %q is no app's login, which ends in [bot]", name, app)
	case strings.EqualFold(app, sharedApp):
		return Repository{}, fmt.Errorf("reading %s: github.app: every workflow writes as %s; leave it out, or name an app of your own", name, app)
	}
	return r, nil
}
