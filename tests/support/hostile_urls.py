"""URLs that try to lead a sender into the machine or the network that it runs in; written by hand or by rule.

`{port}` stands for the port of the canaries. Reaches nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
FULL_WIDTH = {ord(one): ord(one) + 0xFEE0 for one in f"0123456789{_LETTERS}.:"}
CIRCLED = (
    {ord("0"): 0x24EA}
    | {ord("1") + n: 0x2460 + n for n in range(9)}
    | {ord(one): 0x24D0 + n for n, one in enumerate(_LETTERS)}
)
BOLD = {ord("0") + n: 0x1D7CE + n for n in range(10)}
"""Characters that are another one to whoever normalises (NFKC), as IDNA does."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A URL, and the address that it, or a name in its place, leads to. `named`: only a resolver can tell."""

    url: str
    address: str
    named: bool = False

    def at(self, port: int) -> str:
        """Return the URL with the port of the canaries."""
        return self.url.replace("{port}", str(port))


def corpus(private: str) -> list[Hostile]:
    """Return all of them; `private` is an address of this machine beside the loopback."""
    found = [*_addresses(private), *_hosts(), *_tricks(), *_names()]
    return list({one.url: one for one in found}.values())


def _addresses(private: str) -> Iterator[Hostile]:
    for target in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
        yield from _spelled(IPv4Address(target))
        yield from _embedded(IPv4Address(target))
    own = ip_address(private)
    if isinstance(own, IPv4Address):
        yield from _spelled(own)
        yield from _embedded(own)
    else:
        yield from _spelled_6(own)
    yield from _spelled_6(IPv6Address("::1"))


def _spelled(target: IPv4Address) -> Iterator[Hostile]:
    """Yield the ways to write an IPv4 address that one parser or another has taken."""
    a, b, c, d = target.packed
    number, dotted = int(target), str(target)
    for host in (
        dotted,
        f"{number}",
        f"{number:#x}",
        f"0X{number:X}",
        f"0{number:o}",
        f"0000000{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a}.{b}.{number & 0xFFFF}",
        f"{a:#x}.{number & 0xFFFFFF}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"000{a:o}.0{b:o}.{c}.{d:#x}",
        f"{a:03}.{b:03}.{c:03}.{d:03}",
        f"{a + 256}.{b}.{c}.{d}",
        f"{number + 2**32}",
        f"{dotted}.",
        f"{dotted}..",
        f"{number}.",
        dotted.translate(FULL_WIDTH),
        dotted.translate(CIRCLED),
        dotted.translate(BOLD),
        dotted.replace(".", "。"),
        dotted.replace(".", "｡"),
        "".join(f"%{ord(one):02x}" for one in dotted),
        dotted.replace(".", "%2e"),
        f"{dotted}%00.shop.example",
        f"{dotted}%09",
        f"{dotted},shop.example",
    ):
        yield Hostile(f"http://{host}:{{port}}/", dotted)


def _embedded(target: IPv4Address) -> Iterator[Hostile]:
    """Yield the IPv6 addresses that stand for an IPv4 address."""
    high, low = f"{int(target) >> 16:x}", f"{int(target) & 0xFFFF:x}"
    hidden = f"{int(target) >> 16 ^ 0xFFFF:x}:{int(target) & 0xFFFF ^ 0xFFFF:x}"
    for host in (
        f"::ffff:{target}",
        f"::ffff:{high}:{low}",
        f"0:0:0:0:0:ffff:{high}:{low}",
        f"0000:0000:0000:0000:0000:FFFF:{target}",
        f"::{high}:{low}",
        f"::{target}",
        f"::ffff:0:{high}:{low}",
        f"64:ff9b::{high}:{low}",
        f"64:ff9b::{target}",
        f"64:ff9b:1::{high}:{low}",
        f"64:ff9b:1:{high}:{low[:2] or 0}::",
        f"2002:{high}:{low}::",
        f"2002:{high}:{low}:1::5",
        f"2001:0:808:808::{hidden}",
        f"2001::{high}:{low}",
        f"fe80::5efe:{high}:{low}",
        f"2606:4700::5efe:{high}:{low}",
        f"2606:4700::200:5efe:{high}:{low}",
    ):
        yield Hostile(f"http://[{host}]:{{port}}/", host)


def _spelled_6(target: IPv6Address) -> Iterator[Hostile]:
    long = target.exploded
    for host in (str(target), long, long.upper(), str(target).replace("::", ":0::", 1), f"{target}%lo"):
        yield Hostile(f"http://[{host}]:{{port}}/", host)
    yield Hostile(f"http://[{target}%25lo]:{{port}}/", str(target))
    yield Hostile(f"http://[{str(target).translate(FULL_WIDTH)}]:{{port}}/", str(target))
    yield Hostile(f"http://{target}:{{port}}/", str(target))
    yield Hostile(f"https://[{target}]:{{port}}/", str(target))


def _hosts() -> Iterator[Hostile]:
    """Yield other addresses that lead inside: this host, neighbours, metadata, multicast, reserved ones."""
    for host in (
        *(
            "0",
            "0.0.0.0",
            "00",
            "0x0",
            "0.1.2.3",
            "127.1",
            "127.127.127.127",
            "127.255.255.254",
            "017700000001",
        ),
        *("10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1.254", "192.168.65.2"),
        *("100.64.0.1", "100.100.100.200", "168.63.129.16", "169.254.0.23", "169.254.170.2", "169.254.1.1"),
        *("192.0.0.192", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.254"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    ):
        yield Hostile(f"http://{host}:{{port}}/latest/meta-data/", host)
    for host in (
        *("::", "0:0:0:0:0:0:0:0", "::0.0.0.0", "::ffff:0:0", "fc00::1", "fd00:ec2::254", "fd20:ce::254"),
        *(
            "fe80::1",
            "fe80::1%lo",
            "fe80::a9fe:a9fe",
            "fec0::1",
            "ff02::1",
            "ff02::1%lo",
            "ff0e::1",
            "100::1",
        ),
        *("2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1", "4000::1", "5f00::1", "200::1"),
    ):
        yield Hostile(f"http://[{host}]:{{port}}/latest/meta-data/", host)


def _tricks() -> Iterator[Hostile]:
    """Yield URLs that parsers read differently: users, backslashes, missing parts, ports, other schemes."""
    for url in (
        "http://shop.example@127.0.0.1:{port}/",
        "http://shop.example:80@127.0.0.1:{port}/",
        "http://shop.example%40127.0.0.1:{port}/",
        "http://shop.example@@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}@[::1]:{port}/",
        "http://127.0.0.1:{port}\\@shop.example/",
        "http://shop.example\\@127.0.0.1:{port}/",
        "http://127.0.0.1\\.shop.example:{port}/",
        "http:\\\\127.0.0.1:{port}\\",
        "http:/\\127.0.0.1:{port}/",
        "http:/127.0.0.1:{port}/",
        "http:127.0.0.1:{port}/",
        "http:////127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "\\\\127.0.0.1:{port}\\",
        "/hooks",
        "?http://127.0.0.1:{port}/",
        "127.0.0.1:{port}/",
        "http://127.0.0.1:{port}#@shop.example/",
        "http://127.0.0.1:{port}?@shop.example/",
        "http://127.0.0.1:{port};@shop.example/",
        "http://shop.example#@127.0.0.1:{port}/",
        "http://shop.example?@127.0.0.1:{port}/",
        "http://shop.example/@127.0.0.1:{port}/",
        "http://shop.example/../../127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/%2e%2e/%0d%0aHost:%20shop.example",
        "http://127.0.0.1 :{port}/",
        "http:// 127.0.0.1:{port}/",
        "http://127.0.0.1\t:{port}/",
        "\thttp://127.0.0.1:{port}/",
        "http://127.0.0.1\x00:{port}/",
        "http://127.0.0.1%0d%0a:{port}/",
        "http://127.0.0.1:{port}{port}/",
        "http://127.0.0.1:-1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:{port}:80/",
        "http://127.0.0.1: {port}/",
        "http://127.0.0.1:+{port}/",
        "http://127.0.0.1:0{port}/",
        "http://127.0.0.1:22/",
        "http://127.0.0.1:6379/%0d%0aFLUSHALL%0d%0a",
        "http://[::1/",
        "http://::1]:{port}/",
        "http://[127.0.0.1]:{port}/",
        "http://[v1.::1]:{port}/",
        "http://[::1]@127.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1%25lo]:{port}/",
        "HTTP://127.0.0.1:{port}/",
        "hTTpS://127.0.0.1:{port}/",
        "ws://127.0.0.1:{port}/",
        "tcp://127.0.0.1:{port}/",
        "ftp://127.0.0.1:{port}/",
        "gopher://127.0.0.1:{port}/_GET",
        "dict://127.0.0.1:{port}/info",
        "ldap://127.0.0.1:{port}/",
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "unix:///run/docker.sock",
        "http+unix://%2frun%2fdocker.sock/info",
        "unix://localhost/run/docker.sock",
        "npipe:////./pipe/docker_engine",
        "data:text/plain,ok",
        "jar:http://127.0.0.1:{port}/!/",
        "view-source:http://127.0.0.1:{port}/",
        "url:http://127.0.0.1:{port}/",
        "javascript://127.0.0.1:{port}/%0aalert(1)",
        "http://",
        "http:///",
        "http://:{port}/",
        "http://@127.0.0.1:{port}/",
    ):
        outside = url.startswith(("http://shop.example#", "http://shop.example?", "http://shop.example/"))
        yield Hostile(url, "127.0.0.1", named=outside)


def _names() -> Iterator[Hostile]:
    """Yield names that lead inside without anyone's help, or by a public service that answers so."""
    for name in (
        *("localhost", "LOCALHOST", "LocalHost", "localhost.", "localhost.localdomain", "shop.localhost"),
        *("localhost".translate(CIRCLED), "localhost".translate(FULL_WIDTH), "ip6-localhost", "ip6-loopback"),
        *(
            "127.0.0.1.names.example",
            "127-0-0-1.names.example",
            "7f000001.names.example",
            "1.0.0.127.example",
        ),
        *(
            "spoofed.shop.example",
            "broadcasthost",
            "loopback",
            "xn--localhost",
            "a_b.example",
            "127.0.0.1.example.",
        ),
        *("metadata.google.internal", "metadata", "instance-data", "instance-data.ec2.internal"),
        *("metadata.tencentyun.com", "rancher-metadata", "kubernetes.default.svc", "host.docker.internal"),
        *(
            "gateway.docker.internal",
            "consul.service.consul",
            "vault.internal",
            "db",
            "redis",
            "0x7f.1.example",
        ),
    ):
        yield Hostile(f"http://{name}:{{port}}/", "127.0.0.1", named=True)
        if "127" in name:
            yield Hostile(f"https://{name}:{{port}}/", "::1", named=True)
