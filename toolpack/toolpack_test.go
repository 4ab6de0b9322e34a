package toolpack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const minimal = "version: \"1.0\"\nname: shop\ncaptures: [shop-*.json]\n"

func TestParse(t *testing.T) {
	c, err := Parse([]byte(minimal + `
scope: agent_safe_readonly
tools:
  list_mugs:
    rename: search_mugs
    fixed: {glaze: matte}
    arguments: {limit: {maximum: 50}}
    risk: medium
    confirm: always
    limits: {rate: 30, response_bytes: 65536, timeout: 10}
    redact: [email]
    toolsets: [readonly]
    expires: 2027-12-31
toolsets:
  readonly: {description: Reads only., default: true}
policy:
  default: deny
  rules: [{name: allow_reads, action: allow, effects: [read]}]
auth:
  shop: {env: SHOP_TOKEN, hosts: [api.shop.example]}
server:
  instructions: Prices are in cents.
  allow_private: [127.0.0.1/32]
`))
	require.NoError(t, err)
	require.Equal(t, "search_mugs", c.Tools["list_mugs"].Rename)
	require.Equal(t, 50, c.Tools["list_mugs"].Arguments["limit"]["maximum"])
	require.Equal(t, "SHOP_TOKEN", c.Auth["shop"].Env)
	require.True(t, c.Toolsets["readonly"].Default)
}

// TestParseRefuses makes sure that nothing people write is ignored.
func TestParseRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"no version":           "name: shop\n",
		"unknown version":      "version: \"2.0\"\nname: shop\n",
		"name with a slash":    "version: \"1.0\"\nname: ../evil\n",
		"unknown key":          minimal + "confirms: always\n",
		"unknown tool key":     minimal + "tools: {a: {confrim: always}}\n",
		"duplicate key":        minimal + "name: other\n",
		"second document":      minimal + "---\nname: other\n",
		"capture outside":      "version: \"1.0\"\nname: shop\ncaptures: [../../etc/passwd]\n",
		"bad pattern":          "version: \"1.0\"\nname: shop\ncaptures: [\"[\"]\n",
		"unknown risk":         minimal + "tools: {a: {risk: huge}}\n",
		"unknown confirm":      minimal + "tools: {a: {confirm: maybe}}\n",
		"no such day":          minimal + "tools: {a: {expires: 2027-13-01}}\n",
		"negative limit":       minimal + "tools: {a: {limits: {rate: -1}}}\n",
		"scope twice":          minimal + "scope: first_party_only\nscope_file: scope.yaml\n",
		"auth without env":     minimal + "auth: {a: {hosts: [b]}}\n",
		"toolset named oddly":  minimal + "toolsets: {\"../x\": {description: x}}\n",
		"policy without rules": minimal + "policy: {default: sometimes}\n",
		"not YAML":             "\t{",
	} {
		_, err := Parse([]byte(doc))
		require.Error(t, err, name)
	}
}

// newRepository is a folder with toolpacks of the given names.
func newRepository(t *testing.T, names ...string) string {
	root := t.TempDir()
	require.NoError(t, WriteIgnore(root))
	for _, n := range names {
		_, err := Create(root, New{Name: n})
		require.NoError(t, err)
	}
	return root
}

func TestFind(t *testing.T) {
	root := newRepository(t, "shop")
	want := DirOf(root, "shop")
	below := filepath.Join(root, "src", "deep")
	require.NoError(t, os.MkdirAll(below, 0o755))
	for _, ref := range []string{"", "shop", want, filepath.Join(want, FileName)} {
		got, err := Find(below, ref)
		require.NoError(t, err, ref)
		require.Equal(t, want, got)
	}
	got, err := Find(root, filepath.Join(Folder, "toolpacks", "shop"))
	require.NoError(t, err)
	require.Equal(t, want, got)

	var missing *NotFoundError
	_, err = Find(root, "other")
	require.ErrorAs(t, err, &missing)
	require.Equal(t, []string{"shop"}, missing.Known)
	_, err = Find(newRepository(t), "")
	require.ErrorAs(t, err, &missing)
	_, err = Find(newRepository(t, "a", "b"), "")
	require.ErrorContains(t, err, "--toolpack")
}

func TestCreate(t *testing.T) {
	root := newRepository(t)
	p, err := Create(root, New{Name: "shop", Scope: "agent_safe_readonly", AllowPrivate: []string{"127.0.0.1/32"}})
	require.NoError(t, err)
	require.Equal(t, root, p.Root)
	require.Equal(t, "agent_safe_readonly", p.Config.Scope)
	require.Equal(t, []string{"shop-*.json"}, p.Config.Captures)
	require.Equal(t, []string{"127.0.0.1/32"}, p.Config.Server.AllowPrivate)

	_, err = Create(root, New{Name: "shop"})
	require.ErrorContains(t, err, "exists already")
	_, err = Create(root, New{Name: "../evil"})
	require.ErrorContains(t, err, "not allowed")

	ignore := filepath.Join(root, Folder, ".gitignore")
	require.NoError(t, os.WriteFile(ignore, []byte("mine\n"), 0o644))
	require.NoError(t, WriteIgnore(root))
	doc, err := os.ReadFile(ignore)
	require.NoError(t, err)
	require.Equal(t, "mine\n", string(doc), "people's file is left alone")
}

func TestCaptureFiles(t *testing.T) {
	root := newRepository(t, "shop")
	dir := CapturesIn(root)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, n := range []string{"shop-b.json", "shop-a.json", "other-a.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, n), nil, 0o644))
	}
	p, err := Load(DirOf(root, "shop"))
	require.NoError(t, err)
	p.Config.Captures = []string{"shop-*.json", "shop-a.json"}
	got, err := p.CaptureFiles()
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "shop-a.json"), filepath.Join(dir, "shop-b.json")}, got)
	require.Equal(t, ".caskmcp/captures/shop-a.json", p.Rel(got[0]))

	p.Config.Captures = []string{"none-*.json"}
	_, err = p.CaptureFiles()
	require.ErrorContains(t, err, "none-*.json")

	p.Config.Captures = []string{"gone-1.json"}
	_, err = p.CaptureFiles()
	require.ErrorContains(t, err, "gone-1.json")
}

func TestRepository(t *testing.T) {
	root := t.TempDir()
	r, err := LoadRepository(root)
	require.NoError(t, err)
	require.Empty(t, r.Approvals.Accept)

	name := filepath.Join(root, RepositoryFile)
	require.NoError(t, os.WriteFile(name, []byte("version: \"1.0\"\napprovals: {accept: [review], approvers: {high: [\"@acme/security\"]}}\ngithub: {app: \"acme-caskmcp[bot]\"}\n"), 0o644))
	r, err = LoadRepository(root)
	require.NoError(t, err)
	require.Equal(t, []string{"review"}, r.Approvals.Accept)
	require.Equal(t, "acme-caskmcp[bot]", r.GitHub.App)

	for _, doc := range []string{"version: \"9\"\n", "version: \"1.0\"\napprovals: {accept: [comments]}\n", "version: \"1.0\"\napprovals: {approvers: {huge: [a]}}\n", "version: \"1.0\"\nother: 1\n",
		"version: \"1.0\"\ngithub: {app: alice}\n", "version: \"1.0\"\ngithub: {app: \"Github-Actions[bot]\"}\n", "version: \"1.0\"\ngithub: {app: \"a b[bot]\"}\n",
	} {
		require.NoError(t, os.WriteFile(name, []byte(doc), 0o644))
		_, err = LoadRepository(root)
		require.Error(t, err, doc)
	}
}

// FuzzParse checks that what is accepted means the same once written again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "tools: {a: {fixed: {x: [1, {y: z}]}, expires: 2027-01-01}}\n"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		c, err := Parse(doc)
		if err != nil {
			return
		}
		again, err := yaml.Marshal(c)
		require.NoError(t, err)
		_, err = Parse(again)
		require.NoError(t, err, "%s", again)
	})
}

func TestScopeFileStaysInTheToolpack(t *testing.T) {
	for _, name := range []string{"../scope.yaml", "/etc/scope.yaml", "a/../../scope.yaml"} {
		_, err := Parse([]byte("version: \"1.0\"\nname: x\ncaptures: []\nscope_file: " + name + "\n"))
		require.ErrorContains(t, err, "scope_file", name)
	}
	_, err := Parse([]byte("version: \"1.0\"\nname: x\ncaptures: []\nscope_file: rules/scope.yaml\n"))
	require.NoError(t, err)
}
