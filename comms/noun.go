package comms

import "switchboard/ent"

// The nouns are ent's types under their own names, so that a door needs no import of the store.
type (
	Account     = ent.Account
	Number      = ent.Number
	Message     = ent.Message
	ApiToken    = ent.ApiToken
	Block       = ent.Block
	Call        = ent.Call
	Recording   = ent.Recording
	Mask        = ent.Mask
	Trunk       = ent.Trunk
	Contact     = ent.Contact
	Session     = ent.Session
	Application = ent.Application
	NumberGroup = ent.NumberGroup
	SipNumber   = ent.SipNumber
	Device      = ent.Device
	CallRecord  = ent.CallRecord
	CarrierLink = ent.CarrierLink
	Follower    = ent.Follower
	Mail        = ent.Mail
)
