// Package githubfake is GitHub's REST API over a bare git repository, as far
// as caskmcp uses it: stateful, strict, with a clock of its own, and with
// endpoints below /_fake/ that play people and show the state. It supports
// tests and is part of no product.
package githubfake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Tokens that the fake knows.
const (
	// Token is a job's own: it may write, and sees no teams.
	Token = "ghs_fake"
	// ForkToken is that of a job for a pull request from a fork: it reads.
	ForkToken = "ghs_fork"
	// AppToken is that of an app that sees teams and may write to protected
	// branches.
	AppToken = "ghs_app"
)

// Logins of the accounts behind the tokens.
const (
	ActionsLogin = "github-actions[bot]"
	AppLogin     = "caskmcp[bot]"
)

// User is an account.
type User struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
	Type  string `json:"type"` // User or Bot
	// Permission: admin, maintain, write, triage, read or none.
	Permission string `json:"permission"`
}

// Pull is a pull request.
type Pull struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Author string `json:"author"`
	Head   string `json:"head"` // branch
	Base   string `json:"base"` // branch
	SHA    string `json:"sha"`  // of the head
	Fork   bool   `json:"fork"`
	State  string `json:"state"`
	// The rest is empty until it is merged.
	Merge     string    `json:"merge,omitempty"`
	MergedBy  string    `json:"merged_by,omitempty"`
	MergedAt  time.Time `json:"merged_at"`
	BaseSHA   string    `json:"base_sha,omitempty"`
	Commits   []string  `json:"commits,omitempty"` // of the branch, when it was merged
	Landed    []string  `json:"landed,omitempty"`  // on the base
	CreatedAt time.Time `json:"created_at"`
}

// Review is a review of a pull request.
type Review struct {
	ID    int64     `json:"id"`
	Pull  int       `json:"pull"`
	User  string    `json:"user"`
	State string    `json:"state"`
	Body  string    `json:"body"`
	SHA   string    `json:"sha"`
	At    time.Time `json:"at"`
}

// Comment is a comment on a pull request or issue.
type Comment struct {
	ID    int64     `json:"id"`
	Issue int       `json:"issue"`
	User  string    `json:"user"`
	Body  string    `json:"body"`
	At    time.Time `json:"at"`
	// Edits counts how often it was edited.
	Edits int `json:"edits"`
}

// Status is a commit status.
type Status struct {
	ID          int64     `json:"id"`
	SHA         string    `json:"sha"`
	Context     string    `json:"context"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	URL         string    `json:"target_url"`
	Creator     string    `json:"creator"`
	At          time.Time `json:"at"`
}

// Push is who moved a branch, and to where. Pushes to the git repository are
// not seen: Pushed tells of them.
type Push struct {
	ID     int64     `json:"id"`
	Ref    string    `json:"ref"`
	Before string    `json:"before"`
	After  string    `json:"after"`
	Actor  string    `json:"actor"`
	At     time.Time `json:"at"`
}

// Issue is an issue.
type Issue struct {
	Number int       `json:"number"`
	Title  string    `json:"title"`
	Body   string    `json:"body"`
	State  string    `json:"state"`
	User   string    `json:"user"`
	At     time.Time `json:"at"`
}

// Fault makes the next Times requests fail that have the method (empty: any)
// and a path with Path in it.
type Fault struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Times   int               `json:"times"`
	Status  int               `json:"status"`
	Message string            `json:"message"`
	Headers map[string]string `json:"headers"`
	// Done serves the request before it says that it failed.
	Done bool `json:"done"`
}

// State is everything there is, in the order in which it was made.
type State struct {
	Repository string              `json:"repository"`
	Users      []User              `json:"users"`
	Teams      map[string][]string `json:"teams"`
	Pulls      []Pull              `json:"pulls"`
	Reviews    []Review            `json:"reviews"`
	Comments   []Comment           `json:"comments"`
	Statuses   []Status            `json:"statuses"`
	Issues     []Issue             `json:"issues"`
	Pushes     []Push              `json:"pushes"`
	Protected  []string            `json:"protected"`
	Refs       map[string]string   `json:"refs"`
	Faults     []Fault             `json:"faults"`
	// Writes are the requests that changed something, as "POST /repos/…".
	Writes []string  `json:"writes"`
	Now    time.Time `json:"now"`
}

// Server is the fake. It serves one request at a time.
type Server struct {
	mu    sync.Mutex
	owner string
	name  string
	git   *git
	state State
	mux   *http.ServeMux
	id    int64
	last  int // number of the last pull request or issue
}

// New serves the repository "owner/name", whose git data is in the bare
// repository dir; it is made if it is missing.
func New(dir, repository string) (*Server, error) {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok {
		return nil, fmt.Errorf("repository %q is not owner/name", repository)
	}
	g, err := openGit(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{owner: owner, name: name, git: g, id: 1000, state: State{
		Repository: repository,
		Users: []User{
			{Login: ActionsLogin, ID: 41898282, Type: "Bot", Permission: "write"},
			{Login: AppLogin, ID: 41898283, Type: "Bot", Permission: "write"},
			{Login: "web-flow", ID: 19864447, Type: "User", Permission: "none"},
		},
		Teams: map[string][]string{}, Now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
	}}
	s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sync()
	w.Header().Set("Date", s.state.Now.Format(http.TimeFormat))
	if strings.HasPrefix(r.URL.Path, "/_fake/") {
		s.mux.ServeHTTP(w, r)
		return
	}
	if f := s.fault(r); f != nil {
		if f.Done {
			s.mux.ServeHTTP(&discard{header: http.Header{}}, r)
		}
		for k, v := range f.Headers {
			w.Header().Set(k, v)
		}
		refuse(w, f.Status, "%s", cmp.Or(f.Message, http.StatusText(f.Status)))
		return
	}
	login := s.caller(r)
	switch {
	case login == "":
		refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	case r.Method != http.MethodGet && r.Header.Get("Authorization") == "Bearer "+ForkToken:
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	if r.Method != http.MethodGet {
		s.state.Writes = append(s.state.Writes, r.Method+" "+r.URL.Path)
		s.tick()
	}
	s.mux.ServeHTTP(w, r)
}

// discard takes an answer that nobody gets.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// caller is the login behind the request's token.
func (s *Server) caller(r *http.Request) string {
	switch r.Header.Get("Authorization") {
	case "Bearer " + Token, "Bearer " + ForkToken, "token " + Token:
		return ActionsLogin
	case "Bearer " + AppToken:
		return AppLogin
	}
	return ""
}

// fault takes one of the faults that the request runs into.
func (s *Server) fault(r *http.Request) *Fault {
	for i := range s.state.Faults {
		f := &s.state.Faults[i]
		if f.Times > 0 && (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path) {
			f.Times--
			return f
		}
	}
	return nil
}

// tick lets a second pass: everything that happens has a time of its own.
func (s *Server) tick() time.Time {
	s.state.Now = s.state.Now.Add(time.Second)
	return s.state.Now
}

func (s *Server) next() int64 { s.id++; return s.id }

// sync takes over what was pushed to the branches of open pull requests.
func (s *Server) sync() {
	for i := range s.state.Pulls {
		p := &s.state.Pulls[i]
		if p.State != "open" || p.Fork {
			continue
		}
		if sha := s.git.commit("refs/heads/" + p.Head); sha != "" && sha != p.SHA {
			p.SHA = sha
			_ = s.git.setRef(pullRef(p.Number), sha, "")
		}
	}
}

func pullRef(n int) string { return fmt.Sprintf("refs/pull/%d/head", n) }

func (s *Server) user(login string) *User {
	for i := range s.state.Users {
		if strings.EqualFold(s.state.Users[i].Login, login) {
			return &s.state.Users[i]
		}
	}
	return nil
}

// userOfMail is the account that a commit's address belongs to: login@… or
// id+login@….
func (s *Server) userOfMail(mail string) *User {
	login, _, _ := strings.Cut(mail, "@")
	if _, after, ok := strings.Cut(login, "+"); ok {
		login = after
	}
	return s.user(login)
}

func (s *Server) pull(n int) *Pull {
	for i := range s.state.Pulls {
		if s.state.Pulls[i].Number == n {
			return &s.state.Pulls[i]
		}
	}
	return nil
}

// snapshot is the state with the refs of the repository.
func (s *Server) snapshot() State {
	doc, err := json.Marshal(s.state)
	var out State
	if err != nil || json.Unmarshal(doc, &out) != nil {
		panic("the state is no JSON") // it always is
	}
	out.Refs = map[string]string{}
	for _, line := range s.git.lines("for-each-ref", "--format=%(objectname) %(refname)") {
		sha, ref, _ := strings.Cut(line, " ")
		out.Refs[ref] = sha
	}
	return out
}

// State is a copy of the state.
func (s *Server) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sync()
	return s.snapshot()
}

func (s *Server) protected(branch string) bool { return slices.Contains(s.state.Protected, branch) }
