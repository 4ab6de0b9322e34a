package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	markup "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"github.com/tomallicino/caskmcp/internal/githubfake"
	"github.com/tomallicino/caskmcp/plan"
)

// said is everything that runs of the action write.
type said struct{ markdown, logs, outputs []string }

// hostile is a story whose pull request says the text wherever people choose
// words: in the specification, in toolpack.yaml and in the title. It is
// planned, merged without approval and pushed.
func hostile(t *testing.T, text string) said {
	t.Helper()
	s := newStory(t, onlyReviews)
	quoted, err := json.Marshal(text)
	require.NoError(t, err)
	s.push("alice", "topic", func() {
		s.spec("Lists mugs, newest first.", string(quoted), "Orders mugs.", string(quoted), "[matte, gloss]", "[matte, "+string(quoted)+"]")
		s.caskmcp("compile", "--name", "shop")
		s.override("get_mug", string(quoted))
		path := ".caskmcp/toolpacks/shop/toolpack.yaml"
		doc, err := os.ReadFile(filepath.Join(s.work, path))
		require.NoError(t, err)
		s.write(path, string(doc)+"\nserver: {instructions: "+string(quoted)+"}\n")
	})
	n, err := s.fake.OpenPull(githubfake.Pull{Title: text, Author: "alice", Head: "topic"})
	require.NoError(t, err)
	var all said
	keep := func() {
		require.Contains(t, s.summary, "get_mug")
		all.markdown, all.logs, all.outputs = append(all.markdown, s.summary), append(all.logs, s.log), append(all.outputs, s.output)
	}
	require.Equal(t, exitOK, s.planned(n), s.log)
	keep()
	s.merge(n, "alice", githubfake.Squash)
	require.Equal(t, exitGate, s.pushed(), s.log)
	keep()
	state := s.fake.State()
	for _, c := range state.Comments {
		all.markdown = append(all.markdown, c.Body)
	}
	left := state.Pulls[len(state.Pulls)-1]
	require.Equal(t, leftOverBranch, left.Head)
	all.markdown = append(all.markdown, left.Body)
	return all
}

func inertMarkup(t *testing.T) {
	t.Parallel()
	all := hostile(t, "</details></code><img src=x onerror=alert(1)>![i](https://evil.example/i.png) [l](https://evil.example) @acme/security #1 `x` ``` | <!-- --> <script>1</script>")
	converter := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(markup.WithUnsafe()))
	for _, text := range all.markdown {
		require.Contains(t, text, "evil.example", "it is shown")
		var page bytes.Buffer
		require.NoError(t, converter.Convert([]byte(text), &page))
		tree, err := html.Parse(&page)
		require.NoError(t, err)
		for node := range tree.Descendants() {
			if node.Type == html.CommentNode {
				require.True(t, strings.HasPrefix(node.Data, " caskmcp:"), node.Data)
			}
			if node.Type == html.TextNode && strings.Contains(node.Data, "@acme/security") {
				require.True(t, within(node, "code"), "a mention: %s", node.Data)
			}
			if node.Type != html.ElementNode {
				continue
			}
			require.NotContains(t, []string{"img", "script", "iframe", "style", "form"}, node.Data)
			for _, a := range node.Attr {
				require.NotContains(t, a.Val, "evil.example", "%s %s", node.Data, a.Key)
				require.False(t, strings.HasPrefix(a.Key, "on"), a.Key)
			}
		}
	}
}

func within(node *html.Node, element string) bool {
	for p := range node.Ancestors() {
		if p.Type == html.ElementNode && p.Data == element {
			return true
		}
	}
	return false
}

func hiddenCharacters(t *testing.T) {
	t.Parallel()
	all := hostile(t, "a\u202eb\u200bc\U000e0041d\x1b[31me\u2066f\ufeffg\u00adh")
	for _, text := range slices.Concat(all.markdown, all.logs) {
		for _, r := range text {
			require.False(t, r != '\n' && r != '\ufe0f' && plan.Hidden(r), "%U in %s", r, text)
		}
	}
	require.Contains(t, all.logs[0], `\u{202E}`, "the log shows what is hidden")
}

// ownCommand matches the commands that we give the runner.
var ownCommand = regexp.MustCompile(`^::(notice|warning|error|stop-commands)( [^:]*)?::`)

func workflowCommands(t *testing.T) {
	t.Parallel()
	evil := "x\n::add-mask::true\n  ::set-output name=approved::true\n::error::pwned\n##[error]pwned ##[add-mask]x\n::stop-commands::x\n_GitHubActionsFileCommandDelimeter_\napproved<<E\ntrue\nE"
	all := hostile(t, evil)
	for _, log := range all.logs {
		require.NotContains(t, log, "##[")
		resume := ""
		for line := range strings.Lines(log) {
			line = strings.TrimSpace(line)
			switch token, stops := strings.CutPrefix(line, "::stop-commands::"); {
			case resume != "":
				if line == "::"+resume+"::" {
					resume = ""
				}
			case stops:
				require.Regexp(t, `^caskmcp-[0-9a-f]{32}$`, token)
				resume = token
			case strings.HasPrefix(line, "::"):
				require.Regexp(t, ownCommand, line)
			}
		}
		require.Empty(t, resume, "commands stay stopped")
	}
	for _, doc := range all.outputs {
		names := outputNames(t, doc)
		require.NotContains(t, names, "approved")
		require.Contains(t, names, "plan-digest")
	}
}

// outputNames reads a file of outputs as the runner does.
func outputNames(t *testing.T, doc string) []string {
	t.Helper()
	var names []string
	end := ""
	for line := range strings.Lines(doc) {
		line = strings.TrimRight(line, "\n")
		if end != "" {
			if line == end {
				end = ""
			}
			continue
		}
		name, delimiter, ok := strings.Cut(line, "<<")
		require.True(t, ok, line)
		names, end = append(names, name), delimiter
	}
	require.Empty(t, end)
	return names
}

// What is too large or too deep fails, and says so: nothing is cut and then
// planned.
func bombs(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	s.landed()
	before := s.lock()
	t.Run("a deep capture in a pull request", func(t *testing.T) {
		const deep = 200_000
		s.push("alice", "deep", func() {
			s.write(".caskmcp/captures/shop-deadbeef.json", `{"version": "1.0", "x": `+strings.Repeat("[", deep)+strings.Repeat("]", deep)+"}")
		})
		n := s.open("alice", "deep")
		require.Equal(t, exitError, s.planned(n), s.log)
		state, _ := s.status(s.pull(n).SHA, approvalStatus)
		require.Equal(t, "error", state)
		require.Contains(t, s.summary, "plan failed")
		s.merge(n, "alice", githubfake.Squash)
		require.NotEqual(t, exitOK, s.pushed(), s.log)
		require.Equal(t, before.Tools, s.lock().Tools)
	})
	s.git("alice", "fetch", "-q", "origin")
	s.push("alice", "main", func() { require.NoError(t, os.Remove(filepath.Join(s.work, ".caskmcp/captures/shop-deadbeef.json"))) })
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		doc  []byte
		says string
	}{
		"bomb.zip": {zipBomb(t), "it unpacks to more than"},
		"deep.har": {[]byte(`{"log": {"entries": [{"request": ` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000) + `}]}}`), "no JSON value"},
		"deep.zip": {[]byte(strings.Repeat("[", 1<<20)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, tt.doc, 0o644))
			require.Equal(t, exitError, s.step("drift", "schedule", map[string]any{}, "CASKMCP_CAPTURE="+path), s.log)
			require.Contains(t, s.log, tt.says)
			require.NotContains(t, s.summary, "caskmcp drift")
		})
	}
}

// zipBomb is an archive of a few bytes that unpacks to 8 GB, as it says.
func zipBomb(t *testing.T) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	f, err := w.CreateRaw(&zip.FileHeader{Name: "recording.har", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(nil), CompressedSize64: 2, UncompressedSize64: 8 << 30})
	require.NoError(t, err)
	_, err = f.Write([]byte{3, 0})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// A secret in a capture shuts the gate, and its value is nowhere.
func secretInCapture(t *testing.T) {
	t.Parallel()
	s := newStory(t, onlyReviews)
	secret := "ghp_" + strings.Repeat("a1B2", 9)
	s.push("alice", "topic", func() {
		s.shop()
		names, err := filepath.Glob(filepath.Join(s.work, ".caskmcp", "captures", "*.json"))
		require.NoError(t, err)
		require.Len(t, names, 1)
		doc, err := os.ReadFile(names[0])
		require.NoError(t, err)
		require.Contains(t, string(doc), "Orders mugs.")
		require.NoError(t, os.WriteFile(names[0], bytes.ReplaceAll(doc, []byte("Orders mugs."), []byte("Orders mugs with "+secret)), 0o644))
	})
	n := s.open("alice", "topic")
	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitGate, s.planned(n), s.log)
	s.review(n, "bob", "APPROVED")
	require.Equal(t, exitGate, s.counted(n), s.log)
	s.requireStatus(n, "failure")
	shown := []string{s.summary, s.log, s.output, fmt.Sprint(s.fake.State().Comments), fmt.Sprint(s.fake.State().Statuses)}
	require.NoError(t, filepath.WalkDir(filepath.Join(s.checkout, ".caskmcp", "plans"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		doc, err := os.ReadFile(name)
		shown = append(shown, string(doc))
		return err
	}))
	require.Greater(t, len(shown), 5)
	for _, text := range shown {
		require.NotContains(t, text, secret)
	}
}
