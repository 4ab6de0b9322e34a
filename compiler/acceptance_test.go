package compiler

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/surface"
)

// These tests hold what the order, the grouping and the growth of recordings
// must not change. With -har they read those files; otherwise one recorded set
// and generated traffic.

// recordings are the HAR files to test with, and their hosts.
func recordings(t *testing.T) (map[string][]harEntry, []string) {
	files := map[string]string{"hard": filepath.Join("testdata", "infer", "hard.har"), "ids": generate(t, 11, 400)}
	hosts := []string{"api.shop.test", "api.hard.example"}
	if *harFiles != "" {
		files, hosts = map[string]string{}, strings.Split(*harHosts, ",")
		for _, f := range strings.Split(*harFiles, ",") {
			files[filepath.Base(filepath.Dir(f))] = f
		}
	}
	out := map[string][]harEntry{}
	for name, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var har harFile
		require.NoError(t, json.Unmarshal(data, &har))
		out[name] = har.Log.Entries
	}
	return out, hosts
}

// shuffled is a permutation of entries.
func shuffled(entries []harEntry, seed uint64) []harEntry {
	out := slices.Clone(entries)
	rand.New(rand.NewPCG(seed, 1)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// parts splits entries into n files.
func parts(t *testing.T, entries []harEntry, n int) []string {
	var files []string
	dir := t.TempDir()
	for i := range n {
		var har harFile
		har.Log.Version = "1.2"
		har.Log.Entries = entries[i*len(entries)/n : (i+1)*len(entries)/n]
		doc, err := json.Marshal(har)
		require.NoError(t, err)
		files = append(files, filepath.Join(dir, fmt.Sprintf("%02d.har", i)))
		require.NoError(t, os.WriteFile(files[i], doc, 0o644))
	}
	return files
}

func observe(t *testing.T, hosts []string, files ...string) *capture.Capture {
	c, _, err := capture.Observe(t.Context(), files, capture.Options{Name: "x", Hosts: hosts})
	require.NoError(t, err)
	return c
}

// written is everything that is written of a capture: its own bytes, the
// artifacts, and what was decided.
func written(t *testing.T, c *capture.Capture) map[string]string {
	sealed, _ := Seal(c, SealOptions{})
	doc, err := sealed.Encode()
	require.NoError(t, err)
	out := map[string]string{"capture": string(doc)}
	maps.Copy(out, artifacts(t, sealed))
	return out
}

func artifacts(t *testing.T, c *capture.Capture) map[string]string {
	files, err := Artifacts(compile(t, surface.Prior{}, Options{}, c), "x")
	require.NoError(t, err)
	out := map[string]string{}
	for file, doc := range files {
		out[file] = string(doc)
	}
	return out
}

// The order of entries and their split into files of one import leave no
// trace, and sealing changes nothing.
func TestOrderAndSplitLeaveNoTrace(t *testing.T) {
	sets, hosts := recordings(t)
	for name, entries := range sets {
		t.Run(name, func(t *testing.T) {
			c := observe(t, hosts, parts(t, entries, 1)...)
			want := written(t, c)
			for file, doc := range artifacts(t, c) {
				require.Equal(t, want[file], doc, "%s before and after sealing", file)
			}
			for seed := range uint64(5) {
				require.Equal(t, want, written(t, observe(t, hosts, parts(t, shuffled(entries, seed), 1)...)))
			}
			files := parts(t, entries, 10)
			slices.Reverse(files)
			require.Equal(t, want, written(t, observe(t, hosts, files...)))
		})
	}
}

// Ten imports of their own are one surface in any order. What one recording
// alone could not know, and the joint import does, is listed.
func TestSeparateImportsAreOneSurface(t *testing.T) {
	sets, hosts := recordings(t)
	for name, entries := range sets {
		t.Run(name, func(t *testing.T) {
			var sealed []*capture.Capture
			for i, file := range parts(t, shuffled(entries, 3), 10) {
				c, _ := Seal(observe(t, hosts, file), SealOptions{})
				c.Name = fmt.Sprintf("part-%02d", i)
				sealed = append(sealed, c)
			}
			want := compile(t, surface.Prior{}, Options{}, sealed...)
			for seed := range uint64(3) {
				order := slices.Clone(sealed)
				rand.New(rand.NewPCG(seed, 2)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				require.Equal(t, digests(t, want), digests(t, compile(t, surface.Prior{}, Options{}, order...)))
			}
			joint := requests(compile(t, surface.Prior{}, Options{}, observe(t, hosts, parts(t, entries, 1)...)))
			apart := requests(want)
			differ := 0
			for request := range joint {
				if !apart[request] {
					differ++
					t.Logf("only of the joint import: %s", request)
				}
			}
			for request := range apart {
				if !joint[request] {
					t.Logf("only of separate imports: %s", request)
				}
			}
			require.LessOrEqual(t, differ*20, len(joint), "more than 5 %% of the operations differ")
		})
	}
}

// requests are the identities of a surface.
func requests(r *Result) map[string]bool {
	out := map[string]bool{}
	for _, x := range r.Surface.Tools {
		out[x.Binding.Identity()] = true
	}
	return out
}

// A recording that grows tenth by tenth, with an approval after each, renames
// nothing and changes what is approved only where it is contradicted.
func TestGrowthIsStable(t *testing.T) {
	sets, hosts := recordings(t)
	for name, entries := range sets {
		t.Run(name, func(t *testing.T) {
			files := parts(t, entries, 10)
			var prior surface.Prior
			var captures []*capture.Capture
			before := map[string]string{}
			names := map[string]string{}
			changed, gone := 0, 0
			for i, file := range files {
				c, _ := Seal(observe(t, hosts, file), SealOptions{Prior: prior})
				c.Name = fmt.Sprintf("part-%02d", i)
				captures = append(captures, c)
				r := compile(t, prior, Options{}, captures...)
				contradicted := map[string]bool{}
				for _, x := range r.Contradictions {
					contradicted[x.Tool] = true
					t.Logf("step %d: %s is contradicted: %s %s", i+1, x.Tool, x.Code, x.Path)
				}
				after := digests(t, r)
				for tool, digest := range before {
					switch {
					case after[tool] == "":
						gone++
						t.Logf("step %d: %s is gone", i+1, tool)
					case after[tool] != digest:
						changed++
						require.True(t, contradicted[tool], "step %d: %s changed without a contradiction", i+1, tool)
					}
				}
				for _, x := range r.Surface.Tools {
					id := x.Binding.Identity()
					require.True(t, names[id] == "" || names[id] == x.Name, "step %d: %s was renamed to %s", i+1, names[id], x.Name)
					names[id] = x.Name
				}
				prior, before = approved(t, r), after
			}
			t.Logf("%d tools after ten steps; %d contradicted, %d gone", len(before), changed, gone)
			require.Zero(t, gone)
			require.LessOrEqual(t, changed*10, len(before), "recordings of one API contradict each other in more than 10 %% of the tools")
			require.NotEmpty(t, before)
		})
	}
}
