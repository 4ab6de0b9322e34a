package githubfake

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// replyTemplates has, for each kind of reply, an object with every property
// that GitHub's OpenAPI document requires.
//
//go:embed replies.json
var replyTemplates []byte

// object is a JSON object.
type object = map[string]any

// templates are the replies by kind.
var templates = sync.OnceValue(func() map[string]json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(replyTemplates, &all); err != nil {
		panic(err) // embedded, and tested
	}
	return all
})

// template is a fresh copy of a template with values laid over it.
func template(kind string, values object) object {
	var t object
	if err := json.Unmarshal(templates()[kind], &t); err != nil {
		panic("no template " + kind)
	}
	overlay(t, values)
	return t
}

// overlay puts values over t, objects member by member.
func overlay(t, values object) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		inner, ok := values[k].(object)
		under, ok2 := t[k].(object)
		if ok && ok2 {
			overlay(under, inner)
			continue
		}
		t[k] = values[k]
	}
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// refuse answers as GitHub does.
func refuse(w http.ResponseWriter, code int, format string, args ...any) {
	v := object{"message": fmt.Sprintf(format, args...), "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(code)}
	switch code {
	case http.StatusUnprocessableEntity:
		delete(v, "status")
	case http.StatusServiceUnavailable:
		delete(v, "status")
		v["code"] = strconv.Itoa(code)
	}
	reply(w, code, v)
}

// page answers with the part of the list that the query asks for, and links to
// the others (https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api).
func page(w http.ResponseWriter, r *http.Request, list []object) {
	per, number := number(r, "per_page", 30), number(r, "page", 1)
	per = min(max(per, 1), 100)
	last := max((len(list)+per-1)/per, 1)
	link := func(n int, rel string) string {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		return fmt.Sprintf(`<http://%s%s?%s>; rel=%q`, r.Host, r.URL.EscapedPath(), q.Encode(), rel)
	}
	if number < last {
		w.Header().Set("Link", link(number+1, "next")+", "+link(last, "last"))
	}
	from := min(max(number-1, 0)*per, len(list))
	reply(w, http.StatusOK, append([]object{}, list[from:min(from+per, len(list))]...))
}

func number(r *http.Request, key string, otherwise int) int {
	if n, err := strconv.Atoi(r.URL.Query().Get(key)); err == nil {
		return n
	}
	return otherwise
}
