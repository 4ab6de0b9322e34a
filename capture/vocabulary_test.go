package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecretsOfSpecifications: the words a specification chooses from are no
// secrets below a sensitive name; a default of the name itself may be one.
func TestSecretsOfSpecifications(t *testing.T) {
	for doc, want := range map[string]int{
		`{"properties":{"credentials":{"properties":{"algorithm":{"enum":["BCRYPT","SHA-256"],"default":"BCRYPT"}}}}}`: 0,
		`{"properties":{"secret_scanning":{"properties":{"status":{"enum":["enabled","disabled"]}}}}}`:                 0,
		`{"properties":{"password":{"default":"correcthorse"}}}`:                                                       1,
		`{"properties":{"password":{"enum":["Tr0ub4dor&3"]}}}`:                                                         1,
		`{"properties":{"credentials":{"properties":{"x":{"const":"9f86d081884c7d659a2feaa0c55ad015"}}}}}`:             1,
		`{"properties":{"api_key":{"example":"abcdef"}}}`:                                                              1,
	} {
		require.Len(t, FindSecrets([]byte(doc)), want, doc)
	}
}
