package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// refusals are the answers that GitHub's document shares between operations.
// It describes few of them for each operation, and none of 429 and 502; those
// are what it calls a basic error.
var refusals = map[int]string{
	http.StatusBadRequest:          "bad_request",
	http.StatusUnauthorized:        "requires_authentication",
	http.StatusForbidden:           "forbidden",
	http.StatusNotFound:            "not_found",
	http.StatusConflict:            "conflict",
	http.StatusGone:                "gone",
	http.StatusUnprocessableEntity: "validation_failed",
	http.StatusInternalServerError: "internal_error",
	http.StatusServiceUnavailable:  "service_unavailable",
}

// basicError is the schema of every other refusal.
const basicError = "basic-error"

const jsonType = "application/json"

// reply checks a reply by what the document says for the operation, and every
// refusal by GitHub's form of one.
func (c *Checker) reply(in *openapi3filter.RequestValidationInput, rec *httptest.ResponseRecorder) error {
	described := in.Route.Operation.Responses.Status(rec.Code)
	if rec.Code < http.StatusBadRequest || described != nil {
		err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Options: in.Options,
			Body: io.NopCloser(bytes.NewReader(rec.Body.Bytes())),
		})
		if err != nil || rec.Code < http.StatusBadRequest {
			return err
		}
	}
	schema, err := c.refusal(described, rec.Code)
	if err != nil {
		return err
	}
	return checkRefusal(schema, rec)
}

// refusal is the schema of a refusal: the operation's own, else the one that
// other operations share.
func (c *Checker) refusal(described *openapi3.ResponseRef, code int) (*openapi3.Schema, error) {
	if s := schemaOf(described); s != nil {
		return s, nil
	}
	if name, ok := refusals[code]; ok {
		if s := schemaOf(c.doc.Components.Responses[name]); s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("the document has no response %s", name)
	}
	if s := c.doc.Components.Schemas[basicError]; s != nil {
		return s.Value, nil
	}
	return nil, errors.New("the document has no schema " + basicError)
}

func schemaOf(r *openapi3.ResponseRef) *openapi3.Schema {
	if r == nil || r.Value == nil || r.Value.Content[jsonType] == nil || r.Value.Content[jsonType].Schema == nil {
		return nil
	}
	return r.Value.Content[jsonType].Schema.Value
}

// checkRefusal is stricter than the schemas, which ask for hardly anything: a
// refusal has a message, and nothing that GitHub does not name.
func checkRefusal(schema *openapi3.Schema, rec *httptest.ResponseRecorder) error {
	if kind, _, err := mime.ParseMediaType(rec.Header().Get("Content-Type")); err != nil || kind != jsonType {
		return fmt.Errorf("a refusal is %s, not %q", jsonType, rec.Header().Get("Content-Type"))
	}
	var body map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		return fmt.Errorf("a refusal is a JSON object: %w", err)
	}
	if err := schema.VisitJSON(body); err != nil {
		return err
	}
	if message, ok := body["message"].(string); !ok || message == "" {
		return errors.New("a refusal has a message")
	}
	for name := range body {
		if !names(schema, name) {
			return fmt.Errorf("a refusal of this kind has no %q", name)
		}
	}
	return nil
}

// names reports whether a schema or one of its parts has the property.
func names(s *openapi3.Schema, property string) bool {
	if s.Properties[property] != nil {
		return true
	}
	for _, parts := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, p := range parts {
			if p.Value != nil && names(p.Value, property) {
				return true
			}
		}
	}
	return false
}
