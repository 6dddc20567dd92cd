package privacycall

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchboard/comms/call"
	"switchboard/ent"
	"switchboard/ent/mask"
	"switchboard/internal/clock"
)

// refusedBinding is what a binding is asked for with, beside two good parties, and the code that it gets.
type refusedBinding struct {
	members map[string]any
	want    int
}

// refusedBindings are the ways in which a binding can be refused, after 13800000001 was bound to 17118230000.
func refusedBindings() map[string]refusedBinding {
	now := time.Now().UTC()
	return map[string]refusedBinding{
		"no caller":           {map[string]any{"Caller": nil}, 100008},
		"empty caller":        {map[string]any{"Caller": ""}, 100008},
		"blank callee":        {map[string]any{"Callee": " "}, 100008},
		"null callee":         {map[string]any{"Callee": (*string)(nil)}, 100008},
		"no callee first":     {map[string]any{"Caller": "x", "Callee": nil}, 100008},
		"letters":             {map[string]any{"Caller": "1832600000x"}, 100006},
		"short":               {map[string]any{"Caller": "1832600"}, 100006},
		"a digit too few":     {map[string]any{"Caller": "1832600000"}, 100006},
		"a digit too many":    {map[string]any{"Callee": "183260000000"}, 100006},
		"a list":              {map[string]any{"Callee": []string{"18516000000"}}, 100006},
		"true":                {map[string]any{"Callee": true}, 100006},
		"a fraction":          {map[string]any{"Callee": 1.5}, 100006},
		"one number":          {map[string]any{"Callee": "+86 183 2600 0000"}, 100006},
		"virtual letters":     {map[string]any{"VirtualNum": "x"}, 100006},
		"not in the pool":     {map[string]any{"VirtualNum": "17118230009"}, 100015},
		"another account's":   {map[string]any{"VirtualNum": "17118239000"}, 100015},
		"nobody's":            {map[string]any{"VirtualNum": "17118230001"}, 100015},
		"no number at all":    {map[string]any{"VirtualNum": "12345"}, 100015},
		"taken there":         {map[string]any{"Caller": "13800000001", "VirtualNum": "17118230000"}, 100016},
		"taken by the callee": {map[string]any{"Callee": "13800000001", "VirtualNum": "17118230000"}, 100016},
		"no such area":        {map[string]any{"Code": "010"}, 100016},
		"no area code":        {map[string]any{"Code": "Shanghai"}, 100016},
		"an area of mobiles":  {map[string]any{"Code": "171"}, 100016},
		"direction 3":         {map[string]any{"Direct": "3"}, 100017},
		"direction -1":        {map[string]any{"Direct": -1}, 100017},
		"direction 1.0":       {map[string]any{"Direct": "1.0"}, 100017},
		"direction false":     {map[string]any{"Direct": false}, 100017},
		"no minutes":          {map[string]any{"EndMinute": 0}, 100018},
		"too many minutes":    {map[string]any{"EndMinute": 61}, 100018},
		"far too many":        {map[string]any{"EndMinute": "99999999999999999999"}, 100018},
		"negative":            {map[string]any{"EndMinute": "-5"}, 100018},
		"half a minute":       {map[string]any{"EndMinute": 2.5}, 100018},
		"words":               {map[string]any{"EndMinute": "soon"}, 100018},
		"past":                {map[string]any{"EndMinute": now.Add(-time.Minute).Format(time.RFC3339)}, 100018},
		"the document's":      {map[string]any{"EndMinute": "2016-05-20T23:59:59Z"}, 100018},
		"too late":            {map[string]any{"EndMinute": now.Add(62 * time.Minute).Format(time.RFC3339)}, 100018},
		"no zone":             {map[string]any{"EndMinute": now.Add(time.Minute).Format("2006-01-02T15:04:05")}, 100018},
	}
}

func TestRefusedBindings(t *testing.T) {
	onBoth(t, func(w *world) {
		if got := w.ask(bindPath, map[string]any{"Caller": "13800000001", "Callee": "13800000002", "VirtualNum": "17118230000"}); got.Flag != flagOK {
			t.Fatal(got.body)
		}
		for name, c := range refusedBindings() {
			all := map[string]any{"Caller": "18326000000", "Callee": "18516000000"}
			for k, v := range c.members {
				all[k] = v
			}
			if got := w.ask(bindPath, all); !got.refused(c.want) {
				t.Errorf("%s: %s, want %d", name, got.body, c.want)
			}
		}
		if n, err := w.store.Read().Mask.Query().Count(t.Context()); err != nil || n != 1 {
			t.Error(n, err)
		}
	})
}

// binding is the newest mask.
func (w *world) binding() *ent.Mask {
	w.Helper()
	m, err := w.store.Read().Mask.Query().Order(ent.Desc(mask.FieldCreatedAt)).WithVirtual().First(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return m
}

func TestBindings(t *testing.T) {
	onBoth(t, func(w *world) {
		at := time.Now().UTC().Add(20 * time.Minute).Truncate(time.Second)
		for name, c := range map[string]struct {
			members   map[string]any
			direction mask.Direction
			lasts     time.Duration
			x         string // empty: any of the pool
		}{
			"nothing said":    {nil, mask.DirectionBoth, 30 * time.Minute, ""},
			"nothing in it":   {map[string]any{"VirtualNum": "", "Direct": "", "EndMinute": "", "Code": ""}, mask.DirectionBoth, 30 * time.Minute, ""},
			"nulls":           {map[string]any{"VirtualNum": (*int)(nil), "Direct": (*int)(nil)}, mask.DirectionBoth, 30 * time.Minute, ""},
			"to the callee":   {map[string]any{"Direct": 1, "EndMinute": "25"}, mask.DirectionFirst, 25 * time.Minute, ""},
			"to the caller":   {map[string]any{"Direct": "2", "EndMinute": 1}, mask.DirectionSecond, time.Minute, ""},
			"both":            {map[string]any{"Direct": "0", "EndMinute": 60}, mask.DirectionBoth, 60 * time.Minute, ""},
			"until":           {map[string]any{"EndMinute": at.Format("2006-01-02T15:04:05Z")}, mask.DirectionBoth, 20 * time.Minute, ""},
			"area":            {map[string]any{"Code": "021"}, mask.DirectionBoth, 30 * time.Minute, "+862151860000"},
			"area without 0":  {map[string]any{"Code": 21}, mask.DirectionBoth, 30 * time.Minute, "+862151860000"},
			"number":          {map[string]any{"VirtualNum": "17118230000", "Code": "021"}, mask.DirectionBoth, 30 * time.Minute, "+8617118230000"},
			"with 86":         {map[string]any{"VirtualNum": "8617118230000"}, mask.DirectionBoth, 30 * time.Minute, "+8617118230000"},
			"with +86":        {map[string]any{"VirtualNum": "+8617118230000"}, mask.DirectionBoth, 30 * time.Minute, "+8617118230000"},
			"landline":        {map[string]any{"VirtualNum": "02151860000"}, mask.DirectionBoth, 30 * time.Minute, "+862151860000"},
			"without the 0":   {map[string]any{"VirtualNum": 2151860000}, mask.DirectionBoth, 30 * time.Minute, "+862151860000"},
			"landline, +86 0": {map[string]any{"VirtualNum": "+86 021 5186 0000"}, mask.DirectionBoth, 30 * time.Minute, "+862151860000"},
		} {
			w.change(func(ctx context.Context, tx *ent.Client) error { _, err := tx.Mask.Delete().Exec(ctx); return err })
			all := map[string]any{"Caller": "18326000000", "Callee": "+8618516000000"}
			for k, v := range c.members {
				all[k] = v
			}
			got := w.ask(bindPath, all)
			if got.Flag != flagOK {
				t.Errorf("%s: %s", name, got.body)
				continue
			}
			m := w.binding()
			x, off := m.Edges.Virtual.Number, time.Until(m.ExpiresAt.Time())-c.lasts
			if m.First != "+8618326000000" || m.Second != "+8618516000000" || m.Direction != c.direction || off > 0 || off < -20*time.Second ||
				c.x != "" && x != c.x || "+"+got.Msg != x || !m.Record {
				t.Errorf("%s: %s, %+v", name, got.body, m)
			}
		}
	})
}

// The call that is begun: Caller first, then Callee, and both see the virtual number.
func TestCallOfABinding(t *testing.T) {
	onBoth(t, func(w *world) {
		got := w.ask(bindPath, map[string]any{"Caller": "18326000000", "Callee": "18516000000", "VirtualNum": "17118230000", "Direct": "2"})
		id, err := uuid.Parse(got.CallIdentifier)
		if err != nil {
			t.Fatal(got.body, err)
		}
		var v *call.Verdict
		select {
		case v = <-w.dialed:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody is called")
		}
		const x = "+8617118230000"
		if v.First == nil || v.First.Number != "+8618326000000" || v.First.ShownAs != x || v.Second == nil || v.Second.Number != "+8618516000000" || v.Second.ShownAs != x {
			t.Errorf("%+v", v)
		}
		row, err := w.store.Read().Call.Get(t.Context(), id)
		if err != nil || row.Peer != "+8618326000000" || row.Second != "+8618516000000" || row.MaskID == nil || *row.MaskID != w.binding().ID || !row.Record {
			t.Errorf("%+v, %v", row, err)
		}
		// Where nobody can be called the binding lives all the same, and the answer names the call that failed.
		got = w.ask(bindPath, map[string]any{"Caller": "13900000001", "Callee": "13900000002"})
		if id, err = uuid.Parse(got.CallIdentifier); err != nil || got.Flag != flagOK {
			t.Fatal(got.body, err)
		}
		row, err = w.store.Read().Call.Get(t.Context(), id)
		if err != nil || row.EndedAt == nil || w.binding().First != "+8613900000001" || w.binding().EndedAt != nil {
			t.Errorf("%+v, %v", row, err)
		}
	})
}

// A recording's address is absolute, and needs no credential.
func TestVoice(t *testing.T) {
	onBoth(t, func(w *world) {
		id := w.ask(bindPath, map[string]any{"Caller": "18326000000", "Callee": "18516000000"}).CallIdentifier
		for name, c := range map[string]struct {
			id   any
			want int
		}{"none": {nil, 100104}, "empty": {"", 100104}, "no id": {"x", 100104}, "unknown": {uuid.NewString(), 100104}, "not yet": {id, 100105},
			"without dashes": {strings.ReplaceAll(id, "-", ""), 100105}, "a number": {7, 100104}} {
			if got := w.ask(voicePath, map[string]any{"CallIdentifier": c.id}); !got.refused(c.want) {
				t.Errorf("%s: %s, want %d", name, got.body, c.want)
			}
		}
		if got := w.askAs(w.theirs, voicePath, map[string]any{"CallIdentifier": id}); !got.refused(100104) {
			t.Error("another account: ", got.body)
		}
		var recording uuid.UUID
		w.change(func(ctx context.Context, tx *ent.Client) error {
			row, err := tx.Call.Get(ctx, uuid.MustParse(id))
			if err != nil {
				return err
			}
			r, err := tx.Recording.Create().SetAccountID(row.AccountID).SetCallID(row.ID).SetStatus("ready").SetCreatedAt(clock.Now()).SetReadyAt(clock.Now()).Save(ctx)
			if err == nil {
				recording = r.ID
			}
			return err
		})
		got := w.ask(voicePath, map[string]any{"CallIdentifier": id})
		if want := w.url + "/recordings/" + recording.String() + "?expires="; got.Flag != flagOK || !strings.HasPrefix(got.Msg, want) || strings.Contains(got.body, `\u0026`) {
			t.Errorf("%s, want %s", got.body, want)
		}
	})
}

// Links begin with the public URL where there is one, or else with what the client used.
func TestLinkAddress(t *testing.T) {
	for _, c := range []struct {
		public string
		header map[string]string
		want   string
	}{
		{"", nil, "http://example.com"},
		{"https://sb.example/", map[string]string{"X-Forwarded-Proto": "http"}, "https://sb.example"},
		{"", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "sb.example:8443"}, "https://sb.example:8443"},
		{"", map[string]string{"X-Forwarded-Host": "evil/path"}, "http://example.com"},
	} {
		r := httptest.NewRequest("POST", "http://example.com"+voicePath, nil)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if got := (&door{Options{PublicURL: strings.TrimSuffix(c.public, "/")}}).base(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
