package dispatch

// Refresh is a device whose icon shall show another number, without a notification.
type Refresh struct {
	User, Device, Token, Region string
	Number                      int
}
