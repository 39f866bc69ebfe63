"""Certificates for the TLS tests, good and bad, all made by openssl when the tests run."""

import subprocess

from conftest import TIMEOUT

EC = "ec:P-256"


class Pki:
    """An authority and what it signs."""

    def __init__(self, folder, name="Test-CA"):
        self.folder = folder
        self.name = name
        self.ca, self.ca_key = self.path("ca.pem"), self.path("ca.key")
        self.key(self.ca_key)
        self.openssl(f"req -x509 -key {self.ca_key} -days 30 -subj /CN={name} -out {self.ca}")

    def path(self, name):
        return str(self.folder / name)

    @staticmethod
    def openssl(args):
        subprocess.run(["openssl", *args.split()], check=True, capture_output=True, timeout=TIMEOUT)

    def key(self, path, kind=EC):
        algorithm, detail = kind.split(":")
        option = "ec_paramgen_curve" if algorithm == "ec" else "rsa_keygen_bits"
        self.openssl(f"genpkey -algorithm {algorithm} -pkeyopt {option}:{detail} -out {path}")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", kind=EC, dates=None, days=30, more=""):
        """(certificate, key). dates: (from, to) as YYYYMMDDHHMMSSZ; more: lines of extensions."""
        cert, key, csr, conf = (self.path(f"{name}.{x}") for x in ("pem", "key", "csr", "cnf"))
        self.key(key, kind)
        self.openssl(f"req -new -key {key} -subj /CN={name} -out {csr}")
        with open(conf, "w") as f:
            f.write(
                "[ca]\ndefault_ca=own\n[own]\n"
                f"database={self.path('index.txt')}\nserial={self.path('serial')}\n"
                f"new_certs_dir={self.folder}\npolicy=any\nunique_subject=no\n"
                f"[any]\ncommonName=supplied\n[ext]\nsubjectAltName={names}\n{more}"
            )
        (self.folder / "index.txt").touch()
        if not (self.folder / "serial").exists():
            (self.folder / "serial").write_text("1000\n")
        span = f"-startdate {dates[0]} -enddate {dates[1]}" if dates else f"-days {days}"
        self.openssl(
            f"ca -batch -notext -config {conf} -extensions ext -in {csr} -out {cert} "
            f"-cert {self.ca} -keyfile {self.ca_key} -md sha256 {span}"
        )
        return cert, key

    def lock(self, key, password):
        """A copy of the key with this password."""
        locked = f"{key}.locked"
        self.openssl(f"pkcs8 -topk8 -in {key} -out {locked} -passout pass:{password}")
        return locked

    def revoke(self, *certs):
        """The list of what was revoked up to now, these among it."""
        crl, conf = self.path("crl.pem"), self.path("crl.cnf")
        with open(conf, "w") as f:
            f.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.path('index.txt')}\n")
        (self.folder / "index.txt").touch()
        authority = f"-config {conf} -cert {self.ca} -keyfile {self.ca_key} -md sha256"
        for cert in certs:
            self.openssl(f"ca {authority} -revoke {cert}")
        self.openssl(f"ca {authority} -gencrl -crldays 30 -out {crl}")
        return crl

    def self_signed(self, name="localhost"):
        cert, key = self.path(f"self-{name}.pem"), self.path(f"self-{name}.key")
        self.key(key)
        self.openssl(
            f"req -x509 -key {key} -days 30 -subj /CN={name} -addext subjectAltName=DNS:{name} "
            f"-out {cert}"
        )
        return cert, key
