package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/tomallicino/caskmcp/plan"
)

// step is the GitHub Actions step that runs this process: its inputs, outputs,
// summary and log. Whatever a capture can influence goes through setOutput,
// summarise, annotate and logCaptured, which keep it data.
type step struct {
	env     *env
	gh      *githubactions.Action
	outputs map[string]string
}

// maxSummary bounds the job summary, in bytes: the runner drops a file over
// 1,048,576.
const maxSummary = 1_000_000

// maxAnnotations is how many annotations of one kind GitHub shows per step;
// the last one counts the rest.
const maxAnnotations = 10

// maxAnnotation bounds the text of an annotation, in bytes.
const maxAnnotation = 4096

func (e *env) newStep() (*step, error) {
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		if e.Getenv(name) == "" {
			return nil, hint(fmt.Errorf("%s is not set", name), "this command is for GitHub Actions steps; on a machine run: caskmcp plan")
		}
	}
	return &step{
		env: e, outputs: map[string]string{},
		gh: githubactions.New(githubactions.WithWriter(e.Stdout), githubactions.WithGetenv(e.Getenv)),
	}, nil
}

var outputName = regexp.MustCompile(`^[a-z][a-z-]*$`)

// setOutput sets an output of the step. The delimiter is random, unlike the
// client library's: a value that knew it could set other outputs.
func (s *step) setOutput(name, value string) error {
	if !outputName.MatchString(name) {
		return fmt.Errorf("setting output %q: the name is not allowed", name)
	}
	delimiter, err := random()
	if err != nil {
		return err
	}
	if strings.Contains(value, delimiter) {
		return fmt.Errorf("setting output %s: the value holds its own delimiter", name)
	}
	f, err := os.OpenFile(s.env.Getenv("GITHUB_OUTPUT"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("setting output %s: %w", name, err)
	}
	_, err = fmt.Fprintf(f, "%s<<%s\n%s\n%s\n", name, delimiter, value, delimiter)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("setting output %s: %w", name, err)
	}
	s.outputs[name] = value
	return nil
}

// random is a word nobody can guess.
func random() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return "caskmcp-" + hex.EncodeToString(b[:]), nil
}

// summarise appends Markdown, made inert by package comment, to the job
// summary.
func (s *step) summarise(markdown string) {
	if len(markdown) > maxSummary {
		markdown = strings.ToValidUTF8(markdown[:maxSummary], "")
	}
	s.gh.AddStepSummary(markdown)
}

// logCaptured prints text that may hold captured words: between stop-commands
// with a random end, one line each, with the runner's second command form
// broken.
func (s *step) logCaptured(text string) error {
	end, err := random()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "::stop-commands::%s\n", end)
	for line := range strings.Lines(text) {
		b.WriteString(strings.ReplaceAll(plan.Printable(strings.TrimRight(line, "\r\n")), "##[", "# #[") + "\n")
	}
	fmt.Fprintf(&b, "::%s::\n", end)
	_, err = io.WriteString(s.env.Stdout, b.String())
	return err
}

// annotation is a remark at a line of a file.
type annotation struct {
	Level string // error, warning or notice
	File  string // relative to the repository; "" for none
	Line  int    // 0: none
	Title string
	Text  string
}

// annotate writes annotations, the most important first, at most ten of a
// level. The library escapes what ends a command.
func (s *step) annotate(all []annotation) {
	count := map[string]int{}
	for _, a := range all {
		count[a.Level]++
	}
	given := map[string]int{}
	for _, a := range all {
		switch n := given[a.Level]; {
		case n >= maxAnnotations:
			continue
		case n == maxAnnotations-1 && count[a.Level] > maxAnnotations:
			a = annotation{Level: a.Level, Text: fmt.Sprintf("%d more, see the job summary", count[a.Level]-n)}
		}
		given[a.Level]++
		s.gh.IssueCommand(a.command())
	}
}

func (a annotation) command() *githubactions.Command {
	p := githubactions.CommandProperties{}
	if a.File != "" {
		p["file"] = a.File
	}
	if a.Line > 0 {
		p["line"] = fmt.Sprint(a.Line)
	}
	if a.Title != "" {
		p["title"] = line(a.Title)
	}
	text := plan.Printable(a.Text)
	if len(text) > maxAnnotation {
		text = strings.ToValidUTF8(text[:maxAnnotation-4], "") + "…"
	}
	return &githubactions.Command{Name: a.Level, Message: text, Properties: p}
}

// line is s on one line.
func line(s string) string { return strings.Join(strings.Fields(plan.Printable(s)), " ") }

// notice is an annotation about the run itself.
func (s *step) notice(format string, args ...any) {
	s.annotate([]annotation{{Level: "notice", Title: "caskmcp", Text: fmt.Sprintf(format, args...)}})
}

// warning is a notice that asks for something.
func (s *step) warning(format string, args ...any) {
	s.annotate([]annotation{{Level: "warning", Title: "caskmcp", Text: fmt.Sprintf(format, args...)}})
}
