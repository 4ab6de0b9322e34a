package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
)

// Reproduction is the state as recomputation gives it, where the state found
// differs.
type Reproduction struct {
	// Base is the digest of the lockfile that was judged.
	Base string
	// Differences are the blocks that are not as recomputed, sorted by kind
	// and name. None means that the state stands.
	Differences []Difference

	lock lockfile.Lock
	docs map[string]any // definitions by path
}

// Difference is one block that is not as recomputed.
type Difference struct {
	Kind string `json:"kind"` // lockfile.KindTool, …
	Name string `json:"name,omitempty"`
	// Found is how the block says it was approved; "" if it is missing.
	Found string `json:"found,omitempty"`
	// Restored is true where an earlier decision is put back, false where
	// nothing is left.
	Restored bool   `json:"restored"`
	Why      string `json:"why"`
}

// Reproduce recomputes the state that was found on a branch. Where only
// reviews are accepted, a block stands if it is in the trusted state already
// (the one that an earlier run judged; nil: none) or if a landed pull request
// proposed exactly that and its reviews approve it, with the same provenance.
// Of several decisions about one name or operation the latest stands, so that
// neither putting back an old block nor deleting the new one revives it.
// Everything else is dropped, or replaced by what the trusted state has.
//
// Other ways of approval leave nothing to recompute; the state stands as it is.
func Reproduce(found, trusted *lockfile.State, history []string, landings []Landing, accept []string) *Reproduction {
	r := &reproducer{place: places(history), landings: landings}
	out := &Reproduction{Base: found.Digest, Differences: []Difference{}, docs: map[string]any{}}
	if !slices.Equal(accept, []string{lockfile.ViaReview}) {
		out.lock = found.Lock
		return out
	}
	if trusted != nil {
		for _, b := range entries(trusted) {
			if b.block.Approval.Via != lockfile.ViaCLI {
				r.stand(b)
			}
		}
	}
	present := entries(found)
	for i := range present {
		b := &present[i]
		b.why = r.judge(*b)
		if b.why == "" {
			r.stand(*b)
		}
	}
	out.lock = found.Lock
	out.lock.Policy, out.lock.Server = nil, nil
	out.lock.Toolsets, out.lock.Tools = map[string]*lockfile.ToolsetBlock{}, map[string]*lockfile.ToolBlock{}
	for _, b := range r.latest() {
		b.enter(&out.lock)
		if b.definition != nil {
			out.docs[b.path()] = b.definition
		}
	}
	out.compare(present, entriesOf(&out.lock))
	return out
}

// entry is one block of a state.
type entry struct {
	kind, name, identity string
	block                *lockfile.Block
	whole                any // the block as the lockfile has it
	// definition is what the block approves, nil where there is none that
	// verifies.
	definition any
	place      int
	why        string
}

func (e entry) path() string {
	switch e.kind {
	case lockfile.KindPolicy:
		return lockfile.PolicyPath
	case lockfile.KindServer:
		return lockfile.ServerPath
	}
	return lockfile.DefinitionPath(e.name)
}

func (e entry) enter(l *lockfile.Lock) {
	switch b := e.whole.(type) {
	case *lockfile.ToolBlock:
		l.Tools[e.name] = b
	case *lockfile.ToolsetBlock:
		l.Toolsets[e.name] = b
	case *lockfile.Block:
		if e.kind == lockfile.KindPolicy {
			l.Policy = b
		} else {
			l.Server = b
		}
	}
}

// entriesOf lists the blocks of l, sorted by kind and name.
func entriesOf(l *lockfile.Lock) []entry {
	out := []entry{}
	if l.Policy != nil {
		out = append(out, entry{kind: lockfile.KindPolicy, block: l.Policy, whole: l.Policy})
	}
	if l.Server != nil {
		out = append(out, entry{kind: lockfile.KindServer, block: l.Server, whole: l.Server})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Tools)) {
		b := l.Tools[name]
		out = append(out, entry{kind: lockfile.KindTool, name: name, identity: b.Identity, block: &b.Block, whole: b})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Toolsets)) {
		b := l.Toolsets[name]
		out = append(out, entry{kind: lockfile.KindToolset, name: name, block: &b.Block, whole: b})
	}
	return out
}

// entries lists the blocks of s with their definitions.
func entries(s *lockfile.State) []entry {
	tools := map[string]*surface.Tool{}
	for i := range s.Surface.Tools {
		tools[s.Surface.Tools[i].Name] = &s.Surface.Tools[i]
	}
	out := entriesOf(&s.Lock)
	for i := range out {
		e := &out[i]
		switch {
		case e.kind == lockfile.KindTool && tools[e.name] != nil:
			e.definition = *tools[e.name]
		case e.kind == lockfile.KindPolicy && s.PolicyOK:
			e.definition = s.Surface.Policy
		case e.kind == lockfile.KindServer && s.ServerOK:
			e.definition = s.Surface.Server
		}
	}
	return out
}

type reproducer struct {
	place    map[string]int
	landings []Landing
	standing []entry
}

// stand adds a block that stands unless a later decision overtakes it.
func (r *reproducer) stand(e entry) {
	e.place = -1
	if at, ok := r.place[e.block.Approval.Merge]; ok && e.block.Approval.Merge != "" {
		e.place = at
	}
	i := slices.IndexFunc(r.standing, func(x entry) bool {
		return x.kind == e.kind && x.name == e.name && reflect.DeepEqual(x.whole, e.whole)
	})
	switch {
	case i < 0:
		r.standing = append(r.standing, e)
	case r.standing[i].definition == nil:
		r.standing[i].definition = e.definition
	}
}

// judge says why a block of the found state does not stand; "" if it does.
func (r *reproducer) judge(e entry) string {
	if slices.ContainsFunc(r.standing, func(x entry) bool {
		return x.kind == e.kind && x.name == e.name && reflect.DeepEqual(x.whole, e.whole)
	}) {
		if e.block.Status == surface.Approved && e.kind != lockfile.KindToolset && e.definition == nil {
			return "its definition is not the approved one"
		}
		return ""
	}
	a := e.block.Approval
	if a.Via == lockfile.ViaCLI {
		return fmt.Sprintf("%s approved it with caskmcp, and only reviews are accepted", a.By.Login)
	}
	why := "no merged pull request approves it"
	for _, l := range r.landings {
		if _, landed := r.place[l.Pull.Merge]; !landed || l.Plan == nil || l.Pull.Number != a.PR || l.Pull.Merge != a.Merge {
			continue
		}
		if why = l.approves(e); why == "" {
			return ""
		}
	}
	return why
}

// approves says why the landing's reviews do not give the block; "" if they
// do.
func (l Landing) approves(e entry) string {
	for _, c := range l.Plan.Changes {
		removed := ActionOf(c) == Delete
		if string(c.Kind) != e.kind || (e.name != "" && c.Name != e.name) || DigestOf(c) != e.block.Digest ||
			c.Kind == plan.ToolKind && c.Identity != e.identity || removed != (e.block.Status == surface.Removed) {
			continue
		}
		ev := l.evaluation()
		x := ev.change(c)
		if !x.Approved || e.block.Status == surface.Rejected {
			return cmp.Or(x.Missing, "no review rejects anything")
		}
		want, got := x.decision(l.Pull, l.Plan.PlanDigest).Approval, e.block.Approval
		// The plan's digest gives nothing, and another caskmcp may word plans
		// in another way.
		want.Checksum, got.Checksum, want.Plan, got.Plan = "", "", "", ""
		want.By.Login, want.Reason = line(want.By.Login), line(want.Reason)
		if want != got {
			return fmt.Sprintf("pull request %d was approved otherwise than the block says", l.Pull.Number)
		}
		if e.block.Status == surface.Approved && e.kind != lockfile.KindToolset && e.definition == nil {
			return "its definition is not the approved one"
		}
		return ""
	}
	return fmt.Sprintf("pull request %d did not propose it", l.Pull.Number)
}

// latest are the standing blocks without those that a later decision about
// their name or operation overtakes.
func (r *reproducer) latest() []entry {
	slices.SortStableFunc(r.standing, func(a, b entry) int { return cmp.Compare(b.place, a.place) })
	var out []entry
	taken := map[string]bool{}
	for start := 0; start < len(r.standing); {
		end := start
		for end < len(r.standing) && r.standing[end].place == r.standing[start].place {
			end++
		}
		// Blocks of one merge do not overtake one another.
		group := r.standing[start:end]
		fresh := slices.DeleteFunc(slices.Clone(group), func(e entry) bool {
			return slices.ContainsFunc(e.claims(), func(c string) bool { return taken[c] })
		})
		for _, e := range fresh {
			if !slices.ContainsFunc(out, func(o entry) bool { return o.kind == e.kind && o.name == e.name }) {
				out = append(out, e)
			}
		}
		for _, e := range group {
			for _, c := range e.claims() {
				taken[c] = true
			}
		}
		start = end
	}
	return out
}

// claims are what only one block can decide about.
func (e entry) claims() []string {
	claims := []string{e.kind + " name " + lockfile.Fold(e.name)}
	if e.identity != "" {
		claims = append(claims, "identity "+e.identity)
	}
	return claims
}

// compare fills in the differences between the blocks found and recomputed.
func (r *Reproduction) compare(found, recomputed []entry) {
	same := func(a, b entry) bool { return a.kind == b.kind && a.name == b.name }
	for _, f := range found {
		i := slices.IndexFunc(recomputed, func(e entry) bool { return same(e, f) })
		if i >= 0 && reflect.DeepEqual(recomputed[i].whole, f.whole) && f.why == "" {
			continue
		}
		r.Differences = append(r.Differences, Difference{
			Kind: f.kind, Name: f.name, Found: f.block.Approval.Via, Restored: i >= 0,
			Why: cmp.Or(f.why, "a later decision holds"),
		})
	}
	for _, e := range recomputed {
		if !slices.ContainsFunc(found, func(f entry) bool { return same(e, f) }) {
			r.Differences = append(r.Differences, Difference{Kind: e.kind, Name: e.name, Restored: true, Why: "it was deleted"})
		}
	}
	slices.SortStableFunc(r.Differences, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

// Restore writes the recomputed state to dir and returns it. It refuses a
// state other than the one judged (ErrStale), writes all or nothing, and
// writes nothing where the state stands.
func Restore(ctx context.Context, dir string, r *Reproduction) (*lockfile.State, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	if len(r.Differences) == 0 {
		return lockfile.Open(os.DirFS(dir))
	}
	unlock, err := files.Lock(ctx, filepath.Join(dir, lockfile.FlockName))
	if err != nil {
		return nil, fmt.Errorf("restoring the state: %w", err)
	}
	defer unlock()
	state, err := lockfile.Open(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("restoring the state: %w", err)
	}
	if state.Digest != r.Base {
		return nil, fmt.Errorf("restoring the state: %w", ErrStale)
	}
	changes, err := r.changes(dir)
	if err == nil {
		err = errors.Join(tidy(dir), ctx.Err())
	}
	if err == nil {
		err = files.WriteAll(dir, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("restoring the state: %w", err)
	}
	return lockfile.Open(os.DirFS(dir))
}

// changes are the files to write. Definitions that no block covers go.
func (r *Reproduction) changes(dir string) ([]files.Change, error) {
	doc, err := r.lock.Encode()
	if err != nil {
		return nil, err
	}
	changes := map[string]files.Change{lockfile.Name: {Path: lockfile.Name, Data: doc}}
	present, err := os.ReadDir(filepath.Join(dir, lockfile.ApprovedDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range present {
		at := lockfile.ApprovedDir + "/" + e.Name()
		if r.docs[at] == nil && e.Type().IsRegular() {
			changes[at] = files.Change{Path: at, Remove: true}
		}
	}
	for at, v := range r.docs {
		doc, err := surface.MarshalIndent(v)
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", at, err)
		}
		changes[at] = files.Change{Path: at, Data: doc}
	}
	return sortedChanges(changes), nil
}
