// Package request says how the struct of an operation's request is an HTTP request, for client and
// server alike: each field, by its JSON name, stands in the path if the route's pattern names it,
// else in the query of a GET or DELETE, else in the JSON body. In a query lists repeat their name,
// and times are RFC 3339.
//
// Reading is strict: what is unknown, given twice, of another type, not one of a closed set, or
// missing is an error whose Field names it and whose sentence says what to pass.
package request
