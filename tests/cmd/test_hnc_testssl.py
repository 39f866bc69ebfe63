# One thread.
"""What testssl.sh has to say about hnc's TLS listener with its default settings."""

import json
import os

import pytest

from pki import Pki

HOST = "127.0.0.1"
HARMLESS = {"OK", "INFO", "LOW", "DEBUG", "WARN"}

# It takes half a minute, and a sanitizer changes nothing of what is offered.
pytestmark = pytest.mark.skipif(bool(os.environ.get("SAN")), reason="once is enough")


def test_testssl_finds_nothing_above_low(lab, tmp_path):
    pki = Pki(tmp_path)
    cert, key = pki.issue(
        "server", days=180, more="crlDistributionPoints=URI:http://localhost/ca.crl\n"
    )
    port = lab.port()
    lab.spawn("hnc", "-lk", "--ssl", "--ssl-cert", cert, "--ssl-key", key, "-c", "cat >/dev/null", HOST, port)
    lab.wait_bound(port)
    findings = tmp_path / "findings.json"
    report = lab.spawn(
        "testssl", "--quiet", "--color", "0", "--warnings", "off", "--fast", "--add-ca", pki.ca,
        "-p", "-s", "-f", "-S", "-U", "--jsonfile", findings, f"localhost:{port}",
    )
    report.wait(500)
    rows = json.loads(findings.read_text())
    bad = {row["id"]: row["finding"] for row in rows if row["severity"] not in HARMLESS}
    assert bad == {}
    assert {"TLS1_3", "cert_chain_of_trust", "heartbleed"} <= {row["id"] for row in rows}
