package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// shopAddr is where the demo's shop was recorded.
const shopAddr = "mugs.localhost:8707"

// shopToken is the credential the demo's shop asks for.
const shopToken = "demo-token-not-a-secret" //nolint:gosec // the shop sells nothing

// shop is the API the demo records and calls: a mug shop with word-like ids,
// one write, and a second version whose responses changed.
type shop struct {
	v2     bool
	mu     sync.Mutex
	orders []order
	// Hits counts requests by method, for the demo to show what was reached.
	hits map[string]int
}

type mug struct {
	slug, name, glaze string
	cents, stock      int
}

var mugs = []mug{
	{"harbour-blue", "Harbour Blue", "satin", 1450, 12},
	{"field-green", "Field Green", "matte", 1290, 3},
	{"kiln-white", "Kiln White", "gloss", 990, 48},
	{"ember", "Ember", "satin", 1700, 0},
	{"tide", "Tide", "gloss", 1550, 7},
	{"slate", "Slate", "matte", 1325, 21},
}

type order struct {
	ID       int    `json:"id"`
	Mug      string `json:"mug"`
	Quantity int    `json:"quantity"`
	Status   string `json:"status"`
	PlacedAt string `json:"placed_at"`
}

func newShop(v2 bool) *shop {
	return &shop{v2: v2, hits: map[string]int{}, orders: []order{
		{48213, "harbour-blue", 2, "shipped", "2026-03-02T09:15:00Z"},
		{48214, "ember", 1, "packed", "2026-03-02T10:40:00Z"},
		{48215, "kiln-white", 6, "placed", "2026-03-03T08:05:00Z"},
	}}
}

// Hits is how many requests with the method reached the API.
func (s *shop) Hits(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[method]
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		s.page(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hits[r.Method]++
	if r.Header.Get("Authorization") != "Bearer "+shopToken {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "unauthorized"})
		return
	}
	segments := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	switch {
	case len(segments) == 1 && segments[0] == "mugs" && r.Method == http.MethodGet:
		s.listMugs(w, r)
	case len(segments) == 2 && segments[0] == "mugs" && r.Method == http.MethodGet:
		s.getMug(w, segments[1])
	case len(segments) == 1 && segments[0] == "orders" && r.Method == http.MethodGet:
		reply(w, http.StatusOK, map[string]any{"orders": s.orders, "total": len(s.orders)})
	case len(segments) == 1 && segments[0] == "orders" && r.Method == http.MethodPost:
		s.placeOrder(w, r)
	case len(segments) == 2 && segments[0] == "orders" && r.Method == http.MethodGet:
		s.getOrder(w, segments[1])
	default:
		reply(w, http.StatusNotFound, map[string]any{"error": "not found"})
	}
}

func (s *shop) listMugs(w http.ResponseWriter, r *http.Request) {
	glaze := r.URL.Query().Get("glaze")
	list := []any{}
	for _, m := range mugs {
		if glaze == "" || m.glaze == glaze {
			list = append(list, s.render(m))
		}
	}
	reply(w, http.StatusOK, map[string]any{"mugs": list, "total": len(list)})
}

func (s *shop) getMug(w http.ResponseWriter, slug string) {
	i := slices.IndexFunc(mugs, func(m mug) bool { return m.slug == slug })
	if i < 0 {
		reply(w, http.StatusNotFound, map[string]any{"error": "no such mug"})
		return
	}
	reply(w, http.StatusOK, s.render(mugs[i]))
}

// render is a mug as the API's version writes it: version 2 renames the price.
func (s *shop) render(m mug) map[string]any {
	out := map[string]any{"slug": m.slug, "name": m.name, "glaze": m.glaze, "in_stock": m.stock > 0}
	if s.v2 {
		out["price"] = map[string]any{"amount": m.cents, "currency": "EUR"}
	} else {
		out["price_cents"] = m.cents
	}
	return out
}

func (s *shop) placeOrder(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Mug      string `json:"mug"`
		Quantity int    `json:"quantity"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&in); err != nil || in.Quantity < 1 {
		reply(w, http.StatusUnprocessableEntity, map[string]any{"error": "mug and quantity are required"})
		return
	}
	o := order{48213 + len(s.orders), in.Mug, in.Quantity, "placed", "2026-03-04T12:00:00Z"}
	s.orders = append(s.orders, o)
	reply(w, http.StatusCreated, o)
}

func (s *shop) getOrder(w http.ResponseWriter, id string) {
	n, err := strconv.Atoi(id)
	i := slices.IndexFunc(s.orders, func(o order) bool { return o.ID == n })
	if err != nil || i < 0 {
		reply(w, http.StatusNotFound, map[string]any{"error": "no such order"})
		return
	}
	reply(w, http.StatusOK, s.orders[i])
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone; nobody is left to tell
}

// page is the shop's front end: enough for a browser to record.
func (s *shop) page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(shopPage))
}

const shopPage = `<!doctype html>
<title>Corner Mugs</title>
<style>body{font:16px sans-serif;margin:2em}</style>
<h1>Corner Mugs</h1>
<ul id="mugs"></ul>
<script>
const api = (path, init = {}) => fetch(path, {...init, headers: {
  Authorization: 'Bearer ' + sessionStorage.token, 'Content-Type': 'application/json'}}).then(r => r.json());
async function show(glaze) {
  const list = await api('/v1/mugs' + (glaze ? '?glaze=' + glaze : ''));
  document.querySelector('#mugs').textContent = '';
  for (const mug of list.mugs) {
    const li = document.createElement('li');
    li.textContent = mug.name;
    li.onclick = async () => { li.title = JSON.stringify(await api('/v1/mugs/' + mug.slug)); };
    document.querySelector('#mugs').append(li);
  }
}
</script>
`
