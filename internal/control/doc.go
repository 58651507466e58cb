// Package control holds the daemon's sockets: the one that speaks the protocol of
// Android's lmkd, where clients register processes and hear of kills, and the
// native one, which tells of levels and kills in lines of JSON.
//
// Nothing here runs on the daemon's loop. What clients registered reaches it as an
// immutable roll behind an atomic pointer, and what the loop decided comes back
// through the flight recorder: no lock is shared between a wake and a signal. At
// rest no timer runs.
package control
