package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tomallicino/caskmcp/surface"
)

// verifier fills a state's surface with what verifies.
type verifier struct {
	tree  *tree
	state *State
	// covered are the paths that an approved block claims.
	covered map[string]bool
	// loaded are the definitions of the approved blocks by tool name.
	loaded map[string]*definition
}

// definition is a stored tool and its digest, or why there is none.
type definition struct {
	doc              []byte
	readErr, toolErr error
	tool             surface.Tool
	digest           string
}

// load reads the definitions of all approved blocks, one by one, and parses
// them on all processors, which is most of the work of opening a state.
func (v *verifier) load() {
	v.loaded = map[string]*definition{}
	queue := make(chan *definition, len(v.state.Lock.Tools))
	for name, b := range v.state.Lock.Tools {
		if b.Status != surface.Approved || !ValidName(name) {
			continue
		}
		d := &definition{}
		if d.doc, d.readErr = v.tree.read(DefinitionPath(name)); d.readErr == nil {
			queue <- d
		}
		v.loaded[name] = d
	}
	close(queue)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for d := range queue {
				d.tool, d.digest, d.toolErr = surface.ParseToolDigest(d.doc)
			}
		})
	}
	wg.Wait()
}

func (v *verifier) all() {
	l := &v.state.Lock
	v.state.PolicyOK = v.document(KindPolicy, PolicyPath, l.Policy, func(doc []byte) (string, error) {
		p, err := surface.ParsePolicy(doc)
		if err != nil {
			return "", err
		}
		v.state.Surface.Policy = p
		return p.Digest()
	})
	v.state.ServerOK = v.document(KindServer, ServerPath, l.Server, func(doc []byte) (string, error) {
		s, err := surface.ParseServer(doc)
		if err != nil {
			return "", err
		}
		v.state.Surface.Server = s
		return s.Digest()
	})
	if !v.state.PolicyOK {
		v.state.Surface.Policy = surface.Surface{}.Policy
	}
	if !v.state.ServerOK {
		v.state.Surface.Server = surface.Server{}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Toolsets)) {
		v.toolset(name, l.Toolsets[name])
	}
	clashes := v.clashes()
	v.load()
	for _, name := range slices.Sorted(maps.Keys(l.Tools)) {
		tool, ok := v.tool(name, l.Tools[name])
		if ok && !clashes[name] {
			v.state.Surface.Tools = append(v.state.Surface.Tools, tool)
		}
	}
}

// block checks what every block has, and reports whether it is approved.
func (v *verifier) block(kind, name string, b *Block, whole any) bool {
	if err := verify(kind, name, b, whole); err != nil {
		v.state.add(kind, name, CodeApproval, "the approval of %s does not verify, because %v: %s", label(kind, name), err, restore)
		return false
	}
	return b.Status == surface.Approved
}

// document verifies the policy or server block. parse returns the digest of
// what it read.
func (v *verifier) document(kind, at string, b *Block, parse func([]byte) (string, error)) bool {
	if b == nil {
		return false
	}
	v.covered[at] = b.Status == surface.Approved
	if !v.block(kind, "", b, b) {
		return false
	}
	doc, err := v.tree.read(at)
	if !v.readable(kind, "", at, err) {
		return false
	}
	digest, err := parse(doc)
	return v.digest(kind, "", at, b.Digest, digest, err)
}

// readable reports whether a definition could be read.
func (v *verifier) readable(kind, name, at string, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, fs.ErrNotExist):
		v.state.add(kind, name, CodeMissing, "%s is approved, but %s is missing: %s", label(kind, name), at, restore)
	default:
		v.state.add(kind, name, CodeUnreadable, "%s is approved, but its definition cannot be read (%v): %s", label(kind, name), err, restore)
	}
	return false
}

// digest compares what was approved with what is there.
func (v *verifier) digest(kind, name, at, approved, found string, err error) bool {
	switch {
	case err != nil:
		v.state.add(kind, name, CodeUnreadable, "%s is not as caskmcp wrote it (%v): %s", at, err, restore)
		return false
	case approved != found:
		v.state.add(kind, name, CodeDigest, "%s is not what was approved (approved %s, found %s): %s", at, short(approved), short(found), restore)
		return false
	}
	return true
}

func short(digest string) string {
	const n = len("sha256:") + 12
	if len(digest) > n {
		return digest[:n]
	}
	return digest
}

func (v *verifier) toolset(name string, b *ToolsetBlock) {
	if !v.block(KindToolset, name, &b.Block, b) {
		return
	}
	t := surface.Toolset{Name: name, Description: b.Description, Default: b.Default}
	found, err := t.Digest()
	if err != nil || found != b.Digest {
		v.state.add(KindToolset, name, CodeDigest, "toolset %q is not what was approved (approved %s, found %s): %s", name, short(b.Digest), short(found), restore)
		return
	}
	v.state.Surface.Toolsets = append(v.state.Surface.Toolsets, t)
}

// clashes are the tools that two blocks claim, by operation or, on a file
// system that ignores case, by file.
func (v *verifier) clashes() map[string]bool {
	clash := map[string]bool{}
	identities, folds := map[string][]string{}, map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(v.state.Lock.Tools)) {
		b := v.state.Lock.Tools[name]
		identities[b.Identity] = append(identities[b.Identity], name)
		if b.Status == surface.Approved {
			folds[Fold(name)] = append(folds[Fold(name)], name)
		}
	}
	report := func(groups map[string][]string, code, text string) {
		for _, names := range groups {
			if len(names) < 2 {
				continue
			}
			for _, name := range names {
				clash[name] = true
				v.state.add(KindTool, name, code, text, strings.Join(names, ", "))
			}
		}
	}
	report(identities, CodeDuplicate, `the blocks %s decide about one operation, and none of them is served: remove all but one from `+Name+` and its definition from approved/, then run "caskmcp plan"`)
	report(folds, CodeConfusable, `the names %s differ only in case, and none of them is served: rename one in toolpack.yaml, then run "caskmcp plan"`)
	return clash
}

func (v *verifier) tool(name string, b *ToolBlock) (surface.Tool, bool) {
	if !ValidName(name) {
		v.state.add(KindTool, name, CodeName, "%q cannot name a tool: %s", name, restore)
		return surface.Tool{}, false
	}
	at := DefinitionPath(name)
	if b.Status == surface.Approved {
		v.covered[at] = true
	}
	if !v.block(KindTool, name, &b.Block, b) {
		return surface.Tool{}, false
	}
	d := v.loaded[name]
	if !v.readable(KindTool, name, at, d.readErr) || !v.digest(KindTool, name, at, b.Digest, d.digest, d.toolErr) {
		return surface.Tool{}, false
	}
	if field := disagreement(name, b, d.tool); field != "" {
		v.state.add(KindTool, name, CodeDisagrees, "the block of tool %q names another %s than %s: %s", name, field, at, restore)
		return surface.Tool{}, false
	}
	if err := meaningful(d.tool); err != nil {
		v.state.add(KindTool, name, CodeInvalid, "%s cannot be served, because %v: %s", at, err, restore)
		return surface.Tool{}, false
	}
	return d.tool, true
}

// disagreement is the first field in which the block describes another tool.
func disagreement(name string, b *ToolBlock, t surface.Tool) string {
	switch {
	case t.Name != name:
		return "name"
	case t.Binding.Identity() != b.Identity:
		return "identity"
	case t.Binding.Request() != b.Request:
		return "request"
	case t.Risk != b.Risk:
		return "risk"
	case !slices.Equal(t.Toolsets, b.Toolsets):
		return "list of toolsets"
	}
	return ""
}

// meaningful refuses values that later steps would have to guess about.
func meaningful(t surface.Tool) error {
	switch {
	case !slices.Contains([]surface.Effect{surface.Read, surface.Write, surface.Destructive}, t.Effect):
		return fmt.Errorf("effect %q is none of read, write, destructive", t.Effect)
	case t.Risk.Rank() < 0:
		return fmt.Errorf("risk %q is not a tier", t.Risk)
	case t.Confirm != surface.Never && t.Confirm != surface.Always:
		return fmt.Errorf("confirm %q is none of never, always", t.Confirm)
	case t.Limits.Rate < 1 || t.Limits.ResponseBytes < 1 || t.Limits.Timeout < 1:
		return errors.New("a limit is below 1")
	}
	if t.Expires != "" {
		if _, err := time.Parse(time.DateOnly, t.Expires); err != nil {
			return fmt.Errorf("expires %q is not a day (YYYY-MM-DD)", t.Expires)
		}
	}
	return nil
}
