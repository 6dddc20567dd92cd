package graph

import (
	goast "go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"switchboard/comms"
	"switchboard/comms/carrier"
	"switchboard/comms/mail"
)

type channelSeen struct {
	Kind, State                                                      string
	MatrixID, RoomID, DeviceName, Problem, NextAttemptAt, LastToldAt *string
	Failures                                                         int
}

const channelFields = `{ noticeChannels { kind state matrixId roomId deviceName problem failures nextAttemptAt lastToldAt } }`

// What is not set up is told so, what works shows when it told, and what fails when it is tried again.
func TestNoticeChannels(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, other := k.person(1), k.person(0)
		var data struct{ NoticeChannels []channelSeen }
		must(k.svc.SetMatrixID(other.ctx, "@other:example.com"))(k)
		k.get(other.ctx, channelFields, nil, &data)
		if len(data.NoticeChannels) != 1 || data.NoticeChannels[0].State != "STOPPED" || *data.NoticeChannels[0].Problem != "NOT_CONFIGURED" ||
			*data.NoticeChannels[0].MatrixID != "@other:example.com" || data.NoticeChannels[0].NextAttemptAt != nil {
			k.Errorf("without a bot: %+v", data.NoticeChannels)
		}
		k.channels(me)
		k.get(me.ctx, channelFields, nil, &data)
		if len(data.NoticeChannels) != 2 {
			k.Fatalf("%+v", data.NoticeChannels)
		}
		room, device := data.NoticeChannels[0], data.NoticeChannels[1]
		if room.Kind != "MATRIX" || room.State != "GOOD" || *room.MatrixID != "@owner:example.com" || room.RoomID == nil || room.LastToldAt == nil || room.Problem != nil ||
			room.DeviceName != nil {
			k.Errorf("the room: %+v", room)
		}
		if device.Kind != "PUSH" || device.State != "RETRYING" || *device.DeviceName != "telephone" || *device.Problem != "AWAY" || device.Failures < 1 ||
			device.NextAttemptAt == nil || device.LastToldAt != nil || device.MatrixID != nil || device.RoomID != nil {
			k.Errorf("the device: %+v", device)
		}
	})
}

// An account by mail: nobody logs in before the link was followed, and the same request again posts no second letter.
func TestRegisterByMail(t *testing.T) {
	onBoth(t, func(k *kit) {
		var data struct {
			RegisterByMail struct {
				Account *struct {
					Email  string
					Active bool
				}
				Replayed   bool
				UserErrors []struct{ Code string }
			}
			Login struct {
				Token      *string
				Account    *struct{ Active bool }
				UserErrors []struct{ Code string }
			}
		}
		ask := `mutation { registerByMail(input: {email: "Me@Example.com", password: "correct horse", idempotencyKey: "k"}) { account { email active } replayed userErrors { code } } }`
		login := `mutation { login(input: {email: "me@example.com", password: "correct horse"}) { token account { active } userErrors { code } } }`
		for _, again := range []bool{false, true} {
			k.get(k.Context(), ask, nil, &data)
			if r := data.RegisterByMail; r.Account == nil || r.Account.Email != "me@example.com" || r.Account.Active || r.Replayed != again {
				k.Fatalf("%+v", r)
			}
		}
		k.get(k.Context(), login, nil, &data)
		if data.Login.Token != nil || len(data.Login.UserErrors) != 1 || data.Login.UserErrors[0].Code != "NOT_ACTIVATED" {
			k.Errorf("before: %+v", data.Login)
		}
		letter := k.letter()
		must(k.mails.Activate(k.Context(), k.token(letter, "https://sb.example"+mail.ActivationPath)))(k)
		k.get(k.Context(), login, nil, &data)
		if data.Login.Token == nil || !data.Login.Account.Active || len(data.Login.UserErrors) != 0 {
			k.Errorf("after: %+v", data.Login)
		}
	})
}

// The words of problems are those of the rules. They are read from the rules' source, for a list of them would be what is forgotten.
func TestProblemsCoverTheRules(t *testing.T) {
	for enum, path := range map[string]string{"CarrierProblem": "../comms/carrier/trouble.go", "NoticeProblem": "../comms/notice/ports.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]bool{}
		goast.Inspect(file, func(n goast.Node) bool {
			v, ok := n.(*goast.ValueSpec)
			if !ok || v.Type == nil || len(v.Values) != 1 {
				return true
			}
			if typ, ok := v.Type.(*goast.Ident); ok && typ.Name == "Problem" {
				if word, err := strconv.Unquote(v.Values[0].(*goast.BasicLit).Value); err == nil && word != "" {
					words[word] = true
				}
			}
			return true
		})
		values := schema().Types[enum].EnumValues
		for _, v := range values {
			if !words[v.Name] {
				t.Errorf("%s: nothing is told as %s", enum, v.Name)
			}
		}
		if len(words) != len(values) || len(words) < 5 {
			t.Errorf("%s has %d values, the rules %d words: %v", enum, len(values), len(words), words)
		}
	}
	if len(carrier.Problems()) > len(schema().Types["CarrierProblem"].EnumValues) {
		t.Error("links hold words that the schema has not")
	}
}

// What a token with some scope only may see of links and channels is in the table of callers; that another's is nobody's business, here.
func TestChannelsOfAnother(t *testing.T) {
	onBoth(t, func(k *kit) {
		me, other := k.person(0), k.person(0)
		must(k.svc.SetMatrixID(other.ctx, "@other:example.com"))(k)
		k.linked(other)
		r := k.ask(k.with(me, comms.ReadAccount), `{ noticeChannels { matrixId } carrierLinks { nodes { identity } totalCount } }`, nil)
		if string(r.Data) != `{"noticeChannels":[],"carrierLinks":{"nodes":[],"totalCount":0}}` {
			k.Errorf("%s %v", r.Data, r.Errors)
		}
	})
}
