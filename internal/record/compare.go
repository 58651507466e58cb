package record

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// compare finds the first field, in the order of the trace, in which two
// outputs differ, and gives both values as JSON.
func compare(a, b wireOutput) (field, av, bv string, same bool) {
	return differ("out", reflect.ValueOf(a), reflect.ValueOf(b))
}

func differ(path string, a, b reflect.Value) (string, string, string, bool) {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return leaf(path, a, b)
		}
		return differ(path, a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			if f, av, bv, same := differ(path+"."+name, a.Field(i), b.Field(i)); !same {
				return f, av, bv, false
			}
		}
		return "", "", "", true
	case reflect.Slice:
		if a.Type() != reflect.TypeFor[text]() {
			return differIn(path, a, b)
		}
	}
	return leaf(path, a, b)
}

// differIn compares what both slices have before their lengths.
func differIn(path string, a, b reflect.Value) (string, string, string, bool) {
	for i := range min(a.Len(), b.Len()) {
		if f, av, bv, same := differ(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); !same {
			return f, av, bv, false
		}
	}
	if a.Len() == b.Len() {
		return "", "", "", true
	}
	return path + ".length", fmt.Sprint(a.Len()), fmt.Sprint(b.Len()), false
}

func leaf(path string, a, b reflect.Value) (string, string, string, bool) {
	av, bv := toJSON(a), toJSON(b)
	if av == bv {
		return "", "", "", true
	}
	return path, av, bv, false
}

// toJSON writes what a trace would say; wire types always can be written.
func toJSON(v reflect.Value) string {
	data, err := json.Marshal(v.Interface())
	if err != nil {
		return err.Error()
	}
	return string(data)
}
