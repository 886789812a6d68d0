package dispatch

// dropLimit is how many devices in a row a vendor may call dead before its word is doubted.
const dropLimit = 100

// dropGuard doubts a vendor that calls one device after the other dead and accepts none: that is
// how a wrong environment, topic or app looks (Apple's BadDeviceToken, Huawei's 80300007), and
// believing it would empty the directory. It is a plain counter; the caller locks.
type dropGuard struct{ row int }

// accepted ends a row.
func (g *dropGuard) accepted() { g.row = 0 }

// believe says whether a registration may be removed on the vendor's word. doubted is true once,
// when the doubt begins.
func (g *dropGuard) believe() (ok, doubted bool) {
	g.row++
	return g.row <= dropLimit, g.row == dropLimit+1
}
