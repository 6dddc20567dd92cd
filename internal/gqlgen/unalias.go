package main

import (
	"go/types"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
)

// unalias makes gqlgen call every type by one name. comms.Account is ent.Account, and gqlgen, which keeps one reference a type and finds them
// in the order of a map, would write now the one and now the other.
func unalias(data *codegen.Data) {
	for _, ref := range data.ReferencedTypes {
		unaliasReference(ref)
	}
	for _, o := range data.Objects {
		if o.Type != nil {
			o.Type = plainType(o.Type)
		}
		for _, f := range o.Fields {
			unaliasReference(f.TypeReference)
		}
	}
}

func unaliasReference(ref *config.TypeReference) {
	ref.GO = plainType(ref.GO)
	if ref.Target != nil {
		ref.Target = plainType(ref.Target)
	}
}

// plainType is the same type without the names of aliases in it.
func plainType(t types.Type) types.Type {
	switch t := types.Unalias(t).(type) {
	case *types.Pointer:
		return types.NewPointer(plainType(t.Elem()))
	case *types.Slice:
		return types.NewSlice(plainType(t.Elem()))
	case *types.Named:
		if t.TypeArgs().Len() == 0 {
			return t
		}
		args := make([]types.Type, t.TypeArgs().Len())
		for i := range args {
			args[i] = plainType(t.TypeArgs().At(i))
		}
		out, err := types.Instantiate(nil, t.Origin(), args, false)
		if err != nil {
			return t // cannot be: the same arguments made t
		}
		return out
	default:
		return t
	}
}
