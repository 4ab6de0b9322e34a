// Package canonical turns values into the one JSON form that digests are made
// of: the JSON Canonicalization Scheme, RFC 8785.
package canonical

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/gowebpki/jcs"
)

// ErrUnsafeNumber reports a number that RFC 8785 would round: an integer
// beyond ±(2^53-1), or a magnitude that an IEEE 754 double cannot hold. Two
// different documents must never share a digest, so such numbers are refused.
var ErrUnsafeNumber = errors.New("number cannot be represented exactly as an IEEE 754 double (RFC 7493 section 2.2)")

// JSON returns the RFC 8785 form of v. It refuses duplicate keys, invalid
// UTF-8, lone surrogates and numbers that would lose precision.
func JSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return Transform(buf.Bytes())
}

// Transform returns the RFC 8785 form of a JSON document, under the same
// refusals as JSON.
func Transform(doc []byte) ([]byte, error) {
	if out, ok := sorted(doc); ok {
		return out, nil
	}
	return transform(doc)
}

// transform is Transform for any document.
func transform(doc []byte) ([]byte, error) {
	if err := checkNumbers(doc); err != nil {
		return nil, err
	}
	return jcs.Transform(doc)
}

// Digest returns "sha256:" and the lower-case hexadecimal SHA-256 of JSON(v).
func Digest(v any) (string, error) {
	doc, err := JSON(v)
	if err != nil {
		return "", err
	}
	return Sum(doc), nil
}

// Sum returns "sha256:" and the lower-case hexadecimal SHA-256 of data.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkNumbers refuses what is not JSON (RFC 8259), and numbers that RFC 8785
// would round.
func checkNumbers(doc []byte) error {
	if !json.Valid(doc) {
		var v json.RawMessage
		if err := json.Unmarshal(doc, &v); err != nil {
			return err
		}
		return errors.New("not JSON")
	}
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case c == '"':
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
		case c == '-' || '0' <= c && c <= '9':
			start := i
			for i+1 < len(doc) && strings.IndexByte("0123456789+-.eE", doc[i+1]) >= 0 {
				i++
			}
			if n := string(doc[start : i+1]); !exact(n) {
				return fmt.Errorf("%s: %w", n, ErrUnsafeNumber)
			}
		}
	}
	return nil
}

var maxSafe = big.NewInt(1<<53 - 1)

// exact reports whether the JSON number n is an integer within ±(2^53-1), or a
// fraction whose magnitude a double can hold.
func exact(n string) bool {
	if !strings.ContainsAny(n, ".eE") {
		if len(n) <= 15 {
			return true
		}
		i, ok := new(big.Int).SetString(n, 10)
		return ok && i.CmpAbs(maxSafe) <= 0
	}
	f, err := json.Number(n).Float64()
	if err != nil {
		return false
	}
	return f > -(1<<53) && f < 1<<53
}
