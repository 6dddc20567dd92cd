package sip

// legState is where the dialog of one side of a call is. There is one table for the sides that rang in and one for those that were rung;
// what a table doesn't name is refused, so that whatever is late, doubled or crossing changes nothing.
type legState string

const (
	legIncoming   legState = "incoming"   // UAS: its INVITE has no answer yet but 100
	legRinging    legState = "ringing"    // UAS: it was told that the far side rings, or hears early media
	legAnswered   legState = "answered"   // UAS: it was sent a 2xx, its ACK is not there yet
	legOwing      legState = "owing"      // UAS: as answered, and it is to be sent a BYE, which must wait for the ACK (RFC 3261 section 15)
	legCalling    legState = "calling"    // UAC: the INVITE is out, nothing came back
	legProceeding legState = "proceeding" // UAC: a provisional response came
	legAbandoned  legState = "abandoned"  // UAC: given up while calling: no CANCEL may be sent before a provisional (RFC 3261 section 9.1)
	legCancelling legState = "cancelling" // UAC: CANCEL was sent; a 2xx may still cross it
	legConfirmed  legState = "confirmed"  // both: it talks
	legClosing    legState = "closing"    // both: BYE was sent
	legEnded      legState = "ended"      // both
)

// legEvent is what happens to a leg.
type legEvent string

const (
	evProvisional legEvent = "provisional" // UAC: 1xx came; UAS: 1xx (but 100) was sent
	evSuccess     legEvent = "success"     // UAC: 2xx came; UAS: 2xx was sent
	evFailure     legEvent = "failure"     // UAC: a final refusal, or none at all; UAS: we refuse
	evAck         legEvent = "ack"         // UAS: the ACK came
	evNoAck       legEvent = "no ack"      // UAS: it didn't come in 64*T1
	evHangUp      legEvent = "hang up"     // we end it
	evBye         legEvent = "bye"         // the peer ends it: BYE, or CANCEL before the answer
	evDone        legEvent = "done"        // our BYE was answered, or never will be
)

type legTable map[legState]map[legEvent]legState

var uasTable = legTable{
	legIncoming:  {evProvisional: legRinging, evSuccess: legAnswered, evFailure: legEnded, evHangUp: legEnded, evBye: legEnded},
	legRinging:   {evProvisional: legRinging, evSuccess: legAnswered, evFailure: legEnded, evHangUp: legEnded, evBye: legEnded},
	legAnswered:  {evAck: legConfirmed, evNoAck: legClosing, evHangUp: legOwing, evBye: legEnded},
	legOwing:     {evAck: legClosing, evNoAck: legClosing, evBye: legEnded},
	legConfirmed: {evHangUp: legClosing, evBye: legEnded},
	legClosing:   {evDone: legEnded},
}

var uacTable = legTable{
	legCalling:    {evProvisional: legProceeding, evSuccess: legConfirmed, evFailure: legEnded, evHangUp: legAbandoned},
	legProceeding: {evProvisional: legProceeding, evSuccess: legConfirmed, evFailure: legEnded, evHangUp: legCancelling},
	legAbandoned:  {evProvisional: legCancelling, evSuccess: legClosing, evFailure: legEnded},
	legCancelling: {evProvisional: legCancelling, evSuccess: legClosing, evFailure: legEnded},
	legConfirmed:  {evHangUp: legClosing, evBye: legEnded},
	legClosing:    {evDone: legEnded},
}

// move takes the leg along its table. It says no, and changes nothing, where the table has no such line.
func (l *leg) move(e legEvent) bool {
	table := uacTable
	if l.in != nil {
		table = uasTable
	}
	next, ok := table[l.state][e]
	if ok {
		l.state = next
	}
	return ok
}

// there tells whether the peer is in the call: it was answered, or it answered. Its ACK may still be on its way.
func (l *leg) there() bool { return l.state == legConfirmed || l.state == legAnswered }
