// Package schema is what tools take and return: JSON schemas made of Go types, and arguments read
// into values of these types. The schemas that are listed are strict. What is read may be written
// the way clients and models write it; see Schema.Decode.
package schema
