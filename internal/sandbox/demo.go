package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// Names and secrets of the demo accounts. They are the same in every sandbox, so that a
// configuration can be written by hand; only key pairs are made anew.
const (
	// DemoApp is the app that the demo certificates belong to.
	DemoApp = "demo"

	demoPackage = "com.example.im" // bundle id, Android package name
	demoChannel = "demo_im"        // channel of chat messages

	demoAPNsTeam = "DEMOTEAM01"
	demoAPNsKey  = "DEMOKEY001"

	demoFCMProject = "demo-fcm-project"
	demoFCMEmail   = "push@demo-fcm-project.iam.gserviceaccount.com"

	demoHuaweiApp    = "100000001"
	demoHuaweiSecret = "demo-huawei-app-secret"

	demoHarmonyProject = "388421841222000001"
	demoHarmonyKey     = "demoharmonykey000000000000000001"
	demoHarmonyAccount = "100000002"

	demoHonorApp    = "104000003"
	demoHonorClient = "220000003"
	demoHonorSecret = "demo-honor-client-secret"

	demoXiaomiSecret   = "demo-xiaomi-app-secret"
	demoXiaomiTemplate = "M12762"

	demoOPPOKey      = "demo-oppo-app-key"
	demoOPPOSecret   = "demo-oppo-master-secret"
	demoOPPOTemplate = "demo_template"

	demoVivoApp    = "105000004"
	demoVivoKey    = "demo-vivo-app-key"
	demoVivoSecret = "demo-vivo-app-secret"
	// DemoVivoTestDevice is the token that vivo's test mode reaches.
	DemoVivoTestDevice = "demo-vivo-test-device"

	demoMeizuApp    = "106005"
	demoMeizuSecret = "demo-meizu-app-secret"
)

// Demo is a complete set of demo accounts, one for each vendor, with the keys that a worker needs
// to use them.
type Demo struct {
	authority *Authority
	apns      *ecdsa.PrivateKey
	fcm       *rsa.PrivateKey
	harmony   *rsa.PrivateKey
}

// NewDemo makes new key pairs. [OpenDemo] keeps them.
func NewDemo(now time.Time) (*Demo, error) {
	var d Demo
	var err error
	if d.authority, err = NewAuthority(now); err != nil {
		return nil, err
	}
	if d.apns, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the demo's APNs key: %w", err)
	}
	if d.fcm, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, fmt.Errorf("make the demo's FCM key: %w", err)
	}
	if d.harmony, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, fmt.Errorf("make the demo's HarmonyOS key: %w", err)
	}
	return &d, nil
}

// Authority signs the certificate of a sandbox that the demo's files lead to: give it to
// [Server.Start].
func (d *Demo) Authority() *Authority { return d.authority }

// Accounts are what the sandbox has to know of the demo: give them to [New].
func (d *Demo) Accounts() Accounts {
	return Accounts{
		APNs: []APNsAccount{{TeamID: demoAPNsTeam, KeyID: demoAPNsKey, Key: &d.apns.PublicKey, Topics: []string{demoPackage}}},
		FCM:  []FCMAccount{{ProjectID: demoFCMProject, ClientEmail: demoFCMEmail, Key: &d.fcm.PublicKey}},
		Huawei: []HuaweiAccount{{
			AppID: demoHuaweiApp, AppSecret: demoHuaweiSecret, Categories: []string{"IM", "VOIP"},
		}},
		Harmony: []HarmonyAccount{{
			ProjectID: demoHarmonyProject, KeyID: demoHarmonyKey, SubAccount: demoHarmonyAccount, Key: &d.harmony.PublicKey,
			Categories: []string{"IM", "VOIP"},
		}},
		Honor: []HonorAccount{{AppID: demoHonorApp, ClientID: demoHonorClient, ClientSecret: demoHonorSecret}},
		Xiaomi: []XiaomiAccount{{
			Package: demoPackage, AppSecret: demoXiaomiSecret,
			Channels:  map[string]string{demoChannel: "private", "demo_news": "public"},
			Templates: map[string][]string{demoXiaomiTemplate: {"keywords1", "keywords2"}},
		}},
		OPPO: []OPPOAccount{{
			AppKey: demoOPPOKey, MasterSecret: demoOPPOSecret, Channels: []string{demoChannel},
			Templates: map[string]OPPOTemplate{demoOPPOTemplate: {Title: []string{"sender"}, Content: []string{"text"}}},
		}},
		Vivo:  []VivoAccount{{AppID: demoVivoApp, AppKey: demoVivoKey, AppSecret: demoVivoSecret, TestDevices: []string{DemoVivoTestDevice}}},
		Meizu: []MeizuAccount{{AppID: demoMeizuApp, AppSecret: demoMeizuSecret}},
	}
}

// DemoAPNs names the demo's APNs account, for programs that push to it without a configuration.
func DemoAPNs() (team, key, topic string) { return demoAPNsTeam, demoAPNsKey, demoPackage }

// DemoToken makes up a device token in the shape of a vendor's, the same for the same name: demo
// devices need tokens that pass for real ones.
func DemoToken(vendor, name string) string {
	sum := sha256.Sum256([]byte(vendor + "\x00" + name))
	text := hex.EncodeToString(sum[:])
	switch vendor {
	case "fcm":
		return text[:22] + ":APA91b" + base64.RawURLEncoding.EncodeToString([]byte(text + text))[:134]
	case "huawei", "harmony":
		return base64.RawURLEncoding.EncodeToString([]byte(text + text))
	case "honor":
		return "BAEAAAAAB." + base64.RawURLEncoding.EncodeToString([]byte(text))
	case "xiaomi":
		return base64.StdEncoding.EncodeToString(sum[:])
	case "oppo":
		return "OPPO_CN_" + text[:32]
	case "vivo":
		return digits(sum[:23])
	case "meizu":
		return text[:32] + "_meizu"
	default:
		return text // APNs
	}
}

// digits writes a digit for each byte, the first not 0.
func digits(sum []byte) string {
	out := make([]byte, len(sum))
	for i, b := range sum {
		out[i] = '0' + b%10
	}
	out[0] = '1' + sum[0]%9
	return string(out)
}
