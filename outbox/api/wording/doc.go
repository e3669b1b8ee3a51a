// Package wording says to each caller how it does what a sentence asks for. The sentences of the
// service name commands of this program, for people; an agent is told the tool that does the same,
// a program the route. What only the owner of the state may do is a command for everybody.
//
// ways.go is the one list of what a command is for the others. Every command that a sentence of the
// service names is in it, which TestEverySentence proves.
package wording
