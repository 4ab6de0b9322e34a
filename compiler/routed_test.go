package compiler

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoutesAmongRoutes has unknown words with equal routes below them where
// everything else is a word of routes, and something that holds the same words.
func TestRoutesAmongRoutes(t *testing.T) {
	lines := `
		GET /tools 200 [{"name":"code-scanning"},{"name":"secret-scanning"}]
	`
	for _, repo := range []string{"/repos/1001/", "/repos/1002/", "/repos/1003/"} {
		for _, route := range []string{"issues", "comments", "releases", "branches", "events"} {
			lines += "GET " + repo + route + ` 200 [{"id":7}]` + "\n"
		}
		lines += "GET " + repo + `code-scanning/alerts 200 [{"number":7,"state":"open"}]` + "\n"
		lines += "GET " + repo + `secret-scanning/alerts 200 [{"number":7,"state":"open"}]` + "\n"
	}
	got := inferred(t, lines)
	require.Contains(t, got, "GET /repos/{}/code-scanning/alerts")
	require.Contains(t, got, "GET /repos/{}/secret-scanning/alerts")
}

func TestSegmentsBesideOthers(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		want  []string
	}{
		"a word of routes among numbers": {`
			GET /runners/4711 200 {"id":4711,"os":"linux","busy":false}
			GET /runners/4712 200 {"id":4712,"os":"linux","busy":false}
			GET /runners/machine-sizes 200 {"total":2}`,
			[]string{"GET /runners/machine-sizes", "GET /runners/{}"}},
		"a marked route below two words is no mark of names": {`
			GET /api/weather/_providers 200 {"a":1}
			GET /api/history/_providers 200 {"a":1}`,
			[]string{"GET /api/history/_providers", "GET /api/weather/_providers"}},
		"two numbers with a dot that nothing follows": {`
			GET /data/settings/7f3a9c2b4d5e6f70/1.0 200 {"a":1}
			GET /data/settings/7f3a9c2b4d5e6f70/1.1 200 {"a":1}
			GET /1.1/settings/email 200 {"a":1}`,
			[]string{"GET /1.1/settings/email", "GET /data/settings/{}/{}"}},
		"a name that an answer holds with its extension": {`
			GET /backups 200 [{"key":"weekly.zip"},{"key":"first.zip"}]
			DELETE /backups/weekly.zip 204
			DELETE /backups/first.zip 204`,
			[]string{"DELETE /backups/{}", "GET /backups"}},
		"an extension behind a number": {`
			GET /pulls/17 200 {"number":17}
			GET /pulls/18 200 {"number":18}
			GET /pulls/17.diff 200`,
			[]string{"GET /pulls/{}", "GET /pulls/{}.diff"}},
		"a sign before a colon": {`
			GET /tokens 200 [{"secret":"x"}]
			DELETE /tokens/*:development.6f1e2d3c4b5a69788796a5b4c3d2e1f0 204
			DELETE /tokens/*:production.0f1e2d3c4b5a69788796a5b4c3d2e1f1 204`,
			[]string{"DELETE /tokens/{}", "GET /tokens"}},
		"commands with equal answers": {`
			POST /actions/add-comment 200 {"results":[{"code":200,"status":"ok"}]}
			POST /actions/remove-comment 200 {"results":[{"code":200,"status":"ok"}]}
			POST /actions/schedule-downtime 200 {"results":[{"code":200,"status":"ok"}]}`,
			[]string{"POST /actions/add-comment", "POST /actions/remove-comment", "POST /actions/schedule-downtime"}},
		"an id of mixed case with one digit": {`
			GET /clients/0oaDyVoYteOTWHEnkQtV 200 {"a":1}`,
			[]string{"GET /clients/{}"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, inferred(t, c.lines)) })
	}
}
