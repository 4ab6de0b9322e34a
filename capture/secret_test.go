package capture

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ"

// planted are secrets and where traffic has them; {} stands for the secret.
var planted = []struct{ place, secret string }{
	{"header authorization", "Bearer opaque-0a1b2c3d4e5f-planted"},
	{"header authorization", "Basic YWRhOnBsYW50ZWQtcGFzc3dvcmQ="},
	{"header authorization", "Digest planted-response-9f8e7d"},
	{"header x-api-key", "planted-key-7788990011"},
	{"header x-amz-security-token", "FwoGZXIvYXdzPlanted1234567890"},
	{"header x-vault-token", "hvs.PlantedVaultToken1234567890"},
	{"header x-custom-auth", "planted-custom-5566"},
	{"header sec-websocket-key", "cGxhbnRlZC1rZXktMTIzNA=="},
	{"header referer", "https://h/reset?token=planted-referer-123"},
	{"header x-trace-note", "planted.note@example.com"},
	{"header cookie", "sid=planted-session-cookie-1; theme=dark"},
	{"response set-cookie", "sid=planted-set-cookie-2; HttpOnly"},
	{"response location", "https://h/cb#access_token=planted-fragment-3"},
	{"response link", "<https://h/a?token=planted-link-4>; rel=next"},
	{"query api_key", "planted-query-key-5"},
	{"query sig", "planted%2Bsig%3D6"},
	{"query X-Amz-Signature", "0123456789abcdefplanted7"},
	{"query code", "planted-oauth-code-8"},
	{"query q", "planted.person9@example.com"},
	{"query %70lanted-10-name-123456", "x"},
	{"fragment", "planted-fragment-11"},
	{"userinfo", "ada:planted-userinfo-12"},
	{"path", jwt},
	{"path", "planted13@example.com"},
	{"path", "4111111111111111"},
	{"path", "9f86d081884c7d659a2feaa0c55ad015"},
	{"json", `[{"access_token":"planted-json-14"}]`},
	{"json", `{"client_secret":"planted-json-15"}`},
	{"json", `{"a":[[{"b":["` + jwt + `"]}]]}`},
	{"json", `{"planted16@example.com":{"x":1}}`},
	{"json", `{"sk_live_51Planted17abcdef":true}`},
	{"json", `{"note":"planted-\u0065scape-18"}`},
	{"json", `{"pin":4711,"ssn":"078-05-1120"}`},
	{"json", `{"inner":"{\"password\":\"planted-inner-19\"}"}`},
	{"json", `"{\"password\":\"planted-double-20\"}"`},
	{"response json", `{"iban":"DE89370400440532013000","card":"4111 1111 1111 1111"}`},
	{"response base64", `{"token":"planted-base64-21"}`},
	{"response gzip", `{"token":"planted-gzip-22"}`},
	{"response text", "password=planted-text-23"},
	{"response xml", "<token>planted-xml-24</token>"},
	{"form", "user=ada&password=planted-form-25&card=5555555555554444"},
	{"form", "planted26@example.com=1"},
	{"multipart", "planted-multipart-27"},
	{"graphql", `{"query":"mutation M($p: String!) { login(p: $p, pin: 98765, key: \"planted-literal-28\") { ok } }","variables":{"p":"planted-variable-29"}}`},
	{"graphql", `{"query":"{ user(token: \"\"\"planted-block-30\"\"\") { id } }"}`},
	{"jsonrpc", `{"jsonrpc":"2.0","id":1,"method":"planted31@example.com","params":["planted-param-32"]}`},
}

// plant writes the HAR entry that has a secret at its place.
func plant(t testing.TB, place, secret string) string {
	kind, name, _ := strings.Cut(place, " ")
	target, request, response := "https://h/api/thing", "", ""
	requestHeaders, responseHeaders := "", ""
	content := `{"mimeType":"application/json","text":"{}"}`
	body := func(mime, text string) string {
		return fmt.Sprintf(`,"postData":{"mimeType":%q,"text":%s}`, mime, quote(text))
	}
	h := func(name string) string { return fmt.Sprintf(`{"name":%q,"value":%s}`, name, quote(secret)) }
	switch kind {
	case "header":
		requestHeaders = h(name)
	case "query":
		target += "?" + name + "=" + secret
	case "fragment":
		target += "#" + secret
	case "userinfo":
		target = "https://" + secret + "@h/api/thing"
	case "path":
		target = "https://h/api/" + url.PathEscape(secret)
	case "json", "graphql", "jsonrpc":
		request = body("application/json", secret)
	case "form":
		request = body(formType, secret)
	case "multipart":
		request = body("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n"+secret+"\r\n--b--\r\n")
	case "response":
		switch name {
		case "json":
			content = fmt.Sprintf(`{"mimeType":"application/json","text":%s}`, quote(secret))
		case "base64":
			content = fmt.Sprintf(`{"mimeType":"application/json","encoding":"base64","text":%q}`, base64.StdEncoding.EncodeToString([]byte(secret)))
		case "gzip":
			content = fmt.Sprintf(`{"mimeType":"application/json","encoding":"base64","text":%q}`, base64.StdEncoding.EncodeToString([]byte(compressed(t, "gzip", secret))))
		case "text", "xml":
			content = fmt.Sprintf(`{"mimeType":"text/%s","text":%s}`, strings.Replace(name, "text", "plain", 1), quote(secret))
		default:
			responseHeaders = h(name)
		}
	default:
		t.Fatalf("no place %q", place)
	}
	return fmt.Sprintf(`{"request":{"method":"POST","url":%s,"headers":[%s]%s},"response":{"status":200,"headers":[%s],"content":%s}%s}`,
		quote(target), requestHeaders, request, responseHeaders, content, response)
}

func TestNoSecretSurvives(t *testing.T) {
	require.Greater(t, len(planted), 30)
	var entries []string
	for _, p := range planted {
		// Often enough that only what they are keeps them out.
		for range 12 {
			entries = append(entries, plant(t, p.place, p.secret))
		}
	}
	c, _ := observe(t, "h", write(t, "in.har", har(entries...)))
	data, err := c.encode()
	require.NoError(t, err)
	got := strings.ToLower(string(data))
	for _, secret := range []string{"planted", "4111", "5555555555554444", "078-05", "de8937", "9f86d0818", "98765", "4711", "eyjh", "c2lnbmf0"} {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret), fmt.Sprintf("%x", secret)} {
			require.NotContains(t, got, strings.ToLower(form), "of %s", secret)
		}
	}
	require.Empty(t, FindSecrets(data))
}

// A sealed capture has no secret made of letters alone either.
func TestNoWordThatIsASecretIsSealed(t *testing.T) {
	var entries []string
	for range 12 {
		entries = append(entries, entry("GET", "https://h/me", 200, "application/json", `{"apiToken":"correcthorsebattery","login":"ada","state":"active","answers":{"pet":"rex"}}`))
	}
	c, _ := observe(t, "h", write(t, "in.har", har(entries...)))
	for i := range c.Observations {
		c.Observations[i].Response = c.Observations[i].Response.Seal(Sensitive)
	}
	c.Sealed = true
	data, err := c.Encode()
	require.NoError(t, err)
	require.NotContains(t, string(data), "correcthorse")
	require.NotContains(t, string(data), `"ada"`)
	require.Contains(t, string(data), `"active":12`)
}

func TestFindSecrets(t *testing.T) {
	for _, test := range []struct {
		doc  string
		want []Secret
	}{
		{`{"a":"b","path":"/users/{email}"}`, nil},
		{`{"password":"hunter2"}`, []Secret{{"/password", "sensitive key"}}},
		{`{"list":[{"accessToken":"abc"}]}`, []Secret{{"/list/0/accessToken", "sensitive key"}}},
		{`{"properties":{"password":{"string":{"count":3,"open":true}}}}`, nil},
		{`{"properties":{"password":{"type":"string","description":"The password of the user."}}}`, nil},
		{`{"properties":{"api_key":{"type":"string","default":"abcd1234"}}}`, []Secret{{"/properties/api_key/default", "value of a sensitive property"}}},
		{`{"properties":{"my_secret":{"string":{"count":9,"values":{"a":9}}}}}`, []Secret{{"/properties/my_secret/string/values/*", "enum under a sensitive key"}}},
		{`{"nextPageToken":"abc","tokenType":"bearer","token_url":"https://h/token","author":"x"}`, nil},
		{`{"x/y":"` + jwt + `"}`, []Secret{{"/x~1y", "JWT"}}},
		{`{"` + jwt + `":1}`, []Secret{{"/*", "JWT"}}},
		{`{"pem":"-----BEGIN RSA PRIVATE KEY-----\nx"}`, []Secret{{"/pem", "private key"}}},
		{`{"u":"postgres://ada:pw@db/x"}`, []Secret{{"/u", "credentials in a URL"}}},
		{`{"u":"Authorization: Bearer abcdef1234567890"}`, []Secret{{"/u", "HTTP credentials"}}},
		{`{"u":"Bearer authentication required"}`, nil},
		{`{"u":"AKIAIOSFODNN7EXAMPLE"}`, []Secret{{"/u", "vendor key"}}},
		{`["ghp_0123456789abcdefghijABCDEFGHIJ012345"]`, []Secret{{"/0", "vendor key"}}},
		{`["sk_live_0123456789abcdef"]`, []Secret{{"/0", "vendor key"}}},
		{`["(xoxb-0123456789)"]`, []Secret{{"/0", "vendor key"}}},
		{`["mail ada.l@example.com now"]`, []Secret{{"/0", "e-mail address"}}},
		{`["4111 1111 1111 1111"]`, []Secret{{"/0", "payment card"}}},
		{`[4111111111111111]`, []Secret{{"/0", "payment card"}}},
		{`["4111 1111 1111 1112"]`, nil},
		{`["DE89 3704 0044 0532 0130 00"]`, []Secret{{"/0", "IBAN"}}},
		{`["DE88370400440532013000"]`, nil},
		{`["078-05-1120"]`, []Secret{{"/0", "social security number"}}},
		{`["000-05-1120"]`, nil},
		{`{"password":"hunter2","password":{}}`, []Secret{{"/password", "sensitive key"}}},
		{`{} ada@example.com`, []Secret{{"", "e-mail address"}}},
		{`not JSON but ada@example.com`, []Secret{{"", "e-mail address"}}},
		{`{"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`, nil},
	} {
		require.Equal(t, test.want, FindSecrets([]byte(test.doc)), test.doc)
	}
	for _, s := range FindSecrets([]byte(`{"password":"hunter2hunter2"}`)) {
		require.NotContains(t, s.String(), "hunter2")
	}
}

func TestSensitive(t *testing.T) {
	for _, name := range []string{"password", "userPassword", "x-api-key", "API_KEY", "accessToken", "refresh_token2", "client_secret", "Authorization", "sessionId", "private-key", "cvv", "X-Vault-Token", "cardNumber", "auth", "csrfToken", "otp"} {
		require.True(t, Sensitive(name), name)
	}
	for _, name := range []string{"author", "nextPageToken", "page_token", "token_type", "tokenUrl", "password_changed_at", "secretary", "keyboard", "monkey", "key", "tokenCount", "total_tokens", "id", "", "authorized", "passenger", "cookiePolicy", "max_tokens", "token_owner", "pin_order", "tokenScopes"} {
		require.False(t, Sensitive(name), name)
	}
}

func TestAuthIsNoParameter(t *testing.T) {
	call := func(url, headers string) string {
		return fmt.Sprintf(`{"request":{"method":"GET","url":%q,"headers":[%s]},"response":{"status":200,"headers":[],"content":{"mimeType":"application/json","text":"{}"}}}`, url, headers)
	}
	for _, test := range []struct {
		url, headers string
		want         []Auth
		query        []string
	}{
		{"https://h/a?api_key=abc&page=1", "", []Auth{{"apiKey", "query", "api_key", 1}}, []string{"page"}},
		{"https://h/a?key=name&k=v", "", []Auth{{"none", "", "", 1}}, []string{"k", "key"}},
		{"https://h/a?key=AIzaSyA1234567890abcdefghijklmnopqrstuv", "", []Auth{{"apiKey", "query", "key", 1}}, nil},
		{"https://h/a?page_token=abc&_=1700000000000", "", []Auth{{"none", "", "", 1}}, []string{"page_token"}},
		{"https://h/a", `{"name":"Authorization","value":"bearer x"},{"name":"X-Version","value":"2"}`, []Auth{{"bearer", "header", "authorization", 1}}, nil},
		{"https://h/a", `{"name":"Authorization","value":"token x"}`, []Auth{{"apiKey", "header", "authorization", 1}}, nil},
		{"https://h/a", `{"name":"Cookie","value":"_ga=GA1.2.3456789012345678; theme=dark"}`, []Auth{{"none", "", "", 1}}, nil},
		{"https://h/a", `{"name":"Cookie","value":"prefs=9f86d081884c7d659a2feaa0c55ad015"}`, []Auth{{"cookie", "cookie", "prefs", 1}}, nil},
		{"https://h/a", `{"name":"Cookie","value":"XSRF-TOKEN=x; PHPSESSID=y"}`, []Auth{{"cookie", "cookie", "PHPSESSID", 1}, {"csrf", "cookie", "XSRF-TOKEN", 1}}, nil},
	} {
		c, _ := observe(t, "h", write(t, "in.har", har(call(test.url, test.headers))))
		require.Equal(t, test.want, c.Observations[0].Auth, test.url+test.headers)
		require.Equal(t, test.query, names(c.Observations[0].Query))
		if strings.Contains(test.headers, "X-Version") {
			require.Equal(t, []string{"x-version"}, names(c.Observations[0].Headers))
		}
	}
}
