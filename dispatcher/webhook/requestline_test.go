package webhook

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"waoutbox/outbox"
)

// validTarget are the characters of RFC 9112's origin-form; a % is followed by two hexadecimal
// digits.
const validTarget = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/?%"

// strict responds 204 to a valid request line and 400 to any other, and tells the target.
func strict(t *testing.T) (host string, targets chan string) {
	t.Helper()
	targets = make(chan string, 1)
	e := listen(t, nil, func(c net.Conn) {
		in := bufio.NewReader(c)
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		fields := strings.Split(strings.TrimSuffix(line, "\r\n"), " ")
		valid := len(fields) == 3 && fields[0] == "POST" && fields[2] == "HTTP/1.1" && strings.HasPrefix(fields[1], "/") &&
			strings.Trim(fields[1], validTarget) == ""
		for i, c := range line {
			if c == '%' && (i+2 >= len(line) || !isHex(line[i+1]) || !isHex(line[i+2])) {
				valid = false
			}
		}
		response := "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		if valid {
			response = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
		}
		targets <- strings.Join(fields[1:len(fields)-1], " ")
		_, _ = io.WriteString(c, response)
		_ = c.Close()
	})
	return strings.TrimSuffix(e.url, "/hook"), targets
}

// What is accepted is sent as valid HTTP, from its identity and from a URL as databases of earlier
// versions hold it. `?q=a b` went out as "POST /?q=a b HTTP/1.1" and `?q=ä` with its bytes: strict
// servers responded 400 to every attempt.
func TestAcceptedURLsAreSentAsValidHTTP(t *testing.T) {
	host, targets := strict(t)
	for path, want := range map[string]string{
		"":                          "/",
		"?q=1":                      "/?q=1",
		"/q?name=a b":               "/q?name=a%20b",
		"/q?name=ä":                 "/q?name=%C3%A4",
		"/a b/ä":                    "/a%20b/%C3%A4",
		"/a%2Fb ä":                  "/a%2Fb%20%C3%A4", // not /a/b
		"/a%2fb":                    "/a%2fb",
		"/%c3%a4?%c3%a4":            "/%c3%a4?%c3%a4",
		"/q?discount=100%":          "/q?discount=100%25",
		"/q?a=%zz&b=%4":             "/q?a=%25zz&b=%254",
		"/q?a[]=1&b={x}|y^z`":       "/q?a%5B%5D=1&b=%7Bx%7D%7Cy%5Ez%60",
		"/a[1]/{id}":                "/a%5B1%5D/%7Bid%7D",
		`/q?a="<b>"\`:               "/q?a=%22%3Cb%3E%22%5C",
		"/q?a=b?c/d:e@f":            "/q?a=b?c/d:e@f",
		"/q?a+b=c%20d":              "/q?a+b=c%20d",
		"//a/../b//":                "//a/../b//",
		"/;a=1,2/$&'()*+!~":         "/;a=1,2/$&'()*+!~",
		"/q?":                       "/q",
		"/q?\u2028\u00a0x":          "/q?%E2%80%A8%C2%A0x",
		"/q?bad=" + "\xff" + "\xc3": "/q?bad=%FF%C3",
		"/bad" + "\xff":             "/bad%FF",
		"/emoji/😀?😀":                "/emoji/%F0%9F%98%80?%F0%9F%98%80",
	} {
		identity, err := CheckURL(host+path, false)
		if err != nil || identity != host+want {
			t.Errorf("%q: identity %q, %v; want %q", path, identity, err, host+want)
			continue
		}
		if again, err := CheckURL(identity, false); err != nil || again != identity {
			t.Errorf("%q: identity is not stable: %q, %v", path, again, err)
		}
		for _, stored := range []string{identity, host + path} {
			res := sender(t).Send(t.Context(), request(stored, "", "{}"))
			if got := <-targets; got != want || res.Class != outbox.ClassOK {
				t.Errorf("%q: sent %q, %+v; want %q", stored, got, res, want)
			}
		}
	}
}

// What cannot be made valid is refused in a sentence.
func TestURLsThatCannotBeSentAreRefused(t *testing.T) {
	for raw, part := range map[string]string{
		"http://localhost/a\nb":                       "not a URL",
		"http://localhost/?a\x00b":                    "not a URL",
		"http://localhost/?a\x7fb":                    "not a URL",
		"http://localhost/%zz":                        "not a URL",
		"https://bü_cher.example/":                    "not a valid host name",
		"https://b\u200dü.example/":                   "not a valid host name",
		"https://１２７.１/":                              "four decimal numbers",
		"https://2130706433。/":                        "four decimal numbers",
		"https://１６９。２５４。１６９。２５４/":                    "link-local",
		"https://a。。b/":                               "not a valid host name",
		"https://x/?" + strings.Repeat("ä", maxURL/3): "longer than",
	} {
		if got, err := CheckURL(raw, false); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, part)
		}
	}
}

func TestInternationalHostsAreSentInASCII(t *testing.T) {
	for raw, want := range map[string]string{
		"https://bücher.example/x":      "https://xn--bcher-kva.example/x",
		"https://BÜCHER.example/x":      "https://xn--bcher-kva.example/x",
		"https://bu\u0308cher.example":  "https://xn--bcher-kva.example/",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example/",
		"https://例え。テスト/":               "https://xn--r8jz45g.xn--zckzah/",
		"https://crm．example。/":         "https://crm.example/",
		"https://b%C3%BCcher.example/":  "https://xn--bcher-kva.example/",
	} {
		got, err := CheckURL(raw, false)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", raw, got, err, want)
		}
		if again, err := CheckURL(got, false); err != nil || again != got {
			t.Errorf("%q is not stable: %q, %v", got, again, err)
		}
	}
}
