// Package webhook is the dispatcher's Sender over HTTP: one signed POST per attempt, the stored
// bytes unchanged, over one client and connection pool per subscription.
//
// Choices, each for a reason:
//   - HTTP/1.1 only: one dead HTTP/2 connection would cost all four attempts of every chat at once.
//   - No proxy, whatever the environment says: a proxy resolves names itself, so the address guard
//     would judge the proxy's address and not the endpoint's.
//   - A redirect is a failure like any other status outside 2xx and is never followed, so an
//     endpoint cannot steer us elsewhere. So is 101: its connection would belong to nobody.
//   - The status decides. A 2xx whose body never ends is delivered; what follows its header is
//     read for at most 250 ms, because the next event of the chat waits meanwhile.
//   - Nothing of an attempt outlives its limit: no read, no write, no dial, no handshake.
//   - A request that may have reached the endpoint is never repeated inside one attempt, and the
//     response of an attempt arrived after its connection was taken for it (package http1).
//   - What this machine lacks (descriptors, ports, memory, root certificates, permission) is never
//     charged to the endpoint, even where the resolver's error hides it.
//   - What is kept of a response holds neither the secrets nor a custom header's value: endpoints
//     that echo their request are common, and the state stores excerpts unsealed.
package webhook
