// Package call holds the rules of calls: where one goes, what is shown, what is recorded, and what became of it; and of what calls need:
// masks, telephones, trunks, recordings. It is a room below comms and shares its transactions and its log (comms.Inside).
//
// Start with decide.go: one function from the facts (facts.go: who calls what, when and in which state of things) to a Verdict; route.go reads
// the ones and stores the other. The room that speaks SIP (providers/sip) asks for it, alone turns it into SIP, and reports what happens;
// state.go is the table through which a call then moves, and watchdog.go ends what nobody reports.
// No SIP number decides anything here: what the network said is kept in the record, what it means was said in a word (End).
package call
