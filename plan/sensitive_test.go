package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassifyField(t *testing.T) {
	for name, want := range map[string]fieldKind{
		"ssn": personalField, "customerSSN": personalField, "dateOfBirth": personalField, "date_of_birth": personalField, "DOB": personalField,
		"iban": personalField, "billing-iban": personalField, "email": personalField, "userEmailAddress": personalField, "phone_number": personalField,
		"token": secretField, "accessToken": secretField, "access-token": secretField, "client_secret": secretField, "apiKey": secretField, "password": secretField,
		"password_hash": secretField, "privateKey": secretField,
		"id": plainField, "nextPageToken": plainField, "token_count": plainField, "tokenName": plainField, "passwordAuthEnabled": plainField,
		"noPassword": plainField, "sinus": plainField, "company": plainField, "pinned": plainField, "secretary": plainField, "": plainField,
	} {
		require.Equal(t, want, classifyField(name), name)
	}
}

func TestSplitWords(t *testing.T) {
	for name, want := range map[string][]string{
		"dateOfBirth": {"date", "of", "birth"}, "HTTPServer": {"http", "server"}, "a_b-c.d": {"a", "b", "c", "d"}, "userID2": {"user", "id2"}, "": nil, "ÄÖ": {"äö"},
	} {
		require.ElementsMatch(t, want, splitWords(name), name)
	}
}
