package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v66/github"
)

// MaxBody is the most characters of a comment, an issue or a pull request's
// description that GitHub takes.
const MaxBody = 65536

// ActionsLogin is who a job's own token writes as.
const ActionsLogin = "github-actions[bot]"

// Sticky says which comment or issue is ours: it begins with Marker and Author
// wrote it. Everyone can write a marker.
type Sticky struct {
	Marker string
	// Former are markers of other versions: what begins with one is ours too,
	// and is replaced.
	Former []string
	// Author is a login; empty is ActionsLogin or the app that SetApp names.
	Author string
	app    string
}

func (s Sticky) author() string {
	if s.Author == "" {
		return ActionsLogin
	}
	return s.Author
}

// wrote reports whether u is the author. Apps have names that no person can
// have.
func (s Sticky) wrote(u *gh.User) bool {
	for _, login := range []string{s.author(), s.app} {
		bot := strings.HasSuffix(login, "[bot]")
		if login != "" && strings.EqualFold(u.GetLogin(), login) && bot == (u.GetType() == "Bot") {
			return true
		}
	}
	return false
}

func (s Sticky) is(u *gh.User, body string) bool {
	marked := func(marker string) bool { return marker != "" && strings.HasPrefix(body, marker) }
	return (marked(s.Marker) || slices.ContainsFunc(s.Former, marked)) && s.wrote(u)
}

// Comment is the one comment to keep on a pull request.
type Comment struct {
	Pull int
	Sticky
	// Head is the commit that the comment is about.
	Head string
	// Body begins with Marker.
	Body string
	// EditOnly leaves a pull request alone that has no comment of ours.
	EditOnly bool
}

// What became of something to be written.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
	Absent    = "absent" // EditOnly, and there was none
)

// Written is what became of a comment, issue or pull request.
type Written struct {
	Action string
	Number int // of the issue or pull request
	URL    string
	// Author is who GitHub says wrote it.
	Author string
}

// creations is how often something is looked for and created where GitHub does
// not say whether it was.
const creations = 3

// UpsertComment makes the comment say Body: it edits the oldest one that is
// ours, deletes others of ours, and creates one if there is none. It writes
// nothing if the pull request's head is not Head any more (ErrMoved), or where
// the comment says it already.
func (c *Client) UpsertComment(ctx context.Context, want Comment) (Written, error) {
	what := fmt.Sprintf("commenting on pull request %d", want.Pull)
	want.Sticky = c.named(want.Sticky)
	if err := checkBody(want.Marker, want.Body); err != nil {
		return Written{}, fmt.Errorf("%s: %w", what, err)
	}
	var err error
	for range creations {
		var w Written
		if w, err = c.upsertComment(ctx, want); err == nil || status(err) < 500 {
			return w, wrap(err, what)
		}
		if err := c.sleep(ctx, time.Second); err != nil {
			return Written{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	return Written{}, doing(err, "%s", what)
}

// wrap is doing for an error that may be nil.
func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return doing(err, "%s", what)
}

var errBody = errors.New("the text")

// checkBody refuses what GitHub would refuse, and what we would not find
// again.
func checkBody(marker, body string) error {
	if marker == "" || !strings.HasPrefix(body, marker) {
		return fmt.Errorf("%w does not begin with its marker", errBody)
	}
	if n := len([]rune(body)); n > MaxBody {
		return fmt.Errorf("%w has %d characters, more than the %d that GitHub takes", errBody, n, MaxBody)
	}
	return nil
}

func (c *Client) upsertComment(ctx context.Context, want Comment) (Written, error) {
	ours, err := c.comments(ctx, want)
	if err != nil {
		return Written{}, err
	}
	if len(ours) == 0 && want.EditOnly {
		return Written{Action: Absent}, nil
	}
	if len(ours) == 1 && ours[0].GetBody() == want.Body {
		return writtenComment(Unchanged, ours[0]), nil
	}
	if err := c.stillAt(ctx, want.Pull, want.Head); err != nil {
		return Written{}, err
	}
	if len(ours) == 0 {
		made, _, err := c.api.Issues.CreateComment(ctx, c.owner, c.repo, want.Pull, &gh.IssueComment{Body: &want.Body})
		if err != nil {
			return Written{}, err
		}
		return writtenComment(Created, made), nil
	}
	for _, extra := range ours[1:] {
		if _, err := c.api.Issues.DeleteComment(ctx, c.owner, c.repo, extra.GetID()); err != nil && status(err) != 404 {
			return Written{}, err
		}
	}
	if ours[0].GetBody() == want.Body {
		return writtenComment(Unchanged, ours[0]), nil
	}
	edited, _, err := c.api.Issues.EditComment(ctx, c.owner, c.repo, ours[0].GetID(), &gh.IssueComment{Body: &want.Body})
	if err != nil {
		return Written{}, err
	}
	return writtenComment(Updated, edited), nil
}

func writtenComment(action string, x *gh.IssueComment) Written {
	return Written{Action: action, URL: x.GetHTMLURL(), Author: x.GetUser().GetLogin()}
}

// comments are ours, oldest first.
func (c *Client) comments(ctx context.Context, want Comment) ([]*gh.IssueComment, error) {
	list, err := all(func(opt gh.ListOptions) ([]*gh.IssueComment, *gh.Response, error) {
		return c.api.Issues.ListComments(ctx, c.owner, c.repo, want.Pull, &gh.IssueListCommentsOptions{ListOptions: opt})
	})
	if err != nil {
		return nil, err
	}
	var ours []*gh.IssueComment
	for _, x := range list { // in ascending order of their IDs
		if want.is(x.GetUser(), x.GetBody()) {
			ours = append(ours, x)
		}
	}
	return ours, nil
}

// stillAt fails with ErrMoved if the head of a pull request is another commit.
func (c *Client) stillAt(ctx context.Context, number int, head string) error {
	pr, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
	if err != nil {
		return err
	}
	if now := pr.GetHead().GetSHA(); now != head {
		return fmt.Errorf("%w: its head is %.12s, not %.12s", ErrMoved, now, head)
	}
	return nil
}
