// Package arch holds no code: its test keeps the floors of the house.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/tomallicino/caskmcp/"

// floors lists the packages from the ground up. A package imports from lower
// floors only.
var floors = [][]string{
	{"internal/canonical", "internal/format", "internal/githubfake", "internal/githubfake/contract"},
	{"schema", "policy", "internal/files", "internal/safehttp"},
	{"capture", "surface"},
	{"compiler", "openapi", "lockfile", "toolpack"},
	{"plan", "gate", "upstream"},
	{"apply", "drift", "serve"},
	{"comment", "github"},
	{"cmd/caskmcp"},
}

// owners are the packages that alone may import a module.
var owners = map[string][]string{
	"github.com/spf13/cobra":                 {"cmd/caskmcp"},
	"github.com/sethvargo/go-githubactions":  {"cmd/caskmcp"},
	"golang.org/x/term":                      {"cmd/caskmcp"},
	"github.com/google/go-github":            {"github"},
	"github.com/mark3labs/mcp-go":            {"serve"},
	"github.com/getkin/kin-openapi":          {"openapi", "internal/githubfake/contract"}, // the latter for tests
	"github.com/vektah/gqlparser":            {"capture"},
	"github.com/andybalholm/brotli":          {"capture"},
	"github.com/klauspost/compress":          {"capture"},
	"github.com/hashicorp/go-version":        {"internal/format"},
	"github.com/gowebpki/jcs":                {"internal/canonical"},
	"github.com/google/renameio":             {"internal/files"},
	"github.com/gofrs/flock":                 {"internal/files"},
	"code.dny.dev/ssrf":                      {"internal/safehttp"},
	"github.com/santhosh-tekuri/jsonschema/": {"gate"},
	"golang.org/x/time":                      {"gate"},
}

// process is what only cmd/caskmcp may touch, so that everything else can be
// called from a test with a world of its own.
var process = []string{"os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.Stdout", "os.Stderr", "os.Stdin", "time.Now"}

type source struct {
	pkg, file string
	imports   []string
	text      string
}

// sources parses every Go file of the module that is not a test.
func sources(t *testing.T) []source {
	root := filepath.Join("..", "..")
	var found []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && p != root {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s := source{pkg: path.Dir(filepath.ToSlash(rel)), file: filepath.ToSlash(rel), text: string(text)}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		found = append(found, s)
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, found)
	return found
}

func floorOf(pkg string) int {
	return slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, pkg) })
}

func TestEveryPackageHasAFloor(t *testing.T) {
	for _, s := range sources(t) {
		require.GreaterOrEqual(t, floorOf(s.pkg), 0, "%s: add %s to the floors here and in ARCHITECTURE.md", s.file, s.pkg)
	}
}

func TestImportsRunDownwards(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.imports {
			to, ours := strings.CutPrefix(i, module)
			if ours {
				require.Less(t, floorOf(to), floorOf(s.pkg), "%s imports %s", s.file, to)
			}
		}
	}
}

func TestModulesHaveOneOwner(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.imports {
			for mod, pkgs := range owners {
				if strings.HasPrefix(i, mod) {
					require.Contains(t, pkgs, s.pkg, "%s imports %s", s.file, i)
				}
			}
		}
	}
}

func TestOnlyTheCommandTouchesTheProcess(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg == "cmd/caskmcp" {
			continue
		}
		for _, name := range process {
			require.NotContains(t, code(s.text), name+"(", "%s uses %s: take it as a parameter", s.file, name)
			if strings.HasPrefix(name, "os.Std") {
				require.NotContains(t, code(s.text), name, "%s uses %s: take it as a parameter", s.file, name)
			}
		}
	}
}

// code is text without line comments.
func code(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, "//")
	}
	return strings.Join(lines, "\n")
}
