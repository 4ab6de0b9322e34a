package plan

import (
	"slices"
	"strings"
	"unicode"
)

// fieldKind says what a response field's name promises.
type fieldKind int

const (
	plainField fieldKind = iota
	personalField
	secretField
)

// personalNames and secretNames are words, or runs of words joined by "_", in
// a field name split at case changes and punctuation.
var (
	personalNames = []string{
		"ssn", "social_security", "social_security_number", "sin", "nin", "national_id", "national_insurance",
		"tax_id", "taxpayer", "tin", "passport", "passport_number", "driver_license", "drivers_license", "driving_licence",
		"iban", "bic", "account_number", "routing_number", "sort_code", "bank_account",
		"credit_card", "card_number", "cardnumber", "pan", "cvv", "cvc",
		"date_of_birth", "birth_date", "birthdate", "birthday", "dob", "birthplace",
		"email", "e_mail", "email_address", "phone", "phone_number", "mobile", "mobile_number", "telephone",
		"first_name", "last_name", "full_name", "given_name", "family_name", "surname", "maiden_name",
		"street", "street_address", "home_address", "postal_address", "postcode", "postal_code", "zip_code",
		"gender", "ethnicity", "religion", "nationality", "marital_status", "blood_type", "diagnosis", "medical",
		"salary", "income", "ip_address", "latitude", "longitude", "geolocation", "biometric",
	}
	secretNames = []string{
		"password", "passwd", "pwd", "passphrase", "secret", "secrets", "client_secret", "token", "access_token",
		"refresh_token", "id_token", "auth_token", "session_token", "session_id", "sessionid", "api_key", "apikey",
		"private_key", "secret_key", "access_key", "signing_key", "encryption_key", "ssh_key", "credential", "credentials", "authorization",
		"jwt", "bearer", "otp", "totp", "mfa_code", "recovery_code", "recovery_codes", "pin", "connection_string", "webhook_secret",
	}
	// notSecrets are words beside "token" or "password" that make it a place in
	// a list, a unit of text, or a setting.
	notSecrets = []string{"page", "next", "prev", "previous", "continuation", "cursor", "sync", "type", "count", "counts", "limit", "usage", "max", "total", "address", "symbol", "expires", "expiry", "name", "names", "enabled", "disabled", "disable", "enable", "no", "has", "is", "required", "policy", "length", "strength"}
)

// classifyField says whether a field name promises personal data or a secret.
func classifyField(name string) fieldKind {
	words := splitWords(name)
	if containsRun(words, secretNames) {
		if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(notSecrets, w) }) {
			return plainField
		}
		return secretField
	}
	if containsRun(words, personalNames) {
		return personalField
	}
	return plainField
}

func containsRun(words, names []string) bool {
	joined := "_" + strings.Join(words, "_") + "_"
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(joined, "_"+n+"_") })
}

// splitWords cuts a name at punctuation and where lower case meets upper, and
// lowers it: "dateOfBirth2" gives date, of, birth2.
func splitWords(name string) []string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte(' ')
			continue
		case i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsUpper(runes[i-1]) && unicode.IsLower(runes[i+1])):
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.Fields(b.String())
}
