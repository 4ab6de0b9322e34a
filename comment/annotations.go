package comment

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// The levels of an annotation, as the runner names them.
const (
	LevelError   = "error"
	LevelWarning = "warning"
	LevelNotice  = "notice"
)

// Annotation is a remark at a place of the pull request's files. Title and
// Message are one printable line each; escaping them for a workflow command is
// the caller's.
type Annotation struct {
	Level          string
	Title, Message string
	// File is relative to the repository; "" where no file is concerned.
	File string
	Line int // from 1; 0 where it is not known
}

// Bounds of what the runner shows: ten annotations of a level for each step,
// and 4,096 characters of each.
const (
	maxAnnotations = 9
	maxMessage     = 4096
	maxTitle       = 200
)

// Annotations are the remarks of the plans for the files they were made from,
// the most important first: at most nine, and one that counts the others. Read
// returns the contents of a file that the plan of that toolpack names, nil
// where there is none; with a nil read, annotations have no lines.
func Annotations(packs []Toolpack, read func(pack int, name string) []byte) []Annotation {
	var all []ranked
	held := slices.ContainsFunc(packs, func(t Toolpack) bool { return secrets(t.Plan.Notes) > 0 })
	for i, t := range packs {
		in := ""
		if len(packs) > 1 {
			in = " in " + t.Plan.Toolpack
		}
		if held { // any captured text could be the secret
			all = append(all, secretAnnotations(t.Plan, in)...)
			continue
		}
		all = append(all, changeAnnotations(t.Plan, in, func(name string) []byte {
			if read == nil {
				return nil
			}
			return read(i, name)
		})...)
	}
	slices.SortStableFunc(all, func(x, y ranked) int { return cmp.Compare(x.rank, y.rank) })
	var out []Annotation
	for _, x := range all[:min(len(all), maxAnnotations)] {
		out = append(out, x.Annotation)
	}
	if more := len(all) - maxAnnotations; more > 0 {
		out = append(out, Annotation{Level: LevelNotice, Title: "caskmcp plan", Message: plural(more, "more remark") + ": see the job summary"})
	}
	return out
}

// ranked is an annotation and its place among those of all toolpacks.
type ranked struct {
	Annotation
	rank int
}

func secretAnnotations(p *plan.Plan, in string) (all []ranked) {
	for _, n := range p.Notes {
		if n.Code == plan.SecretNote {
			all = append(all, ranked{annotation(LevelError, "secret in a capture"+in, strings.TrimSpace(n.Text+" "+n.Hint), place{file: named(p, n.Text)}), 0})
		}
	}
	return all
}

func changeAnnotations(p *plan.Plan, in string, read func(name string) []byte) (all []ranked) {
	if len(p.Changes) == 0 {
		return nil
	}
	places := locate(p, read)
	for _, c := range p.Changes {
		if len(c.Reasons) == 0 || c.Class() == plan.Info {
			continue
		}
		level, rank := LevelNotice, c.Rank()
		switch {
		case c.Kind == plan.StateKind:
			level, rank = LevelError, -1
		case c.Class() == plan.Block:
			level = LevelWarning
		}
		all = append(all, ranked{annotation(level, title(c)+in, message(c), places.of(c)), rank})
	}
	return all
}

func annotation(level, title, message string, at place) Annotation {
	return Annotation{Level: level, Title: clip("caskmcp: "+title, maxTitle), Message: clip(message, maxMessage), File: at.file, Line: at.line}
}

// clip makes s one printable line of at most n characters.
func clip(s string, n int) string {
	s = LogLine(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func title(c plan.Change) string {
	if c.Kind == plan.StateKind {
		return "changed outside caskmcp: " + c.Identity + " " + c.Name
	}
	return fmt.Sprintf("%s %s %s", c.Action().Symbol(), c.Kind, c.Name)
}

// message has the reasons of c, and the request it is about.
func message(c plan.Change) string {
	var parts []string
	for _, r := range c.Reasons {
		if r.Class != plan.Info {
			parts = append(parts, r.Text)
		}
	}
	text := strings.Join(parts, "; ")
	if c.Request != "" {
		text += " (" + c.Request + ")"
	}
	return text
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// places are where the objects of a plan come from.
type places struct {
	requests map[string]place // by request, names of variables erased
	blocks   map[plan.Kind]place
	pack     place
}

// of is where c comes from: a line of a capture, or of toolpack.yaml.
func (x places) of(c plan.Change) place {
	if c.Kind == plan.StateKind {
		return place{}
	}
	if c.Kind == plan.ToolKind {
		request, _, _ := strings.Cut(c.Request, " (")
		if at, ok := x.requests[erased(request)]; ok {
			return at
		}
	}
	if at, ok := x.blocks[c.Kind]; ok {
		return at
	}
	return x.pack
}

// locate reads where requests are in the captures, which hold one observation a
// line, and where the blocks of toolpack.yaml begin.
func locate(p *plan.Plan, read func(name string) []byte) places {
	x := places{requests: map[string]place{}, blocks: map[plan.Kind]place{}}
	for _, in := range p.Inputs {
		isPack := path.Base(in.Path) == "toolpack.yaml"
		if isPack {
			x.pack = place{file: in.Path}
		}
		for i, line := range bytes.Split(read(in.Path), []byte("\n")) {
			at := place{in.Path, i + 1}
			if isPack {
				if kind, ok := packBlocks[string(bytes.TrimRight(line, " \r"))]; ok {
					x.blocks[kind] = at
				}
				continue
			}
			var o struct {
				Method, Scheme, Host, Path string
				Port                       int
			}
			if !bytes.HasPrefix(line, []byte("{")) || json.Unmarshal(bytes.TrimRight(line, ",\r"), &o) != nil {
				continue
			}
			request := erased(o.Method + " " + surface.Origin(o.Scheme, o.Host, o.Port) + o.Path)
			if _, ok := x.requests[request]; !ok {
				x.requests[request] = at
			}
		}
	}
	return x
}

// packBlocks are the lines of toolpack.yaml that changes of a kind come from.
var packBlocks = map[string]plan.Kind{"policy:": plan.PolicyKind, "server:": plan.ServerKind, "toolsets:": plan.ToolsetKind}

var variable = regexp.MustCompile(`\{[^{}]*\}`)

// erased is a request without the names of its variables.
func erased(request string) string { return variable.ReplaceAllString(request, "{}") }

// named is the first input that the text names.
func named(p *plan.Plan, text string) string {
	for _, in := range p.Inputs {
		if strings.Contains(text, path.Base(in.Path)) {
			return in.Path
		}
	}
	return ""
}
