package model

import "switchboard/comms"

// Node is anything with an id.
type Node any

// Event is one line of the log: one of the types below, by its kind.
type Event interface{ Cursor() string }

// MessageReceivedEvent is a message that came.
type MessageReceivedEvent struct {
	*comms.Event
	Message *Message
}

// MessageEvent is a message that was sent or delivered.
type MessageEvent struct {
	*comms.Event
	Message *Message
}

// NumberEvent is something that happened to a number.
type NumberEvent struct {
	*comms.Event
	Number *Number
}

// BlockEvent is a change of the blocklist.
type BlockEvent struct{ *comms.Event }

// Number is the one that was blocked or unblocked.
func (e *BlockEvent) Number() string { return e.Block.Number }

// AccountEvent is a change of the account or its credentials.
type AccountEvent struct{ *comms.Event }

// ApiToken is the token that it happened to, where it was one.
func (e *AccountEvent) ApiToken() *ApiToken {
	if e.Token == nil {
		return nil
	}
	return &ApiToken{e.Token}
}

// CallEvent is a step of a call.
type CallEvent struct {
	*comms.Event
	Call *Call
}

// RecordingEvent is something that happened to a recording.
type RecordingEvent struct {
	*comms.Event
	Recording *Recording
}

// MaskEvent is something that happened to a mask.
type MaskEvent struct {
	*comms.Event
	Mask *Mask
}

// GroupEvent is something that happened to a number group.
type GroupEvent struct {
	*comms.Event
	NumberGroup *NumberGroup
}

// CarrierEvent is something that happened to a link to a carrier.
type CarrierEvent struct{ *comms.Event }

// CarrierLink is the link as it was then.
func (e *CarrierEvent) CarrierLink() *CarrierLink { return &CarrierLink{e.Carrier} }

// PhoneEvent is something that happened to a telephone.
type PhoneEvent struct {
	*comms.Event
	SipNumber *SipNumber
}
