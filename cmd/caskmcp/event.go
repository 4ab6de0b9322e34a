package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxEvent bounds the event file, in bytes.
const maxEvent = 32 << 20

// event is what caskmcp reads of the file that describes why a workflow runs
// (https://docs.github.com/en/webhooks/webhook-events-and-payloads). The
// variable GITHUB_REF is not used: it is main in a merge queue and malformed
// for some reviews.
type event struct {
	Name        string     `json:"-"`
	Number      int        `json:"number"`
	PullRequest *eventPull `json:"pull_request"`
	MergeGroup  *struct {
		HeadSHA string `json:"head_sha"`
		HeadRef string `json:"head_ref"`
		BaseSHA string `json:"base_sha"`
		BaseRef string `json:"base_ref"`
	} `json:"merge_group"`
	WorkflowRun *struct {
		Event      string `json:"event"`
		HeadBranch string `json:"head_branch"`
		// HeadRepository is nil once the fork is deleted.
		HeadRepository *struct {
			Owner struct {
				Login string `json:"login"`
			} `json:"owner"`
		} `json:"head_repository"`
	} `json:"workflow_run"`
	Ref        string `json:"ref"`
	After      string `json:"after"`
	Deleted    bool   `json:"deleted"`
	Repository struct {
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
}

type eventPull struct {
	Number int       `json:"number"`
	Head   eventSide `json:"head"`
	Base   eventSide `json:"base"`
}

// eventSide is one of the two branches of a pull request.
type eventSide struct {
	SHA  string `json:"sha"`
	Ref  string `json:"ref"`
	Repo *struct {
		FullName string `json:"full_name"`
	} `json:"repo"`
}

// readEvent reads the event file of the running workflow. Without one, it is
// an event that says nothing.
func (e *env) readEvent() (*event, error) {
	ev := &event{Name: e.Getenv("GITHUB_EVENT_NAME")}
	path := e.Getenv("GITHUB_EVENT_PATH")
	if path == "" {
		return ev, ev.check()
	}
	doc, err := readBounded(path, maxEvent)
	if err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	if err := json.Unmarshal(doc, ev); err != nil {
		return nil, fmt.Errorf("reading the event %s: %w", path, err)
	}
	return ev, ev.check()
}

// check refuses events that caskmcp must not act on, and malformed ones.
func (ev *event) check() error {
	switch {
	case ev.Name == "pull_request_target":
		return hint(errors.New("caskmcp does not run on pull_request_target: it would mix secrets with what a stranger wrote"), "use pull_request; for forks see docs/github.md")
	case ev.Name == "issue_comment":
		return hint(errors.New("comments approve and apply nothing"), "review the pull request instead")
	case ev.PullRequest != nil && ev.pullNumber() <= 0:
		return errors.New("reading the event: the pull request has no number")
	}
	for _, sha := range ev.commits() {
		if sha != "" && !objectName.MatchString(sha) {
			return fmt.Errorf("reading the event: %q is no commit id", sha)
		}
	}
	return nil
}

func (ev *event) commits() []string {
	all := []string{ev.After}
	if p := ev.PullRequest; p != nil {
		all = append(all, p.Head.SHA, p.Base.SHA)
	}
	if m := ev.MergeGroup; m != nil {
		all = append(all, m.HeadSHA, m.BaseSHA)
	}
	return all
}

// pullNumber is the pull request that the event is about, 0 for none.
func (ev *event) pullNumber() int {
	if ev.PullRequest == nil {
		return 0
	}
	if ev.PullRequest.Number > 0 {
		return ev.PullRequest.Number
	}
	return ev.Number
}

// ranFor is where the branch is that a finished run was for, and the branch;
// "" for a run that was for no pull request or whose fork is gone.
func (ev *event) ranFor() (owner, branch string) {
	run := ev.WorkflowRun
	if run == nil || run.HeadRepository == nil || run.Event != "pull_request" && run.Event != "pull_request_review" {
		return "", ""
	}
	return run.HeadRepository.Owner.Login, run.HeadBranch
}

// fork reports whether the pull request comes from another repository: then
// the token may only read.
func (ev *event) fork() bool {
	p := ev.PullRequest
	if p == nil {
		return false
	}
	return p.Head.Repo == nil || !strings.EqualFold(p.Head.Repo.FullName, ev.Repository.FullName)
}

// queued matches the branch of a merge queue's group:
// gh-readonly-queue/main/pr-104-c0ffee….
var queued = regexp.MustCompile(`/pr-([1-9][0-9]{0,8})-[0-9a-f]{40}([0-9a-f]{24})?$`)

// queuedPull is the pull request at the head of the merge group, 0 if the
// branch does not say.
func (ev *event) queuedPull() int {
	if ev.MergeGroup == nil {
		return 0
	}
	m := queued.FindStringSubmatch(ev.MergeGroup.HeadRef)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return n
}

// pushedTo is the branch that was pushed to, "" for anything else.
func (ev *event) pushedTo() string {
	if ev.Deleted {
		return ""
	}
	branch, ok := strings.CutPrefix(ev.Ref, "refs/heads/")
	if !ok {
		return ""
	}
	return branch
}
