package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caskmcp": main})
}

// TestScript runs the command the way people do. Scripts have the demo's
// recordings as $HAR/mugs.har and $HAR/mugs-v2.har.
func TestScript(t *testing.T) {
	demo, err := filepath.Abs("demo")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    runWithCode,
			"replace": replaceInFile,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("HAR", demo)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(e.WorkDir, ".gitconfig"))
			return os.WriteFile(filepath.Join(e.WorkDir, ".gitconfig"), []byte("[user]\n\tname = Test\n\temail = test@example.com\n[init]\n\tdefaultBranch = main\n"), 0o644)
		},
	})
}

// runWithCode is "code N caskmcp ARG...": testscript itself cannot tell exit
// codes apart.
func runWithCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N caskmcp ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		coded, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = coded.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// replaceInFile is "replace FILE OLD NEW": OLD must be there.
func replaceInFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	name := ts.MkAbs(args[0])
	doc, err := os.ReadFile(name)
	ts.Check(err)
	if !bytes.Contains(doc, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, bytes.Replace(doc, []byte(args[1]), []byte(args[2]), 1), 0o644))
}

// testEnv is a world of its own for run: an empty folder, no terminal, a fixed
// clock and an empty environment.
func testEnv(t *testing.T) (*env, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".caskmcp"), 0o755))
	return &env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Dir: dir, User: "tester",
		Getenv:    func(string) string { return "" },
		LookupEnv: func(string) (string, bool) { return "", false },
		Now:       func() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) },
	}, &out, &errs
}

// must runs a command that has to end with code.
func must(t *testing.T, e *env, code int, args ...string) {
	t.Helper()
	got := run(context.Background(), e, args)
	require.Equal(t, code, got, "caskmcp %s\n%s", strings.Join(args, " "), e.Stderr)
}
