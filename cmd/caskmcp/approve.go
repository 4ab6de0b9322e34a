package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tomallicino/caskmcp/apply"
	"github.com/tomallicino/caskmcp/internal/files"
	"github.com/tomallicino/caskmcp/lockfile"
	"github.com/tomallicino/caskmcp/plan"
	"github.com/tomallicino/caskmcp/surface"
	"github.com/tomallicino/caskmcp/toolpack"
)

type approveFlags struct {
	toolpack string
	by       string
	reason   string
	all      bool
	allReads bool
	rest     bool
	status   string
	json     bool
	color    bool
}

func newApprove(e *env) *cobra.Command {
	var f approveFlags
	c := &cobra.Command{
		Use:   "approve",
		Short: "Review pending changes one by one and mark them for apply",
		Long: `Approve walks through everything the plan would change, riskiest first, and
marks each change as approved or rejected. A mark is bound to the digest of what
was shown; "caskmcp apply" writes marked changes to the lockfile.

Without a terminal name what is approved: caskmcp approve tool NAME.`,
		Example: examples(
			`caskmcp approve`,
			`caskmcp approve tool get_order list_orders`,
			`caskmcp approve tool --all-reads`,
			`caskmcp approve reject delete_order --reason "agents must not delete"`,
			`caskmcp approve list`,
		),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if f.color, err = e.color(colorMode(c), e.StderrTTY); err != nil {
				return err
			}
			return e.approveLoop(c.Context(), f)
		},
	}
	c.PersistentFlags().StringVarP(&f.toolpack, "toolpack", "t", "", "toolpack: name, folder or toolpack.yaml (default: the only one there is)")
	c.PersistentFlags().StringVar(&f.by, "by", "", "who decides (default: the user of this machine)")
	c.PersistentFlags().StringVarP(&f.reason, "reason", "r", "", "why; recorded in the lockfile")
	c.AddCommand(newApproveTool(e, &f), newApproveReject(e, &f), newApproveList(e, &f), newApproveCheck(e, &f), newApproveSync(e, &f))
	return c
}

func newApproveTool(e *env, f *approveFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "tool [NAME...]",
		Short: "Approve changes by name: tools, \"policy\", \"server\", \"toolset:NAME\"",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !f.all && !f.allReads {
				return hint(errors.New("nothing named"), "name tools, or pass --all-reads or --all; caskmcp approve list shows what is pending")
			}
			return e.markNamed(c.Context(), *f, lockfile.Approve, args)
		},
	}
	c.Flags().BoolVar(&f.all, "all", false, "approve everything in the plan")
	c.Flags().BoolVar(&f.allReads, "all-reads", false, "approve all tools that only read, with the policy, server and toolsets")
	return c
}

func newApproveReject(e *env, f *approveFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "reject [NAME...]",
		Short: "Reject changes by name",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && !f.rest {
				return hint(errors.New("nothing named"), "name what is rejected, or pass --rest for everything that is not approved")
			}
			return e.markNamed(c.Context(), *f, lockfile.Reject, args)
		},
	}
	c.Flags().BoolVar(&f.rest, "rest", false, "reject everything that has not been decided")
	return c
}

func newApproveList(e *env, f *approveFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is approved, rejected and pending",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return e.approveList(c.Context(), *f) },
	}
	c.Flags().StringVarP(&f.status, "status", "s", "", "only approved, rejected, removed or pending")
	c.Flags().BoolVar(&f.json, "json", false, "print as JSON")
	return c
}

func newApproveCheck(e *env, f *approveFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: `The same as "caskmcp check"`,
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return e.runCheck(c.Context(), f.toolpack, "", f.json) },
	}
	c.Flags().BoolVar(&f.json, "json", false, "print the findings as JSON")
	return c
}

func newApproveSync(e *env, f *approveFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "sync",
		Short: "Write what is pending to lockfile/caskmcp.lock.pending.yaml",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := e.open(c.Context(), f.toolpack, "")
			if err != nil {
				return err
			}
			if err := e.updatePending(c.Context(), w.Pack, w.Plan, func(*lockfile.Pending) error { return nil }); err != nil {
				return err
			}
			e.say("%s pending", count(len(decidable(w.Plan)), "change"))
			return nil
		},
	}
}

// decidable is the changes of a plan that people can approve or reject.
func decidable(p *plan.Plan) []plan.Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c plan.Change) bool { return c.Kind == plan.StateKind })
}

// label names a change on the command line: a tool by its name.
func label(c plan.Change) string {
	switch c.Kind {
	case plan.ToolKind:
		return c.Name
	case plan.ToolsetKind:
		return "toolset:" + c.Name
	}
	return string(c.Kind)
}

// updatePending rewrites the pending file from p under the lockfile's lock,
// keeps the marks that still hold, and lets edit set new ones.
func (e *env) updatePending(ctx context.Context, pack *toolpack.Toolpack, p *plan.Plan, edit func(*lockfile.Pending) error) error {
	unlock, err := files.Lock(ctx, filepath.Join(pack.LockDir(), lockfile.FlockName))
	if err != nil {
		return err
	}
	defer unlock()
	pending, err := readMarks(pack)
	if err != nil {
		return err
	}
	fresh := apply.Pending(p, pending)
	if err := edit(fresh); err != nil {
		return err
	}
	return lockfile.WritePending(pack.LockDir(), fresh)
}

// riskOf is the tier of a change's outcome, or of what it removes.
func riskOf(c plan.Change) surface.Risk {
	if c.Risk.After != "" {
		return c.Risk.After
	}
	return c.Risk.Before
}

// mark is a decision of the person at the command line.
func (e *env) mark(f approveFlags, decision string, p *plan.Plan) *lockfile.Mark {
	by := f.by
	if by == "" {
		by = e.User
	}
	return &lockfile.Mark{
		Decision: decision,
		By:       lockfile.By{Login: by},
		At:       lockfile.TimeText(e.Now()),
		Reason:   f.reason,
		Plan:     p.PlanDigest,
	}
}

// markNamed approves or rejects the named changes. Names are checked first:
// with one of them unknown nothing is marked.
func (e *env) markNamed(ctx context.Context, f approveFlags, decision string, names []string) error {
	w, err := e.openFor(ctx, f.toolpack, names)
	if err != nil {
		return err
	}
	marks, err := readMarks(w.Pack)
	if err != nil {
		return err
	}
	chosen, err := choose(w.Plan, marks, names, f)
	if err != nil {
		return hint(err, "caskmcp approve list"+e.packFlag(w.Pack)+" shows what is pending")
	}
	undecided := 0
	err = e.updatePending(ctx, w.Pack, w.Plan, func(p *lockfile.Pending) error {
		for _, c := range chosen {
			p.Change(string(c.Kind), c.Name).Mark = e.mark(f, decision, w.Plan)
		}
		for _, c := range decidable(w.Plan) {
			if markOf(p, c) == nil {
				undecided++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	done := map[string]string{lockfile.Approve: "approved", lockfile.Reject: "rejected"}[decision]
	for _, c := range chosen {
		e.say("%s %s (%s)", done, label(c), strings.Join(c.Actions, " then "))
	}
	if len(chosen) == 0 {
		e.say("nothing left to decide")
	}
	if undecided > 0 {
		e.say("%s still to decide", count(undecided, "change"))
	}
	e.say("next: caskmcp apply%s", e.packFlag(w.Pack))
	return nil
}

// choose is the changes that names and --all, --all-reads or --rest select.
func choose(p *plan.Plan, marks *lockfile.Pending, names []string, f approveFlags) ([]plan.Change, error) {
	var chosen []plan.Change
	used := map[string]bool{}
	for _, c := range decidable(p) {
		named := slices.Contains(names, label(c))
		if named {
			used[label(c)] = true
		}
		if named || f.all || f.allReads && harmless(c) || f.rest && markOf(marks, c) == nil {
			chosen = append(chosen, c)
		}
	}
	for _, n := range names {
		if !used[n] {
			return nil, fmt.Errorf("no pending change is called %q", n)
		}
	}
	return chosen, nil
}

// markOf is the mark that holds for c, or nil.
func markOf(marks *lockfile.Pending, c plan.Change) *lockfile.Mark {
	m := marks.Change(string(c.Kind), c.Name)
	if m == nil || m.Action != apply.ActionOf(c) || m.Digest != apply.DigestOf(c) {
		return nil
	}
	return m.Mark
}

// harmless reports whether --all-reads covers c: whatever is no tool, and
// tools that only read.
func harmless(c plan.Change) bool {
	if c.Kind != plan.ToolKind {
		return true
	}
	if len(c.After) == 0 {
		return true
	}
	t, err := surface.ParseTool(c.After)
	return err == nil && t.Effect == surface.Read
}

// listed is one row of "approve list".
type listed struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Status  string `json:"status"`
	Action  string `json:"action,omitempty"`
	Mark    string `json:"mark,omitempty"`
	Risk    string `json:"risk,omitempty"`
	Request string `json:"request,omitempty"`
	By      string `json:"by,omitempty"`
	At      string `json:"at,omitempty"`
	Via     string `json:"via,omitempty"`
}

func (e *env) approveList(ctx context.Context, f approveFlags) error {
	statuses := []string{"", "approved", "rejected", "removed", "pending"}
	if !slices.Contains(statuses, f.status) {
		return fmt.Errorf("--status is %q, want %s", f.status, strings.Join(statuses[1:], ", "))
	}
	w, err := e.open(ctx, f.toolpack, "")
	if err != nil {
		return err
	}
	marks, err := readMarks(w.Pack)
	if err != nil {
		return err
	}
	rows := listRows(w, marks)
	if f.status != "" {
		rows = slices.DeleteFunc(rows, func(r listed) bool { return r.Status != f.status })
	}
	if f.json {
		return e.writeJSON(map[string]any{"entries": rows})
	}
	symbols := map[string]string{"approved": "✓", "rejected": "✗", "removed": "-", "pending": "○"}
	for _, r := range rows {
		name := r.Name
		if r.Kind != "tool" {
			name = strings.TrimSuffix(r.Kind+":"+r.Name, ":")
		}
		more := ""
		if r.Risk != "" {
			more += " [" + r.Risk + "]"
		}
		if r.Action != "" {
			more += " " + r.Action
		}
		if r.Mark != "" {
			more += ", marked " + r.Mark
		}
		fmt.Fprintln(e.Stdout, printable(strings.TrimRight(fmt.Sprintf("%s %s%s  %s", symbols[r.Status], name, more, r.Request), " ")))
	}
	if len(rows) == 0 {
		e.say("nothing to list")
	}
	return nil
}

// listRows is pending changes first, then what the lockfile says of the rest.
func listRows(w *workspace, marks *lockfile.Pending) []listed {
	rows := []listed{}
	pending := map[string]bool{}
	for _, c := range decidable(w.Plan) {
		r := listed{Kind: string(c.Kind), Name: c.Name, Status: "pending", Action: apply.ActionOf(c), Risk: string(riskOf(c)), Request: c.Request}
		if m := markOf(marks, c); m != nil {
			r.Mark, r.By, r.At = m.Decision, m.By.Login, m.At
		}
		pending[r.Kind+" "+r.Name] = true
		rows = append(rows, r)
	}
	add := func(kind, name, risk, request string, b *lockfile.Block) {
		if b == nil || pending[kind+" "+name] {
			return
		}
		rows = append(rows, listed{Kind: kind, Name: name, Status: string(b.Status), Risk: risk, Request: request,
			By: b.Approval.By.Login, At: b.Approval.At, Via: b.Approval.Via})
	}
	lock := w.State.Lock
	add("policy", "", "", "", lock.Policy)
	add("server", "", "", "", lock.Server)
	for _, n := range sortedKeys(lock.Toolsets) {
		add("toolset", n, "", "", &lock.Toolsets[n].Block)
	}
	for _, n := range sortedKeys(lock.Tools) {
		b := lock.Tools[n]
		add("tool", n, string(b.Risk), b.Request, &b.Block)
	}
	return rows
}
