package graph

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"switchboard/comms"
)

// The GraphQL multipart request specification (https://github.com/jaydenseric/graphql-multipart-request-spec): `operations`, then `map`,
// then the files, each written to disk as it comes in.

// preflighted are headers that a page of another site can't send without asking first (CORS): one of them shows that a
// multipart/form-data request, which a mere form can make, comes from a program. Apollo's and GraphQL Yoga's clients send the first two.
var preflighted = []string{"Apollo-Require-Preflight", "GraphQL-Require-Preflight", "X-Apollo-Operation-Name"}

func isPreflighted(head http.Header) bool {
	return slices.ContainsFunc(append([]string{"Authorization", "X-API-Key"}, preflighted...), func(name string) bool {
		return head.Get(name) != ""
	})
}

// maxMap bounds the part `map`: a few names and paths.
const maxMap = 64 << 10

// multipartOf reads such a request. The caller must call discard.
func (h *Handler) multipartOf(w http.ResponseWriter, r *http.Request, boundary string) (*asked, *badRequest) {
	limit := h.o.Limits.Body + maxMap + h.o.Limits.Upload
	switch {
	case !isPreflighted(r.Header):
		return nil, &badRequest{http.StatusUnsupportedMediaType,
			refused(codeCSRF, "multipart/form-data needs a header that a form can't send, such as GraphQL-Require-Preflight: 1")}
	case comms.ActorOf(r.Context()) == nil: // nothing that takes a file is for strangers, and the disk isn't either
		return nil, &badRequest{http.StatusUnauthorized, refused(topCodes[comms.Unauthenticated], "authentication is required")}
	case boundary == "":
		return nil, unreadable("the content type has no boundary")
	case r.ContentLength > limit:
		return nil, tooLarge(limit)
	}
	in := &upload{h: h, parts: multipart.NewReader(http.MaxBytesReader(w, r.Body, limit), boundary), room: h.o.Limits.Upload}
	want, bad := in.read(r.Header)
	if bad != nil {
		h.discard(r.Context(), &asked{discard: in.discard})
		return nil, bad
	}
	want.discard = in.discard
	return want, nil
}

// upload is one multipart request while it is read.
type upload struct {
	h     *Handler
	parts *multipart.Reader
	room  int64
	files []*os.File
}

func (u *upload) read(head http.Header) (*asked, *badRequest) {
	text, bad := u.field("operations", u.h.o.Limits.Body)
	if bad != nil {
		return nil, bad
	}
	want, bad := u.h.documents.decodeBody(text, head)
	if bad != nil {
		return nil, bad
	}
	if text, bad = u.field("map", maxMap); bad != nil {
		return nil, bad
	}
	places, bad := decodeMap(text, u.h.o.Limits.Files)
	if bad != nil {
		return nil, bad
	}
	for {
		part, err := u.parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, u.broken(err)
		}
		paths := places[part.FormName()]
		if paths == nil {
			return nil, unreadable("a part isn't named by map")
		}
		delete(places, part.FormName())
		if bad := u.file(part, want, paths); bad != nil {
			return nil, bad
		}
	}
	if len(places) > 0 {
		return nil, unreadable("map names a file that isn't there")
	}
	return want, nil
}

// field reads a part that isn't a file, which must be the next.
func (u *upload) field(name string, limit int64) ([]byte, *badRequest) {
	part, err := u.parts.NextPart()
	if err != nil {
		return nil, u.broken(err)
	}
	if part.FormName() != name {
		return nil, unreadable("the parts must be: operations, map, then the files")
	}
	b, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return nil, u.broken(err)
	}
	if int64(len(b)) > limit {
		return nil, tooLarge(limit)
	}
	return b, nil
}

func (u *upload) broken(err error) *badRequest {
	if over, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(over.Limit)
	}
	return unreadable("the multipart body can't be read")
}

// file writes a part to disk, and stands it wherever the map says.
func (u *upload) file(part *multipart.Part, want *asked, paths []string) *badRequest {
	err := os.MkdirAll(u.h.o.TempDir, 0o700)
	var f *os.File
	if err == nil {
		f, err = os.CreateTemp(u.h.o.TempDir, "switchboard-upload-*")
	}
	if err != nil {
		u.h.o.Logger.Error("make a file for an upload", "error", err)
		return &badRequest{http.StatusServiceUnavailable, refused(topCodes[comms.Unavailable], "the server can't take files now, try again")}
	}
	u.files = append(u.files, f)
	if err := os.Remove(f.Name()); err != nil { // open it stays readable, and a process that is killed leaves nothing behind
		u.h.o.Logger.Error("hide an upload", "error", err)
	}
	size, err := io.Copy(f, io.LimitReader(part, u.room+1))
	if err != nil {
		return u.broken(err)
	}
	if u.room -= size; u.room < 0 {
		return tooLarge(u.h.o.Limits.Upload)
	}
	for _, path := range paths {
		// Each place has a position of its own in the file.
		value := graphql.Upload{File: io.NewSectionReader(f, 0, size), Filename: part.FileName(), Size: size, ContentType: part.Header.Get("Content-Type")}
		if bad := place(want, path, value); bad != nil {
			return bad
		}
	}
	return nil
}

// discard ends the files, and with them their data.
func (u *upload) discard() error {
	var errs []error
	for _, f := range u.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// decodeMap reads `map`: for each file the paths at which it stands.
func decodeMap(text []byte, limit int) (map[string][]string, *badRequest) {
	v, bad := parseJSON(text)
	if bad != nil {
		return nil, bad
	}
	named, ok := v.(map[string]any)
	if !ok {
		return nil, unreadable("map must be an object of lists of paths")
	}
	places := make(map[string][]string, len(named))
	for name, v := range named {
		paths, ok := v.([]any)
		places[name] = make([]string, len(paths))
		for i := range paths {
			places[name][i], ok = paths[i].(string)
			if !ok {
				break
			}
		}
		if !ok {
			return nil, unreadable("map must be an object of lists of paths")
		}
	}
	if len(places) > limit {
		return nil, &badRequest{http.StatusRequestEntityTooLarge, refused(codeBody, "a request may have %d files at most", limit)}
	}
	for _, paths := range places {
		if len(paths) == 0 || len(paths) > limit {
			return nil, unreadable("map must name one to %d places for each file", limit)
		}
	}
	return places, nil
}

// place puts a value at a path such as `variables.input.file`, in a list of requests `0.variables.input.file`, where null must stand.
func place(want *asked, path string, value graphql.Upload) *badRequest {
	steps := strings.Split(path, ".")
	params := want.params[0]
	if want.batch {
		i, err := strconv.Atoi(steps[0])
		if err != nil || i < 0 || i >= len(want.params) {
			return unreadable("map names a place that isn't there")
		}
		params, steps = want.params[i], steps[1:]
	}
	if len(steps) < 2 || len(steps) > maxNesting || steps[0] != "variables" {
		return unreadable("map must name places in variables")
	}
	var at any = params.Variables
	for _, step := range steps[1 : len(steps)-1] {
		at = child(at, step)
	}
	return set(at, steps[len(steps)-1], value)
}

func child(at any, step string) any {
	switch at := at.(type) {
	case map[string]any:
		return at[step]
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(at) {
			return at[i]
		}
	}
	return nil
}

func set(at any, step string, value graphql.Upload) *badRequest {
	switch at := at.(type) {
	case map[string]any:
		if there, ok := at[step]; ok && there == nil {
			at[step] = value
			return nil
		}
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(at) && at[i] == nil {
			at[i] = value
			return nil
		}
	}
	return unreadable("null must stand where map puts a file")
}
