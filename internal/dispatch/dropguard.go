package dispatch

// DropLimit is how many devices in a row a vendor may call dead before its word is doubted.
const DropLimit = 100

// DropGuard doubts a vendor that calls one device after the other dead and accepts none: that is
// how a wrong environment, topic or app looks (Apple's BadDeviceToken, Huawei's 80300007), and
// believing it would empty the directory. It is a plain counter; the caller locks.
type DropGuard struct{ row int }

// Accepted ends a row.
func (g *DropGuard) Accepted() { g.row = 0 }

// Believe says whether a registration may be removed on the vendor's word. doubted is true once,
// when the doubt begins.
func (g *DropGuard) Believe() (ok, doubted bool) {
	g.row++
	return g.row <= DropLimit, g.row == DropLimit+1
}
