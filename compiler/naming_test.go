package compiler

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/openapi"
	"github.com/tomallicino/caskmcp/surface"
)

var namingFiles = flag.String("naming", "", "comma-separated HAR files, captures and specifications whose names TestNaming looks at, too; -hosts are those of the HAR files")

// brokenStems are what careless singulars leave of English words.
var brokenStems = wordSet(`statu sery cach addres acces proces clas busines proce analysi basi axi bu specy movy cooky databas respons expens licens
	purchas releas invoic devic servic sourc resourc imag messag packag pag rol rul fil nod templat updat workspac namespac cas siz typ cours hous
	phas phras vers insid activ progres virtu corpu campu censu bonu viru consensu focu radiu menus index indic ax ca gas len bia atla alia canva`)

// Names are words of the API that every client takes, and no two are the same.
func TestNaming(t *testing.T) {
	files, err := filepath.Glob("../testdata/captures/*.json")
	require.NoError(t, err)
	specs, err := filepath.Glob("../openapi/testdata/*.yaml")
	require.NoError(t, err)
	files = append(append(files, specs...), generate(t, 3, 400))
	if *namingFiles != "" {
		files = append(files, strings.Split(*namingFiles, ",")...)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			c := readAny(t, file)
			if c == nil {
				t.Skip("it declares nothing")
			}
			r := compile(t, surface.Prior{}, Options{}, c)
			names := map[string]bool{}
			for _, x := range r.Surface.Tools {
				require.Regexp(t, `^[a-z][a-z0-9_]{0,47}$`, x.Name)
				require.False(t, names[x.Name], x.Name)
				names[x.Name] = true
				require.NotEmpty(t, x.Title)
				require.NotEmpty(t, x.Description)
				require.LessOrEqual(t, len(x.Description), maxDescription)
				checkWords(t, &x)
				checkArguments(t, &x)
			}
			t.Logf("%d tools", len(names))
		})
	}
}

// readAny reads a HAR file, a capture or a specification; nil is a document
// without operations.
func readAny(t *testing.T, file string) *capture.Capture {
	if strings.HasSuffix(file, ".har") {
		hosts := append(strings.Split(*harHosts, ","), "api.shop.test")
		c, _, err := capture.Observe(t.Context(), []string{file}, capture.Options{Name: "x", Hosts: slices.DeleteFunc(hosts, func(h string) bool { return h == "" })})
		require.NoError(t, err)
		return c
	}
	if c, err := capture.Read(file); err == nil {
		return c
	}
	doc, err := os.ReadFile(file)
	require.NoError(t, err)
	c, _, err := openapi.Import(doc, openapi.ImportOptions{Name: "x", Hosts: []string{"api.shop.test"}})
	if err != nil {
		c, _, err = openapi.Import(doc, openapi.ImportOptions{Name: "x"})
	}
	if err != nil {
		return nil
	}
	return c
}

// checkWords looks for stems that the API does not spell like that itself.
func checkWords(t *testing.T, x *surface.Tool) {
	b := x.Binding
	own := " " + strings.Join(pathWords(b), " ") + " "
	words := strings.Split(x.Name, "_")
	for _, a := range b.Arguments {
		if a.In == surface.InPath {
			words = append(words, strings.Split(a.Name, "_")...)
		}
	}
	for _, w := range words {
		require.False(t, brokenStems[w] && !strings.Contains(own, " "+w+" "), "%s for %s: %q is no word", x.Name, b.Request(), w)
	}
}

// checkArguments holds that arguments, bindings and the path agree, and that
// every parameter has a name of its own.
func checkArguments(t *testing.T, x *surface.Tool) {
	var doc struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(x.InputSchema, &doc))
	require.Len(t, doc.Properties, len(x.Binding.Arguments), x.Name)
	path := holes(x.Binding.Path)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(path))), len(path), "%s: %v", x.Name, path)
	for _, a := range x.Binding.Arguments {
		require.True(t, isLegalArgument(a.Name), "%s: %q", x.Name, a.Name)
		require.Contains(t, doc.Properties, a.Name)
		if a.In == surface.InPath {
			require.Contains(t, path, a.Key, x.Name)
		}
	}
}
