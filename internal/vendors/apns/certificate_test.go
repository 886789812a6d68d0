package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/hongyan-im/hongyan/internal/sandbox"
	fake "github.com/hongyan-im/hongyan/internal/sandbox/apns"
	"github.com/hongyan-im/hongyan/internal/vendors"
)

// certPEM is a push certificate with or without its key.
func certPEM(t testing.TB, withKey bool) vendors.Secret {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Apple Push Services: " + testTopic},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	out := vendors.Secret(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if withKey {
		out += p8(key)
	}
	return out
}

// TestCertificateAccount pushes with a client certificate and without an authorization header.
func TestCertificateAccount(t *testing.T) {
	t.Parallel()
	secret := certPEM(t, true)
	block, _ := pem.Decode([]byte(string(secret)))
	box := sandbox.New(sandbox.Options{}, fake.Fake(fake.Account{Topics: []string{testTopic}, Certificate: block.Bytes}))
	srv := httptest.NewUnstartedServer(box.Handler())
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	defer srv.Close()
	for _, c := range []struct {
		name   string
		secret vendors.Secret
		want   vendors.Reason
		code   string
	}{
		{"known", secret, vendors.Accepted, ""},
		{"unknown", certPEM(t, true), vendors.BadCredentials, "MissingProviderToken"},
	} {
		cfg := keyConfig(srv.URL, caFile(t, srv.Certificate().Raw))
		cfg.Key, cfg.KeyID, cfg.TeamID, cfg.Certificate = "", "", "", c.secret
		if ps := cfg.Problems(); len(ps) > 0 {
			t.Fatal(ps)
		}
		d := start(t, cfg)
		got := one(t, d, chat())
		if got.Reason != c.want || got.Code != c.code {
			t.Errorf("%s: %v %s (%v), want %v %s", c.name, got.Reason, got.Code, got.Err, c.want, c.code)
		}
		box.Arm(sandbox.Fault{Vendor: "apns", Kind: sandbox.FaultCode, Code: "ExpiredProviderToken", Times: 1})
		if c.want == vendors.Accepted {
			// There is no provider token to renew, so this makes no sense and must not loop.
			if got := one(t, d, chat()); got.Reason != vendors.BadCredentials {
				t.Errorf("ExpiredProviderToken with a certificate: %v", got.Reason)
			}
		}
		box.Clear("", 0)
	}
}

// TestCertificateRefusedInHandshake: a server that will not have the certificate says so by a TLS
// alert, long before any reason.
func TestCertificateRefusedInHandshake(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(nil)
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	srv.Config.ErrorLog = quiet()
	srv.StartTLS()
	defer srv.Close()
	cfg := keyConfig(srv.URL, caFile(t, srv.Certificate().Raw))
	cfg.Key, cfg.Certificate = "", certPEM(t, true)
	if got := one(t, start(t, cfg), chat()); got.Reason != vendors.BadCredentials || got.Code != "BadCertificate" {
		t.Errorf("got %v %s (%v)", got.Reason, got.Code, got.Err)
	}
}

// Throw-away certificates with the password "opensesame": as Keychain exports them, and as openssl
// 3 does by default.
const (
	oldP12 = "MIIGMQIBAzCCBfcGCSqGSIb3DQEHAaCCBegEggXkMIIF4DCCAt8GCSqGSIb3DQEHBqCCAtAwggLMAgEAMIICxQYJKoZIhvcNAQcBMBwGCiqGSIb3DQEMAQYw" +
		"DgQIIsUiTzqsodQCAggAgIICmI5sbFILacMi7nsTsp+Z3CBlqygrVs4jPxEEwrz7ZRGNPOnmTOpfxvdeojJkfkF4pIsnohpxcLDawS5H6KSE39oE8LWk6WHH" +
		"eRuNS9DJWS3OAfLxBBZmJScxzyJCSSqPbQreq84HTqiFS7LgvRKyXDd50cIE8kQlH3u0wxzxeGklS65HSCl5EZkcX1/XVLgoYHUcd4qvcjQaS9+2OUEQ/PFZ" +
		"0CCUt4gDUghHNFWIB42AmL33XDUD2FtXDUxNA54r30oBowC7HngOkWH02svBT5LVWde7/T87HbD7JozXBS4xP7CVrt5mRNcj+qJWW1FT3+KVVhgiSNmmnfwg" +
		"oEsPKFop4q/vUDFZQjXdq73Mv6ooOQ+JCqKd9J8t8l3Kzq7qDYHJys0O2xK4uDq4aBY+2VExJyF8gTwsTokyw8sgHxuicNR+sQhsbYmNTsl3u1Fevxj0Q3mE" +
		"Wrlqyy3Opigx2UmHg49gVmglVlTlixF1pEYeSd+ce3alagG2ceRa2fcbDHl37N98v2Ww8zKtScNLrfLag9ZtjDPjMlNU0XOoPUemL9Dklpjmxe9Z9HxgPWUi" +
		"mnNM84l/8ufnig7Ed9kcqzVdIUgwupxbQTyfDQhbeiVilNBHtd86MznsHdq+wRlaZIPBqfCQDgkppMf+jG2gU7qWged4c343yOftDyqDgF36ZSi0Zq4Alkbg" +
		"Nq1z8SyseJw/FxD4iqZteBuuntvV0koba0u9tDMu6ezWBaa3SqZPW8Uyb0YTPXzQNEMBZym38n2zAda28aOM5hOMpLHe95OG9QIykh61lzeXGbYCMtBjqKgC" +
		"OGOZAUA4riaqedXrFZnuM2mwA1kKvwwmoQZNtxGKyzmAxpAbWl5mDZRdmkAK1xACUipMS00wggL5BgkqhkiG9w0BBwGgggLqBIIC5jCCAuIwggLeBgsqhkiG" +
		"9w0BDAoBAqCCAqYwggKiMBwGCiqGSIb3DQEMAQMwDgQIkRvIlnnxfgACAggABIICgJnXltIXuJ4hWZ9pRUT6M6mrsr1o0diroJ1ur4UMxp64kcneqtLMxs/d" +
		"upwxwlDqzYqIwvL6oSGYLHpNOAlTu2XbmcvxHe+izsKAbJfARPSJbNmjeaOq05bu+geoDf8nqgdd00oKLTxMoc3O/z5arRYkBj2XQ8ltPPJYpfdf/MEJ44FH" +
		"XWBuO4tQONqcrqIfOHWisvaauAaGj/sCi5vfB2obtA9Y8+eo9IOgKJKrAIX6z8z5XLTO63TCNbhDNADoUOTygWDUnZRWDXYvyiiovfpypeRGFNR8VC9sbQ9p" +
		"BgVcmae1mlm6wEF5+M89OZKC6DPsuWuRgEkNSIr9q23B6mjJhSgxzGbmUG7PoiB9Y0MZKFtifiuMZcMqrFIJZMKRImPpcDm+UVwT3F2ohv0q5R8zM5J7mQZw" +
		"n66HjRGEYxSzHJN811x9ePdA5w8gPn7/xn3iAR6qCi1lcBArm2H72u5BJ15SKjvaNSSlJYEdEl+SItfQ+7qTCWtYRsXLZChMDAzFyxZUA7L4VLpWxJDkfmxr" +
		"sSUhID3oTmbgdgbvsZmG7eoJjFJNvKGbdjjei1WSdR7LSfHo4z5eF7qdjRPDp1wY67LKe7N+kx70X4nlAEuCJDZaPWewtDcjobfJv1kHNIQp9Uaj2gwiqQ0H" +
		"kWRo/7uvy7R/S+1eW6/nNk4HAn2+AqcrclPt5503FlyQu4JhGESxmkbik876O/+ENl+wyyVZYBdVD1dnVHbxZHoUy4ahMSrgSGatzAsXM+YoJq3dTd8XCq5t" +
		"8TLoQAB8roODQ1bF2MA+muyVKNCyYKyI7G1geuNyXB72mS5oKLoXVtW9vRh4la33KHHKVW9DNRzX6XExJTAjBgkqhkiG9w0BCRUxFgQUz6Mf/YpUm6PaGM3t" +
		"D5VwvFq672UwMTAhMAkGBSsOAwIaBQAEFLA5gSp6g4I5gd3Vx46JX4exb78lBAihrNz3Ss6qXQICCAA="

	newP12 = "MIIGvwIBAzCCBnUGCSqGSIb3DQEHAaCCBmYEggZiMIIGXjCCAyIGCSqGSIb3DQEHBqCCAxMwggMPAgEAMIIDCAYJKoZIhvcNAQcBMFcGCSqGSIb3DQEFDTBK" +
		"MCkGCSqGSIb3DQEFDDAcBAgrt3kutekwhQICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOh985DZ9dQ1RhebKkSDk3OAggKgboY3GZIT2MNnPh40" +
		"3Vo2AbXqnCK5usgX2Wuj/mfh8Wemuunb2ZLi0tg8zK5pMUo83uV0yOnPFphDMmVVrMgXsfFVR+NMRuQ1ZYOYkYd+IWKQJVkXZU6UEozvql4IcHiz43phgh6+" +
		"UaxIbM7PaHeMzj07FQ4LV64axIizogU/DokMaDbhCJJ4IJhtGXqFReYAeWFztjvdhED6qpjXsC3uIsf9yuxAWLuHZLFXjQ6iY8H2Zg3diHJzQ1CURZaWdgL6" +
		"8Rm8fgKdUzcHBEj3XvbEM/sEkPNkofyhyyz/EyAepWfYfVvJzM9Nza+v6pNfFVQqUR5M8F4DVXjscKIncFUGzmQk3veIQxDah48zkFS4HnsTy9uXpM8FPWuQ" +
		"D/Qmp433X6k7oM81gCORe9StyUrN4LTliBz54k33bxL2Ib+6gvc+6GV+C3cbcfNrWIQMnBa+B8vzb6ujWjgD5iNfSbHWufNvqmbClwHzIXfpGkdH19GY/R6Q" +
		"lnXGJXg8GFbXQyywJ3Z2cRhG0mJqSTSeZjPJ2/WW61Svtx7tckCjZP1m6XDV9GvyNgEOqNDXydYbDcJEdAvso7OBX848bdJy96OIggmLm/UTmssS6Lt/fQla" +
		"mKPBJm9pF+Xvh65mCUgdxJuD5SE7pQLjpfEeH0e96aGucN01qGPEOYDE3VUODnsPusaLuE2Z4UnWfyFoBmxmhq71/jYtsttZ40ksr7zkPtvSUHm/EjqW60ua" +
		"cUx19NXulNAwiAZ7a+Wzjqgfj1fcOOJaJ0MhCJpvbDFMCXinqeSkT8Jz1LwgbTeaBY2W2Kb9StIxPJn+/9BhNN0fPu2RKZvWJ0gWgUFwg1b/n9jS+QrLBFqq" +
		"3q9KLvrGqGogKWn49wEQGYuK8USS6lyrdxiJc33bMIIDNAYJKoZIhvcNAQcBoIIDJQSCAyEwggMdMIIDGQYLKoZIhvcNAQwKAQKgggLhMIIC3TBXBgkqhkiG" +
		"9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIvdeAA9//TuICAggAMAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBBAH9qmYW9mhymKQ8+NGkOJBIICgF7JTiAb" +
		"+ctz+id9oz8CesLk8VD1MWv+3jYZFjkYCr3OG7mFQYvU6MWllP+79ajhrgqHL+usCT3tMvOVS9bMUtdhn6udUD6jMhUHztukd6g+zC6fuvE0vru4JWRPFO9G" +
		"i21HYffg+pYv6L9xvpQjBABqs4ESGeDY7N/BfXzZC9aNIVhp7N+KEX2EaNazmhFvDRjskLoLtoNHogleJrOaXO8HIJwZl0LvbROaMLSgsSX4TTMS+UYUWIrB" +
		"7BTtg6XglnueBCZwSpSw3HyydYe2o1Ux2A4B9cIlHbV9vv+X6SuKOcxOcr4Bqi0AFkupffTeBqrPN33Plb9pwuZvdhzm8GtEsM2zANM5fDiUMVoeoxbzWcee" +
		"j1qTzW87hjWh4uxB751ENMpuzRKNu524DpoAHfP5ndspybAR175Lfy5opYUDJmb0NMHpTIjWu7q0D+nZFwKlgl0jjxwSTKXvavV4I4TxkdfdGsCZagnb888H" +
		"cqQjCLoa+jaNLp0jKg6e5sX82FDMsGPi1fjpT0xfcF0P1K4Tk039OyTcO5rTBsvHB9VYqnOjxMljdRw55K84y8A5UntkjxLA62U9dhdQWtbV+kfpeBMm5TFF" +
		"gbxPaswoNUwHpkaRlXdnoE40DPd7VujU7EM5WeNrGjnb14937dbBg1jEXCYwsCBZ96V3Dku8atEY9DEphotNI51jzgeg5+IbJjYedQ40kv9etZm4fKrQMpRE" +
		"47T/gHX4lKyRbpXkAH/kf3JXiU3MNcoCKFH4mtSLu/N5pOc4lxWQC92+NWMcekXCRDA3ttKxIrHT3S6AmAA8kR+YRqAPwV4WLDnyApyYVD9efK+MeTofyTgC" +
		"vvy5h/UxJTAjBgkqhkiG9w0BCRUxFgQUz6Mf/YpUm6PaGM3tD5VwvFq672UwQTAxMA0GCWCGSAFlAwQCAQUABCA2oCXVPezOvOimxpwwaqysSMuHYqz3v8tp" +
		"TYhS2CqzswQIIaiBmHZ5z6kCAggA"
)

func TestParseCertificateP12(t *testing.T) {
	t.Parallel()
	decode := func(s string) vendors.Secret {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return vendors.Secret(raw)
	}
	for name, file := range map[string]string{"old": oldP12, "new": newP12} {
		cert, err := parseCertificate(decode(file), "opensesame")
		if err != nil || cert.Leaf.Subject.CommonName != "Apple Push Services: com.example.im" || cert.PrivateKey == nil {
			t.Errorf("%s: %v", name, err)
		}
		if what, at := (&Config{Certificate: decode(file), CertificatePassword: "opensesame"}).Expires(); what == "" || !at.Equal(cert.Leaf.NotAfter) {
			t.Errorf("%s: %q ends at %v", name, what, at)
		}
	}
	if _, at := (&Config{Key: "k"}).Expires(); !at.IsZero() {
		t.Errorf("a key ends at %v", at)
	}
	for name, c := range map[string]struct{ data, password vendors.Secret }{
		"password":    {decode(oldP12), "sesame"},
		"no_password": {decode(oldP12), ""},
		"truncated":   {decode(oldP12)[:100], "opensesame"},
	} {
		if _, err := parseCertificate(c.data, c.password); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A .p12 with the issuers' certificates in it, as `openssl pkcs12 -certfile` and Keychain make
// them, in any order and with old and new encryptions.
func TestParseCertificateWithAChain(t *testing.T) {
	t.Parallel()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	issue := func(name string, key, issuerKey *ecdsa.PrivateKey, issuer *x509.Certificate) *x509.Certificate {
		t.Helper()
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: name != "leaf", KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
		if issuer == nil {
			issuer = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	rootKey, middleKey, leafKey, strangerKey := key(), key(), key(), key()
	root := issue("root", rootKey, rootKey, nil)
	middle := issue("middle", middleKey, rootKey, root)
	leaf := issue("leaf", leafKey, middleKey, middle)
	stranger := issue("stranger", strangerKey, strangerKey, nil)
	for name, c := range map[string]struct {
		encoder *pkcs12.Encoder
		first   *x509.Certificate
		others  []*x509.Certificate
		want    int // certificates in the chain
	}{
		"alone":               {pkcs12.Modern, leaf, nil, 1},
		"issuer":              {pkcs12.LegacyDES, leaf, []*x509.Certificate{middle}, 2},
		"issuers":             {pkcs12.LegacyRC2, leaf, []*x509.Certificate{middle, root}, 3},
		"issuers_wrong_order": {pkcs12.Modern2023, leaf, []*x509.Certificate{root, middle}, 3},
		"own_is_last":         {pkcs12.Modern2026, root, []*x509.Certificate{middle, leaf}, 3},
		"stranger_is_left":    {pkcs12.Modern, leaf, []*x509.Certificate{stranger, middle}, 2},
		"no_password":         {pkcs12.Passwordless, leaf, []*x509.Certificate{middle}, 2},
	} {
		password := "opensesame"
		if name == "no_password" {
			password = ""
		}
		data, err := c.encoder.Encode(leafKey, c.first, c.others, password)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := parseCertificate(vendors.Secret(data), vendors.Secret(password))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(cert.Certificate) != c.want || cert.Leaf.Subject.CommonName != "leaf" || string(cert.Certificate[0]) != string(leaf.Raw) ||
			c.want > 1 && string(cert.Certificate[1]) != string(middle.Raw) {
			t.Errorf("%s: %d certificates, of %s", name, len(cert.Certificate), cert.Leaf.Subject)
		}
	}
	other, err := pkcs12.Modern.Encode(key(), leaf, nil, "opensesame")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseCertificate(vendors.Secret(other), "opensesame"); err == nil || !strings.Contains(err.Error(), "no certificate of its private key") {
		t.Errorf("the key of another certificate: %v", err)
	}
	right, err := pkcs12.Modern.Encode(leafKey, leaf, []*x509.Certificate{middle}, "opensesame")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseCertificate(vendors.Secret(right), "sesame"); err == nil || !strings.Contains(err.Error(), "wrong certificate_password") {
		t.Errorf("a wrong password: %v", err)
	}
}
