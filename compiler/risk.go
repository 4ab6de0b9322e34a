package compiler

import (
	"encoding/json"
	"slices"

	"github.com/tomallicino/caskmcp/capture"
	"github.com/tomallicino/caskmcp/schema"
	"github.com/tomallicino/caskmcp/surface"
)

var (
	// authWords are path words of endpoints that give or take access.
	authWords = wordSet(`login logout signin signout signup register auth oauth oauth2 authorize authentication token tokens
		password passwords passwd session sessions otp mfa 2fa totp sso saml credential credentials secret secrets apikey apikeys
		impersonate webauthn passkey passkeys`)
	// adminWords are path words of endpoints that run the service.
	adminWords = wordSet("admin administration administrators superuser root sudo internal")
	// moneyWords are path words of endpoints that move money.
	moneyWords = wordSet("payment payments charge charges refund refunds transfer transfers payout payouts withdrawal withdrawals purchase purchases")
	// codeWords are path words of endpoints that run what they are given.
	codeWords = wordSet("exec eval shell script console terminal command")
	// personal are property names that hold data about a person.
	personal = wordSet(`email email_address e_mail phone phone_number mobile mobile_number ssn social_security_number street street_address
		address_line1 address1 postal_address home_address date_of_birth birth_date birthdate birthday dob passport passport_number
		national_id tax_id salary iban card_number credit_card bank_account first_name last_name full_name given_name family_name
		surname medical_record diagnosis`)
)

// AssessRisk is the tier of a tool and the reason in one line. It looks at
// nothing but the tool, so plans and people can ask again.
func AssessRisk(t surface.Tool) (surface.Risk, string) {
	path := pathWords(t.Binding)
	reads := t.Effect == surface.Read
	secret := redactOf(t.OutputSchema)
	shown := slices.ContainsFunc(secret, func(key string) bool { return !slices.Contains(t.Redact, key) })
	switch {
	case !reads && has(path, authWords):
		return surface.Critical, "changes who has access: the path says " + quoteWord(path, authWords)
	case !reads && has(path, adminWords):
		return surface.High, "changes how the service is run: the path says " + quoteWord(path, adminWords)
	case !reads && has(path, codeWords):
		return surface.High, "runs code or commands: the path says " + quoteWord(path, codeWords)
	case t.Effect == surface.Destructive:
		return surface.High, "deletes data that a call cannot bring back"
	case !reads && has(path, moneyWords):
		return surface.High, "moves money: the path says " + quoteWord(path, moneyWords)
	case reads && shown:
		return surface.High, "reads responses that hold secrets, and shows them"
	case reads && has(path, authWords):
		return surface.High, "reads what gives access: the path says " + quoteWord(path, authWords)
	}
	if name := personalName(t.InputSchema); !reads && name != "" {
		return surface.High, "writes personal data: the argument " + name
	}
	if reads && len(secret) > 0 {
		return surface.Medium, "reads responses that hold secrets; their values are masked"
	}
	if name := personalName(t.OutputSchema); reads && name != "" {
		return surface.Low, "reads personal data: the response field " + name
	}
	switch {
	case reads && has(path, adminWords):
		return surface.Medium, "reads how the service is run: the path says " + quoteWord(path, adminWords)
	case reads:
		return surface.Safe, "reads, and nothing personal or secret was seen"
	}
	return surface.Medium, "changes data"
}

// pathWords are the words of the literal part of a binding's path and of its
// operation.
func pathWords(b surface.Binding) []string {
	var out []string
	for _, s := range segments(surface.EraseNames(b.Path)) {
		out = append(out, s.words...)
		out = append(out, nameWords(s.action)...)
	}
	if b.Operation != nil {
		out = append(out, nameWords(b.Operation.Name)...)
	}
	return out
}

func has(ws []string, set map[string]bool) bool {
	return slices.ContainsFunc(ws, func(w string) bool { return set[w] })
}

func quoteWord(ws []string, set map[string]bool) string {
	i := slices.IndexFunc(ws, func(w string) bool { return set[w] })
	return `"` + ws[i] + `"`
}

func personalName(doc json.RawMessage) string {
	first := ""
	eachProperty(doc, func(name string, _ func() string) {
		if personal[snake(name)] && (first == "" || name < first) {
			first = name
		}
	})
	if first == "" {
		return ""
	}
	return `"` + legalArgument(first) + `"`
}

// eachProperty calls visit for every property at any depth, in no order, with
// what gives its schema. Schemas are large and little of them is asked for, so
// nothing else is decoded.
func eachProperty(doc json.RawMessage, visit func(name string, sub func() string)) {
	w := propertyWalker{schema.NewCursor(string(doc)), visit}
	_ = w.value() // what is no JSON has no properties beyond those found
}

type propertyWalker struct {
	*schema.Cursor
	visit func(name string, sub func() string)
}

func (w *propertyWalker) value() error {
	switch w.Kind() {
	case '[':
		return w.Array(w.value)
	case '{':
		return w.Object(func(key string) error {
			if key != "properties" || w.Kind() != '{' {
				return w.value()
			}
			return w.Object(func(name string) error {
				w.visit(name, func() string { raw, _ := w.Peek(); return raw })
				return w.value()
			})
		})
	}
	return w.Skip()
}

// confirmOf is the default confirmation: everything that changes something,
// and reads of what gives access.
func confirmOf(effect surface.Effect, risk surface.Risk) surface.Confirm {
	if effect != surface.Read || risk.Rank() >= surface.High.Rank() {
		return surface.Always
	}
	return surface.Never
}

// redactOf lists the response keys whose values are masked: names of secrets
// whose values can be text. Counts, flags and lists of objects are no secrets
// themselves.
func redactOf(output json.RawMessage) []string {
	var out []string
	eachProperty(output, func(name string, sub func() string) {
		var v any
		if capture.Sensitive(name) && json.Unmarshal([]byte(sub()), &v) == nil && holdsText(v) {
			out = append(out, name)
		}
	})
	if len(out) == 0 {
		return nil
	}
	return sortedSet(out)
}

// holdsText reports whether values of the schema can be text, or lists of it.
func holdsText(sub any) bool {
	m, ok := sub.(map[string]any)
	if !ok {
		return true
	}
	types := m["type"]
	if types == nil {
		return m["properties"] == nil
	}
	list, ok := types.([]any)
	if !ok {
		list = []any{types}
	}
	return slices.Contains(list, any("string")) || slices.Contains(list, any("array")) && holdsText(m["items"])
}
