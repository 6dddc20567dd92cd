package main

import (
	"go/token"
	"go/types"
	"testing"
)

// A type is written by one name however it was reached, or the generator's output would change from run to run.
func TestPlainType(t *testing.T) {
	pkg := types.NewPackage("switchboard/ent", "ent")
	account := types.NewNamed(types.NewTypeName(token.NoPos, pkg, "Account", nil), types.NewStruct(nil, nil), nil)
	alias := types.NewAlias(types.NewTypeName(token.NoPos, types.NewPackage("switchboard/comms", "comms"), "Account", nil), account)
	param := types.NewTypeParam(types.NewTypeName(token.NoPos, pkg, "T", nil), types.Universe.Lookup("any").Type())
	edge := types.NewNamed(types.NewTypeName(token.NoPos, pkg, "Edge", nil), types.NewStruct(nil, nil), nil)
	edge.SetTypeParams([]*types.TypeParam{param})
	of := func(arg types.Type) types.Type {
		out, err := types.Instantiate(nil, edge, []types.Type{arg}, false)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		in   types.Type
		want string
	}{
		{alias, "switchboard/ent.Account"},
		{types.NewPointer(alias), "*switchboard/ent.Account"},
		{types.NewSlice(types.NewPointer(of(alias))), "[]*switchboard/ent.Edge[switchboard/ent.Account]"},
		{of(of(alias)), "switchboard/ent.Edge[switchboard/ent.Edge[switchboard/ent.Account]]"},
		{account, "switchboard/ent.Account"},
		{types.Typ[types.String], "string"},
	} {
		if got := plainType(c.in).String(); got != c.want {
			t.Errorf("%s is written %s, not %s", c.in, got, c.want)
		}
	}
}
