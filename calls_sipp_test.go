package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"switchboard/internal/house/peers"
)

// register makes sipp a telephone of the first account, and gives the port at which it is reached from then on.
func (x *exchange) register(number string) (port int) {
	x.Helper()
	port = peers.FreePort(x.T)
	peers.Scenario{XML: peers.XML(x.T, "register"), Server: x.sip, Port: port, Users: [][]string{x.user(number)}}.Run(x.Context(), x.T)
	return port
}

// user is a telephone's number and what proves it, and what else a scenario wants.
func (x *exchange) user(number string, more ...string) []string {
	for _, p := range x.accounts[0].SipNumbers {
		if p.Number == number {
			return append([]string{p.Number, peers.Proof(p.Number, p.Password)}, more...)
		}
	}
	x.Fatalf("there is no telephone %s", number)
	return nil
}

// number is the id of one of the first account's numbers.
func (x *exchange) number(e164 string) string {
	for _, n := range x.accounts[0].Numbers {
		if n.Number == e164 {
			return n.ID
		}
	}
	x.Fatalf("there is no number %s", e164)
	return ""
}

// place calls a number from one that no telephone rings for: the program itself is the first side.
func (x *exchange) place(to string) (id string) {
	x.Helper()
	var answer struct {
		Data struct {
			PlaceCall struct {
				Call       struct{ ID string }
				UserErrors []map[string]any
			}
		}
	}
	x.graphql(fmt.Sprintf(`mutation { placeCall(input: {from: "%s", to: "%s"}) { call { id } userErrors { code field message } } }`,
		x.number("+8617118230001"), to), &answer)
	if len(answer.Data.PlaceCall.UserErrors) > 0 {
		x.Fatal(answer.Data.PlaceCall.UserErrors)
	}
	return answer.Data.PlaceCall.Call.ID
}

func (x *exchange) hangUp(id string) {
	x.Helper()
	var answer any
	x.graphql(fmt.Sprintf(`mutation { hangUp(input: {callId: "%s"}) { call { id } userErrors { code field message } } }`, id), &answer)
}

func (x *exchange) graphql(query string, into any) {
	x.Helper()
	body, err := json.Marshal(map[string]string{"query": query})
	check(x.T, err)
	status, text := x.do("POST", "/query", string(body), "Content-Type", "application/json", "X-API-Key", x.accounts[0].ApiKey)
	if status != 200 || strings.Contains(text, `"errors":`) {
		x.Fatalf("%d %s", status, text)
	}
	check(x.T, json.Unmarshal([]byte(text), into))
}

func (x *exchange) ends(outcome string, calls int) {
	x.Helper()
	x.eventually("a call that ended "+outcome, func() bool {
		all := x.outcomes()
		return len(all) == calls && strings.HasPrefix(all[0], "ENDED "+outcome)
	})
}

// serve runs a scenario that waits for a call.
func (x *exchange) serve(name string, port int) (done chan peers.Figures) {
	done = make(chan peers.Figures, 1)
	xml := peers.XML(x.T, name)
	go func() {
		done <- peers.Scenario{XML: xml, Port: port, Loss: true}.Run(context.WithoutCancel(x.Context()), x.T)
	}()
	return done
}

// What telephones do that the library that we use once fell over: each is played by sipp, message by message.
func TestTelephonesThatMisbehave(t *testing.T) {
	x := startExchange(t, "--rtp-timeout", "3s")
	port := x.register("1003")
	const third = "+8613800000003"

	often := x.serve("rings_often", port)
	id := x.place(third)
	x.eventually("the call is answered", func() bool { return strings.HasPrefix(x.outcomes()[0], "ANSWERED") })
	x.hangUp(id)
	if f := <-often; f.Done != 1 || f.Failed != 0 {
		t.Errorf("rings fifteen times: %s", f.Output)
	}
	x.ends("ANSWERED", 1)

	crossing := x.serve("answers_cancel", port)
	id = x.place(third)
	x.eventually("the call rings", func() bool { return strings.HasPrefix(x.outcomes()[0], "RINGING") })
	x.hangUp(id)
	if f := <-crossing; f.Done != 1 || f.Failed != 0 {
		t.Errorf("CANCEL crosses 200: %s", f.Output)
	}
	x.ends("CANCELLED", 2)

	run := func(name, to string, more ...string) peers.Figures {
		return peers.Scenario{XML: peers.XML(t, name), Server: x.sip, Users: [][]string{x.user("1001", append([]string{to}, more...)...)}}.Run(t.Context(), t)
	}
	run("calls", "999000000001")
	x.ends("ANSWERED", 3)
	run("refused", "999000000003")
	x.ends("BUSY", 4)
	run("vanishes", "999000000001")
	x.ends("ANSWERED", 5)
	run("never_acks", "999000000001")
	x.ends("ANSWERED", 6) // the callee had answered; that no ACK came is the reason of its end
}
