package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Values that the API below asks for.
const (
	sessionCookie = "sid=s%3Ac0ffee5e55i0n7f3a91b24d"
	browserID     = "7c1b3d0e-55aa-4c0e-8e0b-1f2e3d4c5b6a"
)

// guardedAPI answers only who sends all that it wants: a session cookie with the
// browser it was given to, its version, and for what changes something a sign
// that a script sent it.
func guardedAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	deny := func(status int, why string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q}`, why)
	}
	switch {
	case r.Header.Get("Cookie") != sessionCookie:
		deny(401, "no session")
	case r.Header.Get("Browser-Id") != browserID:
		deny(401, "another browser")
	case r.Header.Get("Guarded-Version") != "2022-06-28":
		deny(400, "no version")
	case r.Method != "GET" && r.Header.Get("X-Requested-With") != "Notebook":
		deny(403, "no script")
	case r.Method == "GET":
		fmt.Fprintf(w, `{"items":[{"id":"%d","title":"a"}]}`, len(r.URL.Path))
	default:
		fmt.Fprint(w, `{"id":"n1","title":"b"}`)
	}
}

// TestCompanionHeaders records an API that needs more than its credential, and
// calls it through what was compiled and approved.
func TestCompanionHeaders(t *testing.T) {
	live := httptest.NewServer(http.HandlerFunc(guardedAPI))
	defer live.Close()
	rec := &recorder{t: t}
	all := map[string]string{
		"Cookie": sessionCookie, "Browser-Id": browserID, "Guarded-Version": "2022-06-28",
		"X-Device-Id": "0d9c8b7a-1111-4222-8333-944455566677", "X-Client-Version": "4.11.2", "X-Client": "notebook-web",
	}
	scripted := maps.Clone(all)
	scripted["X-Requested-With"] = "Notebook"
	for range 4 {
		for _, list := range []string{"notes", "tags", "people"} {
			rec.send("GET", live.URL+"/api/"+list, all, nil)
		}
		rec.send("POST", live.URL+"/api/notes", scripted, object{"title": "b"})
	}
	// A call without the header of the browser is denied, and one without the
	// script's; both have what the application measures itself by.
	without := maps.Clone(all)
	delete(without, "Browser-Id")
	rec.send("GET", live.URL+"/api/notes", without, nil)
	rec.send("POST", live.URL+"/api/notes", all, object{"title": "b"})

	e, _, _ := testEnv(t)
	u, err := url.Parse(live.URL)
	require.NoError(t, err)
	must(t, e, exitOK, "capture", "import", rec.write("notes.har"), "-a", u.Host, "--name", "notes")
	must(t, e, exitOK, "compile", "--name", "notes")
	config, err := os.OpenFile(filepath.Join(e.Dir, ".caskmcp", "toolpacks", "notes", "toolpack.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = config.WriteString("policy:\n  default: deny\n  rules:\n    - {name: allow_all, action: allow, effects: [read, write]}\ntools:\n  create_note: {confirm: never}\n")
	require.NoError(t, err)
	require.NoError(t, config.Close())
	must(t, e, exitOK, "apply", "--auto-approve")
	noneOf(t, e.Dir, browserID, strings.TrimPrefix(sessionCookie, "sid="), all["X-Device-Id"], "notebook-web", "4.11.2")

	type header struct{ In, Key, Value string }
	fixed, also := map[string][]header{}, map[string][]string{}
	for _, name := range []string{"list_notes", "list_tags", "create_note"} {
		doc, err := os.ReadFile(filepath.Join(e.Dir, ".caskmcp", "toolpacks", "notes", "lockfile", "approved", name+".json"))
		require.NoError(t, err)
		var x struct {
			Binding struct{ Fixed []header }
			Auth    struct{ Also []struct{ Ref, Name string } }
		}
		require.NoError(t, json.Unmarshal(doc, &x))
		fixed[name] = x.Binding.Fixed
		for _, a := range x.Auth.Also {
			also[name] = append(also[name], a.Ref+" "+a.Name)
		}
	}
	version, script := header{"header", "guarded-version", "2022-06-28"}, header{"header", "x-requested-with", "Notebook"}
	require.Equal(t, map[string][]header{"list_notes": {version}, "list_tags": {version}, "create_note": {version, script}}, fixed)
	needed := []string{"browser_id browser-id"}
	require.Equal(t, map[string][]string{"list_notes": needed, "list_tags": needed, "create_note": needed}, also,
		"what was never missed is not asked for: no device, no client")

	_, cookie, _ := strings.Cut(sessionCookie, "=")
	s := &served{t: t, dir: e.Dir, name: "notes"}
	s.client = connect(t, e.Dir, []string{"CASKMCP_NOTES_SESSION=" + cookie}, "serve", "--toolpack", "notes", "--toolset", "operator")
	require.Contains(t, s.refused(approvedTool{Name: "list_tags"}, nil), "CASKMCP_NOTES_BROWSER_ID")
	s.client = connect(t, e.Dir, []string{"CASKMCP_NOTES_SESSION=" + cookie, "CASKMCP_NOTES_BROWSER_ID=" + browserID}, "serve", "--toolpack", "notes", "--toolset", "operator")
	var answer struct{ Items []struct{ ID string } }
	s.call(approvedTool{Name: "list_tags"}, nil, &answer)
	require.Equal(t, "9", answer.Items[0].ID)
	var made struct{ Title string }
	s.call(approvedTool{Name: "create_note"}, object{"title": "c"}, &made)
	require.Equal(t, "b", made.Title)
}

// noneOf requires that no file below dir holds one of the texts.
func noneOf(t *testing.T, dir string, texts ...string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, ".caskmcp"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		doc, err := os.ReadFile(path)
		for _, text := range texts {
			require.NotContains(t, string(doc), text, path)
		}
		return err
	}))
}
