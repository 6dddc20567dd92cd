// Package push wakes devices: by Google's FCM, Apple's APNs, and by the URLs of UnifiedPush and Web Push.
//
// Start with token.go: what a push token looks like says whose it is. fcm.go, apns.go and web.go speak to one kind of service each, guard.go
// keeps what devices name from leading into our own network.
//
// What is told does not live here, nor when it is tried again (comms/notice).
//
// FCM and APNs are spoken with net/http alone: each is one request, and their vendors' clients would double the program.
package push
