package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/compiler"
	"github.com/tomallicino/caskmcp/internal/canonical"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/toolpack"
)

// workspace is a toolpack with everything a plan is made of.
type workspace struct {
	Pack     *toolpack.Toolpack
	State    *lockfile.State
	Captures []*capture.Capture
	Inputs   []plan.Input
	// Notes are what the plan has to say about its inputs.
	Notes  []plan.Note
	scope  []byte // the scope file, if there is one
	Result *compiler.Result
	Plan   *plan.Plan
}

// findToolpack resolves --toolpack and says what to run when there is none.
func (e *env) findToolpack(ref string) (string, error) {
	dir, err := toolpack.Find(e.Dir, ref)
	var missing *toolpack.NotFoundError
	if errors.As(err, &missing) {
		if len(missing.Known) > 0 {
			return "", hint(err, "there are: "+strings.Join(missing.Known, ", "))
		}
		return "", hint(err, `record an API as HAR, then run "caskmcp capture import FILE -a HOST --name NAME" and "caskmcp compile --name NAME"`)
	}
	return dir, err
}

// loadPack finds and reads a toolpack.
func (e *env) loadPack(ref string) (*toolpack.Toolpack, error) {
	dir, err := e.findToolpack(ref)
	if err != nil {
		return nil, err
	}
	return toolpack.Load(dir)
}

// openState opens the state of a toolpack: its lockfile folder in the work
// tree, or in the git revision base.
func (e *env) openState(ctx context.Context, pack *toolpack.Toolpack, base string) (*lockfile.State, error) {
	var fsys fs.FS
	if base == "" {
		if err := ownFolder(pack.LockDir()); err != nil {
			return nil, stateError(pack.LockDir(), err)
		}
		fsys = os.DirFS(pack.LockDir())
	} else {
		tree, err := gitTree(ctx, pack.LockDir(), base)
		if err != nil {
			return nil, err
		}
		fsys = tree
	}
	state, err := lockfile.Open(fsys)
	if err != nil {
		return nil, stateError(pack.LockDir(), err)
	}
	return state, nil
}

// ownFolder refuses a lockfile folder that is a symbolic link: what is approved
// is then not what is reviewed here.
func ownFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: %w", filepath.Base(dir), files.ErrNotRegular)
	}
	return nil
}

// stateError says which lockfile could not be opened and what to do.
func stateError(dir string, err error) error {
	return hint(&codedError{code: exitGate, err: fmt.Errorf("opening %s: %w", filepath.Join(dir, lockfile.Name), err)},
		fmt.Sprintf("restore the last good state, for example with: git restore %s; nothing is served until then", dir))
}

// open reads a toolpack, compiles it and plans it against its state.
func (e *env) open(ctx context.Context, ref, base string) (*workspace, error) {
	pack, err := e.loadPack(ref)
	if err != nil {
		return nil, err
	}
	w := &workspace{Pack: pack}
	if w.State, err = e.openState(ctx, pack, base); err != nil {
		return nil, err
	}
	if err := w.compile(); err != nil {
		return nil, err
	}
	return w, w.makePlan(e, nil)
}

// openFor is open for deciding about the named changes: rejected tools among
// them are planned again.
func (e *env) openFor(ctx context.Context, ref string, names []string) (*workspace, error) {
	w, err := e.open(ctx, ref, "")
	if err != nil {
		return nil, err
	}
	var again []string
	for _, n := range names {
		if b := w.State.Lock.Tools[n]; b != nil && b.Status == surface.Rejected {
			again = append(again, n)
		}
	}
	if len(again) == 0 {
		return w, nil
	}
	return w, w.makePlan(e, again)
}

// compile reads the captures and compiles them against the state as prior.
func (w *workspace) compile() error {
	if err := w.readCaptures(); err != nil {
		return err
	}
	opt, err := w.options()
	if err != nil {
		return err
	}
	if w.Result, err = compiler.Compile(w.Captures, w.State.Prior(), opt); err != nil {
		return fmt.Errorf("compiling %s: %w", w.Pack.Config.Name, err)
	}
	for _, key := range w.Result.Unused {
		w.Notes = append(w.Notes, plan.Note{
			Code: plan.UnusedNote,
			Text: fmt.Sprintf("toolpack.yaml has settings for %q, and no tool is called so or has that request", key),
			Hint: "correct the name under tools:, or remove the entry",
		})
	}
	return nil
}

// maxInput bounds each file that a plan is made from, in bytes.
const maxInput = 256 << 20

// readCaptures reads what a plan is made from. Whoever proposes a change
// chooses these files, so links, pipes and files without end are refused.
func (w *workspace) readCaptures() error {
	names, err := w.Pack.CaptureFiles()
	if err != nil {
		return hint(err, `see what is there: ls `+w.Pack.Rel(w.Pack.CapturesDir()))
	}
	config := filepath.Join(w.Pack.Dir, toolpack.FileName)
	inputs := append([]string{config}, names...)
	if f := w.Pack.Config.ScopeFile; f != "" {
		inputs = append(inputs, filepath.Join(w.Pack.Dir, f))
	}
	for _, name := range inputs {
		doc, err := files.Read(os.DirFS(filepath.Dir(name)), filepath.Base(name), maxInput)
		if err != nil {
			return hint(fmt.Errorf("reading inputs: %w", err), "remove it, or restore it from git: "+w.Pack.Rel(name))
		}
		w.Inputs = append(w.Inputs, plan.Input{Path: w.Pack.Rel(name), SHA256: strings.TrimPrefix(canonical.Sum(doc), "sha256:")})
		if !slices.Contains(names, name) {
			if name != config {
				w.scope = doc
			}
			continue
		}
		if doc = w.findSecrets(name, doc); doc == nil {
			continue
		}
		c, err := capture.Parse(doc)
		if err != nil {
			return hint(fmt.Errorf("reading capture %s: %w", w.Pack.Rel(name), err), `import the recording again with "caskmcp capture import"`)
		}
		w.Captures = append(w.Captures, c)
	}
	slices.SortFunc(w.Inputs, func(a, b plan.Input) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// makePlan compares the compiled surface with the state. Reconsider names
// rejected tools to plan again.
func (w *workspace) makePlan(e *env, reconsider []string) error {
	var err error
	w.Plan, err = plan.New(plan.Params{
		Toolpack:   w.Pack.Config.Name,
		State:      w.State,
		Result:     w.Result,
		Inputs:     w.Inputs,
		Notes:      w.Notes,
		Today:      e.Now().UTC().Format("2006-01-02"),
		Reconsider: reconsider,
	})
	if err != nil {
		return fmt.Errorf("planning %s: %w", w.Pack.Config.Name, err)
	}
	return nil
}

// findSecrets runs the detectors over a capture: a hand-edited or foreign
// capture must not bring a secret into the repository unnoticed. It returns the
// capture without what was found, so that no output repeats it, or nil.
func (w *workspace) findSecrets(name string, doc []byte) []byte {
	found := capture.FindSecrets(doc)
	for _, s := range found {
		w.Notes = append(w.Notes, plan.Note{
			Code: plan.SecretNote,
			Text: fmt.Sprintf("%s holds what looks like a secret (%s) at %s", w.Pack.Rel(name), s.Rule, s.Pointer),
			Hint: "remove the file, revoke the secret, and import the recording again",
		})
	}
	if len(found) > 0 {
		return capture.Mask(doc)
	}
	return doc
}

// options are toolpack.yaml in the compiler's terms; the inputs were read.
func (w *workspace) options() (compiler.Options, error) {
	c := w.Pack.Config
	opt := compiler.Options{
		Name:          c.Name,
		Scope:         c.Scope,
		Include:       c.Include,
		Exclude:       c.Exclude,
		Hints:         c.Hints,
		AllOperations: c.AllOperations,
		Tools:         c.Tools,
		Toolsets:      c.Toolsets,
		Policy:        c.Policy,
		Server: surface.Server{
			Name:           c.Name,
			Instructions:   c.Server.Instructions,
			AllowPrivate:   slices.Sorted(slices.Values(c.Server.AllowPrivate)),
			AllowRedirects: slices.Sorted(slices.Values(c.Server.AllowRedirects)),
		},
	}
	for ref, a := range c.Auth {
		opt.Credentials = append(opt.Credentials, surface.Credential{Ref: ref, Env: a.Env, Hosts: slices.Sorted(slices.Values(a.Hosts))})
	}
	slices.SortFunc(opt.Credentials, func(a, b surface.Credential) int { return strings.Compare(a.Ref, b.Ref) })
	if c.ScopeFile == "" {
		return opt, nil
	}
	var err error
	if opt.ScopeRules, err = compiler.ParseScope(w.scope); err != nil {
		return opt, fmt.Errorf("reading scope file %s: %w", w.Pack.Rel(filepath.Join(w.Pack.Dir, c.ScopeFile)), err)
	}
	return opt, nil
}
