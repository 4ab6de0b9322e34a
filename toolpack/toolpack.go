// Package toolpack knows where things lie in a user's repository, and reads
// toolpack.yaml and caskmcp.yaml.
package toolpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tomallicino/caskmcp/policy"
	"github.com/tomallicino/caskmcp/surface"
)

// Names inside a repository.
const (
	Folder       = ".caskmcp"
	FileName     = "toolpack.yaml"
	capturesDir  = "captures"
	toolpacksDir = "toolpacks"
)

// FormatVersion is the version of the toolpack.yaml format.
const FormatVersion = "1.0"

// maxConfig bounds toolpack.yaml and caskmcp.yaml, in bytes.
const maxConfig = 1 << 20

// Config is toolpack.yaml: what people ask of the compiler and the server.
type Config struct {
	Version string `yaml:"version"`
	Name    string `yaml:"name"`
	// Captures are file names or glob patterns under .caskmcp/captures.
	Captures []string `yaml:"captures"`
	// Scope is a built-in scope, ScopeFile the path of a rule file beside
	// toolpack.yaml; at most one of them is set.
	Scope     string `yaml:"scope,omitempty"`
	ScopeFile string `yaml:"scope_file,omitempty"`
	// Include and Exclude are tool names or "METHOD /path/**" patterns.
	Include []string `yaml:"include,omitempty"`
	Exclude []string `yaml:"exclude,omitempty"`
	// Hints settle path templates: "/post/{id}" and "/post/^new".
	Hints         []string                    `yaml:"hints,omitempty"`
	AllOperations bool                        `yaml:"all_operations,omitempty"`
	Tools         map[string]surface.Override `yaml:"tools,omitempty"`
	Toolsets      map[string]surface.Toolset  `yaml:"toolsets,omitempty"`
	Policy        *policy.Policy              `yaml:"policy,omitempty"`
	// Auth maps credential references to the variable that holds them.
	Auth   map[string]Auth `yaml:"auth,omitempty"`
	Server Server          `yaml:"server,omitempty"`
}

// Auth says where a credential comes from and which hosts may receive it.
type Auth struct {
	Env   string   `yaml:"env"`
	Hosts []string `yaml:"hosts,omitempty"`
}

// Server is what agents read about the server, and the exceptions of the
// guarded HTTP client.
type Server struct {
	Instructions   string   `yaml:"instructions,omitempty"`
	AllowPrivate   []string `yaml:"allow_private,omitempty"`
	AllowRedirects []string `yaml:"allow_redirects,omitempty"`
}

// Toolpack is an opened toolpack folder.
type Toolpack struct {
	// Dir is the folder that holds toolpack.yaml; Root the folder that holds
	// .caskmcp, or Dir itself for a toolpack outside of one.
	Dir, Root string
	Config    Config
}

// LockDir is the folder of the lockfile and the approved definitions.
func (t *Toolpack) LockDir() string { return filepath.Join(t.Dir, "lockfile") }

// ArtifactDir is the folder of compiled output.
func (t *Toolpack) ArtifactDir() string { return filepath.Join(t.Dir, "artifact") }

// CapturesDir is the folder of sealed captures.
func (t *Toolpack) CapturesDir() string { return filepath.Join(t.Root, Folder, capturesDir) }

// Rel is p relative to Root with forward slashes, for messages and plans.
func (t *Toolpack) Rel(p string) string {
	r, err := filepath.Rel(t.Root, p)
	if err != nil || strings.HasPrefix(r, "..") {
		return filepath.ToSlash(filepath.Base(p))
	}
	return filepath.ToSlash(r)
}

// CapturesIn is the captures folder of the repository at root.
func CapturesIn(root string) string { return filepath.Join(root, Folder, capturesDir) }

// DirOf is the folder of the toolpack called name in the repository at root.
func DirOf(root, name string) string { return filepath.Join(root, Folder, toolpacksDir, name) }

var legalToolset = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

var legalName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// CheckName refuses names that could not be a folder and part of a variable.
func CheckName(name string) error {
	if !legalName.MatchString(name) {
		return fmt.Errorf("the name %q is not allowed: use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit", name)
	}
	return nil
}

// FindRoot walks up from dir to the folder that holds .caskmcp. Without one it
// is the git work tree's top folder, and without that dir itself.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, mark := range []string{Folder, ".git"} {
		for d := dir; ; d = filepath.Dir(d) {
			if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
				return d, nil
			}
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	return dir, nil
}

// NotFoundError says which toolpack was looked for and which there are.
type NotFoundError struct {
	Ref   string
	Known []string
}

func (e *NotFoundError) Error() string {
	if e.Ref == "" {
		return "there is no toolpack here"
	}
	return fmt.Sprintf("there is no toolpack %q", e.Ref)
}

// Find resolves a --toolpack value, seen from dir: a name, a folder or a
// toolpack.yaml file. An empty ref means the only toolpack there is. It
// returns the toolpack's folder without reading anything in it.
func Find(dir, ref string) (string, error) {
	root, err := FindRoot(dir)
	if err != nil {
		return "", err
	}
	known := List(root)
	if ref == "" {
		switch len(known) {
		case 0:
			return "", &NotFoundError{}
		case 1:
			return DirOf(root, known[0]), nil
		}
		return "", fmt.Errorf("there are %d toolpacks (%s): say which one with --toolpack NAME", len(known), strings.Join(known, ", "))
	}
	if slices.Contains(known, ref) {
		return DirOf(root, ref), nil
	}
	p := ref
	if !filepath.IsAbs(p) {
		p = filepath.Join(dir, p)
	}
	info, err := os.Stat(p)
	switch {
	case err == nil && info.IsDir() && isToolpack(p):
		return p, nil
	case err == nil && !info.IsDir() && filepath.Base(p) == FileName:
		return filepath.Dir(p), nil
	}
	return "", &NotFoundError{Ref: ref, Known: known}
}

func isToolpack(dir string) bool {
	for _, name := range []string{FileName, "lockfile"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// List is the names of the toolpacks in the repository at root, sorted.
func List(root string) []string {
	entries, err := os.ReadDir(filepath.Join(root, Folder, toolpacksDir))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && isToolpack(DirOf(root, e.Name())) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Load reads the toolpack in dir.
func Load(dir string) (*Toolpack, error) {
	doc, err := readBounded(filepath.Join(dir, FileName))
	if err != nil {
		return nil, fmt.Errorf("reading toolpack: %w", err)
	}
	cfg, err := Parse(doc)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, FileName), err)
	}
	return &Toolpack{Dir: dir, Root: RootOf(dir), Config: cfg}, nil
}

// RootOf is the folder that holds the .caskmcp folder dir lies in,
// or dir itself.
func RootOf(dir string) string {
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		if filepath.Base(d) == Folder {
			return filepath.Dir(d)
		}
	}
	return dir
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(doc) > maxConfig {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxConfig)
	}
	return doc, err
}

// Parse reads toolpack.yaml. Unknown and duplicate keys are errors: a
// misspelt "confirm" must not be ignored.
func Parse(doc []byte) (Config, error) {
	var c Config
	if err := decodeStrict(doc, &c); err != nil {
		return Config{}, err
	}
	return c, c.validate()
}

func decodeStrict(doc []byte, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one YAML document in the file")
	}
	return nil
}

func (c Config) validate() error {
	if c.Version != FormatVersion {
		return fmt.Errorf("version is %q, this caskmcp reads %q", c.Version, FormatVersion)
	}
	if err := CheckName(c.Name); err != nil {
		return err
	}
	for _, p := range c.Captures {
		if _, err := path.Match(p, ""); err != nil || strings.ContainsAny(p, `/\`) || p == ".." {
			return fmt.Errorf("captures: %q is not a file name or pattern inside %s/%s", p, Folder, capturesDir)
		}
	}
	if c.Scope != "" && c.ScopeFile != "" {
		return errors.New("scope and scope_file exclude each other: remove one")
	}
	if c.ScopeFile != "" && !filepath.IsLocal(c.ScopeFile) {
		return fmt.Errorf("scope_file: %q is not a file in the toolpack's folder", c.ScopeFile)
	}
	for name, o := range c.Tools {
		if err := checkOverride(o); err != nil {
			return fmt.Errorf("tools: %s: %w", name, err)
		}
	}
	for name := range c.Toolsets {
		if !legalToolset.MatchString(name) {
			return fmt.Errorf("toolsets: %q is not allowed: use a-z, 0-9 and _, starting with a letter", name)
		}
	}
	for ref, a := range c.Auth {
		if a.Env == "" {
			return fmt.Errorf("auth: %s: env is missing: name the environment variable that holds the credential", ref)
		}
	}
	if c.Policy != nil {
		return c.Policy.Validate()
	}
	return nil
}

var expiryForm = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`)

func checkOverride(o surface.Override) error {
	if o.Risk != "" && o.Risk.Rank() < 0 {
		return fmt.Errorf("risk: %q is none of safe, low, medium, high, critical", o.Risk)
	}
	if o.Confirm != "" && o.Confirm != surface.Never && o.Confirm != surface.Always {
		return fmt.Errorf("confirm: %q is neither never nor always", o.Confirm)
	}
	if o.Expires != "" && !expiryForm.MatchString(o.Expires) {
		return fmt.Errorf("expires: %q is not a day like 2027-01-31", o.Expires)
	}
	if l := o.Limits; l != nil && (l.Rate < 0 || l.ResponseBytes < 0 || l.Timeout < 0) {
		return errors.New("limits: negative numbers make no sense")
	}
	return nil
}

// CaptureFiles is the paths of the captures that Config names, sorted. A plain
// name that does not exist is an error, and so are patterns that match nothing
// at all: a toolpack without captures would plan to remove every tool.
func (t *Toolpack) CaptureFiles() ([]string, error) {
	dir := t.CapturesDir()
	found := map[string]bool{}
	for _, pattern := range t.Config.Captures {
		names, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			return nil, fmt.Errorf("reading captures: %w", err)
		}
		if len(names) == 0 && !strings.ContainsAny(pattern, "*?[") {
			return nil, fmt.Errorf("reading captures: %s names %s, which is not in %s", t.Rel(filepath.Join(t.Dir, FileName)), pattern, t.Rel(dir))
		}
		for _, n := range names {
			found[filepath.Join(dir, n)] = true
		}
	}
	if len(found) == 0 && len(t.Config.Captures) > 0 {
		return nil, fmt.Errorf("reading captures: nothing in %s matches %s", dir, strings.Join(t.Config.Captures, ", "))
	}
	files := make([]string, 0, len(found))
	for f := range found {
		files = append(files, f)
	}
	slices.Sort(files)
	return files, nil
}
