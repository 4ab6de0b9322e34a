package contract_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/internal/githubfake/contract"
)

var document = sync.OnceValues(func() (*openapi3.T, error) {
	return contract.Load(filepath.Join("..", "..", "..", "testdata", "github", "gh-slice.json"))
})

// told sends a request to something that answers so, and returns what is wrong.
func told(t *testing.T, method, path, body string, code int, kind, answer string) []string {
	t.Helper()
	doc, err := document()
	require.NoError(t, err)
	var wrong []string
	c := contract.New(doc, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}), func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) })
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	c.ServeHTTP(httptest.NewRecorder(), r)
	return wrong
}

const (
	repo   = "/repos/acme/tools"
	json   = "application/json; charset=utf-8"
	basic  = `{"message": "no", "documentation_url": "https://docs.github.com/rest", "status": "403"}`
	failed = `{"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest", "errors": [{"code": "custom", "message": "x"}]}`
)

// Each kind of refusal, from an operation whose description has it and from one
// whose description does not: the right one passes, and no wrong one does.
func TestRefusals(t *testing.T) {
	described := map[int]string{
		400: "POST " + repo + "/issues", 403: "POST " + repo + "/issues", 404: "GET " + repo + "/pulls/1", 406: "GET " + repo + "/pulls/1",
		409: "GET " + repo + "/commits/c0ffee/pulls", 410: "GET " + repo + "/issues/1/comments", 422: "POST " + repo + "/issues", 500: "GET " + repo + "/pulls/1", 503: "GET " + repo + "/pulls/1",
	}
	for _, code := range []int{400, 401, 403, 404, 406, 409, 410, 418, 422, 429, 500, 502, 503, 504} {
		for _, operation := range []string{described[code], "GET " + repo + "/pulls/1/reviews"} {
			if operation == "" {
				continue
			}
			t.Run(fmt.Sprint(code, " ", operation), func(t *testing.T) {
				method, path, _ := strings.Cut(operation, " ")
				body, right := "", basic
				if method == http.MethodPost {
					body = `{"title": "x"}`
				}
				if code == 422 {
					right = failed
				}
				if code == 503 {
					right = strings.Replace(basic, "status", "code", 1)
				}
				require.Empty(t, told(t, method, path, body, code, json, right))
				for what, wrong := range map[string]string{
					"no body": "", "no JSON": "Bad Gateway", "a list": "[]", "nothing": "null", "no message": `{"documentation_url": "x"}`,
					"an empty message": `{"message": "", "documentation_url": "x"}`, "a message that is no text": `{"message": 1, "documentation_url": "x"}`,
					"a member that GitHub does not name": strings.Replace(right, "{", `{"errorMessage": "x",`, 1),
				} {
					require.NotEmpty(t, told(t, method, path, body, code, json, wrong), what)
				}
				require.NotEmpty(t, told(t, method, path, body, code, "text/html", right), "HTML")
				require.NotEmpty(t, told(t, method, path, body, code, "", right), "no type")
			})
		}
	}
	require.NotEmpty(t, told(t, "POST", repo+"/issues", `{"title": "x"}`, 422, json, `{"message": "x"}`), "no documentation_url")
}

func TestOtherReplies(t *testing.T) {
	for name, tt := range map[string]struct {
		code   int
		answer string
		wrong  bool
	}{
		"a list":            {200, "[]", false},
		"an object":         {200, "{}", true},
		"what is no review": {200, `[{"id": 1}]`, true},
		"no such success":   {202, "[]", true},
		"a redirection":     {302, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.wrong, len(told(t, "GET", repo+"/pulls/1/reviews", "", tt.code, json, tt.answer)) > 0)
		})
	}
}

func TestRequests(t *testing.T) {
	for name, tt := range map[string][3]string{
		"no operation":         {"GET", "/repos/acme/tools/secrets", ""},
		"another method":       {"PUT", repo + "/pulls/1", `{"title": "x"}`},
		"two segments for one": {"GET", repo + "/git/ref/heads/main", ""},
		"no body":              {"POST", repo + "/issues", ""},
		"a member is missing":  {"POST", repo + "/issues", `{"body": "x"}`},
		"a wrong parameter":    {"GET", repo + "/pulls?state=merged", ""},
		"a number is none":     {"GET", repo + "/pulls/one", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.NotEmpty(t, told(t, tt[0], tt[1], tt[2], 403, json, basic))
		})
	}
}

func TestSent(t *testing.T) {
	doc, err := document()
	require.NoError(t, err)
	c := contract.New(doc, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", json)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, basic)
	}), t.Errorf)
	c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", repo+"/git/ref/heads%2Fmain", http.NoBody))
	require.Equal(t, []string{"GET " + repo + "/git/ref/heads%2Fmain"}, c.Sent())
}
