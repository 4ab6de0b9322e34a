package compiler

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRouter(t *testing.T) {
	var r router
	for _, p := range []string{"/users/{}", "/users/me", "/users/{}/posts", "/{}/me/posts", "/reports/{}", "/reports/{}.csv", "/compare/{}...{}",
		"/odata/Customers('{}')", "/topics/{}:publish", "/x/{}-p{}", "/{}/{}", "/"} {
		r.add("GET", p)
	}
	r.add("POST", "/users/{}")
	for path, want := range map[string]string{
		"/users/7":               "/users/{}",
		"/users/7/":              "/users/{}",
		"/users/me":              "/users/me",
		"/users/me/posts":        "/users/{}/posts",
		"/reports/7.csv":         "/reports/{}.csv",
		"/reports/7.pdf":         "/reports/{}",
		"/reports/.csv":          "/reports/{}",
		"/compare/main...dev":    "/compare/{}...{}",
		"/odata/Customers('A')":  "/odata/Customers('{}')",
		"/topics/orders:publish": "/topics/{}:publish",
		"/x/red-shoes-p8812":     "/x/{}-p{}",
		"/other/thing":           "/{}/{}",
		"/":                      "/",
		"/a/b/c":                 "",
	} {
		require.Equal(t, want, r.match("GET", path), path)
	}
	require.Equal(t, "/users/{}", r.match("POST", "/users/me"))
	require.Empty(t, r.match("DELETE", "/users/7"))
}

func TestCapturePattern(t *testing.T) {
	for _, c := range []struct {
		pattern, segment string
		want             []string
	}{
		{"{}", "a", []string{"a"}},
		{"{}", "", nil},
		{"{}.csv", "a.b.csv", []string{"a.b"}},
		{"{}...{}", "main...dev", []string{"main", "dev"}},
		{"{}:{}", "a:b:c", []string{"a", "b:c"}},
		{"a", "a", []string{}},
		{"a", "ab", nil},
		{"@{}", "@x", []string{"x"}},
		{"{}{}", "x", nil},
	} {
		got, ok := capturePattern(c.pattern, c.segment)
		require.Equal(t, c.want != nil, ok, "%s %s", c.pattern, c.segment)
		if ok {
			require.Equal(t, c.want, got, "%s %s", c.pattern, c.segment)
		}
	}
}

// FuzzTemplates checks that no path breaks inference or sealing, that a path
// fits its own template, and that what is sealed stays as it is.
func FuzzTemplates(f *testing.F) {
	for _, s := range []string{"/users/7\n/users/me", "/a/b.csv\n/a/c.csv", "/x/{int}.json\n/x/y", "/@a%2Fb\n/@c", "/t/a:b\n/t/c:b\n/t/{word}:b", "/m;a={int};b=c", "//\n/{}\n/}{",
		"/o/N('x')\n/o/N(1)", "/c/a...b\n/c/...", "/_x/-y/$z", "/é/日本\n/%zz/%2F"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		var paths []string
		for line := range strings.Lines(doc) {
			if p := strings.TrimSuffix(line, "\n"); strings.HasPrefix(p, "/") && len(paths) < 8 && len(p) < 200 {
				paths = append(paths, p)
			}
		}
		obs := observations(paths)
		assigned, _ := inferTemplates(obs, nil, nil)
		sealed := make([]string, len(obs))
		for i, o := range obs {
			var r router
			r.add("GET", assigned[i])
			if !strings.Contains(o.Path, "{") {
				require.NotEmpty(t, r.match("GET", o.Path), "%q does not fit its own template %q", o.Path, assigned[i])
			}
			sealed[i] = sealPath(o.Path, assigned[i])
			require.Equal(t, sealed[i], sealPath(sealed[i], assigned[i]))
		}
	})
}
