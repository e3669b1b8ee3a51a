// Package webhook is the dispatcher's Sender over HTTP: one signed POST per attempt, the stored bytes unchanged, over one
// client and connection pool per subscription.
//
// Choices, each for a reason:
//   - HTTP/1.1 only: one dead HTTP/2 connection would eat all four attempts of every chat at once.
//   - No proxy, whatever the environment says: a proxy resolves names itself, so the address guard would judge the proxy's
//     address and not the endpoint's.
//   - Redirects are answers like any other non-2xx; they are never followed, so an endpoint cannot steer us elsewhere.
//   - The status decides. A 2xx whose body never ends is delivered; the rest of the body is not waited for beyond the attempt.
//   - A request that may have reached the endpoint is never repeated inside one attempt.
package webhook
