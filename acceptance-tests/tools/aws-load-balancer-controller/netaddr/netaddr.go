// Package netaddr has the names of the module inet.af/netaddr that the load balancer controller uses, on net/netip.
package netaddr

import "net/netip"

// IP is an address.
type IP struct{ netip.Addr }

// IPPrefix is a range of addresses.
type IPPrefix struct{ netip.Prefix }

// ParseIP reads an address.
func ParseIP(s string) (IP, error) {
	address, err := netip.ParseAddr(s)
	return IP{address}, err
}

// ParseIPPrefix reads a range.
func ParseIPPrefix(s string) (IPPrefix, error) {
	prefix, err := netip.ParsePrefix(s)
	return IPPrefix{prefix}, err
}

// MustParseIP reads an address that is one.
func MustParseIP(s string) IP { return IP{netip.MustParseAddr(s)} }

// MustParseIPPrefix reads a range that is one.
func MustParseIPPrefix(s string) IPPrefix { return IPPrefix{netip.MustParsePrefix(s)} }

// Contains says whether the address is in the range.
func (p IPPrefix) Contains(ip IP) bool { return p.Prefix.Contains(ip.Addr) }
