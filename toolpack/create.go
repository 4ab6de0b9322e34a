package toolpack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/tomallicino/caskmcp/internal/files"
)

// New says what a fresh toolpack.yaml starts with.
type New struct {
	Name         string
	Scope        string
	ScopeFile    string
	AllowPrivate []string
}

var fresh = template.Must(template.New(FileName).Parse(`# What caskmcp compiles, and what people change of it. Every change here shows
# up in "caskmcp plan" and is served only after approval.
version: "1.0"
name: {{.Name}}

# Files under .caskmcp/captures; patterns pick up later recordings.
captures:
  - {{.Name}}-*.json
{{if .Scope}}
scope: {{.Scope}}
{{end}}{{if .ScopeFile}}
scope_file: {{.ScopeFile}}
{{end}}
# Tool names, or "METHOD /path/**" with * for one segment and for any method.
# include: []
# exclude: ["* /admin/**"]

# Settle what is a parameter: "/post/{id}" is one, "/post/^new" is not.
# hints: []

# tools:
#   get_order:
#     description: Returns one order with its lines and totals.
#     arguments: {limit: {maximum: 100}}
#     fixed: {currency: EUR}
#     confirm: always
#     expires: 2027-12-31

# auth:
#   api: {env: ORDERS_TOKEN, hosts: [api.example.com]}
{{if .AllowPrivate}}
# The recorded API runs on this machine: these addresses may be called.
server:
  allow_private:
{{range .AllowPrivate}}    - {{.}}
{{end}}{{else}}
# server:
#   instructions: What an agent should know before it uses these tools.
{{end}}`))

// ignored is what git should not keep of a .caskmcp folder.
const ignored = `# Written by caskmcp: outputs and marks that are not part of the state.
plans/
reports/
audit/
toolpacks/*/artifact/
toolpacks/*/lockfile/caskmcp.lock.pending.yaml
toolpacks/*/lockfile/.*
toolpacks/*/lockfile/approved/.*
`

// Create writes a commented toolpack.yaml for n in the repository at root, and
// .caskmcp/.gitignore where there is none. It never overwrites a toolpack.
func Create(root string, n New) (*Toolpack, error) {
	if err := CheckName(n.Name); err != nil {
		return nil, err
	}
	dir := DirOf(root, n.Name)
	name := filepath.Join(dir, FileName)
	if _, err := os.Stat(name); err == nil {
		return nil, fmt.Errorf("creating toolpack: %s exists already", name)
	}
	var buf bytes.Buffer
	if err := fresh.Execute(&buf, n); err != nil {
		return nil, fmt.Errorf("creating toolpack: %w", err)
	}
	if _, err := Parse(buf.Bytes()); err != nil {
		return nil, fmt.Errorf("creating toolpack: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating toolpack: %w", err)
	}
	if err := files.Write(name, buf.Bytes(), 0o644); err != nil {
		return nil, fmt.Errorf("creating toolpack: %w", err)
	}
	return Load(dir)
}

// WriteIgnore writes .caskmcp/.gitignore in the repository at root unless
// there is one.
func WriteIgnore(root string) error {
	name := filepath.Join(root, Folder, ".gitignore")
	if _, err := os.Lstat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("creating %s: %w", Folder, err)
	}
	return files.Write(name, []byte(ignored), 0o644)
}
