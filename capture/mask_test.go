package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	const token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	for doc, want := range map[string]string{
		`{"name":"` + token + `","n":1}`:                    `{"name":"REDACTED","n":1}`,
		`{"` + token + `":{"a":"\"b"}}`:                     `{"REDACTED":{"a":"\"b"}}`,
		`["see \u0061da@shop.test now","4111111111111111"]`: `["REDACTED","REDACTED"]`,
		`{"a":"b"}`: `{"a":"b"}`,
	} {
		require.Equal(t, want, string(Mask([]byte(doc))))
	}
	require.Nil(t, Mask([]byte(`{"password":"hunter2"}`)), "only its key tells")
}
