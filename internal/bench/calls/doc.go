// Command calls measures calls: how many a second can be set up, what each costs, what happens at three times that, and how many recorded
// conversations can be carried at once without a lost packet. It is a client: telephones of its own on the loopback, two for each call, which register,
// call each other through a masked number, and send and count RTP. `make bench` runs it after internal/bench.
//
// main.go reads what is asked for and prints the tables; phone.go is a telephone; sound.go its RTP; server.go starts the switchboard, and
// kamailio.go Kamailio with rtpengine where they are installed; work.go measures; sipp.go gives both the same load of sipp (uac.xml, uas.xml);
// cores_linux.go keeps load and server apart where that matters.
package main
