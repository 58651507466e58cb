// Package lmkproto speaks the control protocol of Android's lmkd: packets over a
// Unix socket of type SOCK_SEQPACKET, one command each, every field a signed
// 32-bit integer in network order, the first of them the command.
//
// It encodes and decodes both directions and has a small client. It knows no
// policy, and decoding allocates nothing.
package lmkproto
