// Package texts is the catalogue of the words that notifications show where the IM backend gives
// none: "[Photo]" for a photo, "Missed voice call", "This message was recalled", each in the
// language of the device.
//
//	locale of a device ──▶ Catalogue.For ──▶ Language ──▶ Text, Fill
//	                           ▲
//	built-in languages ──▶ Catalogue.With ◀── changes of an operator's file
//
// A catalogue never changes once made, has every text in every language, and may be used by many
// goroutines. The reading of an operator's file, with line and column of what is wrong, is that of
// package config; what a text may be is said here, by [Name.Check].
package texts
