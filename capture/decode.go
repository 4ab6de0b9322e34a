package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tomallicino/caskmcp/schema"
)

// errFound ends the reading of a text whose rest does not matter.
var errFound = errors.New("found")

// checkVersion comes first, because other versions may have other fields.
func checkVersion(data []byte) error {
	version := ""
	c := schema.NewCursor(string(data))
	err := c.Object(func(key string) error {
		if key != "version" {
			return c.Skip()
		}
		var err error
		if version, err = c.Text(); err == nil {
			err = errFound
		}
		return err
	})
	if err != nil && !errors.Is(err, errFound) {
		return fmt.Errorf("it is no capture: %w", err)
	}
	if version != FormatVersion && version != sharedVersion && version != inferredVersion {
		return fmt.Errorf("capture format %q is not known (this is for %q): use the version of caskmcp that wrote it or a newer one", version, inferredVersion)
	}
	return nil
}

// checkKeys refuses what is not JSON, and objects that have a key twice, of
// which decoders take either.
func checkKeys(data []byte) error {
	k := keyChecker{Cursor: schema.NewCursor(string(data))}
	err := k.value()
	if err == nil {
		err = k.End()
	}
	var syntax *schema.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("it is no capture: %w", err)
	}
	return err
}

// keyChecker holds the keys of the objects around a value.
type keyChecker struct {
	*schema.Cursor
	keys []string
}

// fewKeys is up to how many keys are compared one by one.
const fewKeys = 16

func (k *keyChecker) value() error {
	switch k.Kind() {
	case '[':
		return k.Array(k.value)
	case '{':
	default:
		return k.Skip()
	}
	first := len(k.keys)
	var many map[string]bool
	err := k.Object(func(key string) error {
		own := k.keys[first:]
		if len(own) == fewKeys && many == nil {
			many = make(map[string]bool)
			for _, name := range own {
				many[name] = true
			}
		}
		if many[key] || many == nil && slices.Contains(own, key) {
			return fmt.Errorf("an object has the key %q twice, before byte %d", key, k.Offset())
		}
		if many != nil {
			many[key] = true
		} else {
			k.keys = append(k.keys, key)
		}
		return k.value()
	})
	k.keys = k.keys[:first]
	return err
}

// file is a capture as it is written: declarations may refer to shared objects.
type file struct {
	Capture
	Shared       map[string]json.RawMessage `json:"shared"`
	Declarations []declarationLine          `json:"declarations"`
}

type declarationLine struct {
	Declaration
	Parameters []json.RawMessage `json:"parameters"`
	Body       json.RawMessage   `json:"body"`
	Responses  []json.RawMessage `json:"responses"`
	Security   []json.RawMessage `json:"security"`
}

func decode(data []byte) (*Capture, error) {
	var f file
	if err := strictly(data, &f); err != nil {
		return nil, err
	}
	if f.Version == FormatVersion && f.Shared != nil {
		return nil, fmt.Errorf("capture format %q does not share objects", FormatVersion)
	}
	if f.Version != inferredVersion && f.Inferred != nil {
		return nil, fmt.Errorf("capture format %q does not say what was inferred", f.Version)
	}
	if f.Version != inferredVersion && f.comparesHeaders() {
		return nil, fmt.Errorf("capture format %q does not compare the values of headers", f.Version)
	}
	f.Version = FormatVersion
	s := &sharing{objects: f.Shared, whole: map[string]json.RawMessage{}, left: maxCaptureFile}
	for i, line := range f.Declarations {
		d, err := line.whole(s)
		if err != nil {
			return nil, fmt.Errorf("declaration %d (%s %s): %w", i, d.Method, d.Path, err)
		}
		f.Capture.Declarations = append(f.Capture.Declarations, d)
	}
	return &f.Capture, nil
}

// strictly decodes a JSON text that has no fields but those of v.
func strictly(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

// whole is the declaration with what it shares.
func (l declarationLine) whole(s *sharing) (Declaration, error) {
	d := l.Declaration
	var err error
	if d.Parameters, err = decodeAll[DeclaredParameter](s, l.Parameters); err != nil {
		return d, err
	}
	for i := range d.Parameters {
		if d.Parameters[i].Schema, err = s.expand(d.Parameters[i].Schema, 0); err != nil {
			return d, err
		}
	}
	if d.Responses, err = decodeAll[DeclaredResponse](s, l.Responses); err != nil {
		return d, err
	}
	for i := range d.Responses {
		if d.Responses[i].Schema, err = s.expand(d.Responses[i].Schema, 0); err != nil {
			return d, err
		}
	}
	if d.Security, err = decodeAll[DeclaredRequirement](s, l.Security); err != nil || l.Body == nil {
		return d, err
	}
	body, err := decodeAll[*DeclaredBody](s, []json.RawMessage{l.Body})
	if err != nil {
		return d, err
	}
	if d.Body = body[0]; d.Body != nil {
		d.Body.Schema, err = s.expand(d.Body.Schema, 0)
	}
	return d, err
}

// decodeAll reads objects, some of which may be shared.
func decodeAll[T any](s *sharing, list []json.RawMessage) ([]T, error) {
	if list == nil {
		return nil, nil
	}
	out := make([]T, len(list))
	for i, raw := range list {
		object, err := s.object(raw)
		if err != nil {
			return nil, err
		}
		if err := strictly(object, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
