package wireguard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func mustGenerate(t testing.TB) PrivateKey {
	t.Helper()
	k, err := GeneratePrivate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysAreReadAsTheyAreWritten(t *testing.T) {
	private := mustGenerate(t)
	again, err := ParsePrivateKey(private.Text())
	if err != nil || !again.Equal(private) || again.Public() != private.Public() {
		t.Errorf("ParsePrivateKey gives another key: %v", err)
	}
	public, err := ParseKey(private.Public().String())
	if err != nil || public != private.Public() {
		t.Errorf("ParseKey(%s) = %s, %v", private.Public(), public, err)
	}
	// RFC 7748, section 6.1: Alice's keys.
	alice, err := ParsePrivateKey("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=")
	if want := "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="; err != nil || alice.Public().String() != want {
		t.Errorf("the public key is %s, want %s (%v)", alice.Public(), want, err)
	}
}

// A key that a device changes when it is given would be given again for ever.
func TestPrivateKeysAreWhatDevicesMakeOfThem(t *testing.T) {
	k, err := ParsePrivateKey(strings.Repeat("/", 42) + "8=")
	if err != nil {
		t.Fatal(err)
	}
	if secret := k.secret(); secret[0] != 0xf8 || secret[31] != 0x7f {
		t.Errorf("the key begins with %#x and ends with %#x", secret[0], secret[31])
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	good := mustGenerate(t).Public().String()
	cases := map[string]string{
		"Empty": "", "Short": good[4:], "Long": good + "AAAA", "Line": good + "\n", "LineWithin": good[:20] + "\n" + good[21:],
		"NoBase64": "!" + good[1:], "Zero": strings.Repeat("A", 43) + "=", "Bits": strings.Repeat("A", 42) + "B=", "Hex": strings.Repeat("ab", 22),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			if k, err := ParseKey(text); err == nil {
				t.Errorf("ParseKey(%q) = %s", text, k)
			}
			_, err := ParsePrivateKey(text)
			if err == nil {
				t.Fatalf("ParsePrivateKey(%q) succeeds", text)
			}
			if text != "" && strings.Contains(err.Error(), strings.TrimSpace(text)) {
				t.Errorf("the error says the secret: %v", err)
			}
		})
	}
}

func TestPrivateKeysAreNotPrinted(t *testing.T) {
	k := mustGenerate(t)
	type holder struct {
		Key    PrivateKey
		hidden PrivateKey
	}
	h := holder{k, k}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%c", "%U"} {
		for _, what := range []any{k, &k, h, &h, []PrivateKey{k}, Config{PrivateKey: k}, map[string]holder{"a": h}} {
			fmt.Fprintf(&out, verb+"\n", what)
		}
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	log := funcr.New(func(_, args string) { out.WriteString(args) }, funcr.Options{})
	log.Info("key", "config", Config{PrivateKey: k}, "key", k, "hidden", h)
	part := k.secret()[4:12]
	decimal := strings.Trim(fmt.Sprintf("%d", part), "[]")
	for name, secret := range map[string]string{
		"base64": k.Text(), "hexadecimal": fmt.Sprintf("%x", part), "upper": fmt.Sprintf("%X", part),
		"decimal": decimal, "JSON": strings.ReplaceAll(decimal, " ", ","), "Go": strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"),
	} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the key is printed, %s", name)
		}
	}
}
