package schema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAbsences(t *testing.T) {
	old := observe(t, times(20, `{"total":1,"list":[{"price_cents":1,"name":"x y"}]}`)...)
	renamed := observe(t, times(3, `{"total":1,"list":[{"price":1,"name":"x y"}]}`)...)
	many := observe(t, times(10, `{"total":1,"list":[{"price":1,"name":"x y"}]}`)...)
	gone := Absence{Path: "/properties/list/items/properties/price_cents", Name: "price_cents", Had: 20, Lacked: 3}
	for _, test := range []struct {
		name         string
		seen, others []*Shape
		want         []Absence
	}{
		{"one recording", []*Shape{old}, nil, nil},
		{"the same again", []*Shape{old, old}, nil, nil},
		{"renamed", []*Shape{old, renamed}, nil, []Absence{gone}},
		{"in another order", []*Shape{renamed, old}, nil, []Absence{gone}},
		{"against what was known", []*Shape{renamed}, []*Shape{old}, []Absence{gone}},
		{"what only the known ones lack", []*Shape{old}, []*Shape{renamed}, nil},
		{"known ones that lack it, too", []*Shape{renamed}, []*Shape{old, many}, []Absence{gone}},
		{"either may be right", []*Shape{old, many}, nil, []Absence{
			{Path: "/properties/list/items/properties/price", Name: "price", Had: 10, Lacked: 20},
			{Path: "/properties/list/items/properties/price_cents", Name: "price_cents", Had: 20, Lacked: 10},
		}},
		{"sometimes there", []*Shape{Merge(old, observe(t, `{"list":[{}]}`)), renamed}, nil, nil},
		{"seen too seldom", []*Shape{observe(t, times(9, `{"a":1}`)...), observe(t, times(9, `{"b":1}`)...)}, nil, nil},
		{"by chance", []*Shape{observe(t, times(19, `{"a":1}`)...), observe(t, times(3, `{}`)...)}, nil, nil},
		{"lacked too seldom", []*Shape{old, observe(t, times(2, `{"list":[{}]}`)...)}, nil, nil},
		{"counted over recordings", []*Shape{observe(t, times(10, `{"a":1}`)...), observe(t, times(10, `{"a":1}`)...), observe(t, times(3, `{}`)...)}, nil,
			[]Absence{{Path: "/properties/a", Name: "a", Had: 20, Lacked: 3}}},
		{"below a map", []*Shape{observe(t, times(20, `{"70001":{"a/b":1}}`)...), observe(t, times(3, `{"70002":{}}`)...)}, nil,
			[]Absence{{Path: "/additionalProperties/properties/a~1b", Name: "a/b", Had: 20, Lacked: 3}}},
		{"another type", []*Shape{observe(t, times(20, `{"a":1}`)...), observe(t, times(3, `[1]`)...)}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, Absences(test.seen, test.others))
		})
	}
}
