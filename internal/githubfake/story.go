package githubfake

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// How pull requests are merged.
const (
	MergeCommit = "merge"
	Squash      = "squash"
	Rebase      = "rebase"
)

// Merging is a merge to make.
type Merging struct {
	Pull int    `json:"pull"`
	Kind string `json:"kind"` // MergeCommit, Squash or Rebase
	By   string `json:"by"`
}

// do runs f with the state locked and up to date.
func (s *Server) do(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sync()
	return f()
}

// AddUser adds an account or changes it.
func (s *Server) AddUser(u User) error { return s.do(func() error { return s.addUser(u) }) }

func (s *Server) addUser(u User) error {
	if u.Login == "" {
		return errors.New("a user has a login")
	}
	if u.Type == "" {
		u.Type = "User"
	}
	if old := s.user(u.Login); old != nil {
		if u.ID == 0 {
			u.ID = old.ID
		}
		*old = u
		return nil
	}
	if u.ID == 0 {
		u.ID = s.next()
	}
	s.state.Users = append(s.state.Users, u)
	return nil
}

// SetTeam makes logins the members of "org/team".
func (s *Server) SetTeam(team string, logins ...string) error {
	return s.do(func() error { s.state.Teams[team] = append([]string{}, logins...); return nil })
}

// OpenPull opens a pull request; Title, Author, Head and Base are given. One
// from a fork has the commit SHA too. It returns the number.
func (s *Server) OpenPull(p Pull) (n int, err error) {
	err = s.do(func() error { n, err = s.openPull(p); return err })
	return n, err
}

func (s *Server) openPull(p Pull) (int, error) {
	if p.Base == "" {
		p.Base = "main"
	}
	if !p.Fork {
		p.SHA = s.git.commit("refs/heads/" + p.Head)
	}
	base := s.git.commit("refs/heads/" + p.Base)
	switch {
	case s.user(p.Author) == nil:
		return 0, fmt.Errorf("no user %q", p.Author)
	case base == "" || p.SHA == "" || s.git.commit(p.SHA) == "":
		return 0, fmt.Errorf("no branch %q or %q", p.Head, p.Base)
	case s.git.ancestor(p.SHA, base):
		return 0, fmt.Errorf("no commits between %s and %s", p.Base, p.Head)
	}
	s.last++
	p.Number, p.State, p.CreatedAt = s.last, "open", s.tick()
	s.state.Pulls = append(s.state.Pulls, p)
	return p.Number, s.git.setRef(pullRef(p.Number), p.SHA, "")
}

// PushFork moves the head of a pull request from a fork. Others follow their
// branch.
func (s *Server) PushFork(n int, sha string) error {
	return s.do(func() error {
		p := s.pull(n)
		if p == nil || !p.Fork || s.git.commit(sha) == "" {
			return fmt.Errorf("no pull request %d from a fork, or no commit %s", n, sha)
		}
		p.SHA = sha
		return s.git.setRef(pullRef(n), sha, "")
	})
}

// AddReview gives a review and returns its ID. Without a commit it is of the
// head.
func (s *Server) AddReview(r Review) (id int64, err error) {
	err = s.do(func() error { id, err = s.addReview(r); return err })
	return id, err
}

func (s *Server) addReview(r Review) (int64, error) {
	p := s.pull(r.Pull)
	states := []string{"APPROVED", "CHANGES_REQUESTED", "COMMENTED"}
	switch {
	case p == nil:
		return 0, fmt.Errorf("no pull request %d", r.Pull)
	case s.user(r.User) == nil:
		return 0, fmt.Errorf("no user %q", r.User)
	case !slices.Contains(states, r.State):
		return 0, fmt.Errorf("state %q is none of %v", r.State, states)
	case p.Author == r.User && r.State != "COMMENTED":
		return 0, errors.New("can not approve your own pull request")
	}
	if r.SHA == "" {
		r.SHA = p.SHA
	}
	r.ID, r.At = s.next(), s.tick()
	s.state.Reviews = append(s.state.Reviews, r)
	return r.ID, nil
}

// DismissReview dismisses a review.
func (s *Server) DismissReview(id int64) error {
	return s.do(func() error {
		for i := range s.state.Reviews {
			if s.state.Reviews[i].ID == id {
				s.state.Reviews[i].State = "DISMISSED"
				return nil
			}
		}
		return fmt.Errorf("no review %d", id)
	})
}

// Pushed says that somebody pushed a branch to the git repository, which it was
// at before ("" for nothing).
func (s *Server) Pushed(login, branch, before, after string) error {
	return s.do(func() error {
		if s.user(login) == nil {
			return fmt.Errorf("no user %q", login)
		}
		s.pushed(login, "refs/heads/"+branch, before, after)
		return nil
	})
}

func (s *Server) pushed(login, ref, before, after string) {
	s.state.Pushes = append(s.state.Pushes, Push{ID: s.next(), Ref: ref, Before: cmp.Or(before, zero), After: after, Actor: login, At: s.state.Now})
}

// AddComment lets somebody comment.
func (s *Server) AddComment(c Comment) (id int64, err error) {
	err = s.do(func() error {
		if s.user(c.User) == nil {
			return fmt.Errorf("no user %q", c.User)
		}
		c.ID, c.At = s.next(), s.tick()
		s.state.Comments, id = append(s.state.Comments, c), c.ID
		return nil
	})
	return id, err
}

// AddFault makes requests fail.
func (s *Server) AddFault(f Fault) error {
	return s.do(func() error { s.state.Faults = append(s.state.Faults, f); return nil })
}

// Protect makes rules for a branch: only the app may push to it directly.
func (s *Server) Protect(branch string) error {
	return s.do(func() error { s.state.Protected = append(s.state.Protected, branch); return nil })
}

// Advance lets time pass.
func (s *Server) Advance(seconds int) error {
	return s.do(func() error {
		s.state.Now = s.state.Now.Add(time.Duration(seconds) * time.Second)
		return nil
	})
}

// MergePull merges a pull request and returns the last commit that landed. It
// asks for no approvals: that is for branch rules, and some may go around them.
func (s *Server) MergePull(m Merging) (sha string, err error) {
	err = s.do(func() error { sha, err = s.merge(m); return err })
	return sha, err
}

func (s *Server) merge(m Merging) (string, error) {
	p, by := s.pull(m.Pull), s.user(m.By)
	if p == nil || by == nil || p.State != "open" {
		return "", fmt.Errorf("no open pull request %d, or no user %q", m.Pull, m.By)
	}
	ref := "refs/heads/" + p.Base
	base := s.git.commit(ref)
	p.Commits = s.git.lines("rev-list", "--reverse", base+".."+p.SHA)
	now := s.tick()
	author := who{by.Login, by.Login + "@users.noreply.github.com", now}
	web := who{"GitHub", "web-flow@users.noreply.github.com", now}
	var err error
	switch m.Kind {
	case MergeCommit, "":
		p.Landed, err = s.land(base, p.SHA, fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s\n", p.Number, s.owner, p.Head, p.Title), author, web, base, p.SHA)
	case Squash:
		author.name, author.email = p.Author, p.Author+"@users.noreply.github.com"
		p.Landed, err = s.land(base, p.SHA, fmt.Sprintf("%s (#%d)\n", p.Title, p.Number), author, web, base)
	case Rebase:
		p.Landed, err = s.rebase(base, p.Commits, author)
	default:
		err = fmt.Errorf("kind %q is none of merge, squash, rebase", m.Kind)
	}
	if err != nil {
		return "", err
	}
	p.Merge = p.Landed[len(p.Landed)-1]
	p.State, p.MergedBy, p.MergedAt, p.BaseSHA = "closed", by.Login, now, base
	return p.Merge, s.git.setRef(ref, p.Merge, base)
}

// land makes the one commit of a merge or squash.
func (s *Server) land(base, head, message string, author, committer who, parents ...string) ([]string, error) {
	tree, err := s.git.mergeTree(base, head)
	if err != nil {
		return nil, err
	}
	sha, err := s.git.commitTree(tree, message, author, committer, parents...)
	return []string{sha}, err
}

// rebase puts the commits on top of base, one by one, without merges.
func (s *Server) rebase(base string, commits []string, committer who) ([]string, error) {
	var landed []string
	for _, sha := range commits {
		d, err := s.git.details(sha)
		if err != nil {
			return nil, err
		}
		if len(d.parents) != 1 {
			continue
		}
		tree, err := s.git.pick(base, d)
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339, d.authored)
		if err != nil {
			return nil, err
		}
		base, err = s.git.commitTree(tree, d.message+"\n", who{d.authorName, d.authorMail, at}, committer, base)
		if err != nil {
			return nil, err
		}
		landed = append(landed, base)
	}
	if len(landed) == 0 {
		return nil, errors.New("nothing to rebase")
	}
	return landed, nil
}

// play serves the endpoints that play people: each takes its argument as JSON
// and answers with an object.
func (s *Server) play() {
	s.mux.HandleFunc("GET /_fake/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.snapshot()) })
	post(s, "users", func(u User) (any, error) { return object{}, s.addUser(u) })
	post(s, "teams", func(t struct {
		Team    string   `json:"team"`
		Members []string `json:"members"`
	}) (any, error) {
		s.state.Teams[t.Team] = t.Members
		return object{}, nil
	})
	post(s, "pulls", func(p Pull) (any, error) { n, err := s.openPull(p); return object{"number": n}, err })
	post(s, "reviews", func(r Review) (any, error) { id, err := s.addReview(r); return object{"id": id}, err })
	post(s, "merges", func(m Merging) (any, error) { sha, err := s.merge(m); return object{"sha": sha}, err })
	post(s, "faults", func(f Fault) (any, error) { s.state.Faults = append(s.state.Faults, f); return object{}, nil })
	post(s, "protect", func(p struct {
		Branch string `json:"branch"`
	}) (any, error) {
		s.state.Protected = append(s.state.Protected, p.Branch)
		return object{}, nil
	})
	post(s, "comments", func(c Comment) (any, error) {
		if s.user(c.User) == nil {
			return nil, fmt.Errorf("no user %q", c.User)
		}
		c.ID, c.At = s.next(), s.tick()
		s.state.Comments = append(s.state.Comments, c)
		return object{"id": c.ID}, nil
	})
}

func post[T any](s *Server, name string, f func(T) (any, error)) {
	s.mux.HandleFunc("POST /_fake/"+name, func(w http.ResponseWriter, r *http.Request) {
		var arg T
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&arg); err != nil {
			refuse(w, http.StatusBadRequest, "%s", err)
			return
		}
		v, err := f(arg)
		if err != nil {
			refuse(w, http.StatusUnprocessableEntity, "%s", err)
			return
		}
		reply(w, http.StatusOK, v)
	})
}

// repo is "owner/name" as in paths.
func (s *Server) repo() string { return strings.Join([]string{s.owner, s.name}, "/") }
