package hongyan

// Vendors are the vendors of the contract, by the names that subjects, records and dead letters
// have.
var Vendors = [...]string{"apns", "fcm", "huawei", "harmony", "honor", "xiaomi", "oppo", "vivo", "meizu"}

// Platforms are the values of [Device].Platform.
var Platforms = [...]string{"ios", "android", "harmony"}
