package safehttp

import (
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// never are ranges that no allowance opens: link-local addresses and the
// metadata services of the clouds, wherever those live.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local: AWS, GCP, Azure, ECS, EKS metadata
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba metadata
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure WireServer, a public address
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle metadata
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::/32"), // AWS metadata
	netip.MustParsePrefix("fd20:ce::/32"),  // GCP metadata
}

// private are the ranges an allowance may open.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("fc00::/7"),
}

// PrivateRanges are the loopback and private ranges (RFC 1918, RFC 4193,
// RFC 6598) that Options.AllowPrivate may open, all of them.
func PrivateRanges() []netip.Prefix { return append([]netip.Prefix(nil), private...) }

// guard decides which addresses may be dialled.
type guard struct {
	allowed  []netip.Prefix
	guardian *ssrf.Guardian
}

func newGuard(allowed []netip.Prefix) *guard {
	return &guard{allowed: allowed, guardian: ssrf.New(ssrf.WithAnyPort())}
}

// check refuses addresses that are not on the public Internet and not in an
// allowed private range. Addresses that carry an IPv4 address inside (NAT64,
// 6to4, IPv4-compatible) are refused whatever they carry.
func (g *guard) check(a netip.Addr) error {
	if a.Zone() != "" {
		return blockedAddress(a)
	}
	a = a.Unmap()
	if contains(never, a) {
		return blockedAddress(a)
	}
	if contains(private, a) && contains(g.allowed, a) {
		return nil
	}
	if err := g.guardian.SafeAddr(a); err != nil {
		return blockedAddress(a)
	}
	return nil
}

// control is the net.Dialer.Control that checks the address the kernel is
// about to connect to.
func (g *guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &Blocked{Code: "network.blocked", Text: fmt.Sprintf("network %s is not allowed", network)}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Blocked{Code: "address.blocked", Text: fmt.Sprintf("address %q is not an IP address and port", address)}
	}
	return g.check(ap.Addr())
}

func contains(ps []netip.Prefix, a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func blockedAddress(a netip.Addr) error {
	b := &Blocked{Code: "address.blocked", Text: fmt.Sprintf("address %s is not allowed", a)}
	if u := a.Unmap(); contains(private, u) && !contains(never, u) {
		b.Private = true
	}
	return b
}
