package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"switchboard/comms"
	"switchboard/comms/record"
)

type recordsSeen struct {
	CallRecords struct {
		TotalCount              int
		CsvURL, CsvURLExpiresAt string
		Nodes                   []struct {
			Calling                        *string
			Called, Direction, Way, Hangup string
			Duration                       int
			RecordingURL                   *string
			Call                           *struct{ Outcome string }
			CarrierLink                    *struct{ Identity, Carrier string }
		}
	}
}

const recordFields = `{ totalCount csvUrl csvUrlExpiresAt nodes { calling called direction way hangup duration recordingUrl call { outcome } carrierLink { identity carrier } } }`

// told is an account with a call of its own and three that its carrier told of; the newest first they end at our number, 1, 2 and 3.
func (k *kit) toldOf() *person {
	me := k.person(1)
	k.linked(me)
	for i := 1; i <= 3; i++ {
		k.tells(10*i, fmt.Sprintf("003312345678%d", i), "0033987654321")
	}
	k.imports(me)
	k.sounds(me)
	k.lived(me)
	return me
}

// The filter finds what it says, its count and its CSV are of the same, and blocked numbers are in none of them.
func TestCallRecords(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.toldOf()
		now := time.Now()
		at := func(minutes int) string {
			return now.Add(-time.Duration(minutes) * time.Minute).UTC().Format(time.RFC3339Nano)
		}
		for filter, want := range map[string]string{
			``: "- 1 2 3",
			`(filter: {numbers: {anyOf: ["+33123456781", "0033123456783"]}})`: "1 3",
			`(filter: {numbers: {noneOf: ["00 33 123456781"]}})`:              "- 2 3",
			`(filter: {numbers: {anyOf: ["+33987654321"]}, maxDuration: 61})`: "1 2 3",
			`(filter: {numbers: {noneOf: []}})`:                               "- 1 2 3",
			`(filter: {direction: OUTGOING})`:                                 "-",
			`(filter: {direction: INCOMING, minDuration: 61})`:                "1 2 3",
			`(filter: {minDuration: 62})`:                                     "",
			fmt.Sprintf(`(filter: {from: %q, to: %q})`, at(25), at(15)):       "2",
			fmt.Sprintf(`(filter: {to: %q}, last: 1)`, at(5)):                 "3",
			`(first: 2)`: "- 1",
		} {
			var seen recordsSeen
			k.get(me.ctx, `{ callRecords`+filter+` `+recordFields+` }`, nil, &seen)
			if got := strings.Join(k.recordWords(seen), " "); got != want {
				k.Errorf("%s: %q, want %q", filter, got, want)
			}
			if paged := strings.Contains(filter, "first") || strings.Contains(filter, "last"); !paged && seen.CallRecords.TotalCount != len(seen.CallRecords.Nodes) {
				k.Errorf("%s: %d in all", filter, seen.CallRecords.TotalCount)
			}
			k.csvHas(seen)
		}
		must(k.svc.BlockNumber(me.ctx, comms.BlockNumber{Number: "+33123456782"}))(k)
		var seen recordsSeen
		k.get(me.ctx, `{ callRecords `+recordFields+` }`, nil, &seen)
		if got := strings.Join(k.recordWords(seen), " "); got != "- 1 3" || seen.CallRecords.TotalCount != 3 {
			k.Errorf("with a blocked number: %q, %d in all", got, seen.CallRecords.TotalCount)
		}
		k.csvHas(seen)
	})
}

// recordWords names each record by the last digit of who called, and our own call -, and checks what it shows beside.
func (k *kit) recordWords(seen recordsSeen) (out []string) {
	k.Helper()
	for _, r := range seen.CallRecords.Nodes {
		if r.Call != nil {
			if r.Call.Outcome != "ANSWERED" || r.Way != "OUTGOING" || r.Hangup != "hung up" || r.CarrierLink != nil || r.RecordingURL != nil {
				k.Errorf("our own: %+v", r)
			}
			out = append(out, "-")
			continue
		}
		if r.Called != "+33987654321" || r.Direction != "INCOMING" || r.Way != "INCOMING" || r.Duration != 61 || r.Hangup != "Normal call clearing" ||
			*r.CarrierLink != (struct{ Identity, Carrier string }{"xx1111-ovh", "OVH"}) || !strings.HasPrefix(*r.RecordingURL, "https://sb.example/records/") {
			k.Errorf("imported: %+v", r)
		}
		out = append(out, (*r.Calling)[len(*r.Calling)-1:])
	}
	return out
}

// csvHas opens the link of the CSV as its door does, and compares what is there with the whole list.
func (k *kit) csvHas(seen recordsSeen) {
	k.Helper()
	link := must(url.Parse(seen.CallRecords.CsvURL))(k)
	if link.Host != "sb.example" || link.Path != "/records.csv" {
		k.Fatalf("the CSV is at %s", link)
	}
	if at, err := time.Parse(time.RFC3339Nano, seen.CallRecords.CsvURLExpiresAt); err != nil || time.Until(at) < 30*time.Minute || time.Until(at) > 2*time.Hour {
		k.Errorf("the CSV's link ends at %s: %v", seen.CallRecords.CsvURLExpiresAt, err)
	}
	ctx, search, err := k.records.OpenCSVLink(k.Context(), link.Query())
	if err != nil {
		k.Fatal(err)
	}
	rows := 0
	if err := k.records.EachRecord(ctx, search, func(some []*record.Row) error { rows += len(some); return nil }); err != nil || rows != seen.CallRecords.TotalCount {
		k.Errorf("the CSV has %d rows, the list %d: %v", rows, seen.CallRecords.TotalCount, err)
	}
}

// Whoever resumes behind a cursor hears of an import as it went, step by step, and of nothing twice.
func TestWatchingAnImport(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.person(0)
		kinds := []any{"CARRIER_LINKED", "CARRIER_WITHDRAWN", "CARRIER_UNLINKED", "RECORDS_IMPORT"}
		w := k.watched(me, everyEvent, map[string]any{"kinds": kinds})
		link := k.linked(me)
		k.tells(10, "0033123456789", "0033987654321")
		k.imports(me)
		must(k.carriers.UnlinkCarrier(me.ctx, link.ID))(k)
		var told []string
		var last *linkSeen
		events := k.missed(w)
		for _, e := range events {
			seen := k.render(me, e)
			if told = append(told, seen.Kind); seen.Kind == "RECORDS_IMPORT" {
				last = seen.CarrierLink
			}
		}
		if told = slices.Compact(told); !slices.Equal(told, []string{"CARRIER_LINKED", "RECORDS_IMPORT", "CARRIER_UNLINKED"}) {
			k.Fatalf("told: %v", told)
		}
		if last.Importing || last.Progress.Done != 1 || last.Progress.Total != 1 || last.Progress.Added != 1 || last.ImportedAt == nil || last.NextImportAt == nil || last.Problem != nil {
			k.Errorf("the import ended as %+v", last)
		}
		behind := k.watched(me, everyEvent, map[string]any{"kinds": kinds, "after": events[len(events)-2].Cursor()})
		if rest := k.missed(behind); len(rest) != 1 || rest[0].ID != events[len(events)-1].ID {
			k.Errorf("behind the last but one: %v", rest)
		}
	})
}

// sees is whether the account finds records: a token without the scope may not ask even for the count.
func TestCallRecordsOfNobody(t *testing.T) {
	onBoth(t, func(k *kit) {
		me := k.toldOf()
		for who, ctx := range map[string]context.Context{"FORBIDDEN": k.with(me, everything&^comms.ReadRecords), "UNAUTHENTICATED": k.Context()} {
			for _, query := range []string{`{ callRecords { totalCount } }`, `{ callRecords { csvUrl } }`} {
				r := k.ask(ctx, query, nil)
				if len(r.Errors) != 1 || r.Errors[0].Extensions["code"] != who || strings.Contains(string(must(json.Marshal(r))(k)), "records.csv") {
					k.Errorf("%s: %s %v, want %s", query, r.Data, r.Errors, who)
				}
			}
		}
	})
}
