"""The reverse proxies of config/proxy as processes: the files as they are, but for ports and certificate."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon import free_port
from mail_office import make_certificate
from source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "pay.shop.example"
_WITHIN = 30.0
_GRACE = 2
"""Seconds that it gets to end: Caddy waits for streams that are still open."""


def _nginx(folder: Path, backend: int, port: int) -> list[str]:
    text = (ROOT / "config" / "proxy" / "nginx.conf").read_text()
    certificate = make_certificate(folder / "cert.pem", NAME)
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{backend}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("/etc/ssl/pay.shop.example/fullchain.pem", str(certificate)),
        ("/etc/ssl/pay.shop.example/privkey.pem", str(certificate)),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "site.conf").write_text(text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"  {kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n  access_log off;\n{places}  include {folder}/site.conf;\n}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf")]


def _caddy(folder: Path, backend: int, port: int) -> list[str]:
    text = (ROOT / "config" / "proxy" / "Caddyfile").read_text()
    certificate = make_certificate(folder / "cert.pem", NAME)
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{backend}"),
        (f"\n{NAME} {{\n", f"\n{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {certificate}\n"),
        (
            "\n{\n",
            f"\n{{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system {folder}/caddy\n",
        ),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "Caddyfile").write_text(text)
    return ["run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES = {"nginx": _nginx, "caddy": _caddy}


@contextmanager
def proxied(program: str, folder: Path, backend: int) -> Iterator[int]:
    """Run a proxy in front of a port; yield its own, where it speaks TLS as NAME."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    assert path is not None
    port = free_port()
    line = [path, *PROXIES[program](folder, backend, port)]
    environment = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "proxy.log").open("wb") as log:
        process = subprocess.Popen(line, env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        _await(port, process, folder / "proxy.log")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the proxy does not listen: {log.read_text()}")
