package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// ciJob is a job of examples/ci: its script, and the files it leaves.
type ciJob struct {
	name, script string
	artifacts    []string
}

// ciSystem is one of the systems in examples/ci, as far as the examples use it.
type ciSystem struct {
	// jobs are what an event runs, in order.
	jobs func(t *testing.T, doc string, env map[string]string) []ciJob
	// shell runs a script that it is given as the last argument.
	shell []string
	// events: "request" for main, "push" to it and "timer".
	events map[string]map[string]string
}

// TestCIExamples runs the scripts in examples/ci, line by line as they stand
// there, through the life of a change: planned and refused, approved on the
// command line, merged, and watched for drift.
func TestCIExamples(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the examples are shell scripts")
	}
	for name, sys := range map[string]ciSystem{
		".gitlab-ci.yml": {
			jobs: gitlabJobs, shell: []string{"bash", "-eo", "pipefail", "-c"},
			events: map[string]map[string]string{
				"request": {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"},
				"push":    {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"},
				"timer":   {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"},
			},
		},
		"Jenkinsfile": {
			jobs: jenkinsJobs, shell: []string{"sh", "-xec"},
			events: map[string]map[string]string{
				"request": {"CHANGE_TARGET": "main"},
				"push":    {"BRANCH_NAME": "main"},
				"timer":   {"BRANCH_NAME": "main", "TRIGGER": "TimerTrigger"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := os.ReadFile(filepath.Join("..", "..", "examples", "ci", name))
			require.NoError(t, err)
			text := string(doc)
			require.Equal(t, 1, strings.Count(text, "<commit>"))
			c := newCIRun(t, sys, strings.Replace(text, "<commit>", revision, 1))

			c.commit("topic", func() { c.describe("get_mug", "Returns one mug by its id.") })
			require.Equal(t, map[string]int{"plan": exitOK, "check": exitGate}, c.run("request"))
			require.Contains(t, c.read("plan.md"), "by its id")
			c.commit("topic", func() { must(t, c.env, exitOK, "apply", "--auto-approve", "--by", "bob") })
			require.Equal(t, map[string]int{"plan": exitOK, "check": exitOK}, c.run("request"))
			require.Contains(t, c.read("plan.md"), "by its id", "the plan is against the target branch")

			c.git("checkout", "-q", "main")
			c.git("merge", "-q", "--ff-only", "topic")
			require.Equal(t, map[string]int{"check": exitOK}, c.run("push"))
			c.record("mugs.har")
			require.Equal(t, map[string]int{"check": exitOK, "drift": exitOK}, c.run("timer"))
			c.record("mugs-v2.har")
			require.Equal(t, map[string]int{"check": exitOK, "drift": exitGate}, c.run("timer"))
		})
	}
}

// ciRun is a repository with an approved toolpack and a CI system.
type ciRun struct {
	t   *testing.T
	sys ciSystem
	doc string
	dir string
	bin string // programs of the machine that jobs run on
	env *env
}

func newCIRun(t *testing.T, sys ciSystem, doc string) *ciRun {
	e, _, _ := testEnv(t)
	c := &ciRun{t: t, sys: sys, doc: doc, dir: e.Dir, bin: t.TempDir(), env: e}
	self, err := os.Executable()
	require.NoError(t, err)
	// What the network would bring: the commit that the example installs.
	require.NoError(t, os.WriteFile(filepath.Join(c.bin, "go"), []byte(`#!/bin/sh
if [ "$*" != "install github.com/tomallicino/caskmcp/cmd/caskmcp@`+revision+`" ]; then
  echo "go $*: not how caskmcp is installed" >&2
  exit 1
fi
to=${GOBIN:-$GOPATH/bin}
mkdir -p "$to"
ln -sf '`+self+`' "$to/caskmcp"
`), 0o755))
	origin := t.TempDir()
	c.git("init", "-q", "--bare", "-b", "main", origin)
	c.git("init", "-q", "-b", "main")
	c.git("remote", "add", "origin", origin)
	importMugs(t, e, "mugs.har")
	must(t, e, exitOK, "apply", "--auto-approve", "--by", "bob")
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "record-the-api"), []byte("#!/bin/sh\ncp recorded.har \"$1\"\n"), 0o755))
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "tools")
	c.git("push", "-q", "origin", "main")
	return c
}

func (c *ciRun) git(args ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", append([]string{"-C", c.dir, "-c", "user.name=bob", "-c", "user.email=bob@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, "git %s\n%s", strings.Join(args, " "), out)
}

// commit commits what f does on a branch.
func (c *ciRun) commit(branch string, f func()) {
	c.t.Helper()
	c.git("checkout", "-q", "-B", branch)
	f()
	c.git("add", ".caskmcp")
	c.git("commit", "-q", "-m", branch)
}

func (c *ciRun) describe(tool, text string) {
	c.t.Helper()
	name := filepath.Join(c.dir, ".caskmcp", "toolpacks", "mugs", "toolpack.yaml")
	doc, err := os.ReadFile(name)
	require.NoError(c.t, err)
	require.NoError(c.t, os.WriteFile(name, append(doc, "\ntools: {"+tool+": {description: "+text+"}}\n"...), 0o644))
}

// record is what the API answers from now on.
func (c *ciRun) record(har string) {
	c.t.Helper()
	doc, err := os.ReadFile(filepath.Join("demo", har))
	require.NoError(c.t, err)
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, "recorded.har"), doc, 0o644))
}

func (c *ciRun) read(name string) string {
	c.t.Helper()
	doc, err := os.ReadFile(filepath.Join(c.dir, name))
	require.NoError(c.t, err)
	return string(doc)
}

// run runs the jobs of an event and returns their exit codes. Every job that
// works or says no leaves its artifacts.
func (c *ciRun) run(event string) map[string]int {
	c.t.Helper()
	vars := map[string]string{
		"PATH": c.bin + ":" + filepath.Join(c.bin, "gopath", "bin") + ":/usr/local/bin:/usr/bin:/bin", "GOPATH": filepath.Join(c.bin, "gopath"),
		"HOME": c.bin, "WORKSPACE": c.dir, "CI_DEFAULT_BRANCH": "main",
	}
	for k, v := range c.sys.events[event] {
		vars[k] = v
	}
	codes := map[string]int{}
	for _, job := range c.sys.jobs(c.t, c.doc, vars) {
		for _, name := range job.artifacts {
			_ = os.Remove(filepath.Join(c.dir, name))
		}
		cmd := exec.CommandContext(c.t.Context(), c.sys.shell[0], append(c.sys.shell[1:], job.script)...)
		cmd.Dir = c.dir
		for k, v := range vars {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(c.t, err)
		}
		codes[job.name] = cmd.ProcessState.ExitCode()
		require.Contains(c.t, []int{exitOK, exitGate}, codes[job.name], "%s: %s\n%s", job.name, job.script, out)
		for _, name := range job.artifacts {
			require.FileExists(c.t, filepath.Join(c.dir, name), "%s\n%s", job.name, out)
		}
	}
	return codes
}

// gitlabRule is a condition of a rule: a variable, and what it has to equal.
var gitlabRule = regexp.MustCompile(`^\$([A-Z_]+) == (?:"([^"]*)"|\$([A-Z_]+))$`)

// gitlabJobs are the jobs of .gitlab-ci.yml one of whose rules holds.
func gitlabJobs(t *testing.T, doc string, env map[string]string) (jobs []ciJob) {
	type job struct {
		Extends      string
		Variables    map[string]string
		BeforeScript []string `yaml:"before_script"`
		Script       []string
		Rules        []struct{ If string }
		Artifacts    struct{ Paths []string }
	}
	var all map[string]yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(doc), &all))
	get := func(name string) (j job) {
		n := all[name]
		require.NoError(t, n.Decode(&j), name)
		return j
	}
	for _, name := range []string{"plan", "check", "drift"} {
		j := get(name)
		require.NotEmpty(t, j.Script)
		base := get(j.Extends)
		for k, v := range base.Variables {
			env[k] = v
		}
		runs := false
		for _, r := range j.Rules {
			m := gitlabRule.FindStringSubmatch(r.If)
			require.NotNil(t, m, r.If)
			want := m[2]
			if m[3] != "" {
				want = env[m[3]]
			}
			runs = runs || env[m[1]] == want
		}
		if runs {
			script := strings.Join(append(base.BeforeScript, j.Script...), "\n")
			jobs = append(jobs, ciJob{name: name, script: script, artifacts: j.Artifacts.Paths})
		}
	}
	require.Len(t, all, 5, "stages, .caskmcp and three jobs")
	return jobs
}

// What is read of the Jenkinsfile: variables, and in each stage its condition,
// steps and artifacts.
var (
	jenkinsVariable = regexp.MustCompile(`^\s+([A-Z_]+) = ["'](.*)["']$`)
	jenkinsStage    = regexp.MustCompile(`stage\('([a-z]+)'\)`)
	jenkinsStep     = regexp.MustCompile(`\bsh '([^'\\]+)'`)
	jenkinsArtifact = regexp.MustCompile(`artifacts: '([^']+)'`)
)

// jenkinsJobs are the stages of the Jenkinsfile whose conditions hold; what the
// stage install does is part of the others, which run on its machine.
func jenkinsJobs(t *testing.T, doc string, env map[string]string) (jobs []ciJob) {
	_, stages, ok := strings.Cut(doc, "stages {")
	require.True(t, ok)
	workspace := strings.NewReplacer("${WORKSPACE}", env["WORKSPACE"], "${PATH}", env["PATH"])
	for line := range strings.Lines(doc) {
		if m := jenkinsVariable.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			env[m[1]] = workspace.Replace(m[2])
		}
	}
	conditions := map[string]bool{"": true, "changeRequest()": env["CHANGE_TARGET"] != "", "triggeredBy 'TimerTrigger'": env["TRIGGER"] == "TimerTrigger"}
	starts := jenkinsStage.FindAllStringSubmatchIndex(stages, -1)
	steps, install := 0, ""
	for i, at := range starts {
		end := len(stages)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		name, body := stages[at[2]:at[3]], stages[at[1]:end]
		condition := ""
		if _, after, ok := strings.Cut(body, "when { "); ok {
			condition, _, _ = strings.Cut(after, " }")
		}
		require.Contains(t, conditions, condition)
		var script []string
		for _, m := range jenkinsStep.FindAllStringSubmatch(body, -1) {
			script = append(script, m[1])
		}
		require.NotEmpty(t, script, name)
		steps += len(script)
		if name == "install" {
			install = strings.Join(script, "\n")
			continue
		}
		var artifacts []string
		for _, m := range jenkinsArtifact.FindAllStringSubmatch(body, -1) {
			artifacts = append(artifacts, strings.Split(m[1], ",")...)
		}
		if conditions[condition] {
			jobs = append(jobs, ciJob{name: name, script: install + "\n" + strings.Join(script, "\n"), artifacts: artifacts})
		}
	}
	require.Equal(t, strings.Count(doc, "sh '"), steps, "a step is in no stage, or could not be read")
	return jobs
}
